//! A crash-consistent, memory-mapped file of fixed-size pages.
//!
//! A [`Pager`] manages a file of pages of one size, addressed by [`PageId`]: what allocators, indexes
//! and stores are built on. It knows nothing of what the pages hold.
#![cfg(unix)]
#![deny(unsafe_code)]

mod allocator;
mod any_engine;
#[cfg(feature = "async")]
mod asynchronous;
mod builder;
mod check;
mod commit;
mod engine;
mod error;
mod flight;
mod format1;
mod format2;
mod group;
mod iterate;
mod map;
mod medium;
mod options;
mod page;
mod pager;
mod pages;
mod protected;
mod read_only;
mod recovery;
#[cfg(doctest)]
mod refused;
mod shared;
mod sub_allocator;
mod transaction;
mod upgrade;

pub use allocator::{BulkPageAllocator, PageAllocator, PageHandle};
pub use builder::Builder;
pub use check::{CheckFigures, CheckReport, Part, Problem, check, check_on};
pub use error::MappedPageError;
pub use iterate::{AllocatedPageIter, AllocatedProtectedPageIter};
pub use medium::{Medium, MemoryMedium};
pub use options::{Backing, Durability, Format};
pub use page::{MappedPage, PageId};
pub use pager::Pager;
pub use protected::{ProtectedPageId, ProtectedPageWriter};
pub use read_only::{PageBuffer, ReadOnlyPageIter, ReadOnlyPager, ReadOnlyProtectedPageIter};
pub use recovery::Recovery;
pub use shared::SharedPager;
pub use sub_allocator::{SubPageAllocator, SubPageId};
pub use transaction::Transaction;
