//! The nodes that a batch of blocks adds to a tree.
//!
//! Hashed level by level, so that many hashes are made at once, and laid out as they are stored.
//! Nothing is written here.

use flat_tree::{Depth, Index, full_roots};

use crate::error::{Error, Result};
use crate::feed::proven::{Proven, with_offsets};
use crate::hashes;
use crate::length::FEED_LENGTH_MAX;
use crate::node::{NODE_LEN, Node};
use crate::recovery::RecoveryError;

/// The nodes that a batch adds.
pub(super) struct Batch {
    /// The first place of the run.
    pub(super) start: Index,
    /// All places up to the last new leaf, as stored: zeros for parents that are still to come.
    pub(super) run: Vec<u8>,
    /// New parents that lie further left, among nodes that stay.
    pub(super) left: Vec<Node>,
    /// The roots of the tree with the batch.
    pub(super) roots: Vec<Proven>,
    /// Blocks in the tree with the batch.
    pub(super) length: u64,
}

impl Batch {
    /// Hashes `blocks` onto the tree of `first` blocks with these roots.
    pub(super) fn new<B: AsRef<[u8]>>(first: u64, roots: &[Proven], blocks: &[B]) -> Result<Self> {
        let length = first.checked_add(blocks.len() as u64);
        let length = length.filter(|length| *length <= FEED_LENGTH_MAX);
        let length = length.ok_or(Error::TooManyBlocks)?;
        // The parent just left of the first leaf is new when that leaf is a right child.
        let start = Index::new(first.saturating_mul(2).saturating_sub(first & 1));
        let places = length.saturating_mul(2).saturating_sub(1).saturating_sub(start.get());
        let places = usize::try_from(places).ok().and_then(|places| places.checked_mul(NODE_LEN));
        let run = vec![0; places.ok_or(Error::TooManyBlocks)?];
        let mut batch = Self { start, run, left: Vec::new(), roots: Vec::new(), length };

        let too_many_bytes = || RecoveryError::TooManyBytes { length };
        let sizes = blocks.iter().map(|block| block.as_ref().len() as u64);
        let mut level: Vec<_> = hashes::leaf_hashes(blocks).into_iter().zip(sizes).collect();
        // By depth, from the leaves up.
        let mut new_roots = Vec::new();
        for depth in 0..u64::BITS {
            let (begin, end) = (first >> depth, length >> depth);
            if begin == end {
                break;
            }
            let mut last = None;
            for (offset, (hash, size)) in (begin..end).zip(&level) {
                let index = Index::from_parts(Depth::new(depth), offset);
                let index = index.ok_or(Error::TooManyBlocks)?;
                let node = Node { index, hash: *hash, size: *size };
                batch.place(node);
                last = Some(node);
            }
            if end & 1 == 1 {
                new_roots.extend(last);
            }
            if begin & 1 == 1 {
                // The left sibling of the first is a root of the old tree.
                let is_sibling = |root: &&Proven| root.node.index.depth() == Depth::new(depth);
                let sibling = roots.iter().find(is_sibling);
                level.splice(0..0, sibling.map(|root| (root.node.hash, root.node.size)));
            }
            level = hashes::parents(&level).ok_or_else(too_many_bytes)?;
        }
        let root = |index: Index| {
            let old = roots.iter().map(|root| root.node);
            old.chain(new_roots.iter().copied()).find(|root| root.index == index)
        };
        batch.roots =
            with_offsets(full_roots(length).filter_map(root)).ok_or_else(too_many_bytes)?;
        Ok(batch)
    }

    /// Puts a node where it is stored.
    fn place(&mut self, node: Node) {
        let place = node.index.get().checked_sub(self.start.get());
        let place = place.and_then(|place| usize::try_from(place).ok()?.checked_mul(NODE_LEN));
        match place.and_then(|place| self.run.get_mut(place..)?.first_chunk_mut()) {
            Some(stored) => *stored = node.encode(),
            None => self.left.push(node),
        }
    }
}
