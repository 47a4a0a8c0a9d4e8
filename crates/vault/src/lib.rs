//! The CompactVault archive: one `SQLite` file that is written once and read many times.
//!
//! A [`Vault`] holds projects, collections, assets and links. Every one of them is an entry of an append-only log
//! whose RFC 6962 Merkle root is committed with it; every byte is found by its SHA-256, checked on the way in and on
//! the way out. There is no function that changes or removes what was sealed.
//!
//! ```
//! use compactvault_vault::{Name, NewAsset, OpenOptions, PlaceId, Vault, VerifyLevel};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let dir = tempfile::tempdir()?;
//! let options = OpenOptions { state_dir: Some(dir.path().join("state")), ..OpenOptions::default() };
//! let vault = Vault::create(&dir.path().join("studio.vault"), &options)?;
//!
//! let (project, _) = vault.create_project(Name::new("Glacier")?, "project", "")?;
//! let asset = NewAsset {
//!     place: PlaceId::Project(project.id),
//!     folders: vec![Name::new("Textures")?],
//!     name: Name::new("ice.txt")?,
//!     modified: None,
//!     executable: false,
//!     expected_size: None,
//!     expected_sha256: None,
//! };
//! let (ticket, _) = vault.ingest()?.archive(asset, &mut &b"cold"[..])?;
//! let sealed = ticket.wait()?; // durable from here on
//!
//! let reader = vault.open_asset(compactvault_vault::AssetId::new(sealed.seq))?;
//! let bytes: Vec<u8> = reader.range(0..reader.size()).collect::<Result<Vec<_>, _>>()?.concat();
//! assert_eq!(bytes, b"cold");
//! assert!(vault.verify(VerifyLevel::Deep, &|_| ())?.findings.is_empty());
//! vault.close()?;
//! # Ok(())
//! # }
//! ```
//!
//! The library is synchronous: every call may block, and none knows of HTTP. What is in the file is specified in
//! docs/vault-format.md.

mod buffers;
mod catalog;
pub mod checkpoint;
mod chunking;
mod codec;
pub mod copy;
mod doing;
mod entry;
mod error;
pub mod export;
mod ids;
pub mod ingest;
pub mod limits;
pub mod media;
mod merkle;
mod model;
pub mod name;
pub mod natural_order;
mod parity;
pub mod paths;
#[cfg(not(feature = "planted-bugs"))]
mod planted;
#[cfg(feature = "planted-bugs")]
pub mod planted;
mod platform;
pub mod prove;
pub mod query;
mod read;
pub mod relevance;
pub mod rescue;
mod salvage;
pub mod scrub;
mod sha256;
mod store;
#[cfg(any(test, feature = "targets"))]
#[doc(hidden)]
pub mod targets;
pub mod uploads;
mod vault;
pub mod verify;
mod walk;

pub use checkpoint::Checkpoint;
pub use copy::{CopyError, CopyOptions, CopyProgress, CopyReport, CopyWatch};
pub use error::{IngestError, OpenError, ReadError, Retry};
pub use ids::{AssetId, CollectionId, Digest, ProjectId, Seq, VaultId};
pub use ingest::{ArchiveError, Ingest, NewAsset, NewLink, Sealed, SourceDigest, Ticket};
pub use media::{Media, MediaClass};
pub use model::{
    Asset, AssetDetails, Collection, Hit, KnownBy, KnownFile, Link, ListPage, ListQuery, Node,
    Parity, PlaceId, Placed, Places, Project, Question, Ranks, SearchPage, SearchQuery, Selected,
    Selection, SortBy, Status, Timestamp, WalkItem, WalkNode,
};
pub use name::{Name, NameError};
pub use platform::replace_private_file;
pub use read::{AssetRange, AssetReader};
pub use scrub::{Healed, LastVerified, Remedy, ScrubOptions, ScrubProgress, ScrubReport, Unhealed};
pub use store::files::{FileState, probe};
pub use uploads::{
    Completed, Completion, DrainReport, PartWriter, UploadError, UploadState, UploadStatus, Uploads,
};
pub use vault::{Access, Change, OpenOptions, Vault};
pub use verify::{
    Finding, LastVerification, Severity, Stop, VerifyLevel, VerifyProgress, VerifyReport,
    WholeCheck,
};
pub use walk::Walk;
