//! The ChaCha20 keystream of RFC 8439, several blocks at once.
//!
//! Vectors hold the same word of neighbouring blocks, in as many lanes as the processor has: found
//! when a stream starts, by `fearless_simd`, which also says how without unsafe code here. Only
//! additions, exclusive ors and rotations are done, so time does not depend on what is secret.
//! It is written out here for speed, which `docs/decisions.md` has figures of; tests compare it
//! with the published crate.
//!
//! The first four blocks are always made together, at the price of one: they hold the
//! authenticator's key, in a message its tag block, and all that a short message needs.
//!
//! It must not know messages, only where in the stream their bytes begin.

use fearless_simd::{Level, Simd, SimdBase as _, SimdInt, dispatch, u32x4};
use zeroize::{Zeroize as _, Zeroizing};

/// Bytes of a block of the keystream.
pub(crate) const BLOCK_LEN: usize = 64;
/// Blocks that are made at once at the start, and in the rest of a message where they suffice.
const STRIDE_BLOCKS: usize = 4;
/// Bytes of those blocks.
pub(crate) const STRIDE_LEN: usize = STRIDE_BLOCKS * BLOCK_LEN;

/// A place for the first blocks, which outlives the messages, so that it need not be wiped for
/// each.
pub(crate) type Stride = [u8; STRIDE_LEN];

/// "expand 32-byte k", as words.
const CONSTANTS: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];

/// What the processor can do. Cheap to copy, not quite as cheap to find out.
#[derive(Clone, Copy)]
pub(crate) struct Processor(Level);

impl Processor {
    /// Finds out.
    pub(crate) fn new() -> Self {
        Self(Level::new())
    }
}

/// The keystream of one key and nonce.
pub(crate) struct Keystream<'a> {
    processor: Processor,
    /// What the next block is made from.
    input: Input,
    /// Blocks 0 to 3.
    stride: &'a mut Stride,
}

impl<'a> Keystream<'a> {
    /// Starts at block 0.
    #[inline]
    pub(crate) fn start(
        processor: Processor,
        key: &[u8; 32],
        nonce: &[u8; 12],
        stride: &'a mut Stride,
    ) -> Self {
        let mut input = Input::new(key, 0, nonce);
        stride.fill(0);
        dispatch!(processor.0, simd => apply(simd, &mut input, stride));
        Self { processor, input, stride }
    }

    /// The one-time key of the message's authenticator, from block 0.
    #[inline]
    pub(crate) fn authenticator_key(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(leading(self.stride))
    }

    /// Block 1.
    #[inline]
    pub(crate) fn second_block(&self) -> [u8; BLOCK_LEN] {
        let (_, rest) = self.stride.split_at(BLOCK_LEN);
        leading(rest)
    }

    /// Encrypts or decrypts `data` with what stands in the keystream from byte `offset` of the
    /// first four blocks on.
    #[inline]
    pub(crate) fn apply(mut self, offset: usize, data: &mut [u8]) {
        let first = self.stride.get(offset..).unwrap_or_default();
        let (head, rest) = data.split_at_mut(data.len().min(first.len()));
        for (byte, key) in head.iter_mut().zip(first) {
            *byte ^= key;
        }
        if !rest.is_empty() {
            dispatch!(self.processor.0, simd => apply(simd, &mut self.input, rest));
        }
    }
}

/// The key under which a stream with a long nonce runs (HChaCha20).
pub(crate) fn derive(
    processor: Processor,
    key: &[u8; 32],
    nonce: &[u8; 16],
) -> Zeroizing<[u8; 32]> {
    let [counter @ .., _, _, _, _, _, _, _, _, _, _, _, _] = nonce;
    let [_, _, _, _, nonce @ ..] = nonce;
    let input = Input::new(key, u32::from_le_bytes(*counter), nonce);
    let words = dispatch!(processor.0, simd => mixed_once(simd, &input));
    let [w0, w1, w2, w3, .., w12, w13, w14, w15] = words;
    let mut derived = Zeroizing::new([0; 32]);
    let words = [w0, w1, w2, w3, w12, w13, w14, w15];
    for (bytes, word) in derived.as_chunks_mut().0.iter_mut().zip(words) {
        *bytes = word.to_le_bytes();
    }
    derived
}

/// The first bytes of `bytes`, of which there are enough.
#[inline]
fn leading<const LEN: usize>(bytes: &[u8]) -> [u8; LEN] {
    let mut taken = [0; LEN];
    for (to, byte) in taken.iter_mut().zip(bytes) {
        *to = *byte;
    }
    taken
}

/// The sixteen words that a block is made from. Wiped when dropped.
struct Input {
    key: [u32; 8],
    counter: u32,
    nonce: [u32; 3],
}

