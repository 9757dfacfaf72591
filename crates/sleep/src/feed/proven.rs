//! Nodes that are proven: their hash leads to a signed root, and where their bytes begin is known.
//!
//! A climb starts at a stored node, hashes it with its siblings, and ends at a node that was proven
//! before. It does not look at tree bits: a node whose hash leads to a signed root is the right one,
//! and no bit can make another one right. Two generations of a map bound the memory.
//!
//! Sizes are proven as well: a parent's hash is over the sum of its children's sizes, so of two
//! siblings the one that is proven from below proves the other. Only of the two lowest siblings one
//! may be wrong, and that one is no hash of its block.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use flat_tree::{Depth, Index, full_roots};
use hypercore_crypto::{Hash, Signature};

use crate::error::{Error, Result};
use crate::feed::Feed;
use crate::hashes;
use crate::length::length_from;
use crate::node::Node;

/// Nodes that one generation holds. Two of them, 64 bytes a node and the map's own: about 2 MB.
const GENERATION_NODES_MAX: usize = 8192;

/// Depth of the subtrees that are read at once: 255 nodes, 10 KB.
const SUBTREE_DEPTH: Depth = Depth::new(7);

/// Older signatures that a climb tries where the tree has a gap; each costs a verification.
const OLDER_SIGNATURES_MAX: usize = 16;

/// A proven node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Proven {
    /// The node.
    pub(crate) node: Node,
    /// Where the bytes below it begin in `data`.
    pub(crate) offset: u64,
}

impl Proven {
    /// The end of the bytes below it. The byte length of a feed is checked when it is opened.
    pub(crate) const fn end(&self) -> u64 {
        self.offset.saturating_add(self.node.size)
    }
}

/// The proven nodes that are remembered.
#[derive(Debug, Default)]
pub(crate) struct ProvenNodes {
    generations: Mutex<Generations>,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Index, Proven>,
    old: HashMap<Index, Proven>,
}

impl ProvenNodes {
    fn hold(&self) -> MutexGuard<'_, Generations> {
        // Nothing panics while it is held, and every entry is whole.
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers `nodes`, at the cost of those not asked for in a long time.
    pub(crate) fn keep(&self, nodes: impl IntoIterator<Item = Proven>) {
        let mut generations = self.hold();
        for proven in nodes {
            generations.insert(proven);
        }
    }

    fn get(&self, index: Index) -> Option<Proven> {
        let mut generations = self.hold();
        if let Some(proven) = generations.young.get(&index) {
            return Some(*proven);
        }
        let proven = generations.old.get(&index).copied()?;
        generations.insert(proven);
        Some(proven)
    }
}

impl Generations {
    fn insert(&mut self, proven: Proven) {
        if self.young.len() >= GENERATION_NODES_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(proven.node.index, proven);
    }
}

/// Gives each of `roots` its offset; `None` when their sizes do not add up.
pub(crate) fn with_offsets(roots: impl IntoIterator<Item = Node>) -> Option<Vec<Proven>> {
    let mut offset: u64 = 0;
    let with_offset = |node: Node| {
        let proven = Proven { node, offset };
        offset = offset.checked_add(node.size)?;
        Some(proven)
    };
    roots.into_iter().map(with_offset).collect()
}

/// A step of a climb: a node and its sibling.
struct Step {
    node: Node,
    sibling: Node,
}

/// A tree that the feed once was, and its signature.
pub(super) struct OlderTree {
    /// Its roots, proven by the signature.
    pub(super) roots: Vec<Proven>,
    /// What signs them.
    pub(super) signature: Signature,
}

/// Where a climb ended.
enum Climb {
    /// At a proven node, which the climb led to.
    Proven(Proven),
    /// At a node whose sibling is not stored.
    Gap(Node),
}

impl Feed {
    /// The proven node at `index`, if it is known without reading.
    pub(super) fn known(&self, index: Index) -> Option<Proven> {
        let root = self.roots.iter().find(|root| root.node.index == index);
        root.copied().or_else(|| self.proven.get(index))
    }

