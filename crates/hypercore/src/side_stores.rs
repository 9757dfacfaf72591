//! The stores beside those of a log: what snapshots and named batches keep.
//!
//! Of a log in a directory, a batch is `batches/<name>/` in it, with the same five files, and what a snapshot
//! keeps is a file without a name. Names of batches are encoded, so that any name is one folder and no two are
//! the same one. Everything here is under the lock of the log. Knows nothing of what is stored.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hypercore_log::Stores;
use random_access_disk::{RandomAccessDisk, folders_in, remove_empty_folder, remove_folder};
use random_access_memory::RandomAccessMemory;
use random_access_storage::{Error as StoreError, Operation, RandomAccess};

use crate::named_batch::name;
use crate::options::Access;
use crate::storage::open_file;

/// The folder of the batches in that of the log.
const BATCHES: &str = "batches";

/// Where the named batches and the snapshots of a log keep what is theirs; see
/// [`Storage::side_stores`](crate::Storage::side_stores).
///
/// Implemented by [`MemoryStorage`](crate::MemoryStorage), and by whoever keeps logs on stores of their own. The
/// log sees to it that a batch is open only once at a time. A name has 1 to
/// [`BATCH_NAME_LEN_MAX`](crate::BATCH_NAME_LEN_MAX) bytes, any of them.
pub trait SideStores: Send + Sync {
    /// The names of the batches that are stored, in any order.
    ///
    /// # Errors
    /// What the medium says.
    fn batches(&self) -> Result<Vec<String>, StoreError>;

    /// Opens the stores of a batch.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when nothing is stored under the name.
    fn open_batch(&self, name: &str) -> Result<Stores, StoreError>;

    /// Opens the stores of a batch, empty ones when nothing is stored under the name.
    ///
    /// # Durability
    /// That there is such a batch is durable once its `oplog` was synced.
    ///
    /// # Errors
    /// What the medium says; [`StoreError::ReadOnly`].
    fn create_batch(&self, name: &str) -> Result<Stores, StoreError>;

    /// Deletes a batch, which is not open. One that is not stored is no error.
    ///
    /// # Durability
    /// It is gone for good on return, and never gone in part.
    ///
    /// # Errors
    /// What the medium says; [`StoreError::ReadOnly`].
    fn delete_batch(&self, name: &str) -> Result<(), StoreError>;

    /// An empty store that is gone when it is dropped, for what a snapshot must keep: in memory, if not said
    /// otherwise.
    ///
    /// # Errors
    /// What the medium says.
    fn scratch(&self) -> Result<Box<dyn RandomAccess>, StoreError> {
        Ok(Box::new(RandomAccessMemory::new()))
    }
}

/// The side stores of an open log, if it has any.
#[derive(Clone)]
pub(crate) struct Side(Option<Arc<dyn SideStores>>);

impl Side {
    pub(crate) fn new(stores: Arc<dyn SideStores>) -> Self {
        Self(Some(stores))
    }

    pub(crate) const fn none() -> Self {
        Self(None)
    }

    /// Where the batches are.
    pub(crate) fn stores(&self) -> Option<&dyn SideStores> {
        self.0.as_deref()
    }

    /// A store for what a snapshot must keep.
    pub(crate) fn scratch(&self) -> Result<Box<dyn RandomAccess>, StoreError> {
        match &self.0 {
            Some(stores) => stores.scratch(),
            None => Ok(Box::new(RandomAccessMemory::new())),
        }
    }
}

impl fmt::Debug for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Side").field(&self.0.is_some()).finish()
    }
}

/// The side stores of a log in a directory.
#[derive(Debug)]
pub(crate) struct SideDirectory {
    log: PathBuf,
    access: Access,
}

impl SideDirectory {
    pub(crate) fn new(log: &Path, access: Access) -> Self {
        // A later change of the working directory must not move it. Without one, nothing in the log's own
        // directory could have been opened.
        let log = std::path::absolute(log).unwrap_or_else(|_| log.to_path_buf());
        Self { log, access }
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.log.join(BATCHES).join(name::encode(name))
    }

    fn open(&self, name: &str) -> Result<Stores, StoreError> {
        let folder = self.folder(name);
        Ok(Stores {
            oplog: open_file(&folder, "oplog", self.access)?,
            header: open_file(&folder, "header", self.access)?,
            tree: open_file(&folder, "tree", self.access)?,
            bitfield: open_file(&folder, "bitfield", self.access)?,
            data: open_file(&folder, "data", self.access)?,
        })
    }

