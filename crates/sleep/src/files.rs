//! The six files of a feed, found by name.
//!
//! Where the files are is the caller's business: Hyperdrive keeps `metadata/tree`, the oldest Dat
//! folders `metadata.tree`. This module knows the names, which of them are there, and that the lock
//! of a feed is the lock of `bitfield`. It must not know what the files hold.

use std::fmt;
use std::sync::Arc;

use random_access_storage::{RandomAccess, SyncScope};

use crate::canary::{Bug, planted};
use crate::error::{Error, Result};

/// One of the six files of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileName {
    /// 32 bytes: the public key; of a static feed its tree hash.
    Key,
    /// 64 bytes: seed and public key of who may append. A secret.
    SecretKey,
    /// The blocks, one after the other.
    Data,
    /// The nodes of the tree.
    Tree,
    /// The signatures, one place a block.
    Signatures,
    /// Which blocks and nodes are stored.
    Bitfield,
}

impl FileName {
    /// All six.
    pub const ALL: [Self; 6] =
        [Self::Key, Self::SecretKey, Self::Data, Self::Tree, Self::Signatures, Self::Bitfield];

    /// The name, as the packages write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::SecretKey => "secret_key",
            Self::Data => "data",
            Self::Tree => "tree",
            Self::Signatures => "signatures",
            Self::Bitfield => "bitfield",
        }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a store is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Reading. Must not create or change anything.
    Read,
    /// Reading and writing what is there. Must not create anything.
    Write,
    /// As `Write`; makes an empty store where there is none.
    Create,
}

/// Finds the stores of a feed.
///
/// Functions of `(FileName, Access)` are one. Opening [`FileName::Bitfield`] takes the lock of the
/// feed, shared for [`Access::Read`] and exclusive otherwise, and the store holds it as long as it
/// lives: the JavaScript packages lock that file and no other. [`FileName::SecretKey`] should be
/// created so that only its owner can read it.
pub trait Storage: Send + Sync {
    /// Opens the store of that name; `None` when it is not there and `access` does not create.
    ///
    /// # Errors
    /// `Locked` when another program has the feed; what else the medium says.
    fn open(
        &self,
        name: FileName,
        access: Access,
    ) -> random_access_storage::Result<Option<Arc<dyn RandomAccess>>>;
}

impl<F> Storage for F
where
    F: Fn(FileName, Access) -> random_access_storage::Result<Option<Arc<dyn RandomAccess>>>
        + Send
        + Sync,
{
    fn open(
        &self,
        name: FileName,
        access: Access,
    ) -> random_access_storage::Result<Option<Arc<dyn RandomAccess>>> {
        self(name, access)
    }
}

impl<S: Storage + ?Sized> Storage for Arc<S> {
    fn open(
        &self,
        name: FileName,
        access: Access,
    ) -> random_access_storage::Result<Option<Arc<dyn RandomAccess>>> {
        (**self).open(name, access)
    }
}

/// The stores of one feed that are there, and where to make the others.
pub struct Files {
    storage: Arc<dyn Storage>,
    access: Access,
    stores: [Option<Arc<dyn RandomAccess>>; 6],
}

impl Files {
    /// Opens what is there, `bitfield` and with it the lock first.
    ///
    /// Creates nothing, also for [`Access::Create`]: that is [`create`](Self::create), file by file.
    ///
    /// # Errors
    /// [`Error::Storage`]; with source `Locked` when another program has the feed.
    pub fn open(storage: impl Storage + 'static, access: Access) -> Result<Self> {
        let storage: Arc<dyn Storage> = Arc::new(storage);
        let existing = if access == Access::Read { Access::Read } else { Access::Write };
        let mut files = Self { storage, access, stores: Default::default() };
        for name in FileName::ALL.into_iter().rev() {
            let store = files.storage.open(name, existing).map_err(Error::in_file(name))?;
            *files.place(name) = store;
        }
        Ok(files)
    }

    /// What the files were opened for.
    #[must_use]
    pub fn access(&self) -> Access {
        self.access
    }

    /// The store of that name, when it is there.
    #[must_use]
    pub fn get(&self, name: FileName) -> Option<&Arc<dyn RandomAccess>> {
        let [key, secret_key, data, tree, signatures, bitfield] = &self.stores;
        match name {
            FileName::Key => key,
            FileName::SecretKey => secret_key,
            FileName::Data => data,
            FileName::Tree => tree,
            FileName::Signatures => signatures,
            FileName::Bitfield => bitfield,
        }
        .as_ref()
    }

