//! Oplog entries: one change of the log each, as bytes.
//!
//! Pure: an entry does not know where it is stored, and reading one says nothing about whether its
//! signature or its nodes are right.

use compact_encoding::{Decode, DecodeError, DecodeErrorKind, Decoder, Encode, Encoder, uint_len};
use hypercore_merkle::Node;

#[cfg(test)]
mod tests;

/// Largest number that the format can hold.
const NUMBER_MAX: u64 = (1 << 53) - 1;

/// Nodes in one entry, at most: the limit of arrays in the codec, above which JavaScript refuses.
///
/// A longer list is written as several entries of one atomic batch.
pub(crate) const NODES_PER_ENTRY_MAX: usize = 0x10_0000;

/// Bytes of the shortest node: two one-byte numbers and a hash.
const NODE_LEN_MIN: usize = 34;

const USER_DATA: u8 = 1;
const TREE_NODES: u8 = 2;
const TREE_UPGRADE: u8 = 4;
const BITFIELD: u8 = 8;
const BITFIELD_DROP: u8 = 1;

/// One change of the log.
///
/// # Source
/// formats.md section 8.6.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// A key and its new value; `None` deletes the key. An empty value reads back as `None`.
    pub(crate) user_data: Option<(String, Option<Vec<u8>>)>,
    /// New tree nodes. `Some` of an empty list differs from `None` in the bytes only.
    pub(crate) tree_nodes: Option<Vec<Node>>,
    /// The new head.
    pub(crate) tree_upgrade: Option<TreeUpgrade>,
    /// Blocks that came or went.
    pub(crate) bitfield: Option<BitfieldUpdate>,
}

/// The head after an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TreeUpgrade {
    /// The fork number after it.
    pub(crate) fork: u64,
    /// How many blocks of the old tree the new one shares.
    pub(crate) ancestors: u64,
    /// Blocks after it.
    pub(crate) length: u64,
    /// The signature of the new head; absent after a truncation to nothing.
    pub(crate) signature: Option<Vec<u8>>,
}

/// A range of blocks that came or went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BitfieldUpdate {
    /// Whether the blocks went.
    pub(crate) drop: bool,
    /// The first block.
    pub(crate) start: u64,
    /// How many blocks. `start + length` is below 2^53 in what was decoded.
    pub(crate) length: u64,
}

impl BitfieldUpdate {
    /// The blocks as a range.
    pub(crate) fn range(&self) -> std::ops::Range<u64> {
        self.start..self.start.saturating_add(self.length)
    }
}

/// An entry, or a piece of one, as it is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EntryPiece<'a> {
    user_data: Option<&'a (String, Option<Vec<u8>>)>,
    tree_nodes: Option<&'a [Node]>,
    tree_upgrade: Option<&'a TreeUpgrade>,
    bitfield: Option<BitfieldUpdate>,
}

/// An entry holds a number that no reader accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an entry holds a number of 2^53 or more")]
pub(crate) struct NumberTooLarge;

impl Entry {
    /// The entries to write for this one, in order: more than one when the nodes are too many for one.
    /// All belong into one atomic batch; everything but nodes is in the last.
    ///
    /// # Errors
    /// [`NumberTooLarge`] when a number, or the end of the blocks, is 2^53 or more.
    pub(crate) fn pieces(&self) -> Result<impl Iterator<Item = EntryPiece<'_>>, NumberTooLarge> {
        self.check_numbers()?;
        let nodes = self.tree_nodes.as_deref();
        let all = nodes.unwrap_or_default();
        // The last chunk goes with the rest of the entry.
        let early_chunks = all.len().saturating_sub(1) / NODES_PER_ENTRY_MAX;
        let (early, last) = all
            .split_at_checked(early_chunks.saturating_mul(NODES_PER_ENTRY_MAX))
            .unwrap_or((&[], all));
        let early = early.chunks(NODES_PER_ENTRY_MAX).map(|chunk| EntryPiece {
            user_data: None,
            tree_nodes: Some(chunk),
            tree_upgrade: None,
            bitfield: None,
        });
        let rest = EntryPiece {
            user_data: self.user_data.as_ref(),
            tree_nodes: nodes.map(|_| last),
            tree_upgrade: self.tree_upgrade.as_ref(),
            bitfield: self.bitfield,
        };
        Ok(early.chain(std::iter::once(rest)))
    }

    fn check_numbers(&self) -> Result<(), NumberTooLarge> {
        let fits = |number: u64| number <= NUMBER_MAX;
        let upgrade = self
            .tree_upgrade
            .as_ref()
            .is_none_or(|new| fits(new.fork) && fits(new.ancestors) && fits(new.length));
        let bitfield = self.bitfield.is_none_or(|blocks| fits(blocks.range().end));
        let mut nodes = self.tree_nodes.iter().flatten();
        let nodes = nodes.all(|node| fits(node.index.get()) && fits(node.size));
        if upgrade && bitfield && nodes { Ok(()) } else { Err(NumberTooLarge) }
    }
}

