//! The transform that parity is mostly made of: that of one block of data shards, added to those before it.
//!
//! It is the inverse transform of `reed-solomon-simd` (its `ifft`, by S.-J. Lin and others, see [`super::running`]), bit
//! for bit, and goes to that crate where the processor has no instructions for matrices of bits (GFNI). With them,
//! multiplying by a constant of the field is four instructions instead of some twenty, and reading the shards and adding
//! up are the first and the last step rather than passes of their own: 0.2 s a GiB instead of 0.45, on an AMD EPYC.

use std::ops::Range;

use reed_solomon_simd::engine::{DefaultEngine, Engine as _, ShardsRefMut, utils};

use super::SHARD;

/// Bytes of a shard that the code works on at a time: the low halves of 32 elements of its field, then the high halves.
pub(super) type Unit = [u8; 64];

/// Adds the transform of a block of data shards to `sum`, in the same `range` of each, whole units. `sum` and `work` hold
/// that much of as many shards as there are in a block, a power of two from 8 on; where `shards` are fewer, the others
/// are zeros. The first is the stripe's data shard of that `number`, a whole number of blocks.
pub(super) fn add(
    sum: &mut [Unit],
    work: &mut [Unit],
    shards: &[[u8; SHARD]],
    range: &Range<usize>,
    number: usize,
) {
    let units = range.len() / size_of::<Unit>();
    let block = sum.len() / units;
    // Parity has the first places of the code, and data those from the block's end on.
    let place = number + block;
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("gfni") && std::arch::is_x86_feature_detected!("avx2") {
        #[expect(unsafe_code, reason = "no crate has this transform with GFNI")]
        // SAFETY: the processor was just asked for everything that the function is compiled for.
        unsafe {
            gfni::add(sum, work, shards, range, place);
        }
        return;
    }
    add_by_crate(sum, work, shards, range, place);
}

fn add_by_crate(
    sum: &mut [Unit],
    work: &mut [Unit],
    shards: &[[u8; SHARD]],
    range: &Range<usize>,
    place: usize,
) {
    let units = range.len() / size_of::<Unit>();
    let block = sum.len() / units;
    for (shard, to) in shards.iter().zip(work.chunks_exact_mut(units)) {
        to.as_flattened_mut().copy_from_slice(&shard[range.clone()]);
    }
    work[shards.len() * units..].fill([0; 64]);
    let mut transformed = ShardsRefMut::new(block, units, work);
    DefaultEngine::new().ifft(&mut transformed, 0, block, shards.len(), place);
    utils::xor(sum, work);
}

#[cfg(target_arch = "x86_64")]
mod gfni {
    use std::arch::x86_64::{
        __m256i, _mm256_gf2p8affine_epi64_epi8, _mm256_set1_epi64x, _mm256_xor_si256,
    };
    use std::array;
    use std::ops::Range;
    use std::sync::LazyLock;

    use reed_solomon_simd::engine::{GF_MODULUS, tables};

    use super::{SHARD, Unit};

    /// What multiplies an element by a constant: matrices of bits, from its low half to that of the product, from high
    /// to low, low to high, high to high. The first row is the last byte.
    type Matrices = [u64; 4];

    struct Tables {
        /// The constants of the transform by their place.
        factors: Vec<u16>,
        /// Of a constant's low half and of its high half, which add up: multiplying is linear in both.
        halves: [[Matrices; 256]; 2],
    }

    static TABLES: LazyLock<Tables> = LazyLock::new(Tables::new);

    impl Tables {
        fn new() -> Self {
            let field = tables::get_exp_log();
            // The crate has logarithms, and a special one for zero.
            let factors = tables::get_skew()
                .iter()
                .map(|&log| match log {
                    GF_MODULUS => 0,
                    log => field.exp[usize::from(log)],
                })
                .collect();
            let mut halves = [[[0; 4]; 256]; 2];
            for (half, matrices) in halves.iter_mut().enumerate() {
                for byte in 1..256_usize {
                    let lowest = 1 << byte.trailing_zeros();
                    matrices[byte] = if byte == lowest {
                        let log = field.log[byte << (8 * half)];
                        matrices_of(|x| tables::mul(x, log, &field.exp, &field.log))
                    } else {
                        let (one, others) = (matrices[lowest], matrices[byte - lowest]);
                        array::from_fn(|i| one[i] ^ others[i])
                    };
                }
            }
            Self { factors, halves }
        }

