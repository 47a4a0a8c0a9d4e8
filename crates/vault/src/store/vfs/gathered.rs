//! Bytes on their way to a file, until they are whole blocks.

use std::ffi::c_int;

/// The system's cache fills its pages whole from here on.
const BLOCK: u64 = 4096;
/// Bytes that are gathered: many blocks, which still lie in the processor's cache when they are written. `SQLite`'s own VFS
/// takes less than 128 KiB at a time.
const GATHERED_MAX: usize = 124 * 1024;

/// Bytes that belong at `start` of a file.
pub(super) struct Gathered {
    start: u64,
    bytes: Vec<u8>,
    /// What could not be written is gone, and nothing after it may pass for whole: `SQLite`'s code for the reason.
    failed: Option<c_int>,
}

/// Where what is to be read lies.
pub(super) enum Found<'g> {
    Here(&'g [u8]),
    /// A part of it is here.
    InPart,
    Not,
}

impl Default for Gathered {
    fn default() -> Self {
        Self {
            start: 0,
            bytes: Vec::with_capacity(GATHERED_MAX),
            failed: None,
        }
    }
}

impl Gathered {
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// Takes in what belongs at `offset`, and hands on what has become whole blocks, with its offset. What lies apart from
    /// what is here has that handed on first.
    pub(super) fn write(
        &mut self,
        mut bytes: &[u8],
        offset: u64,
        mut sink: impl FnMut(&[u8], u64) -> Result<(), c_int>,
    ) -> Result<(), c_int> {
        self.failed.map_or(Ok(()), Err)?;
        if offset != self.end() {
            self.flush(&mut sink)?;
            self.start = offset;
        }
        while !bytes.is_empty() {
            // The block that the gathered bytes begin within counts whole.
            let before = usize::try_from(self.start % BLOCK).expect("less than a block");
            let room = GATHERED_MAX - before - self.bytes.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.bytes.extend_from_slice(now);
            bytes = later;
            if now.len() == room {
                self.flush(&mut sink)?;
            }
        }
        Ok(())
    }

    /// Hands on what there is. Once that fails, this and [`Gathered::write`] do, until [`Gathered::end_transaction`].
    pub(super) fn flush(
        &mut self,
        mut sink: impl FnMut(&[u8], u64) -> Result<(), c_int>,
    ) -> Result<(), c_int> {
        self.failed.map_or(Ok(()), Err)?;
        if self.bytes.is_empty() {
            return Ok(());
        }
        let start = self.start;
        self.start = self.end();
        let done = sink(&self.bytes, start);
        self.bytes.clear();
        self.failed = done.err();
        done
    }

    /// Nothing that failed is of interest any more: no commit can have followed it.
    pub(super) fn end_transaction(&mut self) {
        self.failed = None;
    }

    /// Looks for the `length` bytes at `offset`.
    pub(super) fn find(&self, offset: u64, length: usize) -> Found<'_> {
        let end = offset + length as u64;
        if end <= self.start || offset >= self.end() {
            return Found::Not;
        }
        let from = offset
            .checked_sub(self.start)
            .and_then(|from| usize::try_from(from).ok());
        from.and_then(|from| self.bytes.get(from..from + length))
            .map_or(Found::InPart, Found::Here)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards: whatever is written where, a file holds the last of it, and a reader finds it before and after it is there.
    #[test]
    fn a_file_holds_what_was_written_last() {
        let mut gathered = Gathered::default();
        let mut file = vec![0_u8; 4 * GATHERED_MAX];
        let mut expected = file.clone();
        let mut writes = 0;
        let mut at = 0;
        for round in 0..200_usize {
            let length = [24, 16384, 1, 4096, 70_000][round % 5];
            if round % 11 == 10 || at + length > file.len() {
                at = round * 7919 % (file.len() - length);
            }
            let byte = u8::try_from(round % 251).expect("small") + 1;
            let mut sink = |bytes: &[u8], offset: u64| -> Result<(), c_int> {
                writes += 1;
                let offset = usize::try_from(offset).expect("small");
                file[offset..offset + bytes.len()].copy_from_slice(bytes);
                Ok(())
            };
            let bytes = vec![byte; length];
            gathered.write(&bytes, at as u64, &mut sink).expect("taken");
            expected[at..at + length].copy_from_slice(&bytes);
            match gathered.find(at as u64, length) {
                Found::Here(found) => assert!(found == bytes, "round {round}"),
                Found::InPart => {
                    gathered.flush(&mut sink).expect("taken");
                    assert!(file[at..at + length] == bytes, "round {round}");
                }
                Found::Not => assert!(file[at..at + length] == bytes, "round {round}"),
            }
            at += length;
        }
        let rest = |bytes: &[u8], offset: u64| -> Result<(), c_int> {
            let offset = usize::try_from(offset).expect("small");
            file[offset..offset + bytes.len()].copy_from_slice(bytes);
            Ok(())
        };
        gathered.flush(rest).expect("taken");
        assert!(file == expected);
        assert!(writes < 200, "it gathers");
    }

    /// Guards: what is written one after the other ends at whole blocks, so that none is begun twice.
    #[test]
    fn long_runs_are_written_in_whole_blocks() {
        let mut gathered = Gathered::default();
        let mut ends = Vec::new();
        let mut at = 32;
        for _ in 0..100 {
            for length in [24, 16384] {
                let sink = |bytes: &[u8], offset: u64| -> Result<(), c_int> {
                    ends.push(offset + bytes.len() as u64);
                    Ok(())
                };
                let bytes = vec![7; length];
                gathered.write(&bytes, at, sink).expect("taken");
                at += length as u64;
            }
        }
        assert!(ends.len() >= 10);
        assert!(ends.iter().all(|end| end % BLOCK == 0), "{ends:?}");
    }

    /// Guards: after a write that failed, nothing of its transaction is taken for written.
    #[test]
    fn what_failed_once_fails_until_the_transaction_ends() {
        let mut gathered = Gathered::default();
        gathered.write(&[1; 9], 0, |_, _| Ok(())).expect("taken");
        assert_eq!(gathered.flush(|_, _| Err(13)), Err(13));
        assert_eq!(gathered.flush(|_, _| Ok(())), Err(13));
        assert_eq!(gathered.write(&[2; 9], 9, |_, _| Ok(())), Err(13));
        gathered.end_transaction();
        assert_eq!(gathered.write(&[3; 9], 0, |_, _| Ok(())), Ok(()));
        assert_eq!(gathered.flush(|_, _| Ok(())), Ok(()));
    }
}
