//! Bits in bytes, the most significant first.
//!
//! Works on bytes, not bit by bit; knows no pages.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "bits are those of slices in memory, and numbers of bytes far below usize::MAX / 8"
)]

use std::ops::Range;

/// Place and mask of a bit.
const fn place(bit: usize) -> (usize, u8) {
    (bit / 8, 0x80 >> (bit % 8))
}

/// Whether the bit is set; past the end it is not.
pub(super) fn get(bytes: &[u8], bit: usize) -> bool {
    let (byte, mask) = place(bit);
    bytes.get(byte).is_some_and(|byte| byte & mask != 0)
}

/// Sets or clears a range of bits, as far as there are bytes; whether any of them changed.
pub(super) fn fill(bytes: &mut [u8], bits: Range<usize>, value: bool) -> bool {
    if bits.is_empty() {
        return false;
    }
    let (first, last) = (bits.start / 8, (bits.end - 1) / 8);
    // Ones from the first bit of the range, and up to its last one.
    let (head, tail) = (0xff_u8 >> (bits.start % 8), 0xff_u8 << (7 - (bits.end - 1) % 8));
    let mut is_changed = false;
    for (at, byte) in bytes.iter_mut().enumerate().take(last + 1).skip(first) {
        let mut mask = 0xff;
        if at == first {
            mask &= head;
        }
        if at == last {
            mask &= tail;
        }
        let new = if value { *byte | mask } else { *byte & !mask };
        is_changed |= new != *byte;
        *byte = new;
    }
    is_changed
}

/// The first bit at or after `from` that is `value`.
pub(super) fn find(bytes: &[u8], from: usize, value: bool) -> Option<usize> {
    // What is looked for is a one in `byte ^ flip`.
    let flip = if value { 0 } else { 0xff };
    let first = from / 8;
    let head = (bytes.get(first)? ^ flip) & (0xff >> (from % 8));
    if head != 0 {
        return Some(first * 8 + head.leading_zeros() as usize);
    }
    let rest = bytes.get(first + 1..)?;
    // Whole words first: most of them are all zeros or all ones.
    let (words, _) = rest.as_chunks::<8>();
    let skipped = words.iter().take_while(|word| **word == [flip; 8]).count() * 8;
    let (at, byte) = rest.iter().enumerate().skip(skipped).find(|(_, byte)| **byte != flip)?;
    Some((first + 1 + at) * 8 + (byte ^ flip).leading_zeros() as usize)
}

/// Number of set bits in a range, as far as there are bytes.
pub(super) fn count(bytes: &[u8], bits: Range<usize>) -> usize {
    let end = bits.end.min(bytes.len() * 8);
    if bits.start >= end {
        return 0;
    }
    let whole = |bytes: &[u8]| -> usize {
        let (words, rest) = bytes.as_chunks::<8>();
        let words = words.iter().map(|word| u64::from_be_bytes(*word).count_ones());
        words.chain(rest.iter().map(|byte| byte.count_ones())).sum::<u32>() as usize
    };
    // All bits before `end`, less those before the start.
    let before = |bit: usize| {
        let (full, rest) = bytes.split_at(bit / 8);
        let partial = rest.first().map_or(0, |byte| byte & !(0xff >> (bit % 8)));
        whole(full) + partial.count_ones() as usize
    };
    before(end) - before(bits.start)
}
