//! How a file is opened, created and locked: the choices, not the doing.

use std::path::PathBuf;

use random_access_storage::{Error, Operation, Result};

use crate::RandomAccessDisk;

/// Whether writes are allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Access {
    /// Reads and writes.
    #[default]
    ReadWrite,
    /// Reads only: nothing on disk is made or changed. A missing file reads as an empty store,
    /// unless [`Create::Never`] says that it must be there.
    ReadOnly,
}

/// What happens when the file is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Create {
    /// Opening fails with [`Error::NotFound`].
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

/// Which of the system's locks is taken. On Linux holders of one kind do not see those of the other, so it must be
/// the kind that the other programs take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LockKind {
    /// That of an open file description (`F_OFD_SETLK`) on the whole file, as JavaScript Hypercore 10 takes it through
    /// `fs-native-extensions`; outside Linux the same as [`Flock`](Self::Flock).
    #[default]
    Record,
    /// `flock`, as Hypercore 8 and 9 take it through `fd-lock` and `fsctl`.
    Flock,
}

/// Options for opening a [`RandomAccessDisk`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    pub(crate) path: PathBuf,
    pub(crate) access: Access,
    pub(crate) create: Create,
    pub(crate) lock: Lock,
    pub(crate) lock_kind: LockKind,
    pub(crate) secret: bool,
    /// Whether `path` is a folder in which a file without a name is made.
    pub(crate) anonymous: bool,
}

impl Builder {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            access: Access::default(),
            create: Create::default(),
            lock: Lock::default(),
            lock_kind: LockKind::default(),
            secret: false,
            anonymous: false,
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

    /// The kind of that lock; [`LockKind::Record`] by default.
    pub fn lock_kind(mut self, kind: LockKind) -> Self {
        self.lock_kind = kind;
        self
    }

    /// Whether the file holds a secret: then it is made with mode 0600 (`false` by default: 0666
    /// less the umask). The mode of a file that exists is its owner's choice and stays.
    pub fn secret(mut self, secret: bool) -> Self {
        self.secret = secret;
        self
    }

    /// Opens the file, makes it if [`create`](Self::create) says so, and takes the lock.
    ///
    /// When the file is missing and may stay so ([`Create::OnFirstWrite`], or
    /// [`Access::ReadOnly`] without [`Create::Never`]), the store reads as empty and every call
    /// looks again; the lock is taken when the file is there, so a later call may answer
    /// [`Error::Locked`].
    ///
    /// # Durability
    /// A file made here survives power loss after the first
    /// [`sync`](random_access_storage::RandomAccess::sync).
    ///
    /// # Errors
    /// [`Error::NotFound`] when the file is missing and must not be made, [`Error::Locked`] when
    /// another handle holds a lock that excludes the one asked for, [`Error::ReadOnly`] for an
    /// exclusive lock with [`Access::ReadOnly`] (which could not be kept without opening for
    /// writing), [`Error::Io`] when the system refuses or the path is not a regular file, nor a link
    /// to one.
    pub fn open(self) -> Result<RandomAccessDisk> {
        if self.access == Access::ReadOnly && self.lock == Lock::Exclusive {
            return Err(Error::ReadOnly { operation: Operation::Lock });
        }
        RandomAccessDisk::open_with(self)
    }
}
