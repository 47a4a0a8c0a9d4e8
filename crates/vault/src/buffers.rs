//! Buffers that sources and chunks are read into, lent out in pieces, and used again once nobody holds a piece: fresh memory costs the
//! system about as much as reading a file that it has in its cache.

use std::io::{self, Read};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};

/// Buffers that are kept for those who come next; of more, the system gets the memory back.
const KEPT_MAX: usize = 16;

/// Buffers of one length, for any number of threads.
pub(crate) struct Buffers {
    length: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// Nobody holds them.
    spare: Vec<BytesMut>,
    /// Somebody may hold pieces of them.
    lent: Vec<Bytes>,
}

impl Kept {
    fn has_room(&self) -> bool {
        self.spare.len() + self.lent.len() < KEPT_MAX
    }
}

impl Buffers {
    /// Buffers of `length` bytes; none is made before it is asked for.
    pub(crate) fn new(length: usize) -> Self {
        Self {
            length,
            kept: Mutex::default(),
        }
    }

    /// A buffer that nobody else holds, with any bytes in it.
    pub(crate) fn take(&self) -> BytesMut {
        let mut kept = self.lock();
        if let Some(buffer) = kept.spare.pop() {
            return buffer;
        }
        let free = kept.lent.iter().position(Bytes::is_unique);
        let free = free.map(|at| kept.lent.swap_remove(at).try_into_mut());
        drop(kept);
        match free {
            Some(Ok(buffer)) => buffer,
            _ => BytesMut::zeroed(self.length),
        }
    }

    /// A buffer for `length` bytes, with any bytes in it. It is one that is used again where that is at least half of it, since
    /// few bytes must not hold the memory of many, and otherwise as long as was asked for.
    pub(crate) fn take_for(&self, length: usize) -> BytesMut {
        if (self.length / 2..=self.length).contains(&length) {
            self.take()
        } else {
            BytesMut::zeroed(length)
        }
    }

    /// The first `length` bytes of `buffer`, to be cut into pieces.
    pub(crate) fn lend(&self, buffer: BytesMut, length: usize) -> Bytes {
        if buffer.len() != self.length {
            return buffer.freeze().slice(..length);
        }
        // A few bytes must not hold the memory of many.
        if length < buffer.len() / 2 {
            let few = Bytes::copy_from_slice(&buffer[..length]);
            self.give_back(buffer);
            return few;
        }
        let bytes = buffer.freeze();
        let mut kept = self.lock();
        if kept.has_room() {
            kept.lent.push(bytes.clone());
        }
        bytes.slice(..length)
    }

    /// Takes back a buffer of which nothing was lent.
    pub(crate) fn give_back(&self, buffer: BytesMut) {
        let mut kept = self.lock();
        if kept.has_room() {
            kept.spare.push(buffer);
        }
    }

    /// Gives the memory back to the system, of what is lent as soon as nobody holds it.
    pub(crate) fn forget(&self) {
        *self.lock() = Kept::default();
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Fills `buffer` from `source`; gives how much that was, less than there is room for only at the source's end.
pub(crate) fn fill(source: &mut (impl Read + ?Sized), buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards: a buffer is never written to while a piece of it is held, and is not made anew once none is.
    #[test]
    fn a_buffer_is_used_again_when_its_last_piece_is_gone() {
        let buffers = Buffers::new(100);
        let mut first = buffers.take();
        first.fill(1);
        let place = first.as_ptr();
        let lent = buffers.lend(first, 100);
        let piece = lent.slice(10..20);
        drop(lent);
        let mut second = buffers.take();
        assert_ne!(second.as_ptr(), place);
        second.fill(2);
        assert_eq!(piece[..], [1; 10]);
        drop(piece);
        let again = buffers.take();
        assert_eq!((again.as_ptr(), again.len()), (place, 100));
        // So few are copied, and hold nothing.
        let few = buffers.lend(again, 49);
        assert_eq!(buffers.take().as_ptr(), place);
        assert_eq!(few[..], [1; 49]);
    }

    /// Guards: a buffer that does not fit is made for its bytes alone, and never handed to those who count on the usual length.
    #[test]
    fn a_buffer_of_another_length_is_not_used_again() {
        let buffers = Buffers::new(100);
        for length in [0, 49, 101] {
            let buffer = buffers.take_for(length);
            assert_eq!(buffer.len(), length);
            assert_eq!(buffers.lend(buffer, length).len(), length);
            assert_eq!(buffers.take().len(), 100);
        }
        for length in [50, 100] {
            let buffer = buffers.take_for(length);
            assert_eq!(buffer.len(), 100);
            let place = buffer.as_ptr();
            buffers.give_back(buffer);
            assert_eq!(buffers.take().as_ptr(), place);
        }
    }

    #[test]
    fn no_more_buffers_are_kept_than_the_bound_says() {
        let buffers = Buffers::new(8);
        let held: Vec<Bytes> = (0..3 * KEPT_MAX)
            .map(|_| buffers.lend(buffers.take(), 8))
            .collect();
        let few = buffers.lend(BytesMut::zeroed(8), 3);
        assert_eq!(few[..], [0; 3]);
        assert_eq!(buffers.lock().lent.len(), KEPT_MAX);
        assert!(buffers.lock().spare.is_empty());
        drop(held);
        buffers.forget();
        assert!(buffers.lock().lent.is_empty());
    }
}
