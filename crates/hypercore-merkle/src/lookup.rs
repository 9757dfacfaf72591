//! Where nodes are found: a trait, so that this crate does not know where they are kept.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::error::Error;
use std::hash::BuildHasher;
use std::rc::Rc;
use std::sync::Arc;

use flat_tree::Index;

use crate::node::Node;

/// Finds stored nodes by their index.
///
/// Meant to be implemented: by a tree file, a cache, a map. A lookup gives the nodes of *one* tree
/// that stays as it is during a call; nodes that are not stored are `None`, which is no error.
pub trait NodeLookup {
    /// Why a lookup can fail; [`Infallible`] for memory.
    type Error: Error + Send + Sync + 'static;

    /// The stored node with this index.
    ///
    /// # Errors
    /// When it cannot be said whether the node is stored: the disk failed.
    fn node(&self, index: Index) -> Result<Option<Node>, Self::Error>;

    /// Whether the bytes of a block are stored, so that the size of its leaf is certain. Who does not know says yes: then a
    /// stored leaf stays as it is until a proof has hashed its block.
    ///
    /// # Errors
    /// When it cannot be said.
    fn has_block(&self, _block: u64) -> Result<bool, Self::Error> {
        Ok(true)
    }
}

impl<T: NodeLookup + ?Sized> NodeLookup for &T {
    type Error = T::Error;

    fn node(&self, index: Index) -> Result<Option<Node>, Self::Error> {
        (**self).node(index)
    }

    fn has_block(&self, block: u64) -> Result<bool, Self::Error> {
        (**self).has_block(block)
    }
}

impl<T: NodeLookup + ?Sized> NodeLookup for Box<T> {
    type Error = T::Error;

    fn node(&self, index: Index) -> Result<Option<Node>, Self::Error> {
        (**self).node(index)
    }

    fn has_block(&self, block: u64) -> Result<bool, Self::Error> {
        (**self).has_block(block)
    }
}

impl<T: NodeLookup + ?Sized> NodeLookup for Rc<T> {
    type Error = T::Error;

    fn node(&self, index: Index) -> Result<Option<Node>, Self::Error> {
        (**self).node(index)
    }

    fn has_block(&self, block: u64) -> Result<bool, Self::Error> {
        (**self).has_block(block)
    }
}

impl<T: NodeLookup + ?Sized> NodeLookup for Arc<T> {
    type Error = T::Error;

    fn node(&self, index: Index) -> Result<Option<Node>, Self::Error> {
        (**self).node(index)
    }

    fn has_block(&self, block: u64) -> Result<bool, Self::Error> {
        (**self).has_block(block)
    }
}

impl NodeLookup for BTreeMap<Index, Node> {
    type Error = Infallible;

    fn node(&self, index: Index) -> Result<Option<Node>, Infallible> {
        Ok(self.get(&index).copied())
    }
}

impl<S: BuildHasher> NodeLookup for HashMap<Index, Node, S> {
    type Error = Infallible;

    fn node(&self, index: Index) -> Result<Option<Node>, Infallible> {
        Ok(self.get(&index).copied())
    }
}

/// A lookup in which some nodes, not stored yet, come before the stored ones.
///
/// For questions about a tree whose newest nodes are still in hand, such as where the block of a
/// verified proof goes.
#[derive(Debug, Clone)]
pub struct Overlay<L> {
    above: HashMap<Index, Node>,
    below: L,
}

impl<L: NodeLookup> Overlay<L> {
    /// Puts `nodes` above `below`; of several with one index the last counts.
    pub fn new(nodes: &[Node], below: L) -> Self {
        Self { above: nodes.iter().map(|node| (node.index, *node)).collect(), below }
    }
}

impl<L: NodeLookup> NodeLookup for Overlay<L> {
    type Error = L::Error;

    fn node(&self, index: Index) -> Result<Option<Node>, Self::Error> {
        match self.above.get(&index) {
            Some(node) => Ok(Some(*node)),
            None => self.below.node(index),
        }
    }

    fn has_block(&self, block: u64) -> Result<bool, Self::Error> {
        self.below.has_block(block)
    }
}
