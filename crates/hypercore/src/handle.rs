//! The handle: every call of the API, and whether it runs inline or on a blocking thread.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use hypercore_crypto::{CoreKey, DiscoveryKey, Hash};
use hypercore_log::{
    AuditProgress, AuditReport, BLOCK_LEN_MAX, Cleared, Get, LogError, RecoveryReport,
    RepairProgress, RepairReport,
};
use hypercore_replication::LogChange;

use crate::batch::{Batch, total_len};
use crate::builder::Builder;
use crate::encryption::Cipher;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::info::{Appended, Info};
use crate::replication::exchange;
use crate::session::Session;
use crate::shared::Shared;
use crate::storage::Storage;
use crate::view::Viewed;

/// The largest write in bytes that runs inline under `Eventual` durability: hashing and handing it
/// to the operating system takes less than a switch of threads.
const INLINE_WRITE_LEN_MAX: usize = 16 * 1024;

/// The most blocks that a write running inline may have.
const INLINE_WRITE_BLOCKS_MAX: usize = 64;

/// The largest block in bytes that is read inline; hashing it takes some tens of microseconds.
const INLINE_READ_LEN_MAX: u64 = 64 * 1024;

/// An open log.
///
/// A handle is cheap to clone; all clones see the same log, from any number of tasks and threads.
/// Every acknowledged append is present, in order, after reopening. The log closes when
/// [`close`](Self::close) is called or the last clone is dropped.
///
/// A write that has begun runs to its end, also when its future is dropped: then nobody hears
/// whether it succeeded.
#[derive(Clone, Debug)]
pub struct Hypercore {
    session: Arc<Session>,
}

impl Hypercore {
    pub(crate) fn of(session: Arc<Session>) -> Self {
        Self { session }
    }

    pub(crate) fn session_ref(&self) -> &Arc<Session> {
        &self.session
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        self.session.shared()
    }

    /// The options for opening a log in `storage`: a directory, memory, or stores of one's own.
    pub fn builder(storage: impl Into<Storage>) -> Builder {
        Builder::new(storage.into())
    }

    /// Opens the log in `storage` with the default options: for reading and writing, made with a new
    /// key pair where nothing is stored.
    ///
    /// # Errors
    /// Those of [`Builder::open`].
    pub async fn open(storage: impl Into<Storage>) -> Result<Self> {
        Self::builder(storage).open().await
    }

    /// Appends one block of 0 to [`BLOCK_LEN_MAX`] bytes.
    ///
    /// # Durability
    /// [`Immediate`](crate::Durability::Immediate): survives a power cut on return.
    /// [`Eventual`](crate::Durability::Eventual): survives a kill of the process on return, a power
    /// cut once a flush that starts at most [`EVENTUAL_FLUSH_AFTER`](crate::EVENTUAL_FLUSH_AFTER)
    /// later is done.
    ///
    /// # Errors
    /// `Caller` when this handle may not write ([`Error::is_not_writable`]) or the block is too large
    /// ([`Error::is_block_too_large`]): nothing was changed. `Io` when the disk failed or is full
    /// ([`Error::is_storage_full`]): reopen the log; what was acknowledged before is there.
    pub async fn append(&self, block: impl AsRef<[u8]>) -> Result<Appended> {
        self.append_slice(std::slice::from_ref(&block)).await
    }

    /// Appends blocks, all or none, with one signature; much faster than one by one.
    ///
    /// Large batches are copied once, in pieces between which other tasks run;
    /// [`append_owned`](Self::append_owned) moves them instead. No blocks: nothing is written.
    ///
    /// # Durability
    /// As for [`append`](Self::append), for the batch as a whole: after a crash all of it is there, or
    /// none.
    ///
    /// # Errors
    /// Those of [`append`](Self::append).
    pub async fn append_batch<B: AsRef<[u8]>>(
        &self,
        blocks: impl IntoIterator<Item = B>,
    ) -> Result<Appended> {
        let blocks: Vec<B> = blocks.into_iter().collect();
        self.append_slice(&blocks).await
    }

