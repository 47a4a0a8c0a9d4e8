//! The served folder and the one vault that is chosen from it, once.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::UNIX_EPOCH;

use axum::http::StatusCode;
use compactvault_vault::{FileState, OpenError, OpenOptions, Vault, probe};
use tokio::sync::Mutex;

use crate::blocking::{Lane, Lanes};
use crate::clock::sql_from_unix_ms;
use crate::error::ApiError;
use crate::wire;

/// The vault made in a folder that has none.
const DEFAULT_NAME: &str = "default.vault";
/// Files listed at most.
const LISTED_MAX: usize = 1000;
/// Longest name of a vault file; side files have longer ones and 255 is where file systems end.
const NAME_BYTES_MAX: usize = 200;

/// What is served.
#[derive(Clone, Debug)]
pub enum Place {
    /// A folder: its only vault, or a new one, or the one that somebody chooses.
    Folder(PathBuf),
    /// One vault file, created if it is missing.
    File(PathBuf),
}

impl Place {
    /// Whether there is a vault already; what cannot be looked at has none.
    pub(crate) fn exists(&self) -> bool {
        match self {
            Self::File(file) => file.exists(),
            Self::Folder(folder) => fs::read_dir(folder).is_ok_and(|mut items| {
                items.any(|item| {
                    item.is_ok_and(|item| {
                        Path::new(&item.file_name()).extension() == Some(OsStr::new("vault"))
                    })
                })
            }),
        }
    }
}

/// The folder, how its vaults are opened, and the chosen one.
pub(crate) struct Shelf {
    folder: PathBuf,
    /// The only file to be seen, if one was named.
    only: Option<String>,
    options: OpenOptions,
    chosen: OnceLock<Vault>,
    choosing: Mutex<()>,
}

impl Shelf {
    /// Looks at what is there and chooses if there is no choice. Blocks.
    pub(crate) fn new(place: Place, options: OpenOptions) -> Result<Self, OpenError> {
        let (folder, only) = match place {
            Place::Folder(folder) => (folder, None),
            Place::File(file) => {
                let name = file.file_name().and_then(OsStr::to_str).map(str::to_owned);
                let folder = file
                    .parent()
                    .filter(|parent| !parent.as_os_str().is_empty());
                let folder = folder.map_or_else(|| PathBuf::from("."), Path::to_path_buf);
                (
                    folder,
                    Some(name.ok_or(OpenError::NotAVault {
                        path: file,
                        reason: "its name is not UTF-8".into(),
                    })?),
                )
            }
        };
        let folder = fs::canonicalize(&folder).map_err(|source| OpenError::Io {
            action: "find the folder",
            path: folder,
            source,
        })?;
        let shelf = Self {
            folder,
            only,
            options,
            chosen: OnceLock::new(),
            choosing: Mutex::default(),
        };
        if let Some(name) = shelf.only_choice()? {
            let vault = shelf.open_or_create(&name)?;
            assert!(
                shelf.chosen.set(vault).is_ok(),
                "nothing else has seen this shelf yet"
            );
        }
        Ok(shelf)
    }

    /// The name to open or create without asking anybody.
    fn only_choice(&self) -> Result<Option<String>, OpenError> {
        if let Some(only) = &self.only {
            return Ok(Some(only.clone()));
        }
        let files = self.files().map_err(|source| OpenError::Io {
            action: "list",
            path: self.folder.clone(),
            source,
        })?;
        let usable: Vec<_> = files.iter().filter(|file| file.state == "ok").collect();
        Ok(match usable.as_slice() {
            [only] => Some(only.name.clone()),
            [] if files.iter().all(|file| file.name != DEFAULT_NAME) => Some(DEFAULT_NAME.into()),
            _ => None,
        })
    }

    /// The chosen vault.
    pub(crate) fn vault(&self) -> Result<&Vault, ApiError> {
        self.chosen.get().ok_or_else(|| {
            ApiError::bad_request(
                "no_vault",
                "no vault is chosen yet; choose one at /vaults or with POST /api/select_db",
            )
        })
    }

