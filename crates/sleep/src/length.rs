//! The length of a feed, which stands nowhere: it follows from which nodes of the tree are there.
//!
//! Works on a question, "is this node there", so that bits and models answer alike.

use flat_tree::{Depth, Index};

/// Most blocks a feed has: 2^32. Its bitfield has 2^19 pages, 1.8 GB.
///
/// A file that would need more is refused with [`Error::TooLong`](crate::Error::TooLong), an append
/// that would lead past it likewise.
pub const FEED_LENGTH_MAX: u64 = 1 << 32;

/// The length of the feed whose stored nodes are those that `is_there` says, all below `node_count`.
///
/// The highest node of the left spine that is there is the first root. Then, as long as there is
/// one, the next root is the deepest node that starts where the last one ended **and** is less deep
/// than that: full roots shrink from left to right. The length is where the last root ends, which
/// damage can put at up to `node_count`, twice the blocks that there can be.
///
/// # Source
/// "SLEEP storage", section 6.4. (Its step 2 never finds anything: the parent of a spine node is one.)
#[must_use]
pub fn length_of(node_count: u64, is_there: impl Fn(Index) -> bool) -> u64 {
    let is_there = |index: Index| index.get() < node_count && is_there(index);
    let spine =
        (0..u64::BITS).rev().find_map(|depth| starting_at(0, depth).filter(|one| is_there(*one)));
    spine.map_or(0, |top| length_from(top, is_there))
}

/// The length of the tree of which `top` is a root, by the nodes right of it that are stored.
///
/// # Source
/// "SLEEP storage", section 6.4, step 3.
pub(crate) fn length_from(top: Index, is_there: impl Fn(Index) -> bool) -> u64 {
    let mut top = top;
    loop {
        let next = top.end_block();
        let depths = (0..top.depth().get()).rev();
        let root = depths.filter_map(|depth| starting_at(next, depth)).find(|one| is_there(*one));
        match root {
            Some(root) => top = root,
            None => return next,
        }
    }
}

/// The node of a depth that starts with a block, where one does.
fn starting_at(first_block: u64, depth: u32) -> Option<Index> {
    let offset = first_block.checked_shr(depth).unwrap_or(0);
    let is_aligned = offset.checked_shl(depth).unwrap_or(0) == first_block;
    Index::from_parts(Depth::new(depth), offset).filter(|_| is_aligned)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use flat_tree::full_roots;
    use proptest::prelude::*;

    use super::*;

    /// The four steps of section 6.4, as they are written there.
    fn by_the_book(node_count: u64, set: &BTreeSet<u64>) -> u64 {
        let is_set = |index: u64| index < node_count && set.contains(&index);
        let span = |index: u64| {
            let half = (1 << (!index).trailing_zeros()) - 1;
            (index - half, index + half)
        };
        // 1. the left spine
        let mut top = None;
        let mut spine = 0;
        while spine < node_count {
            if is_set(spine) {
                top = Some(spine);
            }
            spine = 2 * spine + 1;
        }
        let Some(mut top) = top else { return 0 };
        // 2. parents with siblings
        loop {
            let index = Index::new(top);
            let (parent, sibling) = (index.parent().unwrap(), index.sibling().unwrap());
            if !is_set(parent.get()) || !is_set(sibling.get()) {
                break;
            }
            top = parent.get();
        }
        // 3. what stands right of it
        loop {
            let next = span(top).1 + 2;
            let depth = |index: u64| (!index).trailing_zeros();
            let starts = set.iter().copied().filter(|index| is_set(*index));
            let starts =
                starts.filter(|index| span(*index).0 == next && depth(*index) < depth(top));
            match starts.max_by_key(|index| depth(*index)) {
                Some(index) => top = index,
                None => return next / 2,
            }
        }
    }

    fn there(set: &BTreeSet<u64>) -> impl Fn(Index) -> bool {
        |index| set.contains(&index.get())
    }

    #[test]
    fn a_full_feed_has_its_length() {
        for length in 0..300 {
            let nodes: BTreeSet<u64> = full_roots(length)
                .flat_map(|root| root.left_span().get()..=root.right_span().get())
                .collect();
            assert_eq!(length_of(16_384, there(&nodes)), length);
            // The roots alone say as much.
            let roots: BTreeSet<u64> = full_roots(length).map(Index::get).collect();
            assert_eq!(length_of(16_384, there(&roots)), length);
        }
    }

    #[test]
    fn the_example_of_a_reader_of_six_blocks() {
        // Roots of 100 blocks, and nothing else; then what looks like a longer feed but is not.
        let mut nodes = BTreeSet::from([63, 159, 195]);
        assert_eq!(length_of(16_384, there(&nodes)), 100);
        nodes.insert(203);
        assert_eq!(length_of(16_384, there(&nodes)), 100, "roots shrink from left to right");
        nodes.insert(200);
        assert_eq!(length_of(16_384, there(&nodes)), 101);
    }

    #[test]
    fn every_node_of_the_longest_feed() {
        assert_eq!(length_of(2 * FEED_LENGTH_MAX - 1, |_| true), FEED_LENGTH_MAX);
        assert_eq!(length_of(u64::MAX, |_| true), 1 << 63);
        assert_eq!(length_of(u64::MAX, |_| false), 0);
        assert_eq!(length_of(0, |_| true), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

        #[test]
        fn as_it_is_written(
            nodes in prop::collection::btree_set(0_u64..80, 0..60),
            node_count in 0_u64..80,
        ) {
            prop_assert_eq!(length_of(node_count, |index| index.get() < node_count && nodes.contains(&index.get())), by_the_book(node_count, &nodes));
            // Nodes that are said to be there past the end are not asked for.
            prop_assert_eq!(length_of(node_count, there(&nodes)), by_the_book(node_count, &nodes));
        }
    }
}
