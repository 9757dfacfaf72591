//! Trees, offsets, seeks and truncation against the vectors and against the slow twin.

mod common;

use common::{Nodes, blocks, full, hash, leaves, list, merkle_json, missing, node, number, twin};
use flat_tree::Index;
use hypercore_merkle::{
    AppendError, LENGTH_MAX, Leaf, Node, RootsError, SIZE_MAX, Seek, Tree, TreeError,
    removed_parents,
};
use proptest::prelude::*;

fn found(seek: &Seek) -> Option<(u64, u64)> {
    match seek {
        Seek::Found { block, offset } => Some((*block, *offset)),
        _ => None,
    }
}

fn check_tree(tree: &Tree, expected: &serde_json::Value) {
    assert_eq!(tree.length(), number(&expected["length"]));
    assert_eq!(tree.byte_length(), number(&expected["byte_length"]));
    assert_eq!(tree.hash(), hash(&expected["tree_hash"]));
    let roots = list(&expected["roots"]);
    assert_eq!(tree.roots().len(), roots.len());
    for (root, expected) in tree.roots().iter().zip(roots) {
        // Of the longer trees only the indexes were recorded.
        match expected.as_u64() {
            Some(index) => assert_eq!(root.index.get(), index),
            None => assert_eq!(*root, node(expected)),
        }
    }
}

#[test]
fn grows_block_by_block_as_recorded() {
    let vectors = &merkle_json()["trees"];
    let blocks = blocks(&vectors["blocks"]);
    let mut tree = Tree::empty(0);
    let mut nodes = Nodes::new();
    for expected in list(&vectors["growing"]) {
        if number(&expected["length"]) > 0 {
            let block = blocks[usize::try_from(tree.length()).unwrap()].clone();
            let new = tree.append(&leaves(&[block])).unwrap();
            nodes.extend(new.into_iter().map(|node| (node.index, node)));
        }
        check_tree(&tree, expected);
        assert_eq!(Tree::load(&nodes, 0, tree.length()).unwrap(), tree);
        let roots = tree.roots().to_vec();
        assert_eq!(Tree::from_roots(0, roots, tree.length()).unwrap(), tree);
    }
    assert_eq!(tree.length(), 130);
    for expected in list(&vectors["growing"]) {
        let length = number(&expected["length"]);
        assert_eq!(tree.tree_hash_at(&nodes, length).unwrap(), hash(&expected["tree_hash"]));
        check_tree(&tree.truncated(&nodes, length, 1).unwrap(), expected);
    }
}

#[test]
fn all_nodes_and_their_offsets_are_as_recorded() {
    let vectors = &merkle_json()["trees"];
    let all = blocks(&vectors["blocks"]);
    let length = usize::try_from(number(&vectors["all_nodes_of_length"])).unwrap();
    let (_, nodes) = full(&all[..length], 0);
    let expected = list(&vectors["all_nodes"]);
    assert_eq!(nodes.len(), expected.len());
    for expected in expected.iter().map(node) {
        assert_eq!(nodes[&expected.index], expected);
    }
    let (tree, nodes) = full(&all, 0);
    // The offsets do not depend on the length.
    let offsets = list(&vectors["byte_offsets"]);
    assert_eq!(offsets.len(), 38);
    for case in offsets {
        let index = Index::new(number(&case["node"]));
        assert_eq!(tree.byte_offset(&nodes, index).unwrap(), number(&case["offset"]), "{index}");
    }
}

#[test]
fn seeks_are_as_recorded() {
    let vectors = &merkle_json()["trees"];
    let (tree, nodes) = full(&blocks(&vectors["blocks"]), 0);
    for case in list(&vectors["seeks"]) {
        let padding = number(&case["padding"]);
        let seek = tree.seek(&nodes, number(&case["bytes"]), padding).unwrap();
        let expected = case["found"].as_array().map(|at| (number(&at[0]), number(&at[1])));
        assert_eq!(found(&seek), expected, "{case}");
    }
    let vectors = &merkle_json()["padded_seeks"];
    let (tree, nodes) = full(&blocks(&vectors["blocks"]), 0);
    for case in list(&vectors["seeks"]) {
        let padding = number(&vectors["padding"]);
        let seek = tree.seek(&nodes, number(&case["bytes"]), padding).unwrap();
        let expected = case["found"].as_array().map(|at| (number(&at[0]), number(&at[1])));
        assert_eq!(found(&seek), expected, "{case}");
    }
}

#[test]
fn most_missing_nodes_are_as_recorded() {
    let vectors = &merkle_json()["trees"];
    for case in list(&vectors["max_missing_nodes"]) {
        let (index, length) = (Index::new(number(&case["index"])), number(&case["length"]));
        assert_eq!(Tree::missing_nodes_max(index, length), number(&case["count"]), "{case}");
        // With nothing but the roots stored, nothing less is missing.
        let blocks = vec![b"x".to_vec(); usize::try_from(length).unwrap()];
        let (tree, _) = full(&blocks, 0);
        let roots: Nodes = tree.roots().iter().map(|node| (node.index, *node)).collect();
        assert_eq!(tree.missing_nodes(&roots, index).unwrap(), number(&case["count"]), "{case}");
    }
}

