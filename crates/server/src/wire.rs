//! JSON shapes of docs/http-api.md, converted by hand from what the vault hands out, so that either can change
//! without the other.

mod query;
mod verification;
mod whereabouts;
mod windows;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use compactvault_preview::kind::has_picture;
use compactvault_vault as vault;
use compactvault_vault::{Name, PlaceId};
use serde::Serialize;

use crate::clock::sql_from_unix_ms;
use crate::highlight::Span;
use query::{ReadTerm, read_terms};
pub(crate) use query::{Selected, Standing};
pub(crate) use verification::{LastFullVerification, Verification};
pub(crate) use whereabouts::{KnownFiles, Places};

pub(crate) use windows::{Members, TableWindow, TextHits, TextWindow};

/// The exact bytes of a name that is not UTF-8.
fn base64_if_needed(name: &Name) -> Option<String> {
    name.as_utf8()
        .is_none()
        .then(|| STANDARD.encode(name.as_bytes()))
}

/// `{"message"}`.
#[derive(Debug, Serialize)]
pub(crate) struct Message {
    /// What happened.
    pub(crate) message: String,
}

/// A project with its counts.
#[derive(Debug, Serialize)]
pub(crate) struct Project {
    id: u64,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_base64: Option<String>,
    #[serde(rename = "type")]
    type_word: String,
    description: String,
    order_index: u64,
    created_at: String,
    created_at_unix_ms: i64,
    updated_at: String,
    updated_at_unix_ms: i64,
    collections: u64,
    assets: u64,
}

impl From<&vault::Project> for Project {
    fn from(project: &vault::Project) -> Self {
        let created_at = sql_from_unix_ms(project.sealed_at_unix_ms);
        Self {
            id: project.id.get(),
            name: project.name.to_utf8_lossy().into_owned(),
            name_base64: base64_if_needed(&project.name),
            type_word: project.type_word.clone(),
            description: project.description.clone(),
            // Ids grow with the order of creation, which is the order that the original kept here.
            order_index: project.id.get(),
            // Nothing in a vault is ever updated.
            updated_at: created_at.clone(),
            updated_at_unix_ms: project.sealed_at_unix_ms,
            created_at,
            created_at_unix_ms: project.sealed_at_unix_ms,
            collections: project.collections,
            assets: project.assets,
        }
    }
}

/// The answer to creating a project.
#[derive(Debug, Serialize)]
pub(crate) struct ProjectCreated {
    id: u64,
    name: String,
    #[serde(rename = "type")]
    type_word: String,
    description: String,
}

impl From<&vault::Project> for ProjectCreated {
    fn from(project: &vault::Project) -> Self {
        let Project {
            id,
            name,
            type_word,
            description,
            ..
        } = Project::from(project);
        Self {
            id,
            name,
            type_word,
            description,
        }
    }
}

/// A collection with its counts.
#[derive(Debug, Serialize)]
pub(crate) struct Collection {
    id: u64,
    project_id: u64,
    parent_id: Option<u64>,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_base64: Option<String>,
    #[serde(rename = "type")]
    type_word: String,
    order_index: u64,
    created_at: String,
    created_at_unix_ms: i64,
    assets: u64,
    collections: u64,
}

impl From<&vault::Collection> for Collection {
    fn from(collection: &vault::Collection) -> Self {
        Self {
            id: collection.id.get(),
            project_id: collection.project.get(),
            parent_id: match collection.parent {
                PlaceId::Project(_) => None,
                PlaceId::Collection(parent) => Some(parent.get()),
            },
            name: collection.name.to_utf8_lossy().into_owned(),
            name_base64: base64_if_needed(&collection.name),
            type_word: collection.type_word.clone(),
            order_index: collection.id.get(),
            created_at: sql_from_unix_ms(collection.sealed_at_unix_ms),
            created_at_unix_ms: collection.sealed_at_unix_ms,
            assets: collection.assets,
            collections: collection.collections,
        }
    }
}

