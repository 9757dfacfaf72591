//! What can go wrong in a store, and whose fault it was.
//!
//! Positions are bytes. No path is kept here: the caller knows which of its stores failed.

use std::fmt;
use std::io;

/// What a store says, or why not.
pub type Result<T> = std::result::Result<T, Error>;

/// A call on a store, as named in an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Opening or creating.
    Open,
    /// Taking or asking for a lock.
    Lock,
    /// [`read_at`](crate::RandomAccess::read_at) and its relatives.
    Read,
    /// [`write_at`](crate::RandomAccess::write_at) and its relatives.
    Write,
    /// [`discard`](crate::RandomAccess::discard).
    Discard,
    /// [`truncate`](crate::RandomAccess::truncate).
    Truncate,
    /// [`len`](crate::RandomAccess::len), [`stored_len`](crate::RandomAccess::stored_len) and
    /// [`next_stored`](crate::RandomAccess::next_stored).
    Stat,
    /// [`sync`](crate::RandomAccess::sync).
    Sync,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Lock => "lock",
            Self::Read => "read",
            Self::Write => "write",
            Self::Discard => "discard",
            Self::Truncate => "truncate",
            Self::Stat => "stat",
            Self::Sync => "sync",
        })
    }
}

/// Why a call on a store failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller asked for bytes past the end.
    #[error("{len} bytes at {offset} reach past the end at {end}")]
    OutOfBounds {
        /// First byte asked for.
        offset: u64,
        /// Number of bytes asked for.
        len: u64,
        /// Length of the store.
        end: u64,
    },
    /// The caller asked for a store longer than this kind can be. Nothing was changed.
    #[error("{len} bytes at {offset} reach past {max}, the longest this store can be")]
    TooLarge {
        /// First byte to be written, or the length wanted.
        offset: u64,
        /// Number of bytes to be written.
        len: u64,
        /// Longest length the store can have.
        max: u64,
    },
    /// The medium failed. A write may have been done in part.
    #[error("{operation} of {len} bytes at {offset} failed")]
    Io {
        /// What was being done.
        operation: Operation,
        /// First byte concerned; 0 where there is none.
        offset: u64,
        /// Number of bytes concerned; 0 where there is none.
        len: u64,
        /// What the system said.
        source: io::Error,
    },
    /// The store was opened for reading only.
    #[error("{operation} refused: opened for reading only")]
    ReadOnly {
        /// What was refused.
        operation: Operation,
    },
    /// Another handle, in this or another process, holds the lock.
    #[error("locked by another handle")]
    Locked,
    /// Nothing is stored there and creating was not asked for.
    #[error("nothing is stored there")]
    NotFound,
}

impl Error {
    /// An I/O failure of `operation` on `len` bytes at `offset`.
    #[must_use]
    pub fn io(operation: Operation, offset: u64, len: u64, source: io::Error) -> Self {
        Self::Io { operation, offset, len, source }
    }

    /// Whether the medium (or the user's share of it) is full.
    #[must_use]
    pub fn is_storage_full(&self) -> bool {
        match self {
            Self::Io { source, .. } => {
                matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            _ => false,
        }
    }

    /// Whether the system refused access: permissions, or a file system mounted read-only.
    #[must_use]
    pub fn is_permission_denied(&self) -> bool {
        match self {
            Self::Io { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
            ),
            _ => false,
        }
    }

    /// Whether the caller asked for bytes past the end.
    #[must_use]
    pub fn is_out_of_bounds(&self) -> bool {
        matches!(self, Self::OutOfBounds { .. })
    }
}
