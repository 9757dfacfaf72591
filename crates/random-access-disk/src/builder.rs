//! How a file is opened, created and locked.

use std::path::PathBuf;

use random_access_storage::Result;

use crate::RandomAccessDisk;

/// Whether writes are allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Access {
    /// Reads and writes.
    #[default]
    ReadWrite,
    /// Reads only: nothing on disk is made or changed, and a missing file reads as an empty store.
    ReadOnly,
}

/// What happens when the file is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Create {
    /// Opening fails with [`NotFound`](random_access_storage::Error::NotFound).
    Never,
    /// Opening makes the file, and the folders above it.
    #[default]
    Now,
    /// The first write makes the file, and the folders above it; until then it reads as empty.
    OnFirstWrite,
}

/// Which lock is taken while the store is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Lock {
    /// None.
    #[default]
    None,
    /// Together with other shared ones.
    Shared,
    /// Alone.
    Exclusive,
}

/// Options for opening a [`RandomAccessDisk`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    pub(crate) path: PathBuf,
    pub(crate) access: Access,
    pub(crate) create: Create,
    pub(crate) lock: Lock,
    pub(crate) secret: bool,
}

impl Builder {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            access: Access::default(),
            create: Create::default(),
            lock: Lock::default(),
            secret: false,
        }
    }

    /// Whether writes are allowed; [`Access::ReadWrite`] by default.
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// What happens when the file is missing; [`Create::Now`] by default. With
    /// [`Access::ReadOnly`] nothing is ever made.
    pub fn create(mut self, create: Create) -> Self {
        self.create = create;
        self
    }

    /// The lock held while the store is open; [`Lock::None`] by default.
    pub fn lock(mut self, lock: Lock) -> Self {
        self.lock = lock;
        self
    }

    /// Whether the file holds a secret: then it is made with mode 0600, and opening one that
    /// exists takes the rights of group and others away.
    pub fn secret(mut self, secret: bool) -> Self {
        self.secret = secret;
        self
    }

    /// Opens the file.
    ///
    /// # Errors
    /// [`NotFound`](random_access_storage::Error::NotFound),
    /// [`Locked`](random_access_storage::Error::Locked),
    /// [`Io`](random_access_storage::Error::Io).
    pub fn open(self) -> Result<RandomAccessDisk> {
        RandomAccessDisk::open_with(self)
    }
}
