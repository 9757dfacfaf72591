//! A way through the tree, down or up, whose nodes are checked all at once where it ends.
//!
//! Hashes of one level do not depend on those of another, and many at once cost a fraction of as many one by one.

use std::error::Error;

use hypercore_crypto::{Hash, parent_hashes};

use crate::error::TreeError;
use crate::limits::add_sizes;
use crate::lookup::NodeLookup;
use crate::node::Node;
use crate::tree::{Tree, look_up, stored};

impl Tree {
    /// Whether a stored node is one of this tree: climbs, with the siblings stored beside the way, to the first node that
    /// `is_proven`, or to a root. Gives the nodes above it, which are proven with it.
    ///
    /// # Errors
    /// [`TreeError::DamagedNode`] when it is not; [`TreeError::MissingNode`] when a node on the way is not stored;
    /// [`TreeError::Lookup`].
    pub fn prove_node<L: NodeLookup>(
        &self,
        lookup: &L,
        node: Node,
        is_proven: impl Fn(&Node) -> bool,
    ) -> Result<Vec<Node>, TreeError<L::Error>> {
        let mut path = Path::default();
        let mut at = node;
        while !is_proven(&at) {
            if at.index.is_root_of(self.length) {
                if self.roots.contains(&at) {
                    break;
                }
                return Err(TreeError::DamagedNode(at.index));
            }
            let (Some(sibling), Some(parent)) = (at.index.sibling(), at.index.parent()) else {
                return Err(TreeError::DamagedNode(at.index));
            };
            let (sibling, parent) = (stored(lookup, sibling)?, stored(lookup, parent)?);
            let (left, right) =
                if at.index < sibling.index { (at, sibling) } else { (sibling, at) };
            path.step(&parent, &left, &right)?;
            at = parent;
        }
        path.check()?;
        Ok(path.parents)
    }
}

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

    /// Whether all children hash into their parents; names the highest parent whose do not.
    pub(crate) fn check<E: Error + 'static>(&self) -> Result<(), TreeError<E>> {
        let hashes = parent_hashes(&self.children);
        match self.parents.iter().zip(hashes).find(|(parent, hash)| parent.hash != *hash) {
            Some((parent, _)) => Err(TreeError::DamagedNode(parent.index)),
            None => Ok(()),
        }
    }
}
