//! The trait.
//!
//! Implementers meet the table in the crate documentation; `testing::conformance` checks it.
//! The trait knows no path, no runtime and no cache.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::sync::Arc;

use crate::{Error, Operation, Result};

/// Largest allocation [`RandomAccess::read_vec_at`] makes without asking whether memory is there.
const READ_UNASKED_LEN_MAX: usize = 1024 * 1024;

/// How much a [`sync`](RandomAccess::sync) makes durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SyncScope {
    /// The bytes, and the length needed to read them back.
    Data,
    /// The bytes and everything known about them, such as times.
    All,
}

/// A sparse array of bytes with positions.
///
/// All calls take `&self` and may run from many threads at once. Reads and writes that do not
/// overlap do not disturb each other; of two that overlap, each byte is one of theirs. A call
/// does all it was asked for or fails; a failed write may have been done in part, and a failed
/// read leaves the buffer in any state. Calls that shorten the store look at the length before
/// they set it, so a write past the end that runs at the same time may be cut off or not.
///
/// The crate documentation says what happens in the rarer cases.
pub trait RandomAccess: Send + Sync + std::fmt::Debug {
    /// Fills `buffer` with the bytes at `offset`.
    ///
    /// # Errors
    /// [`Error::OutOfBounds`] when `offset + buffer.len()` is past the end, also for an empty
    /// buffer; [`Error::Io`] when the medium failed.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()>;

    /// Reads `len` bytes at `offset` into a new vector.
    ///
    /// The bounds are checked before anything is allocated, so a `len` taken from damaged bytes
    /// costs nothing.
    ///
    /// # Errors
    /// As [`read_at`](Self::read_at); [`Error::Io`] of kind `OutOfMemory` when there is no
    /// memory for a range that exists.
    fn read_vec_at(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        let len_u64 = u64::try_from(len).unwrap_or(u64::MAX);
        let end = self.len()?;
        if offset.checked_add(len_u64).is_none_or(|last| last > end) {
            return Err(Error::OutOfBounds { offset, len: len_u64, end });
        }
        let mut buffer = if len <= READ_UNASKED_LEN_MAX {
            vec![0; len]
        } else {
            let mut buffer = Vec::new();
            buffer.try_reserve_exact(len).map_err(|_| {
                Error::io(Operation::Read, offset, len_u64, io::ErrorKind::OutOfMemory.into())
            })?;
            buffer.resize(len, 0);
            buffer
        };
        self.read_at(offset, &mut buffer)?;
        Ok(buffer)
    }

    /// Writes `data` at `offset`; the store grows as needed and the gap reads as zeros.
    ///
    /// Writing 0 bytes changes nothing, wherever it is.
    ///
    /// # Durability
    /// None until [`sync`](Self::sync) returns.
    ///
    /// # Errors
    /// [`Error::TooLarge`] when the end would be past what the store can hold (then nothing was
    /// changed), [`Error::ReadOnly`], [`Error::Io`].
    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()>;

