//! Pictures of assets and facts about them. Decoders run in processes of their own ([`Pool`]); here it is decided
//! what is asked of them.

mod cache;
mod facts;
mod gather;
mod pool;
mod search;
mod worker;

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use std::{io, ops};

use axum::http::StatusCode;
use compactvault_preview::facts::FACTS;
use compactvault_preview::thumbnail::{SIZES, THUMBNAIL};
use compactvault_preview::{Failure, Output};
use compactvault_vault::{AssetReader, Vault};
use serde_json::json;

use self::cache::Cache;
pub(crate) use self::facts::{FactStore, Known};
pub(crate) use self::gather::gather;
use crate::app::App;
use crate::blocking::{Lane, Lanes};
use crate::error::ApiError;

pub use pool::{Ask, Keep, Pool, Priority, Siblings};
pub use worker::WorkerCommand;

/// How long a request waits for its picture, before it is asked to come again: others may have come first.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// The pool, and what is kept of what it made.
pub(crate) struct Previews {
    pool: Pool,
    is_on: bool,
    kept: OnceLock<Kept>,
}

struct Kept {
    cache: Arc<Cache>,
    facts: Arc<FactStore>,
}

/// Removes thumbnails and facts from a vault's cache folder; both are made again when they are needed. A server that
/// serves the vault meanwhile goes on with what it knows until it is started again.
pub fn forget(vault: &Vault) -> io::Result<()> {
    cache::forget(vault.cache_dir())?;
    facts::forget(vault.cache_dir())
}

impl ops::Deref for Previews {
    type Target = Pool;

    fn deref(&self) -> &Pool {
        &self.pool
    }
}

impl Previews {
    /// Nothing is made without a command.
    pub(crate) fn new(command: Option<WorkerCommand>, lanes: Lanes) -> Self {
        Self {
            is_on: command.is_some(),
            pool: Pool::new(command, lanes),
            kept: OnceLock::new(),
        }
    }

    /// Whether anything is made.
    pub(crate) fn is_on(&self) -> bool {
        self.is_on
    }

    fn kept(&self, cache_dir: &Path) -> &Kept {
        self.kept.get_or_init(|| Kept {
            cache: Arc::new(Cache::new(cache_dir, cache::BYTES_MAX)),
            facts: Arc::new(FactStore::new(cache_dir)),
        })
    }

    /// The facts of the chosen vault.
    pub(crate) fn facts(&self, vault: &Vault) -> Arc<FactStore> {
        Arc::clone(&self.kept(vault.cache_dir()).facts)
    }
}

/// The `ETag` of an asset's thumbnail.
pub(crate) fn thumbnail_etag(reader: &AssetReader, size: u64) -> String {
    let version = THUMBNAIL.version;
    format!("\"{}-{size}-{version}\"", reader.asset().sha256)
}

/// A picture of an asset, made or kept.
pub(crate) async fn thumbnail(
    app: &App,
    reader: AssetReader,
    size: u64,
) -> Result<Arc<Output>, ApiError> {
    if !SIZES.iter().any(|known| u64::from(*known) == size) {
        let message = "thumbnails are 256, 512 or 1024 pixels long; give one of these as size";
        return Err(ApiError::bad_request("bad_size", message));
    }
    let asset = reader.asset();
    let media_type = asset.media.media_type;
    if !compactvault_preview::kind::has_picture(media_type, asset.size) {
        let message = match asset.size {
            0 => "the file is empty, so there is nothing to be seen".to_owned(),
            _ => format!("there are no thumbnails of files of the type {media_type}"),
        };
        return Err(no_thumbnail(message));
    }
    let parameters = size.to_string();
    let vault = app.shelf.vault()?;
    let cache = Arc::clone(&app.previews.kept(vault.cache_dir()).cache);
    let look = {
        let (cache, asset, parameters) = (Arc::clone(&cache), asset.clone(), parameters.clone());
        move || Ok::<_, ApiError>(cache.get(&THUMBNAIL, &parameters, &asset))
    };
    let kept = app.lanes.run(Lane::Read, look).await?;
    let made = if let Some(made) = kept {
        made
    } else {
        let asset = asset.clone();
        let ask = Ask {
            job: &THUMBNAIL,
            parameters: json!({ "size": size }),
            reader,
            siblings: None,
            keep: Some(Box::new(move |made| {
                cache.put(&THUMBNAIL, &parameters, &asset, made);
            })),
        };
        app.previews.soon(ask).await
    };
    made.map_err(|error| match error {
        PreviewError::Failed(failure) => {
            no_thumbnail(format!("no thumbnail can be made: {}", failure.message))
        }
        error => error.into(),
    })
}

fn no_thumbnail(message: String) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "no_thumbnail", message)
}

/// What is known about an asset's content, found out now if need be.
pub(crate) async fn facts_of(app: &App, reader: AssetReader) -> Result<Known, ApiError> {
    let asset = reader.asset();
    if !compactvault_preview::kind::has_facts(asset.media.media_type, asset.size) {
        return Ok(Known::Facts(serde_json::Map::new()));
    }
    let content = asset.sha256;
    let store = app.previews.facts(app.shelf.vault()?);
    let look = {
        let store = Arc::clone(&store);
        move || Ok::<_, ApiError>(store.get(&content))
    };
    if let Some(known) = app.lanes.run(Lane::Read, look).await? {
        return Ok(known);
    }
    let ask = facts_ask(reader, &store);
    match app.previews.soon(ask).await {
        Ok(output) => {
            let facts = output
                .header
                .get("facts")
                .and_then(|facts| facts.as_object());
            Ok(Known::Facts(facts.cloned().unwrap_or_default()))
        }
        Err(PreviewError::Failed(failure)) => Ok(Known::Failed(failure)),
        Err(error) => Err(error.into()),
    }
}

fn facts_ask(reader: AssetReader, store: &Arc<FactStore>) -> Ask {
    let (store, content) = (Arc::clone(store), reader.asset().sha256);
    Ask {
        job: &FACTS,
        parameters: json!({}),
        reader,
        siblings: None,
        keep: Some(Box::new(move |made| store.put(&content, made))),
    }
}

impl Previews {
    /// For whoever waits: not longer than a minute, after which it may be done all the same.
    async fn soon(&self, ask: Ask) -> Made {
        let made = self.pool.run(ask, Priority::Visible);
        let made = tokio::time::timeout(WAIT_MAX, made).await;
        made.unwrap_or(Err(PreviewError::Busy))
    }
}

/// Why something was not made of an asset's content. Several may wait for the same.
#[derive(Clone, Debug)]
pub enum PreviewError {
    /// The content, or what it takes: it would be the same the next time.
    Failed(Failure),
    /// Too much is asked for already, or the server stops.
    Busy,
    /// The vault could not give the bytes.
    Unreadable(Unreadable),
    /// This server makes none.
    Off,
}

/// What the vault said instead of giving bytes.
#[derive(Clone, Debug)]
pub struct Unreadable(ApiError);

/// What was made, shared by all who waited for it.
pub type Made = Result<Arc<Output>, PreviewError>;

impl From<ApiError> for PreviewError {
    fn from(error: ApiError) -> Self {
        Self::Unreadable(Unreadable(error))
    }
}

impl From<PreviewError> for ApiError {
    fn from(error: PreviewError) -> Self {
        match error {
            PreviewError::Failed(failure) => {
                let message = format!("this cannot be shown: {}", failure.message);
                Self::not_found(message)
            }
            PreviewError::Busy => Self::busy(),
            PreviewError::Unreadable(Unreadable(error)) => error,
            PreviewError::Off => Self::not_found("this server was started without previews"),
        }
    }
}
