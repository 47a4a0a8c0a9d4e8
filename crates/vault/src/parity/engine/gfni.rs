//! The engine for processors with GFNI: a matrix of 8 by 8 bits times each of 32 bytes is one of their instructions.
//! All that is `unsafe` is entering code that needs them, after asking whether they are there.

#![expect(unsafe_code, reason = "the crate has no such engine")]

use std::arch::x86_64::{
    __m256i, _mm256_gf2p8affine_epi64_epi8, _mm256_set1_epi64x, _mm256_xor_si256,
};
use std::array;
use std::sync::LazyLock;

use reed_solomon_simd::engine::{Engine, GF_MODULUS, GfElement, ShardsRefMut, tables};

use super::super::SHARD;
use super::{Block, Unit};

/// Exists where the processor has GFNI and AVX2.
pub(crate) struct Gfni(&'static Tables);

impl Gfni {
    pub(super) fn new() -> Option<Self> {
        let has = std::arch::is_x86_feature_detected!("gfni")
            && std::arch::is_x86_feature_detected!("avx2");
        has.then(|| Self(&TABLES))
    }

    /// See [`super::Quickest::add`].
    pub(super) fn add(&self, sum: &mut [Unit], work: &mut [Unit], block: &Block<'_>) {
        // SAFETY: the processor has everything that the function is compiled for, or `self` would not be.
        unsafe { self.0.add(sum, work, block) }
    }
}

impl Engine for Gfni {
    fn fft(
        &self,
        data: &mut ShardsRefMut<'_>,
        pos: usize,
        size: usize,
        truncated_size: usize,
        skew_delta: usize,
    ) {
        // SAFETY: as in `add`.
        unsafe { self.0.fft(data, pos, size, truncated_size, skew_delta) }
    }

    fn ifft(
        &self,
        data: &mut ShardsRefMut<'_>,
        pos: usize,
        size: usize,
        truncated_size: usize,
        skew_delta: usize,
    ) {
        // SAFETY: as in `add`.
        unsafe { self.0.ifft(data, pos, size, truncated_size, skew_delta) }
    }

    fn mul(&self, x: &mut [Unit], log_m: GfElement) {
        // SAFETY: as in `add`.
        unsafe { self.0.mul(x, log_m) }
    }
}

/// What multiplies an element by a constant: matrices of bits, from its low half to that of the product, from high
/// to low, low to high, high to high. The first row is the last byte.
type Matrices = [u64; 4];

struct Tables {
    /// The constants of the transforms by their place.
    factors: Vec<GfElement>,
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
    fn constant(&self, value: GfElement) -> Factor {
        let [low, high] = value.to_le_bytes().map(usize::from);
        let (a, b) = (&self.halves[0][low], &self.halves[1][high]);
        Factor(array::from_fn(|i| {
            _mm256_set1_epi64x((a[i] ^ b[i]).cast_signed())
        }))
    }

    /// That of two parts of `distance` shards each, of which the first begins at that place in the code.
    #[inline]
    #[target_feature(enable = "avx2,gfni")]
    fn factor(&self, place: usize, distance: usize) -> Factor {
        self.constant(self.factors[place + distance - 1])
    }

    /// Those of four parts of `distance` shards each: of the first two, of the others, of both pairs.
    #[inline]
    #[target_feature(enable = "avx2,gfni")]
    fn factors(&self, place: usize, distance: usize) -> [Factor; 3] {
        [0, 2 * distance, distance].map(|ahead| self.factor(place + ahead, distance))
    }

    #[target_feature(enable = "avx2,gfni")]
    fn ifft(
        &self,
        data: &mut ShardsRefMut<'_>,
        first: usize,
        size: usize,
        needed: usize,
        place: usize,
    ) {
        let mut distance = 1;
        while distance * 4 <= size {
            for run in (0..needed).step_by(4 * distance) {
                let factors = self.factors(place + run, distance);
                for at in first + run..first + run + distance {
                    let (a, b, c, d) = data.dist4_mut(at, distance);
                    for units in fours([a, b, c, d]) {
                        let four = units.each_ref().map(|unit| load(unit));
                        put(units, two_layers(four, &factors));
                    }
                }
            }
            distance *= 4;
        }
        if distance < size {
            let factor = self.factor(place, distance);
            for at in first..first + distance {
                let (a, b) = data.dist2_mut(at, distance);
                for (a, b) in a.iter_mut().zip(b) {
                    let two = layer([load(a), load(b)], &factor);
                    put([a, b], two);
                }
            }
        }
    }

    #[target_feature(enable = "avx2,gfni")]
    fn fft(
        &self,
        data: &mut ShardsRefMut<'_>,
        first: usize,
        size: usize,
        needed: usize,
        place: usize,
    ) {
        let mut run_shards = size;
        while run_shards >= 4 {
            let distance = run_shards / 4;
            for run in (0..needed).step_by(run_shards) {
                let factors = self.factors(place + run, distance);
                for at in first + run..first + run + distance {
                    let (a, b, c, d) = data.dist4_mut(at, distance);
                    for units in fours([a, b, c, d]) {
                        let four = units.each_ref().map(|unit| load(unit));
                        put(units, two_layers_back(four, &factors));
                    }
                }
            }
            run_shards = distance;
        }
        if run_shards == 2 {
            for run in (0..needed).step_by(2) {
                let factor = self.factor(place + run, 1);
                let (a, b) = data.dist2_mut(first + run, 1);
                for (a, b) in a.iter_mut().zip(b) {
                    let two = layer_back([load(a), load(b)], &factor);
                    put([a, b], two);
                }
            }
        }
    }

    #[target_feature(enable = "avx2,gfni")]
    fn mul(&self, units: &mut [Unit], log: GfElement) {
        let factor = self.constant(tables::get_exp_log().exp[usize::from(log)]);
        for unit in units {
            *unit = store(times(load(unit), &factor));
        }
    }

    #[target_feature(enable = "avx2,gfni")]
    fn add(&self, sum: &mut [Unit], work: &mut [Unit], block: &Block<'_>) {
        let units = block.units();
        let shards = sum.len() / units;
        let place = block.place(shards);
        if shards.ilog2().is_multiple_of(2) {
            self.transform_each(quarters(work), block, 0, place);
            let factors = self.factors(place, shards / 4);
            for (from, to) in fours(quarters(work)).zip(fours(quarters(sum))) {
                let four = two_layers(from.map(|unit| load(unit)), &factors);
                for (to, transformed) in to.into_iter().zip(four) {
                    *to = store(plus(load(to), transformed));
                }
            }
        } else {
            let half = shards / 2;
            let (a, b) = work.split_at_mut(half * units);
            self.transform(a, block, 0, place);
            self.transform(b, block, half, place);
            let factor = self.factor(place, half);
            let (x, y) = sum.split_at_mut(half * units);
            for (((a, b), x), y) in a.iter().zip(b).zip(x).zip(y) {
                let [a, b] = layer([load(a), load(b)], &factor);
                *x = store(plus(load(x), a));
                *y = store(plus(load(y), b));
            }
        }
    }

    /// Puts the inverse transform of some shards into `to`, a power of four of them, from the one of that number in the
    /// block on. Quarter by quarter, so that most of it happens in the processor's nearest cache.
    #[target_feature(enable = "avx2,gfni")]
    fn transform(&self, to: &mut [Unit], block: &Block<'_>, first: usize, place: usize) {
        let quarter = to.len() / block.units() / 4;
        let factors = self.factors(place + first, quarter);
        if quarter == 1 {
            let shards = array::from_fn(|i| shard(block, first + i));
            for (at, to) in fours(quarters(to)).enumerate() {
                let four = shards.map(|shard: &[Unit]| load(&shard[at]));
                put(to, two_layers(four, &factors));
            }
            return;
        }
        self.transform_each(quarters(to), block, first, place);
        for units in fours(quarters(to)) {
            let four = units.each_ref().map(|unit| load(unit));
            put(units, two_layers(four, &factors));
        }
    }

    #[target_feature(enable = "avx2,gfni")]
    fn transform_each(
        &self,
        parts: [&mut [Unit]; 4],
        block: &Block<'_>,
        first: usize,
        place: usize,
    ) {
        let shards = parts[0].len() / block.units();
        for (number, part) in parts.into_iter().enumerate() {
            self.transform(part, block, first + number * shards, place);
        }
    }
}

/// The matrices of a multiplication, which says where each bit goes.
fn matrices_of(times: impl Fn(GfElement) -> GfElement) -> Matrices {
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
fn put<const N: usize>(to: [&mut Unit; N], elements: [Elements; N]) {
    for (to, elements) in to.into_iter().zip(elements) {
        *to = store(elements);
    }
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

/// A layer of the inverse transform.
#[inline]
#[target_feature(enable = "avx2,gfni")]
fn layer([a, b]: [Elements; 2], factor: &Factor) -> [Elements; 2] {
    let b = plus(a, b);
    [plus(a, times(b, factor)), b]
}

/// Two layers of it.
#[inline]
#[target_feature(enable = "avx2,gfni")]
fn two_layers([a, b, c, d]: [Elements; 4], factors: &[Factor; 3]) -> [Elements; 4] {
    let [a, b] = layer([a, b], &factors[0]);
    let [c, d] = layer([c, d], &factors[1]);
    let [a, c] = layer([a, c], &factors[2]);
    let [b, d] = layer([b, d], &factors[2]);
    [a, b, c, d]
}

/// What undoes [`layer`]: a layer of the transform.
#[inline]
#[target_feature(enable = "avx2,gfni")]
fn layer_back([a, b]: [Elements; 2], factor: &Factor) -> [Elements; 2] {
    let a = plus(a, times(b, factor));
    [a, plus(a, b)]
}

#[inline]
#[target_feature(enable = "avx2,gfni")]
fn two_layers_back([a, b, c, d]: [Elements; 4], factors: &[Factor; 3]) -> [Elements; 4] {
    let [a, c] = layer_back([a, c], &factors[2]);
    let [b, d] = layer_back([b, d], &factors[2]);
    let [a, b] = layer_back([a, b], &factors[0]);
    let [c, d] = layer_back([c, d], &factors[1]);
    [a, b, c, d]
}

fn shard<'a>(block: &'a Block<'_>, number: usize) -> &'a [Unit] {
    static ZEROS: [u8; SHARD] = [0; SHARD];
    let shard = block.shards.get(number).unwrap_or(&ZEROS);
    shard[block.range.clone()].as_chunks().0
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
