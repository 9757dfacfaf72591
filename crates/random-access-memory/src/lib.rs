//! Sparse storage in memory.
//!
//! [`RandomAccessMemory`] is a [`RandomAccess`] on pages of 1 KiB that are made when first
//! written: a store of a petabyte with two bytes in it costs a few pages. It opens no file and
//! starts no thread.
//!
//! ```
//! use random_access_memory::RandomAccessMemory;
//! use random_access_storage::{Error, RandomAccess};
//!
//! let store = RandomAccessMemory::new();
//! store.write_at(1 << 40, b"far out")?;
//! let same = store.clone(); // clones share the content
//! assert_eq!(same.read_vec_at((1 << 40) - 1, 8)?, b"\0far out");
//! assert_eq!(same.stored_len()?, 1024);
//! # Ok::<(), Error>(())
//! ```
//!
//! # After a crash
//!
//! Nothing is left; [`sync`](RandomAccess::sync) does nothing.
//!
//! # Features
//!
//! None.
#![forbid(unsafe_code)]

mod memory;

pub use memory::RandomAccessMemory;

#[cfg(doc)]
use random_access_storage::RandomAccess;
