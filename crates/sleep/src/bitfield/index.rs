//! The index: a tree over the data bits that other programs search for missing blocks with.
//!
//! Position `2k` describes data bytes `4k..4k + 4`, odd positions their two children, numbered as
//! in a flat tree. A page stores a run of 2^n positions: a whole subtree, and behind it the one
//! position that joins subtrees, its *joint*. This crate never reads the index; it writes it, all
//! afresh.
//!
//! # Source
//! "SLEEP storage", section 6.3.

/// Data bytes that one even position describes.
const GROUP_LEN: usize = 4;

/// Two bits: all set, none, or neither.
const fn mark(bits: u8, all: u8) -> u8 {
    if bits == all {
        0b11
    } else if bits == 0 {
        0b00
    } else {
        0b01
    }
}

/// Four marks, the first in the highest bits.
const fn marks([a, b, c, d]: [u8; 4], all: u8) -> u8 {
    mark(a, all) << 6 | mark(b, all) << 4 | mark(c, all) << 2 | mark(d, all)
}

/// What an odd position holds: marks of the nibbles of its children.
pub(super) const fn joined(left: u8, right: u8) -> u8 {
    marks([left >> 4, left & 0x0f, right >> 4, right & 0x0f], 0x0f)
}

/// Fills the subtree over `data` and returns its top. The joint behind the subtree is not touched.
///
/// `positions` are 2^n, and `data` is twice as long; what is longer is not looked at.
pub(super) fn fill(positions: &mut [u8], data: &[u8]) -> u8 {
    let (groups, _) = data.as_chunks::<GROUP_LEN>();
    for (position, group) in positions.iter_mut().step_by(2).zip(groups) {
        *position = marks(*group, 0xff);
    }
    let mut half = 1;
    while half * 2 < positions.len() {
        for children in positions.chunks_exact_mut(half * 4) {
            // A subtree of 4 * half - 1 positions, and one behind it.
            if let (Some(left), Some(right)) =
                (children.get(half - 1).copied(), children.get(3 * half - 1).copied())
                && let Some(parent) = children.get_mut(2 * half - 1)
            {
                *parent = joined(left, right);
            }
        }
        half *= 2;
    }
    positions.get(positions.len() / 2 - 1).copied().unwrap_or(0)
}