    /// Appends blocks as [`append_batch`](Self::append_batch) does, without copying them.
    ///
    /// # Errors
    /// Those of [`append`](Self::append).
    pub async fn append_owned(&self, blocks: Vec<Bytes>) -> Result<Appended> {
        check_lens(&blocks)?;
        if let Some(result) = self.append_inline(&blocks).await {
            return result;
        }
        self.session.append_queued(Batch::owned(blocks)).await
    }

    /// Tells peers, and those who wait, what became of the log.
    fn tell(&self, change: LogChange) {
        if self.session.view().is_live() {
            exchange::log_changed(self.shared(), change);
        }
    }

    /// Comes before every call that runs inline. Such calls never wait, so a task that makes one
    /// after the other would keep its executor from all others: now and then it lets them go first.
    async fn take_turn() {
        tokio::task::coop::consume_budget().await;
    }

    async fn append_slice<B: AsRef<[u8]>>(&self, blocks: &[B]) -> Result<Appended> {
        check_lens(blocks)?;
        if let Some(result) = self.append_inline(blocks).await {
            return result;
        }
        self.session.append_queued(Batch::copy_of(blocks).await).await
    }

    /// Appends on this thread what is so little that a switch of threads would take longer.
    async fn append_inline<B: AsRef<[u8]>>(&self, blocks: &[B]) -> Option<Result<Appended>> {
        if blocks.len() > INLINE_WRITE_BLOCKS_MAX || total_len(blocks) > INLINE_WRITE_LEN_MAX {
            return None;
        }
        Self::take_turn().await;
        self.session.append_inline(blocks)
    }

    /// Reads a block that is stored here; `None` when it is not (never downloaded, or cleared). Never
    /// waits for anybody.
    ///
    /// # Errors
    /// `Caller` when the log has no such block ([`Error::is_out_of_bounds`]); `Corrupt` when what is
    /// stored is not what was signed; `Io` when the disk failed.
    pub async fn get_local(&self, index: u64) -> Result<Option<Bytes>> {
        Self::take_turn().await;
        let inline = self.session.inline(|log, cipher| {
            Ok(match log.get_up_to(index, INLINE_READ_LEN_MAX)? {
                Get::Block(stored) => Some(Some(cipher.decrypt(index, stored)?)),
                Get::Absent => Some(None),
                Get::Longer => None,
            })
        })?;
        match inline {
            Some(block) => Ok(block),
            None => self.session.blocking(move |log, cipher| get(log, cipher, index)).await,
        }
    }

    /// Whether a block is stored here. A block past the end is not.
    ///
    /// # Errors
    /// `Closed`, and `Io` when the disk failed.
    pub async fn has(&self, index: u64) -> Result<bool> {
        Self::take_turn().await;
        self.session.inline(|log, _| Ok(log.has(index)))
    }

    /// Whether all blocks of a range are stored here. An empty range is.
    ///
    /// # Errors
    /// `Closed`, and `Io` when the disk failed.
    pub async fn has_range(&self, blocks: Range<u64>) -> Result<bool> {
        Self::take_turn().await;
        self.session.inline(|log, _| Ok(log.has_range(blocks)))
    }

    /// The parts of a range that are stored here, in order, at most `limit` of them.
    ///
    /// # Errors
    /// `Closed`, and `Io` when the disk failed.
    pub async fn stored_ranges(&self, blocks: Range<u64>, limit: usize) -> Result<Vec<Range<u64>>> {
        self.session.blocking(move |log, _| Ok(log.stored_ranges(blocks, limit))).await
    }

    /// The block that holds content byte `byte` of the log, and the byte's offset in that block, by
    /// what is stored here. The end of the log is `(length, 0)`; `None` past it. As in JavaScript, an
    /// empty block right before the byte may be named in the place of the one that holds it, with
    /// offset 0.
    ///
    /// # Errors
    /// `Caller` when the tree nodes that tell are not stored here; `Corrupt`, `Io`, `Closed`.
    pub async fn seek_local(&self, byte: u64) -> Result<Option<(u64, u64)>> {
        Self::take_turn().await;
        self.session.inline(|log, cipher| Ok(log.seek(byte, cipher.padding())?))
    }

