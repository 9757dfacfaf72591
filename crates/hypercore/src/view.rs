//! What a session sees of the log, and what its writes change: every read and every change of a handle
//! goes through here.
//!
//! A [`View`] is chosen when a session is opened. A [`Viewed`] is the view with the open engine, for
//! the time of one call. Knows nothing of encryption, waiting and peers.

use std::ops::{Bound, Range};
use std::sync::Arc;

use bytes::Bytes;
use hypercore_crypto::{Hash, SignatureNode};
use hypercore_log::{
    AppendOptions, Appended, Branch, BranchSnapshot, Cleared, Get, Head, Log, LogError, Snapshot,
    TruncateOptions,
};
use tokio::sync::watch;

use crate::error::{Error, Result};
use crate::named_batch::{BranchGuard, Joined, OpenBatch};
use crate::shared::{Identity, LastSeen, Shared};

/// What a session sees. Cheap to clone: long calls take it along to their thread.
#[derive(Clone, Debug)]
pub(crate) enum View {
    /// The log as it is now.
    Live,
    /// The log as it was at one moment.
    Snapshot(Arc<Snapshot>),
    /// A named batch as it is now.
    Batch(Arc<OpenBatch>),
    /// A named batch as it was at one moment.
    BatchSnapshot(Arc<OpenBatch>, Arc<BranchSnapshot>),
}

impl View {
    /// Whether it is the log itself, so that appends go through its queue and peers hear of changes.
    pub(crate) const fn is_live(&self) -> bool {
        matches!(self, Self::Live)
    }

    /// The batch that it is, or was.
    pub(crate) const fn batch(&self) -> Option<&Arc<OpenBatch>> {
        match self {
            Self::Batch(batch) | Self::BatchSnapshot(batch, _) => Some(batch),
            Self::Live | Self::Snapshot(_) => None,
        }
    }

    /// Whether it can be changed at all.
    pub(crate) const fn is_changeable(&self) -> bool {
        matches!(self, Self::Live | Self::Batch(_))
    }

    /// Whether a session that may write can append to it; `signs` is whether it could sign.
    pub(crate) const fn is_writable(&self, identity: &Identity, signs: bool) -> bool {
        match self {
            Self::Live => identity.stores && signs,
            Self::Snapshot(_) | Self::BatchSnapshot(..) => false,
            Self::Batch(_) => identity.stores,
        }
    }

    /// Counts a session that begins with it. A weak one lets a batch close under it.
    ///
    /// # Errors
    /// `Closed` when the batch was closed.
    pub(crate) fn join(&self, weak: bool) -> Result<Option<Joined>> {
        self.batch().map(|batch| Joined::join(batch, weak)).transpose()
    }

    /// Counts what changes it. Whoever reads what can be changed, and did not find what it looked for, waits for the next
    /// change and looks again.
    pub(crate) fn changes(&self, shared: &Shared) -> watch::Receiver<u64> {
        match self {
            Self::Batch(batch) => batch.changes(),
            _ => shared.exchange().changes(),
        }
    }

    /// The numbers now, or those when the log or the batch was closed. Never waits for a call that is running.
    pub(crate) fn last_seen(&self, shared: &Shared) -> LastSeen {
        match self {
            Self::Live => shared.last_seen(),
            Self::Snapshot(snapshot) => {
                LastSeen::beside(snapshot.length(), snapshot.byte_length(), snapshot.fork())
            }
            Self::Batch(batch) => batch.last_seen(),
            Self::BatchSnapshot(_, snapshot) => {
                LastSeen::beside(snapshot.length(), snapshot.byte_length(), snapshot.fork())
            }
        }
    }

    /// Blocks stored without a gap, from the first on; of what is closed and not the log itself, none.
    pub(crate) fn contiguous_length(&self, shared: &Shared) -> u64 {
        if self.is_live() {
            return shared.last_seen().contiguous_length;
        }
        let now = shared.try_log(|log| Some(self.of(log).ok()?.contiguous_length()));
        now.flatten().unwrap_or_default()
    }

