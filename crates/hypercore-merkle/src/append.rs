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

        let batch = Order::new(self.length);
        let unset = Node::new(Index::new(0), 0, Hash::from_bytes([0; 32]));
        let mut nodes = vec![unset; batch.place(0, length)];
        for (leaf, block) in leaves.iter().zip(self.length..) {
            if let (Some(slot), Some(index)) =
                (nodes.get_mut(batch.place(0, block)), Index::leaf(block))
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
        // From a parent back to its left child: the nodes of the right one's subtree, and itself.
        let Some(stride) = 1_usize.checked_shl(depth) else { return };
        let mut offsets = first..end;
        let mut parents: Vec<(usize, Index)> = Vec::new();
        let mut pairs: Vec<(u64, Hash, Hash)> = Vec::new();
        loop {
            parents.clear();
            pairs.clear();
            for offset in offsets.by_ref().take(PARENTS_PER_CALL) {
                let Some(index) = Index::from_parts(Depth::new(depth), offset) else { continue };
                let place = batch.place(depth, offset);
                let left = match place.checked_sub(stride) {
                    Some(left) => nodes.get(left),
                    None => index.left_child().and_then(|left| self.root(left)),
                };
                let right = place.checked_sub(1).and_then(|right| nodes.get(right));
                let (Some(left), Some(right)) = (left, right) else { continue };
                // Cannot saturate: the sum of the whole tree was checked.
                pairs.push((left.size.saturating_add(right.size), left.hash, right.hash));
                parents.push((place, index));
            }
            if pairs.is_empty() {
                return;
            }
            let mut put = |(place, index): (usize, Index), size: u64, hash: Hash| {
                if let Some(slot) = nodes.get_mut(place) {
                    *slot = Node::new(index, size, hash);
                }
            };
            if pairs.len() < BULK_MIN {
                for (parent, (size, left, right)) in parents.iter().zip(&pairs) {
                    put(*parent, *size, parent_hash(*size, left, right));
                }
            } else {
                let hashes = parent_hashes(&pairs);
                for ((parent, (size, ..)), hash) in parents.iter().zip(&pairs).zip(hashes) {
                    put(*parent, *size, hash);
                }
            }
        }
    }

    /// A node of the batch, or a root that was there before it.
    fn known(&self, batch: &Order, nodes: &[Node], index: Index) -> Option<Node> {
        if index.end_block() > batch.from {
            nodes.get(batch.place(index.depth().get(), index.offset())).copied()
        } else {
            self.root(index).copied()
        }
    }

    /// The root at `index`.
    fn root(&self, index: Index) -> Option<&Node> {
        self.roots.iter().rev().find(|root| root.index == index)
    }
}

/// Where the nodes of a batch stand in its list: each leaf, then the parents it completes. The right child
/// of a parent stands right before it, the left one `2^depth` places before it.
struct Order {
    /// Blocks before the batch.
    from: u64,
    /// Nodes that those completed.
    before: u64,
}

impl Order {
    fn new(from: u64) -> Self {
        Self { from, before: nodes_of(from) }
    }

    /// Place of the node of `depth` at `offset`.
    ///
    /// Its last leaf stands behind all nodes of the blocks before that leaf, and `depth` places before the node. That
    /// leaf's number has the bits of `offset` and `depth` more, so `depth` cancels out.
    fn place(&self, depth: u32, offset: u64) -> usize {
        let end_block = offset.saturating_add(1).checked_shl(depth).unwrap_or(u64::MAX);
        let nodes = end_block.saturating_sub(1).saturating_mul(2);
        let place = nodes.saturating_sub(u64::from(offset.count_ones()));
        usize::try_from(place.saturating_sub(self.before)).unwrap_or(usize::MAX)
    }
}

/// Nodes of a tree of so many blocks: a leaf for each, and as many parents less the roots.
fn nodes_of(blocks: u64) -> u64 {
    blocks.saturating_mul(2).saturating_sub(u64::from(blocks.count_ones()))
}
