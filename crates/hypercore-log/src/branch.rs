//! Branches: unsigned continuations of a log, kept in stores of their own until they are committed.
//!
//! A branch is a log of the same engine that holds only what comes after the length where it began; what lies before is
//! read from the log it is of, which it keeps hold of like a snapshot does. It is seeded with the roots of that length,
//! so offsets, hashes and sizes are those that the log will have, and a commit copies bytes as they are. Nobody signs it:
//! in the place of a signature stands the tree hash, which recovery compares as it would verify a signature.

use std::ops::RangeBounds;
use std::sync::Arc;

use hypercore_crypto::CoreKey;

use crate::append::Appended;
use crate::change::Cleared;
use crate::cuts::Moved;
use crate::error::LogError;
use crate::log::{Log, StorageInfo};
use crate::options::{Access, Create, Durability};
use crate::recover::RecoveryReport;
use crate::signing::AppendOptions;
use crate::snapshot::kept::Kept;
use crate::state::Head;

mod commit;
mod frozen;
mod open;
pub(crate) mod origin;
mod read;
mod rebase;
mod truncate;

pub use commit::CommitOptions;
pub use frozen::BranchSnapshot;
pub(crate) use open::{check_kind, seal};

/// How a branch is opened.
#[derive(Clone, Debug)]
#[must_use]
pub struct BranchOptions {
    access: Access,
    create: Create,
    checkout: Option<u64>,
    durability: Durability,
    verify_reads: bool,
}

impl Default for BranchOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl BranchOptions {
    /// A branch that is there; [`Durability::Immediate`]; reads are verified.
    pub const fn new() -> Self {
        Self {
            access: Access::ReadWrite,
            create: Create::Never,
            checkout: None,
            durability: Durability::Immediate,
            verify_reads: true,
        }
    }

    /// Whether the branch may be written to. On by default.
    pub const fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Whether a new branch may be made.
    pub const fn create(mut self, create: Create) -> Self {
        self.create = create;
        self
    }

    /// How many blocks of the log a new branch begins with; without it, all. A stored branch is resumed as it is.
    pub const fn checkout(mut self, length: u64) -> Self {
        self.checkout = Some(length);
        self
    }

    /// When a write counts as done.
    pub const fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Whether each block read is checked against its hash in the tree. On by default.
    pub const fn verify_reads(mut self, verify: bool) -> Self {
        self.verify_reads = verify;
        self
    }
}

/// A branch of a log: blocks of its own behind the first ones of the log. See [`Branch::open`].
///
/// All methods take `&self` and may be called from many threads. Those that read or truncate take the log it is of, and
/// give [`LogError::OtherLog`] for any other.
///
/// # What the log does meanwhile
/// It may grow as it likes. Where it is truncated or reorganised below what an open branch shares with it, the branch keeps
/// its content, copied into its overlay as for a [`Snapshot`](crate::Snapshot), until it is closed. A branch that was not
/// open then gives [`LogError::BaseRewritten`] for the blocks that can not be proven to be those it was begun with.
///
/// # Encryption
/// Blocks are bytes here. A branch and its log can stand at the same fork and length with different blocks: who encrypts
/// must not make the nonce from these two alone.
#[derive(Debug)]
pub struct Branch {
    pub(crate) own: Log,
    below: Arc<Kept>,
}

impl Branch {
    /// The key of the log it is of.
    #[must_use]
    pub const fn key(&self) -> CoreKey {
        self.own.key()
    }

    /// The present head. Its fork counts the truncations of the branch, from the fork of the log on.
    #[must_use]
    pub fn head(&self) -> Head {
        self.own.head()
    }

