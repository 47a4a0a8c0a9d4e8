//! A file as jobs see it: bytes that are fetched where they are read, so that the end of a large archive costs no more
//! than what is looked at.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, BufRead, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

/// Blocks kept of what was fetched, of at most 1 MiB each: decoders jump back and forth between two or three places.
const BLOCKS_KEPT: usize = 4;

/// Where bytes come from.
pub trait Fetch: Send {
    /// Bytes of a file from `offset`, which is before its end: at least one, as many as are at hand.
    fn fetch(&mut self, file: u32, offset: u64) -> io::Result<Vec<u8>>;

    /// Number and length of another file, beside the first; `None` where there is none of that name.
    fn open(&mut self, name: &str) -> io::Result<Option<(u32, u64)>>;
}

type Shared = Arc<Mutex<dyn Fetch>>;

/// A file that is read. Cheap to clone; clones have places and blocks of their own.
#[derive(Clone)]
pub struct Content {
    source: Shared,
    file: u32,
    length: u64,
    at: u64,
    /// Those fetched or used last, latest last.
    blocks: VecDeque<(u64, Arc<Vec<u8>>)>,
}

/// The files beside the one that a request is about.
#[derive(Clone)]
pub struct Files(Shared);

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Content({} at {} of {})",
            self.file, self.at, self.length
        )
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Files")
    }
}

impl Files {
    /// Those that `source` knows.
    pub fn new(source: &Shared) -> Self {
        Self(Arc::clone(source))
    }

    /// The file of that name in the same place, if there is one.
    pub fn open(&self, name: &str) -> io::Result<Option<Content>> {
        let opened = lock(&self.0).open(name)?;
        Ok(opened.map(|(file, length)| Content::new(&self.0, file, length)))
    }
}

impl Content {
    /// The file with that number, of so many bytes.
    pub fn new(source: &Shared, file: u32, length: u64) -> Self {
        Self {
            source: Arc::clone(source),
            file,
            length,
            at: 0,
            blocks: VecDeque::new(),
        }
    }

    /// Bytes that are at hand already, and no other files.
    pub fn from_bytes(bytes: Vec<u8>) -> (Self, Files) {
        let length = bytes.len() as u64;
        let source: Shared = Arc::new(Mutex::new(InMemory(bytes)));
        (Self::new(&source, 0, length), Files::new(&source))
    }

    /// Bytes.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// All of it, from its beginning; more than `max` bytes are an error.
    pub fn all(&mut self, max: u64) -> io::Result<Vec<u8>> {
        if self.length > max {
            let message = format!("files of more than {max} bytes are not looked into");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        self.head(max)
    }

    /// The first bytes, at most `max`.
    pub fn head(&mut self, max: u64) -> io::Result<Vec<u8>> {
        self.at = 0;
        let expected = self.length.min(max);
        let mut bytes = Vec::with_capacity(usize::try_from(expected).unwrap_or(0));
        Read::take(&mut *self, max).read_to_end(&mut bytes)?;
        self.at = 0;
        Ok(bytes)
    }

    /// The block that holds the current place.
    fn block(&mut self) -> io::Result<(u64, Arc<Vec<u8>>)> {
        let at = self.at;
        let holds = |(start, bytes): &(u64, Arc<Vec<u8>>)| {
            (*start..*start + bytes.len() as u64).contains(&at)
        };
        if let Some(found) = self.blocks.iter().position(holds) {
            if let Some(block) = self.blocks.remove(found) {
                self.blocks.push_back(block);
            }
        } else {
            let mut bytes = lock(&self.source).fetch(self.file, at)?;
            bytes.truncate(usize::try_from(self.length - at).unwrap_or(usize::MAX));
            if bytes.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if self.blocks.len() >= BLOCKS_KEPT {
                self.blocks.pop_front();
            }
            self.blocks.push_back((at, Arc::new(bytes)));
        }
        self.blocks
            .back()
            .cloned()
            .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

fn lock(source: &Shared) -> std::sync::MutexGuard<'_, dyn Fetch + 'static> {
    source.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.length || buffer.is_empty() {
            return Ok(0);
        }
        let (start, bytes) = self.block()?;
        // The block holds the place.
        let rest = &bytes[usize::try_from(self.at - start).unwrap_or(0)..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.at += count as u64;
        Ok(count)
    }
}

impl BufRead for Content {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at >= self.length {
            return Ok(&[]);
        }
        self.block()?;
        let at = self.at;
        let block = self.blocks.back();
        Ok(block.map_or(&[], |(start, bytes)| {
            &bytes[usize::try_from(at - start).unwrap_or(0)..]
        }))
    }

    fn consume(&mut self, count: usize) {
        self.at = (self.at + count as u64).min(self.length);
    }
}

impl Seek for Content {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (base, by) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::End(by) => (self.length, by),
            SeekFrom::Current(by) => (self.at, by),
        };
        let at = base.checked_add_signed(by);
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

struct InMemory(Vec<u8>);

impl Fetch for InMemory {
    fn fetch(&mut self, _: u32, offset: u64) -> io::Result<Vec<u8>> {
        // Blocks of an odd size, so that whoever reads meets their edges.
        const BLOCK: usize = 4093;
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = self.0.get(from..).unwrap_or_default();
        Ok(rest[..rest.len().min(BLOCK)].to_vec())
    }

    fn open(&mut self, _: &str) -> io::Result<Option<(u32, u64)>> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_and_jumping_give_the_bytes_that_are_there() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|i| (i % 251) as u8).collect();
        let (mut content, files) = Content::from_bytes(bytes.clone());
        assert!(content.all(1 << 20).unwrap() == bytes);
        assert!(content.head(5000).unwrap() == bytes[..5000]);
        for at in [99_999_usize, 0, 4092, 4093, 50_000, 4094, 99_000] {
            content.seek(SeekFrom::Start(at as u64)).unwrap();
            let mut buffer = [0; 600];
            let expected = &bytes[at..(at + 600).min(bytes.len())];
            content.read_exact(&mut buffer[..expected.len()]).unwrap();
            assert!(buffer[..expected.len()] == *expected);
        }
        content.seek(SeekFrom::End(-3)).unwrap();
        assert_eq!(content.fill_buf().unwrap(), &bytes[bytes.len() - 3..]);
        content.seek(SeekFrom::Start(1 << 40)).unwrap();
        assert_eq!(content.read(&mut [0; 9]).unwrap(), 0);
        assert!(content.seek(SeekFrom::End(-100_001)).is_err());
        assert!(files.open("b").unwrap().is_none());
    }

    #[test]
    fn all_of_a_large_file_is_refused_before_any_is_read() {
        let (mut content, _) = Content::from_bytes(vec![0; 5000]);
        let error = content.all(4999).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }
}
