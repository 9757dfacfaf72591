//! The superblock: what a file is, written once when it is made.

use super::fields::{Reader, Sector, sector, whole_sector};
use super::layout::{REVISION, SUPERBLOCK_MAGIC};
use crate::error::MappedPageError;

/// Whether a file that starts so is one of format 2, damaged or not.
pub(crate) fn recognises(start: &[u8]) -> bool {
    start.starts_with(&SUPERBLOCK_MAGIC)
}

/// The superblock of a file with pages of `page_len` bytes, a power of two.
pub(crate) fn encode(page_len: usize) -> Sector {
    sector(|writer| {
        writer.bytes(&SUPERBLOCK_MAGIC);
        writer.u32(REVISION);
        writer.u32(page_len.trailing_zeros());
    })
}

/// Checks that `bytes` start with the superblock of a file with pages of `page_len` bytes.
///
/// # Errors
/// `CorruptSuperblock` when it is damaged or of a newer revision, `InvalidPageSize`.
pub(crate) fn check(bytes: &[u8], page_len: usize) -> Result<(), MappedPageError> {
    let parse = || {
        let mut reader = Reader::new(whole_sector(bytes)?);
        reader.expect(SUPERBLOCK_MAGIC)?;
        let is_known = matches!(reader.u32()?, 1..=REVISION);
        is_known.then_some(())?;
        reader.u32()
    };
    let log2 = parse().ok_or(MappedPageError::CorruptSuperblock)?;
    if log2 != page_len.trailing_zeros() {
        return Err(MappedPageError::InvalidPageSize);
    }
    Ok(())
}
