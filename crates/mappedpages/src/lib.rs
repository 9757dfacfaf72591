//! A crash-consistent, memory-mapped file of fixed-size pages.
//!
//! A [`Pager`] manages a file of pages of one size, addressed by [`PageId`]: what allocators, indexes
//! and stores are built on. It knows nothing of what the pages hold.
#![cfg(unix)]
#![deny(unsafe_code)]

mod engine;
mod error;
mod format1;
mod format2;
mod map;
mod medium;
mod options;
mod page;
mod pages;
mod protected;
mod recovery;

pub use error::MappedPageError;
pub use medium::{Medium, MemoryMedium};
pub use options::{Backing, Durability, Format};
pub use page::{MappedPage, PageId};
pub use protected::ProtectedPageId;
pub use recovery::Recovery;
