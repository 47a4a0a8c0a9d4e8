//! Bytes on their way to a file, until they are whole blocks.

/// The system's cache fills its pages whole from here on.
const BLOCK: u64 = 4096;
/// Bytes that are gathered: many blocks, which still lie in the processor's cache when they are written. `SQLite`'s own VFS
/// takes less than 128 KiB at a time.
const GATHERED_MAX: usize = 124 * 1024;

/// Bytes that belong at `start` of a file.
pub(super) struct Gathered {
    start: u64,
    bytes: Vec<u8>,
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
        }
    }
}

impl Gathered {
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// Takes in what belongs at `offset`, and hands on what has become whole blocks, with its offset. What lies apart from
    /// what is here has that handed on first.
    pub(super) fn write<E>(
        &mut self,
        mut bytes: &[u8],
        offset: u64,
        mut sink: impl FnMut(&[u8], u64) -> Result<(), E>,
    ) -> Result<(), E> {
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

    /// Hands on what there is. If that fails it is forgotten: whoever is told of it gives up the transaction.
    pub(super) fn flush<E>(
        &mut self,
        mut sink: impl FnMut(&[u8], u64) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.bytes.is_empty() {
            return Ok(());
        }
        let start = self.start;
        self.start = self.end();
        let done = sink(&self.bytes, start);
        self.bytes.clear();
        done
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
            let mut sink = |bytes: &[u8], offset: u64| -> Result<(), ()> {
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
        let rest = |bytes: &[u8], offset: u64| -> Result<(), ()> {
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
                let sink = |bytes: &[u8], offset: u64| -> Result<(), ()> {
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
}
