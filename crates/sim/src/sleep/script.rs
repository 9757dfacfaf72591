//! What is done with a SLEEP feed, as data.

use std::ops::Range;

/// Who has the feed of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The one that signs.
    Writer,
    /// One that only knows the key, and is filled by proofs.
    Reader,
}

/// One thing that is done with a feed.
#[derive(Clone, Debug)]
pub enum Step {
    /// Appends blocks as one batch.
    Append(Vec<Vec<u8>>),
    /// Drops the blocks of a range.
    Clear(Range<u64>),
    /// Stores a block with the proof of it that a source gives.
    Put {
        /// Which of the script's sources.
        source: usize,
        /// The block.
        block: u64,
    },
    /// Waits for stable storage.
    Sync,
    /// Ends as a killed process does, and opens again.
    Reopen,
}

impl Step {
    /// The word for it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Append(_) => "append",
            Self::Clear(_) => "clear",
            Self::Put { .. } => "put",
            Self::Sync => "sync",
            Self::Reopen => "reopen",
        }
    }
}
