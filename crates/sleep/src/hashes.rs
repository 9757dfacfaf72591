//! What is hashed and signed in a SLEEP feed.
//!
//! The same shapes as in Hypercore 10, but sizes are **big** endian, so `leaf_hash` and its kin in
//! `hypercore-crypto` are not these. No store is known here.

use flat_tree::Index;
use hypercore_crypto::{
    CoreKey, DiscoveryKey, Hash, PublicKey, Signature, hash_parts, hashes_into, prefixed_hashes,
    verify,
};

use crate::node::Node;

/// First byte of what a leaf hashes.
const LEAF: u8 = 0;
/// First byte of what a parent hashes.
const PARENT: u8 = 1;
/// First byte of what a tree hashes.
const TREE: u8 = 2;

/// Bytes that a parent hashes: type, size and two hashes.
const PARENT_INPUT_LEN: usize = 73;
/// Parents hashed at once.
const GROUP_LEN: usize = 32;

/// The node of the block that `index` is the leaf of.
#[must_use]
pub fn leaf(index: Index, block: &[u8]) -> Node {
    let size = block.len() as u64;
    Node { index, hash: hash_parts(&[&[LEAF], &size.to_be_bytes(), block]), size }
}

/// The parent of two nodes, in either order.
///
/// `None` when they are no siblings, or hold 2^64 bytes and more together.
#[must_use]
pub fn parent(one: &Node, other: &Node) -> Option<Node> {
    let index = one.index.parent().filter(|_| one.index.sibling() == Some(other.index))?;
    let (left, right) = if one.index < other.index { (one, other) } else { (other, one) };
    let size = left.size.checked_add(right.size)?;
    let parts = [&[PARENT][..], &size.to_be_bytes(), left.hash.as_bytes(), right.hash.as_bytes()];
    Some(Node { index, hash: hash_parts(&parts), size })
}

/// The hashes of many blocks, as [`leaf`] makes them one by one; several at once, which is faster.
#[must_use]
pub fn leaf_hashes<B: AsRef<[u8]>>(blocks: &[B]) -> Vec<Hash> {
    prefixed_hashes(blocks, |len| {
        let [a, b, c, d, e, f, g, h] = (len as u64).to_be_bytes();
        [LEAF, a, b, c, d, e, f, g, h]
    })
}

/// The parents, as hash and size, of neighbours given from left to right; several at once. A last
/// child without a neighbour has no parent.
///
/// `None` when two hold 2^64 bytes and more together.
#[must_use]
pub fn parents(children: &[(Hash, u64)]) -> Option<Vec<(Hash, u64)>> {
    let (pairs, _) = children.as_chunks::<2>();
    let mut parents = vec![(Hash::from_bytes([0; 32]), 0); pairs.len()];
    for (pairs, parents) in pairs.chunks(GROUP_LEN).zip(parents.chunks_mut(GROUP_LEN)) {
        let mut inputs = [[PARENT; PARENT_INPUT_LEN]; GROUP_LEN];
        for ((input, [left, right]), parent) in inputs.iter_mut().zip(pairs).zip(&mut *parents) {
            parent.1 = left.1.checked_add(right.1)?;
            let (_, rest) = input.split_at_mut(1);
            let (size_place, rest) = rest.split_at_mut(8);
            let (left_place, right_place) = rest.split_at_mut(32);
            size_place.copy_from_slice(&parent.1.to_be_bytes());
            left_place.copy_from_slice(left.0.as_bytes());
            right_place.copy_from_slice(right.0.as_bytes());
        }
        let mut hashes = [Hash::from_bytes([0; 32]); GROUP_LEN];
        hashes_into(inputs.get(..pairs.len())?, &mut hashes);
        for (parent, hash) in parents.iter_mut().zip(hashes) {
            parent.0 = hash;
        }
    }
    Some(parents)
}

/// The hash of a tree, of its full roots from left to right.
#[must_use]
pub fn tree(roots: &[Node]) -> Hash {
    let mut bytes = vec![TREE];
    for root in roots {
        bytes.extend_from_slice(root.hash.as_bytes());
        bytes.extend_from_slice(&root.index.get().to_be_bytes());
        bytes.extend_from_slice(&root.size.to_be_bytes());
    }
    hypercore_crypto::hash(&bytes)
}

