//! One part on its way from the network to the spool: bytes are gathered on the async side and written on blocking
//! threads, one batch while the next arrives. A part that breaks off leaves nothing.

use std::time::Duration;

use axum::body::{Body, Bytes};
use compactvault_vault::Vault;
use compactvault_vault::uploads::PartWriter;
use futures_util::StreamExt as _;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::app::App;
use crate::blocking::Lane;
use crate::error::ApiError;
use crate::extract::body_incomplete;
use crate::routes::uploads::uploads;

/// Bytes gathered before they are written. A part below this is created, written and finished in one go.
const BATCH_BYTES: usize = 256 * 1024;
/// A client that sends nothing for so long has gone away.
const SILENCE_MAX: Duration = Duration::from_mins(1);

/// Where the part stands on the blocking side.
type Written = Result<PartWriter, ApiError>;

/// Receives a body as part `index`. `announced` is its `Content-Length`.
pub(crate) async fn receive_part(
    app: &App,
    upload_id: &str,
    index: u64,
    announced: Option<u64>,
    body: Body,
) -> Result<(), ApiError> {
    let mut part = Part {
        app,
        upload_id,
        index,
        writing: Writing(None),
    };
    let mut frames = body.into_data_stream();
    let mut batch = Vec::new();
    let (mut gathered, mut received) = (0, 0);
    loop {
        match tokio::time::timeout(SILENCE_MAX, frames.next()).await {
            Ok(Some(Ok(frame))) => {
                gathered += frame.len();
                received += frame.len() as u64;
                batch.push(frame);
            }
            Ok(None) if announced.is_none_or(|announced| announced == received) => break,
            Ok(None | Some(Err(_))) | Err(_) => return Err(body_incomplete()),
        }
        if gathered >= BATCH_BYTES {
            part.write(std::mem::take(&mut batch)).await?;
            gathered = 0;
        }
    }
    part.finish(batch).await
}

struct Part<'a> {
    app: &'a App,
    upload_id: &'a str,
    index: u64,
    writing: Writing,
}

impl Part<'_> {
    /// Hands a batch over once the one before it is written.
    async fn write(&mut self, batch: Vec<Bytes>) -> Result<(), ApiError> {
        let append = self.appending(batch).await?;
        self.writing = Writing(Some(self.app.lanes.start(Lane::Write, append).await?));
        Ok(())
    }

    async fn finish(mut self, rest: Vec<Bytes>) -> Result<(), ApiError> {
        let append = self.appending(rest).await?;
        self.app
            .lanes
            .run(Lane::Write, move || {
                append()?.finish().map_err(ApiError::from)
            })
            .await
    }

    /// The blocking work for a batch: the part is begun with its first.
    async fn appending(
        &mut self,
        batch: Vec<Bytes>,
    ) -> Result<impl FnOnce() -> Written + Send + use<>, ApiError> {
        let writer = self.writing.end().await?;
        let vault: Vault = self.app.shelf.vault()?.clone();
        let (upload_id, index) = (self.upload_id.to_owned(), self.index);
        Ok(move || {
            let mut writer = match writer {
                Some(writer) => writer,
                None => uploads(&vault)?.part(&upload_id, index)?,
            };
            batch.iter().try_for_each(|bytes| writer.append(bytes))?;
            Ok::<_, ApiError>(writer)
        })
    }
}

/// The batch that is being written. Dropped, it takes the part back on a blocking thread.
struct Writing(Option<JoinHandle<Written>>);

impl Writing {
    /// Waits for the batch; `None` if there was none.
    async fn end(&mut self) -> Result<Option<PartWriter>, ApiError> {
        let Some(task) = self.0.as_mut() else {
            return Ok(None);
        };
        let written = task.await;
        self.0 = None;
        match written {
            Ok(written) => written.map(Some),
            Err(panic) => Err(ApiError::internal(&panic)),
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        // Dropping a writer removes its file.
        if let (Some(task), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn_blocking(move || drop(task));
        }
    }
}
