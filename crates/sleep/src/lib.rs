//! SLEEP: the storage of Dat and of Hypercore 6 to 9, as six byte stores.
//!
//! A *feed* is an append-only log of blocks. It lies in six files: `key`, `secret_key`, `data`,
//! `tree` (hashes), `signatures` and `bitfield` (what is there). This crate knows their bytes, and
//! nothing of files, networks or clocks: it is handed a [`Storage`] that finds the stores by name.
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::sync::{Arc, Mutex};
//!
//! use hypercore_crypto::KeyPair;
//! use random_access_memory::RandomAccessMemory;
//! use random_access_storage::RandomAccess;
//! use sleep::{Access, Feed, FileName};
//!
//! // Six stores in memory. In a folder each is a file of the name `name.as_str()`.
//! let stores = Arc::new(Mutex::new(BTreeMap::<FileName, RandomAccessMemory>::new()));
//! let storage = move |name: FileName, access: Access| {
//!     let mut stores = stores.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
//!     if access == Access::Create {
//!         stores.entry(name).or_default();
//!     }
//!     Ok(stores.get(&name).map(|store| Arc::new(store.clone()) as Arc<dyn RandomAccess>))
//! };
//!
//! let key_pair = KeyPair::from_seed(&[7; 32]); // a seed should be random
//! let options = Feed::options().access(Access::Create).key_pair(key_pair.clone());
//! let mut feed = options.open(storage.clone())?;
//! feed.append(&["hello", "world"])?;
//! drop(feed);
//!
//! let feed = Feed::options().access(Access::Read).key(key_pair.public()).open(storage)?;
//! assert_eq!((feed.length(), feed.byte_length()), (2, 10));
//! assert_eq!(feed.get(1)?, b"world");
//! assert_eq!(feed.seek(7)?, (1, 2));
//! # Ok::<(), sleep::Error>(())
//! ```
//!
//! # What it refuses
//!
//! - Start over. A lost `key` or `bitfield` is an error or a recovery, never a new, empty feed.
//! - Write while it is asked to read. An open for reading changes and creates nothing.
//! - Hand out a block that it has not verified.
//! - Sign with a key that is not the feed's, or append without a signature to a feed that has them.
//! - Take a header on trust: another magic, type, version, algorithm or entry size is refused.
//!
//! # After a crash
//!
//! A batch is there as a whole or not at all. What had returned is there after a kill, and after a power cut
//! too with [`Durability::Strict`] or [`Durability::Ordered`]; an open settles in memory what the files
//! disagree on, and [`Feed::recovery`] tells of it.
//!
//! # Features
//!
//! None.
//!
//! # Source
//!
//! "SLEEP storage", a description of the bytes that was checked against hypercore 6.3.8 to 9.12.0;
//! docs on rules that were taken from it name its sections. What an implementer needs of it stands
//! in `docs/format/sleep.md`.
#![doc = include_str!("damaged.md")]
#![forbid(unsafe_code)]

mod audit;
mod bitfield;
#[cfg(not(canary))]
mod canary;
#[cfg(canary)]
pub mod canary;
mod error;
mod feed;
mod files;
pub mod hashes;
mod header;
pub mod keys;
mod length;
mod node;
mod recovery;
mod repair;
mod signatures;
mod tree;

pub use audit::{AuditProgress, AuditReport, FINDINGS_MAX, Finding, Subject};
pub use bitfield::{Bitfield, Ranges};
pub use error::{Error, Result};
pub use feed::{Appended, BLOCK_LEN_MAX, Blocks, Durability, Feed, FeedOptions, Proof, ProofFault};
pub use files::{Access, FileName, Files, Storage};
pub use hashes::SignatureForm;
pub use header::{FileType, HEADER_LEN, Header, HeaderError, HeaderField, PageSize, StoredHeader};
pub use length::{FEED_LENGTH_MAX, length_of};
pub use node::{NODE_LEN, Node};
pub use recovery::{Recovery, RecoveryError};
pub use repair::{Mended, RepairOptions, RepairProgress, RepairReport, SIZES_TRIED_MAX};
pub use signatures::{SIGNATURE_LEN, SignatureFile};
pub use tree::TreeFile;
