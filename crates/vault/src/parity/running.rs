//! Parity of a long stripe, computed beside the thread that writes what it protects, while that gathers: neither waits
//! for the other, and once it has begun, no more than a block and what gathers is held.
//!
//! Where there are more data shards than parity shards, the code transforms as many of them at a time as there are
//! parity shards, rounded up to a power of two, and adds the outcomes up (`reed-solomon-simd`, "high rate"; S.-J. Lin and
//! others, "Novel Polynomial Basis and Its Application to Reed-Solomon Erasure Codes", 2014). The sum can as well be
//! formed while they come; it is that of [`code::encode`], bit for bit.

use std::iter;
use std::sync::mpsc::{self, Receiver};

use rayon::prelude::*;
use reed_solomon_simd::engine::{Engine as _, ShardsRefMut};

use super::engine::{Block, Quickest, Unit};
use super::{BLOCKS, SHARD, code};

/// Bytes of each shard that are taken together, so that what is worked on stays in the processor's cache.
const SLICE: usize = 1024;
/// And in the code's units.
const UNITS: usize = SLICE / size_of::<Unit>();

/// See the module. Adds up one run of shards while the next gathers. Its memory serves one stripe after the other.
pub(crate) struct Running {
    /// Shards that are transformed together.
    block: usize,
    /// Data shards handed over.
    taken: usize,
    checksums: Vec<u32>,
    /// Of each data shard, see [`code::samples`].
    samples: Vec<u8>,
    beside: Receiver<Added>,
}

/// What the computing thread gives back.
struct Added {
    sums: Sums,
    checksums: Vec<u32>,
    samples: Vec<u8>,
    buffer: Vec<u8>,
}

/// The outcome.
pub(crate) struct Finished {
    pub(crate) parity: Vec<u8>,
    /// Of all data shards.
    pub(crate) checksums: Vec<u32>,
    /// Of all data shards, see [`code::samples`].
    pub(crate) samples: Vec<u8>,
}

/// What is added up, by slices: the same [`SLICE`] bytes of all shards of a block.
struct Sums {
    slices: Vec<Vec<Unit>>,
    /// What is worked in, one for some slices each, as many as there are threads.
    works: Vec<Vec<Unit>>,
}

impl Running {
    /// For up to `block` parity shards, a power of two, and more than half as many.
    pub(crate) fn new(block: usize) -> Self {
        let empty = || vec![[0; size_of::<Unit>()]; block * UNITS];
        let slices = SHARD / SLICE;
        let threads = rayon::current_num_threads().min(slices);
        let sums = Sums {
            slices: iter::repeat_with(empty).take(slices).collect(),
            works: iter::repeat_with(empty).take(threads).collect(),
        };
        let (_, beside) = mpsc::channel();
        let mut running = Self {
            block,
            taken: 0,
            checksums: Vec::new(),
            samples: Vec::new(),
            beside,
        };
        running.put_back(sums, Vec::new());
        running
    }

    pub(crate) fn block(&self) -> usize {
        self.block
    }

    /// Whether something was handed over.
    pub(crate) fn has_begun(&self) -> bool {
        self.taken > 0
    }

    /// Data shards from which it may begin: with no more than twice a block the code may go another way.
    pub(crate) fn worthwhile(block: usize) -> usize {
        2 * block + 1
    }

    /// The number of parity shards that is nearest to `wanted` and what the sums are for.
    pub(crate) fn nearest(&self, wanted: usize) -> usize {
        wanted.clamp(self.block / 2 + BLOCKS, self.block)
    }

    /// Shards handed over.
    pub(crate) fn taken(&self) -> usize {
        self.taken
    }

    /// Begins with another stripe.
    pub(crate) fn reset(&mut self) {
        if !self.has_begun() {
            return;
        }
        let (mut sums, buffer) = self.wait();
        for slice in &mut sums.slices {
            slice.as_flattened_mut().fill(0);
        }
        self.put_back(sums, buffer);
        self.taken = 0;
        self.checksums.clear();
        self.samples.clear();
    }

    /// Hands all whole blocks of `gathered` over and leaves what is no block yet, once those before are added up.
    pub(crate) fn take_blocks(&mut self, gathered: &mut Vec<u8>) {
        let bytes = gathered.len() - gathered.len() % (self.block * SHARD);
        if bytes == 0 {
            return;
        }
        let first = self.taken;
        self.taken += bytes / SHARD;
        let (mut sums, mut rest) = self.wait();
        rest.clear();
        // The next block, and what comes with its end: less than another quarter.
        rest.reserve_exact(self.block * SHARD * 5 / 4);
        rest.extend_from_slice(&gathered[bytes..]);
        gathered.truncate(bytes);
        let buffer = std::mem::replace(gathered, rest);
        let block = self.block;
        let (send, beside) = mpsc::channel();
        rayon::spawn(move || {
            add(&mut sums, block, first, &buffer);
            // Nobody waits for it when the transaction was given up.
            let _ = send.send(Added {
                sums,
                checksums: code::checksums(&buffer),
                samples: code::samples(&buffer, SHARD),
                buffer,
            });
        });
        self.beside = beside;
    }

