//! One node of the tree, and how it is written in messages and log entries.
//!
//! A node does not say how it came to be known: whether its hash was computed here or claimed by a
//! peer is for the verifier to remember.

use compact_encoding::{Decode, DecodeError, Decoder, Encode, Encoder, uint_len};
use flat_tree::Index;
use hypercore_crypto::{Hash, leaf_hash, parent_hash};

use crate::limits::{LENGTH_MAX, add_sizes};

/// The fewest bytes an encoded node has: two one-byte numbers and a hash.
pub(crate) const NODE_LEN_MIN: usize = 34;

/// A node of the tree: a hash over everything below it, and how many bytes that is.
///
/// # Source
/// formats.md sections 6 and 7.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Node {
    /// Where in the tree it stands.
    pub index: Index,
    /// Bytes of all blocks below it.
    pub size: u64,
    /// Hash of the block, or of size and hashes of the two children.
    pub hash: Hash,
}

impl Node {
    /// A node from its parts.
    #[must_use]
    pub const fn new(index: Index, size: u64, hash: Hash) -> Self {
        Self { index, size, hash }
    }

    /// The leaf of a block, hashing its bytes as stored; `None` when `block` is not below
    /// [`LENGTH_MAX`].
    #[must_use]
    pub fn leaf(block: u64, data: &[u8]) -> Option<Self> {
        if block >= LENGTH_MAX {
            return None;
        }
        let index = Index::leaf(block)?;
        Some(Self { index, size: data.len() as u64, hash: leaf_hash(data) })
    }

    /// The parent of two siblings, given in either order.
    ///
    /// `None` when they are not siblings, or hold more than [`SIZE_MAX`](crate::SIZE_MAX) bytes
    /// together.
    #[must_use]
    pub fn parent(a: &Self, b: &Self) -> Option<Self> {
        if a.index.sibling() != Some(b.index) {
            return None;
        }
        let (left, right) = if a.index < b.index { (a, b) } else { (b, a) };
        let index = left.index.parent()?;
        let size = add_sizes(left.size, right.size)?;
        Some(Self { index, size, hash: parent_hash(size, &left.hash, &right.hash) })
    }
}

impl Encode for Node {
    fn encoded_len(&self) -> usize {
        let numbers = uint_len(self.index.get()).saturating_add(uint_len(self.size));
        numbers.saturating_add(self.hash.as_bytes().len())
    }

    fn encode(&self, out: &mut Encoder) {
        out.uint(self.index.get());
        out.uint(self.size);
        out.fixed(self.hash.as_bytes());
    }
}

impl Decode<'_> for Node {
    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let index = Index::new(input.uint()?);
        let size = input.uint()?;
        let hash = Hash::from_bytes(*input.fixed::<32>()?);
        Ok(Self { index, size, hash })
    }
}
