//! Blocks on their way to a blocking thread.
//!
//! A thread may outlive the call, so it can not borrow. Blocks that are borrowed are copied into
//! one buffer, with one allocation for all of them; blocks that are given are moved.

use bytes::Bytes;

/// Bytes that are copied before other tasks get a turn: some tens of microseconds.
const COPY_LEN_PER_TURN: usize = 256 * 1024;

/// What a block counts beside its bytes, so that many tiny ones give others a turn as well.
const COPY_LEN_PER_BLOCK: usize = 64;

/// Blocks that no longer borrow from the caller.
#[derive(Debug)]
pub(crate) enum Batch {
    Joined {
        bytes: Vec<u8>,
        /// Where each block ends in `bytes`.
        ends: Vec<usize>,
    },
    Owned {
        blocks: Vec<Bytes>,
        len: usize,
    },
}

impl Batch {
    /// Copies blocks, now and then letting other tasks run.
    pub(crate) async fn copy_of<B: AsRef<[u8]>>(blocks: &[B]) -> Self {
        let mut bytes = Vec::with_capacity(total_len(blocks));
        let mut ends = Vec::with_capacity(blocks.len());
        let mut copied = 0_usize;
        for block in blocks {
            for piece in block.as_ref().chunks(COPY_LEN_PER_TURN) {
                if copied >= COPY_LEN_PER_TURN {
                    copied = 0;
                    tokio::task::yield_now().await;
                }
                bytes.extend_from_slice(piece);
                copied = copied.saturating_add(piece.len());
            }
            copied = copied.saturating_add(COPY_LEN_PER_BLOCK);
            ends.push(bytes.len());
        }
        Self::Joined { bytes, ends }
    }

    pub(crate) fn owned(blocks: Vec<Bytes>) -> Self {
        let len = total_len(&blocks);
        Self::Owned { blocks, len }
    }

    /// Blocks.
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Joined { ends, .. } => ends.len(),
            Self::Owned { blocks, .. } => blocks.len(),
        }
    }

    /// Bytes of all blocks together.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Joined { bytes, .. } => bytes.len(),
            Self::Owned { len, .. } => *len,
        }
    }

    /// The blocks, without copying them.
    pub(crate) fn into_blocks(self) -> Vec<Bytes> {
        match self {
            Self::Joined { bytes, ends } => {
                let bytes = Bytes::from(bytes);
                let starts = std::iter::once(&0).chain(&ends);
                starts.zip(&ends).map(|(start, end)| bytes.slice(*start..*end)).collect()
            }
            Self::Owned { blocks, .. } => blocks,
        }
    }

    /// Adds the blocks to `slices`.
    pub(crate) fn push_slices<'a>(&'a self, slices: &mut Vec<&'a [u8]>) {
        match self {
            Self::Joined { bytes, ends } => {
                let starts = std::iter::once(&0).chain(ends);
                let blocks = starts.zip(ends);
                slices
                    .extend(blocks.map(|(start, end)| bytes.get(*start..*end).unwrap_or_default()));
            }
            Self::Owned { blocks, .. } => slices.extend(blocks.iter().map(|block| &**block)),
        }
    }
}

/// Bytes in all blocks. They are in memory, so the sum fits; an `AsRef` that gives the same memory
/// again and again could still pass the end, where it stops.
pub(crate) fn total_len<B: AsRef<[u8]>>(blocks: &[B]) -> usize {
    blocks.iter().fold(0, |sum, block| block.as_ref().len().saturating_add(sum))
}
