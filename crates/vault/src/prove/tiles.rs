//! The log as files that other programs read: C2SP tlog-tiles.
//!
//! `checkpoint`, `tile/LEVEL/N` with 256 hashes each, `tile/entries/N` with their leaves, and partial ones at the
//! right edge. Each file appears whole or not at all, `checkpoint` last, so that an export that ended early is
//! continued by the next one. Memory: one tile of entries, and one of hashes for each level.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tlog_tiles::{Hash, Tile, record_hash};

use super::{KeptCheckpoint, ProveError, Verdict};
use crate::checkpoint::Checkpoint;
use crate::ids::Digest;
use crate::merkle::{Edge, SUBTREE_WIDTH};
use crate::store::pool::Connection;
use crate::store::prove;

const WIDTH: usize = 256;
const _: () = assert!(WIDTH as u64 == SUBTREE_WIDTH);

/// What an export of tiles wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TilesReport {
    /// Entries that the tiles hold.
    pub entries: u64,
    /// Files written by this call.
    pub written: u64,
    /// Files that were there, byte for byte.
    pub kept: u64,
}

/// Writes the tiles of the checkpoint's entries into `dir`. `compare` judges an older checkpoint that is there.
pub(super) fn export(
    connection: &Connection,
    checkpoint: &Checkpoint,
    dir: &Path,
    compare: impl FnOnce(&KeptCheckpoint) -> Result<Verdict, ProveError>,
) -> Result<TilesReport, ProveError> {
    fs::create_dir_all(dir).map_err(|error| at(dir, error))?;
    let older = look_around(dir, compare)?;
    let mut tiles = Tiles {
        dir,
        levels: Vec::new(),
        report: TilesReport::default(),
    };
    let mut edge = Edge::default();
    let mut entries = Vec::new();
    prove::checked_entries(connection, checkpoint.size, |entry| {
        let leaf = entry.leaf();
        let length = u16::try_from(leaf.len())
            .map_err(|_| io::Error::other("a leaf is longer than C2SP tlog-tiles allows"))?;
        entries.extend_from_slice(&length.to_be_bytes());
        entries.extend_from_slice(&leaf);
        let hash = record_hash(&leaf);
        edge.push(Digest::new(hash.0));
        if edge.size().is_multiple_of(SUBTREE_WIDTH) {
            tiles.put(
                &path("entries", edge.size() / SUBTREE_WIDTH - 1, WIDTH),
                &entries,
            )?;
            entries.clear();
        }
        tiles.push(0, hash, edge.size() - 1)
    })?
    .map_err(|error| at(dir, error))?;
    if edge.size() != checkpoint.size || edge.root() != checkpoint.root {
        return Err(crate::store::rows::damaged(
            edge.size(),
            "the log's entries do not give its root",
        )
        .into());
    }
    let size = edge.size();
    let rest = usize::try_from(size % SUBTREE_WIDTH).expect("below 256");
    let finish = || -> io::Result<()> {
        if rest > 0 {
            tiles.put(&path("entries", size / SUBTREE_WIDTH, rest), &entries)?;
        }
        tiles.finish(size)?;
        let note = checkpoint.note.as_bytes();
        match older {
            // The same entries: an older signature, or none, is left as it is.
            Some(kept) if kept.size == size => tiles.report.kept += 1,
            Some(_) => {
                write_whole(&dir.join("checkpoint"), note, true)?;
                tiles.report.written += 1;
            }
            None => tiles.put("checkpoint", note)?,
        }
        Ok(())
    };
    finish().map_err(|error| at(dir, error))?;
    tiles.report.entries = size;
    Ok(tiles.report)
}