    /// The chosen vault's file name.
    pub(crate) fn chosen_name(&self) -> Option<String> {
        let name = self.chosen.get()?.path().file_name()?;
        Some(name.to_string_lossy().into_owned())
    }

    /// The files of the folder that could be chosen, in order of name. Blocks.
    pub(crate) fn files(&self) -> io::Result<Vec<wire::VaultFile>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let Ok(name) = entry?.file_name().into_string() else {
                continue;
            };
            let is_shown = self
                .only
                .as_ref()
                .map_or(is_vault_name(&name), |only| *only == name);
            if is_shown && files.len() < LISTED_MAX {
                // A file that goes away while it is looked at is not there.
                files.extend(self.describe(name).ok());
            }
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(files)
    }

    fn describe(&self, name: String) -> io::Result<wire::VaultFile> {
        let path = self.folder.join(&name);
        let metadata = fs::metadata(&path)?;
        let modified = metadata
            .modified()?
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let modified_unix_ms = i64::try_from(modified.as_millis()).unwrap_or(i64::MAX);
        let state = match probe(&path)? {
            FileState::Vault => "ok",
            FileState::Newer(_) => "newer",
            FileState::Original => "original",
            FileState::NotAVault(_) | FileState::Missing => "not_a_vault",
        };
        Ok(wire::VaultFile {
            name,
            size_bytes: metadata.len(),
            modified: sql_from_unix_ms(modified_unix_ms),
            modified_unix_ms,
            state,
        })
    }

    fn open_or_create(&self, name: &str) -> Result<Vault, OpenError> {
        let path = self.folder.join(name);
        match Vault::open(&path, &self.options) {
            Err(OpenError::Missing { .. }) => Vault::create(&path, &self.options),
            other => other,
        }
    }

    /// Chooses a vault by name, creating it if it is missing. Says whether this call chose it.
    pub(crate) async fn choose(
        self: &std::sync::Arc<Self>,
        lanes: &Lanes,
        name: &str,
    ) -> Result<bool, ApiError> {
        if !is_vault_name(name) {
            return Err(ApiError::bad_request(
                "bad_vault_name",
                "a vault's name ends in .vault, has no “/” and does not begin with a dot",
            ));
        }
        let _only_one_chooses = self.choosing.lock().await;
        match self.chosen_name() {
            Some(chosen) if chosen == name => return Ok(false),
            Some(chosen) => {
                let message = format!(
                    "this server serves {chosen}; start another one to serve another vault"
                );
                return Err(ApiError::new(
                    StatusCode::CONFLICT,
                    "vault_already_chosen",
                    message,
                ));
            }
            None => {}
        }
        let opener = std::sync::Arc::clone(self);
        let wanted = name.to_owned();
        let vault = lanes
            .run(Lane::Commit, move || opener.open_or_create(&wanted))
            .await?;
        Ok(self.chosen.set(vault).is_ok())
    }
}

/// A file directly in the folder, visible, that says what it is.
fn is_vault_name(name: &str) -> bool {
    Path::new(name).extension() == Some(OsStr::new("vault"))
        && !name.starts_with('.')
        && name.len() <= NAME_BYTES_MAX
        && !name
            .chars()
            .any(|c| matches!(c, '/' | '\\') || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_vaults() {
        for name in ["a.vault", "a b é.vault", "..a.vault.vault"] {
            assert_eq!(is_vault_name(name), !name.starts_with('.'), "{name}");
        }
        let long = format!("{}.vault", "x".repeat(200));
        for name in [
            "",
            ".vault",
            "a",
            "../a.vault",
            "/a.vault",
            "a\\b.vault",
            "a\0.vault",
            "a.vault/",
            &long,
        ] {
            assert!(!is_vault_name(name), "{name}");
        }
    }
}