    /// Drops the content of blocks and gives their space back. The log keeps its length and its
    /// hash; the blocks can be fetched again from whoever has them.
    ///
    /// # Durability
    /// Survives a power cut on return, with either durability: space is only given back then.
    ///
    /// # Errors
    /// `Caller` when this handle may not write; `Io`, `Closed`. A part of the range past the end, or
    /// that is not stored, is no error.
    pub async fn clear(&self, blocks: Range<u64>) -> Result<Cleared> {
        let change = LogChange::Cleared(blocks.clone());
        let cleared = self.session.blocking_write(move |log, _| Ok(log.clear(blocks)?)).await?;
        self.tell(change);
        Ok(cleared)
    }

    /// Shortens the log to `length` blocks. Its fork number rises by one, or to `fork`, which must be
    /// higher than the present one: readers see that history was rewritten.
    ///
    /// # Durability
    /// Survives a power cut on return, with either durability.
    ///
    /// # Errors
    /// `Caller` when the log is shorter than `length`, `fork` is not above the present fork, or this
    /// handle may not write; `Io`, `Closed`.
    pub async fn truncate(&self, length: u64, fork: Option<u64>) -> Result<()> {
        self.session.blocking_write(move |log, _| Ok(log.truncate(length, fork)?)).await?;
        self.tell(LogChange::Truncated { length });
        Ok(())
    }

    /// The hash that the log had when it was `length` blocks long (in the present fork), by what is
    /// stored here.
    ///
    /// # Errors
    /// `Caller` when the log is shorter, or the tree nodes that tell are not stored here; `Corrupt`,
    /// `Io`, `Closed`.
    pub async fn tree_hash_local(&self, length: u64) -> Result<Hash> {
        Self::take_turn().await;
        self.session.inline(|log, _| Ok(log.tree_hash_at(length)?))
    }

    /// What the log is and what it takes in its storage, at one moment.
    ///
    /// # Errors
    /// `Io` when the disk does not tell; `Closed`.
    pub async fn info(&self) -> Result<Info> {
        Self::take_turn().await;
        let identity = &self.shared().identity;
        self.session.inline(|view, cipher| {
            let (log, head) = (view.log(), view.head());
            Ok(Info {
                key: identity.key,
                discovery_key: identity.discovery_key,
                writable: self.writable(),
                signer: log.signer(),
                length: head.length,
                byte_length: cipher.content_len(head.byte_length, head.length),
                contiguous_length: view.contiguous_length().min(head.length),
                fork: head.fork,
                tree_hash: head.tree_hash,
                compat: log.is_compat(),
                manifest: log.manifest(),
                encrypted: cipher.is_on(),
                storage: log.storage_info()?,
            })
        })
    }

    /// Reads everything that is stored, hashes it again and checks tree, bitfield and signature.
    /// Changes nothing; what is wrong is in the report, not an error.
    ///
    /// # Errors
    /// `Io` when the disk failed, `Closed`.
    pub async fn verify(&self) -> Result<AuditReport> {
        self.verify_with(|_| {}).await
    }

    /// Does what [`verify`](Self::verify) does, and tells `progress` about it on the way, from a
    /// blocking thread.
    ///
    /// # Errors
    /// Those of [`verify`](Self::verify).
    pub async fn verify_with(
        &self,
        mut progress: impl FnMut(AuditProgress) + Send + 'static,
    ) -> Result<AuditReport> {
        self.session.blocking(move |view, _| Ok(view.log().audit(&mut progress)?)).await
    }

