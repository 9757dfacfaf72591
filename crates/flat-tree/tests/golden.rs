//! Every field of the vectors recorded from `flat-tree` 1.13.0, which number lengths in blocks.

use flat_tree::{Cursor, Depth, Index, full_roots, patch};
use serde::Deserialize;

const VECTORS: &str = include_str!("fixtures/flat_tree.json");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vectors {
    generated_by: String,
    about: String,
    nodes: Vec<Node>,
    index_of: Vec<IndexOf>,
    full_roots: Vec<Roots>,
    patch: Vec<PatchCase>,
    iterator_walks: Vec<Walk>,
    full_root_walks: Vec<RootWalk>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Node {
    index: u64,
    depth: u32,
    offset: u64,
    parent: u64,
    sibling: u64,
    children: Option<(u64, u64)>,
    left_child: i64,
    right_child: i64,
    left_span: u64,
    right_span: u64,
    count: u64,
    count_leaves: u64,
    next_leaf: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IndexOf {
    depth: u32,
    offset: u64,
    index: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Roots {
    length: u64,
    roots: Vec<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PatchCase {
    from_length: u64,
    to_length: u64,
    nodes: Vec<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    index: u64,
    offset: u64,
    factor: u128,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Walk {
    seek: u64,
    begin: State,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    op: String,
    index: u64,
    offset: u64,
    factor: u128,
    is_left: bool,
    probe: u64,
    contains_probe: bool,
    length: u64,
    is_root_of_length: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RootWalk {
    length: u64,
    seen: Vec<State>,
}

fn vectors() -> Vectors {
    serde_json::from_str(VECTORS).unwrap()
}

fn numbers(indices: impl IntoIterator<Item = Index>) -> Vec<u64> {
    indices.into_iter().map(Index::get).collect()
}

#[test]
fn vectors_are_the_recorded_ones() {
    let vectors = vectors();
    assert_eq!(vectors.generated_by, "flat-tree@1.13.0");
    assert!(vectors.about.contains("block lengths"));
    let counts = [
        vectors.nodes.len(),
        vectors.index_of.len(),
        vectors.full_roots.len(),
        vectors.patch.len(),
        vectors.iterator_walks.len(),
        vectors.full_root_walks.len(),
    ];
    assert_eq!(counts, [208, 72, 176, 131, 24, 30]);
}

#[test]
fn nodes() {
    for node in vectors().nodes {
        let index = Index::new(node.index);
        let optional = |child: i64| u64::try_from(child).ok();
        assert_eq!(index.depth(), Depth::new(node.depth), "{index}");
        assert_eq!(index.offset(), node.offset, "{index}");
        assert_eq!(index.parent().map(Index::get), Some(node.parent), "{index}");
        assert_eq!(index.sibling().map(Index::get), Some(node.sibling), "{index}");
        let children = index.children().map(|(left, right)| (left.get(), right.get()));
        assert_eq!(children, node.children, "{index}");
        assert_eq!(index.left_child().map(Index::get), optional(node.left_child), "{index}");
        assert_eq!(index.right_child().map(Index::get), optional(node.right_child), "{index}");
        assert_eq!(index.left_span().get(), node.left_span, "{index}");
        assert_eq!(index.right_span().get(), node.right_span, "{index}");
        assert_eq!(index.node_count(), node.count, "{index}");
        assert_eq!(index.leaf_count(), node.count_leaves, "{index}");
        assert_eq!(index.next_leaf().map(Index::get), Some(node.next_leaf), "{index}");
    }
}

#[test]
fn index_of_depth_and_offset() {
    for case in vectors().index_of {
        let index = Index::from_parts(Depth::new(case.depth), case.offset);
        assert_eq!(index, Some(Index::new(case.index)));
    }
}

#[test]
fn roots_of_lengths() {
    for case in vectors().full_roots {
        assert_eq!(numbers(full_roots(case.length)), case.roots, "{}", case.length);
    }
}

#[test]
fn patches() {
    for case in vectors().patch {
        let nodes = numbers(patch(case.from_length, case.to_length));
        assert_eq!(nodes, case.nodes, "{} to {}", case.from_length, case.to_length);
    }
}

#[test]
fn cursor_walks() {
    for walk in vectors().iterator_walks {
        let mut cursor = Cursor::new(Index::new(7));
        cursor.seek(Index::new(walk.seek));
        check(&cursor, &walk.begin);
        for step in walk.steps {
            let before = cursor;
            let moved = match step.op.as_str() {
                "next" => cursor.next(),
                "prev" => cursor.prev(),
                "sibling" => cursor.sibling(),
                "parent" => cursor.parent(),
                "left_child" => cursor.left_child(),
                "right_child" => cursor.right_child(),
                "left_span" => cursor.left_span(),
                "right_span" => cursor.right_span(),
                "next_tree" => cursor.next_tree(),
                "prev_tree" => cursor.prev_tree(),
                op => panic!("unknown move {op}"),
            };
            assert_eq!(moved, cursor != before, "{}", step.op);
            check(&cursor, &State { index: step.index, offset: step.offset, factor: step.factor });
            assert_eq!(cursor.is_left(), step.is_left);
            assert_eq!(cursor.is_right(), !step.is_left);
            assert_eq!(cursor.contains(Index::new(step.probe)), step.contains_probe);
            assert_eq!(cursor.is_root(step.length), step.is_root_of_length);
        }
    }
}

#[test]
fn full_root_walks() {
    for walk in vectors().full_root_walks {
        let mut cursor = Cursor::default();
        for state in walk.seen {
            assert!(cursor.full_root(2 * walk.length));
            check(&cursor, &state);
            cursor.next_tree();
        }
        assert!(!cursor.full_root(2 * walk.length));
    }
}

fn check(cursor: &Cursor, expected: &State) {
    assert_eq!(cursor.index().get(), expected.index);
    assert_eq!(cursor.offset(), expected.offset);
    assert_eq!(cursor.factor(), expected.factor);
}
