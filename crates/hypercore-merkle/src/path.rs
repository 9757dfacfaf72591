//! A way through the tree, down or up, whose nodes are checked all at once where it ends.
//!
//! Hashes of one level do not depend on those of another, and many at once cost a fraction of as many one by one.

use std::error::Error;

use hypercore_crypto::{Hash, parent_hashes};

use crate::error::TreeError;
use crate::limits::{SIZE_MAX, add_sizes};
use crate::lookup::NodeLookup;
use crate::node::Node;
use crate::tree::{Tree, look_up, stored};

/// A node of a tree, and where the bytes below it begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Placed {
    /// The node.
    pub node: Node,
    /// The byte offset of its first block.
    pub offset: u64,
}

impl Tree {
    /// Whether a stored node is one of this tree, and where it begins: climbs, with the siblings stored beside the way,
    /// to the first node that `is_proven` (which gives its byte offset), or to a root. Gives the node and those above
    /// it, which are proven with it.
    ///
    /// That a parent hashes right proves what its children's sizes add up to, and not each. The caller confirms
    /// the size of `node` itself, of a leaf by hashing the block; all others follow from it.
    ///
    /// # Errors
    /// [`TreeError::DamagedNode`] when it is not; [`TreeError::MissingNode`] when a node on the way is not stored;
    /// [`TreeError::Lookup`].
    pub fn prove_node<L: NodeLookup>(
        &self,
        lookup: &L,
        node: Node,
        is_proven: impl Fn(&Node) -> Option<u64>,
    ) -> Result<Vec<Placed>, TreeError<L::Error>> {
        self.prove_path(lookup, node, 0, is_proven).map(|path| path.way)
    }

    /// The same, with the siblings beside the first `levels` of the way: what a proof of `node` consists of that climbs
    /// so far. The way goes on above them until it meets what `is_proven`, so that they are as sure as `node`.
    ///
    /// # Errors
    /// As [`prove_node`](Self::prove_node).
    pub fn prove_path<L: NodeLookup>(
        &self,
        lookup: &L,
        node: Node,
        levels: usize,
        is_proven: impl Fn(&Node) -> Option<u64>,
    ) -> Result<ProvenPath, TreeError<L::Error>> {
        if node.size > SIZE_MAX {
            return Err(TreeError::DamagedNode(node.index));
        }
        let mut path = Path::new();
        let mut siblings = Vec::with_capacity(levels.min(LEVELS));
        // With how many bytes of its parent's before it.
        let mut below: Vec<(Node, u64)> = Vec::with_capacity(LEVELS);
        let mut at = node;
        let mut offset = loop {
            if siblings.len() == levels
                && let Some(offset) = is_proven(&at)
            {
                break offset;
            }
            if at.index.is_root_of(self.length) {
                if self.roots.contains(&at) {
                    break self.byte_offset(lookup, at.index)?;
                }
                return Err(TreeError::DamagedNode(at.index));
            }
            let (Some(sibling), Some(parent)) = (at.index.sibling(), at.index.parent()) else {
                return Err(TreeError::DamagedNode(at.index));
            };
            let (sibling, parent) = (stored(lookup, sibling)?, stored(lookup, parent)?);
            if siblings.len() < levels {
                siblings.push(sibling);
            }
            if at.index < sibling.index {
                path.step(&parent, &at, &sibling)?;
                below.push((at, 0));
            } else {
                path.step(&parent, &sibling, &at)?;
                below.push((at, sibling.size));
            }
            at = parent;
        };
        path.check()?;
        let mut way = vec![Placed { node: at, offset }];
        for (node, before) in below.into_iter().rev() {
            offset = add_sizes(offset, before).ok_or(TreeError::SizeOverflow(node.index))?;
            way.push(Placed { node, offset });
        }
        way.reverse();
        Ok(ProvenPath { way, siblings })
    }
}

/// What [`Tree::prove_path`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProvenPath {
    /// The node and those above it, up to one that was proven before.
    pub way: Vec<Placed>,
    /// The siblings beside the first of them, as many as were asked for, or as there are up to the root.
    pub siblings: Vec<Node>,
}

/// Levels that a way has room for at once: those of 2^20 blocks and more.
const LEVELS: usize = 24;

/// The parents on the way, and what their children hash into.
#[derive(Debug)]
pub(crate) struct Path {
    parents: Vec<Node>,
    children: Vec<(u64, Hash, Hash)>,
}

impl Path {
    pub(crate) fn new() -> Self {
        Self { parents: Vec::with_capacity(LEVELS), children: Vec::with_capacity(LEVELS) }
    }

    /// Begins anew.
    pub(crate) fn clear(&mut self) {
        self.parents.clear();
        self.children.clear();
    }

    /// The children of `parent`, if both are stored; their sizes add up to its own.
    pub(crate) fn descend<L: NodeLookup>(
        &mut self,
        lookup: &L,
        parent: &Node,
    ) -> Result<Option<(Node, Node)>, TreeError<L::Error>> {
        let Some((left, right)) = parent.index.children() else { return Ok(None) };
        let (Some(left), Some(right)) = (look_up(lookup, left)?, look_up(lookup, right)?) else {
            return Ok(None);
        };
        self.step(parent, &left, &right)?;
        Ok(Some((left, right)))
    }

    fn step<E: Error + 'static>(
        &mut self,
        parent: &Node,
        left: &Node,
        right: &Node,
    ) -> Result<(), TreeError<E>> {
        if add_sizes(left.size, right.size) != Some(parent.size) {
            return Err(TreeError::DamagedNode(parent.index));
        }
        self.parents.push(*parent);
        self.children.push((parent.size, left.hash, right.hash));
        Ok(())
    }

    /// Whether all children hash into their parents; names a parent whose do not.
    pub(crate) fn check<E: Error + 'static>(&self) -> Result<(), TreeError<E>> {
        let hashes = parent_hashes(&self.children);
        match self.parents.iter().zip(hashes).find(|(parent, hash)| parent.hash != *hash) {
            Some((parent, _)) => Err(TreeError::DamagedNode(parent.index)),
            None => Ok(()),
        }
    }
}
