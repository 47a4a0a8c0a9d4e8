//! Reading a file that must not change meanwhile.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use super::system::{self, Stamp};

/// How coarse the clock may be by which a file system stamps changes: Linux ticks at least a hundred times a second.
const CLOCK_TICK: Duration = Duration::from_millis(20);

/// The metadata of an open file. Of one that was changed in this very tick of the clock they are told only in the next one,
/// since until then another change would leave its times as they are.
fn settled(file: &File) -> io::Result<Metadata> {
    let metadata = file.metadata()?;
    let changed = Stamp::of(&metadata)
        .last_change()
        .and_then(crate::model::Timestamp::to_system);
    let Some(age) = changed.and_then(|changed| SystemTime::now().duration_since(changed).ok())
    else {
        return Ok(metadata);
    };
    if age >= CLOCK_TICK || !metadata.is_file() {
        return Ok(metadata);
    }
    std::thread::sleep(CLOCK_TICK.saturating_sub(age));
    file.metadata()
}

/// Why a read ended before the file did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// The file is not what it was before.
    Changed,
    /// Somebody asked to stop.
    Stopped,
}

/// A file, read to its end only if it is then still what it was when it was opened.
pub(super) struct SteadyFile<'a> {
    file: File,
    path: &'a Path,
    metadata: Metadata,
    before: Stamp,
    read: u64,
    stop: &'a AtomicBool,
    on_read: &'a dyn Fn(u64),
    broken: Option<Broken>,
}

impl<'a> SteadyFile<'a> {
    /// Opens what lies at `path`, neither following nor waiting for what is no file. `on_read` gets the length of each piece.
    pub(super) fn open(
        path: &'a Path,
        stop: &'a AtomicBool,
        on_read: &'a dyn Fn(u64),
    ) -> io::Result<Self> {
        let file = system::open_source(path)?;
        let metadata = settled(&file)?;
        Ok(Self {
            file,
            path,
            before: Stamp::of(&metadata),
            metadata,
            read: 0,
            stop,
            on_read,
            broken: None,
        })
    }

    /// What it was when it was opened.
    pub(super) fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The same, as far as it tells one state of it from another.
    pub(super) fn stamp(&self) -> Stamp {
        self.before
    }

    /// Gives it up without closing it.
    pub(super) fn leave_open(self) {
        Box::leak(Box::new(self.file));
    }

    pub(super) fn bytes_read(&self) -> u64 {
        self.read
    }

    /// Why the last read failed, if not because of the system.
    pub(super) fn broken(&self) -> Option<Broken> {
        self.broken
    }

    fn give_up(&mut self, why: Broken) -> io::Error {
        self.broken = Some(why);
        io::Error::other(match why {
            Broken::Changed => "the file changed while it was read",
            Broken::Stopped => "stopped",
        })
    }

    /// Whether the open file is what it was. A system that tells no time of the last change of any kind is asked once
    /// more what the path names.
    fn is_unchanged(&self) -> bool {
        let same = |found: io::Result<Metadata>| {
            found.is_ok_and(|metadata| Stamp::of(&metadata) == self.before)
        };
        self.read == self.before.size()
            && same(self.file.metadata())
            && (self.before.knows_changes() || same(fs::symlink_metadata(self.path)))
    }
}

impl Read for SteadyFile<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(self.give_up(Broken::Stopped));
        }
        let read = self.file.read(buffer)?;
        self.read += read as u64;
        (self.on_read)(read as u64);
        // A file that grows as fast as it is read would never end.
        if self.read > self.before.size() || (read == 0 && !self.is_unchanged()) {
            return Err(self.give_up(Broken::Changed));
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// Reads a file of 10,000 bytes to its end, with `meddle` called after the first thousand.
    fn read_while(meddle: impl FnOnce(&Path)) -> (io::Result<u64>, Option<Broken>) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("file");
        fs::write(&path, [7; 10_000]).expect("a file");
        let stop = AtomicBool::new(false);
        let mut file = SteadyFile::open(&path, &stop, &|_| ()).expect("it opens");
        file.read_exact(&mut [0; 1000]).expect("the beginning");
        meddle(&path);
        let rest = io::copy(&mut file, &mut io::sink());
        (rest, file.broken())
    }

    fn change(path: &Path, at: io::SeekFrom) {
        let mut file = File::options().write(true).open(path).expect("it opens");
        io::Seek::seek(&mut file, at).expect("a place in it");
        file.write_all(b"x").expect("one byte");
    }

    #[test]
    fn a_file_that_stays_is_read_to_its_end() {
        assert!(matches!(read_while(|_| ()), (Ok(9000), None)));
    }

    #[test]
    fn every_kind_of_change_is_noticed() {
        type Meddle = fn(&Path);
        let changes: [(&str, Meddle); 5] = [
            ("grown", |path| change(path, io::SeekFrom::End(0))),
            ("other bytes", |path| change(path, io::SeekFrom::Start(0))),
            ("cut", |path| {
                let file = File::options().write(true).open(path).expect("it opens");
                file.set_len(5000).expect("it is cut");
            }),
            ("replaced", |path| {
                let other = path.with_extension("other");
                fs::write(&other, [7; 10_000]).expect("a file");
                fs::rename(other, path).expect("it is replaced");
            }),
            ("gone", |path| fs::remove_file(path).expect("it is removed")),
        ];
        for (what, meddle) in changes {
            let (outcome, broken) = read_while(meddle);
            assert!(outcome.is_err(), "{what}");
            assert_eq!(broken, Some(Broken::Changed), "{what}");
        }
    }
}
