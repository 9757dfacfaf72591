//! Snapshots: the head and the content of a log at one moment, however it goes on.
//!
//! A snapshot copies nothing when it is taken, and growing never costs it anything: a log only appends to what it shares.
//! Before a truncation, a reorganisation or a clear destroys blocks or nodes that a live snapshot shares, they are copied
//! into its overlay ([`keep`]). What is read is verified as any read is. A snapshot is of one process: it knows nothing of
//! recovery, and nothing of it needs to survive.

use std::convert::Infallible;
use std::ops::Range;
use std::sync::Arc;

use hypercore_crypto::Hash;
use hypercore_merkle::{Seek, Tree};
use random_access_storage::RandomAccess;

use crate::error::LogError;
use crate::log::{Get, Log};
use crate::state::Head;

pub(crate) mod keep;
pub(crate) mod kept;

use kept::Kept;

/// Where a snapshot keeps what its log destroys: two empty stores of its own.
///
/// They are written only when something is destroyed, sparsely and at the offsets of the log, and need not survive the
/// process: files without a name, or memory.
#[derive(Debug)]
pub struct Overlay {
    /// Tree nodes.
    pub tree: Box<dyn RandomAccess>,
    /// Blocks.
    pub data: Box<dyn RandomAccess>,
}

/// A log as it was at one moment. Dropping it ends it.
///
/// Its length, its bytes and the content of each block never change. A block that was not stored here when the snapshot
/// was taken can still arrive, as long as the log shares it ([`shared_length`](Self::shared_length)); one that is here
/// stays here, also when the log clears it.
///
/// All methods that read take the log it is of, and give [`LogError::OtherLog`] (or what an empty log has) for any other.
///
/// # What it costs
/// Nothing while the log appends. A truncation, a reorganisation or a clear first copies, once for each live snapshot,
/// what that snapshot loses. A copy that fails (a full disk) does not stop the writer: the snapshot then gives
/// [`LogError::BaseRewritten`] for what it could not keep, and for all blocks behind it.
#[derive(Debug)]
pub struct Snapshot {
    kept: Arc<Kept>,
}

impl Log {
    /// A snapshot of the log as it is now.
    ///
    /// Waits while a truncation, a reorganisation or a clear is under way, for nothing else.
    #[must_use]
    pub fn snapshot(&self, overlay: Overlay) -> Snapshot {
        let Ok(kept) = self.keep(|state| {
            let length = state.tree.length();
            Ok::<_, Infallible>(Kept::new(&self.stores, state.tree.clone(), length, overlay))
        });
        Snapshot { kept }
    }
}

impl Snapshot {
    /// The head that the log had.
    #[must_use]
    pub fn head(&self) -> Head {
        self.kept.head()
    }

    /// The fork it is of.
    #[must_use]
    pub fn fork(&self) -> u64 {
        self.kept.with_tree(Tree::fork)
    }

    /// Blocks in it.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.kept.with_tree(Tree::length)
    }

    /// Bytes of all its blocks together, as stored.
    #[must_use]
    pub fn byte_length(&self) -> u64 {
        self.kept.with_tree(Tree::byte_length)
    }

    /// The first blocks that are still those of the log. One of them that is not stored here can arrive; one behind them can not.
    #[must_use]
    pub fn shared_length(&self, log: &Log) -> u64 {
        self.kept.view(log, &log.read_state()).map_or(0, |view| view.shared())
    }

    /// Whether a block is stored here.
    #[must_use]
    pub fn has(&self, log: &Log, index: u64) -> bool {
        self.kept.view(log, &log.read_state()).is_ok_and(|view| view.has(index))
    }

    /// Whether every block of a range is stored here. An empty range is.
    #[must_use]
    pub fn has_range(&self, log: &Log, range: Range<u64>) -> bool {
        range.is_empty() || self.stored_ranges(log, range.clone(), 1).first() == Some(&range)
    }

    /// The stored parts of a range, in order, at most `limit` of them.
    #[must_use]
    pub fn stored_ranges(&self, log: &Log, range: Range<u64>, limit: usize) -> Vec<Range<u64>> {
        let state = log.read_state();
        let Ok(view) = self.kept.view(log, &state) else { return Vec::new() };
        view.stored(range).take(limit).collect()
    }

    /// Blocks stored from the first one on without a gap.
    #[must_use]
    pub fn contiguous_length(&self, log: &Log) -> u64 {
        let first = self.stored_ranges(log, 0..self.length(), 1);
        first.first().filter(|first| first.start == 0).map_or(0, |first| first.end)
    }

    /// A block as it is stored, or `None` when it is not stored here.
    ///
    /// # Errors
    /// Those of [`Log::get`]; [`LogError::BaseRewritten`]; [`LogError::OtherLog`].
    pub fn get(&self, log: &Log, index: u64) -> Result<Option<Vec<u8>>, LogError> {
        self.get_up_to(log, index, u64::MAX).map(Get::block)
    }

    /// A block as it is stored, if it has at most `len_max` bytes.
    ///
    /// # Errors
    /// Those of [`get`](Self::get).
    pub fn get_up_to(&self, log: &Log, index: u64, len_max: u64) -> Result<Get, LogError> {
        self.kept.view(log, &log.read_state())?.get_up_to(index, len_max)
    }

    /// The first blocks of a range, as they are stored, as far as they can be read at once: see [`Log::get_run`].
    #[must_use]
    pub fn get_run(&self, log: &Log, blocks: Range<u64>, len_max: u64) -> Vec<Vec<u8>> {
        let state = log.read_state();
        let view = self.kept.view(log, &state);
        view.map_or_else(|_| Vec::new(), |view| view.get_run(blocks, len_max))
    }

    /// The byte range of a block in the snapshot.
    ///
    /// # Errors
    /// Those of [`Log::block_range`]; [`LogError::BaseRewritten`]; [`LogError::OtherLog`].
    pub fn block_range(&self, log: &Log, index: u64) -> Result<Range<u64>, LogError> {
        self.kept.view(log, &log.read_state())?.block_range(index)
    }

    /// The block that holds byte `bytes`, and the offset of that byte in it: see [`Log::seek`].
    ///
    /// # Errors
    /// Those of [`Log::seek`]; [`LogError::BaseRewritten`]; [`LogError::OtherLog`].
    pub fn seek(
        &self,
        log: &Log,
        bytes: u64,
        padding: u64,
    ) -> Result<Option<(u64, u64)>, LogError> {
        crate::log::found(self.seek_within(log, bytes, padding)?)
    }

    /// Like [`seek`](Self::seek), but tells where a sparse log has to look further.
    ///
    /// # Errors
    /// Those of [`Log::seek_within`]; [`LogError::BaseRewritten`]; [`LogError::OtherLog`].
    pub fn seek_within(&self, log: &Log, bytes: u64, padding: u64) -> Result<Seek, LogError> {
        self.kept.view(log, &log.read_state())?.seek_within(bytes, padding)
    }

    /// The tree hash that the log had at an earlier length.
    ///
    /// # Errors
    /// Those of [`Log::tree_hash_at`]; [`LogError::BaseRewritten`]; [`LogError::OtherLog`].
    pub fn tree_hash_at(&self, log: &Log, length: u64) -> Result<Hash, LogError> {
        self.kept.view(log, &log.read_state())?.tree_hash_at(length)
    }
}