/// Refuses a folder with anything but tiles of this log's past in it.
fn look_around(
    dir: &Path,
    compare: impl FnOnce(&KeptCheckpoint) -> Result<Verdict, ProveError>,
) -> Result<Option<KeptCheckpoint>, ProveError> {
    for entry in fs::read_dir(dir).map_err(|error| at(dir, error))? {
        let name = entry.map_err(|error| at(dir, error))?.file_name();
        let known = name == "checkpoint" || name == "tile";
        if !known && !name.as_encoded_bytes().ends_with(TEMPORARY.as_bytes()) {
            return Err(ProveError::NotEmpty {
                path: dir.to_path_buf(),
            });
        }
    }
    let path = dir.join("checkpoint");
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(at(&path, error)),
    };
    let kept = KeptCheckpoint::parse(&text)?;
    match compare(&kept)? {
        Verdict::Same => Ok(Some(kept)),
        verdict => Err(ProveError::OtherTiles { path, verdict }),
    }
}

struct Tiles<'d> {
    dir: &'d Path,
    /// Hashes of each level that no full tile holds yet.
    levels: Vec<Vec<Hash>>,
    report: TilesReport,
}

impl Tiles<'_> {
    /// Appends the hash at `position` of a level, and writes the tile that it completes.
    fn push(&mut self, level: usize, hash: Hash, position: u64) -> io::Result<()> {
        if self.levels.len() == level {
            self.levels.push(Vec::with_capacity(WIDTH));
        }
        self.levels[level].push(hash);
        if self.levels[level].len() < WIDTH {
            return Ok(());
        }
        let bytes = flat(&self.levels[level]);
        self.levels[level].clear();
        let number = position / SUBTREE_WIDTH;
        self.put(&path(&level.to_string(), number, WIDTH), &bytes)?;
        self.push(level + 1, Tile::subtree_hash(&bytes), number)
    }

    /// Writes the partial tiles of a log of `size` entries.
    fn finish(&mut self, size: u64) -> io::Result<()> {
        let mut covered = size;
        for level in 0..self.levels.len() {
            let hashes = std::mem::take(&mut self.levels[level]);
            if !hashes.is_empty() {
                let name = path(&level.to_string(), covered / SUBTREE_WIDTH, hashes.len());
                self.put(&name, &flat(&hashes))?;
            }
            covered /= SUBTREE_WIDTH;
        }
        Ok(())
    }

    /// Writes a file, or finds it there byte for byte.
    fn put(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.dir.join(name);
        match fs::read(&path) {
            Ok(found) if found == bytes => {
                self.report.kept += 1;
                Ok(())
            }
            Ok(_) => Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                format!("{name} is there and differs; nothing is written over"),
            )),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                write_whole(&path, bytes, false)?;
                self.report.written += 1;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

fn flat(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// `tile/LEVEL/N`, where N is cut into groups of three digits, with `.p/W` for a partial one.
fn path(level: &str, number: u64, width: usize) -> String {
    let mut name = format!("{:03}", number % 1000);
    let mut above = number / 1000;
    while above > 0 {
        name = format!("x{:03}/{name}", above % 1000);
        above /= 1000;
    }
    if width < WIDTH {
        name = format!("{name}.p/{width}");
    }
    format!("tile/{level}/{name}")
}

/// How names of files end that are being written.
const TEMPORARY: &str = ".compactvault-new";

/// Writes a file so that it is there whole or not at all; `replace` allows to take another's place.
pub(super) fn write_whole(path: &Path, bytes: &[u8], replace: bool) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::from)?;
    let temporary: PathBuf =
        folder.join(format!(".{:016x}{TEMPORARY}", u64::from_be_bytes(random)));
    let write = || -> io::Result<()> {
        let mut file = File::create_new(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        if replace {
            fs::rename(&temporary, path)
        } else {
            crate::platform::rename_new(&temporary, path)
        }
    };
    let written = write();
    if written.is_err() {
        // Whatever is left of the attempt has a name of its own and is worth nothing.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    crate::platform::sync_directory(folder)
}

fn at(path: &Path, error: io::Error) -> ProveError {
    ProveError::Io {
        path: path.to_path_buf(),
        source: error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        assert_eq!(path("0", 0, 256), "tile/0/000");
        assert_eq!(path("1", 7, 3), "tile/1/007.p/3");
        assert_eq!(
            path("entries", 1_234_067, 256),
            "tile/entries/x001/x234/067"
        );
    }
}
