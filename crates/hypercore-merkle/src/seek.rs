//! Which block holds a byte.
//!
//! Sizes count without the padding of encrypted blocks: a node of n blocks counts `padding * n`
//! bytes less. The arithmetic is signed and wide, so that a padding that does not fit the blocks
//! gives some answer and never an overflow.

use std::ops::Range;

use flat_tree::{Index, full_roots};

use crate::error::TreeError;
use crate::lookup::NodeLookup;
use crate::node::Node;
use crate::path::{Path, Placed};
use crate::tree::{Tree, look_up, stored};

/// Where a byte was found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Seek {
    /// In this block, `offset` bytes (without padding) into it. The end of the core is block
    /// `length`, offset 0. With offset 0 the block can be an empty one right before the block that
    /// holds the byte.
    Found {
        /// The block.
        block: u64,
        /// Bytes before the position within the block.
        offset: u64,
    },
    /// Somewhere in these blocks; nodes to tell more are not stored. A request for the same seek
    /// with the hash of any of them brings the nodes.
    Narrowed {
        /// The blocks.
        blocks: Range<u64>,
    },
    /// Beyond the end of the tree.
    OutOfBounds,
}

impl Tree {
    /// Finds the block that holds byte `bytes`, with `padding` bytes of each block not counted (8
    /// for encrypted cores, else 0).
    ///
    /// Where the byte follows empty blocks, one of those may be named instead, as in JavaScript.
    ///
    /// Stored sizes are not trusted: all children on the way down must hash into their parents.
    ///
    /// # Errors
    /// [`TreeError::Lookup`] and [`TreeError::DamagedNode`].
    ///
    /// # Source
    /// formats.md section 6.3.
    pub fn seek<L: NodeLookup>(
        &self,
        lookup: &L,
        bytes: u64,
        padding: u64,
    ) -> Result<Seek, TreeError<L::Error>> {
        self.seek_proven(lookup, bytes, padding, |_| None).map(|(seek, _)| seek)
    }

    /// The same, where a node that `is_proven` (which gives its byte offset) needs no proof of what is above it. Gives
    /// the nodes on the way that were proven, too.
    ///
    /// # Errors
    /// Those of [`seek`](Self::seek).
    pub fn seek_proven<L: NodeLookup>(
        &self,
        lookup: &L,
        bytes: u64,
        padding: u64,
        is_proven: impl Fn(&Node) -> Option<u64>,
    ) -> Result<(Seek, Vec<Placed>), TreeError<L::Error>> {
        if bytes == 0 {
            return Ok((Seek::Found { block: 0, offset: 0 }, Vec::new()));
        }
        let mut rest = i128::from(bytes);
        let mut begin = 0_u64;
        let mut within = None;
        for root in &self.roots {
            let size = unpadded(root, padding);
            if rest == size {
                return Ok((Seek::Found { block: root.index.end_block(), offset: 0 }, Vec::new()));
            }
            if rest < size {
                within = Some(*root);
                break;
            }
            rest = rest.saturating_sub(size);
            begin = begin.saturating_add(root.size);
        }
        let Some(mut at) = within else { return Ok((Seek::OutOfBounds, Vec::new())) };
        let mut path = Path::new();
        let mut proven: Vec<Placed> = Vec::new();
        let found = loop {
            if at.index.is_leaf() {
                let block = at.index.first_block();
                let offset = u64::try_from(rest);
                break offset.map_or(Seek::OutOfBounds, |offset| Seek::Found { block, offset });
            }
            if is_proven(&at) == Some(begin) {
                // It holds the byte, and whatever led here, the rest follows from where it begins.
                path.clear();
                proven.clear();
            }
            let Some((left, right)) = path.descend(lookup, &at)? else {
                break Seek::Narrowed { blocks: at.index.first_block()..at.index.end_block() };
            };
            // Its hash covers its size, which that of its parent does not.
            proven.push(Placed { node: at, offset: begin });
            let size = unpadded(&left, padding);
            if rest == size {
                break Seek::Found { block: left.index.end_block(), offset: 0 };
            }
            if rest < size {
                at = left;
            } else {
                rest = rest.saturating_sub(size);
                begin = begin.saturating_add(left.size);
                at = right;
            }
        };
        path.check()?;
        Ok((found, proven))
    }

    /// The node to answer a seek with in a tree of `length` blocks, of which this is the head:
    /// the first node that begins at the position, or the smallest known that contains it.
    ///
    /// # Source
    /// formats.md section 7.4, "from the head".
    pub(crate) fn seek_node<L: NodeLookup>(
        &self,
        lookup: &L,
        length: u64,
        bytes: u64,
        padding: u64,
    ) -> Result<Option<Index>, TreeError<L::Error>> {
        let mut rest = i128::from(bytes);
        for root in full_roots(length) {
            let size = unpadded(&self.root_or_stored(lookup, root)?, padding);
            if rest == size {
                return Ok(Some(root));
            }
            if rest < size {
                return descend(lookup, root, rest, padding).map(Some);
            }
            rest = rest.saturating_sub(size);
        }
        Ok(None)
    }

    /// The same below `root`, which need not contain the position: `None` when it does not.
    ///
    /// # Source
    /// formats.md section 7.4, "inside a subtree".
    pub(crate) fn seek_node_below<L: NodeLookup>(
        &self,
        lookup: &L,
        root: Index,
        bytes: u64,
        padding: u64,
    ) -> Result<Option<Index>, TreeError<L::Error>> {
        let padded = i128::from(self.byte_offset(lookup, root)?);
        let before = i128::from(padding).saturating_mul(i128::from(root.first_block()));
        let rest = i128::from(bytes).saturating_sub(padded.saturating_sub(before));
        if rest == 0 {
            return Ok(Some(root));
        }
        if rest < 0 || unpadded(&self.root_or_stored(lookup, root)?, padding) <= rest {
            return Ok(None);
        }
        descend(lookup, root, rest, padding).map(Some)
    }

    /// A node that must be known: roots are at hand.
    pub(crate) fn root_or_stored<L: NodeLookup>(
        &self,
        lookup: &L,
        index: Index,
    ) -> Result<Node, TreeError<L::Error>> {
        match self.roots.iter().find(|root| root.index == index) {
            Some(root) => Ok(*root),
            None => stored(lookup, index),
        }
    }
}

/// Goes down from a node that contains the position `rest`, as far as nodes are stored.
fn descend<L: NodeLookup>(
    lookup: &L,
    from: Index,
    mut rest: i128,
    padding: u64,
) -> Result<Index, TreeError<L::Error>> {
    let mut at = from;
    if rest == 0 {
        return Ok(at);
    }
    while let Some((left, right)) = at.children() {
        let Some(node) = look_up(lookup, left)? else { break };
        let size = unpadded(&node, padding);
        if rest == size {
            return Ok(left);
        }
        if rest < size {
            at = left;
        } else {
            rest = rest.saturating_sub(size);
            at = right;
        }
    }
    Ok(at)
}

/// The size of a node without the padding of its blocks; negative for blocks below the padding.
fn unpadded(node: &Node, padding: u64) -> i128 {
    let padding = i128::from(padding).saturating_mul(i128::from(node.index.leaf_count()));
    i128::from(node.size).saturating_sub(padding)
}
