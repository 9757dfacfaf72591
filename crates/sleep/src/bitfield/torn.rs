//! Nodes that are not listed though others are that come with them: what is left of a page that was torn when it
//! was written, or of a write that stopped between two pages.
//!
//! Runs in each open, so it looks at 64 nodes at a time and passes over full pages. Whether such a node is stored
//! is not known here.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "nodes of pages are below 2^33, and positions in a word below 64"
)]

use std::sync::Arc;

use flat_tree::Index;

use super::Bitfield;
use super::page::{Array, NODES_PER_PAGE, Page};

/// Nodes of one word.
const NODES_PER_WORD: usize = 64;

/// Parents whose children are in the same word, the first node in the highest bit: how far those are on both sides,
/// and where such parents stand.
const PARENTS: [(u32, u64); 5] = [
    (1, 0x4444_4444_4444_4444),
    (2, 0x1010_1010_1010_1010),
    (4, 0x0100_0100_0100_0100),
    (8, 0x0001_0000_0001_0000),
    (16, 0x0000_0001_0000_0000),
];

impl Bitfield {
    /// The first block below any node of a feed of `length` blocks that is not listed though it must be: the leaf of a
    /// block that is stored, or the parent of two nodes that are.
    #[must_use]
    pub(crate) fn torn_from(&self, length: u64) -> Option<u64> {
        let holes = self.pages.iter().zip(0_u64..).filter_map(|(page, number)| {
            let first = number * NODES_PER_PAGE;
            match page {
                Some(page) => self.torn_page(page, first, length),
                // The children of its last node can be in other pages.
                None => self.torn_parent(first + NODES_PER_PAGE - 1, length),
            }
        });
        holes.min()
    }

    fn torn_page(&self, page: &Arc<Page>, first: u64, length: u64) -> Option<u64> {
        if Page::is_full(page) {
            return None;
        }
        let (nodes, _) = page.bits(Array::Tree).as_chunks::<8>();
        let (blocks, _) = page.bits(Array::Data).as_chunks::<4>();
        let words = nodes.iter().zip(blocks).zip((first..).step_by(NODES_PER_WORD));
        let holes = words.filter_map(|((nodes, blocks), first)| {
            let holes = unlisted(u32::from_be_bytes(*blocks), u64::from_be_bytes(*nodes));
            let holes = ones(holes).filter_map(|at| first_block(first + at, length)).min();
            let parent = self.torn_parent(first + (NODES_PER_WORD as u64 - 1), length);
            holes.into_iter().chain(parent).min()
        });
        holes.min()
    }

    /// The first block below a parent that is not listed though its children are.
    fn torn_parent(&self, node: u64, length: u64) -> Option<u64> {
        let (left, right) = Index::new(node).children()?;
        let is_torn = !self.get(Array::Tree, node) && self.has_node(left) && self.has_node(right);
        first_block(node, length).filter(|_| is_torn)
    }
}

/// The first block below a node of a feed of `length` blocks.
fn first_block(node: u64, length: u64) -> Option<u64> {
    let node = Index::new(node);
    (node.end_block() <= length).then(|| node.first_block())
}

/// The nodes of a word that are not listed, of those whose block is stored or whose children are listed there.
fn unlisted(blocks: u32, nodes: u64) -> u64 {
    let parents = PARENTS.iter().map(|(far, places)| (nodes << far) & (nodes >> far) & places);
    parents.fold(leaves(blocks), |expected, parents| expected | parents) & !nodes
}

/// The leaves of blocks: one place of two is a parent's.
fn leaves(blocks: u32) -> u64 {
    let mut bits = u64::from(blocks);
    bits = (bits | bits << 16) & 0x0000_ffff_0000_ffff;
    bits = (bits | bits << 8) & 0x00ff_00ff_00ff_00ff;
    bits = (bits | bits << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    bits = (bits | bits << 2) & 0x3333_3333_3333_3333;
    bits = (bits | bits << 1) & 0x5555_5555_5555_5555;
    bits << 1
}

/// The places of ones, from the highest bit on.
fn ones(word: u64) -> impl Iterator<Item = u64> {
    (0..NODES_PER_WORD as u64).filter(move |place| word << place >> (NODES_PER_WORD - 1) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::PageSize;

    /// What `torn_from` says, node by node.
    fn by_the_book(bitfield: &Bitfield, length: u64) -> Option<u64> {
        let nodes = (0..2 * length).map(Index::new).filter(|node| node.end_block() <= length);
        let is_expected = |node: &Index| match node.children() {
            None => node.block().is_some_and(|block| bitfield.has_block(block)),
            Some((left, right)) => bitfield.has_node(left) && bitfield.has_node(right),
        };
        let torn = nodes.filter(|node| !bitfield.has_node(*node) && is_expected(node));
        torn.map(Index::first_block).min()
    }

    #[test]
    fn one_node_that_is_lost_is_found_wherever_it_is() {
        let length = 40_000;
        let mut whole = Bitfield::new(PageSize::default());
        whole.set_blocks(0..length, true).unwrap();
        whole.add_nodes_of(0..length).unwrap();
        assert_eq!(whole.torn_from(length), None);
        let nodes = (0..130).chain((7..16).map(|depth| (1 << depth) - 1)).chain(16_380..16_390);
        for node in nodes.chain([32_767, 49_151, 79_998]) {
            let index = Index::new(node);
            let mut torn = whole.clone();
            torn.set_node(index, false).unwrap();
            assert_eq!(torn.torn_from(length), Some(index.first_block()), "node {node}");
            assert_eq!(torn.torn_from(index.end_block() - 1), None, "node {node}");
        }
    }

    #[test]
    fn the_first_of_many_is_found_as_by_the_book() {
        let mut seed = 1_u64;
        let mut next = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        for length in [1, 33, 8192, 8300, 20_000] {
            for _ in 0..20 {
                let mut bitfield = Bitfield::new(PageSize::default());
                for _ in 0..1 + next(40) {
                    let start = next(length);
                    bitfield.add_nodes_of(start..length.min(start + next(3000))).unwrap();
                    let start = next(length);
                    bitfield.set_blocks(start..length.min(start + next(9)), true).unwrap();
                    bitfield.set_node(Index::new(next(2 * length)), next(2) == 0).unwrap();
                }
                assert_eq!(bitfield.torn_from(length), by_the_book(&bitfield, length));
            }
        }
    }
}
