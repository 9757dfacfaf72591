//! Everything done to a disk, for going back to any moment of it.

use super::medium::{Item, Medium, Op};
use super::{Disk, Image, Start};

/// What a disk was, and what was done to it since.
#[derive(Clone, Debug)]
pub struct Recording {
    pub(super) start: Start,
    pub(super) ops: Vec<Op>,
}

impl Recording {
    pub(super) const fn new(start: Start, ops: Vec<Op>) -> Self {
        Self { start, ops }
    }

    /// How many operations were done.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ops.len()
    }

    /// Whether nothing was done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// The disk as it was after the first `position` operations, with what was not durable then still not
    /// durable: what the next process finds after a kill. It records anew from there.
    #[must_use]
    pub fn at(&self, position: usize) -> Disk {
        let mut now = self.start.clone();
        for op in &self.ops[..position] {
            now.apply(op);
        }
        Disk::starting(now)
    }

    /// What the medium was at the start.
    pub(super) const fn medium(&self) -> &Medium {
        &self.start.medium
    }

    /// Everything on the medium and on its way there after all operations.
    #[must_use]
    pub fn settled(&self) -> Image {
        let mut medium = self.medium().clone();
        for op in &self.ops {
            medium.apply(op);
        }
        medium.settled()
    }

    /// Every piece that was on its way to the medium at first or in the first `position` operations: what a file
    /// system that hands out blocks without wiping them may show in another place.
    pub(super) fn written(&self, position: usize) -> impl Iterator<Item = &Item> {
        let changes = self.ops[..position].iter().filter_map(|op| match op {
            Op::Change(items) => Some(items),
            _ => None,
        });
        let before = &self.start.medium.pending;
        before.iter().chain(changes.flatten()).filter(|item| item.sector().is_some())
    }
}
