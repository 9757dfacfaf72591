//! What can go wrong while writing: the caller's values, or the output.

use std::io;

use crate::LayoutError;
use crate::container::FormatError;

/// Why something could not be written.
///
/// After [`WriteError::Io`] and [`WriteError::Poisoned`] the output holds an unfinished file that
/// is to be thrown away; any other error changed nothing, and writing may go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The output failed.
    #[error("the file could not be created or written")]
    Io(#[source] io::Error),
    /// The output failed before; what it holds is unfinished.
    #[error("the output failed before: throw the file away and write it again")]
    Poisoned,
    /// A value refused to be stored, or the heap for it could not spill.
    #[error("a value could not be stored")]
    Value(#[source] io::Error),
    /// Pages or entries cannot lie as asked.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A section has as many entries as its handle can count (2^32 - 1).
    #[error("a section holds at most 4294967295 entries")]
    TooManyEntries,
    /// A heap has reached byte 2^32: offsets in it no longer fit their 4 bytes. Use another heap,
    /// or [`Wide`](crate::Wide) values.
    #[error("a heap value would start past byte 2^32: use another heap, or wide values")]
    HeapFull,
    /// A value is longer than its length field can say.
    #[error("a value of {len} does not fit a length of 32 bits")]
    TooLong {
        /// Elements, or bytes of a text.
        len: u64,
    },
    /// Values are in each other more than 128 deep, which is not read.
    #[error("values in each other, more than 128 deep")]
    TooDeep,
    /// A list on a heap has elements that take no bytes, so its count could not be checked.
    #[error("elements of a list must take at least one byte")]
    EmptyElement,
    /// A type wrote another number of bytes than its `ENCODED_SIZE`.
    #[error("an entry of {expected} bytes was written as {written}: its type is at fault")]
    EntrySize {
        /// `EncodeSized::ENCODED_SIZE` of the type.
        expected: u32,
        /// Bytes that it wrote.
        written: u64,
    },
    /// The container cannot hold this.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// A section or heap of the container has this name.
    #[error("the container has a section or heap named {name:?}")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// A value has something for a heap, but its section was begun without one that grows.
    #[error("an entry needs a heap: begin its section with one that is being collected")]
    NoHeap,
    /// A heap belongs to another container, or was written already.
    #[error("the heap is not one that this container waits for")]
    ForeignHeap,
    /// A heap was begun and not added to the container.
    #[error("the heap {name:?} was not added to the container")]
    HeapNotAdded {
        /// Its name.
        name: String,
    },
}

impl WriteError {
    /// What the encoding of a value has returned: an error of ours, or its own.
    pub(crate) fn of_value(error: io::Error) -> Self {
        error.downcast::<Self>().unwrap_or_else(Self::Value)
    }
}

impl From<io::Error> for WriteError {
    /// Gives back the error that [`io::Error::from`] has wrapped, so that it passes through the
    /// `io::Result` of the encoding traits unchanged.
    fn from(error: io::Error) -> Self {
        error.downcast::<Self>().unwrap_or_else(Self::Io)
    }
}

impl From<WriteError> for io::Error {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Io(error) | WriteError::Value(error) => error,
            WriteError::Poisoned => Self::other(error),
            _ => Self::new(io::ErrorKind::InvalidInput, error),
        }
    }
}