    /// Writes again what can be derived from the rest: tree nodes, and which blocks are stored. Head, keys and blocks
    /// stay as they are; damaged blocks of a log that can not be written to here no longer count as stored, so that they
    /// can be fetched again. A [`verify`](Self::verify) after it tells what is left.
    ///
    /// `progress` is told about it on the way, from a blocking thread.
    ///
    /// # Durability
    /// Survives a power cut on return, with either durability.
    ///
    /// # Errors
    /// `Caller` for a handle open for reading, `Corrupt` when the newest header is lost: nothing was changed. `Io` when
    /// the disk failed: reopen the log; `Closed`.
    pub async fn repair_with(
        &self,
        mut progress: impl FnMut(RepairProgress) + Send + 'static,
    ) -> Result<RepairReport> {
        self.session.blocking_write(move |view, _| Ok(view.log().repair(&mut progress)?)).await
    }

    /// What opening found, and mended.
    ///
    /// # Errors
    /// `Closed`.
    pub fn recovery(&self) -> Result<RecoveryReport> {
        self.session.inline(|view, _| Ok(view.log().recovery().clone()))
    }

    /// Makes everything written so far durable.
    ///
    /// # Durability
    /// On return all of it survives a power cut.
    ///
    /// # Errors
    /// `Io` when the disk failed: reopen the log; `Closed`.
    pub async fn flush(&self) -> Result<()> {
        self.session.flush().await
    }

    /// Closes the log for all clones: waits for the calls that run, makes what they wrote durable
    /// and releases the lock. Closing again does nothing and gives the same answer; other calls
    /// say `Closed` from now on.
    ///
    /// Without it, the log closes when the last clone is dropped. Under `Eventual` durability the
    /// flush that is due then runs on a blocking thread, or before the drop returns where the runtime
    /// is gone, and nobody hears of its failure.
    ///
    /// # Errors
    /// `Io` when what was not yet durable could not be made so.
    pub async fn close(&self) -> Result<()> {
        self.session.close().await
    }

    /// Whether the log was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.session.is_closed()
    }

    /// The public name of the log: what a reader needs to verify it.
    #[must_use]
    pub fn key(&self) -> CoreKey {
        self.shared().identity.key
    }

    /// A hash of the key by which peers find each other without telling it.
    #[must_use]
    pub fn discovery_key(&self) -> DiscoveryKey {
        self.shared().identity.discovery_key
    }

    /// Whether this handle may append.
    #[must_use]
    pub fn writable(&self) -> bool {
        self.session.is_writable()
    }

    /// Blocks in the log; after closing, those at that time.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.session.last_seen().length
    }

    /// Whether the log has no blocks.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length() == 0
    }

    /// Content bytes in the log; after closing, those at that time.
    #[must_use]
    pub fn byte_length(&self) -> u64 {
        let seen = self.session.last_seen();
        self.session.cipher().content_len(seen.stored_bytes, seen.length)
    }

    /// How often the log was truncated and rewritten.
    #[must_use]
    pub fn fork(&self) -> u64 {
        self.session.last_seen().fork
    }

    /// Blocks stored here without a gap, from block 0 on.
    #[must_use]
    pub fn contiguous_length(&self) -> u64 {
        let seen = self.session.last_seen();
        seen.contiguous_length.min(seen.length)
    }
}

/// The engine allows for the padding of encrypted blocks, so the limit on content is looked at here;
/// one block too large must also not fail the appends that are written together with it.
fn check_lens<B: AsRef<[u8]>>(blocks: &[B]) -> Result<()> {
    match blocks.iter().map(|block| block.as_ref().len()).find(|len| *len > BLOCK_LEN_MAX) {
        Some(len) => {
            let (len, max) = (len as u64, BLOCK_LEN_MAX as u64);
            Err(LogError::BlockTooLarge { len, max }.into())
        }
        None => Ok(()),
    }
}

fn get(log: Viewed<'_>, cipher: &Cipher, index: u64) -> Result<Option<Bytes>> {
    match log.get(index)? {
        None => Ok(None),
        Some(stored) => cipher.decrypt(index, stored).map(Some),
    }
}
