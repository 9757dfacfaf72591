//! What can go wrong while reading: the file's bytes, or what they are read from.

use std::{error, io};

use crate::LayoutError;

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The source failed.
    #[error("the source failed")]
    Io(#[from] io::Error),
    /// A value goes on past the bytes that are there.
    #[error("a value needs {needed} more bytes where {available} are left")]
    PastEnd {
        /// Bytes that it needs.
        needed: u64,
        /// Bytes that are left of its entry or heap.
        available: u64,
    },
    /// Bytes that no value of the type has.
    #[error("no value is stored like this: {what}")]
    Invalid {
        /// What was found where.
        what: &'static str,
    },
    /// A reference to a heap leads out of it.
    #[error("bytes {offset} to {offset} + {len} of a heap of {heap_len}")]
    OutsideHeap {
        /// First byte, from the start of the heap.
        offset: u64,
        /// Bytes.
        len: u64,
        /// Bytes of the heap.
        heap_len: u64,
    },
    /// Entries do not fit the pages of the file: a wrong type, page length or handle.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// An error of the caller's own decoding.
    #[error(transparent)]
    Other(Box<dyn error::Error + Send + Sync>),
}
