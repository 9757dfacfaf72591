//! Poly1305, the one-time authenticator of RFC 8439.
//!
//! A polynomial over the field of 2^130 - 5 in three words of 64 bits, one block a step. It is
//! written out here because published ones prepare tables for long inputs, which costs a message
//! of 100 bytes several times what this takes for all of it. No branch and no index depends on
//! the key or on what is hashed. Tests compare it with the published crate.
//!
//! It must not know what it authenticates: padding is the caller's.

use zeroize::Zeroize as _;

/// Bytes of a block.
pub(crate) const BLOCK_LEN: usize = 16;
/// Bytes of a tag.
pub(crate) const TAG_LEN: usize = 16;

/// The sum so far. A key is good for one message.
pub(crate) struct Poly1305 {
    /// The sum, below 2^130 and a little; the third word stays below 8.
    sum: [u64; 3],
    /// The point at which the polynomial is evaluated, with its 22 cleared bits.
    point: [u64; 2],
    /// Added to the sum at the end.
    pad: [u64; 2],
}

impl Poly1305 {
    /// Starts a message with its one-time key.
    #[inline]
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        let [r0, r1, s0, s1] = words(key);
        Self {
            sum: [0; 3],
            point: [r0 & 0x0fff_fffc_0fff_ffff, r1 & 0x0fff_fffc_0fff_fffc],
            pad: [s0, s1],
        }
    }

    /// Adds whole blocks.
    #[inline]
    pub(crate) fn update(&mut self, blocks: &[[u8; BLOCK_LEN]]) {
        let mut sum = self.sum;
        for block in blocks {
            sum = step(sum, self.point, words(block), 1);
        }
        self.sum = sum;
    }

    /// Adds the rest, of any length, and gives the tag.
    #[inline]
    pub(crate) fn finish(mut self, rest: &[u8]) -> [u8; TAG_LEN] {
        let (blocks, last) = rest.as_chunks();
        self.update(blocks);
        if !last.is_empty() {
            // A short block ends in a one and zeros, instead of having the one behind it.
            let mut block = [0; BLOCK_LEN];
            for (to, byte) in block.iter_mut().zip(last.iter().chain(&[1])) {
                *to = *byte;
            }
            self.sum = step(self.sum, self.point, words(&block), 0);
        }
        self.tag()
    }

    /// The sum modulo 2^130 - 5, plus the pad, modulo 2^128.
    fn tag(&self) -> [u8; TAG_LEN] {
        let [h0, h1, h2] = self.sum;
        // Adding 5 carries into bit 130 exactly if the sum is 2^130 - 5 or more.
        let (g0, carry) = h0.carrying_add(5, false);
        let (g1, carry) = h1.carrying_add(0, carry);
        let g2 = h2.wrapping_add(u64::from(carry));
        let reduced = 0_u64.wrapping_sub(g2 >> 2);
        let h0 = (h0 & !reduced) | (g0 & reduced);
        let h1 = (h1 & !reduced) | (g1 & reduced);
        let [s0, s1] = self.pad;
        let (t0, carry) = h0.carrying_add(s0, false);
        let (t1, _) = h1.carrying_add(s1, carry);
        (u128::from(t1) << 64 | u128::from(t0)).to_le_bytes()
    }
}

impl Drop for Poly1305 {
    #[inline]
    fn drop(&mut self) {
        self.sum.zeroize();
        self.point.zeroize();
        self.pad.zeroize();
    }
}

/// `(sum + block + high * 2^128) * point`, reduced to 130 bits and a little.
#[inline(always)]
fn step(sum: [u64; 3], point: [u64; 2], block: [u64; 2], high: u64) -> [u64; 3] {
    let [h0, h1, h2] = sum;
    let [r0, r1] = point;
    let (h0, carry) = h0.carrying_add(block[0], false);
    let (h1, carry) = h1.carrying_add(block[1], carry);
    let h2 = h2.wrapping_add(high).wrapping_add(u64::from(carry));

    // 2^128 is 5/4 in this field and the low two bits of r1 are clear, so r1 * 2^128 is this.
    let r1_folded = r1.wrapping_add(r1 >> 2);
    // The 22 clear bits of the point leave room for each of these sums.
    let d0 = product(h0, r0).wrapping_add(product(h1, r1_folded));
    let d1 = product(h0, r1)
        .wrapping_add(product(h1, r0))
        .wrapping_add(u128::from(h2.wrapping_mul(r1_folded)))
        .wrapping_add(d0 >> 64);
    let d2 = h2.wrapping_mul(r0).wrapping_add(high_word(d1));

    // What stands above 2^130 comes back five times: (d2 / 4) * 5 = d2 / 4 + (d2 with its two
    // low bits cleared).
    let folded = (d2 >> 2).wrapping_add(d2 & !3);
    let (h0, carry) = low_word(d0).carrying_add(folded, false);
    let (h1, carry) = low_word(d1).carrying_add(0, carry);
    [h0, h1, (d2 & 3).wrapping_add(u64::from(carry))]
}

