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

/// Writes `blocks` one after another at `offset`.
pub(crate) fn write_blocks(
    store: &dyn RandomAccess,
    offset: u64,
    blocks: &[&[u8]],
) -> Result<(), StorageError> {
    let in_data = StorageError::in_file(FileName::Data);
    let mut at = offset;
    let mut copied = Vec::new();
    for piece in blocks.chunks(SLICES_PER_WRITE) {
        let total: usize = piece.iter().map(|block| block.len()).sum();
        if total == 0 {
            continue;
        }
        if total / piece.len() < COPIED_BELOW && piece.len() > 1 {
            for block in piece {
                if copied.len() + block.len() > COPY_LEN && !copied.is_empty() {
                    store.write_at(at, &copied).map_err(&in_data)?;
                    at += copied.len() as u64;
                    copied.clear();
                }
                copied.extend_from_slice(block);
            }
            continue;
        }
        if !copied.is_empty() {
            store.write_at(at, &copied).map_err(&in_data)?;
            at += copied.len() as u64;
            copied.clear();
        }
        let slices: Vec<IoSlice<'_>> = piece.iter().map(|block| IoSlice::new(block)).collect();
        store.write_vectored_at(at, &slices).map_err(&in_data)?;
        at += total as u64;
    }
    if !copied.is_empty() {
        store.write_at(at, &copied).map_err(&in_data)?;
    }
    Ok(())
}

/// Reads a block. `None` when the store ends before it.
pub(crate) fn read_block(
    store: &dyn RandomAccess,
    range: Range<u64>,
) -> Result<Option<Vec<u8>>, LogError> {
    if range.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let Ok(len) = usize::try_from(range.end - range.start) else { return Ok(None) };
    match store.read_vec_at(range.start, len) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.is_out_of_bounds() => Ok(None),
        Err(source) => Err(StorageError { file: FileName::Data, source }.into()),
    }
}
