//! What the code computes with: the engines of `reed-solomon-simd`, and one of our own for processors that multiply
//! matrices of bits (GFNI), which the crate has none for. Each gives the same bytes.
//!
//! Multiplying by a constant of the field is four instructions there instead of some twenty, and needs 16 KiB of tables
//! instead of 8 MiB. Most of what parity costs is the inverse transform of one block of data shards after the other
//! ([`super::running`]); for that, reading the shards and adding up are the first and the last step rather than passes
//! of their own ([`Quickest::add`]): 0.2 s a GiB instead of 0.45, on an AMD EPYC.

use std::ops::Range;

use reed_solomon_simd::engine::{DefaultEngine, Engine, GF_ORDER, GfElement, ShardsRefMut, utils};

#[cfg(target_arch = "x86_64")]
mod gfni;

use super::SHARD;

/// Bytes of a shard that the code works on at a time: the low halves of 32 elements of its field, then the high halves.
pub(super) type Unit = [u8; 64];

/// The quickest engine on this processor.
pub(super) enum Quickest {
    #[cfg(target_arch = "x86_64")]
    Gfni(gfni::Gfni),
    OfCrate(DefaultEngine),
}

/// A block of data shards, in the same range of each.
pub(super) struct Block<'a> {
    /// As many as there are, up to the block's; the others are zeros.
    pub(super) shards: &'a [[u8; SHARD]],
    /// Whole units.
    pub(super) range: Range<usize>,
    /// Of the first shard among the stripe's data shards, a whole number of blocks.
    pub(super) number: usize,
}

impl Quickest {
    pub(super) fn new() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(gfni) = gfni::Gfni::new() {
            return Self::Gfni(gfni);
        }
        Self::OfCrate(DefaultEngine::new())
    }

    fn engine(&self) -> &dyn Engine {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Gfni(gfni) => gfni,
            Self::OfCrate(engine) => engine,
        }
    }

    /// Adds the inverse transform of a block to `sum`. That and `work` have a range of each shard of a whole block, which
    /// is a power of two from 8 on.
    pub(super) fn add(&self, sum: &mut [Unit], work: &mut [Unit], block: &Block<'_>) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Gfni(gfni) => gfni.add(sum, work, block),
            Self::OfCrate(engine) => {
                let units = block.units();
                for (shard, to) in block.shards.iter().zip(work.chunks_exact_mut(units)) {
                    let bytes = &shard[block.range.clone()];
                    to.as_flattened_mut().copy_from_slice(bytes);
                }
                let count = block.shards.len();
                work[count * units..].fill([0; 64]);
                let shards = sum.len() / units;
                let mut transformed = ShardsRefMut::new(shards, units, work);
                engine.ifft(&mut transformed, 0, shards, count, block.place(shards));
                utils::xor(sum, work);
            }
        }
    }
}

impl Block<'_> {
    fn units(&self) -> usize {
        self.range.len() / size_of::<Unit>()
    }

    /// Where the first shard is in the code: parity has the first places, and data those from a block's end on.
    fn place(&self, block: usize) -> usize {
        block + self.number
    }
}

impl Engine for Quickest {
    fn fft(
        &self,
        data: &mut ShardsRefMut<'_>,
        pos: usize,
        size: usize,
        truncated_size: usize,
        skew_delta: usize,
    ) {
        self.engine()
            .fft(data, pos, size, truncated_size, skew_delta);
    }

    fn ifft(
        &self,
        data: &mut ShardsRefMut<'_>,
        pos: usize,
        size: usize,
        truncated_size: usize,
        skew_delta: usize,
    ) {
        self.engine()
            .ifft(data, pos, size, truncated_size, skew_delta);
    }

    fn mul(&self, x: &mut [Unit], log_m: GfElement) {
        self.engine().mul(x, log_m);
    }

    fn eval_poly(erasures: &mut [GfElement; GF_ORDER], truncated_size: usize) {
        DefaultEngine::eval_poly(erasures, truncated_size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Noise(u64);

    impl Noise {
        fn bytes<const N: usize>(&mut self) -> [u8; N] {
            std::array::from_fn(|_| {
                self.0 ^= self.0 << 13;
                self.0 ^= self.0 >> 7;
                self.0 ^= self.0 << 17;
                self.0.to_le_bytes()[3]
            })
        }
    }

    // On a processor without GFNI both engines are the crate's, here and below.
    #[test]
    fn a_block_is_added_as_the_crate_would() {
        let mut noise = Noise(1);
        for block in [8, 16, 32, 64, 128, 1024] {
            for (shards, number) in [(block, 0), (block, 12 * block), (block - 3, block), (1, 0)] {
                let shards: Vec<[u8; SHARD]> = (0..shards).map(|_| noise.bytes()).collect();
                let range = 1024..1536;
                let mut sums = [(); 2].map(|()| vec![[7; 64]; block * range.len() / 64]);
                let mut work = vec![[9; 64]; block * range.len() / 64];
                let data = Block {
                    shards: &shards,
                    range,
                    number,
                };
                Quickest::new().add(&mut sums[0], &mut work, &data);
                work.fill([5; 64]);
                let crates = Quickest::OfCrate(DefaultEngine::new());
                crates.add(&mut sums[1], &mut work, &data);
                assert!(sums[0] == sums[1], "{block} {} {number}", shards.len());
            }
        }
    }

    #[test]
    fn transforms_and_products_are_those_of_the_crate() {
        let (quick, crates) = (Quickest::new(), DefaultEngine::new());
        let mut noise = Noise(2);
        for size in [2, 4, 8, 32, 256, 512_usize] {
            for (needed, place) in [(size, 0), (size, size), (size / 3 + 1, 5 * size)] {
                let data: Vec<Unit> = (0..3 * (size + 2)).map(|_| noise.bytes()).collect();
                let compare = |run: &dyn Fn(&dyn Engine, &mut ShardsRefMut<'_>)| {
                    let [quick, crates] = [&quick as &dyn Engine, &crates].map(|engine| {
                        let mut data = data.clone();
                        // Beyond what is needed, it must be zeros to be of worth.
                        data[3 * (1 + needed)..].fill([0; 64]);
                        run(engine, &mut ShardsRefMut::new(size + 2, 3, &mut data));
                        data.truncate(3 * (1 + needed));
                        data
                    });
                    assert!(quick == crates, "{size} {needed} {place}");
                };
                compare(&|engine, data| engine.ifft(data, 1, size, needed, place));
                compare(&|engine, data| engine.fft(data, 1, size, needed, place));
            }
        }
        for log in [0, 1, 255, 4711, 65534, 65535] {
            let mut units: [Vec<Unit>; 2] = std::array::from_fn(|_| vec![Noise(3).bytes(); 2]);
            quick.mul(&mut units[0], log);
            crates.mul(&mut units[1], log);
            assert!(units[0] == units[1], "{log}");
        }
    }
}