    /// Writes `buffers` one after the other, starting at `offset`.
    ///
    /// # Durability
    /// None until [`sync`](Self::sync) returns.
    ///
    /// # Errors
    /// As [`write_at`](Self::write_at).
    fn write_vectored_at(&self, offset: u64, buffers: &[IoSlice<'_>]) -> Result<()> {
        let mut total: u64 = 0;
        for buffer in buffers {
            let len = u64::try_from(buffer.len()).unwrap_or(u64::MAX);
            let sum = total.checked_add(len).filter(|sum| offset.checked_add(*sum).is_some());
            total = sum.ok_or(Error::TooLarge {
                offset,
                len: total.saturating_add(len),
                max: u64::MAX,
            })?;
        }
        let mut position = offset;
        for buffer in buffers {
            self.write_at(position, buffer)?;
            position = position.saturating_add(u64::try_from(buffer.len()).unwrap_or(u64::MAX));
        }
        Ok(())
    }

    /// Makes `len` bytes at `offset` zero and gives their space back where it can.
    ///
    /// A range that reaches or passes the end truncates the store to `offset`; one that starts at
    /// or past the end, or is empty, changes nothing.
    ///
    /// # Durability
    /// None until [`sync`](Self::sync) returns.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], [`Error::Io`].
    fn discard(&self, offset: u64, len: u64) -> Result<()>;

    /// Makes the store `len` bytes long; what it grows by reads as zeros.
    ///
    /// # Durability
    /// None until [`sync`](Self::sync) returns.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::ReadOnly`], [`Error::Io`].
    fn truncate(&self, len: u64) -> Result<()>;

    /// Length in bytes, asked of the store each time: another handle may have changed it.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn len(&self) -> Result<u64>;

    /// Whether the length is 0.
    ///
    /// # Errors
    /// As [`len`](Self::len).
    fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Lets the medium begin with `len` bytes at `offset` that were written, so that a
    /// [`sync`](Self::sync) soon after waits less. Does not wait.
    ///
    /// A hint: it may do nothing, and the sync that must follow tells of every failure.
    ///
    /// # Durability
    /// None until [`sync`](Self::sync) returns.
    fn begin_sync(&self, offset: u64, len: u64) {
        let _ = (offset, len);
    }

    /// Puts what was written before this call on stable storage.
    ///
    /// # Durability
    /// On return, all writes, discards and truncations that had returned before the call survive
    /// power loss, and so does the store's name if it was created through this handle. In a
    /// memory store, and through a handle open for reading only, this does nothing.
    ///
    /// # Errors
    /// [`Error::Io`]; what was written since the last sync may or may not be there then, and
    /// another call of `sync` must not be taken for an answer.
    fn sync(&self, scope: SyncScope) -> Result<()>;

    /// Bytes of the medium in use, in the medium's own units; less than the length when sparse.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn stored_len(&self) -> Result<u64> {
        self.len()
    }

    /// The first range at or after `offset` that may hold bytes other than zero.
    ///
    /// All bytes from `offset` up to the start of the range read as zeros, and so do all up to
    /// the length when there is none. A range is not empty, starts at or after `offset` and ends
    /// at or before the length. Stores that do not know answer with all that is left.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn next_stored(&self, offset: u64) -> Result<Option<Range<u64>>> {
        let end = self.len()?;
        Ok((offset < end).then_some(offset..end))
    }
}

macro_rules! forward {
    ($($store:ty),*) => {$(
        impl<T: RandomAccess + ?Sized> RandomAccess for $store {
            fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
                (**self).read_at(offset, buffer)
            }
            fn read_vec_at(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
                (**self).read_vec_at(offset, len)
            }
            fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
                (**self).write_at(offset, data)
            }
            fn write_vectored_at(&self, offset: u64, buffers: &[IoSlice<'_>]) -> Result<()> {
                (**self).write_vectored_at(offset, buffers)
            }
            fn discard(&self, offset: u64, len: u64) -> Result<()> {
                (**self).discard(offset, len)
            }
            fn truncate(&self, len: u64) -> Result<()> {
                (**self).truncate(len)
            }
            fn len(&self) -> Result<u64> {
                (**self).len()
            }
            fn is_empty(&self) -> Result<bool> {
                (**self).is_empty()
            }
            fn begin_sync(&self, offset: u64, len: u64) {
                (**self).begin_sync(offset, len);
            }
            fn sync(&self, scope: SyncScope) -> Result<()> {
                (**self).sync(scope)
            }
            fn stored_len(&self) -> Result<u64> {
                (**self).stored_len()
            }
            fn next_stored(&self, offset: u64) -> Result<Option<Range<u64>>> {
                (**self).next_stored(offset)
            }
        }
    )*};
}

forward!(&T, Box<T>, Arc<T>);
