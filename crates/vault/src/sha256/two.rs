//! Two SHA-256 states forward by a block each, turn about: the processor's instructions for SHA wait for one another
//! within a state, and not across two (1.8 GB/s a core with one, 3.2 with two, on an AMD EPYC). All that is
//! `unsafe` is entering code that needs these instructions, after asking whether they are there.

use super::{BLOCK, State, one};

/// Compresses one block after the other into each state, as many as both have.
pub(super) fn compress(states: [&mut State; 2], blocks: [&[[u8; BLOCK]]; 2]) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("sha")
        && std::arch::is_x86_feature_detected!("ssse3")
        && std::arch::is_x86_feature_detected!("sse4.1")
    {
        #[expect(unsafe_code, reason = "no crate hashes two streams at once")]
        // SAFETY: the processor was just asked for everything that the function is compiled for.
        unsafe {
            x86::compress(states, blocks);
        }
        return;
    }
    let both = blocks[0].len().min(blocks[1].len());
    for (state, blocks) in states.into_iter().zip(blocks) {
        one(state, &blocks[..both]);
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_extract_epi32, _mm_set_epi32, _mm_set_epi64x,
        _mm_setzero_si128, _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32,
        _mm_shuffle_epi8, _mm_shuffle_epi32,
    };

    use super::super::ROUND_CONSTANTS;
    use super::{BLOCK, State};

    /// The instructions want a state's words as ABEF and CDGH.
    type Halves = (__m128i, __m128i);

    #[target_feature(enable = "sha,ssse3,sse4.1")]
    pub(super) fn compress(states: [&mut State; 2], blocks: [&[[u8; BLOCK]]; 2]) {
        let mut halves = [split(states[0]), split(states[1])];
        for (a, b) in blocks[0].iter().zip(blocks[1]) {
            let before = halves;
            let mut words = [load(a), load(b)];
            // Four quads of rounds at a time, so that each finds its words under a fixed name.
            macro_rules! quads {
                ($($quad:literal: $w0:literal $w1:literal $w2:literal $w3:literal;)*) => {$(
                    let constants = round_constants($quad);
                    for (halves, words) in halves.iter_mut().zip(&mut words) {
                        rounds(halves, _mm_add_epi32(words[$w0], constants));
                        if $quad < 12 {
                            words[$w0] = scheduled(words[$w0], words[$w1], words[$w2], words[$w3]);
                        }
                    }
                )*};
            }
            quads! {
                0: 0 1 2 3; 1: 1 2 3 0; 2: 2 3 0 1; 3: 3 0 1 2;
                4: 0 1 2 3; 5: 1 2 3 0; 6: 2 3 0 1; 7: 3 0 1 2;
                8: 0 1 2 3; 9: 1 2 3 0; 10: 2 3 0 1; 11: 3 0 1 2;
                12: 0 1 2 3; 13: 1 2 3 0; 14: 2 3 0 1; 15: 3 0 1 2;
            }
            for (halves, before) in halves.iter_mut().zip(before) {
                halves.0 = _mm_add_epi32(halves.0, before.0);
                halves.1 = _mm_add_epi32(halves.1, before.1);
            }
        }
        for (state, halves) in states.into_iter().zip(halves) {
            *state = joined(halves);
        }
    }

    /// Four rounds with four words of the schedule, constants added.
    #[inline]
    #[target_feature(enable = "sha,ssse3,sse4.1")]
    fn rounds((abef, cdgh): &mut Halves, words: __m128i) {
        *cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, words);
        *abef = _mm_sha256rnds2_epu32(*abef, *cdgh, _mm_shuffle_epi32(words, 0x0e));
    }

    /// The four words of the schedule that follow sixteen.
    #[inline]
    #[target_feature(enable = "sha,ssse3,sse4.1")]
    fn scheduled(w0: __m128i, w1: __m128i, w2: __m128i, w3: __m128i) -> __m128i {
        let sum = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8(w3, w2, 4));
        _mm_sha256msg2_epu32(sum, w3)
    }

    #[inline]
    #[target_feature(enable = "sha,ssse3,sse4.1")]
    fn round_constants(quad: usize) -> __m128i {
        let [a, b, c, d] = ROUND_CONSTANTS[quad].map(u32::cast_signed);
        _mm_set_epi32(d, c, b, a)
    }

    /// A block's sixteen words, big-endian in memory.
    #[inline]
    #[target_feature(enable = "sha,ssse3,sse4.1")]
    fn load(block: &[u8; BLOCK]) -> [__m128i; 4] {
        let swap = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
        let (halves, _) = block.as_chunks::<8>();
        let mut words = [_mm_setzero_si128(); 4];
        for (words, halves) in words.iter_mut().zip(halves.as_chunks::<2>().0) {
            let [low, high] = halves.map(i64::from_le_bytes);
            *words = _mm_shuffle_epi8(_mm_set_epi64x(high, low), swap);
        }
        words
    }

    #[target_feature(enable = "sha,ssse3,sse4.1")]
    fn split(state: &State) -> Halves {
        let words = state.map(u32::cast_signed);
        let half =
            |at: usize| _mm_set_epi32(words[at], words[at + 1], words[at + 4], words[at + 5]);
        (half(0), half(2))
    }

    #[target_feature(enable = "sha,ssse3,sse4.1")]
    fn joined((abef, cdgh): Halves) -> State {
        [
            _mm_extract_epi32(abef, 3),
            _mm_extract_epi32(abef, 2),
            _mm_extract_epi32(cdgh, 3),
            _mm_extract_epi32(cdgh, 2),
            _mm_extract_epi32(abef, 1),
            _mm_extract_epi32(abef, 0),
            _mm_extract_epi32(cdgh, 1),
            _mm_extract_epi32(cdgh, 0),
        ]
        .map(i32::cast_unsigned)
    }
}