/// The answer to creating a collection.
#[derive(Debug, Serialize)]
pub(crate) struct CollectionCreated {
    id: u64,
    name: String,
    #[serde(rename = "type")]
    type_word: String,
    parent_id: Option<u64>,
    project_id: u64,
}

impl From<&vault::Collection> for CollectionCreated {
    fn from(collection: &vault::Collection) -> Self {
        let Collection {
            id,
            name,
            type_word,
            parent_id,
            project_id,
            ..
        } = Collection::from(collection);
        Self {
            id,
            name,
            type_word,
            parent_id,
            project_id,
        }
    }
}

/// An asset as lists show it.
#[derive(Debug, Serialize)]
pub(crate) struct Asset {
    id: u64,
    #[serde(rename = "type")]
    class: &'static str,
    format: String,
    filename: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    filename_base64: Option<String>,
    size_original: u64,
    media_type: &'static str,
    sha256: String,
    modified: Option<String>,
    modified_unix_ms: Option<i64>,
    created_at: String,
    created_at_unix_ms: i64,
    executable: bool,
    versions: u64,
    thumbnail: bool,
}

impl Asset {
    /// `versions` counts the assets of that name in that place.
    pub(crate) fn new(asset: &vault::Asset, versions: u64) -> Self {
        let modified = asset.modified.map(vault::Timestamp::unix_ms);
        Self {
            id: asset.id.get(),
            class: asset.media.class.word(),
            format: asset.media.format(asset.name.as_bytes()),
            filename: asset.name.to_utf8_lossy().into_owned(),
            filename_base64: base64_if_needed(&asset.name),
            size_original: asset.size,
            media_type: asset.media.media_type,
            sha256: asset.sha256.to_string(),
            modified: modified.map(sql_from_unix_ms),
            modified_unix_ms: modified,
            created_at: sql_from_unix_ms(asset.sealed_at_unix_ms),
            created_at_unix_ms: asset.sealed_at_unix_ms,
            executable: asset.executable,
            versions,
            thumbnail: has_picture(asset.media.media_type, asset.size),
        }
    }
}

/// One page of a listing.
#[derive(Debug, Default, Serialize)]
pub(crate) struct AssetPage {
    pub(crate) assets: Vec<Asset>,
    pub(crate) total: u64,
    pub(crate) counts: BTreeMap<&'static str, u64>,
    pub(crate) bytes: u64,
    pub(crate) log_size: u64,
    pub(crate) read: Vec<ReadTerm>,
}

impl AssetPage {
    /// `q` is the query as it came.
    pub(crate) fn new(page: &vault::ListPage, q: &str) -> Self {
        Self {
            read: read_terms(&page.read, q),
            assets: page
                .assets
                .iter()
                .map(|(asset, versions)| Asset::new(asset, *versions))
                .collect(),
            total: page.total,
            counts: by_word(&page.counts),
            bytes: page.bytes,
            log_size: page.log_size,
        }
    }
}

/// An asset that a search found, and where.
#[derive(Debug, Serialize)]
pub(crate) struct Hit {
    #[serde(flatten)]
    asset: Asset,
    collection_id: u64,
    project_id: u64,
    path: String,
}

/// A page of what a search found.
#[derive(Debug, Serialize)]
pub(crate) struct SearchPage {
    assets: Vec<Hit>,
    total: u64,
    counts: BTreeMap<&'static str, u64>,
    bytes: u64,
    log_size: u64,
    read: Vec<ReadTerm>,
}

impl SearchPage {
    /// `q` is the query as it came.
    pub(crate) fn new(page: &vault::SearchPage, q: &str) -> Self {
        Self {
            read: read_terms(&page.read, q),
            assets: page
                .hits
                .iter()
                .map(|hit| Hit {
                    asset: Asset::new(&hit.asset, hit.versions),
                    collection_id: hit.asset.collection.get(),
                    project_id: hit.project.get(),
                    path: joined(&hit.path),
                })
                .collect(),
            total: page.total,
            counts: by_word(&page.counts),
            bytes: page.bytes,
            log_size: page.log_size,
        }
    }
}

