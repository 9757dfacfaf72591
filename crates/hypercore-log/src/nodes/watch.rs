//! Who wants to know which nodes arrive: a copy of the tree that is being made.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use flat_tree::Index;

/// The nodes that arrived in a part of the tree since they were last asked for.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// Blocks below which nodes count: those behind are copied later.
    below: AtomicU64,
    arrived: Mutex<BTreeSet<Index>>,
}

impl Watch {
    /// Watches the nodes that begin in the first `length` blocks.
    pub(crate) fn set_below(&self, length: u64) {
        self.below.store(length, Ordering::Relaxed);
    }

    /// Takes what arrived.
    pub(crate) fn take(&self) -> BTreeSet<Index> {
        std::mem::take(&mut *self.arrived.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, index: Index) {
        if index.first_block() < self.below.load(Ordering::Relaxed) {
            self.arrived.lock().unwrap_or_else(PoisonError::into_inner).insert(index);
        }
    }
}

/// All who watch.
#[derive(Debug, Default)]
pub(super) struct Watches(Vec<Weak<Watch>>);

impl Watches {
    pub(super) fn begin(&mut self) -> Arc<Watch> {
        let watch = Arc::new(Watch::default());
        self.0.retain(|watch| watch.strong_count() > 0);
        self.0.push(Arc::downgrade(&watch));
        watch
    }

    pub(super) fn add(&self, indexes: impl Iterator<Item = Index> + Clone) {
        for watch in self.0.iter().filter_map(Weak::upgrade) {
            indexes.clone().for_each(|index| watch.add(index));
        }
    }
}
