//! Growing the tree by new blocks.
//!
//! The nodes of a batch are hashed level by level, many at a time, and put where the order of the
//! format wants them: after each leaf the parents that it completes. That order is arithmetic, so
//! nothing is sorted or copied.

use flat_tree::{Depth, Index, full_roots};
use hypercore_crypto::{Hash, leaf_hash, leaf_hashes, parent_hash, parent_hashes};

use crate::error::AppendError;
use crate::limits::{add_lengths, add_sizes};
use crate::node::Node;
use crate::tree::Tree;

/// Parents hashed in one call; bounds the memory that a batch takes beside its nodes.
const PARENTS_PER_CALL: usize = 1024;

/// Below this many parents a level is hashed one by one: the vector code needs company to pay.
const BULK_MIN: usize = 4;

/// Size and hash of a block that is to be appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Leaf {
    /// Bytes of the block as stored.
    pub size: u64,
    /// Its leaf hash.
    pub hash: Hash,
}

impl Leaf {
    /// Hashes one block.
    #[must_use]
    pub fn new(data: &[u8]) -> Self {
        Self { size: data.len() as u64, hash: leaf_hash(data) }
    }

    /// Hashes many blocks at once.
    #[must_use]
    pub fn hash_all(blocks: &[&[u8]]) -> Vec<Self> {
        let sizes = blocks.iter().map(|block| block.len() as u64);
        sizes.zip(leaf_hashes(blocks)).map(|(size, hash)| Self { size, hash }).collect()
    }
}

impl Tree {
    /// Appends blocks and returns the new nodes: each leaf, then the parents it completes.
    ///
    /// # Errors
    /// [`AppendError`] when the tree would pass a limit; it is then unchanged.
    ///
    /// # Source
    /// formats.md section 6.1.
    pub fn append(&mut self, leaves: &[Leaf]) -> Result<Vec<Node>, AppendError> {
        let appended = leaves.len() as u64;
        let length = add_lengths(self.length, appended)
            .ok_or(AppendError::TooLong { length: self.length, appended })?;
        let mut byte_length = self.byte_length;
        for (leaf, block) in leaves.iter().zip(self.length..) {
            byte_length =
                add_sizes(byte_length, leaf.size).ok_or(AppendError::SizeOverflow { block })?;
        }

        let batch = Order { from: self.length };
        let unset = Node::new(Index::new(0), 0, Hash::from_bytes([0; 32]));
        let mut nodes = vec![unset; batch.position(length)];
        for (leaf, block) in leaves.iter().zip(self.length..) {
            if let (Some(slot), Some(index)) =
                (nodes.get_mut(batch.position(block)), Index::leaf(block))
            {
                *slot = Node::new(index, leaf.size, leaf.hash);
            }
        }
        let depths = u64::BITS.saturating_sub(length.leading_zeros());
        for depth in 1..depths {
            self.hash_level(&batch, depth, length, &mut nodes);
        }

        self.roots = full_roots(length)
            .map(|index| self.known(&batch, &nodes, index).unwrap_or(unset))
            .collect();
        self.length = length;
        self.byte_length = byte_length;
        Ok(nodes)
    }

    /// Hashes the parents of `depth` that the batch completes; the level below is done.
    fn hash_level(&self, batch: &Order, depth: u32, length: u64, nodes: &mut [Node]) {
        let first = batch.from.checked_shr(depth).unwrap_or(0);
        let end = length.checked_shr(depth).unwrap_or(0);
        let mut offsets = first..end;
        let mut slots: Vec<Node> = Vec::new();
        let mut pairs: Vec<(u64, Hash, Hash)> = Vec::new();
        loop {
            slots.clear();
            pairs.clear();
            for offset in offsets.by_ref().take(PARENTS_PER_CALL) {
                let children = Index::from_parts(Depth::new(depth), offset)
                    .and_then(|index| Some((index, index.children()?)));
                let Some((index, (left, right))) = children else { continue };
                let left = self.known(batch, nodes, left);
                let right = self.known(batch, nodes, right);
                let (Some(left), Some(right)) = (left, right) else { continue };
                // Cannot saturate: the sum of the whole tree was checked.
                let size = left.size.saturating_add(right.size);
                slots.push(Node::new(index, size, left.hash));
                pairs.push((size, left.hash, right.hash));
            }
            if slots.is_empty() {
                return;
            }
            if pairs.len() < BULK_MIN {
                for (slot, (size, left, right)) in slots.iter_mut().zip(&pairs) {
                    slot.hash = parent_hash(*size, left, right);
                }
            } else {
                for (slot, hash) in slots.iter_mut().zip(parent_hashes(&pairs)) {
                    slot.hash = hash;
                }
            }
            for slot in &slots {
                if let Some(place) = nodes.get_mut(batch.position_of(slot.index)) {
                    *place = *slot;
                }
            }
        }
    }

    /// A node of the batch, or a root that was there before it.
    fn known(&self, batch: &Order, nodes: &[Node], index: Index) -> Option<Node> {
        if index.end_block() > batch.from {
            nodes.get(batch.position_of(index)).copied()
        } else {
            self.roots.iter().rev().find(|root| root.index == index).copied()
        }
    }
}

/// Where the nodes of a batch stand in its list.
struct Order {
    /// Blocks before the batch.
    from: u64,
}

impl Order {
    /// Position of the leaf of `block`: one leaf for each block before it, and the parents that
    /// those completed. Trees of n blocks have n - (set bits of n) parents.
    fn position(&self, block: u64) -> usize {
        let nodes =
            |blocks: u64| blocks.saturating_mul(2).saturating_sub(u64::from(blocks.count_ones()));
        usize::try_from(nodes(block).saturating_sub(nodes(self.from))).unwrap_or(usize::MAX)
    }

    /// Position of any node: a parent stands `depth` places after the leaf that completes it.
    fn position_of(&self, index: Index) -> usize {
        let depth = usize::try_from(index.depth().get()).unwrap_or(usize::MAX);
        self.position(index.end_block().saturating_sub(1)).saturating_add(depth)
    }
}
