//! What walking and restoring trees of files needs from the operating system, each with a portable fallback.
//!
//! Names travel as bytes on Unix, where they are bytes; elsewhere as UTF-8.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io;
use std::path::Path;
#[cfg(not(unix))]
use std::path::PathBuf;

use crate::model::Timestamp;
use crate::name::Name;

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Device and inode; zero where there are none.
    file: (u64, u64),
    size: u64,
    modified: Option<Timestamp>,
    /// The time of the last change of any kind, which programs cannot set.
    changed: Option<Timestamp>,
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let modified = modified(metadata);
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let changed = Timestamp {
                seconds: metadata.ctime(),
                nanoseconds: u32::try_from(metadata.ctime_nsec()).unwrap_or(0),
            };
            Self {
                file: (metadata.dev(), metadata.ino()),
                size: metadata.len(),
                modified,
                changed: Some(changed),
            }
        }
        #[cfg(not(unix))]
        Self {
            file: (0, 0),
            size: metadata.len(),
            modified,
            changed: None,
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Whether no change of the file, its being replaced or removed among them, leaves the stamp as it is.
    pub(crate) fn knows_changes(&self) -> bool {
        self.changed.is_some()
    }

    /// All of it but the device, whose number can be another after a restart; `None` where the system does not tell
    /// the time of the last change of any kind.
    pub(crate) fn identifying(&self) -> Option<[u8; 40]> {
        let (modified, changed) = (self.modified?, self.changed?);
        let mut bytes = [0; 40];
        bytes[..8].copy_from_slice(&self.file.1.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.size.to_be_bytes());
        bytes[16..24].copy_from_slice(&modified.seconds.to_be_bytes());
        bytes[24..28].copy_from_slice(&modified.nanoseconds.to_be_bytes());
        bytes[28..36].copy_from_slice(&changed.seconds.to_be_bytes());
        bytes[36..].copy_from_slice(&changed.nanoseconds.to_be_bytes());
        Some(bytes)
    }

    /// The latest moment at which the file is known to have changed.
    pub(crate) fn last_change(&self) -> Option<Timestamp> {
        self.changed.or(self.modified)
    }
}

/// The modification time, as exact as the system tells it.
pub(crate) fn modified(metadata: &Metadata) -> Option<Timestamp> {
    metadata.modified().ok().and_then(Timestamp::from_system)
}

/// Whether anybody may execute the file.
pub(crate) fn is_executable(metadata: &Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        metadata.permissions().mode() & 0o111 != 0
    }
    #[cfg(not(unix))]
    {
        let _ = metadata;
        false
    }
}

/// A word for what is neither file, folder nor symbolic link.
pub(crate) fn special_kind(metadata: &Metadata) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kind = metadata.file_type();
        if kind.is_fifo() {
            return "a FIFO";
        }
        if kind.is_socket() {
            return "a socket";
        }
        if kind.is_block_device() || kind.is_char_device() {
            return "a device";
        }
    }
    let _ = metadata;
    "no regular file"
}

/// Opens a file for reading. What was put in its place meanwhile is neither followed nor waited for: a symbolic
/// link is refused, a FIFO does not block.
pub(crate) fn open_source(path: &Path) -> io::Result<File> {
    #[cfg(unix)]
    {
        use rustix::fs::{Mode, OFlags};
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
    }
    #[cfg(not(unix))]
    File::open(path)
}

/// The bytes of a name the system gave; `None` if they cannot be told.
#[cfg_attr(
    unix,
    expect(
        clippy::unnecessary_wraps,
        reason = "other systems have names that are no bytes"
    )
)]
pub(crate) fn name_bytes(name: &OsStr) -> Option<&[u8]> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        Some(name.as_bytes())
    }
    #[cfg(not(unix))]
    name.to_str().map(str::as_bytes)
}

/// `bytes` as the system takes them; `None` if it cannot take them.
#[cfg_attr(
    unix,
    expect(
        clippy::unnecessary_wraps,
        reason = "other systems have names that are no bytes"
    )
)]
pub(crate) fn os_bytes(bytes: &[u8]) -> Option<OsString> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        Some(OsStr::from_bytes(bytes).to_owned())
    }
    #[cfg(not(unix))]
    std::str::from_utf8(bytes).ok().map(OsString::from)
}

/// The name as one component of a path of this system; `None` if it cannot be one here. On Windows a name could
/// otherwise be a drive, a stream or a path.
pub(crate) fn os_component(name: &Name) -> Option<OsString> {
    if cfg!(windows) && crate::name::archive_path_component(name).as_bytes() != name.as_bytes() {
        return None;
    }
    os_bytes(name.as_bytes())
}

/// Makes a symbolic link, never in place of anything.
pub(crate) fn make_link(target: &[u8], path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let target = os_bytes(target).ok_or(io::ErrorKind::InvalidInput)?;
        std::os::unix::fs::symlink(target, path)
    }
    #[cfg(not(unix))]
    {
        let _ = (target, path);
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Sets the modification time of a symbolic link itself.
pub(crate) fn set_link_modified(path: &Path, modified: Timestamp) -> io::Result<()> {
    #[cfg(unix)]
    {
        use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
        let time = Timespec {
            tv_sec: modified.seconds,
            tv_nsec: modified.nanoseconds.into(),
        };
        let times = Timestamps {
            last_access: time,
            last_modification: time,
        };
        Ok(utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
    }
    #[cfg(not(unix))]
    {
        let _ = (path, modified);
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Lets whoever may read the open file also execute it.
pub(crate) fn set_executable(file: &File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = file.metadata()?.permissions().mode();
        let readers = (mode & 0o444) >> 2;
        file.set_permissions(fs::Permissions::from_mode(mode | readers))
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        Ok(())
    }
}
