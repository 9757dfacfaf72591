//! No `u64` panics or overflows (tests run with overflow checks), and the answers at the upper
//! edge are those of exact arithmetic, or the documented saturation.

use flat_tree::{Cursor, Depth, Index, LENGTH_MAX, full_roots, patch};
use proptest::prelude::*;

/// Numbers near powers of two, where depths change, and all others.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        (0_u32..64, 0_u64..5).prop_map(|(n, d)| (1_u64 << n).wrapping_add(d).wrapping_sub(3)),
        (0_u64..70).prop_map(|d| u64::MAX - d),
    ]
}

/// The node at a depth and offset, where 128 bits hold everything.
fn exact(depth: u32, offset: u128) -> u128 {
    (2 * offset + 1) * (1 << depth) - 1
}

fn narrow(value: u128) -> Option<Index> {
    u64::try_from(value).ok().map(Index::new)
}

proptest! {
    #[test]
    fn every_number_is_answered(raw in number(), other in number(), depth in any::<u32>()) {
        let index = Index::new(raw);
        let (d, o) = ((u128::from(raw) + 1).trailing_zeros(), (u128::from(raw) + 1));
        let o = o >> (d + 1);
        prop_assert_eq!(index.depth(), Depth::new(d));
        prop_assert_eq!(u128::from(index.offset()), o);
        prop_assert_eq!(Index::from_parts(index.depth(), index.offset()), Some(index));
        prop_assert_eq!(index.parent(), narrow(exact(d + 1, o >> 1)));
        prop_assert_eq!(index.sibling(), narrow(exact(d, o ^ 1)));
        let right_span = ((o + 1) << (d + 1)) - 2;
        prop_assert_eq!(u128::from(index.left_span().get()), o << (d + 1));
        prop_assert_eq!(u128::from(index.right_span().get()), right_span.min((1 << 64) - 2));
        prop_assert_eq!(index.next_leaf(), narrow(right_span + 2));
        let max = u128::from(u64::MAX);
        prop_assert_eq!(u128::from(index.leaf_count()), (1_u128 << d).min(max));
        prop_assert_eq!(u128::from(index.node_count()), ((1_u128 << (d + 1)) - 1).min(max));
        prop_assert_eq!(u128::from(index.end_block()), (right_span / 2 + 1).min(max));
        let distance = u128::from(raw.abs_diff(other));
        prop_assert_eq!(index.contains(Index::new(other)), distance < 1 << d);
        if d > 0 {
            prop_assert_eq!(index.left_child(), narrow(exact(d - 1, 2 * o)));
            prop_assert_eq!(index.right_child(), narrow(exact(d - 1, 2 * o + 1)));
        }
        prop_assert_eq!(index.children().is_some(), d > 0 && d < 64);
        prop_assert_eq!(Index::leaf(raw), narrow(2 * u128::from(raw)));
        let wide = Index::from_parts(Depth::new(depth), raw);
        prop_assert_eq!(wide.is_some(), depth <= 64 && narrow(exact(depth, raw.into())).is_some());
        let _ = index.is_root_of(other);
    }

    #[test]
    fn iterators_end(from in number(), to in number()) {
        prop_assert!(full_roots(to).count() <= 64);
        prop_assert!(patch(from, to).count() <= 192);
        prop_assert_eq!(full_roots(to).next().is_none(), to == 0 || to > LENGTH_MAX);
    }

    #[test]
    fn cursors_stay_in_the_numbers(start in number(), head in number(), moves in prop::collection::vec(0_u8..11, 0..40)) {
        let mut cursor = Cursor::new(Index::new(start));
        for step in moves {
            let before = cursor;
            let moved = match step {
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
                _ => cursor.full_root(head) && cursor != before,
            };
            prop_assert_eq!(moved, cursor != before);
            prop_assert_eq!(cursor.factor(), 2 << cursor.index().depth().get());
        }
        // However wrong the head, the walk over the full roots ends.
        let mut walk = Cursor::default();
        let mut roots = 0;
        while walk.full_root(head) {
            roots += 1;
            prop_assert!(roots <= 64);
            walk.next_tree();
        }
    }
}

#[test]
fn the_highest_node_saturates() {
    let top = Index::MAX;
    assert_eq!(top.depth(), Depth::MAX);
    assert_eq!(top.parent(), None);
    assert_eq!(top.sibling(), None);
    assert_eq!(top.children(), None);
    assert_eq!(top.left_child(), Some(Index::new((1 << 63) - 1)));
    assert_eq!(top.right_span(), Index::new(u64::MAX - 1));
    assert_eq!((top.first_block(), top.end_block()), (0, u64::MAX));
    assert!(!top.is_root_of(u64::MAX));
    assert_eq!(full_roots(LENGTH_MAX).collect::<Vec<_>>(), [Index::new((1 << 63) - 1)]);
    assert_eq!(full_roots(LENGTH_MAX + 1).next(), None);
    assert_eq!(full_roots(LENGTH_MAX + 1).next_back(), None);
}
