//! What a writer signed: the truth that everybody else is compared with.
//!
//! It knows blocks and nothing of the engine; trees are computed from the blocks alone. For each fork it remembers
//! how far it was durable, which is all that others may ever have seen of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use hypercore_crypto::Hash;
use hypercore_merkle::{Leaf, Tree};

/// Everything that one writer signed, by fork.
#[derive(Clone, Debug)]
pub(super) struct History {
    branches: BTreeMap<u64, Branch>,
}

/// One fork.
#[derive(Clone, Debug)]
struct Branch {
    blocks: Vec<Arc<[u8]>>,
    leaves: Vec<Leaf>,
    tree: Tree,
    /// By length.
    hashes: Vec<Hash>,
    /// Blocks that were durable at some time.
    durable_length: u64,
}

impl Branch {
    fn empty(fork: u64) -> Self {
        let tree = Tree::empty(fork);
        let hashes = vec![tree.hash()];
        Self { blocks: Vec::new(), leaves: Vec::new(), tree, hashes, durable_length: 0 }
    }

    fn append(&mut self, block: Arc<[u8]>) {
        let leaf = Leaf::new(&block);
        self.tree.append(&[leaf]).expect("few blocks");
        self.hashes.push(self.tree.hash());
        self.leaves.push(leaf);
        self.blocks.push(block);
    }

    /// The first `length` blocks, as fork `fork`.
    fn cut(&self, length: u64, fork: u64) -> Self {
        let length = length as usize;
        let leaves = self.leaves[..length].to_vec();
        let mut tree = Tree::empty(fork);
        tree.append(&leaves).expect("few blocks");
        Self {
            blocks: self.blocks[..length].to_vec(),
            hashes: self.hashes[..=length].to_vec(),
            durable_length: self.durable_length.min(length as u64),
            leaves,
            tree,
        }
    }
}

impl History {
    /// A new log.
    pub(super) fn new() -> Self {
        Self { branches: BTreeMap::from([(0, Branch::empty(0))]) }
    }

    fn present(&self) -> (u64, &Branch) {
        let (fork, branch) = self.branches.last_key_value().expect("there is always a fork");
        (*fork, branch)
    }

    fn present_mut(&mut self) -> &mut Branch {
        self.branches.values_mut().next_back().expect("there is always a fork")
    }

    /// The present fork.
    pub(super) fn fork(&self) -> u64 {
        self.present().0
    }

    /// Blocks in the present fork.
    pub(super) fn length(&self) -> u64 {
        self.present().1.blocks.len() as u64
    }

    /// Blocks were appended.
    pub(super) fn append(&mut self, blocks: &[Vec<u8>]) {
        let branch = self.present_mut();
        for block in blocks {
            branch.append(Arc::from(block.as_slice()));
        }
    }

    /// The log was cut, under the next fork.
    pub(super) fn truncate(&mut self, length: u64) {
        let (fork, branch) = self.present();
        let cut = branch.cut(length, fork + 1);
        self.branches.insert(fork + 1, cut);
    }

    /// That many blocks of the present fork are durable.
    pub(super) fn settle(&mut self, durable_length: u64) {
        let branch = self.present_mut();
        branch.durable_length = branch.durable_length.max(durable_length);
    }

    /// A power cut left that head; blocks that were not durable may be gone.
    pub(super) fn survive(&mut self, fork: u64, length: u64) -> Result<(), String> {
        let (present, branch) = self.present();
        let left = branch.durable_length..=branch.blocks.len() as u64;
        if fork != present || !left.contains(&length) {
            return Err(format!(
                "a power cut left fork {fork}, length {length}: fork {present} and {left:?} are right"
            ));
        }
        let cut = branch.cut(length, fork);
        self.branches.insert(fork, cut);
        Ok(())
    }

    /// Whether a head is one that others may have.
    pub(super) fn check(&self, fork: u64, length: u64, hash: Hash) -> Result<(), String> {
        let branch = self.branches.get(&fork).ok_or_else(|| format!("fork {fork} never was"))?;
        if branch.hashes.get(length as usize) != Some(&hash) {
            return Err(format!("fork {fork}, length {length} was never signed with that hash"));
        }
        self.check_durable(fork, length)
    }

    /// Whether others may know of so many blocks.
    pub(super) fn check_durable(&self, fork: u64, length: u64) -> Result<(), String> {
        let durable = self.branches.get(&fork).map_or(0, |branch| branch.durable_length);
        if length > durable {
            return Err(format!("fork {fork} is durable up to {durable}, and {length} is known"));
        }
        Ok(())
    }

    /// A block of a fork.
    pub(super) fn block(&self, fork: u64, index: u64) -> Option<&Arc<[u8]>> {
        self.branches.get(&fork)?.blocks.get(index as usize)
    }

    /// Bytes before a block of a fork; before its end, for the block after the last.
    pub(super) fn byte_offset(&self, fork: u64, index: u64) -> Option<u64> {
        let before = self.branches.get(&fork)?.blocks.get(..index as usize)?;
        Some(before.iter().map(|block| block.len() as u64).sum())
    }

    /// The block of the present fork that has a byte.
    pub(super) fn block_with(&self, byte: u64) -> u64 {
        let mut end = 0;
        let ends = self.present().1.blocks.iter().map(|block| {
            end += block.len() as u64;
            end
        });
        ends.take_while(|end| *end <= byte).count() as u64
    }

    /// The hash of the present fork.
    pub(super) fn hash(&self) -> Hash {
        self.present().1.tree.hash()
    }
}
