//! What a writing connection knows of its WAL beside the file: bytes that were not written yet, and who writes them.

use std::ffi::c_int;
use std::sync::Arc;

use super::behind::Behind;
use super::gathered::{Found, Gathered};

/// Writes all of the bytes to the file, where they belong. It is never called twice at once.
pub(super) type Write = dyn Fn(&[u8], u64) -> Result<(), c_int> + Send + Sync;

/// A WAL. Before the file is asked anything but to be written to, [`Wal::flush`] or [`Wal::find`] must have answered.
pub(super) struct Wal {
    file: Arc<Write>,
    gathered: Gathered,
    /// From the first large block on.
    behind: Option<Behind>,
}

impl Wal {
    pub(super) fn new(file: Arc<Write>) -> Self {
        Self {
            file,
            gathered: Gathered::default(),
            behind: None,
        }
    }

    /// Takes in what belongs at `offset`, and hands on what has become whole blocks.
    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) -> Result<(), c_int> {
        let (file, behind) = (&self.file, &mut self.behind);
        let sink = |bytes: &mut Vec<u8>, offset: u64| {
            if Gathered::is_large(bytes) {
                if behind.is_none() {
                    let file = Arc::clone(file);
                    // Where the system has no thread to give, it is written here.
                    *behind = Behind::start(move |bytes, offset| file(bytes, offset)).ok();
                }
                if let Some(behind) = behind {
                    return behind.write(bytes, offset);
                }
            }
            behind.as_mut().map_or(Ok(()), Behind::finish)?;
            file(bytes, offset)
        };
        self.gathered.write(bytes, offset, sink)
    }

    /// The `length` bytes at `offset`, if they are not in the file yet; otherwise they are there now.
    pub(super) fn find(&mut self, offset: u64, length: usize) -> Result<Option<&[u8]>, c_int> {
        match self.gathered.find(offset, length) {
            Found::Here(_) => {}
            Found::InPart => self.flush()?,
            Found::Not => self.finish()?,
        }
        Ok(match self.gathered.find(offset, length) {
            Found::Here(bytes) => Some(bytes),
            Found::InPart | Found::Not => None,
        })
    }

    /// Writes what there is.
    pub(super) fn flush(&mut self) -> Result<(), c_int> {
        self.finish()?;
        let file = &self.file;
        self.gathered.flush(|bytes, offset| file(bytes, offset))
    }

    /// Nothing that failed is of interest any more: no commit can have followed it.
    pub(super) fn end_transaction(&mut self) {
        self.gathered.end_transaction();
    }

    /// Waits for the thread.
    fn finish(&mut self) -> Result<(), c_int> {
        let finished = self.behind.as_mut().map_or(Ok(()), Behind::finish);
        finished.or_else(|code| self.gathered.fail(code))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use super::*;

    const SIZE: usize = 8 * 1024 * 1024;

    /// A file that refuses to be written to at one place, if at any.
    fn file(refuses: Option<u64>) -> (Arc<Mutex<Vec<u8>>>, Wal) {
        let file = Arc::new(Mutex::new(vec![0; SIZE]));
        let written = Arc::clone(&file);
        let write = move |bytes: &[u8], offset: u64| {
            let from = usize::try_from(offset).expect("small");
            if refuses.is_some_and(|at| (offset..offset + bytes.len() as u64).contains(&at)) {
                return Err(13);
            }
            let mut file = written.lock().unwrap_or_else(PoisonError::into_inner);
            file[from..from + bytes.len()].copy_from_slice(bytes);
            Ok(())
        };
        (file, Wal::new(Arc::new(write)))
    }

    /// Guards: a reader finds what was written last, be it gathered, with the thread or in the file, and in the end it is all there.
    #[test]
    fn a_file_holds_what_was_written_last() {
        let (file, mut wal) = file(None);
        let mut expected = vec![0; SIZE];
        let mut at = 0_usize;
        for round in 0..3000_usize {
            let length = [24, 16384][round % 2];
            // Now and then back to a place that was written shortly before.
            if round % 101 == 100 {
                at = at.saturating_sub(100_000 + round);
            }
            if at + length > SIZE {
                at = 0;
            }
            let bytes = vec![u8::try_from(round % 251).expect("small") + 1; length];
            wal.write(&bytes, at as u64).expect("written");
            expected[at..at + length].copy_from_slice(&bytes);
            if round % 97 == 96 {
                let from = (at + length).saturating_sub(round * 6007 % 600_000 + 1);
                let place = from..(at + length).min(from + 16384);
                let found = wal.find(from as u64, place.len()).expect("there");
                let found = found.map_or_else(
                    || file.lock().expect("sound")[place.clone()].to_vec(),
                    <[u8]>::to_vec,
                );
                assert!(found == expected[place], "round {round}");
            }
            at += length;
        }
        wal.flush().expect("written");
        assert!(*file.lock().expect("sound") == expected);
        assert!(wal.behind.is_some(), "a thread has helped");
    }

    /// Guards: what the thread could not write fails everything of the transaction that comes after it, and nothing later.
    #[test]
    fn what_the_thread_could_not_write_fails_the_transaction() {
        let (_, mut wal) = file(Some(500_000));
        let large = vec![1; 2 * 1024 * 1024];
        let written = wal.write(&large, 0);
        assert_eq!(written.and_then(|()| wal.flush()), Err(13));
        assert_eq!(wal.flush(), Err(13));
        assert_eq!(wal.write(&[1], 7), Err(13));
        wal.end_transaction();
        assert_eq!(wal.write(&large[..400_000], 0), Ok(()));
        assert_eq!(wal.flush(), Ok(()));
    }
}
