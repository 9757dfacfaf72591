//! Something that is not as it should be: what an open notes, an audit finds and a repair leaves.
//!
//! Findings are values to match on. How bad one is, and where, is asked of it; how to mend it is the
//! business of `repair`.

use flat_tree::Index;

use crate::files::FileName;
use crate::header::HeaderError;

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Subject {
    /// A whole file, or its header.
    File,
    /// A block; the index is that of the block.
    Block,
    /// A node; the index is that of the tree.
    Node,
    /// A signature; the index is that of its slot, which is one less than the length it signs.
    Signature,
    /// Bits of the bitfield; the index is a block or a length.
    Bits,
}

impl Subject {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Block => "block",
            Self::Node => "node",
            Self::Signature => "signature",
            Self::Bits => "bits",
        }
    }
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Finding {
    /// A file that a feed of this length has is not there.
    #[error("{file}: not there")]
    FileMissing {
        /// The file.
        file: FileName,
    },
    /// A file is too short for a header or a key, and counts as missing.
    #[error("{file}: only {len} bytes, too short to be one")]
    FileShort {
        /// The file.
        file: FileName,
        /// Its length in bytes.
        len: u64,
    },
    /// The header of a file is not one of that file.
    #[error(transparent)]
    HeaderWrong(HeaderError),
    /// `secret_key` is not one, or is that of another feed.
    #[error("secret_key: not the secret key of this feed")]
    SecretKeyWrong,
    /// The stored bits make another length than what is signed and stored.
    #[error("bitfield: its bits say {bits} blocks, and there are {length}")]
    LengthByBits {
        /// Length by the bits.
        bits: u64,
        /// Length that was taken.
        length: u64,
    },
    /// No bit is set, though there are blocks: they were found by their signature.
    #[error("bitfield: its bits are lost; those of {length} blocks were found again")]
    BitsLost {
        /// Length by the newest signature.
        length: u64,
    },
    /// Bits are set for blocks or nodes past the end. Other programs leave them behind.
    #[error("bitfield: {count} bits are set past the end, at {length} blocks")]
    StrayBits {
        /// How many.
        count: u64,
        /// Where the feed ends, in blocks.
        length: u64,
    },
    /// Blocks count as stored whose leaves do not: the pages are of another length than the header
    /// says, or damaged.
    #[error(
        "bitfield: block {index} counts as stored and its leaf does not: is the page size right?"
    )]
    BitsContradict {
        /// The first such block.
        index: u64,
    },
    /// Nodes did not count as stored though what is below them does: bits of an append that was cut short between its
    /// signature and its bits. Those of what the tree proves were found again.
    #[error("bitfield: bits of nodes are missing from block {index} on, and were found again")]
    BitsTorn {
        /// The first block below them.
        index: u64,
    },
    /// A node is not there though the bitfield says so.
    #[error("tree: node {} is not there", index.get())]
    NodeMissing {
        /// The node.
        index: Index,
    },
    /// A node is there, and is not the one that was signed.
    #[error("tree: node {} is not the one that was signed", index.get())]
    NodeWrong {
        /// The node.
        index: Index,
    },
    /// Two children do not hash to their parent, which is the one that was signed. Which of the two is
    /// wrong can not be told.
    #[error("tree: the children of node {} do not hash to it", index.get())]
    ChildrenWrong {
        /// The parent.
        index: Index,
    },
    /// There is no signature of the whole feed, so what was appended last is not proven.
    #[error("signatures: none in slot {slot}; signed are {signed_length} blocks")]
    SignatureMissing {
        /// The slot that should hold it.
        slot: u64,
        /// The longest length with a signature.
        signed_length: u64,
    },
    /// The newest signature is not one of the tree that is stored.
    #[error("signatures: the one in slot {slot} is not of the tree of {} blocks", slot.saturating_add(1))]
    SignatureWrong {
        /// Its slot.
        slot: u64,
    },
    /// A slot holds a signature of another tree than this feed's: an append was cut short, and another
    /// program went on over it. Nothing depends on it. Past the end the next append cuts it off.
    #[error("signatures: slot {slot} is a leftover, of no tree that is stored")]
    SignatureStale {
        /// The slot.
        slot: u64,
    },
    /// Nodes or bytes that nothing signs: of a first append that was cut short, or of a feed that version 9
    /// truncated to nothing. The next append cuts them off.
    #[error(
        "no block is signed: {nodes} nodes and {bytes} bytes are left of a first append that was cut \
         short, or of a truncation to nothing"
    )]
    TailUnsigned {
        /// Room for nodes, past the header of `tree`.
        nodes: u64,
        /// Bytes in `data`.
        bytes: u64,
    },
    /// A block counts as stored, and `data` ends before it.
    #[error("data: block {index} counts as stored and is not there")]
    BlockMissing {
        /// The block.
        index: u64,
    },
    /// The bytes of a block are not those that were hashed.
    #[error("data: block {index} is not the one that was hashed")]
    BlockWrong {
        /// The block.
        index: u64,
    },
    /// A block counts as stored, and nothing leads from it to a signature.
    #[error("block {index} counts as stored and can not be proven")]
    BlockUnproven {
        /// The block.
        index: u64,
    },
}

