//! Cutting the tree at a length.

use flat_tree::Index;

use crate::error::TreeError;
use crate::lookup::NodeLookup;
use crate::tree::Tree;

impl Tree {
    /// This tree cut to its first `length` blocks, with a new fork number.
    ///
    /// The caller chooses the fork (by default [`fork`](Self::fork) + 1) and keeps a prologue from
    /// being cut. Of the stored nodes, those with index `2 * length - 1` or more are gone, and
    /// those of [`removed_parents`]; with no blocks left, all.
    ///
    /// # Errors
    /// [`TreeError::TooLong`] above the own length, [`TreeError::MissingNode`] when a root of the
    /// shorter tree is not stored, [`TreeError::DamagedNode`] when one is not below the present roots; and as the
    /// lookup fails.
    ///
    /// # Source
    /// formats.md section 6.2.
    pub fn truncated<L: NodeLookup>(
        &self,
        lookup: &L,
        length: u64,
        fork: u64,
    ) -> Result<Self, TreeError<L::Error>> {
        if length > self.length {
            return Err(TreeError::TooLong { wanted: length, length: self.length });
        }
        if length == self.length {
            return Ok(Self { fork, ..self.clone() });
        }
        self.load_below(lookup, fork, length)
    }
}

/// The nodes left of the cut at `length` blocks that reach over it: parents with an index below
/// `2 * length` whose blocks are not all among the first `length`.
///
/// Node `2 * length - 1` always reaches over the cut. It is named like the others, except where
/// `length` is a power of two: there JavaScript leaves it to the cut of the tree file at that
/// node, and naming it would make the file longer than JavaScript does.
///
/// # Source
/// formats.md section 6.2.
pub fn removed_parents(length: u64) -> RemovedParents {
    let last = length.checked_sub(1).and_then(Index::leaf);
    RemovedParents { next: last, length }
}

/// The iterator that [`removed_parents`] returns, from the lowest node up.
#[derive(Debug, Clone)]
#[must_use = "iterators do nothing unless consumed"]
pub struct RemovedParents {
    next: Option<Index>,
    length: u64,
}

impl Iterator for RemovedParents {
    type Item = Index;

    fn next(&mut self) -> Option<Index> {
        while let Some(index) = self.next {
            // All further ancestors of a node with offset 0 lie right of the cut or are it.
            self.next = if index.offset() == 0 { None } else { index.parent() };
            let left_of_cut = index.get().checked_shr(1).unwrap_or(0) < self.length;
            if left_of_cut && index.end_block() > self.length {
                return Some(index);
            }
        }
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(64))
    }
}

impl std::iter::FusedIterator for RemovedParents {}
