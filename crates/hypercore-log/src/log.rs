//! The open log: what it is made of, and everything that only reads.
//!
//! Readers hold the state's read lock while they read from a store, so that no truncation or clear can
//! change the bytes under them; writers do their I/O under the writer's lock and take the state's write lock
//! only to publish the result.

use std::ops::{Range, RangeBounds};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use hypercore_crypto::{CoreKey, Hash, Manifest, PublicKey, leaf_hash};
use hypercore_merkle::{Node, Seek};

use crate::blocks::read_block;
use crate::canary::{Bug, planted};
use crate::commit::GroupCommit;
use crate::error::{LogError, OpenError, StorageError};
use crate::options::{Access, Durability, OpenOptions, Rhythm};
use crate::proven::Proven;
use crate::recover::{self, RecoveryReport};
use crate::snapshot::keep::Snapshots;
use crate::state::{Head, State, corrupt_block, tree_error};
use crate::stores::{FileName, Stores};
use crate::user_data::is_own;
use crate::writer::Writer;

/// A signed, append-only log on five stores.
///
/// All methods take `&self` and may be called from many threads: reads run beside each other and beside a
/// write; writes run one after another.
#[derive(Debug)]
pub struct Log {
    pub(crate) stores: Arc<Stores>,
    pub(crate) key: CoreKey,
    pub(crate) options: Settings,
    pub(crate) state: RwLock<State>,
    pub(crate) writer: Mutex<Writer>,
    pub(crate) commit: GroupCommit,
    pub(crate) recovery: RecoveryReport,
    pub(crate) proven: Proven,
    pub(crate) snapshots: Snapshots,
}

/// What was chosen when the log was opened and holds as long as it is open.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) access: Access,
    pub(crate) durability: Durability,
    pub(crate) verify_reads: bool,
    pub(crate) rhythm: Rhythm,
    /// The key of the pair that signs, when there is one.
    pub(crate) signer: Option<PublicKey>,
    /// A branch, which nobody signs: the tree hash stands in the place of the signature.
    pub(crate) unsigned: bool,
}

/// Bytes that each store takes up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StorageInfo {
    /// Header slots and entries, and the file of large headers.
    pub oplog: u64,
    /// Tree nodes.
    pub tree: u64,
    /// Bitfield pages.
    pub bitfield: u64,
    /// Blocks.
    pub data: u64,
}

/// What [`Log::get_up_to`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Get {
    /// The block.
    Block(Vec<u8>),
    /// It is not stored here.
    Absent,
    /// It has more bytes.
    Longer,
}

impl Get {
    /// The block, if it was found.
    #[must_use]
    pub fn block(self) -> Option<Vec<u8>> {
        match self {
            Self::Block(block) => Some(block),
            Self::Absent | Self::Longer => None,
        }
    }
}

impl StorageInfo {
    /// All stores together.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.oplog.saturating_add(self.tree).saturating_add(self.bitfield).saturating_add(self.data)
    }
}

impl Log {
    /// Opens the core in `stores`, or makes one as the options say.
    ///
    /// The blocks that entries since the last checkpoint speak of are hashed again, and the log is cut at the
    /// first that does not match; [`recovery`](Self::recovery) tells what was found.
    ///
    /// # Durability
    /// A new core is on stable storage on return. Opening for writing, where the last writer did not end with a
    /// completed sync, writes what it verified once more and syncs it (a killed process may not have synced it, or
    /// a sync failed), cuts what is invalid off the oplog, takes nodes of lost batches out of
    /// the tree store, and writes a checkpoint when a truncation was replayed or an entry cut. It cuts nothing
    /// when the newest header is lost ([`LogError::HeaderLost`]). Opening for reading writes nothing.
    ///
    /// # Errors
    /// See [`OpenError`]; a stored core that is refused is left as it was.
    pub fn open(stores: Stores, options: OpenOptions) -> Result<Self, OpenError> {
        recover::open(stores, options)
    }

    /// The key of the core: what it is known by.
    #[must_use]
    pub const fn key(&self) -> CoreKey {
        self.key
    }

