//! What is hashed and signed in a SLEEP feed.
//!
//! The same shapes as in Hypercore 10, but sizes are **big** endian, so `leaf_hash` and its kin in
//! `hypercore-crypto` are not these. No store is known here.

use flat_tree::Index;
use hypercore_crypto::{CoreKey, DiscoveryKey, Hash, PublicKey, Signature, hash_parts, verify};

use crate::node::Node;

/// First byte of what a leaf hashes.
const LEAF: u8 = 0;
/// First byte of what a parent hashes.
const PARENT: u8 = 1;
/// First byte of what a tree hashes.
const TREE: u8 = 2;

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
