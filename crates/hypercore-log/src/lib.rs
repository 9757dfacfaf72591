//! The Hypercore log engine: a signed, append-only log on five random-access stores.
//!
//! It keeps blocks with their Merkle tree in the storage format of JavaScript Hypercore 10, byte for byte, and
//! brings the log back after a crash. It is synchronous: no runtime, no thread, no clock, no
//! randomness. It opens no file and knows no backend (the stores are handed in, locked), and it does not encrypt:
//! blocks are bytes.
//!
//! ```
//! use hypercore_crypto::KeyPair;
//! use hypercore_log::{Create, Log, OpenOptions, Stores};
//! use random_access_memory::RandomAccessMemory;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let stores = Stores {
//!     oplog: Box::new(RandomAccessMemory::new()),
//!     header: Box::new(RandomAccessMemory::new()),
//!     tree: Box::new(RandomAccessMemory::new()),
//!     bitfield: Box::new(RandomAccessMemory::new()),
//!     data: Box::new(RandomAccessMemory::new()),
//! };
//! let key_pair = KeyPair::from_seed(&[7; 32]);
//! let log = Log::open(stores, OpenOptions::new().create(Create::IfMissing).key_pair(key_pair))?;
//!
//! log.append(&["hello", "world"])?;
//! assert_eq!(log.get(1)?.as_deref(), Some(&b"world"[..]));
//! assert_eq!(log.seek(7, 0)?, Some((1, 2)));
//! # Ok(())
//! # }
//! ```
//!
//! # After a crash
//! The log is a valid prefix of the operations that were started, and holds every one that had returned:
//! after a kill of the process always, after a power cut in the mode [`Durability::Immediate`] (or after
//! [`Log::flush`]). What is on disk is verified when it is opened, not trusted. After a failed write or sync the
//! log is poisoned: it refuses to write and says so, and reopening verifies what there is. Where damage took the
//! newest header itself, the log opens at what is left and signs nothing before a new fork
//! ([`LogError::HeaderLost`]).
//!
//! # Who signs
//! The log's own key pair, that of another signer ([`AppendOptions::key_pair`]), or whoever keeps a key elsewhere: a write is prepared
//! ([`Log::prepare_append`]), shown to the signers, and stored with what they give back, if it holds. A [backup](Log::backup) signs
//! nothing before somebody [says](Log::confirm_newest) that it is the newest copy of its log.
//!
//! # Bounds
//! In memory are the roots, the bitfield pages in use, a node cache of some 2 MiB and the tail of the oplog, which
//! checkpoints keep short. Nothing else grows with the number of blocks.
//!
//! # Features
//! None.
#![forbid(unsafe_code)]

mod append;
mod apply;
mod audit;
mod backup;
mod bitfield;
mod blocks;
mod branch;
#[cfg(not(canary))]
mod canary;
#[cfg(canary)]
pub mod canary;
mod change;
mod check;
mod checked;
mod checkpoint;
mod commit;
mod compact;
mod conflict;
mod cuts;
mod entry;
mod error;
#[cfg(test)]
#[path = "../tests/support/fixture.rs"]
mod fixture;
#[cfg(test)]
mod format_pages;
mod frame;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod group;
mod header;
mod known;
mod log;
mod nodes;
mod oplog;
mod options;
mod prepared;
mod prologue;
mod proofs;
mod proven;
mod purge;
mod recover;
mod reorganise;
mod repair;
mod replay;
mod rewrite;
mod run;
mod seal;
mod signing;
mod snapshot;
mod state;
mod stores;
mod user_data;
mod writer;

pub use append::{Appended, BLOCK_LEN_MAX};
pub use apply::Applied;
pub use audit::{AuditProgress, AuditReport, Audited, FINDINGS_MAX, Finding};
pub use backup::{BackupProgress, BackupReport};
pub use branch::{Branch, BranchOptions, BranchSnapshot, CommitOptions};
pub use change::{Cleared, USER_DATA_LEN_MAX};
pub use checked::Checked;
pub use compact::Compacted;
pub use conflict::Conflict;
pub use cuts::Moved;
pub use error::{Corruption, LogError, OpenError, StorageError};
pub use known::Extent;
pub use log::{Get, Log, StorageInfo};
pub use options::{Access, Create, Durability, OpenOptions};
pub use prepared::{PreparedAppend, PreparedTruncate, Unsigned};
pub use purge::Purged;
pub use recover::RecoveryReport;
pub use reorganise::Reorganisation;
pub use repair::{RepairProgress, RepairReport};
pub use signing::{AppendOptions, TruncateOptions};
pub use snapshot::{Overlay, Snapshot};
pub use state::Head;
pub use stores::{FileName, Stores};
