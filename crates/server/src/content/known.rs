//! Making an index, or going on with one, on behalf of a request: one request at a time for each, few at once for all.

use compactvault_vault::{AssetId, AssetReader, ReadError};
use tokio::sync::OwnedMutexGuard;

use super::{Bytes, Index, NotText, PASS_BYTES_MAX, Slot, Snapshot, TableIndex, TableSnapshot};
use crate::app::App;
use crate::blocking::Lane;
use crate::error::ApiError;

/// An index of either kind.
pub(crate) trait Indexing: Sized + Send + 'static {
    /// What is known by it.
    type Known: Clone;

    /// Begins one.
    fn begin(reader: &AssetReader) -> Result<Result<Self, NotText>, ReadError>;
    /// Goes on.
    fn extend(&mut self, bytes: &dyn Bytes, bytes_max: u64) -> Result<(), ReadError>;
    /// What is known, and whether that is all.
    fn known(&self) -> (&Self::Known, bool);
    /// Where one is kept.
    fn slot(app: &App, reader: &AssetReader) -> Slot<Self>;
}

impl Indexing for Index {
    type Known = Snapshot;

    fn begin(reader: &AssetReader) -> Result<Result<Self, NotText>, ReadError> {
        Self::begin(reader)
    }

    fn extend(&mut self, bytes: &dyn Bytes, bytes_max: u64) -> Result<(), ReadError> {
        self.extend(bytes, bytes_max)
    }

    fn known(&self) -> (&Snapshot, bool) {
        (self.snapshot(), self.snapshot().is_complete)
    }

    fn slot(app: &App, reader: &AssetReader) -> Slot<Self> {
        app.contents.text(&reader.asset().sha256)
    }
}

impl Indexing for TableIndex {
    type Known = TableSnapshot;

    fn begin(reader: &AssetReader) -> Result<Result<Self, NotText>, ReadError> {
        Self::begin(reader, promises_tabs(reader))
    }

    fn extend(&mut self, bytes: &dyn Bytes, bytes_max: u64) -> Result<(), ReadError> {
        self.extend(bytes, bytes_max)
    }

    fn known(&self) -> (&TableSnapshot, bool) {
        (self.snapshot(), self.snapshot().is_complete)
    }

    fn slot(app: &App, reader: &AssetReader) -> Slot<Self> {
        app.contents
            .table(&reader.asset().sha256, u8::from(promises_tabs(reader)))
    }
}

fn promises_tabs(reader: &AssetReader) -> bool {
    reader.asset().media.media_type == "text/tab-separated-values"
}

/// An asset and what is known of it after at most [`PASS_BYTES_MAX`] more of it were read.
pub(crate) async fn known<I: Indexing>(
    app: &App,
    id: AssetId,
) -> Result<(AssetReader, I::Known), ApiError> {
    let reader = app
        .ask(Lane::Read, move |vault| vault.open_asset(id))
        .await?;
    let mut index = I::slot(app, &reader).lock_owned().await;
    if !index.as_ref().is_some_and(|index| index.known().1) {
        let pass = app.contents.passes.acquire().await;
        let of = reader.clone();
        let extended = app
            .lanes
            .run(Lane::Read, move || extend::<I>(index, &of))
            .await?;
        drop(pass);
        index = extended.map_err(|NotText| not_text())?;
    }
    let known = index.as_ref().map(|index| index.known().0.clone());
    known.map(|known| (reader, known)).ok_or_else(not_text)
}

type Guard<I> = OwnedMutexGuard<Option<I>>;

fn extend<I: Indexing>(
    mut index: Guard<I>,
    reader: &AssetReader,
) -> Result<Result<Guard<I>, NotText>, ReadError> {
    if index.is_none() {
        match I::begin(reader)? {
            Ok(begun) => *index = Some(begun),
            Err(no) => return Ok(Err(no)),
        }
    }
    if let Some(index) = index.as_mut() {
        index.extend(reader, PASS_BYTES_MAX)?;
    }
    Ok(Ok(index))
}

fn not_text() -> ApiError {
    let message = "the content is not text; its bytes can be shown or downloaded";
    ApiError::impossible("not_text", message)
}
