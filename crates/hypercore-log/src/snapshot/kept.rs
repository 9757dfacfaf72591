//! What is kept of a log for one snapshot, and reading it together with what the log still has.
//!
//! Invariant: of the kept tree, every node whose blocks all lie below the shared length is a node of the log, and every
//! other one that the log had is in the overlay, unless something is lost. The shared length sinks only while the log's state is
//! locked for writing, and rises only with all that is kept ([`Kept::replace`]): a reader, who holds the state, sees the log and the
//! overlay of one moment.

use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use flat_tree::Index;
use hypercore_crypto::{Hash, leaf_hash};
use hypercore_merkle::{Node, NodeLookup, Seek, Tree};

use crate::bitfield::{Bitfield, SetRanges};
use crate::blocks::read_block;
use crate::error::{LogError, StorageError};
use crate::log::{Get, Log};
use crate::nodes::{read_node, stored_len};
use crate::proven::Proven;
use crate::snapshot::Overlay;
use crate::state::{Head, State, corrupt_block, tree_error};
use crate::stores::Stores;

/// The content of a log at one moment.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Which log it is of. Does not keep its files open.
    log: Weak<Stores>,
    pub(crate) overlay: Overlay,
    parts: RwLock<Parts>,
    /// Nodes of the kept tree.
    proven: Proven,
}

/// Which parts are where.
#[derive(Debug)]
pub(crate) struct Parts {
    tree: Tree,
    /// The first blocks that are still those of the log.
    shared: u64,
    /// Whether what lies behind the shared length could not be kept, at least in part.
    lost: bool,
    /// The blocks that were copied into the overlay.
    copied: Bitfield,
}

impl Kept {
    /// Keeps `tree`, of which the log in `stores` has the first `shared` blocks; what it has of the others is lost.
    pub(crate) fn new(stores: &Arc<Stores>, tree: Tree, shared: u64, overlay: Overlay) -> Self {
        let lost = shared < tree.length();
        let parts = RwLock::new(Parts { tree, shared, lost, copied: Bitfield::new() });
        Self { log: Arc::downgrade(stores), overlay, parts, proven: Proven::default() }
    }

    pub(crate) fn head(&self) -> Head {
        self.with_tree(|tree| Head {
            fork: tree.fork(),
            length: tree.length(),
            byte_length: tree.byte_length(),
            tree_hash: tree.hash(),
        })
    }

    /// Looks at the kept tree.
    pub(crate) fn with_tree<T>(&self, look: impl FnOnce(&Tree) -> T) -> T {
        look(&self.parts().tree)
    }

    /// What is kept, beside what `log` has now.
    pub(crate) fn view<'a>(&'a self, log: &'a Log, state: &'a State) -> Result<View<'a>, LogError> {
        if std::ptr::eq(self.log.as_ptr(), Arc::as_ptr(&log.stores)) {
            Ok(View { kept: self, parts: self.parts(), log, state })
        } else {
            Err(LogError::OtherLog)
        }
    }

    /// The first blocks that are still those of the log.
    pub(crate) fn shared(&self) -> u64 {
        self.parts().shared
    }

    /// Keeps all blocks of `tree`, which the log has and goes on having until this has returned. Of what was kept the first `same`
    /// blocks are the same; copies of others are given up.
    pub(crate) fn replace(&self, tree: Tree, same: u64) {
        let mut parts = self.change_parts();
        parts.copied.truncate(same);
        // Nodes that stay behind are covered by the log's now, and by newer copies when they are not.
        let _ = self.overlay.tree.truncate(stored_len(same));
        parts.shared = tree.length();
        parts.lost = false;
        parts.tree = tree;
    }

    /// The first blocks of a range that are not in the overlay.
    pub(super) fn not_copied(&self, blocks: Range<u64>) -> Option<Range<u64>> {
        let copied = &self.parts().copied;
        let start = copied.find_first(false, blocks.clone())?;
        let end = copied.find_first(true, start..blocks.end).unwrap_or(blocks.end);
        Some(start..end)
    }

    /// These blocks are in the overlay now.
    pub(super) fn add_copied(&self, blocks: Range<u64>) -> Result<(), LogError> {
        let set = self.change_parts().copied.set_range(blocks, true);
        set.map(drop).map_err(|_| LogError::TooLong)
    }

    /// The log is about to show other blocks from `length` on. What this needs of the old ones is in the overlay.
    pub(super) fn cut(&self, length: u64) {
        let mut parts = self.change_parts();
        parts.shared = parts.shared.min(length);
    }

    /// What lies behind the first `length` blocks could not be copied.
    pub(super) fn lose(&self, length: u64) {
        let mut parts = self.change_parts();
        parts.shared = parts.shared.min(length);
        parts.lost = true;
    }

    /// What is set under the lock is set by one statement each, so it is whole after a panic elsewhere.
    fn parts(&self) -> RwLockReadGuard<'_, Parts> {
        self.parts.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change_parts(&self) -> RwLockWriteGuard<'_, Parts> {
        self.parts.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A kept log for one read.
