//! The data store: blocks, joined, at their byte offsets.
//!
//! Knows where bytes go, not what they mean: offsets come from the tree, checks are the caller's.

use std::io::IoSlice;
use std::ops::Range;

use random_access_storage::RandomAccess;

use crate::error::{LogError, StorageError};
use crate::stores::FileName;

/// Blocks shorter than this are copied together before they are written: a system call's vector of many
/// tiny pieces costs more than the copy.
const COPIED_BELOW: usize = 4096;

/// Bytes copied together at most.
const COPY_LEN: usize = 256 * 1024;

/// Blocks handed to one vectored write.
const SLICES_PER_WRITE: usize = 512;

/// Bytes that are read as one block at most. Others may have written longer ones than this log takes, but a
/// damaged size must not decide how much memory is asked for.
const READ_LEN_MAX: usize = 256 * 1024 * 1024;

/// Writes `blocks` one after another at `offset`.
pub(crate) fn write_blocks(
    store: &dyn RandomAccess,
    offset: u64,
    blocks: &[&[u8]],
) -> Result<(), StorageError> {
    let mut writer = BlockWriter { store, at: offset, copied: Vec::new() };
    for group in blocks.chunks(SLICES_PER_WRITE) {
        let total = group.iter().fold(0_usize, |total, block| total.saturating_add(block.len()));
        if total < COPIED_BELOW.saturating_mul(group.len()) && group.len() > 1 {
            group.iter().try_for_each(|block| writer.copy(block))?;
        } else {
            writer.write_vectored(group, total)?;
        }
    }
    writer.flush()
}

/// Writes pieces one behind the other, small ones together.
struct BlockWriter<'a> {
    store: &'a dyn RandomAccess,
    at: u64,
    copied: Vec<u8>,
}

impl BlockWriter<'_> {
    fn copy(&mut self, block: &[u8]) -> Result<(), StorageError> {
        if self.copied.len().saturating_add(block.len()) > COPY_LEN {
            self.flush()?;
        }
        self.copied.extend_from_slice(block);
        Ok(())
    }

    fn write_vectored(&mut self, group: &[&[u8]], total: usize) -> Result<(), StorageError> {
        self.flush()?;
        if total > 0 {
            let slices: Vec<IoSlice<'_>> = group.iter().map(|block| IoSlice::new(block)).collect();
            let written = self.store.write_vectored_at(self.at, &slices);
            written.map_err(StorageError::in_file(FileName::Data))?;
            self.at = self.at.saturating_add(total as u64);
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StorageError> {
        if !self.copied.is_empty() {
            let written = self.store.write_at(self.at, &self.copied);
            written.map_err(StorageError::in_file(FileName::Data))?;
            self.at = self.at.saturating_add(self.copied.len() as u64);
            self.copied.clear();
        }
        Ok(())
    }
}

/// Reads a block. `None` when the store ends before it, or it can not be one.
pub(crate) fn read_block(
    store: &dyn RandomAccess,
    range: Range<u64>,
) -> Result<Option<Vec<u8>>, LogError> {
    if range.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let len = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
    if len > READ_LEN_MAX {
        return Ok(None);
    }
    match store.read_vec_at(range.start, len) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.is_out_of_bounds() => Ok(None),
        Err(source) => Err(StorageError { file: FileName::Data, source }.into()),
    }
}
