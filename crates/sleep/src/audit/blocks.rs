//! Bytes of blocks, read a piece at a time and compared with leaves.
//!
//! Memory is bounded by what is stored, not by what a node says.

use std::sync::Arc;

use random_access_storage::RandomAccess;

use crate::error::{Error, Result};
use crate::feed::BLOCK_LEN_MAX;
use crate::files::FileName;
use crate::hashes;
use crate::node::Node;

/// Bytes that are read at once where blocks are shorter.
const WINDOW_LEN: u64 = 256 * 1024;

/// How the bytes of a block compare with its leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compared {
    /// They hash to it.
    Same,
    /// They do not.
    Differs,
    /// `data` ends before they do.
    Absent,
}

/// Reads `data`, best from the beginning to the end.
pub(crate) struct BlockReader {
    store: Option<Arc<dyn RandomAccess>>,
    len: u64,
    /// A long block is no longer than all that is stored: a long hole needs no memory to be found out.
    block_len_max: u64,
    start: u64,
    window: Vec<u8>,
}

impl BlockReader {
    /// A reader of `store`; without one, no block is there.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub(crate) fn new(store: Option<&Arc<dyn RandomAccess>>) -> Result<Self> {
        let failed = Error::in_file(FileName::Data);
        let len = store.map_or(Ok(0), |store| store.len()).map_err(&failed)?;
        let stored_len = store.map_or(Ok(0), |store| store.stored_len()).map_err(&failed)?;
        let block_len_max = stored_len.max(BLOCK_LEN_MAX);
        Ok(Self { store: store.cloned(), len, block_len_max, start: 0, window: Vec::new() })
    }

    /// `len` bytes at `offset`, when they are there; no bytes are there anywhere.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub(crate) fn bytes(&mut self, offset: u64, len: u64) -> Result<Option<&[u8]>> {
        if len == 0 {
            return Ok(Some(&[]));
        }
        let end = offset.checked_add(len).filter(|end| *end <= self.len);
        let (Some(end), Some(store)) = (end, &self.store) else { return Ok(None) };
        if len > self.block_len_max {
            return Ok(None);
        }
        let window_end = self.start.saturating_add(self.window.len() as u64);
        if offset < self.start || end > window_end {
            let wanted = end.max(offset.saturating_add(WINDOW_LEN).min(self.len));
            let wanted = usize::try_from(wanted.saturating_sub(offset)).unwrap_or(usize::MAX);
            let store = Arc::clone(store);
            self.fill(&*store, offset, wanted).map_err(Error::in_file(FileName::Data))?;
        }
        let place = usize::try_from(offset.saturating_sub(self.start)).unwrap_or(usize::MAX);
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        Ok(self.window.get(place..).and_then(|rest| rest.get(..len)))
    }

    /// Reads a window, into the memory of the last one unless it is longer than most.
    fn fill(
        &mut self,
        store: &dyn RandomAccess,
        offset: u64,
        len: usize,
    ) -> random_access_storage::Result<()> {
        let mut window = std::mem::take(&mut self.window);
        if len as u64 <= WINDOW_LEN {
            window.resize(len, 0);
            store.read_at(offset, &mut window)?;
        } else {
            window = store.read_vec_at(offset, len)?;
        }
        (self.start, self.window) = (offset, window);
        Ok(())
    }

    /// Compares the bytes at `offset` with a leaf.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub(crate) fn compare(&mut self, leaf: &Node, offset: u64) -> Result<Compared> {
        let (index, size) = (leaf.index, leaf.size);
        Ok(match self.bytes(offset, size)? {
            None => Compared::Absent,
            Some(bytes) if hashes::leaf(index, bytes).hash == leaf.hash => Compared::Same,
            Some(_) => Compared::Differs,
        })
    }
}
