//! Where the bytes of a page file are: the trait, and what it is for a file and for memory.
//!
//! Invariants: positions are bytes and may be anything up to `u64::MAX`; a read that would pass the
//! end is an error, never zeros; only [`Medium::grow`] lengthens and only [`Medium::cut`] shortens.
//! Knows nothing of pages, formats or maps.

mod create;
#[cfg(test)]
pub(crate) mod faulty;
mod file;
#[cfg(test)]
mod files;
mod memory;
mod space;

use std::fmt;
use std::io;

pub(crate) use file::{FileMedium, Space};
pub use memory::MemoryMedium;

use crate::error::MappedPageError;

/// Where the bytes of a page file are.
///
/// A file is one; implement it to keep a pager in something else. One pager at a time writes to a
/// medium: to keep a second one out is the business of whoever makes the medium.
///
/// # Durability
/// What was written, grown or cut is visible to [`read_at`](Self::read_at) at once and survives a
/// power cut once a [`sync`](Self::sync) that began afterwards has returned. Until then any part
/// of it may have arrived, in any order; 512 aligned bytes arrive wholly or not at all.
pub trait Medium: Send + Sync + fmt::Debug {
    /// Gives the length in bytes.
    ///
    /// # Errors
    /// What the medium says.
    fn len(&self) -> io::Result<u64>;

    /// Says whether there are no bytes at all.
    ///
    /// # Errors
    /// What the medium says.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Fills `into` with the bytes at `offset`.
    ///
    /// # Errors
    /// `UnexpectedEof` when the range passes the end; else what the medium says. `into` then holds
    /// anything.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`, inside the length.
    ///
    /// # Errors
    /// What the medium says; any part of `bytes` may then have been written.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Lengthens to `len` bytes, for which there is space from then on; the new ones are zeros.
    ///
    /// A `len` that is not above the length changes nothing.
    ///
    /// # Errors
    /// `StorageFull`, `QuotaExceeded` or `FileTooLarge` when there is no space; else what the medium says.
    /// Nothing has changed then.
    fn grow(&self, len: u64) -> io::Result<()>;

    /// Shortens to `len` bytes and gives the space back.
    ///
    /// A `len` that is not below the length changes nothing.
    ///
    /// # Errors
    /// What the medium says.
    fn cut(&self, len: u64) -> io::Result<()>;

    /// Returns once everything written, grown and cut before is durable.
    ///
    /// # Errors
    /// What the medium says. Nothing is known then of what was to become durable.
    fn sync(&self) -> io::Result<()>;
}

/// The error of a growth: everything that says "no space" is `Full`.
pub(crate) fn no_room(error: io::Error) -> MappedPageError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            MappedPageError::Full
        }
        _ => MappedPageError::Io(error),
    }
}