impl Input {
    #[inline]
    fn new(key: &[u8; 32], counter: u32, nonce: &[u8; 12]) -> Self {
        let mut input = Self { key: [0; 8], counter, nonce: [0; 3] };
        let bytes = key.as_chunks().0.iter().chain(nonce.as_chunks().0);
        for (word, bytes) in input.key.iter_mut().chain(&mut input.nonce).zip(bytes) {
            *word = u32::from_le_bytes(*bytes);
        }
        input
    }

    /// The words for as many blocks as a vector has lanes, from the next one on.
    #[inline(always)]
    #[expect(clippy::arithmetic_side_effects, reason = "lanes wrap around")]
    fn spread<S: Simd, V: SimdInt<S, Element = u32>>(&self, simd: S) -> [V; 16] {
        let all = |word| V::splat(simd, word);
        let [c0, c1, c2, c3] = CONSTANTS.map(all);
        let [k0, k1, k2, k3, k4, k5, k6, k7] = self.key.map(all);
        let lanes: [u32; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
        let lanes = lanes.get(..V::LEN).unwrap_or(&lanes);
        let counter = all(self.counter) + V::from_slice(simd, lanes);
        let [n0, n1, n2] = self.nonce.map(all);
        [c0, c1, c2, c3, k0, k1, k2, k3, k4, k5, k6, k7, counter, n0, n1, n2]
    }
}

impl Drop for Input {
    #[inline]
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

/// Changes `data` with the keystream from the next block on.
#[inline(always)]
fn apply<S: Simd>(simd: S, input: &mut Input, data: &mut [u8]) {
    for part in data.chunks_mut(S::u32s::LEN.wrapping_mul(BLOCK_LEN)) {
        if part.len() <= STRIDE_LEN {
            apply_blocks::<S, u32x4<S>>(simd, input, part);
        } else {
            apply_blocks::<S, S::u32s>(simd, input, part);
        }
    }
}

/// Changes `data`, which has no more bytes than as many blocks as a vector has lanes.
#[inline(always)]
#[expect(clippy::arithmetic_side_effects, reason = "lanes wrap around")]
fn apply_blocks<S: Simd, V: SimdInt<S, Element = u32>>(
    simd: S,
    input: &mut Input,
    data: &mut [u8],
) {
    let start: [V; 16] = input.spread(simd);
    let mut words = mix(start);
    for (word, start) in words.iter_mut().zip(start) {
        *word += start;
    }
    input.counter = input.counter.wrapping_add(u32::try_from(V::LEN).unwrap_or(u32::MAX));

    // The place of a word has the bits of its number, which choose a vector, above those of its
    // block, which choose a lane. A perfect shuffle turns all bits of the place by one, so after
    // four the bits of the block are on top: vector after vector, this is block after block.
    for _ in 0..4 {
        words = shuffle(words);
    }
    for (part, keystream) in data.chunks_mut(V::LEN.wrapping_mul(4)).zip(&words) {
        let (whole, rest) = part.as_chunks_mut();
        let mut keystream = keystream.as_slice().iter();
        for (bytes, word) in whole.iter_mut().zip(&mut keystream) {
            *bytes = (u32::from_le_bytes(*bytes) ^ word).to_le_bytes();
        }
        let last = keystream.next().copied().unwrap_or(0).to_le_bytes();
        for (byte, key) in rest.iter_mut().zip(last) {
            *byte ^= key;
        }
    }
}

/// Deals the lower and the upper half of all words alternately.
#[inline(always)]
fn shuffle<S: Simd, V: SimdInt<S, Element = u32>>(words: [V; 16]) -> [V; 16] {
    let mut dealt = words;
    let (lower, upper) = words.split_at(8);
    for ((pair, lower), upper) in dealt.as_chunks_mut().0.iter_mut().zip(lower).zip(upper) {
        *pair = lower.interleave(*upper).into();
    }
    dealt
}

/// The words of one block, mixed, but without the input added again.
#[inline(always)]
fn mixed_once<S: Simd>(simd: S, input: &Input) -> [u32; 16] {
    let words: [u32x4<S>; 16] = mix(input.spread(simd));
    words.map(|word| word.as_slice().first().copied().unwrap_or(0))
}

/// Twenty rounds.
#[inline(always)]
fn mix<S: Simd, V: SimdInt<S, Element = u32>>(words: [V; 16]) -> [V; 16] {
    let [mut a0, mut a1, mut a2, mut a3, rest @ ..] = words;
    let [mut b0, mut b1, mut b2, mut b3, rest @ ..] = rest;
    let [mut c0, mut c1, mut c2, mut c3, mut d0, mut d1, mut d2, mut d3] = rest;
    for _ in 0..10 {
        (a0, b0, c0, d0) = quarter_round(a0, b0, c0, d0);
        (a1, b1, c1, d1) = quarter_round(a1, b1, c1, d1);
        (a2, b2, c2, d2) = quarter_round(a2, b2, c2, d2);
        (a3, b3, c3, d3) = quarter_round(a3, b3, c3, d3);
        (a0, b1, c2, d3) = quarter_round(a0, b1, c2, d3);
        (a1, b2, c3, d0) = quarter_round(a1, b2, c3, d0);
        (a2, b3, c0, d1) = quarter_round(a2, b3, c0, d1);
        (a3, b0, c1, d2) = quarter_round(a3, b0, c1, d2);
    }
    [a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3]
}

#[inline(always)]
#[expect(clippy::arithmetic_side_effects, reason = "lanes wrap around")]
fn quarter_round<S: Simd, V: SimdInt<S, Element = u32>>(a: V, b: V, c: V, d: V) -> (V, V, V, V) {
    let a = a + b;
    let d = rotate::<16, S, V>(d ^ a);
    let c = c + d;
    let b = rotate::<12, S, V>(b ^ c);
    let a = a + b;
    let d = rotate::<8, S, V>(d ^ a);
    let c = c + d;
    let b = rotate::<7, S, V>(b ^ c);
    (a, b, c, d)
}

#[inline(always)]
#[expect(clippy::arithmetic_side_effects, reason = "all rotations are by 1 to 31 bits")]
fn rotate<const BITS: u32, S: Simd, V: SimdInt<S, Element = u32>>(word: V) -> V {
    (word << BITS) | (word >> (32 - BITS))
}

#[cfg(test)]
mod tests {
    use chacha20::cipher::{KeyIvInit as _, StreamCipher as _, StreamCipherSeek as _};
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{hex, unhex_array};

