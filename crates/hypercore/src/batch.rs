//! Blocks on their way to a blocking thread.
//!
//! A thread may outlive the call, so it can not borrow. Blocks that are borrowed are copied into
//! one buffer, with one allocation for all of them; blocks that are given are moved.

use bytes::Bytes;

/// Blocks that no longer borrow from the caller.
#[derive(Debug)]
pub(crate) enum Batch {
    Joined {
        bytes: Vec<u8>,
        /// Where each block ends in `bytes`.
        ends: Vec<usize>,
    },
    Owned(Vec<Bytes>),
}

impl Batch {
    pub(crate) fn copy_of<B: AsRef<[u8]>>(blocks: &[B]) -> Self {
        let mut bytes = Vec::with_capacity(total_len(blocks));
        let mut ends = Vec::with_capacity(blocks.len());
        for block in blocks {
            bytes.extend_from_slice(block.as_ref());
            ends.push(bytes.len());
        }
        Self::Joined { bytes, ends }
    }

    /// Calls `then` with the blocks as slices.
    pub(crate) fn with_slices<T>(&self, then: impl FnOnce(&[&[u8]]) -> T) -> T {
        match self {
            Self::Joined { bytes, ends } => {
                let starts = std::iter::once(&0).chain(ends);
                let slices: Vec<&[u8]> = starts
                    .zip(ends)
                    .map(|(start, end)| bytes.get(*start..*end).unwrap_or_default())
                    .collect();
                then(&slices)
            }
            Self::Owned(blocks) => {
                let slices: Vec<&[u8]> = blocks.iter().map(AsRef::as_ref).collect();
                then(&slices)
            }
        }
    }
}

/// Bytes in all blocks. They are in memory, so the sum fits; an `AsRef` that gives the same memory
/// again and again could still pass the end, where it stops.
pub(crate) fn total_len<B: AsRef<[u8]>>(blocks: &[B]) -> usize {
    blocks.iter().fold(0, |sum, block| block.as_ref().len().saturating_add(sum))
}