    /// The view with the engine it reads from.
    ///
    /// # Errors
    /// `Closed` when the batch is closed, or being closed.
    pub(crate) fn of<'a>(&'a self, log: &'a Log) -> Result<Viewed<'a>> {
        let content = match self {
            Self::Live => Content::Live,
            Self::Snapshot(snapshot) => Content::Snapshot(snapshot),
            Self::Batch(batch) => Content::Batch(batch.branch()?),
            Self::BatchSnapshot(batch, snapshot) => {
                Content::BatchSnapshot(batch.branch()?, snapshot)
            }
        };
        Ok(Viewed { log, content })
    }
}

enum Content<'a> {
    Live,
    Snapshot(&'a Snapshot),
    Batch(BranchGuard<'a>),
    BatchSnapshot(BranchGuard<'a>, &'a BranchSnapshot),
}

/// A view and the open engine.
pub(crate) struct Viewed<'a> {
    log: &'a Log,
    content: Content<'a>,
}

/// Calls one reading method of whatever is seen: they have the same name everywhere, and take the log first
/// where they are not of the log itself.
macro_rules! read {
    ($viewed:ident.$method:ident($($argument:expr),*)) => {
        match &$viewed.content {
            Content::Live => $viewed.log.$method($($argument),*),
            Content::Snapshot(snapshot) => snapshot.$method($viewed.log, $($argument),*),
            Content::Batch(branch) => branch.$method($viewed.log, $($argument),*),
            Content::BatchSnapshot(branch, snapshot) => {
                snapshot.$method(branch, $viewed.log, $($argument),*)
            }
        }
    };
}