    /// All that this processor can pass for.
    fn processors() -> Vec<Processor> {
        let best = Level::new();
        #[cfg_attr(not(target_arch = "x86_64"), expect(unused_mut, reason = "nothing is pushed"))]
        let mut levels = vec![best, Level::fallback()];
        #[cfg(target_arch = "x86_64")]
        {
            levels.extend(best.as_avx2().map(Level::Avx2));
            levels.extend(best.as_sse4_2().map(Level::Sse4_2));
            levels.extend(best.as_sse2().map(Level::Sse2));
        }
        levels.into_iter().map(Processor).collect()
    }

    fn published(key: &[u8; 32], nonce: &[u8; 12], offset: u32, data: &mut [u8]) {
        let mut cipher = chacha20::ChaCha20::new(key.into(), nonce.into());
        cipher.seek(offset);
        cipher.apply_keystream(data);
    }

    /// From byte 64 and 128 on, as handshakes and messages do.
    fn check(key: &[u8; 32], nonce: &[u8; 12], data: &[u8]) {
        let mut first = [0; STRIDE_LEN];
        published(key, nonce, 0, &mut first);
        for offset in [64, 128] {
            let mut expected = data.to_vec();
            published(key, nonce, offset, &mut expected);
            for processor in processors() {
                let (mut stride, mut data) = ([0xaa; STRIDE_LEN], data.to_vec());
                let keystream = Keystream::start(processor, key, nonce, &mut stride);
                assert_eq!(keystream.authenticator_key()[..], first[..32]);
                assert_eq!(keystream.second_block()[..], first[64..128]);
                keystream.apply(offset as usize, &mut data);
                assert!(data == expected, "{} bytes, {:?}", data.len(), processor.0);
            }
        }
    }

    #[test]
    fn every_length_up_to_several_vectors() {
        let data: Vec<u8> = (0..5000).map(|at: u32| (at * 7 + at / 256) as u8).collect();
        for len in (0..1400).chain([4095, 4096, 4097, 5000]) {
            check(&[0x5a; 32], &[0xc3; 12], &data[..len]);
        }
    }

    proptest! {
        #[test]
        fn same_as_the_published_crate(
            key: [u8; 32],
            nonce: [u8; 12],
            data in prop::collection::vec(any::<u8>(), 0..3000),
        ) {
            check(&key, &nonce, &data);
        }

        #[test]
        fn derived_keys_are_the_same_too(key: [u8; 32], nonce: [u8; 16]) {
            let expected = chacha20::hchacha::<chacha20::R20>(&key.into(), &nonce.into());
            for processor in processors() {
                let derived = derive(processor, &key, &nonce);
                prop_assert_eq!(derived.as_slice(), expected.as_slice());
            }
        }
    }

    /// RFC 8439, section 2.4.2: the beginning of its example.
    #[test]
    fn as_specified() {
        let key: [u8; 32] = std::array::from_fn(|at| at as u8);
        let nonce = unhex_array("000000000000004a00000000");
        let expected =
            "6e2e359a2568f98041ba0728dd0d6981e97e7aec1d4360c20a27afccfd9fae0bf91b65c5524733ab";
        for processor in processors() {
            let mut data = *b"Ladies and Gentlemen of the class of '99";
            let mut stride = [0; STRIDE_LEN];
            Keystream::start(processor, &key, &nonce, &mut stride).apply(BLOCK_LEN, &mut data);
            assert_eq!(hex(data), expected);
        }
    }
}
