//! What makes a new vault: its identity, its first entry, and where its key is kept.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::OpenOptions;
use crate::checkpoint;
use crate::chunking::ChunkerParameters;
use crate::error::{IngestError, OpenError};
use crate::ids::VaultId;
use crate::model::Timestamp;
use crate::store::CONTAINER_VERSION;
use crate::store::open::{self, FileMode};
use crate::store::rows::VaultBody;
use crate::store::write::{Protection, Reopen, Writer};

/// A fresh id with its secret key's text and the body of entry 0.
pub(crate) fn identity(
    path: &Path,
    options: &OpenOptions,
) -> Result<(VaultId, String, VaultBody), OpenError> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| OpenError::Io {
        action: "find random numbers for",
        path: path.to_path_buf(),
        source: error.into(),
    })?;
    let id = VaultId::new(random);
    let (secret, public) = checkpoint::generate_key(id);
    let body = VaultBody {
        vault_id: id.to_string(),
        format: CONTAINER_VERSION,
        digest: "sha-256".into(),
        chunker: "fastcdc-2020".into(),
        chunker_parameters: ChunkerParameters::default(),
        public_key: public,
        parity: options.parity,
        created_by: concat!("compactvault ", env!("CARGO_PKG_VERSION")).into(),
        rescued_from: None,
        documents: open::document_digests(),
    };
    Ok((id, secret, body))
}

/// Writes a new vault's schema and entry 0 to `temporary`.
pub(crate) fn write_new(temporary: &Path, body: &VaultBody) -> Result<(), OpenError> {
    let store = |error: IngestError| OpenError::Store {
        path: temporary.to_path_buf(),
        detail: error.to_string(),
    };
    let reopen = Reopen {
        path: temporary.to_path_buf(),
        mode: FileMode::Shared,
        lock_timeout: Duration::ZERO,
    };
    let protection = Protection {
        vault: body.id().expect("it was just made"),
        parity: body.parity,
    };
    let mut writer = Writer::new(
        open::initialise(temporary, &open::documents())?,
        reopen,
        protection,
    );
    let mut transaction = writer.begin().map_err(store)?;
    let body = serde_json::to_vec(body).expect("plain text is valid JSON");
    let now = Timestamp::from_system(SystemTime::now()).map_or(0, Timestamp::unix_ms);
    transaction.vault(body, now).map_err(store)?;
    transaction.commit().map_err(store)?;
    writer.close()
}

pub(crate) fn state_dir(options: &OpenOptions, id: VaultId) -> PathBuf {
    let base = options
        .state_dir
        .clone()
        .unwrap_or_else(|| base_dir("XDG_STATE_HOME", ".local/state"));
    base.join(id.to_string())
}

/// What may be lost lies in the cache folder, or with the rest where that has a folder of its own.
pub(crate) fn cache_dir(options: &OpenOptions, id: VaultId) -> PathBuf {
    let base = options
        .state_dir
        .clone()
        .unwrap_or_else(|| base_dir("XDG_CACHE_HOME", ".cache"));
    base.join(id.to_string())
}

/// `$XDG_STATE_HOME/compactvault` and its like (XDG Base Directory Specification 0.8; relative values are ignored).
fn base_dir(variable: &str, in_home: &str) -> PathBuf {
    let absolute = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|p| p.is_absolute())
    };
    absolute(variable)
        .or_else(|| absolute("HOME").map(|home| home.join(in_home)))
        .unwrap_or_else(std::env::temp_dir)
        .join("compactvault")
}
