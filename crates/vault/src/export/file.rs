//! One asset to a file or a stream.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::{ExportError, ExportProgress, ExportWatch};
use crate::error::ReadError;
use crate::ids::AssetId;
use crate::model::Asset;
use crate::paths::system;
use crate::platform::{rename_new, sync_directory};
use crate::read::AssetReader;
use crate::store::files::directory_of;
use crate::vault::Vault;
use crate::verify::WholeCheck;

/// Writes an asset to a stream. Each chunk is checked before it is written, the whole at the end: only after `Ok` the
/// stream holds the asset.
pub fn get_to_writer(
    vault: &Vault,
    id: AssetId,
    out: &mut dyn Write,
    watch: ExportWatch<'_>,
) -> Result<Asset, ExportError> {
    let reader = vault.open_asset(id)?;
    copy(&reader, out, watch.stop, &report_to(watch, reader.size()))
        .map_err(|error| error.into_export(ExportError::Stream))?;
    out.flush().map_err(ExportError::Stream)?;
    Ok(reader.asset().clone())
}

/// Writes an asset to a new file at `path`, with its modification time and execute bit, and syncs it. The file has
/// another name beside it until all of it is there and was compared.
pub fn get_to_file(
    vault: &Vault,
    id: AssetId,
    path: &Path,
    watch: ExportWatch<'_>,
) -> Result<Asset, ExportError> {
    if path.symlink_metadata().is_ok() {
        return Err(ExportError::Exists {
            path: path.to_path_buf(),
        });
    }
    let write = |source| ExportError::Write {
        path: path.to_path_buf(),
        source,
    };
    let reader = vault.open_asset(id)?;
    let folder = directory_of(path);
    let mut unnamed = UnnamedFile::create(&folder).map_err(write)?;
    unnamed
        .fill(&reader, watch.stop, &report_to(watch, reader.size()))
        .map_err(|error| error.into_export(write))?;
    unnamed.file.sync_all().map_err(write)?;
    unnamed.rename(path).map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            ExportError::Exists {
                path: path.to_path_buf(),
            }
        } else {
            write(error)
        }
    })?;
    sync_directory(&folder).map_err(write)?;
    Ok(reader.asset().clone())
}

fn report_to(watch: ExportWatch<'_>, bytes_total: u64) -> impl Fn(u64) + '_ {
    let bytes_done = std::cell::Cell::new(0);
    move |bytes| {
        bytes_done.set(bytes_done.get() + bytes);
        (watch.progress)(ExportProgress {
            bytes_done: bytes_done.get(),
            bytes_total,
            files_done: u64::from(bytes_done.get() == bytes_total),
            files_total: 1,
        });
    }
}

/// Why a copy ended early.
#[derive(Debug)]
pub(super) enum CopyError {
    Read(ReadError),
    Write(io::Error),
    Stopped,
}

impl CopyError {
    fn into_export(self, write: impl FnOnce(io::Error) -> ExportError) -> ExportError {
        match self {
            Self::Read(error) => ExportError::Read(error),
            Self::Write(error) => write(error),
            Self::Stopped => ExportError::Stopped,
        }
    }
}

fn copy(
    reader: &AssetReader,
    out: &mut dyn Write,
    stop: &AtomicBool,
    on_written: &dyn Fn(u64),
) -> Result<(), CopyError> {
    let mut check = WholeCheck::default();
    for piece in reader.range(0..reader.size()) {
        if stop.load(Ordering::Relaxed) {
            return Err(CopyError::Stopped);
        }
        let piece = piece.map_err(CopyError::Read)?;
        check.update(&piece);
        out.write_all(&piece).map_err(CopyError::Write)?;
        on_written(piece.len() as u64);
    }
    check.finish(reader).map_err(CopyError::Read)
}

/// A file that does not have its final name yet, and is removed unless it gets it.
pub(super) struct UnnamedFile {
    path: PathBuf,
    pub(super) file: File,
    is_named: bool,
}

impl UnnamedFile {
    /// Makes one in `folder`, under a name that nobody can foresee.
    pub(super) fn create(folder: &Path) -> io::Result<Self> {
        use std::fmt::Write as _;
        let mut random = [0; 8];
        getrandom::fill(&mut random)?;
        let mut name = String::from(".compactvault-part-");
        for byte in random {
            // Writing to a string cannot fail.
            let _ = write!(name, "{byte:02x}");
        }
        let path = folder.join(OsString::from(name));
        // Refuses whatever has that name, a symbolic link too.
        let file = File::create_new(&path)?;
        Ok(Self {
            path,
            file,
            is_named: false,
        })
    }

    /// Writes all of an asset, compares it, and gives the file the asset's execute bit and time.
    pub(super) fn fill(
        &mut self,
        reader: &AssetReader,
        stop: &AtomicBool,
        on_written: &dyn Fn(u64),
    ) -> Result<(), CopyError> {
        copy(reader, &mut self.file, stop, on_written)?;
        let asset = reader.asset();
        if asset.executable {
            system::set_executable(&self.file).map_err(CopyError::Write)?;
        }
        if let Some(modified) = asset.modified.and_then(crate::model::Timestamp::to_system) {
            // A time that this file system cannot hold is no reason to withhold the bytes.
            let _ = self.file.set_modified(modified);
        }
        Ok(())
    }

    /// Gives the file its final name; fails with `AlreadyExists`, and can be tried again, where it is taken.
    pub(super) fn rename(&mut self, path: &Path) -> io::Result<()> {
        rename_new(&self.path, path)?;
        self.is_named = true;
        Ok(())
    }
}

impl Drop for UnnamedFile {
    fn drop(&mut self) {
        if !self.is_named {
            // Whatever remains has a name that tells what it is.
            let _ = fs::remove_file(&self.path);
        }
    }
}
