//! SHA-256 (FIPS 180-4) of several streams at once, for as little as can be: most bytes are hashed twice, as part of their
//! asset and as their chunk, and chunks come in numbers. A single stream's blocks are the crate `sha2`'s work.

mod two;

use crate::ids::Digest;

/// Bytes taken in at a time.
const BLOCK: usize = 64;

/// Eight words, A to H.
type State = [u32; 8];

const INITIAL: State = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// Constants of the 64 rounds, four together.
const ROUND_CONSTANTS: [[u32; 4]; 16] = [
    [0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5],
    [0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5],
    [0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3],
    [0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174],
    [0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc],
    [0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da],
    [0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7],
    [0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967],
    [0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13],
    [0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85],
    [0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3],
    [0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070],
    [0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5],
    [0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3],
    [0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208],
    [0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2],
];

fn one(state: &mut State, blocks: &[[u8; BLOCK]]) {
    sha2::block_api::compress256(state, blocks);
}

fn digest(state: State) -> Digest {
    let mut bytes = [0; 32];
    for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    Digest::new(bytes)
}

/// The last one or two blocks of a stream: the bytes that fill no block, and its length.
#[derive(Clone, Copy)]
struct Tail {
    blocks: [[u8; BLOCK]; 2],
    count: usize,
}

impl Tail {
    /// `rest` is shorter than a block, `length` in bytes.
    fn new(rest: &[u8], length: u64) -> Self {
        let mut blocks = [[0; BLOCK]; 2];
        let bytes = blocks.as_flattened_mut();
        bytes[..rest.len()].copy_from_slice(rest);
        bytes[rest.len()] = 0x80;
        let count = if rest.len() + 9 > BLOCK { 2 } else { 1 };
        let end = count * BLOCK;
        bytes[end - 8..end].copy_from_slice(&(length * 8).to_be_bytes());
        Self { blocks, count }
    }

    fn blocks(&self) -> &[[u8; BLOCK]] {
        &self.blocks[..self.count]
    }
}

/// The digests of messages, two at a time: the longest first, so that little of the last one is left to go alone.
pub(crate) fn of_each<'a>(messages: impl IntoIterator<Item = &'a [u8]>) -> Vec<Digest> {
    let mut messages: Vec<_> = messages.into_iter().enumerate().collect();
    messages.sort_by_key(|(_, message)| message.len());
    let mut digests = vec![Digest::EMPTY; messages.len()];
    let mut next = || {
        let (at, message) = messages.pop()?;
        Some(Lane::new(at, message))
    };
    let mut put = |lane: &Lane<'_>| digests[lane.at] = digest(lane.state);
    let mut lanes = [next(), next()];
    while let [Some(a), Some(b)] = &mut lanes {
        let [(a_state, a_blocks), (b_state, b_blocks)] = [a.ahead(), b.ahead()];
        let both = a_blocks.len().min(b_blocks.len());
        two::compress([a_state, b_state], [a_blocks, b_blocks]);
        for lane in &mut lanes {
            let done = lane.take_if(|lane| lane.advance(both));
            if let Some(done) = done {
                put(&done);
                *lane = next();
            }
        }
    }
    for mut lane in lanes.into_iter().flatten() {
        one(&mut lane.state, lane.body);
        one(&mut lane.state, &lane.tail.blocks()[lane.tail_done..]);
        put(&lane);
    }
    digests
}

/// A message on its way.
struct Lane<'a> {
    at: usize,
    state: State,
    /// Blocks that are still to come.
    body: &'a [[u8; BLOCK]],
    tail: Tail,
    tail_done: usize,
}

impl<'a> Lane<'a> {
    fn new(at: usize, message: &'a [u8]) -> Self {
        let (body, rest) = message.as_chunks();
        Self {
            at,
            state: INITIAL,
            body,
            tail: Tail::new(rest, message.len() as u64),
            tail_done: 0,
        }
    }

    /// The state, and blocks that lie one after the other and are next.
    fn ahead(&mut self) -> (&mut State, &[[u8; BLOCK]]) {
        let blocks = match self.body {
            [] => &self.tail.blocks()[self.tail_done..],
            body => body,
        };
        (&mut self.state, blocks)
    }