    fn check_writes(&self) -> Result<(), StoreError> {
        match self.access {
            Access::ReadWrite => Ok(()),
            _ => Err(StoreError::ReadOnly { operation: Operation::Write }),
        }
    }
}

impl SideStores for SideDirectory {
    fn batches(&self) -> Result<Vec<String>, StoreError> {
        let folders = folders_in(self.log.join(BATCHES))?;
        // What is no name was not made here.
        Ok(folders.iter().filter_map(|folder| name::decode(folder.to_str()?)).collect())
    }

    fn open_batch(&self, name: &str) -> Result<Stores, StoreError> {
        if self.batches()?.iter().any(|stored| stored == name) {
            self.open(name)
        } else {
            Err(StoreError::NotFound)
        }
    }

    fn create_batch(&self, name: &str) -> Result<Stores, StoreError> {
        self.check_writes()?;
        self.open(name)
    }

    fn delete_batch(&self, name: &str) -> Result<(), StoreError> {
        self.check_writes()?;
        remove_folder(self.folder(name))?;
        remove_empty_folder(self.log.join(BATCHES)).map(drop)
    }

    /// In the directory of the log, which has room for what it holds. Who does not write destroys nothing, so
    /// that nothing has to be kept.
    fn scratch(&self) -> Result<Box<dyn RandomAccess>, StoreError> {
        match self.access {
            Access::ReadWrite => Ok(Box::new(RandomAccessDisk::anonymous(&self.log)?)),
            _ => Ok(Box::new(RandomAccessMemory::new())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::MemoryStorage;

    /// What every kind of side stores does.
    fn keeps_batches(side: &dyn SideStores) {
        assert_eq!(side.batches().unwrap(), [""; 0]);
        assert!(matches!(side.open_batch("a/b"), Err(StoreError::NotFound)));
        let made = side.create_batch("a/b").unwrap();
        made.oplog.write_at(0, b"kept").unwrap();
        drop(made);
        drop(side.create_batch("..").unwrap());
        let mut names = side.batches().unwrap();
        names.sort();
        assert_eq!(names, ["..", "a/b"]);
        let again = side.open_batch("a/b").unwrap();
        assert_eq!(again.oplog.read_vec_at(0, 4).unwrap(), b"kept");
        drop(again);
        side.delete_batch("a/b").unwrap();
        side.delete_batch("a/b").unwrap();
        assert_eq!(side.batches().unwrap(), [".."]);
        assert_eq!(side.create_batch("a/b").unwrap().oplog.len().unwrap(), 0);
    }

    #[test]
    fn memory_keeps_batches_that_clones_share() {
        let memory = MemoryStorage::new();
        keeps_batches(&memory);
        assert_eq!(memory.clone().batches().unwrap().len(), 2);
    }

    #[test]
    fn a_directory_keeps_batches_below_itself() {
        let directory = tempfile::tempdir().unwrap();
        let side = SideDirectory::new(directory.path(), Access::ReadWrite);
        keeps_batches(&side);
        assert_eq!(folders_in(directory.path()).unwrap(), ["batches"]);
        let mut folders = folders_in(directory.path().join("batches")).unwrap();
        folders.sort();
        assert_eq!(folders, ["%2e%2e", "a%2fb"]);
        side.delete_batch("..").unwrap();
        side.delete_batch("a/b").unwrap();
        assert_eq!(folders_in(directory.path()).unwrap(), [""; 0]);
    }

    #[test]
    fn who_does_not_write_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        for access in [Access::ReadOnly, Access::Follow] {
            let side = SideDirectory::new(directory.path(), access);
            assert!(matches!(side.create_batch("a"), Err(StoreError::ReadOnly { .. })));
            assert!(matches!(side.delete_batch("a"), Err(StoreError::ReadOnly { .. })));
            side.scratch().unwrap().write_at(0, b"x").unwrap();
        }
        assert_eq!(folders_in(directory.path()).unwrap(), [""; 0]);
    }

    #[test]
    fn a_batch_is_open_once() {
        let directory = tempfile::tempdir().unwrap();
        let side = SideDirectory::new(directory.path(), Access::ReadWrite);
        let open = side.create_batch("a").unwrap();
        assert!(matches!(side.create_batch("a"), Err(StoreError::Locked)));
        drop(open);
        assert!(side.open_batch("a").is_ok());
    }
}