    /// Proves the node that is stored at `index`; `None` when it is not stored or nothing that is
    /// stored leads from it to a signature.
    ///
    /// # Errors
    /// [`Error::TreeDamaged`] when what is stored contradicts the signed roots;
    /// [`Error::Storage`].
    ///
    /// # Source
    /// "SLEEP storage", section 7.
    pub(super) fn prove(&self, index: Index) -> Result<Option<Proven>> {
        if let Some(proven) = self.known(index) {
            return Ok(Some(proven));
        }
        let mut nodes = NodeReader::new(self, index);
        let Some(start) = nodes.get(index)? else { return Ok(None) };
        let mut steps = Vec::new();
        let top = match self.climb(&mut nodes, start, &mut steps)? {
            Climb::Proven(top) => top,
            Climb::Gap(top) => match self.prove_by_older_tree(&mut nodes, top, &mut steps)? {
                Some(top) => top,
                None => return Ok(None),
            },
        };
        Ok(Some(self.keep_climb(top, &steps, start)))
    }

    /// Hashes `start` with its siblings, up to a node that is known.
    fn climb(
        &self,
        nodes: &mut NodeReader<'_>,
        start: Node,
        steps: &mut Vec<Step>,
    ) -> Result<Climb> {
        let mut node = start;
        loop {
            if let Some(known) = self.known(node.index) {
                if known.node != node {
                    return Err(Error::TreeDamaged { index: start.index });
                }
                return Ok(Climb::Proven(known));
            }
            let sibling = node.index.sibling().filter(|sibling| self.is_within(*sibling));
            let sibling = match sibling {
                Some(sibling) => nodes.get(sibling)?,
                None => None,
            };
            let Some(sibling) = sibling else { return Ok(Climb::Gap(node)) };
            let parent = hashes::parent(&node, &sibling);
            let parent = parent.ok_or(Error::TreeDamaged { index: start.index })?;
            steps.push(Step { node, sibling });
            node = parent;
        }
    }

    /// Proves the end of a climb by an older tree that it is a root of, or else the highest node on the
    /// way for which there is one, and takes back the steps above it. A download that a crash cut short
    /// may have stored only some of the nodes that lead further up.
    fn prove_by_older_tree(
        &self,
        nodes: &mut NodeReader<'_>,
        top: Node,
        steps: &mut Vec<Step>,
    ) -> Result<Option<Proven>> {
        let mut top = top;
        loop {
            if let Some(tree) = self.find_older_tree(nodes, &top)? {
                self.proven.keep(tree.roots.iter().copied());
                return Ok(tree.roots.into_iter().find(|root| root.node == top));
            }
            let Some(step) = steps.pop() else { return Ok(None) };
            top = step.node;
        }
    }

    /// Remembers the nodes of a climb that ended at `top`; returns the one that it began with.
    fn keep_climb(&self, top: Proven, steps: &[Step], start: Node) -> Proven {
        let mut way = Vec::with_capacity(steps.len().saturating_mul(2));
        let mut offset = top.offset;
        for Step { node, sibling } in steps.iter().rev() {
            let (node_offset, sibling_offset) = if node.index < sibling.index {
                (offset, offset.saturating_add(node.size))
            } else {
                (offset.saturating_add(sibling.size), offset)
            };
            way.push(Proven { node: *sibling, offset: sibling_offset });
            way.push(Proven { node: *node, offset: node_offset });
            offset = node_offset;
        }
        self.proven.keep(way);
        Proven { node: start, offset }
    }

    /// Whether a node is one of the tree: below one of its roots.
    fn is_within(&self, index: Index) -> bool {
        index.end_block() <= self.length
    }

    /// Finds an older and shorter tree that `top`, the end of a climb, is a proven root of.
    ///
    /// A reader may have its blocks from proofs against several lengths of the feed, and never been
    /// sent the nodes that join the older trees to the newer. The tree by the bits is the newest, and what
    /// other programs would give out; the others are for bits that are damaged.
    fn find_older_tree(&self, nodes: &mut NodeReader<'_>, top: &Node) -> Result<Option<OlderTree>> {
        let Some(signatures) = self.signatures.as_ref().filter(|_| self.is_live) else {
            return Ok(None);
        };
        let parent_end = top.index.parent().map_or(u64::MAX, Index::end_block);
        // A slot is the length less one, and so is the last block below a node.
        let last_slot = parent_end.min(self.length).saturating_sub(1);
        let by_bits = length_from(top.index, |index| self.bitfield.has_node(index));
        let slot = by_bits.saturating_sub(1);
        let mut found = signatures.slot(slot)?.map(|signature| (slot, signature));
        let mut next_slot = top.index.end_block().saturating_sub(1);
        for _ in 0..OLDER_SIGNATURES_MAX {
            if let Some((slot, signature)) = found.filter(|(slot, _)| *slot < last_slot)
                && let length = slot.saturating_add(1)
                && let Some(roots) = self.stored_roots(nodes, length, top)?
                && hashes::verify_tree(&self.key, &tree_hash(&roots), length, &signature).is_some()
            {
                return Ok(Some(OlderTree { roots, signature }));
            }
            found = signatures.at_or_after(next_slot)?.filter(|(slot, _)| *slot < last_slot);
            let Some((slot, _)) = found else { return Ok(None) };
            next_slot = slot.saturating_add(1);
        }
        Ok(None)
    }

