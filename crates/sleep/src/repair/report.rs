//! What a repair did, and what it could not do.

use flat_tree::Index;

use crate::audit::Finding;
use crate::files::FileName;
use crate::recovery::RecoveryError;

/// Something that a repair wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mended {
    /// The header of a file, and the file where it was missing.
    Header(FileName),
    /// `key`.
    Key,
    /// A node, of which others or blocks are the proof.
    Node(Index),
    /// The signature in a slot: the feed was signed again.
    Signature {
        /// The slot.
        slot: u64,
    },
    /// The bits.
    Bits {
        /// Length of the feed by them, in blocks.
        length: u64,
        /// Blocks that count as stored.
        blocks: u64,
    },
    /// The bits of what is lost or damaged, where giving it up was allowed.
    Unlisted {
        /// Blocks that count as not stored now.
        blocks: u64,
    },
    /// What lay past the end, where dropping it was allowed.
    Dropped {
        /// Length of the feed without it, in blocks.
        length: u64,
    },
}

/// What a repair did, and what it could not do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RepairReport {
    /// Blocks in the feed now.
    pub length: u64,
    /// What was written, in that order.
    pub mended: Vec<Mended>,
    /// What is lost or wrong still, by an audit.
    pub left: Vec<Finding>,
    /// Why the feed still does not open.
    pub unresolved: Option<RecoveryError>,
}

impl RepairReport {
    /// Whether all is as it should be now.
    #[must_use]
    pub const fn is_ok(&self) -> bool {
        self.left.is_empty() && self.unresolved.is_none()
    }
}
