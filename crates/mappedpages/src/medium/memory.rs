//! A medium in memory.
//!
//! Invariant: nothing is durable; a sync has nothing to do. Knows no files.

use std::io;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::Medium;

/// Bytes in memory, for a pager that needs no file, and for tests.
#[derive(Debug, Default)]
pub struct MemoryMedium {
    bytes: RwLock<Vec<u8>>,
}

impl MemoryMedium {
    /// Makes an empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives a copy of all bytes.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.read().clone()
    }

    // A panic of another thread leaves the bytes as they were: no step here can fail half way.
    fn read(&self) -> RwLockReadGuard<'_, Vec<u8>> {
        self.bytes.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Vec<u8>> {
        self.bytes.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Vec<u8>> for MemoryMedium {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes: RwLock::new(bytes) }
    }
}

/// The places of `len` bytes at `offset`, where there are so many.
fn range(bytes: &[u8], offset: u64, len: usize) -> io::Result<std::ops::Range<usize>> {
    let start = usize::try_from(offset).ok();
    let end = start.and_then(|start| start.checked_add(len));
    match (start, end) {
        (Some(start), Some(end)) if end <= bytes.len() => Ok(start..end),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

impl Medium for MemoryMedium {
    fn len(&self) -> io::Result<u64> {
        Ok(self.read().len() as u64)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let bytes = self.read();
        let range = range(&bytes, offset, into.len())?;
        if let Some(from) = bytes.get(range) {
            into.copy_from_slice(from);
        }
        Ok(())
    }

    fn write_at(&self, offset: u64, from: &[u8]) -> io::Result<()> {
        let mut bytes = self.write();
        let range = range(&bytes, offset, from.len())?;
        if let Some(into) = bytes.get_mut(range) {
            into.copy_from_slice(from);
        }
        Ok(())
    }

    fn grow(&self, len: u64) -> io::Result<()> {
        let mut bytes = self.write();
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::StorageFull)?;
        let more = len.saturating_sub(bytes.len());
        bytes.try_reserve_exact(more).map_err(|_| io::ErrorKind::StorageFull)?;
        if more > 0 {
            bytes.resize(len, 0);
        }
        Ok(())
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        let mut bytes = self.write();
        if let Ok(len) = usize::try_from(len) {
            bytes.truncate(len);
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