pub(crate) struct View<'a> {
    kept: &'a Kept,
    parts: RwLockReadGuard<'a, Parts>,
    log: &'a Log,
    state: &'a State,
}

impl NodeLookup for View<'_> {
    type Error = StorageError;

    fn node(&self, index: Index) -> Result<Option<Node>, StorageError> {
        if index.end_block() <= self.parts.shared {
            self.state.nodes.node(index)
        } else if index.end_block() <= self.parts.tree.length() {
            read_node(&*self.kept.overlay.tree, index)
        } else {
            Ok(None)
        }
    }
}

impl View<'_> {
    pub(crate) fn shared(&self) -> u64 {
        self.parts.shared
    }

    /// The kept tree.
    pub(crate) fn tree(&self) -> &Tree {
        &self.parts.tree
    }

    /// The present state of the log.
    pub(crate) const fn state(&self) -> &State {
        self.state
    }

    /// Where what is kept ends: behind it nobody knows.
    fn end(&self) -> u64 {
        if self.parts.lost { self.parts.shared } else { self.parts.tree.length() }
    }

    pub(crate) fn has(&self, index: u64) -> bool {
        index < self.end() && (self.is_copied(index) || self.is_shared(index))
    }

    fn is_copied(&self, index: u64) -> bool {
        self.parts.copied.get(index)
    }

    fn is_shared(&self, index: u64) -> bool {
        index < self.parts.shared && self.state.bitfield.get(index)
    }

    /// The stored parts of a range, in order.
    pub(crate) fn stored(&self, range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
        let below = |end: u64| range.start.min(end)..range.end.min(end);
        Union {
            one: self.state.bitfield.set_ranges(below(self.parts.shared)).peekable(),
            other: self.parts.copied.set_ranges(below(self.end())).peekable(),
        }
    }

    pub(crate) fn get_up_to(&self, index: u64, len_max: u64) -> Result<Get, LogError> {
        self.check_bounds(index)?;
        if self.is_copied(index) {
            return self.read_copied(index, len_max);
        }
        if !self.is_shared(index) {
            return Ok(Get::Absent);
        }
        let block = self.log.read_verified(self.state, index, len_max)?;
        Ok(block.map_or(Get::Longer, Get::Block))
    }

    /// What is still the log's is read as the log reads it.
    pub(crate) fn get_run(&self, blocks: Range<u64>, len_max: u64) -> Vec<Vec<u8>> {
        let blocks = blocks.start..blocks.end.min(self.parts.shared);
        self.log.read_run(self.state, blocks, len_max)
    }

    fn read_copied(&self, index: u64, len_max: u64) -> Result<Get, LogError> {
        let (leaf, range) = self.prove_leaf(index)?;
        if leaf.size > len_max {
            return Ok(Get::Longer);
        }
        let start = range.start;
        let block = read_block(&*self.kept.overlay.data, range)?;
        let verifies = self.log.options.verify_reads;
        let block = block.filter(|block| !verifies || leaf_hash(block) == leaf.hash);
        block.map(Get::Block).ok_or_else(|| corrupt_block(self.log.key(), index, start))
    }

    pub(crate) fn block_range(&self, index: u64) -> Result<Range<u64>, LogError> {
        self.check_bounds(index)?;
        self.prove_leaf(index).map(|(_, range)| range)
    }

    /// The leaf of a block, proven to be one of the kept tree, and the bytes of the block. Its size is proven once the
    /// block hashes to it.
    fn prove_leaf(&self, index: u64) -> Result<(Node, Range<u64>), LogError> {
        if index < self.parts.shared {
            return self.log.prove_leaf(self.state, index);
        }
        let tree = &self.parts.tree;
        let fork = tree.fork();
        let leaf = Index::leaf(index).ok_or(LogError::TooLong)?;
        let leaf = self.node(leaf)?.ok_or(LogError::NodeMissing { index: leaf.get() })?;
        let way = tree
            .prove_node(self, leaf, |node| self.kept.proven.offset(fork, node))
            .map_err(tree_error)?;
        self.kept.proven.keep(fork, &way);
        // The way begins with the leaf.
        let start = way.first().map_or(0, |placed| placed.offset);
        Ok((leaf, start..start.saturating_add(leaf.size)))
    }

    pub(crate) fn seek_within(&self, bytes: u64, padding: u64) -> Result<Seek, LogError> {
        let fork = self.parts.tree.fork();
        let is_proven = |node: &Node| self.kept.proven.offset(fork, node);
        let found = self.parts.tree.seek_proven(self, bytes, padding, is_proven);
        let (found, way) = found.map_err(tree_error)?;
        self.kept.proven.keep(fork, &way);
        match found {
            Seek::Narrowed { blocks } => {
                let last = blocks.end.saturating_sub(1);
                self.check_kept(last).map(|()| Seek::Narrowed { blocks })
            }
            found => Ok(found),
        }
    }

    pub(crate) fn tree_hash_at(&self, length: u64) -> Result<Hash, LogError> {
        let whole = self.parts.tree.length();
        if length > whole {
            return Err(LogError::OutOfBounds { index: length, length: whole });
        }
        if length == whole {
            return Ok(self.parts.tree.hash());
        }
        let hash = self.parts.tree.tree_hash_at(self, length);
        hash.map_err(|error| match (tree_error(error), self.check_kept(u64::MAX)) {
            (LogError::NodeMissing { .. }, Err(rewritten)) => rewritten,
            (error, _) => error,
        })
    }

    fn check_bounds(&self, index: u64) -> Result<(), LogError> {
        let length = self.parts.tree.length();
        if index >= length {
            return Err(LogError::OutOfBounds { index, length });
        }
        self.check_kept(index)
    }

    /// Whether what there was of a block is kept.
    pub(crate) fn check_kept(&self, index: u64) -> Result<(), LogError> {
        if index < self.end() || !self.parts.lost {
            return Ok(());
        }
        Err(LogError::BaseRewritten { shared: self.parts.shared })
    }
}

/// The runs that are in one bitfield, in another, or in both.
struct Union<'a> {
    one: std::iter::Peekable<SetRanges<'a>>,
    other: std::iter::Peekable<SetRanges<'a>>,
}

impl Union<'_> {
    fn next_of_both(&mut self) -> Option<Range<u64>> {
        match (self.one.peek(), self.other.peek()) {
            (Some(one), Some(other)) if other.start < one.start => self.other.next(),
            (Some(_), _) => self.one.next(),
            (None, _) => self.other.next(),
        }
    }

    /// Whether a run begins inside or right behind the first ones.
    fn goes_on(&mut self, end: u64) -> bool {
        let goes_on = |run: Option<&Range<u64>>| run.is_some_and(|run| run.start <= end);
        goes_on(self.one.peek()) || goes_on(self.other.peek())
    }
}

impl Iterator for Union<'_> {
    type Item = Range<u64>;

    fn next(&mut self) -> Option<Range<u64>> {
        let mut run = self.next_of_both()?;
        while self.goes_on(run.end) {
            let Some(next) = self.next_of_both() else { break };
            run.end = run.end.max(next.end);
        }
        Some(run)
    }
}
