//! Sparse storage in a file.
#![forbid(unsafe_code)]
#![expect(clippy::disallowed_methods, reason = "this is the crate that opens files")]

mod builder;
mod disk;

pub use builder::{Access, Builder, Create, Lock};
pub use disk::RandomAccessDisk;
