//! Any two numbers: no panic, and the answers agree with each other.
#![no_main]

use flat_tree::{Cursor, Depth, Index, full_roots, patch};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: ([u8; 8], [u8; 8], u8)| {
    let (a, b) = (u64::from_le_bytes(input.0), u64::from_le_bytes(input.1));
    let index = Index::new(a);
    assert_eq!(Index::from_parts(index.depth(), index.offset()), Some(index));
    if let Some((left, right)) = index.children() {
        assert_eq!((left.parent(), right.parent()), (Some(index), Some(index)));
        assert_eq!((left.sibling(), right.sibling()), (Some(right), Some(left)));
        assert_eq!(left.end_block(), right.first_block());
        assert_eq!(index.first_block(), left.first_block());
        assert_eq!(index.end_block(), right.end_block());
        let below = left.contains(b.into()) || right.contains(b.into());
        assert_eq!(index.contains(b.into()), b == a || below);
    }
    assert!(index.contains(index.right_span()));
    if let Some(next) = index.next_leaf() {
        assert!(!index.contains(next) && next.is_leaf());
    }
    let _ = (Index::leaf(a), Index::from_parts(Depth::new(u32::from(input.2)), b));

    let mut end = 0;
    for root in full_roots(b) {
        assert_eq!(root.first_block(), end);
        assert!(root.is_root_of(b));
        end = root.end_block();
    }
    assert!(end == b || b > flat_tree::LENGTH_MAX);
    let (from, to) = (a.min(b), a.max(b));
    let nodes: Vec<Index> = patch(from, to).collect();
    assert!(nodes.len() <= 192);
    if !nodes.is_empty() {
        let known: Vec<Index> = full_roots(from).chain(nodes).collect();
        assert!(full_roots(to).all(|root| known.contains(&root)));
    }

    let mut cursor = Cursor::new(index);
    for step in 0..16 {
        let _ = match (u64::from(input.2) ^ (b >> (4 * step))) % 11 {
            0 => cursor.next(),
            1 => cursor.prev(),
            2 => cursor.sibling(),
            3 => cursor.parent(),
            4 => cursor.left_child(),
            5 => cursor.right_child(),
            6 => cursor.left_span(),
            7 => cursor.right_span(),
            8 => cursor.next_tree(),
            9 => cursor.prev_tree(),
            _ => cursor.full_root(b),
        };
    }
});