    /// The checksums of the shards handed over from that one on, once they are there.
    pub(crate) fn checksums_from(&mut self, shard: usize) -> &[u32] {
        let (sums, buffer) = self.wait();
        self.put_back(sums, buffer);
        self.checksums.get(shard..).unwrap_or_default()
    }

    /// The parity shards of everything handed over and of `rest`, one after the other.
    pub(crate) fn finish(&mut self, rest: &[u8], recovery: usize) -> Finished {
        let (mut sums, buffer) = self.wait();
        add(&mut sums, self.block, self.taken, rest);
        let mut checksums = std::mem::take(&mut self.checksums);
        checksums.extend(code::checksums(rest));
        let mut samples = std::mem::take(&mut self.samples);
        samples.extend(code::samples(rest, SHARD));
        sums.slices.par_iter_mut().for_each(|slice| {
            let mut shards = ShardsRefMut::new(self.block, UNITS, slice);
            Quickest::new().fft(&mut shards, 0, self.block, recovery, 0);
        });
        let mut parity = vec![0; recovery * SHARD];
        for (shard, bytes) in parity.chunks_exact_mut(SHARD).enumerate() {
            for (slice, bytes) in sums.slices.iter().zip(bytes.chunks_exact_mut(SLICE)) {
                let units = &slice[shard * UNITS..][..UNITS];
                bytes.copy_from_slice(units.as_flattened());
            }
        }
        self.put_back(sums, buffer);
        Finished {
            parity,
            checksums,
            samples,
        }
    }

    /// Changes `gathered`, which is empty, for the memory of what was handed over if that is larger.
    pub(crate) fn lend_larger(&mut self, gathered: &mut Vec<u8>) {
        let (sums, mut buffer) = self.wait();
        buffer.clear();
        if buffer.capacity() > gathered.capacity() {
            std::mem::swap(&mut buffer, gathered);
        }
        self.put_back(sums, buffer);
    }

    fn put_back(&mut self, sums: Sums, buffer: Vec<u8>) {
        let (send, beside) = mpsc::channel();
        let nothing = Added {
            sums,
            checksums: Vec::new(),
            samples: Vec::new(),
            buffer,
        };
        send.send(nothing).expect("the other end is right here");
        self.beside = beside;
    }

    fn wait(&mut self) -> (Sums, Vec<u8>) {
        let added = self
            .beside
            .recv()
            .expect("the computing thread answers, or the process has ended");
        self.checksums.extend(added.checksums);
        self.samples.extend(added.samples);
        (added.sums, added.buffer)
    }
}

/// Adds data shards to the sums, of which the first has that number in the stripe, a whole number of blocks.
fn add(sums: &mut Sums, block: usize, first: usize, data: &[u8]) {
    let (shards, _) = data.as_chunks::<SHARD>();
    let each = sums.slices.len().div_ceil(sums.works.len());
    let parts = sums.slices.par_chunks_mut(each).zip(&mut sums.works);
    parts.enumerate().for_each(|(part, (slices, work))| {
        let engine = Quickest::new();
        for (slice, at) in slices.iter_mut().zip(part * each..) {
            for (number, shards) in shards.chunks(block).enumerate() {
                let block = Block {
                    shards,
                    range: at * SLICE..(at + 1) * SLICE,
                    number: first + number * block,
                };
                engine.add(slice, work, &block);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_up_is_what_is_encoded_at_once() {
        for (block, recovery, shards) in [(8, 5, 12), (8, 8, 40), (16, 9, 77), (64, 40, 600)] {
            let data: Vec<u8> = (0..shards * SHARD)
                .map(|i| (i * 7 + i / 256 + i / 70_000).to_le_bytes()[0])
                .collect();
            let shards_of = data.chunks_exact(SHARD);
            let expected = reed_solomon_simd::encode(shards, recovery, shards_of)
                .expect("it encodes")
                .concat();
            for step in [1, 3, block, 2 * block + 1, shards] {
                let mut running = Running::new(block);
                let mut gathered = Vec::new();
                for bytes in data.chunks(step * SHARD) {
                    gathered.extend_from_slice(bytes);
                    running.take_blocks(&mut gathered);
                }
                assert_eq!(running.taken(), shards - shards % block);
                let found = running.finish(&gathered, recovery);
                assert!(
                    found.parity == expected,
                    "{block} {recovery} {shards} by {step}"
                );
                assert_eq!(found.checksums, code::checksums(&data));
                assert_eq!(found.samples, code::samples(&data, SHARD));
            }
        }
    }
}
