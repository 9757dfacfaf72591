//! What can go wrong while reading: the file's bytes, what they are read from, or what was asked for.

use std::{error, io};

use crate::LayoutError;

/// Why something could not be read.
///
/// [`Self::Io`] is the disk's fault, and may pass. [`Self::Layout`] and [`Self::OutsideFile`] mean
/// that the handle, the page length or the offset of the first page is not this file's, or that the
/// file was cut short. All others mean that the bytes are damaged, or of another type than was asked
/// for: reading again gives the same.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The source failed.
    #[error("the file could not be read")]
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
    #[error("{len} bytes at {offset} lie outside of a heap of {heap_len} bytes")]
    OutsideHeap {
        /// First byte, from the start of the heap.
        offset: u64,
        /// Bytes.
        len: u64,
        /// Bytes of the heap.
        heap_len: u64,
    },
    /// A section or heap leads out of the file.
    #[error(
        "{len} bytes at {offset} lie outside of the pages, which have {pages_len}: \
         another file's handle or page length, or the file was cut short"
    )]
    OutsideFile {
        /// First byte, from the first page of the file.
        offset: u64,
        /// Bytes.
        len: u64,
        /// Bytes that the file has from its first page on.
        pages_len: u64,
    },
    /// A page is not as it was written.
    #[error("page {page} is damaged: get the file again from where it came from")]
    Checksum {
        /// Its number. Those from the number of pages on are of pages with checksums.
        page: u64,
    },
    /// Entries do not fit the pages of the file: a wrong type, page length or handle.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// An error of the caller's own decoding.
    #[error(transparent)]
    Other(Box<dyn error::Error + Send + Sync>),
}
