//! Bytes on their way from the network to the vault: parts of uploads, and whole files. Small files are gathered in
//! memory; everything else is written to the spool by blocking threads, one batch while the next arrives. What breaks
//! off leaves nothing.

use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use compactvault_vault::uploads::PartWriter;
use compactvault_vault::{CollectionId, Vault};
use futures_util::StreamExt as _;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;

use crate::app::App;
use crate::blocking::Lane;
use crate::error::ApiError;
use crate::extract::{body_incomplete, body_too_slow};
use crate::limits::{BYTES_PER_SECOND_MIN, SILENCE_MAX};
use crate::routes::uploads::uploads;

/// Bytes gathered before they are written. A part below this is created, written and finished in one go.
const BATCH_BYTES: usize = 256 * 1024;
/// Largest file that is gathered in memory. Larger ones gain little from avoiding the spool, and would be kept in
/// memory for as long as a slow client takes to send them.
pub(crate) const IN_MEMORY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Where the writing stands on the blocking side.
type Written = Result<PartWriter, ApiError>;
/// Begins what is written, once there is something to write.
type Begin = Arc<dyn Fn(&Vault) -> Written + Send + Sync>;

/// `Content-Length`.
pub(crate) fn announced(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

/// Receives a body as part `index`.
pub(crate) async fn receive_part(
    app: &App,
    upload_id: &str,
    index: u64,
    announced: Option<u64>,
    body: Body,
) -> Result<(), ApiError> {
    let upload_id = upload_id.to_owned();
    let begin = move |vault: &Vault| Ok(uploads(vault)?.part(&upload_id, index)?);
    let spooling = Spooling::new(app, begin);
    let written = spooling
        .receive(Vec::new(), Frames::new(body, announced))
        .await?;
    app.lanes
        .run(Lane::Write, move || {
            written()?.finish().map_err(ApiError::from)
        })
        .await
}

/// A file that was received to its end.
pub(crate) enum Received {
    /// All of it, and its place among what is kept in memory.
    InMemory(Vec<u8>, OwnedSemaphorePermit),
    /// Writes the rest of it to the spool. Blocks.
    Spooled(Box<dyn FnOnce() -> Written + Send>),
}

/// Receives a body as a whole file that is to lie `depth` folders below a collection.
pub(crate) async fn receive_whole(
    app: &App,
    (collection, depth): (CollectionId, usize),
    announced: Option<u64>,
    body: Body,
) -> Result<Received, ApiError> {
    let mut frames = Frames::new(body, announced);
    let expected = announced.unwrap_or(IN_MEMORY_BYTES_MAX as u64);
    let expected = usize::try_from(expected).unwrap_or(usize::MAX);
    let mut gathered = Vec::new();
    // Where there is no room in memory, there is room on the disk: nobody waits for a slow client.
    let room = (expected <= IN_MEMORY_BYTES_MAX)
        .then(|| app.limits.memory(expected))
        .flatten();
    if let Some(room) = room {
        // Grown as it comes where nothing was announced; the room is for all it can become.
        gathered.reserve_exact(announced.map_or(0, |_| expected));
        loop {
            let Some(frame) = frames.next().await? else {
                return Ok(Received::InMemory(gathered, room));
            };
            if gathered.len() + frame.len() > expected {
                // Not announced, and larger than what is kept in memory.
                gathered.extend_from_slice(&frame);
                break;
            }
            gathered.extend_from_slice(&frame);
        }
    }
    let begin = move |vault: &Vault| {
        vault.check_destination(collection, depth)?;
        Ok(uploads(vault)?.whole()?)
    };
    let spooling = Spooling::new(app, begin);
    let written = spooling.receive(gathered, frames).await?;
    Ok(Received::Spooled(Box::new(written)))
}

/// Receives a body of up to [`IN_MEMORY_BYTES_MAX`], with its place among what is kept in memory.
pub(crate) async fn receive_in_memory(
    app: &App,
    announced: Option<u64>,
    body: Body,
) -> Result<(Vec<u8>, OwnedSemaphorePermit), ApiError> {
    let too_large = || {
        let message = format!("this body can have at most {IN_MEMORY_BYTES_MAX} bytes");
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
    };
    let most = IN_MEMORY_BYTES_MAX as u64;
    let expected = match announced {
        Some(announced) if announced > most => return Err(too_large()),
        announced => usize::try_from(announced.unwrap_or(most)).expect("it is at most 8 MiB"),
    };
    let room = app.limits.memory(expected).ok_or_else(ApiError::busy)?;
    let mut frames = Frames::new(body, announced);
    let mut gathered = Vec::new();
    gathered.reserve_exact(announced.map_or(0, |_| expected));
    while let Some(frame) = frames.next().await? {
        if gathered.len() + frame.len() > expected {
            return Err(too_large());
        }
        gathered.extend_from_slice(&frame);
    }
    Ok((gathered, room))
}

/// A body, frame by frame, as long as it keeps coming and is no longer than announced.
struct Frames {
    body: BodyDataStream,
    announced: Option<u64>,
    received: u64,
    begun: Instant,
}

impl Frames {
    fn new(body: Body, announced: Option<u64>) -> Self {
        Self {
            body: body.into_data_stream(),
            announced,
            received: 0,
            begun: Instant::now(),
        }
    }

    /// The next frame; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        match tokio::time::timeout(SILENCE_MAX, self.body.next()).await {
            Ok(Some(Ok(frame))) => {
                self.received += frame.len() as u64;
                let took = self.begun.elapsed();
                let is_slow =
                    took >= SILENCE_MAX && self.received / took.as_secs() < BYTES_PER_SECOND_MIN;
                match self.announced {
                    Some(announced) if self.received > announced => Err(body_incomplete()),
                    _ if is_slow => Err(body_too_slow()),
                    _ => Ok(Some(frame)),
                }
            }
            Ok(None)
                if self
                    .announced
                    .is_none_or(|announced| announced == self.received) =>
            {
                Ok(None)
            }
            Ok(None | Some(Err(_))) => Err(body_incomplete()),
            Err(_) => Err(body_too_slow()),
        }
    }
}

