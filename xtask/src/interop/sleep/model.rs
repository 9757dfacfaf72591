//! What a SLEEP feed should look like after each step.

use serde_json::{Value, json};

use crate::interop::model::{Spec, learned, same, same_blocks};

/// Bytes that a signature of version 9 signs.
const SIGNED_LEN: u64 = 40;

/// One block. Of a feed that was taken over with holes not all is known.
#[derive(Debug, Clone)]
struct Block {
    len: Option<u64>,
    /// `None` where the block is not stored.
    hash: Option<String>,
}

/// What the feed should be.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    blocks: Vec<Block>,
    /// Slots with a signature, each with the number of bytes that are signed.
    signatures: Vec<(u64, u64)>,
    /// Learned from the first side that tells, until the next change.
    tree_hash: Option<Value>,
    byte_length: Option<Value>,
    /// Learned from the first side that tells, and never changed.
    key: Option<Value>,
    page_size: Option<Value>,
}

impl Model {
    /// A feed that was there before, as JavaScript sees it.
    pub(super) fn adopted(state: &Value, lengths: &Value) -> Result<Self, String> {
        let hashes = state["blocks"].as_array().ok_or("no blocks")?;
        let lengths = lengths["lengths"].as_array().ok_or("no lengths")?;
        let block = |(hash, len): (&Value, &Value)| Block {
            len: len.as_u64(),
            hash: hash.as_str().map(str::to_owned),
        };
        let signatures: Vec<(u64, u64)> = serde_json::from_value(state["signatures"].clone())
            .map_err(|error| error.to_string())?;
        Ok(Self {
            blocks: hashes.iter().zip(lengths).map(block).collect(),
            signatures,
            ..Self::default()
        })
    }

    pub(super) fn length(&self) -> u64 {
        self.blocks.len() as u64
    }

    /// Lengths that a signature covers, the newest last.
    pub(super) fn signed_lengths(&self) -> Vec<u64> {
        self.signatures.iter().map(|(slot, _)| slot + 1).collect()
    }

    /// A batch that was acknowledged, or found after a kill.
    pub(super) fn append(&mut self, specs: &[Spec], hashes: &[String]) {
        self.forget();
        let new = specs.iter().zip(hashes);
        self.blocks.extend(
            new.map(|((_, len), hash)| Block {
                len: Some((*len).into()),
                hash: Some(hash.clone()),
            }),
        );
        self.signatures.push((self.length() - 1, SIGNED_LEN));
    }

    pub(super) fn truncate(&mut self, length: u64) {
        self.forget();
        self.blocks.truncate(length as usize);
        self.signatures.retain(|(slot, _)| *slot < length);
    }

    pub(super) fn clear(&mut self, start: u64, end: u64) {
        for block in &mut self.blocks[start as usize..end as usize] {
            block.hash = None;
        }
    }

    /// The blocks from `start` on that are stored, up to `end`.
    pub(super) fn stored_from(&self, start: u64, end: u64) -> (u64, u64) {
        let blocks = &self.blocks[start as usize..end as usize];
        let count = blocks.iter().take_while(|block| block.hash.is_some()).count() as u64;
        (start, start + count)
    }

    /// The block that holds a byte, and the place in it. `None` when a length before it is not known.
    pub(super) fn find(&self, byte: u64) -> Option<(u64, u64)> {
        let mut left = byte;
        for (index, block) in (0..).zip(&self.blocks) {
            let len = block.len?;
            if left < len {
                return Some((index, left));
            }
            left -= len;
        }
        None
    }

    /// All bytes, when all lengths are known.
    pub(super) fn byte_length(&self) -> Option<u64> {
        self.blocks.iter().map(|block| block.len).sum()
    }

    fn stored(&self) -> u64 {
        self.blocks.iter().filter(|block| block.hash.is_some()).count() as u64
    }

    /// Compares the state of the writer, and gives the number of blocks that were compared.
    pub(super) fn compare(&mut self, state: &Value) -> Result<u64, String> {
        same("length", self.length(), state)?;
        same("isWritable", true, state)?;
        same("signatures", json!(self.signatures), state)?;
        if let Some(byte_length) = self.byte_length() {
            same("byteLength", byte_length, state)?;
        }
        learned("treeHash", &mut self.tree_hash, state)?;
        learned("byteLength", &mut self.byte_length, state)?;
        learned("key", &mut self.key, state)?;
        learned("pageSize", &mut self.page_size, state)?;
        same_blocks(self.blocks.iter().map(|block| block.hash.as_deref()), state)
    }

    /// Compares an audit: every block that is stored is good.
    pub(super) fn compare_audit(&self, audit: &Value) -> Result<(), String> {
        same("valid", self.stored(), audit)?;
        same("invalid", 0, audit)
    }

    /// What a hash of the block at `index` says, if it is stored.
    pub(super) fn hash(&self, index: usize) -> Option<&str> {
        self.blocks.get(index)?.hash.as_deref()
    }

    fn forget(&mut self) {
        self.tree_hash = None;
        self.byte_length = None;
    }
}