impl Finding {
    /// What it is about.
    #[must_use]
    pub const fn subject(&self) -> Subject {
        match self {
            Self::FileMissing { .. }
            | Self::FileShort { .. }
            | Self::HeaderWrong(_)
            | Self::SecretKeyWrong
            | Self::TailUnsigned { .. } => Subject::File,
            Self::LengthByBits { .. }
            | Self::BitsLost { .. }
            | Self::StrayBits { .. }
            | Self::BitsContradict { .. }
            | Self::BitsTorn { .. } => Subject::Bits,
            Self::NodeMissing { .. } | Self::NodeWrong { .. } | Self::ChildrenWrong { .. } => {
                Subject::Node
            }
            Self::SignatureMissing { .. }
            | Self::SignatureWrong { .. }
            | Self::SignatureStale { .. } => Subject::Signature,
            Self::BlockMissing { .. } | Self::BlockWrong { .. } | Self::BlockUnproven { .. } => {
                Subject::Block
            }
        }
    }

    /// The file that is to blame.
    #[must_use]
    pub const fn file(&self) -> FileName {
        match self {
            Self::FileMissing { file } | Self::FileShort { file, .. } => *file,
            Self::HeaderWrong(error) => error.file,
            Self::SecretKeyWrong => FileName::SecretKey,
            Self::LengthByBits { .. }
            | Self::BitsLost { .. }
            | Self::StrayBits { .. }
            | Self::BitsContradict { .. }
            | Self::BitsTorn { .. } => FileName::Bitfield,
            Self::NodeMissing { .. }
            | Self::NodeWrong { .. }
            | Self::ChildrenWrong { .. }
            | Self::TailUnsigned { .. }
            | Self::BlockUnproven { .. } => FileName::Tree,
            Self::SignatureMissing { .. }
            | Self::SignatureWrong { .. }
            | Self::SignatureStale { .. } => FileName::Signatures,
            Self::BlockMissing { .. } | Self::BlockWrong { .. } => FileName::Data,
        }
    }

    /// Which one, in the numbering of its [`subject`](Self::subject); `None` for whole files.
    #[must_use]
    pub const fn index(&self) -> Option<u64> {
        match self {
            Self::NodeMissing { index }
            | Self::NodeWrong { index }
            | Self::ChildrenWrong { index } => Some(index.get()),
            Self::SignatureMissing { slot, .. }
            | Self::SignatureWrong { slot }
            | Self::SignatureStale { slot } => Some(*slot),
            Self::BlockMissing { index }
            | Self::BlockWrong { index }
            | Self::BlockUnproven { index }
            | Self::BitsContradict { index }
            | Self::BitsTorn { index } => Some(*index),
            Self::LengthByBits { length, .. }
            | Self::BitsLost { length }
            | Self::StrayBits { length, .. } => Some(*length),
            Self::FileMissing { .. }
            | Self::FileShort { .. }
            | Self::HeaderWrong(_)
            | Self::SecretKeyWrong
            | Self::TailUnsigned { .. } => None,
        }
    }

    /// Whether something is lost or wrong. The others are traces that every reader passes over: of
    /// an append that was cut short between its signature and its bits, or of a truncation.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        !matches!(
            self,
            Self::LengthByBits { .. }
                | Self::BitsTorn { .. }
                | Self::StrayBits { .. }
                | Self::SignatureStale { .. }
                | Self::TailUnsigned { .. }
        )
    }
}