    /// Blocks in the branch, those of the log with them.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.own.length()
    }

    /// Bytes of all blocks together, as stored.
    #[must_use]
    pub fn byte_length(&self) -> u64 {
        self.own.byte_length()
    }

    /// The present fork.
    #[must_use]
    pub fn fork(&self) -> u64 {
        self.own.fork()
    }

    /// The first blocks, which are those of the log it is of. All others are its own.
    #[must_use]
    pub fn ancestors(&self) -> u64 {
        self.own.read_state().ancestors()
    }

    /// How many of the [`ancestors`](Self::ancestors) are still those of the log.
    #[must_use]
    pub fn shared_length(&self) -> u64 {
        self.below.shared().min(self.ancestors())
    }

    /// The blocks that a power cut can not take back; 0 while a truncation is not durable yet.
    #[must_use]
    pub fn durable_length(&self) -> u64 {
        self.own.durable_length()
    }

    /// What opening found and mended in the branch's own stores.
    #[must_use]
    pub const fn recovery(&self) -> &RecoveryReport {
        self.own.recovery()
    }

    /// The head, and how much of the branch's history is what it was when it had `fork`: see [`Log::moved_since`].
    #[must_use]
    pub fn moved_since(&self, fork: u64) -> Moved {
        self.own.moved_since(fork)
    }

    /// Bytes that the branch's own stores take up on their medium.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub fn storage_info(&self) -> Result<StorageInfo, LogError> {
        self.own.storage_info()
    }

    /// Appends `blocks` as one batch.
    ///
    /// # Durability
    /// As [`Log::append`].
    ///
    /// # Errors
    /// [`LogError::BlockTooLarge`], [`LogError::TooLong`], [`LogError::Poisoned`]: nothing was changed.
    /// [`LogError::Storage`]: the disk failed, and the branch is poisoned.
    pub fn append<B: AsRef<[u8]>>(&self, blocks: &[B]) -> Result<Appended, LogError> {
        self.own.append(blocks)
    }

    /// Appends `blocks`, with a limit or for one head only. Nobody signs a branch: key pairs and signatures of the options do
    /// nothing.
    ///
    /// # Durability
    /// As [`Log::append`].
    ///
    /// # Errors
    /// As [`append`](Self::append); [`LogError::LengthLimit`], [`LogError::HeadMoved`]: nothing was changed.
    pub fn append_with_options<B: AsRef<[u8]>>(
        &self,
        blocks: &[B],
        options: &AppendOptions,
    ) -> Result<Appended, LogError> {
        self.own.append_with_options(blocks, &options.unsigned())
    }

    /// Appends the blocks that `make` makes of the head they come after, which no other write of the branch moves meanwhile.
    ///
    /// # Durability
    /// As [`Log::append`].
    ///
    /// # Errors
    /// As [`append_with_options`](Self::append_with_options).
    pub fn append_made(
        &self,
        options: &AppendOptions,
        make: impl FnOnce(&Head) -> Vec<Vec<u8>>,
    ) -> Result<Appended, LogError> {
        self.own.append_made(&options.unsigned(), make)
    }

    /// Drops the blocks of a range that are the branch's own, and gives their space back. A commit leaves them out as well.
    ///
    /// # Durability
    /// As [`Log::clear`].
    ///
    /// # Errors
    /// As [`Log::clear`].
    pub fn clear(&self, range: std::ops::Range<u64>) -> Result<Cleared, LogError> {
        self.own.clear(range.start.max(self.ancestors())..range.end)
    }

    /// A value of the branch's own user data.
    #[must_use]
    pub fn user_data(&self, key: &str) -> Option<Vec<u8>> {
        self.own.user_data(key)
    }

    /// All user data of the branch, in the order it was first set.
    #[must_use]
    pub fn user_data_entries(&self) -> Vec<(String, Vec<u8>)> {
        self.own.user_data_entries()
    }

    /// User data of the branch whose keys are in `keys`, ordered by key, at most `limit` of them.
    #[must_use]
    pub fn user_data_range<'a>(
        &self,
        keys: impl RangeBounds<&'a str>,
        limit: usize,
    ) -> Vec<(String, Vec<u8>)> {
        self.own.user_data_range(keys, limit)
    }

    /// Sets a value beside the branch, or removes it with `None`.
    ///
    /// # Durability
    /// As [`Log::append`].
    ///
    /// # Errors
    /// As [`Log::set_user_data`].
    pub fn set_user_data(&self, key: &str, value: Option<&[u8]>) -> Result<(), LogError> {
        self.own.set_user_data(key, value)
    }

    /// Returns once everything written so far is on stable storage.
    ///
    /// # Errors
    /// As [`Log::flush`].
    pub fn flush(&self) -> Result<(), LogError> {
        self.own.flush()
    }

    /// Whether there is nothing that a power cut could take back.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        self.own.is_flushed()
    }

    /// Writes a checkpoint: see [`Log::checkpoint`].
    ///
    /// # Durability
    /// Everything written so far is on stable storage on return.
    ///
    /// # Errors
    /// As [`Log::checkpoint`].
    pub fn checkpoint(&self) -> Result<(), LogError> {
        self.own.checkpoint()
    }

    /// Checkpoints and ends. A branch that is dropped instead loses nothing.
    ///
    /// # Errors
    /// As [`checkpoint`](Self::checkpoint).
    pub fn close(self) -> Result<(), LogError> {
        self.own.close()
    }
}