    /// Syncs the store of that name, when it is there.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub(crate) fn sync(&self, name: FileName) -> Result<()> {
        let synced = self.get(name).map_or(Ok(()), |store| store.sync(SyncScope::Data));
        match synced {
            Err(_) if planted(Bug::IgnoredSyncError) => Ok(()),
            synced => synced.map_err(Error::in_file(name)),
        }
    }

    /// The store of that name; made, empty, when it was not there.
    ///
    /// # Durability
    /// The name of a new store is durable when it was synced.
    ///
    /// # Errors
    /// [`Error::Storage`]: the medium failed, or the files were opened for reading.
    /// [`Error::MadeMeanwhile`] when another program made it since the open.
    pub fn create(&mut self, name: FileName) -> Result<Arc<dyn RandomAccess>> {
        use random_access_storage::{Error as StorageError, Operation};

        if let Some(store) = self.get(name) {
            return Ok(Arc::clone(store));
        }
        let failed = Error::in_file(name);
        if self.access == Access::Read {
            return Err(failed(StorageError::ReadOnly { operation: Operation::Open }));
        }
        let store = self.storage.open(name, Access::Create).map_err(&failed)?;
        let store = store.ok_or_else(|| failed(StorageError::NotFound))?;
        if !store.is_empty().map_err(&failed)? {
            return Err(Error::MadeMeanwhile { file: name });
        }
        *self.place(name) = Some(Arc::clone(&store));
        Ok(store)
    }

    fn place(&mut self, name: FileName) -> &mut Option<Arc<dyn RandomAccess>> {
        let [key, secret_key, data, tree, signatures, bitfield] = &mut self.stores;
        match name {
            FileName::Key => key,
            FileName::SecretKey => secret_key,
            FileName::Data => data,
            FileName::Tree => tree,
            FileName::Signatures => signatures,
            FileName::Bitfield => bitfield,
        }
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let there = FileName::ALL.into_iter().filter(|name| self.get(*name).is_some());
        f.debug_struct("Files")
            .field("access", &self.access)
            .field("there", &there.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use random_access_memory::RandomAccessMemory;
    use random_access_storage::Error as StorageError;

    use super::*;

    /// Stores in memory, and what was asked.
    #[derive(Default)]
    struct Folder {
        stores: Mutex<BTreeMap<FileName, RandomAccessMemory>>,
        asked: Mutex<Vec<(FileName, Access)>>,
    }

    impl Storage for Folder {
        fn open(
            &self,
            name: FileName,
            access: Access,
        ) -> random_access_storage::Result<Option<Arc<dyn RandomAccess>>> {
            self.asked.lock().unwrap().push((name, access));
            let mut stores = self.stores.lock().unwrap();
            if access == Access::Create {
                stores.entry(name).or_default();
            }
            Ok(stores.get(&name).map(|store| Arc::new(store.clone()) as Arc<dyn RandomAccess>))
        }
    }

    #[test]
    fn the_lock_comes_first_and_nothing_is_made() {
        for (access, expected) in [
            (Access::Read, Access::Read),
            (Access::Write, Access::Write),
            (Access::Create, Access::Write),
        ] {
            let folder = Arc::new(Folder::default());
            let files = Files::open(Arc::clone(&folder), access).unwrap();
            let asked = folder.asked.lock().unwrap();
            assert_eq!(asked.first(), Some(&(FileName::Bitfield, expected)));
            let mut names: Vec<FileName> = asked.iter().map(|(name, _)| *name).collect();
            names.sort();
            assert_eq!(names, FileName::ALL);
            assert!(asked.iter().all(|(_, asked)| *asked == expected));
            assert!(FileName::ALL.iter().all(|name| files.get(*name).is_none()));
        }
    }

    #[test]
    fn a_file_is_made_once_and_found_again() {
        let folder = Arc::new(Folder::default());
        let mut files = Files::open(Arc::clone(&folder), Access::Write).unwrap();
        for name in FileName::ALL {
            let store = files.create(name).unwrap();
            store.write_at(0, name.as_str().as_bytes()).unwrap();
            assert!(!files.create(name).unwrap().is_empty().unwrap());
        }
        let files = Files::open(folder, Access::Read).unwrap();
        for name in FileName::ALL {
            let store = files.get(name).expect("it was made");
            assert_eq!(
                store.read_vec_at(0, name.as_str().len()).unwrap(),
                name.as_str().as_bytes()
            );
        }
    }

    #[test]
    fn readers_make_nothing() {
        let folder = Arc::new(Folder::default());
        let mut files = Files::open(Arc::clone(&folder), Access::Read).unwrap();
        let refused = files.create(FileName::Data);
        assert!(matches!(
            refused,
            Err(Error::Storage { file: FileName::Data, source: StorageError::ReadOnly { .. } })
        ));
        assert!(folder.stores.lock().unwrap().is_empty());
    }

    #[test]
    fn what_another_program_made_is_not_taken_for_new() {
        let folder = Arc::new(Folder::default());
        let mut files = Files::open(Arc::clone(&folder), Access::Write).unwrap();
        let theirs = folder.open(FileName::Bitfield, Access::Create).unwrap().unwrap();
        theirs.write_at(0, b"theirs").unwrap();
        let refused = files.create(FileName::Bitfield);
        assert!(matches!(refused, Err(Error::MadeMeanwhile { file: FileName::Bitfield })));
        assert!(files.get(FileName::Bitfield).is_none());
    }

    #[test]
    fn a_function_is_a_storage() {
        let none = |_: FileName, _: Access| Ok(None);
        let files = Files::open(none, Access::Read).unwrap();
        assert!(files.get(FileName::Key).is_none());
        let locked = |name: FileName, _: Access| match name {
            FileName::Bitfield => Err(StorageError::Locked),
            _ => Ok(None),
        };
        assert!(matches!(
            Files::open(locked, Access::Write),
            Err(Error::Storage { file: FileName::Bitfield, source: StorageError::Locked })
        ));
    }
}
