//! Appending, in the form of version 9: one signature a batch.
//!
//! A batch is hashed and signed before anything is written. The module above says in which rounds
//! it is written, and why.

use hypercore_crypto::Signature;
use random_access_storage::RandomAccess;

use crate::canary::{Bug, planted};
use crate::error::{Error, Result};
use crate::feed::batch::Batch;
use crate::feed::proven::tree_hash;
use crate::feed::{Durability, Feed};
use crate::files::FileName;
use crate::hashes;
use crate::tree::TreeFile;

/// Bytes that a block has at most: 8 MiB. Hypercore 9 reads no longer ones, which it could not send.
///
/// # Source
/// "SLEEP storage", section 9.
pub const BLOCK_LEN_MAX: u64 = 8 * 1024 * 1024;

/// Bytes of small blocks that are put together for one write.
const WRITE_LEN: usize = 1024 * 1024;

/// What an append did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Appended {
    /// The first of the new blocks; the length where there was none.
    pub first: u64,
    /// Blocks in the feed now.
    pub length: u64,
    /// Bytes in the feed now.
    pub byte_length: u64,
}

impl Feed {
    /// Appends blocks, all of them or none, and signs the feed once. Of no blocks nothing is done.
    ///
    /// A block may be empty, and has at most [`BLOCK_LEN_MAX`] bytes.
    ///
    /// # Durability
    /// As [`Durability`] says. After a crash the feed has all of the batch or nothing of it.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], [`Error::SecretKeyMissing`], [`Error::BlockTooLarge`],
    /// [`Error::TooManyBlocks`], [`Error::DataMissing`], or that the feed needs repair: then nothing was
    /// written. [`Error::Storage`], after which the feed is poisoned; [`Error::Poisoned`].
    ///
    /// # Source
    /// "SLEEP storage", section 9.
    pub fn append<B: AsRef<[u8]>>(&mut self, blocks: &[B]) -> Result<Appended> {
        self.check_changeable()?;
        let key_pair = self.key_pair.as_ref().ok_or(Error::SecretKeyMissing)?;
        let first = self.length;
        if blocks.is_empty() {
            return Ok(self.appended(first));
        }
        let too_large = |len: &u64| *len > BLOCK_LEN_MAX;
        if let Some(len) = blocks.iter().map(|block| block.as_ref().len() as u64).find(too_large) {
            return Err(Error::BlockTooLarge { len, max: BLOCK_LEN_MAX });
        }
        self.check_data()?;
        let batch = Batch::new(first, &self.roots, blocks)?;
        let message = hashes::signable(&tree_hash(&batch.roots), batch.length);
        let signature = key_pair.sign(&message);
        self.change(|feed| feed.write_batch(blocks, &batch, &signature))?;
        self.roots = batch.roots;
        self.length = batch.length;
        Ok(self.appended(first))
    }

    fn appended(&self, first: u64) -> Appended {
        Appended { first, length: self.length, byte_length: self.byte_length() }
    }

    fn write_batch<B: AsRef<[u8]>>(
        &mut self,
        blocks: &[B],
        batch: &Batch,
        signature: &Signature,
    ) -> Result<()> {
        let data = self.files.create(FileName::Data)?;
        write_blocks(&*data, self.byte_length(), blocks).map_err(Error::in_file(FileName::Data))?;
        if let Some(tree) = &self.tree {
            let offset = TreeFile::offset(batch.start).ok_or(Error::TooManyBlocks)?;
            let written = tree.store().write_at(offset, &batch.run);
            written.map_err(Error::in_file(FileName::Tree))?;
            batch.left.iter().try_for_each(|node| tree.write(node))?;
        }
        self.bitfield.set_blocks(self.length..batch.length, true)?;
        if planted(Bug::NodeBitsBeforeSignature) {
            self.bitfield.add_nodes_of(self.length..batch.length)?;
        }
        if self.durability != Durability::Lazy {
            self.write_bits()?;
            if !planted(Bug::SignedBeforeSync) {
                self.sync_files(&[FileName::Data, FileName::Tree, FileName::Bitfield])?;
            }
        }

        if let Some(signatures) = &self.signatures {
            signatures.write(batch.length.saturating_sub(1), signature)?;
        }
        self.sync_unless_lazy(&[FileName::Signatures])?;

        self.bitfield.add_nodes_of(self.length..batch.length)?;
        self.write_bits()?;
        if self.durability == Durability::Strict {
            self.sync_files(&[FileName::Bitfield])?;
        }
        Ok(())
    }
}

/// Writes blocks one after the other, small ones together.
fn write_blocks<B: AsRef<[u8]>>(
    store: &dyn RandomAccess,
    offset: u64,
    blocks: &[B],
) -> random_access_storage::Result<()> {
    let mut offset = offset;
    let total = blocks.iter().map(|block| block.as_ref().len()).fold(0, usize::saturating_add);
    let mut buffer = Vec::with_capacity(if blocks.len() > 1 { total.min(WRITE_LEN) } else { 0 });
    let mut blocks = blocks.iter().map(AsRef::as_ref).peekable();
    while let Some(block) = blocks.next() {
        let is_full = |next: &&[u8]| buffer.len().saturating_add(next.len()) > WRITE_LEN;
        let bytes = if buffer.is_empty() && blocks.peek().is_none_or(is_full) {
            block
        } else {
            buffer.extend_from_slice(block);
            let is_last = blocks
                .peek()
                .is_none_or(|next| buffer.len().saturating_add(next.len()) > WRITE_LEN);
            if !is_last {
                continue;
            }
            buffer.as_slice()
        };
        store.write_at(offset, bytes)?;
        offset = offset.saturating_add(bytes.len() as u64);
        buffer.clear();
    }
    Ok(())
}
