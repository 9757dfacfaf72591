//! Reading a branch: its own blocks and nodes, and below them what is kept of its log.

use std::ops::Range;

use flat_tree::Index;
use hypercore_crypto::Hash;
use hypercore_merkle::{Node, NodeLookup, Seek, Tree};

use crate::branch::Branch;
use crate::error::{LogError, StorageError};
use crate::log::{Get, Log, found};
use crate::snapshot::kept::View;
use crate::state::{State, tree_error};

/// A branch, or a snapshot of one, for one read.
pub(crate) struct Both<'a> {
    pub(crate) below: View<'a>,
    own: &'a Log,
    /// The present state of the branch.
    pub(crate) state: &'a State,
    /// What a snapshot keeps of the branch; without it all is as it is now.
    kept: Option<View<'a>>,
    /// The first blocks are those of the log.
    ancestors: u64,
}

impl NodeLookup for Both<'_> {
    type Error = StorageError;

    fn node(&self, index: Index) -> Result<Option<Node>, StorageError> {
        let own = match &self.kept {
            Some(kept) => kept.node(index)?,
            None => self.state.nodes.node(index)?,
        };
        // Of what it began with a branch has the roots only.
        match own {
            None if index.end_block() <= self.ancestors => self.below.node(index),
            own => Ok(own),
        }
    }
}

impl<'a> Both<'a> {
    /// For a snapshot, which keeps `kept` of the branch.
    pub(super) fn frozen(
        below: View<'a>,
        branch: &'a Branch,
        state: &'a State,
        kept: View<'a>,
        ancestors: u64,
    ) -> Self {
        Self { below, own: &branch.own, state, kept: Some(kept), ancestors }
    }
}

impl Both<'_> {
    fn tree(&self) -> &Tree {
        self.kept.as_ref().map_or(&self.state.tree, View::tree)
    }

    fn check_bounds(&self, index: u64) -> Result<(), LogError> {
        let length = self.tree().length();
        if index < length { Ok(()) } else { Err(LogError::OutOfBounds { index, length }) }
    }

    pub(super) fn get_up_to(&self, index: u64, len_max: u64) -> Result<Get, LogError> {
        self.check_bounds(index)?;
        match &self.kept {
            _ if index < self.ancestors => self.below.get_up_to(index, len_max),
            Some(kept) => kept.get_up_to(index, len_max),
            None if !self.state.bitfield.get(index) => Ok(Get::Absent),
            None => {
                let block = self.own.read_verified(self.state, index, len_max)?;
                Ok(block.map_or(Get::Longer, Get::Block))
            }
        }
    }

    /// The first blocks of a range that can be read at once, from one of the two places they are in.
    pub(super) fn get_run(&self, blocks: Range<u64>, len_max: u64) -> Vec<Vec<u8>> {
        match &self.kept {
            _ if blocks.start < self.ancestors => {
                self.below.get_run(blocks.start..blocks.end.min(self.ancestors), len_max)
            }
            Some(kept) => kept.get_run(blocks, len_max),
            None => self.own.read_run(self.state, blocks, len_max),
        }
    }

    pub(super) fn block_range(&self, index: u64) -> Result<Range<u64>, LogError> {
        self.check_bounds(index)?;
        match &self.kept {
            _ if index < self.ancestors => self.below.block_range(index),
            Some(kept) => kept.block_range(index),
            None => self.own.prove_leaf(self.state, index).map(|(_, range)| range),
        }
    }

    pub(super) fn has(&self, index: u64) -> bool {
        match &self.kept {
            _ if index < self.ancestors => self.below.has(index),
            Some(kept) => kept.has(index),
            None => index < self.state.tree.length() && self.state.bitfield.get(index),
        }
    }

    /// The stored parts of a range, in order.
    pub(super) fn stored(&self, range: &Range<u64>, limit: usize) -> Vec<Range<u64>> {
        let below = range.start..range.end.min(self.ancestors);
        let own = range.start.max(self.ancestors)..range.end.min(self.tree().length());
        let kept = self.kept.iter().flat_map(|kept| kept.stored(own.clone()));
        let live = self.state.bitfield.set_ranges(own.clone()).filter(|_| self.kept.is_none());
        let mut runs: Vec<Range<u64>> = Vec::new();
        for run in self.below.stored(below).chain(kept).chain(live) {
            let is_full = runs.len() == limit;
            match runs.last_mut() {
                Some(last) if last.end == run.start => last.end = run.end,
                _ if is_full => break,
                _ => runs.push(run),
            }
        }
        runs
    }

    pub(super) fn seek_within(&self, bytes: u64, padding: u64) -> Result<Seek, LogError> {
        let fork = self.tree().fork();
        let is_proven = |node: &Node| self.own.proven.offset(fork, node);
        let found = self.tree().seek_proven(self, bytes, padding, is_proven);
        let (found, way) = found.map_err(tree_error)?;
        self.own.proven.keep(fork, &way);
        match found {
            Seek::Narrowed { blocks } if blocks.start < self.ancestors => {
                let last = blocks.end.min(self.ancestors).saturating_sub(1);
                self.below.check_kept(last).map(|()| Seek::Narrowed { blocks })
            }
            Seek::Narrowed { blocks } => self.check_own_kept().map(|()| Seek::Narrowed { blocks }),
            found => Ok(found),
        }
    }

    pub(crate) fn tree_hash_at(&self, length: u64) -> Result<Hash, LogError> {
        let present = self.tree().length();
        if length > present {
            return Err(LogError::OutOfBounds { index: length, length: present });
        }
        let hash = self.tree().tree_hash_at(self, length);
        hash.map_err(|error| self.explain(tree_error(error)))
    }

    fn check_own_kept(&self) -> Result<(), LogError> {
        self.kept.as_ref().map_or(Ok(()), |kept| kept.check_kept(u64::MAX))
    }

    /// A node that is missing may have been the log's, and be gone.
    pub(crate) fn explain(&self, error: LogError) -> LogError {
        let kept = self.below.check_kept(u64::MAX).and_then(|()| self.check_own_kept());
        match (&error, kept) {
            (LogError::NodeMissing { .. }, Err(rewritten)) => rewritten,
            _ => error,
        }
    }
}

