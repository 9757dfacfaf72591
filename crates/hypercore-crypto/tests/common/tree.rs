//! A slow tree for the tests: it keeps every block hash and knows patches by their definition.
//!
//! In-order numbering: the parent of the `2^d` leaves from block `b` on, `b` a multiple of `2^d`,
//! has the index `2b + 2^d - 1`.

use std::collections::BTreeMap;

use hypercore_crypto::{Hash, SignatureNode, SignedTree, leaf_hash, parent_hash, tree_hash};

#[derive(Clone, Debug)]
pub(crate) struct SlowTree {
    fork: u64,
    length: u64,
    roots: Vec<SignatureNode>,
}

/// Index of the node over `count` leaves (a power of two) from block `first`.
fn index(first: u64, count: u64) -> u64 {
    2 * first + count - 1
}

/// The full roots of `length` blocks as (first block, count).
pub(crate) fn roots_of(length: u64) -> Vec<(u64, u64)> {
    let mut roots = Vec::new();
    let mut first = 0;
    for bit in (0..64).rev() {
        let count = 1_u64 << bit;
        if length & count != 0 {
            roots.push((first, count));
            first += count;
        }
    }
    roots
}

/// The node over `count` blocks from `first`, computed from the blocks.
pub(crate) fn node_of(blocks: &[Vec<u8>], first: u64, count: u64) -> SignatureNode {
    if count == 1 {
        let block = &blocks[first as usize];
        return SignatureNode {
            index: index(first, 1),
            size: block.len() as u64,
            hash: leaf_hash(block),
        };
    }
    join(
        &node_of(blocks, first, count / 2),
        &node_of(blocks, first + count / 2, count / 2),
        index(first, count),
    )
}

fn join(left: &SignatureNode, right: &SignatureNode, index: u64) -> SignatureNode {
    let size = left.size + right.size;
    SignatureNode { index, size, hash: parent_hash(size, &left.hash, &right.hash) }
}

impl SlowTree {
    pub(crate) fn new(blocks: &[Vec<u8>], length: u64, fork: u64) -> Self {
        let roots = roots_of(length).into_iter().map(|(a, n)| node_of(blocks, a, n)).collect();
        Self { fork, length, roots }
    }
}

/// The node over `count` blocks from `first`: an own root, else a node given, else made of halves
/// when it contains own blocks.
fn build(
    own: &BTreeMap<u64, SignatureNode>,
    given: &BTreeMap<u64, SignatureNode>,
    length: u64,
    (first, count): (u64, u64),
) -> Option<SignatureNode> {
    let at = index(first, count);
    if let Some(node) = own.get(&at) {
        return Some(*node);
    }
    if first >= length {
        return given.get(&at).copied();
    }
    let left = build(own, given, length, (first, count / 2))?;
    let right = build(own, given, length, (first + count / 2, count / 2))?;
    Some(join(&left, &right, at))
}

impl SignedTree for SlowTree {
    fn length(&self) -> u64 {
        self.length
    }

    fn fork(&self) -> u64 {
        self.fork
    }

    fn hash(&self) -> Hash {
        tree_hash(self.roots.iter().map(|root| (root.hash, root.index, root.size)))
    }

    fn patched_hash(&self, patch: u64, nodes: &[SignatureNode]) -> Option<Hash> {
        let own = self.roots.iter().map(|node| (node.index, *node)).collect();
        let given = nodes.iter().map(|node| (node.index, *node)).collect();
        let roots: Option<Vec<_>> = roots_of(self.length + patch)
            .into_iter()
            .map(|root| build(&own, &given, self.length, root))
            .collect();
        Some(tree_hash(roots?.iter().map(|root| (root.hash, root.index, root.size))))
    }
}

/// The nodes that lead from a tree of `from` blocks to one of `to` blocks.
pub(crate) fn upgrade_nodes(blocks: &[Vec<u8>], from: u64, to: u64) -> Vec<SignatureNode> {
    fn collect(
        blocks: &[Vec<u8>],
        from: u64,
        (first, count): (u64, u64),
        nodes: &mut Vec<SignatureNode>,
    ) {
        if first + count <= from {
            return;
        }
        if first >= from {
            nodes.push(node_of(blocks, first, count));
            return;
        }
        collect(blocks, from, (first, count / 2), nodes);
        collect(blocks, from, (first + count / 2, count / 2), nodes);
    }
    let mut nodes = Vec::new();
    for root in roots_of(to) {
        collect(blocks, from, root, &mut nodes);
    }
    nodes
}

/// A tree of which nothing is known but its hash and length.
#[derive(Clone, Debug)]
pub(crate) struct Opaque {
    pub(crate) hash: Hash,
    pub(crate) length: u64,
    pub(crate) fork: u64,
}

impl SignedTree for Opaque {
    fn length(&self) -> u64 {
        self.length
    }

    fn fork(&self) -> u64 {
        self.fork
    }

    fn hash(&self) -> Hash {
        self.hash
    }

    fn patched_hash(&self, _: u64, _: &[SignatureNode]) -> Option<Hash> {
        None
    }
}