impl EntryPiece<'_> {
    fn flags(&self) -> u8 {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        flag(self.user_data.is_some(), USER_DATA)
            | flag(self.tree_nodes.is_some(), TREE_NODES)
            | flag(self.tree_upgrade.is_some(), TREE_UPGRADE)
            | flag(self.bitfield.is_some(), BITFIELD)
    }
}

/// Bytes of a length and what follows it.
fn buffer_len(len: usize) -> usize {
    uint_len(len as u64).saturating_add(len)
}

impl Encode for EntryPiece<'_> {
    fn encoded_len(&self) -> usize {
        let user_data = self.user_data.map_or(0, |(key, value)| {
            buffer_len(key.len()).saturating_add(buffer_len(value.as_ref().map_or(0, Vec::len)))
        });
        let nodes = self.tree_nodes.map_or(0, |nodes| {
            let lens = nodes.iter().map(Encode::encoded_len);
            lens.fold(uint_len(nodes.len() as u64), usize::saturating_add)
        });
        let upgrade = self.tree_upgrade.map_or(0, |new| {
            let numbers = [new.fork, new.ancestors, new.length].map(uint_len);
            let signature = buffer_len(new.signature.as_ref().map_or(0, Vec::len));
            numbers.iter().fold(signature, |sum, len| sum.saturating_add(*len))
        });
        let bitfield = self.bitfield.map_or(0, |blocks| {
            uint_len(blocks.start).saturating_add(uint_len(blocks.length)).saturating_add(1)
        });
        [user_data, nodes, upgrade, bitfield].into_iter().fold(1, usize::saturating_add)
    }

    fn encode(&self, out: &mut Encoder) {
        out.uint8(self.flags());
        if let Some((key, value)) = self.user_data {
            out.string(key);
            out.optional_buffer(value.as_deref());
        }
        if let Some(nodes) = self.tree_nodes {
            out.array(nodes, |out, node| node.encode(out));
        }
        if let Some(new) = self.tree_upgrade {
            out.uint(new.fork);
            out.uint(new.ancestors);
            out.uint(new.length);
            out.optional_buffer(new.signature.as_deref());
        }
        if let Some(blocks) = self.bitfield {
            out.uint8(if blocks.drop { BITFIELD_DROP } else { 0 });
            out.uint(blocks.start);
            out.uint(blocks.length);
        }
    }
}

/// Unknown flags and bytes after the last part are ignored, as JavaScript does: what it reads from a
/// file must be what is read here.
impl Decode<'_> for Entry {
    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let flags = input.uint8()?;
        let mut entry = Self::default();
        if flags & USER_DATA != 0 {
            let key = input.string()?.to_owned();
            let value = input.optional_buffer()?.map(<[u8]>::to_vec);
            entry.user_data = Some((key, value));
        }
        if flags & TREE_NODES != 0 {
            entry.tree_nodes = Some(input.array(NODE_LEN_MIN, Node::decode)?);
        }
        if flags & TREE_UPGRADE != 0 {
            entry.tree_upgrade = Some(TreeUpgrade {
                fork: input.uint()?,
                ancestors: input.uint()?,
                length: input.uint()?,
                signature: input.optional_buffer()?.map(<[u8]>::to_vec),
            });
        }
        if flags & BITFIELD != 0 {
            let offset = input.position();
            let drop = input.uint8()? & BITFIELD_DROP != 0;
            let (start, length) = (input.uint()?, input.uint()?);
            if start.checked_add(length).is_none_or(|end| end > NUMBER_MAX) {
                return Err(DecodeError::new(offset, DecodeErrorKind::IntegerTooLarge));
            }
            entry.bitfield = Some(BitfieldUpdate { drop, start, length });
        }
        Ok(entry)
    }
}