    /// The tree in which `node`, which is proven, is a root, when nothing that is stored leads further
    /// up from it.
    pub(super) fn older_tree(&self, node: &Node) -> Result<Option<OlderTree>> {
        self.find_older_tree(&mut NodeReader::new(self, node.index), node)
    }

    /// The roots of the first `length` blocks as they are stored, but for `top`.
    fn stored_roots(
        &self,
        nodes: &mut NodeReader<'_>,
        length: u64,
        top: &Node,
    ) -> Result<Option<Vec<Proven>>> {
        let mut roots = Vec::new();
        for index in full_roots(length) {
            let node = if index == top.index { Some(*top) } else { nodes.get(index)? };
            let Some(node) = node else { return Ok(None) };
            roots.push(node);
        }
        Ok(with_offsets(roots))
    }

    /// The leaves of consecutive blocks, all of them proven. Fewer than asked for, but one at least,
    /// where reading on would take another subtree.
    ///
    /// # Errors
    /// As [`prove_leaf`](Self::prove_leaf), of the first one.
    pub(super) fn prove_leaves(&self, first: u64, end: u64) -> Result<Vec<Proven>> {
        let Some(subtree) = self.subtree_of(first) else {
            return Ok(vec![self.prove_leaf(first)?]);
        };
        // A single leaf needs no more than the way to it.
        if end.saturating_sub(first) > 1
            && let Some(top) = self.prove_if_sound(subtree)?
        {
            let (run, wanted) = (self.node_run(subtree)?, first..end);
            if run.is_whole(&top.node) {
                return Ok(run.leaves(top.offset, &wanted));
            }
            let mut leaves = Vec::new();
            run.prove_leaves(top, &wanted, &mut leaves);
            if !leaves.is_empty() {
                return Ok(leaves);
            }
        }
        // Sparse, or damaged somewhere near: each block for itself.
        Ok(vec![self.prove_leaf(first)?])
    }

    /// The leaf of a block, proven.
    ///
    /// # Errors
    /// [`Error::NodeMissing`] when nothing that is stored leads from it to a signature;
    /// [`Error::TreeDamaged`], [`Error::Storage`].
    pub(super) fn prove_leaf(&self, block: u64) -> Result<Proven> {
        let index = leaf_index(block);
        self.prove(index)?.ok_or(Error::NodeMissing { index })
    }

    fn prove_if_sound(&self, index: Index) -> Result<Option<Proven>> {
        match self.prove(index) {
            Err(Error::TreeDamaged { .. }) => Ok(None),
            proven => proven,
        }
    }

    /// The subtree that is read for a block: as deep as is read at once, and within a root.
    fn subtree_of(&self, block: u64) -> Option<Index> {
        let leaf = leaf_index(block);
        let root = self.roots.iter().find(|root| root.node.index.contains(leaf))?;
        let depth = root.node.index.depth().min(SUBTREE_DEPTH);
        Index::from_parts(depth, block.checked_shr(depth.get())?)
    }

    /// All stored nodes of a subtree, in one read.
    fn node_run(&self, subtree: Index) -> Result<NodeRun> {
        let first = subtree.left_span().get();
        let end = subtree.right_span().get().saturating_add(1);
        let nodes = match &self.tree {
            Some(tree) => tree.run(first..end)?,
            None => Vec::new(),
        };
        Ok(NodeRun { first, nodes })
    }
}

/// The leaf of a block. A feed has at most 2^32 blocks, so there is one.
pub(super) fn leaf_index(block: u64) -> Index {
    Index::leaf(block).unwrap_or(Index::MAX)
}

