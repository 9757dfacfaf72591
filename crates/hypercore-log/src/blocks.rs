//! The data store: blocks, joined, at their byte offsets.
//!
//! Knows where bytes go, not what they mean: offsets come from the tree, checks are the caller's.

use std::ops::Range;

use random_access_storage::RandomAccess;

use crate::error::{LogError, StorageError};
use crate::stores::FileName;

/// Bytes that are put together for one write, of blocks as of nodes.
pub(crate) const WRITE_LEN: usize = 256 * 1024;

/// Bytes that are read as one block at most. Others may have written longer ones than this log takes, but a
/// damaged size must not decide how much memory is asked for.
const READ_LEN_MAX: usize = 256 * 1024 * 1024;

/// Writes `blocks` one after another at `offset`, by way of `buffer`.
///
/// All of them are copied, large ones as well: the buffer stays in the processor's cache, and the kernel takes bytes
/// from one place several times as fast as from wherever the caller's blocks happen to lie.
pub(crate) fn write_blocks(
    store: &dyn RandomAccess,
    offset: u64,
    blocks: &[&[u8]],
    buffer: &mut Vec<u8>,
) -> Result<(), StorageError> {
    let in_data = StorageError::in_file(FileName::Data);
    let mut at = offset;
    buffer.clear();
    for block in blocks {
        let mut rest = *block;
        while !rest.is_empty() {
            if buffer.len() == WRITE_LEN {
                store.write_at(at, buffer).map_err(&in_data)?;
                at = at.saturating_add(buffer.len() as u64);
                buffer.clear();
            }
            let room = WRITE_LEN.saturating_sub(buffer.len());
            let (piece, after) = rest.split_at(room.min(rest.len()));
            buffer.extend_from_slice(piece);
            rest = after;
        }
    }
    if buffer.is_empty() {
        return Ok(());
    }
    store.write_at(at, buffer).map_err(&in_data)
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