impl<'a> Viewed<'a> {
    /// The log itself, whatever is seen of it.
    pub(crate) const fn log(&self) -> &'a Log {
        self.log
    }

    /// The branch of a batch.
    ///
    /// # Errors
    /// `Caller` for what is no batch.
    pub(crate) fn branch(&self) -> Result<&Branch> {
        match &self.content {
            Content::Batch(branch) => Ok(branch),
            _ => Err(Error::not_found()),
        }
    }

    /// The tree nodes that lead from one length to another.
    pub(crate) fn patch_nodes(&self, from: u64, to: u64) -> Result<Vec<SignatureNode>> {
        match &self.content {
            Content::Batch(branch) => Ok(branch.patch_nodes(self.log, from, to)?),
            _ => Ok(self.log.patch_nodes(from, to)?),
        }
    }

    /// Appends blocks as they are stored.
    pub(crate) fn append(&self, blocks: &[Bytes], options: &AppendOptions) -> Result<Appended> {
        match &self.content {
            Content::Live => Ok(self.log.append_with_options(blocks, options)?),
            Content::Snapshot(_) | Content::BatchSnapshot(..) => Err(Error::not_writable()),
            Content::Batch(branch) => Ok(branch.append_with_options(blocks, options)?),
        }
    }

    pub(crate) fn head(&self) -> Head {
        match &self.content {
            Content::Live => self.log.head(),
            Content::Snapshot(snapshot) => snapshot.head(),
            Content::Batch(branch) => branch.head(),
            Content::BatchSnapshot(_, snapshot) => snapshot.head(),
        }
    }

    pub(crate) fn contiguous_length(&self) -> u64 {
        read!(self.contiguous_length())
    }

    pub(crate) fn get(&self, index: u64) -> Result<Option<Vec<u8>>> {
        Ok(read!(self.get(index))?)
    }

    pub(crate) fn get_up_to(&self, index: u64, len_max: u64) -> Result<Get> {
        Ok(read!(self.get_up_to(index, len_max))?)
    }

    /// The first blocks of a range that can be read at once; the others, if only one by one.
    pub(crate) fn get_run(&self, blocks: Range<u64>, len_max: u64) -> Vec<Vec<u8>> {
        read!(self.get_run(blocks, len_max))
    }

    pub(crate) fn user_data(&self, key: &str) -> Option<Vec<u8>> {
        match &self.content {
            Content::Live | Content::Snapshot(_) => self.log.user_data(key),
            Content::Batch(branch) | Content::BatchSnapshot(branch, _) => branch.user_data(key),
        }
    }

    pub(crate) fn user_data_range(
        &self,
        keys: (Bound<&str>, Bound<&str>),
        limit: usize,
    ) -> Vec<(String, Vec<u8>)> {
        match &self.content {
            Content::Live | Content::Snapshot(_) => self.log.user_data_range(keys, limit),
            Content::Batch(branch) | Content::BatchSnapshot(branch, _) => {
                branch.user_data_range(keys, limit)
            }
        }
    }

    pub(crate) fn set_user_data(&self, key: &str, value: Option<&[u8]>) -> Result<()> {
        match &self.content {
            Content::Live => Ok(self.log.set_user_data(key, value)?),
            Content::Snapshot(_) | Content::BatchSnapshot(..) => Err(Error::not_writable()),
            Content::Batch(branch) => Ok(branch.set_user_data(key, value)?),
        }
    }

    /// How many blocks are still those of an earlier fork, and the fork now; `None` while that is the same.
    pub(crate) fn moved_since(&self, fork: u64) -> Option<(u64, u64)> {
        match &self.content {
            Content::Live => {
                self.log.kept_since(fork)?;
                let moved = self.log.moved_since(fork);
                moved.kept.map(|kept| (kept, moved.head.fork))
            }
            Content::Snapshot(_) | Content::BatchSnapshot(..) => None,
            Content::Batch(branch) => {
                let moved = branch.moved_since(fork);
                moved.kept.map(|kept| (kept, moved.head.fork))
            }
        }
    }

    /// Refuses to wait for blocks below `end` when they can not become visible any more: only those that are
    /// the log's come from peers.
    pub(crate) fn awaits_up_to(&self, end: u64) -> Result<()> {
        let (length, ancestors, shared) = match &self.content {
            Content::Live => return Ok(()),
            Content::Snapshot(snapshot) => {
                (snapshot.length(), snapshot.length(), snapshot.shared_length(self.log))
            }
            Content::Batch(branch) => (branch.length(), branch.ancestors(), branch.shared_length()),
            Content::BatchSnapshot(_, snapshot) => {
                (snapshot.length(), snapshot.ancestors(), snapshot.shared_length())
            }
        };
        if end > length {
            let index = end.saturating_sub(1);
            return Err(LogError::OutOfBounds { index, length }.into());
        }
        if end > ancestors {
            return Err(Error::not_stored());
        }
        if end > shared {
            return Err(LogError::BaseRewritten { shared }.into());
        }
        Ok(())
    }

    /// Refuses to wait for a block that can not become visible any more.
    pub(crate) fn awaits(&self, index: u64) -> Result<()> {
        self.awaits_up_to(index.saturating_add(1))
    }

    pub(crate) fn has(&self, index: u64) -> bool {
        read!(self.has(index))
    }

    pub(crate) fn has_range(&self, blocks: Range<u64>) -> bool {
        read!(self.has_range(blocks))
    }

    pub(crate) fn stored_ranges(&self, blocks: Range<u64>, limit: usize) -> Vec<Range<u64>> {
        read!(self.stored_ranges(blocks, limit))
    }

    pub(crate) fn seek(&self, byte: u64, padding: u64) -> Result<Option<(u64, u64)>> {
        Ok(read!(self.seek(byte, padding))?)
    }

    pub(crate) fn tree_hash_at(&self, length: u64) -> Result<Hash> {
        Ok(read!(self.tree_hash_at(length))?)
    }

    pub(crate) fn clear(&self, blocks: Range<u64>) -> Result<Cleared> {
        match &self.content {
            Content::Live => Ok(self.log.clear(blocks)?),
            Content::Snapshot(_) | Content::BatchSnapshot(..) => Err(Error::not_writable()),
            Content::Batch(branch) => Ok(branch.clear(blocks)?),
        }
    }

    pub(crate) fn truncate(
        &self,
        length: u64,
        fork: Option<u64>,
        signing: &TruncateOptions,
    ) -> Result<()> {
        match &self.content {
            Content::Live => Ok(self.log.truncate_with(length, fork, signing).map(drop)?),
            Content::Snapshot(_) | Content::BatchSnapshot(..) => Err(Error::not_writable()),
            // Nobody is told the fork of a batch.
            Content::Batch(_) if fork.is_some() => Err(Error::live_only()),
            Content::Batch(branch) => Ok(branch.truncate(self.log, length).map(drop)?),
        }
    }
}