    /// So many of them were taken in; tells whether that was all.
    fn advance(&mut self, blocks: usize) -> bool {
        match self.body {
            [] => self.tail_done += blocks,
            body => self.body = &body[blocks..],
        }
        self.tail_done == self.tail.count
    }
}

/// A stream's SHA-256 while its bytes go by.
#[derive(Clone)]
pub(crate) struct Sha256 {
    state: State,
    /// Bytes that fill no block yet, at its beginning.
    pending: [u8; BLOCK],
    filled: usize,
    /// Bytes until now.
    length: u64,
}

impl Default for Sha256 {
    fn default() -> Self {
        Self {
            state: INITIAL,
            pending: [0; BLOCK],
            filled: 0,
            length: 0,
        }
    }
}

impl Sha256 {
    /// Takes in the next bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        let (blocks, rest) = self.complete_block(bytes).as_chunks();
        one(&mut self.state, blocks);
        self.keep(rest);
    }

    /// Takes in the next bytes, and gives the digest of these alone.
    pub(crate) fn update_and_digest(&mut self, bytes: &[u8]) -> Digest {
        let (own_blocks, own_rest) = bytes.as_chunks();
        let mut own = INITIAL;
        let (blocks, rest) = self.complete_block(bytes).as_chunks();
        let both = blocks.len().min(own_blocks.len());
        two::compress([&mut self.state, &mut own], [blocks, own_blocks]);
        one(&mut self.state, &blocks[both..]);
        one(&mut own, &own_blocks[both..]);
        one(&mut own, Tail::new(own_rest, bytes.len() as u64).blocks());
        self.keep(rest);
        digest(own)
    }

    /// The digest of all that was taken in.
    pub(crate) fn finish(mut self) -> Digest {
        let tail = Tail::new(&self.pending[..self.filled], self.length);
        one(&mut self.state, tail.blocks());
        digest(self.state)
    }

    /// Fills the block that was begun; gives what is left, nothing if that does not fill it.
    fn complete_block<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        self.length += bytes.len() as u64;
        if self.filled == 0 {
            return bytes;
        }
        let (now, rest) = bytes.split_at(bytes.len().min(BLOCK - self.filled));
        self.keep(now);
        if self.filled == BLOCK {
            one(&mut self.state, &[self.pending]);
            self.filled = 0;
        }
        rest
    }

    fn keep(&mut self, rest: &[u8]) {
        self.pending[self.filled..][..rest.len()].copy_from_slice(rest);
        self.filled += rest.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that repeat at no power of two.
    fn bytes(length: usize, from: usize) -> Vec<u8> {
        (from..from + length)
            .map(|n| (n % 251).to_le_bytes()[0])
            .collect()
    }

    #[test]
    fn digests_are_those_of_the_crate_sha2_for_every_length_around_blocks() {
        let messages: Vec<Vec<u8>> = (0..600).map(|n| bytes(n, 3 * n)).collect();
        let expected: Vec<Digest> = messages.iter().map(|m| Digest::of(m)).collect();
        assert_eq!(of_each(messages.iter().map(Vec::as_slice)), expected);
        // Lengths far apart: one lane takes several while the other has one.
        for few in 0..6 {
            let mut mixed = vec![&messages[599][..], &messages[3], &messages[64]];
            mixed.extend([&messages[0][..], &messages[128], &messages[599]]);
            let mixed = &mixed[..few];
            let expected: Vec<Digest> = mixed.iter().map(|m| Digest::of(m)).collect();
            assert_eq!(of_each(mixed.iter().copied()), expected);
        }
    }

    #[test]
    fn a_stream_and_its_pieces_have_the_digests_of_the_crate_sha2() {
        for lengths in [
            [0, 1, 63],
            [64, 0, 64],
            [65, 62, 1],
            [5, 6, 7],
            [1000, 55, 129],
            [200, 700, 56],
        ] {
            let mut stream = Sha256::default();
            let mut all = Vec::new();
            for (n, length) in lengths.into_iter().enumerate() {
                let piece = bytes(length, 17 * n);
                all.extend_from_slice(&piece);
                if n == 1 {
                    stream.update(&piece);
                } else {
                    assert_eq!(stream.update_and_digest(&piece), Digest::of(&piece));
                }
                assert_eq!(stream.clone().finish(), Digest::of(&all), "{lengths:?}");
            }
        }
    }
}
