//! Where a content lies, and which files are there already.

use compactvault_vault as vault;
use compactvault_vault::{AssetId, KnownBy};
use serde::Serialize;

/// Where a content lies.
#[derive(Debug, Serialize)]
pub(crate) struct Places {
    places: Vec<Placed>,
    total: u64,
}

#[derive(Debug, Serialize)]
struct Placed {
    id: u64,
    collection_id: u64,
    project_id: u64,
    path: String,
    filename: String,
    created_at_unix_ms: i64,
    newest: bool,
}

impl From<&vault::Places> for Places {
    fn from(places: &vault::Places) -> Self {
        let one = |placed: &vault::Placed| Placed {
            id: placed.asset.id.get(),
            collection_id: placed.asset.collection.get(),
            project_id: placed.project.get(),
            path: super::joined(&placed.path),
            filename: placed.asset.name.to_utf8_lossy().into_owned(),
            created_at_unix_ms: placed.asset.sealed_at_unix_ms,
            newest: placed.newest,
        };
        Self {
            places: places.places.iter().map(one).collect(),
            total: places.total,
        }
    }
}

/// Which files are there already, in the order they were asked about.
#[derive(Debug, Serialize)]
pub(crate) struct KnownFiles {
    known: Vec<Option<Known>>,
}

#[derive(Debug, Serialize)]
struct Known {
    asset_id: u64,
    by: &'static str,
}

impl From<Vec<Option<(AssetId, KnownBy)>>> for KnownFiles {
    fn from(known: Vec<Option<(AssetId, KnownBy)>>) -> Self {
        let one = |(id, by): (AssetId, KnownBy)| Known {
            asset_id: id.get(),
            by: match by {
                KnownBy::Sha256 => "sha256",
                KnownBy::SizeAndTime => "size_and_time",
            },
        };
        Self {
            known: known.into_iter().map(|known| known.map(one)).collect(),
        }
    }
}
