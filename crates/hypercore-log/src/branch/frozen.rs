//! Snapshots of branches: what is kept of the branch's own log, on what the branch keeps of the log it is of.

use std::convert::Infallible;
use std::ops::Range;
use std::sync::Arc;

use hypercore_crypto::Hash;
use hypercore_merkle::{Seek, Tree};

use crate::branch::Branch;
use crate::branch::read::Both;
use crate::error::LogError;
use crate::log::{Get, Log, found};
use crate::snapshot::Overlay;
use crate::snapshot::kept::Kept;
use crate::state::Head;

/// A branch as it was at one moment. Dropping it ends it.
///
/// As a [`Snapshot`](crate::Snapshot) of a log; all methods that read take the branch and the log it is of. As long as one is
/// open, [`Branch::rebase`] gives nothing up.
#[derive(Debug)]
pub struct BranchSnapshot {
    pub(super) below: Arc<Kept>,
    own: Arc<Kept>,
    ancestors: u64,
}

impl Branch {
    /// A snapshot of the branch as it is now.
    #[must_use]
    pub fn snapshot(&self, overlay: Overlay) -> BranchSnapshot {
        let mut parts = None;
        let Ok(own) = self.own.keep(|state| {
            // While nothing can be rebased.
            parts = Some((Arc::clone(&self.below), state.ancestors()));
            let length = state.tree.length();
            Ok::<_, Infallible>(Kept::new(&self.own.stores, state.tree.clone(), length, overlay))
        });
        let (below, ancestors) = parts.unwrap_or_else(|| (Arc::clone(&self.below), 0));
        BranchSnapshot { below, own, ancestors }
    }
}

impl BranchSnapshot {
    /// The head that the branch had.
    #[must_use]
    pub fn head(&self) -> Head {
        self.own.head()
    }

    /// The first blocks, which are those of the log.
    #[must_use]
    pub const fn ancestors(&self) -> u64 {
        self.ancestors
    }

    /// Blocks in it.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.own.with_tree(Tree::length)
    }

    /// Bytes of all its blocks together, as stored.
    #[must_use]
    pub fn byte_length(&self) -> u64 {
        self.own.with_tree(Tree::byte_length)
    }

    /// The fork it is of.
    #[must_use]
    pub fn fork(&self) -> u64 {
        self.own.with_tree(Tree::fork)
    }

    /// How many of the [`ancestors`](Self::ancestors) are still those of the log. One of them that is not stored here can
    /// arrive; no other block can.
    #[must_use]
    pub fn shared_length(&self) -> u64 {
        self.below.shared().min(self.ancestors)
    }

    fn read<T>(
        &self,
        branch: &Branch,
        base: &Log,
        read: impl FnOnce(&Both<'_>) -> Result<T, LogError>,
    ) -> Result<T, LogError> {
        let base_state = base.read_state();
        let state = branch.own.read_state();
        let below = self.below.view(base, &base_state)?;
        let kept = self.own.view(&branch.own, &state)?;
        read(&Both::frozen(below, branch, &state, kept, self.ancestors))
    }

    /// Whether a block is stored here.
    #[must_use]
    pub fn has(&self, branch: &Branch, base: &Log, index: u64) -> bool {
        self.read(branch, base, |both| Ok(both.has(index))).unwrap_or(false)
    }

    /// Whether every block of a range is stored here. An empty range is.
    #[must_use]
    pub fn has_range(&self, branch: &Branch, base: &Log, range: Range<u64>) -> bool {
        let whole = range.clone();
        range.is_empty() || self.stored_ranges(branch, base, range, 1).first() == Some(&whole)
    }

    /// Blocks stored from the first one on without a gap.
    #[must_use]
    pub fn contiguous_length(&self, branch: &Branch, base: &Log) -> u64 {
        let first = self.stored_ranges(branch, base, 0..u64::MAX, 1);
        first.first().filter(|first| first.start == 0).map_or(0, |first| first.end)
    }

    /// The stored parts of a range, in order, at most `limit` of them.
    #[must_use]
    pub fn stored_ranges(
        &self,
        branch: &Branch,
        base: &Log,
        range: Range<u64>,
        limit: usize,
    ) -> Vec<Range<u64>> {
        self.read(branch, base, |both| Ok(both.stored(&range, limit))).unwrap_or_default()
    }

    /// A block as it is stored, if it has at most `len_max` bytes.
    ///
    /// # Errors
    /// Those of [`Branch::get`].
    pub fn get_up_to(
        &self,
        branch: &Branch,
        base: &Log,
        index: u64,
        len_max: u64,
    ) -> Result<Get, LogError> {
        self.read(branch, base, |both| both.get_up_to(index, len_max))
    }

    /// A block as it is stored, or `None` when it is not stored here.
    ///
    /// # Errors
    /// Those of [`Branch::get`].
    pub fn get(
        &self,
        branch: &Branch,
        base: &Log,
        index: u64,
    ) -> Result<Option<Vec<u8>>, LogError> {
        self.get_up_to(branch, base, index, u64::MAX).map(Get::block)
    }

    /// The first blocks of a range that can be read at once: see [`Branch::get_run`].
    #[must_use]
    pub fn get_run(
        &self,
        branch: &Branch,
        base: &Log,
        blocks: Range<u64>,
        len_max: u64,
    ) -> Vec<Vec<u8>> {
        self.read(branch, base, |both| Ok(both.get_run(blocks, len_max))).unwrap_or_default()
    }

    /// The byte range of a block.
    ///
    /// # Errors
    /// Those of [`Branch::block_range`].
    pub fn block_range(
        &self,
        branch: &Branch,
        base: &Log,
        index: u64,
    ) -> Result<Range<u64>, LogError> {
        self.read(branch, base, |both| both.block_range(index))
    }

    /// The block that holds byte `bytes`, and the offset of that byte in it: see [`Log::seek`].
    ///
    /// # Errors
    /// Those of [`Branch::seek`].
    pub fn seek(
        &self,
        branch: &Branch,
        base: &Log,
        bytes: u64,
        padding: u64,
    ) -> Result<Option<(u64, u64)>, LogError> {
        found(self.seek_within(branch, base, bytes, padding)?)
    }

    /// Like [`seek`](Self::seek), but tells where a sparse log has to look further.
    ///
    /// # Errors
    /// Those of [`Branch::seek_within`].
    pub fn seek_within(
        &self,
        branch: &Branch,
        base: &Log,
        bytes: u64,
        padding: u64,
    ) -> Result<Seek, LogError> {
        self.read(branch, base, |both| both.seek_within(bytes, padding))
    }

    /// The tree hash that the branch had at an earlier length.
    ///
    /// # Errors
    /// Those of [`Branch::tree_hash_at`].
    pub fn tree_hash_at(&self, branch: &Branch, base: &Log, length: u64) -> Result<Hash, LogError> {
        self.read(branch, base, |both| both.tree_hash_at(length))
    }
}
