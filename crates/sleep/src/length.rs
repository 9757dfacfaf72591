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
/// than that: full roots shrink from left to right. The length is where the last root ends.
///
/// # Source
/// "SLEEP storage", section 6.4. (Its step 2 never finds anything: the parent of a spine node is one.)
#[must_use]
pub fn length_of(node_count: u64, is_there: impl Fn(Index) -> bool) -> u64 {
    let at = |depth: u32, first_block: u64| {
        let offset = first_block.checked_shr(depth).unwrap_or(0);
        // Only where a node of that depth starts.
        let is_aligned = offset.checked_shl(depth).unwrap_or(0) == first_block;
        let index = Index::from_parts(Depth::new(depth), offset).filter(|_| is_aligned)?;
        (index.get() < node_count && is_there(index)).then_some(index)
    };
    let spine = (0..u64::BITS).rev().find_map(|depth| at(depth, 0));
    let Some(mut top) = spine else { return 0 };
    loop {
        let next = top.end_block();
        match (0..top.depth().get()).rev().find_map(|depth| at(depth, next)) {
            Some(root) => top = root,
            None => return next,
        }
    }
}
