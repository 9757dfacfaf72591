//! What a longer tree needs beyond a shorter one.

use core::iter::FusedIterator;

use crate::index::Index;
use crate::roots::{FullRoots, LENGTH_MAX, full_roots};

/// The nodes that a tree of `to` blocks needs beyond one of `from` blocks, so that the roots of
/// the longer follow from those of the shorter.
///
/// The climb from the last root of the shorter tree comes first (at each level the sibling, unless
/// the shorter tree has it, then the parent), then the roots of the longer tree further right.
/// Nothing when `from` is 0, when `from >= to`, or when `to` is above [`LENGTH_MAX`].
///
/// # Source
/// formats.md section 1, "patch(from, to)"; used by manifest patches (5.6).
pub fn patch(from: u64, to: u64) -> Patch {
    let mut patch = Patch { climb: None, pending: None, tail: full_roots(0) };
    if from == 0 || from >= to || to > LENGTH_MAX {
        return patch;
    }
    patch.tail = full_roots(to);
    // The root of the longer tree in which the shorter one ends. Where it ends exactly there, all
    // roots of the shorter are roots of the longer as well and there is nothing to climb.
    let goal = patch.tail.by_ref().find(|root| root.end_block() >= from);
    if let (Some(goal), Some(last)) = (goal, full_roots(from).next_back())
        && goal.end_block() > from
    {
        patch.climb = Some((last, goal));
    }
    patch
}

/// The iterator that [`patch`] returns.
#[derive(Debug, Clone)]
#[must_use = "iterators do nothing unless consumed"]
pub struct Patch {
    /// Where the climb stands, and the root that ends it.
    climb: Option<(Index, Index)>,
    /// A parent to be given after its right child.
    pending: Option<Index>,
    tail: FullRoots,
}

impl Iterator for Patch {
    type Item = Index;

    fn next(&mut self) -> Option<Index> {
        if let Some(parent) = self.pending.take() {
            return Some(parent);
        }
        let Some((at, goal)) = self.climb else { return self.tail.next() };
        let Some(parent) = at.parent() else { return self.tail.next() };
        self.climb = (parent != goal).then_some((parent, goal));
        // A left sibling lies wholly in the shorter tree while the parent does not, so it is one
        // of its roots. A right sibling is new.
        match at.sibling() {
            Some(sibling) if at.is_left() => {
                self.pending = Some(parent);
                Some(sibling)
            }
            _ => Some(parent),
        }
    }
}

impl FusedIterator for Patch {}
