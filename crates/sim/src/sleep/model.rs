//! The dullest possible feed: its blocks, and which of them are here. The tree over them is computed here once more, in
//! the plainest way, as SLEEP storage says in its sections 3 and 4.

use std::sync::Arc;

use hypercore_crypto::{Hash, hash_parts};

use super::script::{Role, Step};
use crate::hash::Hasher128;

/// A full root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Root {
    /// Blocks under it.
    blocks: u64,
    hash: Hash,
    /// Bytes under it.
    size: u64,
}

/// A block, and what stands for its bytes. Copies share them.
#[derive(Clone, Debug)]
pub struct Block {
    /// The bytes.
    pub bytes: Arc<[u8]>,
    /// What tells them from others.
    pub digest: u128,
}

impl Block {
    fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.into(), digest: digest(bytes) }
    }
}

/// What stands for the bytes of a block.
pub(crate) fn digest(bytes: &[u8]) -> u128 {
    let mut hasher = Hasher128::default();
    hasher.write_sized(bytes);
    hasher.finish()
}

/// What a feed holds.
#[derive(Clone, Debug)]
pub struct Model {
    /// Who has it.
    pub role: Role,
    /// All blocks up to the length, those that are not here included.
    pub blocks: Vec<Block>,
    /// Which of them are here.
    pub here: Vec<bool>,
    roots: Vec<Root>,
}

impl Model {
    /// An empty feed.
    #[must_use]
    pub const fn new(role: Role) -> Self {
        Self { role, blocks: Vec::new(), here: Vec::new(), roots: Vec::new() }
    }

    /// A writer's feed of `blocks`.
    #[must_use]
    pub fn of(blocks: &[Vec<u8>]) -> Self {
        let mut model = Self::new(Role::Writer);
        model.append(blocks);
        model
    }

    /// Blocks.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.blocks.len() as u64
    }

    /// Bytes in all blocks.
    #[must_use]
    pub fn byte_length(&self) -> u64 {
        self.roots.iter().map(|root| root.size).sum()
    }

    /// The tree hash; of an empty feed none is ever signed.
    #[must_use]
    pub fn tree_hash(&self) -> Hash {
        let mut bytes = vec![2];
        let mut first = 0;
        for root in &self.roots {
            bytes.extend_from_slice(root.hash.as_bytes());
            bytes.extend_from_slice(&(2 * first + root.blocks - 1).to_be_bytes());
            bytes.extend_from_slice(&root.size.to_be_bytes());
            first += root.blocks;
        }
        hash_parts(&[&bytes])
    }

    /// Does `step`; blocks that are downloaded come from `sources`.
    pub fn apply(&mut self, step: &Step, sources: &[Self]) {
        match step {
            Step::Append(blocks) => self.append(blocks),
            Step::Clear(range) => {
                let end = range.end.min(self.length());
                (range.start..end).for_each(|block| self.here[block as usize] = false);
            }
            Step::Put { source, block } => {
                let source = &sources[*source];
                let known = self.blocks.len();
                // The proof of a block that the tree covers leads to a node of that tree, and no further.
                if *block as usize >= known {
                    self.blocks.extend_from_slice(&source.blocks[known..]);
                    self.here.resize(self.blocks.len(), false);
                    self.roots.clone_from(&source.roots);
                }
                self.here[*block as usize] = true;
            }
            Step::Sync | Step::Reopen => {}
        }
    }

    fn append(&mut self, blocks: &[Vec<u8>]) {
        for block in blocks {
            self.blocks.push(Block::of(block));
            self.here.push(true);
            let size = block.len() as u64;
            let hash = hash_parts(&[&[0], &size.to_be_bytes(), block]);
            self.push_root(Root { blocks: 1, hash, size });
        }
    }

    /// Adds a root on the right, and merges siblings.
    fn push_root(&mut self, mut right: Root) {
        while let Some(left) = self.roots.pop_if(|last| last.blocks == right.blocks) {
            let size = left.size + right.size;
            let parts: [&[u8]; 4] =
                [&[1], &size.to_be_bytes(), left.hash.as_bytes(), right.hash.as_bytes()];
            right = Root { blocks: left.blocks * 2, hash: hash_parts(&parts), size };
        }
        self.roots.push(right);
    }
}
