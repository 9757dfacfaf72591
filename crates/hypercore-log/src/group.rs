//! Groups of tree nodes that are read together, and the way from a leaf to the top of its group.
//!
//! A group is a complete subtree of depth 5 and the node to its right. Its nodes are proven against its root as blocks
//! are read, and stay so while the group is kept: read again, it is proven anew. Knows nothing of files.

use flat_tree::Index;
use hypercore_crypto::{Hash, parent_hashes_into};
use hypercore_merkle::Node;

use crate::nodes::{NODE_BYTES, decode};

/// Nodes of a group.
pub(crate) const GROUP_NODES: u64 = 64;
pub(crate) const GROUP_BYTES: usize = 64 * NODE_BYTES;

/// Levels from a leaf to the root of its group.
const LEVELS: usize = 5;

/// Parents of a group.
const PARENTS: usize = 31;

/// Where the root of a group stands in it.
const ROOT_AT: u64 = 31;

/// Where the node above this group and others stands.
const BESIDE_AT: u64 = 63;

#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) number: u64,
    pub(crate) bytes: Vec<u8>,
    /// A bit for each node that hashes up to the group's root, with all nodes beside its way and their sizes.
    proven: u64,
    /// Whether all of it was tried at once.
    tried_whole: bool,
    /// Tells this reading of the group from each other.
    reading: u64,
}

/// A leaf and what stands above it in its group.
#[derive(Debug)]
pub(crate) struct Way {
    pub(crate) leaf: Node,
    /// The sibling and the parent at each level.
    steps: [(Node, Node); LEVELS],
    /// Steps from the leaf on that were not proven before.
    unproven: usize,
    number: u64,
    reading: u64,
}

impl Group {
    pub(crate) const fn new(number: u64, reading: u64, bytes: Vec<u8>) -> Self {
        Self { number, bytes, proven: 0, tried_whole: false, reading }
    }

    /// The number of the group that a node is in.
    pub(crate) const fn number_of(index: Index) -> u64 {
        index.get() / GROUP_NODES
    }

    /// The node above all blocks of the group, and the one beside them.
    pub(crate) fn upper(&self) -> [Option<Node>; 2] {
        let first = self.number.saturating_mul(GROUP_NODES);
        [ROOT_AT, BESIDE_AT].map(|at| self.node(Index::new(first.saturating_add(at))))
    }

    pub(crate) fn node(&self, index: Index) -> Option<Node> {
        let at = usize::try_from(index.get() % GROUP_NODES).ok()?.checked_mul(NODE_BYTES)?;
        let bytes = self.bytes.get(at..at.checked_add(NODE_BYTES)?)?;
        decode(index, bytes.first_chunk()?)
    }

    /// The way from a leaf to the root; `None` when a node of it is not stored.
    pub(crate) fn way(&self, leaf: Index) -> Option<Way> {
        let leaf = self.node(leaf)?;
        let mut steps = [(leaf, leaf); LEVELS];
        let mut unproven = 0;
        let mut at = leaf.index;
        for (level, step) in (1..).zip(&mut steps) {
            if self.proven & bit(at) == 0 {
                unproven = level;
            }
            *step = (self.node(at.sibling()?)?, self.node(at.parent()?)?);
            at = step.1.index;
        }
        Some(Way { leaf, steps, unproven, number: self.number, reading: self.reading })
    }

    /// Proves all ways at once: for who reads several blocks of the group it is less work than one way after the other.
    /// Changes nothing where a node is not stored or does not fit; the ways find out which.
    pub(crate) fn prove_whole(&mut self) {
        if self.tried_whole {
            return;
        }
        self.tried_whole = true;
        let first = self.number.saturating_mul(GROUP_NODES);
        let parents = (first..first.saturating_add(BESIDE_AT)).map(Index::new);
        let parents = parents.filter(|index| !index.is_leaf());
        let mut children = [(0, Hash::from_bytes([0; 32]), Hash::from_bytes([0; 32])); PARENTS];
        let mut wanted = [Hash::from_bytes([0; 32]); PARENTS];
        for ((index, child), wanted) in parents.zip(&mut children).zip(&mut wanted) {
            let Some((left, right)) = index.children() else { return };
            let (Some(parent), Some(left), Some(right)) =
                (self.node(index), self.node(left), self.node(right))
            else {
                return;
            };
            if left.size.checked_add(right.size) != Some(parent.size) {
                return;
            }
            *child = (parent.size, left.hash, right.hash);
            *wanted = parent.hash;
        }
        let mut hashes = [Hash::from_bytes([0; 32]); PARENTS];
        parent_hashes_into(&children, &mut hashes);
        if hashes == wanted {
            self.proven = u64::MAX;
        }
    }

    /// Remembers what was proven by a way that began in this reading of the group.
    pub(crate) fn keep_proven(&mut self, way: &Way) {
        if way.reading != self.reading {
            return;
        }
        self.proven |= bit(way.leaf.index);
        for (sibling, parent) in &way.steps {
            self.proven |= bit(sibling.index) | bit(parent.index);
        }
    }
}

impl Way {
    /// The root of the group.
    pub(crate) const fn root(&self) -> &Node {
        let [.., (_, root)] = &self.steps;
        root
    }

    /// The siblings on the way, from the leaf up.
    pub(crate) fn siblings(&self) -> impl ExactSizeIterator<Item = Node> {
        self.steps.iter().map(|(sibling, _)| *sibling)
    }

    /// The number of the group.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// Whether it goes over nodes that were not proven before.
    pub(crate) const fn is_new(&self) -> bool {
        self.unproven > 0
    }

    /// The byte offset of the block in a group that begins at `start`, if the leaf hashes up to the root. It is as
    /// right as the size of the leaf, which the hash of the block must confirm.
    pub(crate) fn offset(&self, start: u64) -> Option<u64> {
        let mut offset = start;
        let mut at = &self.leaf;
        let mut children = [(0, at.hash, at.hash); LEVELS];
        for ((sibling, parent), child) in self.steps.iter().zip(&mut children) {
            let is_left = at.index < sibling.index;
            let (left, right) = if is_left { (at, sibling) } else { (sibling, at) };
            if left.size.checked_add(right.size) != Some(parent.size) {
                return None;
            }
            if !is_left {
                offset = offset.checked_add(sibling.size)?;
            }
            *child = (parent.size, left.hash, right.hash);
            at = parent;
        }
        let mut hashes = [Hash::from_bytes([0; 32]); LEVELS];
        parent_hashes_into(children.get(..self.unproven)?, &mut hashes);
        let steps = self.steps.iter().zip(&hashes).take(self.unproven);
        steps.into_iter().all(|((_, parent), hash)| parent.hash == *hash).then_some(offset)
    }
}

/// The place of a node among the bits of its group.
const fn bit(index: Index) -> u64 {
    1 << (index.get() % GROUP_NODES)
}
