//! A node that moves: the cursor in which the Hypercore algorithms are written.
//!
//! It holds an index and nothing else; offset and factor follow from it. It never leaves the
//! numbers of a `u64`: a move without a destination stays.

use crate::index::Index;

/// A position in the tree, and the moves of the algorithms that this crate was ported from.
///
/// Each move returns whether it moved. One without a destination (the parent of the highest node,
/// the child of a leaf, the node before the first) leaves the cursor where it is.
///
/// ```
/// use flat_tree::{Cursor, Index};
///
/// // The walk over the full roots of 5 blocks, in doubled lengths as the algorithms have it.
/// let mut cursor = Cursor::new(Index::new(0));
/// let mut roots = Vec::new();
/// while cursor.full_root(2 * 5) {
///     roots.push(cursor.index().get());
///     cursor.next_tree();
/// }
/// assert_eq!(roots, [3, 8]);
/// ```
///
/// # Source
/// formats.md section 1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Cursor {
    index: Index,
}

impl Cursor {
    /// A cursor at `index`.
    #[must_use]
    pub const fn new(index: Index) -> Self {
        Self { index }
    }

    /// Where the cursor stands.
    #[must_use]
    pub const fn index(&self) -> Index {
        self.index
    }

    /// The position from the left among the nodes of this depth.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.index.offset()
    }

    /// The distance between neighbours of this depth, 2^(depth + 1); as the depth may be 64 it
    /// takes 66 bits.
    #[must_use]
    pub const fn factor(&self) -> u128 {
        // The depth is at most 64, far from the width of the type.
        1_u128.wrapping_shl(self.index.depth().get().saturating_add(1))
    }

    /// Whether the node is a left child.
    #[must_use]
    pub const fn is_left(&self) -> bool {
        self.index.is_left()
    }

    /// Whether the node is a right child.
    #[must_use]
    pub const fn is_right(&self) -> bool {
        self.index.is_right()
    }

    /// Whether `index` is the node or below it.
    #[must_use]
    pub const fn contains(&self, index: Index) -> bool {
        self.index.contains(index)
    }

    /// Whether the node is one of the full roots of `length` blocks.
    #[must_use]
    pub const fn is_root(&self, length: u64) -> bool {
        self.index.is_root_of(length)
    }

    /// Jumps to `index`.
    pub const fn seek(&mut self, index: Index) {
        self.index = index;
    }

    /// Moves to the right neighbour of the same depth.
    #[expect(
        clippy::should_implement_trait,
        reason = "a cursor moves both ways and is no iterator; the name is that of the algorithms"
    )]
    pub fn next(&mut self) -> bool {
        let offset = self.offset().checked_add(1);
        self.go(offset.and_then(|offset| Index::from_parts(self.index.depth(), offset)))
    }

    /// Moves to the left neighbour of the same depth.
    pub fn prev(&mut self) -> bool {
        let offset = self.offset().checked_sub(1);
        self.go(offset.and_then(|offset| Index::from_parts(self.index.depth(), offset)))
    }

    /// Moves to the other child of the same parent.
    pub fn sibling(&mut self) -> bool {
        self.go(self.index.sibling())
    }

    /// Moves to the parent.
    pub fn parent(&mut self) -> bool {
        self.go(self.index.parent())
    }

    /// Moves to the left child.
    pub fn left_child(&mut self) -> bool {
        self.go(self.index.left_child())
    }

    /// Moves to the right child.
    pub fn right_child(&mut self) -> bool {
        self.go(self.index.right_child())
    }

    /// Moves to the leftmost leaf below.
    pub fn left_span(&mut self) -> bool {
        self.go(Some(self.index.left_span()))
    }

    /// Moves to the rightmost leaf below (the last leaf there is, from [`Index::MAX`]).
    pub fn right_span(&mut self) -> bool {
        self.go(Some(self.index.right_span()))
    }

    /// Moves to the first leaf right of the subtree.
    pub fn next_tree(&mut self) -> bool {
        self.go(self.index.next_leaf())
    }

    /// Moves to the last leaf left of the subtree, or to leaf 0 when there is none.
    pub fn prev_tree(&mut self) -> bool {
        self.go(Some(Index::new(self.index.left_span().get().saturating_sub(2))))
    }

    /// Climbs from a leaf to the largest complete tree that starts there and ends within `head`,
    /// twice a length in blocks; false, without a move, when the node is not a leaf below `head`.
    ///
    /// From leaf 0, with [`next_tree`](Self::next_tree) after each hit, this walks the full roots.
    /// An odd `head` counts as the even number below it.
    ///
    /// # Source
    /// formats.md section 1.1, `fullRoot`.
    pub fn full_root(&mut self, head: u64) -> bool {
        let end = head >> 1;
        if self.index.block().is_none_or(|block| block >= end) {
            return false;
        }
        // Ends after 64 rounds at the latest: no node is deeper.
        while let Some(parent) = self.index.parent()
            && self.index.is_left()
            && parent.end_block() <= end
        {
            self.index = parent;
        }
        true
    }

    /// Takes a destination, if there is one that is not here.
    fn go(&mut self, to: Option<Index>) -> bool {
        match to {
            Some(to) if to != self.index => {
                self.index = to;
                true
            }
            _ => false,
        }
    }
}

impl From<Index> for Cursor {
    fn from(index: Index) -> Self {
        Self::new(index)
    }
}
