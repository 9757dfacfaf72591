//! BLAKE2b with 32 bytes of output, plain and keyed, and the hashes of the Merkle tree.
//!
//! Every hash here starts with what it is for: leaves, parents and trees have their own first
//! byte, so no block can pose as a parent. Hashing many leaves or parents at once is
//! [`leaf_hashes`](crate::leaf_hashes) and [`parent_hashes`](crate::parent_hashes).

use blake2b_simd::{Params, State};

use crate::fixed::Hash;

/// First byte of what a leaf hashes.
pub(crate) const LEAF_TYPE: u8 = 0;
/// First byte of what a parent hashes.
pub(crate) const PARENT_TYPE: u8 = 1;
/// First byte of what a tree hashes.
const TREE_TYPE: u8 = 2;

/// Bytes that a leaf hashes before its data: type and length.
pub(crate) const LEAF_PREFIX_LEN: usize = 9;
/// Bytes that a parent hashes: type, size and two hashes.
pub(crate) const PARENT_INPUT_LEN: usize = 73;

/// The parameters of every unkeyed hash here.
pub(crate) fn params() -> Params {
    let mut params = Params::new();
    params.hash_length(32);
    params
}

/// Takes the 32 bytes out of a finished hash.
pub(crate) fn finished(hash: &blake2b_simd::Hash) -> Hash {
    // There are 32 bytes: every hash here is made with these parameters.
    Hash::from_bytes(hash.as_bytes().first_chunk().copied().unwrap_or_default())
}

fn update_all(state: &mut State, parts: &[&[u8]]) -> Hash {
    for part in parts {
        state.update(part);
    }
    finished(&state.finalize())
}

/// Hashes `data`.
#[must_use]
pub fn hash(data: &[u8]) -> Hash {
    finished(&params().hash(data))
}

/// Hashes the parts as if they were one, without joining them.
#[must_use]
pub fn hash_parts(parts: &[&[u8]]) -> Hash {
    update_all(&mut params().to_state(), parts)
}

/// Hashes the parts as if they were one, with a BLAKE2b key of 1 to 64 bytes.
///
/// Another length of key does not compile.
#[must_use]
pub fn keyed_hash<const N: usize>(key: &[u8; N], parts: &[&[u8]]) -> Hash {
    const { assert!(N >= 1 && N <= blake2b_simd::KEYBYTES, "a BLAKE2b key has 1 to 64 bytes") };
    update_all(&mut params().key(key).to_state(), parts)
}

/// What a leaf hashes before its data.
pub(crate) fn leaf_prefix(data_len: usize) -> [u8; LEAF_PREFIX_LEN] {
    let [a, b, c, d, e, f, g, h] = (data_len as u64).to_le_bytes();
    [LEAF_TYPE, a, b, c, d, e, f, g, h]
}

/// What a parent hashes.
pub(crate) fn parent_input(size: u64, left: &Hash, right: &Hash) -> [u8; PARENT_INPUT_LEN] {
    let mut input = [PARENT_TYPE; PARENT_INPUT_LEN];
    // Copied in pieces of known length: byte by byte this took longer than the hash itself.
    let (_, rest) = input.split_at_mut(1);
    let (size_place, rest) = rest.split_at_mut(8);
    let (left_place, right_place) = rest.split_at_mut(32);
    size_place.copy_from_slice(&size.to_le_bytes());
    left_place.copy_from_slice(left.as_bytes());
    right_place.copy_from_slice(right.as_bytes());
    input
}

/// The hash of a block, as stored: a leaf of the tree.
///
/// # Source
/// formats.md section 3.1.
#[must_use]
pub fn leaf_hash(data: &[u8]) -> Hash {
    hash_parts(&[&leaf_prefix(data.len()), data])
}

/// The hash of a parent whose children hold `size` bytes together.
///
/// `left` is the child of the lower index.
///
/// # Source
/// formats.md section 3.1.
#[must_use]
pub fn parent_hash(size: u64, left: &Hash, right: &Hash) -> Hash {
    hash(&parent_input(size, left, right))
}

/// The hash of a tree: of its roots given from left to right as (hash, index, size).
///
/// # Source
/// formats.md section 3.1.
#[must_use]
pub fn tree_hash(roots: impl IntoIterator<Item = (Hash, u64, u64)>) -> Hash {
    let mut state = params().to_state();
    state.update(&[TREE_TYPE]);
    for (hash, index, size) in roots {
        state.update(hash.as_bytes());
        state.update(&index.to_le_bytes());
        state.update(&size.to_le_bytes());
    }
    finished(&state.finalize())
}
