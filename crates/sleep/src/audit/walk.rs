//! From signed roots down to the leaves: which stored nodes are proven, and where it breaks off.
//!
//! A node is proven when its parent is and the two children hash to it, so nothing on the way depends
//! on a bit. Reads are of whole subtrees near the leaves. What a node or a break means is the
//! visitor's business.

use std::ops::Range;

use flat_tree::{Depth, Index};

use crate::error::Result;
use crate::hashes;
use crate::node::Node;
use crate::tree::TreeFile;

/// Depth of the subtrees that are read in one call: 2047 nodes, 80 KB.
const RUN_DEPTH: Depth = Depth::new(10);

/// What a walk comes by.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// A node that is proven.
    Proven {
        node: Node,
        /// Where its bytes begin in `data`.
        offset: u64,
    },
    /// A proven parent over two children that do not hash to it; one of them may be missing, not both.
    Broken { parent: Node, left: Option<Node>, right: Option<Node>, offset: u64 },
    /// A proven parent without children: those below were never downloaded.
    Bare { parent: Node, offset: u64 },
}

/// Walks over the nodes below one root after the other.
pub(crate) struct Walk<'a> {
    tree: &'a TreeFile,
    /// Nodes before this block are left out, with all that is below them.
    first_block: u64,
    run: Range<u64>,
    nodes: Vec<Option<Node>>,
}

impl<'a> Walk<'a> {
    /// A walk over what ends after `first_block`.
    pub(crate) fn new(tree: &'a TreeFile, first_block: u64) -> Self {
        Self { tree, first_block, run: 0..0, nodes: Vec::new() }
    }

    /// Visits everything below all roots, parents first, from left to right. Below a proven node for
    /// which `visit` says no, nothing is visited.
    ///
    /// # Errors
    /// What `visit` says; [`Error::Storage`](crate::Error::Storage).
    pub(crate) fn roots(
        &mut self,
        roots: &[Node],
        visit: &mut dyn FnMut(Step) -> Result<bool>,
    ) -> Result<()> {
        let mut offset: u64 = 0;
        for root in roots {
            self.below(*root, offset, visit)?;
            offset = offset.saturating_add(root.size);
        }
        Ok(())
    }

    /// Visits a proven node and everything below it.
    fn below(
        &mut self,
        node: Node,
        offset: u64,
        visit: &mut dyn FnMut(Step) -> Result<bool>,
    ) -> Result<()> {
        if node.index.end_block() <= self.first_block {
            return Ok(());
        }
        if !visit(Step::Proven { node, offset })? {
            return Ok(());
        }
        let Some((left, right)) = node.index.children() else { return Ok(()) };
        let (left, right) = (self.node(left)?, self.node(right)?);
        match (left, right) {
            (None, None) => visit(Step::Bare { parent: node, offset }).map(drop),
            (Some(left), Some(right)) if hashes::parent(&left, &right) == Some(node) => {
                self.below(left, offset, visit)?;
                self.below(right, offset.saturating_add(left.size), visit)
            }
            _ => visit(Step::Broken { parent: node, left, right, offset }).map(drop),
        }
    }

    fn node(&mut self, index: Index) -> Result<Option<Node>> {
        if index.depth() > RUN_DEPTH {
            return self.tree.node(index);
        }
        if !self.run.contains(&index.get()) {
            let above = index.first_block().checked_shr(RUN_DEPTH.get()).unwrap_or(0);
            let top = Index::from_parts(RUN_DEPTH, above).unwrap_or(index);
            self.run = top.left_span().get()..top.right_span().get().saturating_add(1);
            self.nodes = self.tree.run(self.run.clone())?;
        }
        let place = usize::try_from(index.get().saturating_sub(self.run.start));
        Ok(place.ok().and_then(|place| self.nodes.get(place).copied()).flatten())
    }
}