#[test]
fn larger_trees_are_as_recorded() {
    let vectors = &merkle_json()["larger_trees"];
    let trees = list(&vectors["trees"]);
    assert_eq!(trees.len(), 16);
    for expected in trees {
        let blocks: Vec<Vec<u8>> =
            (0..number(&expected["length"])).map(|i| i.to_string().into_bytes()).collect();
        check_tree(&full(&blocks, 0).0, expected);
    }
}

#[test]
fn a_narrowed_seek_names_the_blocks_left() {
    let blocks: Vec<Vec<u8>> = (0..8_u8).map(|i| vec![i; 10]).collect();
    let (tree, mut nodes) = full(&blocks, 0);
    nodes.retain(|index, _| [7, 3, 11].contains(&index.get()));
    assert_eq!(tree.seek(&nodes, 45, 0).unwrap(), Seek::Narrowed { blocks: 4..8 });
    assert_eq!(tree.seek(&nodes, 40, 0).unwrap(), Seek::Found { block: 4, offset: 0 });
    assert_eq!(tree.seek(&nodes, 80, 0).unwrap(), Seek::Found { block: 8, offset: 0 });
    assert_eq!(tree.seek(&nodes, 81, 0).unwrap(), Seek::OutOfBounds);
    assert_eq!(tree.seek(&nodes, u64::MAX, u64::MAX).unwrap(), Seek::OutOfBounds);
    assert_eq!(missing(&tree.byte_range(&nodes, 5).unwrap_err()), Some(Index::new(8)));
    assert!(matches!(tree.byte_range(&nodes, 8), Err(TreeError::OutOfTree { length: 8, .. })));
    assert!(matches!(tree.byte_range(&nodes, u64::MAX), Err(TreeError::OutOfTree { .. })));
    assert_eq!(tree.byte_offset(&nodes, Index::new(16)).unwrap(), 80);
    assert!(tree.byte_offset(&nodes, Index::MAX).is_ok(), "its first block is block 0");
    assert!(tree.byte_offset(&nodes, Index::new(18)).is_err());
}

#[test]
fn limits_are_refused_by_name_and_change_nothing() {
    let hash = Leaf::new(b"").hash;
    let mut tree = Tree::empty(0);
    tree.append(&[Leaf { size: SIZE_MAX - 1, hash }]).unwrap();
    let before = tree.clone();
    let result = tree.append(&[Leaf { size: 1, hash }, Leaf { size: 1, hash }]);
    assert_eq!(result.unwrap_err(), AppendError::SizeOverflow { block: 2 });
    let result = tree.append(&[Leaf { size: u64::MAX, hash }]);
    assert_eq!(result.unwrap_err(), AppendError::SizeOverflow { block: 1 });
    assert_eq!(tree, before);
    assert!(tree.append(&[]).unwrap().is_empty());
    assert_eq!(tree, before);

    let root = Node::new(Index::from_parts(52.into(), 0).unwrap(), 5, hash);
    let mut tree = Tree::from_roots(0, vec![root], LENGTH_MAX).unwrap();
    let result = tree.append(&[Leaf { size: 0, hash }]);
    assert_eq!(result.unwrap_err(), AppendError::TooLong { length: LENGTH_MAX, appended: 1 });

    let empty = Nodes::new();
    assert!(matches!(Tree::load(&empty, 0, LENGTH_MAX + 1), Err(TreeError::TooLong { .. })));
    assert!(matches!(Tree::load(&empty, 0, u64::MAX), Err(TreeError::TooLong { .. })));
    assert_eq!(missing(&Tree::load(&empty, 0, 3).unwrap_err()), Some(Index::new(1)));
    assert_eq!(
        Tree::from_roots(0, Vec::new(), 1).unwrap_err(),
        RootsError::WrongRoot { expected: Some(Index::new(0)), found: None }
    );
    assert!(Tree::from_roots(0, vec![root], 1).is_err());
    assert_eq!(
        Tree::from_roots(0, Vec::new(), LENGTH_MAX + 1).unwrap_err(),
        RootsError::TooLong(LENGTH_MAX + 1)
    );
    assert!(before.truncated(&empty, 2, 1).is_err());
    assert!(before.tree_hash_at(&empty, 2).is_err());
}

