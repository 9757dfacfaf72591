//! The arithmetic against trees that are really built: nodes with links, numbered by walking them.

use std::collections::{BTreeMap, BTreeSet};

use flat_tree::{Cursor, Depth, Index, full_roots, patch};
use proptest::prelude::*;

/// A node of the model: everything about it, found by recursion.
#[derive(Debug, Clone)]
struct Node {
    depth: u32,
    offset: u64,
    parent: Option<u64>,
    children: Option<(u64, u64)>,
    below: BTreeSet<u64>,
}

/// Builds the complete tree of `depth` by an in-order walk, numbering nodes as it meets them.
fn build(depth: u32) -> BTreeMap<u64, Node> {
    fn walk(depth: u32, next: &mut u64, nodes: &mut BTreeMap<u64, Node>) -> (u64, BTreeSet<u64>) {
        let (children, mut below) = if depth == 0 {
            (None, BTreeSet::new())
        } else {
            let (left, left_below) = walk(depth - 1, next, nodes);
            (Some(left), left_below)
        };
        let index = *next;
        *next += 1;
        let children = children.map(|left| {
            let (right, right_below) = walk(depth - 1, next, nodes);
            below.extend(right_below);
            for child in [left, right] {
                nodes.get_mut(&child).unwrap().parent = Some(index);
            }
            (left, right)
        });
        below.insert(index);
        let offset = nodes.values().filter(|node| node.depth == depth).count() as u64;
        nodes.insert(index, Node { depth, offset, parent: None, children, below: below.clone() });
        (index, below)
    }
    let mut nodes = BTreeMap::new();
    walk(depth, &mut 0, &mut nodes);
    nodes
}

/// The full roots by trying trees from the largest down.
fn roots_model(nodes: &BTreeMap<u64, Node>, length: u64) -> Vec<u64> {
    let inside = |node: &Node| node.below.iter().all(|index| *index < (2 * length).max(1) - 1);
    let mut roots: Vec<u64> = Vec::new();
    for (index, node) in nodes {
        let parent_inside = node.parent.is_some_and(|parent| inside(&nodes[&parent]));
        if length > 0 && inside(node) && !parent_inside {
            roots.push(*index);
        }
    }
    roots
}

/// The text of formats.md section 1, with lists.
fn patch_model(from: u64, to: u64) -> Vec<u64> {
    if from == 0 || from >= to {
        return Vec::new();
    }
    let mut old: Vec<Index> = full_roots(from).collect();
    let new: Vec<Index> = full_roots(to).collect();
    let same = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let mut nodes = Vec::new();
    let mut rest = same;
    if same < old.len() {
        let mut at = old.pop().unwrap();
        while at != new[same] {
            let sibling = at.sibling().unwrap();
            if old.last() == Some(&sibling) {
                old.pop();
            } else {
                nodes.push(sibling);
            }
            at = at.parent().unwrap();
            nodes.push(at);
        }
        rest += 1;
    }
    nodes.extend(&new[rest..]);
    nodes.into_iter().map(Index::get).collect()
}

#[test]
fn numbers_are_those_of_a_walked_tree() {
    let nodes = build(7);
    for (index, node) in &nodes {
        let it = Index::new(*index);
        assert_eq!(it.depth().get(), node.depth);
        assert_eq!(it.offset(), node.offset);
        assert_eq!(Index::from_parts(Depth::new(node.depth), node.offset), Some(it));
        assert_eq!(it.children().map(|(l, r)| (l.get(), r.get())), node.children);
        if let Some(parent) = node.parent {
            assert_eq!(it.parent().map(Index::get), Some(parent));
            let (left, right) = nodes[&parent].children.unwrap();
            let sibling = if left == *index { right } else { left };
            assert_eq!(it.sibling().map(Index::get), Some(sibling));
            assert_eq!(it.is_left(), left == *index);
        }
        assert_eq!(it.left_span().get(), *node.below.first().unwrap());
        assert_eq!(it.right_span().get(), *node.below.last().unwrap());
        assert_eq!(it.node_count(), node.below.len() as u64);
        let leaves: Vec<u64> = node.below.iter().copied().filter(|i| i % 2 == 0).collect();
        assert_eq!(it.leaf_count(), leaves.len() as u64);
        assert_eq!(it.first_block(), leaves[0] / 2);
        assert_eq!(it.end_block(), leaves[leaves.len() - 1] / 2 + 1);
        assert_eq!(it.block(), (node.depth == 0).then_some(*index / 2));
        for other in nodes.keys() {
            assert_eq!(it.contains(Index::new(*other)), node.below.contains(other));
        }
    }
}

#[test]
fn roots_are_the_complete_trees_without_a_complete_parent() {
    let nodes = build(8);
    for length in 0..=130 {
        let expected = roots_model(&nodes, length);
        let forward: Vec<u64> = full_roots(length).map(Index::get).collect();
        assert_eq!(forward, expected, "{length}");
        let mut backward: Vec<u64> = full_roots(length).rev().map(Index::get).collect();
        backward.reverse();
        assert_eq!(backward, expected, "{length}");
        assert_eq!(full_roots(length).len(), expected.len());
        for index in nodes.keys() {
            assert_eq!(Index::new(*index).is_root_of(length), expected.contains(index));
        }
        let mut cursor = Cursor::default();
        let mut walked = Vec::new();
        while cursor.full_root(2 * length) {
            walked.push(cursor.index().get());
            cursor.next_tree();
        }
        assert_eq!(walked, expected, "{length}");
    }
}

#[test]
fn patches_follow_the_text() {
    for to in 0..100 {
        for from in 0..=to {
            let nodes: Vec<u64> = patch(from, to).map(Index::get).collect();
            assert_eq!(nodes, patch_model(from, to), "{from} to {to}");
        }
    }
}

proptest! {
    /// With the roots of the shorter tree and the patch, every root of the longer is present.
    #[test]
    fn patches_complete_the_longer_tree(from in 1_u64..=1 << 63, more in 1_u64..=1 << 63) {
        let to = from.saturating_add(more).min(flat_tree::LENGTH_MAX);
        let nodes: Vec<u64> = patch(from, to).map(Index::get).collect();
        prop_assert_eq!(&nodes, &patch_model(from, to));
        if from < to {
            let known: BTreeSet<u64> =
                full_roots(from).map(Index::get).chain(nodes.iter().copied()).collect();
            for root in full_roots(to) {
                prop_assert!(known.contains(&root.get()));
            }
        }
    }

    /// Roots lie side by side from block 0 to the length.
    #[test]
    fn roots_cover_the_blocks(length in 0_u64..=1 << 63) {
        let mut end = 0;
        for root in full_roots(length) {
            prop_assert_eq!(root.first_block(), end);
            prop_assert!(root.is_root_of(length));
            end = root.end_block();
        }
        prop_assert_eq!(end, length);
        // Taken from both ends, each root comes once.
        let mut ends = full_roots(length);
        let (mut front, mut back) = (Vec::new(), Vec::new());
        while let Some(root) = ends.next() {
            front.push(root);
            back.extend(ends.next_back());
        }
        front.extend(back.into_iter().rev());
        prop_assert_eq!(front, full_roots(length).collect::<Vec<_>>());
    }
}