fn joined(path: &[Name]) -> String {
    let names: Vec<_> = path.iter().map(Name::to_utf8_lossy).collect();
    names.join("/")
}

fn by_word(counts: &BTreeMap<vault::MediaClass, u64>) -> BTreeMap<&'static str, u64> {
    counts
        .iter()
        .map(|(class, count)| (class.word(), *count))
        .collect()
}

/// Everything known about an asset.
#[derive(Debug, Serialize)]
pub(crate) struct AssetDetails {
    #[serde(flatten)]
    asset: Asset,
    collection_id: u64,
    project_id: u64,
    path: String,
    crc32: String,
    chunks: u64,
    version_ids: Vec<u64>,
    log_position: u64,
    leaf_hash: String,
    #[serde(flatten)]
    text: Option<TextPreview>,
}

/// What a text looks like.
#[derive(Debug, Serialize)]
pub(crate) struct TextPreview {
    pub(crate) content: String,
    pub(crate) content_truncated: bool,
    pub(crate) encoding: &'static str,
    pub(crate) highlight: Vec<Span>,
}

impl AssetDetails {
    /// `text` only for text.
    pub(crate) fn new(details: &vault::AssetDetails, text: Option<TextPreview>) -> Self {
        Self {
            asset: Asset::new(&details.asset, details.versions.len() as u64),
            collection_id: details.asset.collection.get(),
            project_id: details.project.get(),
            path: joined(&details.path),
            crc32: format!("{:08x}", details.asset.crc32),
            chunks: details.chunks,
            version_ids: details.versions.iter().map(|id| id.get()).collect(),
            log_position: details.asset.id.get(),
            leaf_hash: STANDARD.encode(details.leaf_hash.as_bytes()),
            text,
        }
    }
}

/// Whether the server does what it should.
#[derive(Debug, Serialize)]
pub(crate) struct Health {
    pub(crate) status: &'static str,
}

/// Figures about the vault.
#[derive(Debug, Serialize)]
pub(crate) struct Status {
    version: &'static str,
    vault: VaultFacts,
    read_only: Option<String>,
    projects: u64,
    collections: u64,
    assets: u64,
    links: u64,
    entries: u64,
    chunks: u64,
    packs: u64,
    logical_bytes: u64,
    unique_bytes: u64,
    stored_bytes: u64,
    file_bytes: u64,
    saved_by_dedup_bytes: u64,
    saved_by_compression_bytes: u64,
    unreferenced_chunks: u64,
    log: Log,
    safe_to_copy: bool,
    last_verified: LastVerified,
    last_full_verification: Option<LastFullVerification>,
    parity: Parity,
    uploads_unfinished: u64,
}

#[derive(Debug, Serialize)]
struct Parity {
    percent: u8,
    bytes: u64,
    stripes: u64,
}

#[derive(Debug, Serialize)]
struct LastVerified {
    oldest_unix_ms: Option<i64>,
    newest_unix_ms: Option<i64>,
    parts: u64,
    parts_never: u64,
    repairs: u64,
}

#[derive(Debug, Serialize)]
struct VaultFacts {
    id: String,
    name: String,
    created: String,
    created_unix_ms: i64,
    format: u32,
}

#[derive(Debug, Serialize)]
struct Log {
    size: u64,
    root: String,
    words: Vec<&'static str>,
}

