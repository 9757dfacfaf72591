//! Appending: on this thread when it is little, else through the queue.

use bytes::Bytes;
use hypercore_log::{BLOCK_LEN_MAX, LogError};

use super::Hypercore;
use crate::batch::{Batch, total_len};
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::info::Appended;
use crate::options::AppendOptions;

/// The largest write in bytes that runs inline under `Eventual` durability: hashing and handing it
/// to the operating system takes less than a switch of threads.
const INLINE_WRITE_LEN_MAX: usize = 16 * 1024;

/// The most blocks that a write running inline may have.
const INLINE_WRITE_BLOCKS_MAX: usize = 64;

/// Appending.
impl Hypercore {
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

    /// Appends blocks as [`append_batch`](Self::append_batch) does, with a limit, or signed by another key
    /// pair or by a ready signature. They are never put together with what others append meanwhile.
    ///
    /// # Durability
    /// As for [`append_batch`](Self::append_batch).
    ///
    /// # Errors
    /// Those of [`append`](Self::append); `Caller` when the log would be longer than allowed, the key pair
    /// may not sign, or the signature does not hold: nothing was changed.
    pub async fn append_with<B: AsRef<[u8]>>(
        &self,
        blocks: impl IntoIterator<Item = B>,
        options: AppendOptions,
    ) -> Result<Appended> {
        let blocks: Vec<B> = blocks.into_iter().collect();
        check_lens(&blocks)?;
        self.session.append_with(Batch::copy_of(&blocks).await, options).await
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
