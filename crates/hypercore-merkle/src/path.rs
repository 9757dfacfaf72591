//! A way down the tree, whose nodes are checked all at once where it ends.
//!
//! Hashes of one level do not depend on those of another, and many at once cost a fraction of as many one by one.

use std::error::Error;

use hypercore_crypto::{Hash, parent_hashes};

use crate::error::TreeError;
use crate::limits::add_sizes;
use crate::lookup::NodeLookup;
use crate::node::Node;
use crate::tree::look_up;

/// The parents on the way, and what their children hash into.
#[derive(Debug, Default)]
pub(crate) struct Path {
    parents: Vec<Node>,
    children: Vec<(u64, Hash, Hash)>,
}

impl Path {
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
        if add_sizes(left.size, right.size) != Some(parent.size) {
            return Err(TreeError::DamagedNode(parent.index));
        }
        self.parents.push(*parent);
        self.children.push((parent.size, left.hash, right.hash));
        Ok(Some((left, right)))
    }

    /// Whether all children hash into their parents; names the highest parent whose do not.
    pub(crate) fn check<E: Error + 'static>(&self) -> Result<(), TreeError<E>> {
        let hashes = parent_hashes(&self.children);
        match self.parents.iter().zip(hashes).find(|(parent, hash)| parent.hash != *hash) {
            Some((parent, _)) => Err(TreeError::DamagedNode(parent.index)),
            None => Ok(()),
        }
    }
}