impl Status {
    /// `name` is the vault's file name.
    pub(crate) fn new(
        status: vault::Status,
        name: String,
        uploads_unfinished: u64,
        last: Option<vault::LastVerification>,
    ) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            vault: VaultFacts {
                id: status.vault.to_string(),
                name,
                created: sql_from_unix_ms(status.created_unix_ms),
                created_unix_ms: status.created_unix_ms,
                format: status.format,
            },
            read_only: status.read_only,
            projects: status.projects,
            collections: status.collections,
            assets: status.assets,
            links: status.links,
            entries: status.entries,
            chunks: status.chunks,
            packs: status.packs,
            logical_bytes: status.logical_bytes,
            unique_bytes: status.unique_bytes,
            stored_bytes: status.stored_bytes,
            file_bytes: status.file_bytes,
            // Chunks that no asset refers to yet can make the distinct bytes more than the assets' own.
            saved_by_dedup_bytes: status.logical_bytes.saturating_sub(status.unique_bytes),
            saved_by_compression_bytes: status.unique_bytes.saturating_sub(status.stored_bytes),
            unreferenced_chunks: status.unreferenced_chunks,
            log: Log {
                size: status.entries,
                root: STANDARD.encode(status.root.as_bytes()),
                words: vault::prove::words::encode(&status.root),
            },
            last_full_verification: last.map(Into::into),
            parity: Parity {
                percent: status.parity.percent(),
                bytes: status.parity_bytes,
                stripes: status.parity_stripes,
            },
            safe_to_copy: status.safe_to_copy,
            last_verified: LastVerified {
                oldest_unix_ms: status.verified.oldest_unix_ms,
                newest_unix_ms: status.verified.newest_unix_ms,
                parts: status.verified.parts,
                parts_never: status.verified.never,
                repairs: status.repairs,
            },
            uploads_unfinished,
        }
    }
}

/// The vaults of the served folder.
#[derive(Debug, Serialize)]
pub(crate) struct Vaults {
    pub(crate) chosen: Option<String>,
    pub(crate) vaults: Vec<VaultFile>,
}

/// One file of the served folder whose name ends in `.vault`.
#[derive(Debug, Serialize)]
pub(crate) struct VaultFile {
    pub(crate) name: String,
    pub(crate) size_bytes: u64,
    pub(crate) modified: String,
    pub(crate) modified_unix_ms: i64,
    pub(crate) state: &'static str,
}

/// An upload and what became of it.
#[derive(Debug, Serialize)]
pub(crate) struct Upload {
    #[serde(rename = "upload_id")]
    pub(crate) id: String,
    pub(crate) status: &'static str,
    pub(crate) parts: Vec<Part>,
    pub(crate) received_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) filename: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) asset_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) already_archived: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
}

/// A part that has arrived.
#[derive(Debug, Serialize)]
pub(crate) struct Part {
    pub(crate) index: u64,
    pub(crate) size: u64,
}

/// Uploads that have not ended.
#[derive(Debug, Serialize)]
pub(crate) struct Uploads {
    pub(crate) uploads: Vec<Upload>,
}

/// The answer to `complete`, and to a file in one request.
#[derive(Debug, Serialize)]
pub(crate) struct Completed {
    pub(crate) message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) upload_id: Option<String>,
    pub(crate) status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) asset_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) already_archived: Option<bool>,
}

/// The answer to a batch of files.
#[derive(Debug, Serialize)]
pub(crate) struct Batch {
    pub(crate) files: Vec<InBatch>,
}

/// What became of a file in a batch.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum InBatch {
    Sealed(Completed),
    Failed(FailedInBatch),
}

/// A file that was refused while the others of its batch were not.
#[derive(Debug, Serialize)]
pub(crate) struct FailedInBatch {
    pub(crate) status: &'static str,
    /// What the answer would have had if the file had come alone.
    pub(crate) http_status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

/// Where a ZIP waits.
#[derive(Debug, Serialize)]
pub(crate) struct TicketUrl {
    pub(crate) url: String,
    pub(crate) count: u64,
    pub(crate) bytes: u64,
    /// Whether paths in it have folders.
    pub(crate) folders: bool,
}
