//! A node of the tree, and the 40 bytes it is stored as.
//!
//! No hash is computed here, and no file known.

use flat_tree::Index;
use hypercore_crypto::Hash;

/// Bytes of a stored node: its hash, then its size, big endian.
pub const NODE_LEN: usize = 40;

/// A node that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    /// Where it is in the tree.
    pub index: Index,
    /// Hash of its block or of its children.
    pub hash: Hash,
    /// Bytes of the blocks below it.
    pub size: u64,
}

impl Node {
    /// Reads the node at `index`; `None` when hash **and** size are zero, which is how a node that
    /// is not there looks. (An empty block has size 0 and a hash.)
    #[must_use]
    pub fn decode(index: Index, bytes: &[u8; NODE_LEN]) -> Option<Self> {
        if *bytes == [0; NODE_LEN] {
            return None;
        }
        let (hash, size) = bytes.split_first_chunk::<32>()?;
        let size = u64::from_be_bytes(*size.first_chunk()?);
        Some(Self { index, hash: Hash::from_bytes(*hash), size })
    }

    /// The bytes to store.
    #[must_use]
    pub fn encode(&self) -> [u8; NODE_LEN] {
        let mut bytes = [0; NODE_LEN];
        let (hash, size) = bytes.split_at_mut(32);
        hash.copy_from_slice(self.hash.as_bytes());
        size.copy_from_slice(&self.size.to_be_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_then_size() {
        let mut bytes = [0xab; NODE_LEN];
        bytes[32..].copy_from_slice(&[0, 0, 0, 0, 0, 0, 1, 2]);
        let node = Node::decode(Index::new(5), &bytes).unwrap();
        let expected = Node { index: Index::new(5), hash: Hash::from_bytes([0xab; 32]), size: 258 };
        assert_eq!(node, expected);
        assert_eq!(node.encode(), bytes);
    }

    #[test]
    fn only_zeros_are_no_node() {
        assert_eq!(Node::decode(Index::new(0), &[0; NODE_LEN]), None);
        for byte in 0..NODE_LEN {
            let mut bytes = [0; NODE_LEN];
            bytes[byte] = 1;
            let node = Node::decode(Index::new(0), &bytes).expect("a hash or a size");
            assert_eq!(node.encode(), bytes);
        }
    }
}
