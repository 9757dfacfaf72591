//! Deleting a log for good.

use std::sync::PoisonError;

use random_access_storage::SyncScope;

use crate::error::{LogError, StorageError};
use crate::log::Log;
use crate::options::Access;
use crate::stores::{FileName, Stores};

/// What a purge deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Purged {
    /// Bytes given back to the medium; it counts whole allocation units.
    pub bytes_freed: u64,
}

impl Log {
    /// Empties all stores for good: blocks, tree, and the secret key that they held. The log takes nothing more; it is only
    /// good for being dropped, which is when a lock of its stores ends.
    ///
    /// # Durability
    /// On return nothing is left, also after a power cut. The oplog is the first to go, so a crash in between leaves no log
    /// rather than half of one.
    ///
    /// # Errors
    /// [`LogError::ReadOnly`]: nothing was changed. [`LogError::Storage`]: the disk failed, and something may be left.
    pub fn purge(&self) -> Result<Purged, LogError> {
        if self.options.access == Access::ReadOnly {
            return Err(LogError::ReadOnly);
        }
        // A log that can not be written to any more can still be deleted.
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes_freed = self.storage_info()?.total();
        // No write may follow, whether this works or not.
        self.commit.fail();
        empty(&self.stores)?;
        Ok(Purged { bytes_freed })
    }
}

/// Empties every store, the oplog first: a crash in between leaves no core rather than half of one.
pub(crate) fn empty(stores: &Stores) -> Result<(), StorageError> {
    let names =
        [FileName::Oplog, FileName::Header, FileName::Tree, FileName::Bitfield, FileName::Data];
    for name in names {
        let store = stores.file(name);
        let emptied = || match store.len()? {
            0 => Ok(()),
            _ => store.truncate(0).and_then(|()| store.sync(SyncScope::All)),
        };
        emptied().map_err(StorageError::in_file(name))?;
    }
    Ok(())
}