#[test]
fn a_damaged_lookup_is_an_error_and_no_wrong_tree() {
    let (tree, mut nodes) = full(&[b"a".to_vec(), b"b".to_vec(), b"c".to_vec()], 0);
    let other = nodes[&Index::new(0)];
    nodes.insert(Index::new(4), other);
    assert_eq!(Tree::load(&nodes, 0, 3).unwrap_err(), TreeError::DamagedNode(Index::new(4)));
    let hash = other.hash;
    nodes.insert(Index::new(4), Node::new(Index::new(4), SIZE_MAX, hash));
    assert_eq!(Tree::load(&nodes, 0, 3).unwrap_err(), TreeError::SizeOverflow(Index::new(4)));
    nodes.insert(Index::new(0), Node::new(Index::new(0), u64::MAX, hash));
    assert!(matches!(tree.byte_range(&nodes, 1), Err(TreeError::DamagedNode(_))));
}

#[test]
fn removed_parents_are_those_that_reach_over_the_cut() {
    for length in 0..200_u64 {
        let expected: Vec<u64> = (0..2 * length)
            .filter(|index| {
                let index = Index::new(*index);
                index.end_block() > length
            })
            .collect();
        let mut removed: Vec<u64> = removed_parents(length).map(Index::get).collect();
        removed.sort_unstable();
        if length.is_power_of_two() {
            // Where the tree file is cut, and so not named: JavaScript does not either.
            assert_eq!(expected, [2 * length - 1]);
            assert!(removed.is_empty());
        } else {
            assert_eq!(removed, expected, "{length}");
        }
    }
    assert!(removed_parents(u64::MAX).count() < 65);
}

fn any_blocks(most: usize) -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..12), 0..most)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Any split into batches gives the same nodes in the same order, and the twin's tree.
    #[test]
    fn batches_grow_the_twins_tree(blocks in any_blocks(70), cuts in prop::collection::vec(0..70_usize, 0..5)) {
        let mut tree = Tree::empty(3);
        let mut single = Tree::empty(3);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(blocks.len())).collect();
        cuts.extend([0, blocks.len()]);
        cuts.sort_unstable();
        let mut all = Vec::new();
        let mut one_by_one = Vec::new();
        for pair in cuts.windows(2) {
            all.extend(tree.append(&leaves(&blocks[pair[0]..pair[1]])).unwrap());
        }
        for block in &blocks {
            let mut last = single.append(&[Leaf::new(block)]).unwrap();
            one_by_one.append(&mut last);
        }
        prop_assert_eq!(&all, &one_by_one);
        prop_assert_eq!(&tree, &single);
        prop_assert_eq!(tree.hash(), twin::hash(&blocks));
        prop_assert_eq!(tree.byte_length(), blocks.iter().map(|block| block.len() as u64).sum::<u64>());
        let nodes: Nodes = all.iter().map(|node| (node.index, *node)).collect();
        prop_assert_eq!(nodes.len(), all.len());
        prop_assert_eq!(nodes, twin::nodes(&blocks));
    }

    /// Offsets and seeks are what adding up block lengths gives.
    #[test]
    fn offsets_and_seeks_are_sums(blocks in any_blocks(40), at in 0..300_u64) {
        let (tree, nodes) = full(&blocks, 0);
        let mut start = 0;
        let mut expected = None;
        for (block, data) in (0_u64..).zip(&blocks) {
            let end = start + data.len() as u64;
            prop_assert_eq!(tree.byte_range(&nodes, block).unwrap(), start..end);
            if expected.is_none() && (start..end).contains(&at) {
                expected = Some((block, at - start));
            }
            start = end;
        }
        if at == start {
            expected = Some((blocks.len() as u64, 0));
        }
        let seek = found(&tree.seek(&nodes, at, 0).unwrap());
        // Empty blocks share their position with the next: any of them is right.
        match (seek, expected) {
            (Some((block, 0)), Some((_, 0))) => {
                let index = usize::try_from(block).unwrap();
                let before: usize = blocks[..index].iter().map(Vec::len).sum();
                prop_assert_eq!(before as u64, at);
            }
            (seek, expected) => prop_assert_eq!(seek, expected),
        }
        for index in nodes.keys() {
            let first = usize::try_from(index.first_block()).unwrap();
            let before: usize = blocks[..first].iter().map(Vec::len).sum();
            prop_assert_eq!(tree.byte_offset(&nodes, *index).unwrap(), before as u64);
        }
    }

    /// Cutting gives the tree that the shorter list of blocks has, and what survives suffices.
    #[test]
    fn truncation_leaves_the_shorter_tree(blocks in any_blocks(40), cut in 0..40_usize) {
        let cut = cut.min(blocks.len());
        let length = cut as u64;
        let (tree, mut nodes) = full(&blocks, 0);
        let shorter = tree.truncated(&nodes, length, 9).unwrap();
        prop_assert_eq!(&shorter, &full(&blocks[..cut], 9).0);
        nodes.retain(|index, _| index.get() + 1 < 2 * length);
        for index in removed_parents(length) {
            nodes.remove(&index);
        }
        prop_assert_eq!(nodes, twin::nodes(&blocks[..cut]));
    }
}