/// What is being written to the spool.
struct Spooling<'a> {
    app: &'a App,
    begin: Begin,
    writing: Writing,
}

impl<'a> Spooling<'a> {
    fn new(app: &'a App, begin: impl Fn(&Vault) -> Written + Send + Sync + 'static) -> Self {
        Self {
            app,
            begin: Arc::new(begin),
            writing: Writing(None),
        }
    }

    /// Writes what was gathered before and the frames that follow; gives back the work that writes the last of them.
    async fn receive(
        mut self,
        gathered: Vec<u8>,
        mut frames: Frames,
    ) -> Result<impl FnOnce() -> Written + Send + use<>, ApiError> {
        let mut bytes = gathered.len();
        let mut batch = vec![Bytes::from(gathered)];
        while let Some(frame) = frames.next().await? {
            bytes += frame.len();
            batch.push(frame);
            if bytes >= BATCH_BYTES {
                self.write(std::mem::take(&mut batch)).await?;
                bytes = 0;
            }
        }
        self.appending(batch).await
    }

    /// Hands a batch over once the one before it is written.
    async fn write(&mut self, batch: Vec<Bytes>) -> Result<(), ApiError> {
        let append = self.appending(batch).await?;
        self.writing = Writing(Some(self.app.lanes.start(Lane::Write, append).await?));
        Ok(())
    }

    /// The blocking work for a batch: the file is begun with its first.
    async fn appending(
        &mut self,
        batch: Vec<Bytes>,
    ) -> Result<impl FnOnce() -> Written + Send + use<>, ApiError> {
        let writer = self.writing.end().await?;
        let vault: Vault = self.app.shelf.vault()?.clone();
        let begin = Arc::clone(&self.begin);
        Ok(move || {
            let mut writer = match writer {
                Some(writer) => writer,
                None => begin(&vault)?,
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
