//! The roots of a log: the largest complete trees that cover its blocks from the left.
//!
//! There is one for each set bit of the length, highest first. Each follows from the length and
//! its bit alone, so the iterator walks from either end.

use core::iter::FusedIterator;

use crate::index::{Depth, Index, bit};

/// The greatest number of blocks whose leaves all have a number in a `u64`.
pub const LENGTH_MAX: u64 = 1 << 63;

/// The roots of the largest complete trees that cover `length` blocks, from left to right.
///
/// There are none for a length of 0, nor for one above [`LENGTH_MAX`], which no tree has.
///
/// # Source
/// formats.md section 1, "full roots of length L".
pub const fn full_roots(length: u64) -> FullRoots {
    let length = if length > LENGTH_MAX { 0 } else { length };
    FullRoots { length, bits: length }
}

/// The iterator that [`full_roots`] returns.
#[derive(Debug, Clone)]
#[must_use = "iterators do nothing unless consumed"]
pub struct FullRoots {
    length: u64,
    /// The bits of `length` whose roots are still to come.
    bits: u64,
}

impl FullRoots {
    /// Takes the root of depth `depth` out of what is left.
    fn take(&mut self, depth: u32) -> Option<Index> {
        let leaves = bit(depth);
        self.bits &= !leaves;
        // The blocks before this root are the higher bits of the length; as an offset among nodes
        // of this depth they lose the bits below.
        let offset = self.length.checked_shr(depth)? & !1;
        Index::from_parts(Depth::new(depth), offset)
    }
}

impl Iterator for FullRoots {
    type Item = Index;

    fn next(&mut self) -> Option<Index> {
        let depth = self.bits.checked_ilog2()?;
        self.take(depth)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = self.bits.count_ones() as usize;
        (len, Some(len))
    }
}

impl DoubleEndedIterator for FullRoots {
    fn next_back(&mut self) -> Option<Index> {
        // Of 0 it is 64, which `take` answers with `None`.
        let depth = self.bits.trailing_zeros();
        self.take(depth)
    }
}

impl ExactSizeIterator for FullRoots {}
impl FusedIterator for FullRoots {}
