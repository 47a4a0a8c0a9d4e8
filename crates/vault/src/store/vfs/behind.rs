//! Blocks on their way to a file, written by a thread of their own while the next ones are gathered.

use std::ffi::c_int;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use rusqlite::ffi;

/// Blocks that are with the thread at most.
const BLOCKS_MAX: usize = 4;

/// A block, and where it belongs.
type Block = (Vec<u8>, u64);

/// The thread; it ends when this is dropped. Blocks are written in the order in which they are handed over.
pub(super) struct Behind {
    blocks: Option<Sender<Block>>,
    done: Receiver<(Vec<u8>, Result<(), c_int>)>,
    /// Blocks that are with the thread.
    in_flight: usize,
    /// Blocks to be filled again.
    spare: Vec<Vec<u8>>,
    thread: Option<JoinHandle<()>>,
}

impl Behind {
    /// `write` is called on the thread, and never while nothing is in flight.
    pub(super) fn start(
        mut write: impl FnMut(&[u8], u64) -> Result<(), c_int> + Send + 'static,
    ) -> io::Result<Self> {
        let (blocks, to_write) = channel::<Block>();
        let (written, done) = channel();
        let thread = std::thread::Builder::new()
            .name("wal-writer".into())
            .spawn(move || {
                for (bytes, offset) in to_write {
                    let result = write(&bytes, offset);
                    if written.send((bytes, result)).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Self {
            blocks: Some(blocks),
            done,
            in_flight: 0,
            spare: Vec::new(),
            thread: Some(thread),
        })
    }

    /// Hands `bytes` over and leaves an empty block in their place; waits for room. Fails with what an earlier block failed
    /// with, and then these are not written.
    pub(super) fn write(&mut self, bytes: &mut Vec<u8>, offset: u64) -> Result<(), c_int> {
        if self.in_flight >= BLOCKS_MAX {
            self.await_one()?;
        }
        let empty = self.spare.pop();
        let empty = empty.unwrap_or_else(|| Vec::with_capacity(bytes.capacity()));
        let bytes = std::mem::replace(bytes, empty);
        let blocks = self.blocks.as_ref().ok_or(ffi::SQLITE_IOERR_WRITE)?;
        let sent = blocks.send((bytes, offset));
        sent.map_err(|_| ffi::SQLITE_IOERR_WRITE)?;
        self.in_flight += 1;
        Ok(())
    }

    /// Waits until nothing is in flight. Fails with what the first block failed with that did.
    pub(super) fn finish(&mut self) -> Result<(), c_int> {
        let mut all = Ok(());
        while self.in_flight > 0 {
            all = all.and(self.await_one());
        }
        all
    }

    fn await_one(&mut self) -> Result<(), c_int> {
        let Ok((mut bytes, result)) = self.done.recv() else {
            // It has panicked.
            self.in_flight = 0;
            return Err(ffi::SQLITE_IOERR_WRITE);
        };
        self.in_flight -= 1;
        bytes.clear();
        self.spare.push(bytes);
        result
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        self.blocks = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;

    /// Guards: blocks are written in their order, each as it was handed over, and all of them before `finish` answers.
    #[test]
    fn blocks_are_written_in_their_order() {
        let file = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::clone(&file);
        let write = move |bytes: &[u8], offset: u64| {
            let mut file = written.lock().unwrap_or_else(PoisonError::into_inner);
            assert_eq!(offset, file.len() as u64);
            file.extend_from_slice(bytes);
            Ok(())
        };
        let mut behind = Behind::start(write).expect("there are threads");
        let mut expected = Vec::new();
        let mut block = Vec::new();
        for n in 0..100_u8 {
            block.extend(std::iter::repeat_n(n, 1000));
            let offset = expected.len() as u64;
            expected.extend_from_slice(&block);
            behind.write(&mut block, offset).expect("taken");
            assert!(block.is_empty());
            assert!(behind.in_flight <= BLOCKS_MAX && behind.spare.len() <= BLOCKS_MAX);
        }
        behind.finish().expect("written");
        assert_eq!(*file.lock().expect("no test has failed"), expected);
    }

    /// Guards: a block that could not be written is told of, at the latest by `finish`, and once.
    #[test]
    fn what_fails_is_told() {
        let write = |_: &[u8], offset: u64| if offset == 7 { Err(13) } else { Ok(()) };
        let mut behind = Behind::start(write).expect("there are threads");
        behind.write(&mut vec![1], 7).expect("nothing is known yet");
        behind.write(&mut vec![2], 8).expect("nothing is known yet");
        assert_eq!(behind.finish(), Err(13));
        assert_eq!(behind.finish(), Ok(()));
        behind.write(&mut vec![1], 7).expect("nothing is known yet");
        let later = (8..).map(|at| behind.write(&mut vec![3], at));
        let failed = later.take(2 * BLOCKS_MAX).find_map(Result::err);
        assert_eq!(failed, Some(13));
    }
}