/// What a feed is announced under.
#[must_use]
pub fn discovery_key(key: &PublicKey) -> DiscoveryKey {
    hypercore_crypto::discovery_key(&CoreKey::from_bytes(*key.as_bytes()))
}

/// Which message a signature signs. One feed may hold both.
///
/// # Source
/// "SLEEP storage", section 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignatureForm {
    /// 40 bytes: tree hash and length. Hypercore 9; what this crate writes.
    WithLength,
    /// 32 bytes: the tree hash. Hypercore 6, 7 and 8.
    TreeOnly,
}

/// The message that a new signature signs: that of [`SignatureForm::WithLength`].
#[must_use]
pub fn signable(tree_hash: &Hash, length: u64) -> [u8; 40] {
    let mut message = [0; 40];
    let (hash, rest) = message.split_at_mut(32);
    hash.copy_from_slice(tree_hash.as_bytes());
    rest.copy_from_slice(&length.to_be_bytes());
    message
}

/// Which form of signature this is of the tree of `length` blocks; `None` when it is none.
#[must_use]
pub fn verify_tree(
    key: &PublicKey,
    tree_hash: &Hash,
    length: u64,
    signature: &Signature,
) -> Option<SignatureForm> {
    if verify(key, &signable(tree_hash, length), signature.as_bytes()) {
        Some(SignatureForm::WithLength)
    } else {
        verify(key, tree_hash.as_bytes(), signature.as_bytes()).then_some(SignatureForm::TreeOnly)
    }
}

#[cfg(test)]
mod tests {
    use hypercore_crypto::KeyPair;

    use super::*;

    #[test]
    fn parents_are_of_siblings_in_either_order() {
        let (left, right) = (leaf(Index::new(4), b"left"), leaf(Index::new(6), b"right!"));
        let above = parent(&left, &right).expect("a parent");
        assert_eq!((above.index, above.size), (Index::new(5), 10));
        assert_eq!(parent(&right, &left), Some(above));
        let far = leaf(Index::new(8), b"far");
        assert_eq!(parent(&right, &far), None);
        assert_eq!(parent(&left, &left), None);
        let huge = Node { size: u64::MAX, ..right };
        assert_eq!(parent(&left, &huge), None);
        let swapped =
            parent(&Node { index: right.index, ..left }, &Node { index: left.index, ..right });
        assert_ne!(swapped.map(|node| node.hash), Some(above.hash), "which is left is hashed");
    }

    #[test]
    fn many_at_once_are_what_they_are_one_by_one() {
        for count in [0, 1, 2, 3, 8, 9, 32, 33, 64, 65, 200] {
            let blocks: Vec<Vec<u8>> = (0..count)
                .map(|at| vec![at as u8; [0, 1, 100, 3063, 3064, 5000][at % 6]])
                .collect();
            let leaves: Vec<Node> =
                (0..).zip(&blocks).map(|(at, block)| leaf(Index::new(2 * at), block)).collect();
            let hashes: Vec<Hash> = leaves.iter().map(|node| node.hash).collect();
            assert_eq!(leaf_hashes(&blocks), hashes, "{count} leaves");

            let children: Vec<_> = leaves.iter().map(|node| (node.hash, node.size)).collect();
            let expected: Vec<_> = leaves
                .chunks_exact(2)
                .map(|pair| parent(&pair[0], &pair[1]).expect("siblings"))
                .map(|node| (node.hash, node.size))
                .collect();
            assert_eq!(parents(&children), Some(expected), "{count} children");
        }
        let hash = tree(&[]);
        assert_eq!(parents(&[(hash, u64::MAX), (hash, 1)]), None);
    }

    #[test]
    fn both_forms_verify_and_nothing_else() {
        let pair = KeyPair::from_seed(&[9; 32]);
        let hash = tree(&[leaf(Index::new(0), b"block")]);
        let new = pair.sign(&signable(&hash, 1));
        let old = pair.sign(hash.as_bytes());
        let key = pair.public();
        assert_eq!(verify_tree(&key, &hash, 1, &new), Some(SignatureForm::WithLength));
        assert_eq!(verify_tree(&key, &hash, 1, &old), Some(SignatureForm::TreeOnly));
        assert_eq!(verify_tree(&key, &hash, 2, &new), None);
        assert_eq!(verify_tree(&key, &tree(&[]), 1, &old), None);
        let other = KeyPair::from_seed(&[8; 32]).public();
        assert_eq!(verify_tree(&other, &hash, 1, &new), None);
    }
}
