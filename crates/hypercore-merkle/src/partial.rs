//! The first step of verifying: from a block or node and its siblings up to one node.
//!
//! Nothing here is trusted yet. What the caller must know of the result is whether its size was
//! hashed here or only claimed, and which sizes are covered by nothing but their sum.

use std::error::Error;

use flat_tree::Index;

use crate::append::Leaf;
use crate::error::VerifyError;
use crate::limits::LENGTH_MAX;
use crate::node::Node;
use crate::proof::{Proof, SeekProof};

/// A part of a tree, led up to one node.
#[derive(Debug, Clone)]
pub(crate) struct Partial {
    /// The node that all others are below.
    pub(crate) root: Node,
    /// Whether the root itself was only claimed: nothing was hashed.
    pub(crate) claimed: bool,
    /// All nodes in the order of formats.md section 10.
    pub(crate) nodes: Vec<Node>,
    /// Nodes of which only the sum of sizes is covered by the root.
    pub(crate) unconfirmed: Vec<[Node; 2]>,
}

/// The list of nodes that a step takes from, and a node made from other parts that fits in once.
pub(crate) struct Queue<'a> {
    nodes: std::slice::Iter<'a, Node>,
    /// The node and whether it is only claimed.
    extra: Option<(Node, bool)>,
}

impl<'a> Queue<'a> {
    pub(crate) fn new(nodes: &'a [Node], extra: Option<(Node, bool)>) -> Self {
        Self { nodes: nodes.iter(), extra }
    }

    /// The next node, which must be this one, and whether it is only claimed.
    pub(crate) fn take<E: Error + 'static>(
        &mut self,
        expected: Index,
    ) -> Result<(Node, bool), VerifyError<E>> {
        if let Some(extra) = self.extra.take_if(|(node, _)| node.index == expected) {
            return Ok(extra);
        }
        match self.nodes.next() {
            Some(node) if node.index == expected => Ok((*node, true)),
            other => {
                Err(VerifyError::UnexpectedNode { expected, found: other.map(|node| node.index) })
            }
        }
    }

    /// Whether the node from other parts found its place.
    pub(crate) const fn extra_used(&self) -> bool {
        self.extra.is_none()
    }

    fn is_empty(&self) -> bool {
        self.nodes.len() == 0 && self.extra.is_none()
    }
}

impl Partial {
    /// Leads block or hash, and seek, of a proof up to one node; `None` when it has none of them.
    ///
    /// `leaf` is that of the block, where it was hashed already.
    pub(crate) fn of<E: Error + 'static>(
        proof: &Proof,
        leaf: Option<&Leaf>,
    ) -> Result<Option<Self>, VerifyError<E>> {
        let seek = match &proof.seek {
            Some(seek) => Self::of_seek(seek)?,
            None => None,
        };
        Self::of_target(proof, leaf, seek)
    }

    /// Leads block or hash up to one node, with the result of the seek part as one of the siblings.
    pub(crate) fn of_target<E: Error + 'static>(
        proof: &Proof,
        leaf: Option<&Leaf>,
        seek: Option<Self>,
    ) -> Result<Option<Self>, VerifyError<E>> {
        let extra = seek.as_ref().map(|seek| (seek.root, seek.claimed));
        let (start, claimed, mut queue) = match (&proof.block, &proof.hash) {
            (Some(block), _) => {
                let index = Index::leaf(block.index).unwrap_or(Index::MAX);
                if block.index >= LENGTH_MAX {
                    return Err(VerifyError::Misplaced(index));
                }
                let leaf = leaf.copied().unwrap_or_else(|| Leaf::new(&block.value));
                (Node::new(index, leaf.size, leaf.hash), false, Queue::new(&block.nodes, extra))
            }
            (None, Some(hash)) => {
                let mut queue = Queue::new(&hash.nodes, extra);
                let (node, claimed) = queue.take(hash.index)?;
                (node, claimed, queue)
            }
            (None, None) => return Ok(seek),
        };
        let mut partial = seek.unwrap_or(Self {
            root: start,
            claimed,
            nodes: Vec::new(),
            unconfirmed: Vec::new(),
        });
        partial.climb(start, claimed, &mut queue)?;
        Ok(Some(partial))
    }

    fn of_seek<E: Error + 'static>(seek: &SeekProof) -> Result<Option<Self>, VerifyError<E>> {
        let Some((start, siblings)) = seek.nodes.split_first() else { return Ok(None) };
        let mut partial =
            Self { root: *start, claimed: true, nodes: Vec::new(), unconfirmed: Vec::new() };
        partial.climb(*start, true, &mut Queue::new(siblings, None))?;
        Ok(Some(partial))
    }

    /// Hashes from a node up, taking siblings until none are left.
    fn climb<E: Error + 'static>(
        &mut self,
        start: Node,
        claimed: bool,
        queue: &mut Queue<'_>,
    ) -> Result<(), VerifyError<E>> {
        self.root = start;
        self.claimed = claimed;
        // Each sibling brings itself and the parent: as many as the message holds.
        self.nodes.reserve(queue.nodes.len().saturating_mul(2).saturating_add(1));
        self.nodes.push(start);
        while !queue.is_empty() {
            let at = self.root.index;
            let index = at.sibling().ok_or(VerifyError::Misplaced(at))?;
            let (sibling, sibling_claimed) = queue.take(index)?;
            let parent =
                Node::parent(&self.root, &sibling).ok_or(VerifyError::SizeOverflow(index))?;
            if self.claimed && sibling_claimed {
                self.unconfirmed.push([self.root, sibling]);
            }
            self.nodes.extend([sibling, parent]);
            self.root = parent;
            self.claimed = false;
        }
        Ok(())
    }
}