#[inline(always)]
fn product(a: u64, b: u64) -> u128 {
    u128::from(a).wrapping_mul(u128::from(b))
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is what is asked for")]
#[inline(always)]
fn low_word(value: u128) -> u64 {
    value as u64
}

#[inline(always)]
fn high_word(value: u128) -> u64 {
    low_word(value >> 64)
}

/// The little-endian words of `bytes`.
#[inline(always)]
fn words<const BYTES: usize, const WORDS: usize>(bytes: &[u8; BYTES]) -> [u64; WORDS] {
    let mut words = [0; WORDS];
    for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use poly1305::universal_hash::KeyInit as _;

    use super::*;
    use crate::testing::{hex, unhex, unhex_array};

    fn tag(key: &[u8; 32], message: &[u8]) -> [u8; TAG_LEN] {
        Poly1305::new(key).finish(message)
    }

    /// The key (r, then s), the message and the tag of the vectors of RFC 8439, section A.3: those
    /// that reach the borders of the field. The last is our own: what is folded back carries
    /// through all words.
    const BORDERS: [(&str, &str, &str, &str); 6] = [
        (
            "02000000000000000000000000000000",
            "00000000000000000000000000000000",
            "ffffffffffffffffffffffffffffffff",
            "03000000000000000000000000000000",
        ),
        (
            "02000000000000000000000000000000",
            "ffffffffffffffffffffffffffffffff",
            "02000000000000000000000000000000",
            "03000000000000000000000000000000",
        ),
        (
            "01000000000000000000000000000000",
            "00000000000000000000000000000000",
            "fffffffffffffffffffffffffffffffff0ffffffffffffffffffffffffffffff\
             11000000000000000000000000000000",
            "05000000000000000000000000000000",
        ),
        (
            "01000000000000000000000000000000",
            "00000000000000000000000000000000",
            "fffffffffffffffffffffffffffffffffbfefefefefefefefefefefefefefefe\
             01010101010101010101010101010101",
            "00000000000000000000000000000000",
        ),
        (
            "02000000000000000000000000000000",
            "00000000000000000000000000000000",
            "fdffffffffffffffffffffffffffffff",
            "faffffffffffffffffffffffffffffff",
        ),
        (
            "01000000000000000000000000000000",
            "00000000000000000000000000000000",
            "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
             ffffffffffffffffffffffffffffffff\
             000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
            "09000000000000000000000000000000",
        ),
    ];

    #[test]
    fn borders_of_the_field() {
        for (point, pad, message, expected) in BORDERS {
            let key = unhex_array(&format!("{point}{pad}"));
            let message = unhex(message);
            assert_eq!(hex(tag(&key, &message)), expected, "{message:?}");
            assert_eq!(hex(published(&key, &message)), expected, "{message:?}");
        }
    }

    /// Bytes at which carries happen as often as they do not.
    fn extreme_bytes(
        len: impl Into<prop::collection::SizeRange>,
    ) -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![Just(0), Just(1), Just(0xfb), Just(0xfe), Just(0xff), any::<u8>()];
        prop::collection::vec(byte, len)
    }

    fn published(key: &[u8; 32], message: &[u8]) -> [u8; TAG_LEN] {
        poly1305::Poly1305::new(key.into()).compute_unpadded(message).into()
    }

    proptest! {
        #[test]
        fn same_as_the_published_crate(
            key in extreme_bytes(32),
            message in extreme_bytes(0..300),
            cut in 0_usize..10,
        ) {
            let key = key.try_into().unwrap();
            prop_assert_eq!(tag(&key, &message), published(&key, &message));

            let (blocks, _) = message.as_chunks();
            let cut = cut.min(blocks.len());
            let mut in_parts = Poly1305::new(&key);
            in_parts.update(&blocks[..cut]);
            prop_assert_eq!(in_parts.finish(&message[cut * BLOCK_LEN..]), tag(&key, &message));
        }
    }

    #[test]
    fn long_messages_are_the_same_too() {
        for len in [4096, 65_536, 1 << 20] {
            let message = vec![0xff; len];
            assert_eq!(tag(&[0xff; 32], &message), published(&[0xff; 32], &message), "{len}");
        }
    }
}
