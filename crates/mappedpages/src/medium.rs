//! Where the bytes of a page file are.

use std::fmt;
use std::io;

/// The bytes of a page file, and how they become durable.
///
/// [`Pager`](crate::Pager) comes with one for files; implement it to put a pager on something else.
/// All calls may come from several threads at once.
pub trait Medium: Send + Sync + fmt::Debug {
    /// How many bytes there are.
    ///
    /// # Errors
    /// Whatever kept it from finding out.
    fn len(&self) -> io::Result<u64>;

    /// Whether there are no bytes.
    ///
    /// # Errors
    /// Those of [`len`](Self::len).
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Fills `into` with the bytes from `offset` on.
    ///
    /// # Errors
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) when they are not all there, and whatever else
    /// failed.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()>;

    /// Writes all of `bytes`, which lie inside the length, from `offset` on.
    ///
    /// # Errors
    /// Whatever kept them from being written; any part of them may have been.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes it `len` bytes long, with the space for them reserved. What is new reads as zeros. Never
    /// shortens.
    ///
    /// # Errors
    /// [`StorageFull`](io::ErrorKind::StorageFull) when there is no room, and whatever else failed; the
    /// length is then what it was.
    fn grow(&self, len: u64) -> io::Result<()>;

    /// Shortens it to `len` bytes. Never lengthens.
    ///
    /// # Errors
    /// Whatever kept it from being cut.
    fn cut(&self, len: u64) -> io::Result<()>;

    /// Makes all that was written before the call durable, the length with it.
    ///
    /// # Errors
    /// Whatever failed; nothing is known then of what is durable.
    fn sync(&self) -> io::Result<()>;
}
