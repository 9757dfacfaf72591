//! The five byte stores of one core, and their names.
//!
//! The engine never opens a file: whoever composes it hands in the stores, locked as they should be.

use std::fmt;

use random_access_storage::{RandomAccess, SyncScope};

use crate::canary::{Bug, planted};
use crate::error::StorageError;

/// Which of a core's stores something was found in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FileName {
    /// Two header slots and the entries since the last checkpoint.
    Oplog,
    /// Headers that do not fit into a slot. Rarely there.
    Header,
    /// The nodes of the Merkle tree.
    Tree,
    /// Which blocks are stored.
    Bitfield,
    /// The blocks, joined.
    Data,
}

impl FileName {
    /// The file's name in a core's directory.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Oplog => "oplog",
            Self::Header => "header",
            Self::Tree => "tree",
            Self::Bitfield => "bitfield",
            Self::Data => "data",
        }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The stores one core lives in.
///
/// The owner of the `oplog` store is the owner of the core: a backend that can lock locks that one,
/// exclusively for writing and shared for reading.
#[derive(Debug)]
pub struct Stores {
    /// Header slots and entries. Holds the secret key.
    pub oplog: Box<dyn RandomAccess>,
    /// Headers too large for a slot. Holds the secret key then.
    pub header: Box<dyn RandomAccess>,
    /// Tree nodes.
    pub tree: Box<dyn RandomAccess>,
    /// Bitfield pages.
    pub bitfield: Box<dyn RandomAccess>,
    /// Blocks.
    pub data: Box<dyn RandomAccess>,
}

impl Stores {
    /// The store of that name.
    #[must_use]
    pub fn file(&self, name: FileName) -> &dyn RandomAccess {
        match name {
            FileName::Oplog => &*self.oplog,
            FileName::Header => &*self.header,
            FileName::Tree => &*self.tree,
            FileName::Bitfield => &*self.bitfield,
            FileName::Data => &*self.data,
        }
    }

    /// Syncs one store, naming it in the error.
    pub(crate) fn sync(&self, name: FileName) -> Result<(), StorageError> {
        match self.file(name).sync(SyncScope::Data) {
            Err(_) if planted(Bug::IgnoredSyncError) => Ok(()),
            synced => synced.map_err(StorageError::in_file(name)),
        }
    }
}