impl Branch {
    /// The log's state is locked before the branch's own, here as everywhere.
    pub(crate) fn read<T>(
        &self,
        base: &Log,
        read: impl FnOnce(&Both<'_>) -> Result<T, LogError>,
    ) -> Result<T, LogError> {
        let base_state = base.read_state();
        let state = self.own.read_state();
        let below = self.below.view(base, &base_state)?;
        let ancestors = state.ancestors();
        read(&Both { below, own: &self.own, state: &state, kept: None, ancestors })
    }

    /// Whether a block is stored here.
    #[must_use]
    pub fn has(&self, base: &Log, index: u64) -> bool {
        self.read(base, |both| Ok(both.has(index))).unwrap_or(false)
    }

    /// Whether every block of a range is stored here. An empty range is.
    #[must_use]
    pub fn has_range(&self, base: &Log, range: Range<u64>) -> bool {
        range.is_empty() || self.stored_ranges(base, range.clone(), 1).first() == Some(&range)
    }

    /// The stored parts of a range, in order, at most `limit` of them.
    #[must_use]
    pub fn stored_ranges(&self, base: &Log, range: Range<u64>, limit: usize) -> Vec<Range<u64>> {
        self.read(base, |both| Ok(both.stored(&range, limit))).unwrap_or_default()
    }

    /// Blocks stored from the first one on without a gap.
    #[must_use]
    pub fn contiguous_length(&self, base: &Log) -> u64 {
        let first = self.stored_ranges(base, 0..u64::MAX, 1);
        first.first().filter(|first| first.start == 0).map_or(0, |first| first.end)
    }

    /// A block as it is stored, or `None` when it is not stored here.
    ///
    /// # Errors
    /// Those of [`Log::get`]; [`LogError::BaseRewritten`]; [`LogError::OtherLog`].
    pub fn get(&self, base: &Log, index: u64) -> Result<Option<Vec<u8>>, LogError> {
        self.get_up_to(base, index, u64::MAX).map(Get::block)
    }

    /// A block as it is stored, if it has at most `len_max` bytes.
    ///
    /// # Errors
    /// Those of [`get`](Self::get).
    pub fn get_up_to(&self, base: &Log, index: u64, len_max: u64) -> Result<Get, LogError> {
        self.read(base, |both| both.get_up_to(index, len_max))
    }

    /// The first blocks of a range that can be read at once: see [`Log::get_run`]. A run ends where the blocks of the log do.
    #[must_use]
    pub fn get_run(&self, base: &Log, blocks: Range<u64>, len_max: u64) -> Vec<Vec<u8>> {
        self.read(base, |both| Ok(both.get_run(blocks, len_max))).unwrap_or_default()
    }

    /// The byte range of a block in the branch.
    ///
    /// # Errors
    /// Those of [`Log::block_range`]; [`LogError::BaseRewritten`]; [`LogError::OtherLog`].
    pub fn block_range(&self, base: &Log, index: u64) -> Result<Range<u64>, LogError> {
        self.read(base, |both| both.block_range(index))
    }

    /// The block that holds byte `bytes`, and the offset of that byte in it: see [`Log::seek`].
    ///
    /// # Errors
    /// Those of [`Log::seek`]; [`LogError::BaseRewritten`]; [`LogError::OtherLog`].
    pub fn seek(
        &self,
        base: &Log,
        bytes: u64,
        padding: u64,
    ) -> Result<Option<(u64, u64)>, LogError> {
        found(self.seek_within(base, bytes, padding)?)
    }

    /// Like [`seek`](Self::seek), but tells where a sparse log has to look further.
    ///
    /// # Errors
    /// Those of [`Log::seek_within`]; [`LogError::BaseRewritten`]; [`LogError::OtherLog`].
    pub fn seek_within(&self, base: &Log, bytes: u64, padding: u64) -> Result<Seek, LogError> {
        self.read(base, |both| both.seek_within(bytes, padding))
    }

    /// The tree hash that the branch had at an earlier length.
    ///
    /// # Errors
    /// Those of [`Log::tree_hash_at`]; [`LogError::BaseRewritten`]; [`LogError::OtherLog`].
    pub fn tree_hash_at(&self, base: &Log, length: u64) -> Result<Hash, LogError> {
        self.read(base, |both| both.tree_hash_at(length))
    }
}