/// The tree hash of proven roots.
pub(super) fn tree_hash(roots: &[Proven]) -> Hash {
    let roots: Vec<Node> = roots.iter().map(|root| root.node).collect();
    hashes::tree(&roots)
}

/// Consecutive nodes, as stored.
#[derive(Debug, Default)]
struct NodeRun {
    first: u64,
    nodes: Vec<Option<Node>>,
}

impl NodeRun {
    fn get(&self, index: Index) -> Option<Node> {
        let place = index.get().checked_sub(self.first)?;
        *self.nodes.get(usize::try_from(place).ok()?)?
    }

    /// Whether all nodes are there and hash to `top`, whose subtree this is. Hashes a level at a time, which
    /// is faster than one by one.
    fn is_whole(&self, top: &Node) -> bool {
        let depth = top.index.depth().get();
        // A level begins at place 2^depth - 1, and has every 2^(depth + 1)th place.
        let level = |depth: u32| {
            let first = (1_usize << depth).saturating_sub(1);
            self.nodes.get(first..).unwrap_or_default().iter().step_by(2 << depth)
        };
        let leaves = level(0).map(|leaf| leaf.map(|leaf| (leaf.hash, leaf.size)));
        let Some(mut nodes) = leaves.collect::<Option<Vec<_>>>() else { return false };
        for depth in 1..=depth {
            let Some(parents) = hashes::parents(&nodes) else { return false };
            let is_stored = |(made, stored): (&(Hash, u64), &Option<Node>)| {
                stored.is_some_and(|stored| (stored.hash, stored.size) == *made)
            };
            if !parents.iter().zip(level(depth)).all(is_stored) {
                return false;
            }
            nodes = parents;
        }
        // There is one node of the last level only where all places are.
        nodes == [(top.hash, top.size)]
    }

    /// The leaves of the `wanted` blocks, of a subtree that is whole and whose bytes begin at `offset`.
    fn leaves(&self, offset: u64, wanted: &Range<u64>) -> Vec<Proven> {
        let mut offset = offset;
        let leaves = self.nodes.iter().step_by(2).flatten().map(|node| {
            let leaf = Proven { node: *node, offset };
            offset = leaf.end();
            leaf
        });
        leaves.filter(|leaf| wanted.contains(&leaf.node.index.first_block())).collect()
    }

    /// Proves the leaves of the `wanted` blocks below `top` from above, from left to right, and stops at
    /// the first that can not be; whether there was none.
    fn prove_leaves(&self, top: Proven, wanted: &Range<u64>, leaves: &mut Vec<Proven>) -> bool {
        let index = top.node.index;
        if index.end_block() <= wanted.start || index.first_block() >= wanted.end {
            return true;
        }
        let Some((left, right)) = index.children() else {
            leaves.push(top);
            return true;
        };
        let (Some(left), Some(right)) = (self.get(left), self.get(right)) else { return false };
        if hashes::parent(&left, &right) != Some(top.node) {
            return false;
        }
        let left = Proven { node: left, offset: top.offset };
        let right = Proven { node: right, offset: left.end() };
        self.prove_leaves(left, wanted, leaves) && self.prove_leaves(right, wanted, leaves)
    }
}

/// Reads the nodes of one climb: those near its start in one call, the others one by one.
struct NodeReader<'a> {
    feed: &'a Feed,
    /// What is read in one call, when it is needed.
    subtree: Option<Index>,
    run: Option<NodeRun>,
}

impl<'a> NodeReader<'a> {
    fn new(feed: &'a Feed, start: Index) -> Self {
        // The lowest known node above says how far the climb goes.
        let mut top = start;
        while top.depth() < SUBTREE_DEPTH && feed.known(top).is_none() {
            let Some(parent) = top.parent().filter(|parent| feed.is_within(*parent)) else { break };
            top = parent;
        }
        Self { feed, subtree: (top != start).then_some(top), run: None }
    }

    fn get(&mut self, index: Index) -> Result<Option<Node>> {
        let Some(subtree) = self.subtree.filter(|subtree| subtree.contains(index)) else {
            return self.feed.tree.as_ref().map_or(Ok(None), |tree| tree.node(index));
        };
        if self.run.is_none() {
            self.run = Some(self.feed.node_run(subtree)?);
        }
        Ok(self.run.as_ref().and_then(|run| run.get(index)))
    }
}
