//! Which vault is meant: `--vault`, else `COMPACTVAULT_VAULT`, else the only one in the current folder.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use compactvault_vault::{Access, FileState, OpenOptions, Vault, probe};

use crate::args::Global;
use crate::exit::{NoVault, Usage};
use crate::names::shown_path;

/// The environment's choice.
pub(crate) const VAULT_VARIABLE: &str = "COMPACTVAULT_VAULT";

/// The vault named by option or environment.
pub(crate) fn named(global: &Global) -> Option<PathBuf> {
    global.vault.clone().or_else(|| {
        std::env::var_os(VAULT_VARIABLE)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    })
}

/// The vault that a command works on. `file` is its own argument, if it takes one.
pub(crate) fn choose(global: &Global, file: Option<&Path>) -> anyhow::Result<PathBuf> {
    match file.map(Path::to_path_buf).or_else(|| named(global)) {
        Some(path) => Ok(path),
        None => only_in(Path::new(".")),
    }
}

/// Opens the vault that a command works on.
pub(crate) fn open(global: &Global, file: Option<&Path>, access: Access) -> anyhow::Result<Vault> {
    let path = choose(global, file)?;
    Ok(Vault::open(&path, &options(global, access))?)
}

/// Opens a vault to look at it, and closes it however `look` ends: what looks leaves nothing beside the file.
pub(crate) fn look<T>(
    global: &Global,
    file: Option<&Path>,
    look: impl FnOnce(&Vault) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let vault = open(global, file, Access::Read)?;
    crate::interrupt::close_and_end(&vault)?;
    let found = look(&vault);
    let closed = vault.close();
    let found = found?;
    closed?;
    Ok(found)
}

/// How vaults are opened.
pub(crate) fn options(global: &Global, access: Access) -> OpenOptions {
    OpenOptions {
        access,
        state_dir: global.state_dir.clone(),
        lock_timeout: std::time::Duration::from_secs(global.lock_timeout),
        network_fs: global.network_fs,
        ..OpenOptions::default()
    }
}

/// The only vault in a folder. Vaults of the Python original are not ours to open and do not count.
fn only_in(folder: &Path) -> anyhow::Result<PathBuf> {
    let mut found = Vec::new();
    let mut originals = 0_u32;
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("cannot look for a vault in {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.extension() != Some(OsStr::new("vault")) {
            continue;
        }
        // What cannot be looked at counts: opening it tells why.
        match probe(&path).unwrap_or(FileState::Vault) {
            FileState::Original => originals += 1,
            FileState::Missing => {}
            _ => found.push(PathBuf::from(path.file_name().unwrap_or_default())),
        }
    }
    found.sort();
    match found.as_slice() {
        [only] => Ok(only.clone()),
        [] => {
            let but = match originals {
                0 => "",
                1 => {
                    " (there is one of the original CompactVault, which this program does not read)"
                }
                _ => {
                    " (there are some of the original CompactVault, which this program does not read)"
                }
            };
            Err(NoVault(format!(
                "there is no vault in this folder{but}; name one with --vault FILE, or create one with `compactvault init`"
            ))
            .into())
        }
        several => {
            let listed: Vec<_> = several
                .iter()
                .take(5)
                .map(|path| shown_path(path))
                .collect();
            let more = if several.len() > 5 { ", …" } else { "" };
            Err(Usage(format!(
                "there are {} vaults in this folder ({}{more}); choose one with --vault FILE",
                several.len(),
                listed.join(", ")
            ))
            .into())
        }
    }
}
