//! What differs between operating systems, each with a portable fallback.

use std::fs::File;
use std::io;
use std::path::Path;

/// Whether the path lies on NFS or SMB, where another machine's locks and shared memory cannot be relied on.
/// Elsewhere than on Linux the question cannot be asked portably and the answer is no.
pub(crate) fn is_network_file_system(path: &Path) -> bool {
    #[cfg(target_os = "linux")]
    {
        /// `f_type` of NFS, SMB, CIFS and SMB2 (linux/magic.h and fs/smb/client/cifsglob.h).
        const MAGIC: [u64; 4] = [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42];
        rustix::fs::statfs(path).is_ok_and(|fs| MAGIC.contains(&fs.f_type.cast_unsigned()))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = path;
        false
    }
}

/// Has the calling thread wait for the processor while anybody else wants it. That cannot be taken back, so the thread must
/// end with its work. Linux only, where a thread has a priority of its own; if it is refused nothing depends on it.
pub(crate) fn step_back() {
    #[cfg(target_os = "linux")]
    {
        const LOWEST: i32 = 19;
        let _ = rustix::process::setpriority_process(None, LOWEST);
    }
}

/// Whether this process may write the file, or create files in the folder.
pub(crate) fn is_writable(path: &Path) -> bool {
    #[cfg(unix)]
    {
        rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok()
    }
    #[cfg(not(unix))]
    {
        path.metadata()
            .is_ok_and(|metadata| !metadata.permissions().readonly())
    }
}

/// Renames `from` to `to`; fails with `AlreadyExists` instead of replacing.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(()),
            // File systems without that flag: fall through to a hard link, which never replaces either.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {}
            Err(error) => return Err(error.into()),
        }
    }
    std::fs::hard_link(from, to)?;
    std::fs::remove_file(from)
}

/// Puts `bytes` in place of a file, durably and all or nothing, readable by its owner alone; so is its folder, which is
/// made if it is missing.
pub fn replace_private_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    crate::checkpoint::create_private_dir(folder)?;
    let temporary = path.with_extension("new");
    let mut options = private_file();
    options.write(true).create(true).truncate(true);
    let mut file = options.open(&temporary)?;
    io::Write::write_all(&mut file, bytes)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    sync_directory(folder)
}

/// How files are made that are their owner's alone.
pub(crate) fn private_file() -> std::fs::OpenOptions {
    let mut options = std::fs::OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes the names in a folder durable. A no-op where folders cannot be opened.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(path)?.sync_all()
    } else {
        Ok(())
    }
}

/// Which file or folder something is, whatever path leads there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity(
    #[cfg(unix)] (u64, u64),
    #[cfg(not(unix))] std::path::PathBuf,
);

impl Identity {
    /// Of what lies at `path`, links followed; `None` if nothing can be found there.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        #[cfg(unix)]
        return std::fs::metadata(path).ok().map(|found| Self::from(&found));
        #[cfg(not(unix))]
        std::fs::canonicalize(path).ok().map(Self)
    }
}

#[cfg(unix)]
impl From<&std::fs::Metadata> for Identity {
    fn from(metadata: &std::fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self((metadata.dev(), metadata.ino()))
    }
}

/// Whether `path` still names the open file. Taken for granted where files have no numbers.
pub(crate) fn is_named(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        let opened = file.metadata().ok().map(|found| Identity::from(&found));
        opened.is_some() && opened == Identity::of(path)
    }
    #[cfg(not(unix))]
    {
        let _ = (file, path);
        true
    }
}

/// Bytes this process could still write on the file system of `path`; `None` if unknown.
pub(crate) fn free_bytes(path: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let fs = rustix::fs::statvfs(path).ok()?;
        Some(fs.f_bavail.saturating_mul(fs.f_frsize))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

/// Whether another process holds a POSIX lock on some of these bytes; `None` where that cannot be asked. The locks of
/// this process do not count.
pub(crate) fn locked_by_others(file: &File, start: u64, length: u64) -> Option<bool> {
    #[cfg(unix)]
    {
        use rustix::process::{Flock, FlockOffsetType, FlockType, fcntl_getlk};
        let lock = Flock {
            start,
            length,
            pid: None,
            typ: FlockType::WriteLock,
            offset_type: FlockOffsetType::Set,
        };
        fcntl_getlk(file, &lock).ok().map(|held| held.is_some())
    }
    #[cfg(not(unix))]
    {
        let _ = (file, start, length);
        None
    }
}

/// Asks that a synced file be read from its medium the next time, not from memory. Only a wish.
pub(crate) fn forget_cached(file: &File) {
    #[cfg(target_os = "linux")]
    {
        // Nothing depends on it but how much the next reading proves.
        let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = file;
    }
}

/// Whether nobody may write the file, going by its permissions alone.
pub(crate) fn has_no_write_permission(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|metadata| metadata.permissions().readonly())
}

/// Gives a copy the permissions of its original: with the owner's to write, or frozen, with nobody's.
pub(crate) fn copy_permissions(original: &Path, copy: &File, frozen: bool) -> io::Result<()> {
    let mut permissions = original.metadata()?.permissions();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = permissions.mode();
        permissions.set_mode(if frozen {
            mode & 0o444
        } else {
            mode & 0o666 | 0o200
        });
    }
    #[cfg(not(unix))]
    permissions.set_readonly(frozen);
    copy.set_permissions(permissions)
}
