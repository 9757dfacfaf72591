//! The number of a node and everything that follows from it alone.
//!
//! A number `i` at depth `d` and offset `o` is `o` shifted left by `d + 1`, above a zero bit and
//! `d` one bits. So every function here is a bit operation, and none can overflow. The one number
//! outside the pattern is `u64::MAX`, the root of depth 64: its right half has no numbers, and
//! the results that would need them saturate or are `None`.

use core::fmt;

/// The height of a node above the leaves: 0 for a leaf, at most 64 for a number in a `u64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Depth(u32);

impl Depth {
    /// The depth of the leaves.
    pub const LEAF: Self = Self(0);
    /// The depth of [`Index::MAX`], above which no node has a number.
    pub const MAX: Self = Self(64);

    /// Makes a depth; one above [`Depth::MAX`] is allowed, but no node has it.
    #[must_use]
    pub const fn new(depth: u32) -> Self {
        Self(depth)
    }

    /// The depth as a number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Depth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Depth> for u32 {
    fn from(depth: Depth) -> Self {
        depth.0
    }
}

impl From<u32> for Depth {
    fn from(depth: u32) -> Self {
        Self(depth)
    }
}

/// The number of a tree node in the in-order walk; every `u64` is one.
///
/// Ordered as the walk is, so a parent sorts between its children.
///
/// # Source
/// formats.md section 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Index(u64);

impl Index {
    /// The highest number, the only node of depth 64.
    ///
    /// Its subtree reaches past what a `u64` can number: [`right_span`](Self::right_span),
    /// [`leaf_count`](Self::leaf_count), [`node_count`](Self::node_count) and
    /// [`end_block`](Self::end_block) saturate for it, and for no other node.
    pub const MAX: Self = Self(u64::MAX);

    /// The node with this number.
    #[must_use]
    pub const fn new(index: u64) -> Self {
        Self(index)
    }

    /// The number itself.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The leaf of a block, `None` from block 2^63 on.
    #[must_use]
    pub const fn leaf(block: u64) -> Option<Self> {
        match block.checked_mul(2) {
            Some(index) => Some(Self(index)),
            None => None,
        }
    }

    /// The node at `offset` from the left among those of `depth`; `None` if its number needs more
    /// than 64 bits.
    #[must_use]
    pub const fn from_parts(depth: Depth, offset: u64) -> Option<Self> {
        let depth = depth.0;
        if depth > Depth::MAX.0 {
            return None;
        }
        if offset == 0 {
            return Some(Self(low_bits(depth)));
        }
        // An offset that is not 0 has at most 63 leading zeros, so the shift stays below 64.
        let shift = depth.saturating_add(1);
        if offset.leading_zeros() < shift {
            return None;
        }
        Some(Self(offset.wrapping_shl(shift) | low_bits(depth)))
    }

    /// The height above the leaves: the number of trailing one bits.
    #[must_use]
    pub const fn depth(self) -> Depth {
        Depth(self.0.trailing_ones())
    }

    /// The position from the left among the nodes of this depth, from 0.
    #[must_use]
    pub const fn offset(self) -> u64 {
        match self.0.checked_shr(self.depth().0.saturating_add(1)) {
            Some(offset) => offset,
            None => 0,
        }
    }

    /// The parent; `None` only for [`Index::MAX`].
    #[must_use]
    pub const fn parent(self) -> Option<Self> {
        let depth = self.depth().0;
        if depth >= Depth::MAX.0 {
            return None;
        }
        Some(Self((self.0 | bit(depth)) & !bit(depth.saturating_add(1))))
    }

    /// The other child of the same parent; `None` only for the two highest left-most nodes, 2^63 - 1
    /// and [`Index::MAX`], whose siblings have no number.
    #[must_use]
    pub const fn sibling(self) -> Option<Self> {
        let above = self.depth().0.saturating_add(1);
        if above >= Depth::MAX.0 {
            return None;
        }
        Some(Self(self.0 ^ bit(above)))
    }

    /// Both children; `None` for a leaf and for [`Index::MAX`], whose right child has no number.
    #[must_use]
    pub const fn children(self) -> Option<(Self, Self)> {
        match (self.left_child(), self.right_child()) {
            (Some(left), Some(right)) => Some((left, right)),
            _ => None,
        }
    }

