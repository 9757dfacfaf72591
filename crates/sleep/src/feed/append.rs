//! Appending, in the form of version 9: one signature a batch.
//!
//! A batch is hashed and signed before anything is written. The module above says in which rounds
//! it is written, and why.

use flat_tree::Index;

use crate::error::{Error, Result};
use crate::feed::proven::{Proven, leaf_index, tree_hash};
use crate::feed::{Durability, Feed};
use crate::files::FileName;
use crate::hashes;
use crate::length::FEED_LENGTH_MAX;
use crate::node::Node;
use hypercore_crypto::Signature;
use random_access_storage::RandomAccess;

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

/// The nodes that a batch adds.
struct Batch {
    /// From the lowest place of the batch on, ascending.
    run: Vec<Node>,
    /// Parents that lie further left, among nodes that stay.
    left: Vec<Node>,
    /// The roots of the tree with the batch.
    roots: Vec<Proven>,
    length: u64,
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
        let batch = Batch::new(first, &self.roots, blocks)?;
        self.check_data()?;
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
            tree.write_run(&batch.run)?;
            batch.left.iter().try_for_each(|node| tree.write(node))?;
        }
        self.bitfield.set_blocks(self.length..batch.length, true)?;
        if self.durability != Durability::Lazy {
            self.write_bits()?;
            self.sync_files(&[FileName::Data, FileName::Tree, FileName::Bitfield])?;
        }

        if let Some(signatures) = &self.signatures {
            signatures.write(batch.length.saturating_sub(1), signature)?;
        }
        self.sync_unless_lazy(&[FileName::Signatures])?;

        for node in batch.run.iter().chain(&batch.left) {
            self.bitfield.set_node(node.index, true)?;
        }
        self.write_bits()?;
        if self.durability == Durability::Strict {
            self.sync_files(&[FileName::Bitfield])?;
        }
        Ok(())
    }
}

impl Batch {
    /// Hashes `blocks` onto the tree with `roots`.
    fn new<B: AsRef<[u8]>>(first: u64, roots: &[Proven], blocks: &[B]) -> Result<Self> {
        let length = first.checked_add(blocks.len() as u64);
        let length = length.filter(|length| *length <= FEED_LENGTH_MAX);
        let length = length.ok_or(Error::TooManyBlocks)?;
        // The parent just left of the first leaf is always among the new nodes when that leaf is a right child: it
        // is written in one go with the others.
        let start = first.saturating_mul(2).saturating_sub(first & 1);
        let place = |index: Index| {
            index.get().checked_sub(start).and_then(|place| usize::try_from(place).ok())
        };
        let mut run = vec![None; blocks.len().saturating_mul(2)];
        let mut left = Vec::new();
        let mut roots = roots.to_vec();
        for (number, block) in (first..).zip(blocks) {
            let block = block.as_ref();
            let len = block.len() as u64;
            if len > BLOCK_LEN_MAX {
                return Err(Error::BlockTooLarge { len, max: BLOCK_LEN_MAX });
            }
            let offset = roots.last().map_or(0, Proven::end);
            let mut top = Proven { node: hashes::leaf(leaf_index(number), block), offset };
            loop {
                match place(top.node.index).and_then(|place| run.get_mut(place)) {
                    Some(slot) => *slot = Some(top.node),
                    None => left.push(top.node),
                }
                let last = roots.last().copied();
                let joined = last.and_then(|last| {
                    Some(Proven { node: hashes::parent(&last.node, &top.node)?, ..last })
                });
                let Some(parent) = joined else { break };
                roots.pop();
                top = parent;
            }
            roots.push(top);
        }
        Ok(Self { run: run.into_iter().flatten().collect(), left, roots, length })
    }
}

/// Writes blocks one after the other, small ones together.
fn write_blocks<B: AsRef<[u8]>>(
    store: &dyn RandomAccess,
    offset: u64,
    blocks: &[B],
) -> random_access_storage::Result<()> {
    let mut offset = offset;
    let mut buffer = Vec::new();
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
