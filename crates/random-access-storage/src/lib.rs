//! One array of bytes with positions: read, write, discard, truncate, sync.
//!
//! [`RandomAccess`] is what a log needs from a file, and nothing else: no cursor, no hidden
//! buffer, no implicit sync, no `&mut self`. It is object safe and meant to be implemented by
//! others; feature `testing` holds a suite that says whether an implementation is right. This
//! crate opens no file and knows no backend.
//!
//! ```
//! use random_access_storage::{Error, RandomAccess, SyncScope};
//!
//! fn greet(store: &dyn RandomAccess) -> Result<Vec<u8>, Error> {
//!     store.write_at(4, b"hello")?;
//!     store.sync(SyncScope::Data)?;
//!     store.read_vec_at(0, 9) // four zeros, then the greeting
//! }
//! ```
//!
//! # What every store does
//!
//! The implementations that came before this one disagree; each row is settled here and tested by
//! the conformance suite. Columns: JavaScript memory 6.2.1, JavaScript file 4.1.2, the published
//! Rust memory 3 and disk 3, and what a [`RandomAccess`] does.
//!
//! | case | JS memory | JS file | Rust memory, disk | here |
//! |---|---|---|---|---|
//! | discard inside the store | nothing inside a page | zeroes | zeroes | zeroes, length unchanged |
//! | discard reaching or passing the end | shrinks to `offset` | length unchanged | truncates to `offset` | truncates to `offset` |
//! | discard starting past the end | length grows to `offset` | nothing | error | nothing, no error |
//! | discard of 0 bytes | nothing | nothing | truncates at the end only | nothing |
//! | grown again after a discard | old bytes return | zeros | zeros | zeros |
//! | truncate upwards | zeros | zeros | zeros | zeros |
//! | grown again after truncate | zeros | zeros | zeros | zeros |
//! | write of 0 bytes past the end | length grows | nothing | length says grown, the file is not | nothing |
//! | read past the end | error | `EPARTIALREAD` | error; disk: zeros when the file was cut by another | [`Error::OutOfBounds`] with offset, length and end |
//! | read of 0 bytes at or before the end | empty | empty | empty | empty |
//! | read of 0 bytes past the end | error | empty | error | [`Error::OutOfBounds`] |
//! | read of more than 2 MiB | right | right | disk with tokio: zeros after 2 MiB | right: loops until all is there |
//! | `offset + len` beyond `u64` | number loses precision | number loses precision | memory: wraps and returns zeros | [`Error::OutOfBounds`] or [`Error::TooLarge`] |
//! | unwritten bytes inside the length | zeros | zeros | zeros | zeros |
//! | sync | none | none | disk: after every write | only when [`sync`](RandomAccess::sync) is called |
//! | two handles | share nothing | `ELOCKED` when asked | separate lengths, no lock | the length is asked of the store each time; locks where the backend has them |
//!
//! # After a crash
//!
//! What was synced is there, unless written over since. Of what was written after the last sync,
//! any part may be there, in any order, torn anywhere, and the length may be the old or the new.
//! A failed [`sync`](RandomAccess::sync) says nothing about what is stored and must not be
//! repeated in the hope of a better answer: reopen, and check.
//!
//! # Features
//!
//! - `testing`: the module `testing` with the conformance suite and test backends.
#![forbid(unsafe_code)]

mod error;
mod storage;
#[cfg(feature = "testing")]
pub mod testing;

pub use error::{Error, Operation, Result};
pub use storage::{RandomAccess, SyncScope};
