//! The largest tree there can be.
//!
//! JavaScript counts in doubles, so every number of a tree stays below 2^53. All sums in this crate
//! are checked against these two limits; nothing else bounds a tree.

/// The most bytes a node, and so a tree, may hold: 2^53 - 1.
///
/// A proof can claim more; it is refused with an error that names the node.
pub const SIZE_MAX: u64 = (1 << 53) - 1;

/// The most blocks a tree may have: 2^52, so that every node index is below 2^53.
pub const LENGTH_MAX: u64 = 1 << 52;

/// Adds two sizes, `None` above [`SIZE_MAX`].
pub(crate) fn add_sizes(a: u64, b: u64) -> Option<u64> {
    a.checked_add(b).filter(|sum| *sum <= SIZE_MAX)
}

/// Adds two block counts, `None` above [`LENGTH_MAX`].
pub(crate) fn add_lengths(a: u64, b: u64) -> Option<u64> {
    a.checked_add(b).filter(|sum| *sum <= LENGTH_MAX)
}
