//! A tree that grows by nodes from somewhere else: a proof or a signature.
//!
//! Knows which nodes were merely *claimed* (their size is not yet covered by a hash computed here).
//! When two claimed siblings are merged only the sum of their sizes is covered: those are noted, so
//! that the verifier can compare them with what is stored.

use flat_tree::{Index, full_roots};

use crate::node::Node;
use crate::tree::Tree;

/// Why a batch cannot grow by a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GrowError<X> {
    /// The node does not start where the tree ends.
    Misplaced(Index),
    /// A limit is passed at this node.
    Overflow(Index),
    /// The longer tree does not contain the shorter one; this node cannot be reached.
    Unreachable(Index),
    /// The source of nodes refused.
    Source(X),
}

/// A growing copy of a tree.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) tree: Tree,
    /// For each root whether it was only claimed.
    claimed: Vec<bool>,
    /// Nodes learned, in the order of formats.md section 10.
    pub(crate) nodes: Vec<Node>,
    /// Pairs of nodes of which only the sum of sizes is covered.
    pub(crate) unconfirmed: Vec<[Node; 2]>,
    /// Whether a root was appended.
    pub(crate) grown: bool,
}

impl Batch {
    /// Starts from a tree that is trusted.
    pub(crate) fn new(tree: Tree) -> Self {
        let claimed = vec![false; tree.roots.len()];
        Self { tree, claimed, nodes: Vec::new(), unconfirmed: Vec::new(), grown: false }
    }

    /// Appends a root where the tree ends and merges siblings.
    ///
    /// A node whose first block is the tree's length is the right sibling of the last root or to
    /// the left below it, so the roots stay those of a tree.
    pub(crate) fn push<X>(&mut self, node: Node, claimed: bool) -> Result<(), GrowError<X>> {
        if node.index.first_block() != self.tree.length || node.index == Index::MAX {
            return Err(GrowError::Misplaced(node.index));
        }
        let (length, byte_length) =
            self.tree.sums_with(&node).ok_or(GrowError::Overflow(node.index))?;
        self.tree.length = length;
        self.tree.byte_length = byte_length;
        self.grown = true;
        self.nodes.push(node);

        let mut last = node;
        let mut last_claimed = claimed;
        while let Some(before) = self.tree.roots.last().copied() {
            if last.index.sibling() != Some(before.index) {
                break;
            }
            let parent = Node::parent(&before, &last).ok_or(GrowError::Overflow(last.index))?;
            self.tree.roots.pop();
            if self.claimed.pop() == Some(true) && last_claimed {
                self.unconfirmed.push([before, last]);
            }
            self.nodes.push(parent);
            last = parent;
            last_claimed = false;
        }
        self.tree.roots.push(last);
        self.claimed.push(last_claimed);
        Ok(())
    }

    /// Grows to `length` blocks by asking for the nodes that are missing, in order.
    ///
    /// `next` is given the index wanted and answers with the node and whether it is only claimed.
    /// Nothing happens when the tree of `length` blocks has only roots of this one.
    pub(crate) fn grow_to<X>(
        &mut self,
        length: u64,
        mut next: impl FnMut(Index) -> Result<(Node, bool), X>,
    ) -> Result<(), GrowError<X>> {
        let own = self.tree.roots.clone();
        let mut own = own.iter().peekable();
        let mut climbed = false;
        for root in full_roots(length) {
            if !self.grown && !climbed && own.next_if(|node| node.index == root).is_some() {
                continue;
            }
            if !climbed && own.peek().is_some() {
                climbed = true;
                // Own roots are left over: they end up below this root, from the last one up.
                while let Some(last) = self.tree.roots.last().map(|last| last.index) {
                    if last == root {
                        break;
                    }
                    let sibling = last.sibling().filter(|_| root.contains(last));
                    let sibling = sibling.ok_or(GrowError::Unreachable(root))?;
                    let (node, claimed) = next(sibling).map_err(GrowError::Source)?;
                    self.push(node, claimed)?;
                }
                continue;
            }
            let (node, claimed) = next(root).map_err(GrowError::Source)?;
            self.push(node, claimed)?;
        }
        Ok(())
    }
}
