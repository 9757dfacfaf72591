//! Where the bytes of a file are: in memory, or behind positioned reads.
//!
//! A source does not change while anything reads it. It has no cursor, so any number of threads
//! read at once without waiting for each other, and it knows nothing of pages.

mod file;

use std::io;
use std::sync::Arc;

pub use file::FileSource;

/// The bytes of a file that is only read.
///
/// Implement it to read from something else. Two readers of one source, and two threads of one
/// reader, call it at the same time.
pub trait Source: Send + Sync {
    /// Bytes of the file.
    ///
    /// # Errors
    /// What asking for it meets.
    fn len(&self) -> io::Result<u64>;

    /// `true` when the file has no bytes.
    ///
    /// # Errors
    /// As [`Self::len`].
    fn is_empty(&self) -> io::Result<bool> {
        self.len().map(|len| len == 0)
    }

    /// Fills `into` with the bytes from `offset` on.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] when the file ends before `into` is full; whatever reading
    /// meets. `into` may hold anything then.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()>;

    /// All bytes, when they are in memory in one piece: they are read in place then, and pass by
    /// the cache. Always the same answer.
    #[inline]
    fn in_memory(&self) -> Option<&[u8]> {
        None
    }
}

impl Source for [u8] {
    fn len(&self) -> io::Result<u64> {
        Ok(Self::len(self) as u64)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).ok();
        let bytes = start.and_then(|start| self.get(start..)?.get(..into.len()));
        into.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    #[inline]
    fn in_memory(&self) -> Option<&[u8]> {
        Some(self)
    }
}

/// Lends the implementation of what `$type` points to.
macro_rules! points_to_a_source {
    ($(<$($parameter:ident)?> $type:ty),*) => {$(
        impl $(<$parameter: Source + ?Sized>)? Source for $type {
            fn len(&self) -> io::Result<u64> {
                Source::len(&**self)
            }

            fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
                (**self).read_at(offset, into)
            }

            #[inline]
            fn in_memory(&self) -> Option<&[u8]> {
                (**self).in_memory()
            }
        }
    )*};
}

points_to_a_source!(<> Vec<u8>, <S> &S, <S> Box<S>, <S> Arc<S>);