        #[inline]
        #[target_feature(enable = "avx2,gfni")]
        fn factor(&self, place: usize) -> Factor {
            let [low, high] = self.factors[place].to_le_bytes().map(usize::from);
            let (a, b) = (&self.halves[0][low], &self.halves[1][high]);
            Factor(array::from_fn(|i| {
                _mm256_set1_epi64x((a[i] ^ b[i]).cast_signed())
            }))
        }
    }

    /// The matrices of a multiplication, which says where each bit goes.
    fn matrices_of(times: impl Fn(u16) -> u16) -> Matrices {
        let mut rows = [[0_u8; 8]; 4];
        for from in 0..16 {
            let product = times(1 << from);
            for to in (0..16).filter(|to| product >> to & 1 == 1) {
                rows[to / 8 * 2 + from / 8][7 - to % 8] |= 1 << (from % 8);
            }
        }
        rows.map(u64::from_le_bytes)
    }

    /// A constant to multiply by: each of [`Matrices`] four times.
    struct Factor([__m256i; 4]);

    /// 32 elements of the field: their low halves, their high halves.
    #[derive(Clone, Copy)]
    struct Elements(__m256i, __m256i);

    #[inline]
    #[target_feature(enable = "avx2,gfni")]
    fn load(unit: &Unit) -> Elements {
        let [low, high] = bytemuck::cast(*unit);
        Elements(low, high)
    }

    #[inline]
    #[target_feature(enable = "avx2,gfni")]
    fn store(Elements(low, high): Elements) -> Unit {
        bytemuck::cast([low, high])
    }

    #[inline]
    #[target_feature(enable = "avx2,gfni")]
    fn plus(a: Elements, b: Elements) -> Elements {
        Elements(_mm256_xor_si256(a.0, b.0), _mm256_xor_si256(a.1, b.1))
    }

    #[inline]
    #[target_feature(enable = "avx2,gfni")]
    fn times(Elements(low, high): Elements, factor: &Factor) -> Elements {
        let [low_low, high_low, low_high, high_high] = factor.0;
        Elements(
            _mm256_xor_si256(
                _mm256_gf2p8affine_epi64_epi8::<0>(low, low_low),
                _mm256_gf2p8affine_epi64_epi8::<0>(high, high_low),
            ),
            _mm256_xor_si256(
                _mm256_gf2p8affine_epi64_epi8::<0>(low, low_high),
                _mm256_gf2p8affine_epi64_epi8::<0>(high, high_high),
            ),
        )
    }

    /// The transform of two.
    #[inline]
    #[target_feature(enable = "avx2,gfni")]
    fn butterfly([a, b]: [Elements; 2], factor: &Factor) -> [Elements; 2] {
        let b = plus(a, b);
        [plus(a, times(b, factor)), b]
    }

    /// Two layers of it: that of four, with the factors of the first and of the second pair and of both.
    #[inline]
    #[target_feature(enable = "avx2,gfni")]
    fn two_layers([a, b, c, d]: [Elements; 4], factors: &[Factor; 3]) -> [Elements; 4] {
        let [a, b] = butterfly([a, b], &factors[0]);
        let [c, d] = butterfly([c, d], &factors[1]);
        let [a, c] = butterfly([a, c], &factors[2]);
        let [b, d] = butterfly([b, d], &factors[2]);
        [a, b, c, d]
    }

    /// See [`super::add`]; `place` is that of the first shard in the code.
    #[target_feature(enable = "avx2,gfni")]
    pub(super) fn add(
        sum: &mut [Unit],
        work: &mut [Unit],
        shards: &[[u8; SHARD]],
        range: &Range<usize>,
        place: usize,
    ) {
        let units = range.len() / size_of::<Unit>();
        let block = sum.len() / units;
        let source = Source {
            shards,
            range: range.clone(),
            units,
            place,
        };
        let quarter = block / 4;
        if block.ilog2().is_multiple_of(2) {
            source.transform_each(quarters(work), 0);
            let factors = source.factors(0, quarter);
            for (from, to) in fours(quarters(work)).zip(fours(quarters(sum))) {
                let four = two_layers(from.map(|unit| load(unit)), &factors);
                for (to, transformed) in to.into_iter().zip(four) {
                    *to = store(plus(load(to), transformed));
                }
            }
        } else {
            let half = block / 2;
            let (a, b) = work.split_at_mut(half * units);
            source.transform(a, 0);
            source.transform(b, half);
            let factor = TABLES.factor(place + half - 1);
            let (x, y) = sum.split_at_mut(half * units);
            for (((a, b), x), y) in a.iter().zip(b).zip(x).zip(y) {
                let [a, b] = butterfly([load(a), load(b)], &factor);
                *x = store(plus(load(x), a));
                *y = store(plus(load(y), b));
            }
        }
    }

