//! Refuses to open a vault whose WAL is damaged, and never one that somebody is writing to.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::time::Duration;

use super::{INDEX_BYTES, WalDamage, inspect};
use crate::error::OpenError;
use crate::platform::locked_by_others;
use crate::store::files::beside;

/// How often a WAL that looks damaged is looked at, at most.
const LOOKS_MAX: usize = 5;
/// Between two looks: longer than it takes to open a vault, add something and close it.
const BETWEEN_LOOKS: Duration = Duration::from_millis(40);
/// `SQLite`'s lock bytes in the database file: PENDING, RESERVED, and those of SHARED, which every connection that has
/// read in WAL mode holds for as long as it lives.
const FILE_LOCKS: (u64, u64) = (0x4000_0000, 512);
/// `SQLite`'s lock bytes in the index: eight locks of the WAL, and the one that everybody holds who has it mapped.
const INDEX_LOCKS: (u64, u64) = (120, 9);

/// Whether another process has a vault open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Elsewhere {
    Open,
    Closed,
    /// This system does not tell.
    Unknown,
}

/// Looks at the WAL beside `path`, if there is one, and refuses it if committed transactions in it would be dropped.
/// Says whether another process has the vault open: then nothing is judged. `SQLite` would not read the WAL anew
/// either, but go by the index that the others keep.
///
/// The vault must not be open in this process: closing the files that are looked at here would drop `SQLite`'s POSIX
/// locks, which lie on the database file and on `-shm`. The WAL itself is opened without locking (`UNIXFILE_NOLOCK`
/// in `SQLite`'s `os_unix.c`).
pub(crate) fn refuse_damaged(path: &Path) -> Result<Elsewhere, OpenError> {
    let wal = beside(path, "-wal");
    let mut seen: Option<WalDamage> = None;
    for _ in 0..LOOKS_MAX {
        let elsewhere = open_elsewhere(path);
        if elsewhere == Elsewhere::Open {
            return Ok(elsewhere);
        }
        let found = look(path, &wal).map_err(|source| OpenError::Io {
            action: "read",
            path: wal.clone(),
            source,
        })?;
        let Some(damage) = found else {
            return Ok(elsewhere);
        };
        // Whoever came while it was read may have changed it between two of its bytes.
        if open_elsewhere(path) == Elsewhere::Open {
            return Ok(Elsewhere::Open);
        }
        if seen.as_ref() == Some(&damage) {
            return Err(OpenError::WalDamaged {
                path: path.to_path_buf(),
                wal,
                detail: damage.detail,
                commits: damage.commits,
            });
        }
        // Somebody could have come and gone within one look. Damage is still there, and the same, at the next.
        seen = Some(damage);
        std::thread::sleep(BETWEEN_LOOKS);
    }
    // It differs at every look: somebody writes whom this system does not tell of.
    Ok(Elsewhere::Unknown)
}

/// Whether another process has the vault open, which this one must not have.
pub(crate) fn open_elsewhere(path: &Path) -> Elsewhere {
    let locked = |path: &Path, (start, length)| match File::open(path) {
        Ok(file) => locked_by_others(&file, start, length),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(false),
        Err(_) => None,
    };
    let file = locked(path, FILE_LOCKS);
    let index = locked(&beside(path, "-shm"), INDEX_LOCKS);
    match (file, index) {
        (Some(true), _) | (_, Some(true)) => Elsewhere::Open,
        (Some(false), Some(false)) => Elsewhere::Closed,
        _ => Elsewhere::Unknown,
    }
}

fn look(path: &Path, wal: &Path) -> io::Result<Option<WalDamage>> {
    let wal = match File::open(wal) {
        Ok(wal) => wal,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut index = Vec::with_capacity(INDEX_BYTES);
    // Without the index the frames alone are judged, so one that cannot be read is none.
    let index = File::open(beside(path, "-shm"))
        .and_then(|file| file.take(INDEX_BYTES as u64).read_to_end(&mut index))
        .ok()
        .map(|_| index);
    inspect(
        &mut BufReader::with_capacity(1 << 20, wal),
        index.as_deref(),
    )
}