    /// Who may sign. `None` while a reader has not learned it.
    #[must_use]
    pub fn manifest(&self) -> Option<Manifest> {
        self.read_state().manifest.clone()
    }

    /// Whether the key is the bare public key of the only signer.
    #[must_use]
    pub fn is_compat(&self) -> bool {
        self.read_state().manifest.as_ref().is_some_and(|manifest| manifest.is_compat(&self.key))
    }

    /// Whether this handle is open for writing and has a key pair that may sign. It says nothing of
    /// [`LogError::HeaderLost`] or [`LogError::Poisoned`].
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.options.access == Access::ReadWrite
            && (self.options.signer.is_some() || self.options.unsigned)
    }

    /// The public key of the pair that signs, if there is one.
    #[must_use]
    pub const fn signer(&self) -> Option<PublicKey> {
        self.options.signer
    }

    /// What opening found and mended.
    #[must_use]
    pub const fn recovery(&self) -> &RecoveryReport {
        &self.recovery
    }

    /// The present head.
    #[must_use]
    pub fn head(&self) -> Head {
        self.read_state().head()
    }

    /// Blocks in the log.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.read_state().tree.length()
    }

    /// Bytes of all blocks together, as stored.
    #[must_use]
    pub fn byte_length(&self) -> u64 {
        self.read_state().tree.byte_length()
    }

    /// The present fork.
    #[must_use]
    pub fn fork(&self) -> u64 {
        self.read_state().tree.fork()
    }

    /// Blocks stored from the first one on without a gap.
    #[must_use]
    pub fn contiguous_length(&self) -> u64 {
        self.read_state().contiguous_length
    }

    /// The signature of the head, in the encoding of the manifest. `None` for a log that never had a block.
    #[must_use]
    pub fn signature(&self) -> Option<Vec<u8>> {
        self.read_state().signature.clone()
    }

    /// The blocks that a power cut can not take back: what may be announced to others.
    ///
    /// 0 while a new fork is not durable yet. A writer that announced more could, after a power cut, sign
    /// another block in the place of one that others have seen, which forks the log for everyone.
    #[must_use]
    pub fn durable_length(&self) -> u64 {
        let durable = self.commit.durable();
        let state = self.read_state();
        if durable.fork == state.tree.fork() { durable.length.min(state.tree.length()) } else { 0 }
    }

    /// Whether a block is stored here.
    #[must_use]
    pub fn has(&self, index: u64) -> bool {
        let state = self.read_state();
        index < state.tree.length() && state.bitfield.get(index)
    }

    /// Whether every block of a range is stored here. An empty range is.
    #[must_use]
    pub fn has_range(&self, range: Range<u64>) -> bool {
        let state = self.read_state();
        range.is_empty() || (range.end <= state.tree.length() && state.bitfield.has_range(range))
    }

    /// The stored parts of a range, in order, at most `limit` of them.
    #[must_use]
    pub fn stored_ranges(&self, range: Range<u64>, limit: usize) -> Vec<Range<u64>> {
        let state = self.read_state();
        let range = range.start..range.end.min(state.tree.length());
        state.bitfield.set_ranges(range).take(limit).collect()
    }

    /// How many blocks of a range are stored here.
    #[must_use]
    pub fn stored_count(&self, range: Range<u64>) -> u64 {
        let state = self.read_state();
        state.bitfield.count_set(range.start..range.end.min(state.tree.length()))
    }

    /// A block as it is stored, or `None` when it is not stored here.
    ///
    /// # Errors
    /// [`LogError::OutOfBounds`] at or past the end; [`LogError::CorruptBlock`] when its bytes are not those
    /// that were signed (unless verification was turned off); [`LogError::NodeMissing`] when the tree does not
    /// tell where it is; [`LogError::Corrupt`] when the tree is damaged; [`LogError::Storage`].
    pub fn get(&self, index: u64) -> Result<Option<Vec<u8>>, LogError> {
        self.get_up_to(index, u64::MAX).map(Get::block)
    }

    /// A block as it is stored, if it has at most `len_max` bytes: a longer one is not read, so that the call is short.
    ///
    /// # Errors
    /// Those of [`get`](Self::get).
    pub fn get_up_to(&self, index: u64, len_max: u64) -> Result<Get, LogError> {
        let state = self.read_state();
        state.check_bounds(index)?;
        if !state.bitfield.get(index) {
            return Ok(Get::Absent);
        }
        let block = self.read_verified(&state, index, len_max)?;
        Ok(block.map_or(Get::Longer, Get::Block))
    }

    /// Reads a block whose bit is set; `None` when it has more than `len_max` bytes.
    pub(crate) fn read_verified(
        &self,
        state: &State,
        index: u64,
        len_max: u64,
    ) -> Result<Option<Vec<u8>>, LogError> {
        if !self.options.verify_reads {
            let range = state.tree.byte_range(&state.nodes, index).map_err(tree_error)?;
            return self.read_range(index, range, len_max);
        }
        // Where something does not fit, the slow way finds out what.
        if let Some(way) = state.nodes.way(index, false)?
            && let Some(start) = self.proven.offset(state.tree.fork(), way.root())
            && let Some(offset) = way.offset(start)
            && let Some(end) = offset.checked_add(way.leaf.size)
        {
            if way.leaf.size > len_max {
                return Ok(None);
            }
            if let Some(block) = read_block(&*self.stores.data, offset..end)?
                && leaf_hash(&block) == way.leaf.hash
            {
                state.nodes.keep_proven(&way);
                return Ok(Some(block));
            }
        }
        let (leaf, range) = self.prove_leaf(state, index)?;
        let start = range.start;
        let Some(block) = self.read_range(index, range, len_max)? else { return Ok(None) };
        if leaf_hash(&block) != leaf.hash && !planted(Bug::ReadNotVerified) {
            return Err(corrupt_block(self.key, index, start));
        }
        Ok(Some(block))
    }

    /// The leaf of a block, proven to be one of the tree, and the bytes of the block. Its size is proven once the block
    /// hashes to it.
    pub(crate) fn prove_leaf(
        &self,
        state: &State,
        index: u64,
    ) -> Result<(Node, Range<u64>), LogError> {
        let leaf = state.leaf(index)?;
        let fork = state.tree.fork();
        let way = state
            .tree
            .prove_node(&state.nodes, leaf, |node| self.proven.offset(fork, node))
            .map_err(tree_error)?;
        self.proven.keep(fork, &way);
        // The way begins with the leaf.
        let start = way.first().map_or(0, |placed| placed.offset);
        Ok((leaf, start..start.saturating_add(leaf.size)))
    }

    fn read_range(
        &self,
        index: u64,
        range: Range<u64>,
        len_max: u64,
    ) -> Result<Option<Vec<u8>>, LogError> {
        let start = range.start;
        if range.end.saturating_sub(start) > len_max {
            return Ok(None);
        }
        let block = read_block(&*self.stores.data, range)?;
        block.ok_or_else(|| corrupt_block(self.key, index, start)).map(Some)
    }

    /// The byte range of a block in the log.
    ///
    /// # Errors
    /// [`LogError::OutOfBounds`]; [`LogError::NodeMissing`] when a sparse log does not know it;
    /// [`LogError::Corrupt`] when stored sizes contradict each other; [`LogError::Storage`].
    pub fn block_range(&self, index: u64) -> Result<Range<u64>, LogError> {
        let state = self.read_state();
        state.check_bounds(index)?;
        self.prove_leaf(&state, index).map(|(_, range)| range)
    }

    /// The block that holds byte `bytes`, and the offset of that byte in it. The end of the log is
    /// `(length, 0)`; `None` past it. As in JavaScript, an empty block right before the byte may be named in
    /// the place of the one that holds it, with offset 0.
    ///
    /// With `padding`, the first that many bytes of each stored block do not count.
    ///
    /// # Errors
    /// [`LogError::NodeMissing`] when a sparse log does not know it; [`LogError::Corrupt`] when stored sizes
    /// contradict each other; [`LogError::Storage`].
    pub fn seek(&self, bytes: u64, padding: u64) -> Result<Option<(u64, u64)>, LogError> {
        found(self.seek_within(bytes, padding)?)
    }

    /// The tree hash that the log had at an earlier length.
    ///
    /// # Errors
    /// [`LogError::OutOfBounds`] past the end; [`LogError::NodeMissing`] in a sparse log; [`LogError::Corrupt`] when a
    /// node it takes is not one of the signed tree; [`LogError::Storage`].
    pub fn tree_hash_at(&self, length: u64) -> Result<Hash, LogError> {
        self.read_state().tree_hash_at(length)
    }

    /// A value of the user data, which is kept beside the log and neither signed nor replicated. JavaScript
    /// can leave a key with an empty value behind, which counts as absent.
    #[must_use]
    pub fn user_data(&self, key: &str) -> Option<Vec<u8>> {
        let state = self.read_state();
        let value = state.user_data.get(key).filter(|value| !value.is_empty() && !is_own(key));
        value.map(<[u8]>::to_vec)
    }

    /// All user data, in the order it was first set, without what the log keeps for itself.
    #[must_use]
    pub fn user_data_entries(&self) -> Vec<(String, Vec<u8>)> {
        let state = self.read_state();
        state.user_data.shown().map(|(key, value)| (key.to_owned(), value.to_vec())).collect()
    }

    /// At most `limit` entries of the user data whose keys lie in a range, in the order of their keys (that of their bytes). The
    /// next ones come after the last key: `(Bound::Excluded(last), Bound::Unbounded)`.
    #[must_use]
    pub fn user_data_range<'a>(
        &self,
        range: impl RangeBounds<&'a str>,
        limit: usize,
    ) -> Vec<(String, Vec<u8>)> {
        let bounds = (range.start_bound().cloned(), range.end_bound().cloned());
        let state = self.read_state();
        let found = state.user_data.range(bounds, limit);
        found.into_iter().map(|(key, value)| (key.to_owned(), value.to_vec())).collect()
    }

    /// Bytes that each store takes up on its medium.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub fn storage_info(&self) -> Result<StorageInfo, LogError> {
        let stored =
            |name| self.stores.file(name).stored_len().map_err(StorageError::in_file(name));
        Ok(StorageInfo {
            oplog: stored(FileName::Oplog)?.saturating_add(stored(FileName::Header)?),
            tree: stored(FileName::Tree)?,
            bitfield: stored(FileName::Bitfield)?,
            data: stored(FileName::Data)?,
        })
    }

    /// A panic under the write lock can only come from a bug; what is published is set field by field from
    /// values that were computed before, so reading goes on, and the writer's own lock refuses to write.
    pub(crate) fn read_state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn publish(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The right to write, if the log may be written at all.
    pub(crate) fn lock_writer(&self) -> Result<MutexGuard<'_, Writer>, LogError> {
        let writer = self.lock_to_truncate()?;
        if writer.header_lost { Err(LogError::HeaderLost) } else { Ok(writer) }
    }

    /// The right to write where the newest header was lost: for the recovery, and for a truncation, which
    /// begins a new fork.
    pub(crate) fn lock_to_truncate(&self) -> Result<MutexGuard<'_, Writer>, LogError> {
        if self.options.access == Access::ReadOnly {
            return Err(LogError::ReadOnly);
        }
        let writer = self.writer.lock().map_err(|_| LogError::Poisoned)?;
        if self.commit.has_failed() { Err(LogError::Poisoned) } else { Ok(writer) }
    }
}

/// What a seek that goes no further says of what it found.
pub(crate) fn found(seek: Seek) -> Result<Option<(u64, u64)>, LogError> {
    match seek {
        Seek::Found { block, offset } => Ok(Some((block, offset))),
        Seek::Narrowed { blocks } => {
            Err(LogError::NodeMissing { index: blocks.start.saturating_mul(2) })
        }
        _ => Ok(None),
    }
}