    /// The left child; `None` for a leaf.
    #[must_use]
    pub const fn left_child(self) -> Option<Self> {
        match self.depth().0.checked_sub(1) {
            Some(below) => Some(Self(self.0 & !bit(below))),
            None => None,
        }
    }

    /// The right child; `None` for a leaf and for [`Index::MAX`].
    #[must_use]
    pub const fn right_child(self) -> Option<Self> {
        let depth = self.depth().0;
        if depth >= Depth::MAX.0 {
            return None;
        }
        match self.left_child() {
            Some(left) => Some(Self(left.0 | bit(depth))),
            None => None,
        }
    }

    /// The leftmost leaf below; a leaf is its own.
    #[must_use]
    pub const fn left_span(self) -> Self {
        Self(self.0 & !low_bits(self.depth().0))
    }

    /// The rightmost leaf below; a leaf is its own.
    ///
    /// Saturates for [`Index::MAX`], which gives the last leaf there is, `u64::MAX - 1`.
    #[must_use]
    pub const fn right_span(self) -> Self {
        Self((self.0 | bit(self.depth().0)) & !1)
    }

    /// The leaf after the rightmost leaf below; `None` past the end of the numbers.
    #[must_use]
    pub const fn next_leaf(self) -> Option<Self> {
        match self.right_span().0.checked_add(2) {
            Some(index) => Some(Self(index)),
            None => None,
        }
    }

    /// Whether this is a leaf: an even number.
    #[must_use]
    pub const fn is_leaf(self) -> bool {
        self.0 & 1 == 0
    }

    /// Whether this is the left child of its parent: an even offset.
    #[must_use]
    pub const fn is_left(self) -> bool {
        self.offset() & 1 == 0
    }

    /// Whether this is the right child of its parent: an odd offset.
    #[must_use]
    pub const fn is_right(self) -> bool {
        !self.is_left()
    }

    /// The block of a leaf; `None` for a parent.
    #[must_use]
    pub const fn block(self) -> Option<u64> {
        if self.is_leaf() { Some(self.0 >> 1) } else { None }
    }

    /// The first block below this node.
    #[must_use]
    pub const fn first_block(self) -> u64 {
        self.left_span().0 >> 1
    }

    /// The block after the last one below this node; `u64::MAX` for [`Index::MAX`] (saturated).
    #[must_use]
    pub const fn end_block(self) -> u64 {
        self.first_block().saturating_add(self.leaf_count())
    }

    /// The number of leaves below; a leaf counts itself. `u64::MAX` for [`Index::MAX`] (saturated).
    #[must_use]
    pub const fn leaf_count(self) -> u64 {
        match bit(self.depth().0) {
            0 => u64::MAX,
            count => count,
        }
    }

    /// The number of nodes of the subtree, this one included; saturates for [`Index::MAX`].
    #[must_use]
    pub const fn node_count(self) -> u64 {
        low_bits(self.depth().0.saturating_add(1))
    }

    /// Whether `other` is this node or below it.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        let depth = self.depth().0;
        depth >= Depth::MAX.0 || self.0.abs_diff(other.0) < bit(depth)
    }

    /// Whether this node is one of the [`full_roots`](crate::full_roots) of `length` blocks; false
    /// above [`LENGTH_MAX`](crate::LENGTH_MAX).
    #[must_use]
    pub const fn is_root_of(self, length: u64) -> bool {
        match self.parent() {
            Some(parent) => {
                length <= crate::LENGTH_MAX
                    && self.end_block() <= length
                    && parent.end_block() > length
            }
            None => false,
        }
    }
}

impl fmt::Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<u64> for Index {
    fn from(index: u64) -> Self {
        Self(index)
    }
}

impl From<Index> for u64 {
    fn from(index: Index) -> Self {
        index.0
    }
}

/// 2^n, or 0 where that needs more than 64 bits.
pub(crate) const fn bit(n: u32) -> u64 {
    match 1_u64.checked_shl(n) {
        Some(bit) => bit,
        None => 0,
    }
}

/// `n` one bits from the bottom; all of them from `n` = 64 on.
const fn low_bits(n: u32) -> u64 {
    // 0 - 1 is all ones, which is what `bit` giving 0 past the end stands for.
    bit(n).wrapping_sub(1)
}
