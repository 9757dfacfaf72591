//! Proofs given out: the nodes and the signature that show a block to be the author's.

use flat_tree::Index;
use hypercore_crypto::Signature;

use crate::error::{Error, Result};
use crate::feed::Feed;
use crate::feed::proven::leaf_index;
use crate::node::Node;

/// What leads from a block to the author's signature, as the wire of Hypercore 6 to 9 has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// For a hash without its block its leaf. Then the siblings on the way up, as far as the receiver
    /// does not have them. Then, when the way ends at a root, the other roots of the tree, from left to
    /// right.
    pub nodes: Vec<Node>,
    /// What signs these roots. Not needed when the way ends at a node that the receiver has proven, and
    /// never there in a static feed.
    pub signature: Option<Signature>,
}

impl Feed {
    /// The proof of a block, for a receiver that has nothing yet. The block need not be stored.
    ///
    /// # Errors
    /// [`Error::OutOfBounds`], [`Error::NodeMissing`] when its nodes are not stored here;
    /// [`Error::TreeDamaged`], [`Error::Storage`].
    pub fn proof(&self, block: u64) -> Result<Proof> {
        self.prove_with(block, Vec::new())
    }

    /// The proof of the hash of a block, for a receiver that does not want the block.
    ///
    /// # Errors
    /// As [`proof`](Self::proof).
    pub fn hash_proof(&self, block: u64) -> Result<Proof> {
        self.check_bounds(block)?;
        let leaf = self.prove_leaf(block)?;
        self.prove_with(block, vec![leaf.node])
    }

    fn prove_with(&self, block: u64, mut nodes: Vec<Node>) -> Result<Proof> {
        self.check_bounds(block)?;
        let mut top = self.prove_leaf(block)?.node;
        while !self.roots.iter().any(|root| root.node == top) {
            let sibling = match top.index.sibling() {
                Some(sibling) => self.node(sibling)?,
                None => None,
            };
            let Some(sibling) = sibling else { return self.older_proof(&top, nodes) };
            nodes.push(sibling);
            let parent = crate::hashes::parent(&top, &sibling);
            top = parent.ok_or(Error::TreeDamaged { index: top.index })?;
        }
        nodes.extend(self.roots.iter().map(|root| root.node).filter(|root| *root != top));
        let slot = self.length.saturating_sub(1);
        let signature = match self.signatures.as_ref().filter(|_| self.is_live) {
            Some(signatures) => signatures.slot(slot)?,
            None => None,
        };
        if self.is_live && signature.is_none() {
            return Err(Error::SignatureMissing { slot });
        }
        Ok(Proof { nodes, signature })
    }

    /// The end of a proof against an older tree, where nothing leads to the newest.
    fn older_proof(&self, top: &Node, mut nodes: Vec<Node>) -> Result<Proof> {
        let tree = self.older_tree(top)?.ok_or(Error::NodeMissing { index: top.index })?;
        nodes.extend(tree.roots.iter().map(|root| root.node).filter(|root| root != top));
        Ok(Proof { nodes, signature: Some(tree.signature) })
    }
}

/// The nodes of a proof, as they are used up.
#[derive(Debug)]
pub(super) struct Given<'a> {
    nodes: &'a [Node],
}

impl<'a> Given<'a> {
    /// The nodes of `proof`.
    pub(super) fn new(proof: &'a Proof) -> Self {
        Self { nodes: &proof.nodes }
    }

    /// The next node, if it is the one at `index`.
    pub(super) fn take(&mut self, index: Index) -> Option<Node> {
        let (first, rest) = self.nodes.split_first().filter(|(first, _)| first.index == index)?;
        self.nodes = rest;
        Some(*first)
    }

    /// The leaf of a block, when it comes first.
    pub(super) fn take_leaf(&mut self, block: u64) -> Option<Node> {
        self.take(leaf_index(block))
    }

    /// The last node that is left.
    pub(super) fn last(&self) -> Option<Index> {
        self.nodes.last().map(|node| node.index)
    }
}
