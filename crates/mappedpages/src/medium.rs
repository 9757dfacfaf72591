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

/// Bytes that are looked at, or written, at once where a range is made zero.
const ZEROING_LEN: usize = 64 * 1024;

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

    /// Makes `len` bytes at `offset`, which lie inside the length, zeros again. Their space stays
    /// theirs.
    ///
    /// The provided method reads the range and writes zeros where it finds anything else.
    ///
    /// # Errors
    /// `UnexpectedEof` when the range passes the end; else what the medium says. Any part may then
    /// have been made zeros.
    fn zero(&self, offset: u64, len: u64) -> io::Result<()> {
        zero_by_writing(self, offset, len)
    }

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

/// Writes zeros over what is not zero in a range.
fn zero_by_writing<M: Medium + ?Sized>(medium: &M, offset: u64, len: u64) -> io::Result<()> {
    let end = offset.checked_add(len).ok_or(io::ErrorKind::UnexpectedEof)?;
    let mut buffer = vec![0; ZEROING_LEN];
    let mut at = offset;
    while at < end {
        let remaining = usize::try_from(end.saturating_sub(at)).unwrap_or(ZEROING_LEN);
        let Some(bytes) = buffer.get_mut(..remaining.min(ZEROING_LEN)) else { break };
        medium.read_at(at, bytes)?;
        if bytes.iter().any(|&byte| byte != 0) {
            bytes.fill(0);
            medium.write_at(at, bytes)?;
        }
        at = at.saturating_add(bytes.len() as u64);
    }
    Ok(())
}