    /// The shards of a block, in one range of each.
    struct Source<'a> {
        shards: &'a [[u8; SHARD]],
        range: Range<usize>,
        units: usize,
        place: usize,
    }

    impl Source<'_> {
        /// Puts the transform of some shards into `to`, a power of four of them, from the one of that number in the block
        /// on. Quarter by quarter, so that most of it happens in the processor's nearest cache.
        #[target_feature(enable = "avx2,gfni")]
        fn transform(&self, to: &mut [Unit], first: usize) {
            let quarter = to.len() / self.units / 4;
            let factors = self.factors(first, quarter);
            if quarter == 1 {
                let shards = array::from_fn(|i| self.shard(first + i));
                for (at, to) in fours(quarters(to)).enumerate() {
                    let four = shards.map(|shard: &[Unit]| load(&shard[at]));
                    put(to, two_layers(four, &factors));
                }
                return;
            }
            self.transform_each(quarters(to), first);
            for units in fours(quarters(to)) {
                let four = units.each_ref().map(|unit| load(unit));
                put(units, two_layers(four, &factors));
            }
        }

        #[target_feature(enable = "avx2,gfni")]
        fn transform_each(&self, parts: [&mut [Unit]; 4], first: usize) {
            let shards = parts[0].len() / self.units;
            for (number, part) in parts.into_iter().enumerate() {
                self.transform(part, first + number * shards);
            }
        }

        fn shard(&self, number: usize) -> &[Unit] {
            static ZEROS: [u8; SHARD] = [0; SHARD];
            let shard = self.shards.get(number).unwrap_or(&ZEROS);
            shard[self.range.clone()].as_chunks().0
        }

        /// Those of four parts of `distance` shards each: of the first two, of the others, of both pairs.
        #[inline]
        #[target_feature(enable = "avx2,gfni")]
        fn factors(&self, first: usize, distance: usize) -> [Factor; 3] {
            let at = self.place + first + distance - 1;
            [at, at + 2 * distance, at + distance].map(|at| TABLES.factor(at))
        }
    }

    #[inline]
    #[target_feature(enable = "avx2,gfni")]
    fn put(to: [&mut Unit; 4], four: [Elements; 4]) {
        for (to, elements) in to.into_iter().zip(four) {
            *to = store(elements);
        }
    }

    /// One unit of each part after the other.
    #[inline]
    fn fours(parts: [&mut [Unit]; 4]) -> impl Iterator<Item = [&mut Unit; 4]> {
        let [a, b, c, d] = parts.map(|part| part.iter_mut());
        a.zip(b).zip(c).zip(d).map(|(((a, b), c), d)| [a, b, c, d])
    }

    #[inline]
    fn quarters(units: &mut [Unit]) -> [&mut [Unit]; 4] {
        let quarter = units.len() / 4;
        let (ab, cd) = units.split_at_mut(2 * quarter);
        let (a, b) = ab.split_at_mut(quarter);
        let (c, d) = cd.split_at_mut(quarter);
        [a, b, c, d]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On a processor without GFNI both are the crate's.
    #[test]
    fn what_the_processor_is_quick_at_is_what_the_crate_does() {
        let mut state = 1_u64;
        let mut noise = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        };
        for block in [8, 16, 32, 64, 128, 1024] {
            for (shards, number) in [(block, 0), (block, 12 * block), (block - 3, block), (1, 0)] {
                let mut shard = || std::array::from_fn(|_| noise());
                let shards: Vec<[u8; SHARD]> = (0..shards).map(|_| shard()).collect();
                let range = 1024..1536;
                let mut sums = [(); 2].map(|()| vec![[7; 64]; block * range.len() / 64]);
                let mut work = vec![[9; 64]; block * range.len() / 64];
                add(&mut sums[0], &mut work, &shards, &range, number);
                work.fill([5; 64]);
                add_by_crate(&mut sums[1], &mut work, &shards, &range, number + block);
                assert!(sums[0] == sums[1], "{block} {} {number}", shards.len());
            }
        }
    }
}
