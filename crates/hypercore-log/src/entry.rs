//! Oplog entries: one change of the log each, as bytes.
//!
//! Pure: an entry does not know where it is stored, and reading one says nothing about whether its
//! signature or its nodes are right.

use compact_encoding::{Decode, DecodeError, DecodeErrorKind, Decoder, Encode, Encoder};
use hypercore_merkle::Node;

/// Largest number that the format can hold.
const NUMBER_MAX: u64 = (1 << 53) - 1;

/// Nodes in one entry, at most: the limit of arrays in the codec, above which JavaScript refuses.
///
/// A longer list is written as several entries of one atomic batch.
pub(crate) const ENTRY_NODES_MAX: usize = 0x10_0000;

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

impl Entry {
    fn flags(&self) -> u8 {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        flag(self.user_data.is_some(), USER_DATA)
            | flag(self.tree_nodes.is_some(), TREE_NODES)
            | flag(self.tree_upgrade.is_some(), TREE_UPGRADE)
            | flag(self.bitfield.is_some(), BITFIELD)
    }
}
