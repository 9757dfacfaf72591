//! A crash-consistent, memory-mapped file of fixed-size pages.
//!
//! A [`Pager`] manages a file of pages of one size, addressed by [`PageId`]: what allocators, indexes
//! and stores are built on. It says which pages are in use, gives out references into a memory map, and
//! survives a crash at any write. It knows nothing of what the pages hold.
//!
//! ```
//! use mappedpages::{PageId, Pager, ProtectedPageId};
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("pages");
//! let mut pager = Pager::<4096>::create(&path)?;
//!
//! // A regular page: stores go straight into the file.
//! let page: PageId<4096> = pager.alloc()?;
//! page.get_mut(&mut pager)?.as_bytes_mut()[..5].copy_from_slice(b"hello");
//!
//! // A protected page: the new content counts from the commit on, as a whole. The first of a file has
//! // the id 0, so that a program that opens the file later finds it.
//! let root: ProtectedPageId<4096> = pager.alloc_protected()?;
//! assert_eq!(root, ProtectedPageId(0));
//! let mut writer = root.get_mut(&mut pager)?;
//! writer.page_mut().as_bytes_mut()[..8].copy_from_slice(&page.0.to_le_bytes());
//! writer.commit()?;
//!
//! // Any number of changes in one commit.
//! let mut transaction = pager.transaction()?;
//! let more = transaction.alloc_bulk(100)?;
//! transaction.page_mut(page)?.as_bytes_mut()[..5].copy_from_slice(b"world");
//! transaction.protected_mut(root)?.as_bytes_mut()[8] = 1;
//! transaction.commit()?;
//!
//! pager.close()?;
//! let pager = Pager::<4096>::open(&path)?;
//! assert_eq!(&page.get(&pager)?.as_bytes()[..5], b"world");
//! assert_eq!(pager.iter_allocated_pages().count(), 101);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What there is
//!
//! | to | there is |
//! |---|---|
//! | keep bytes in place | [`PageId`], [`MappedPage`] |
//! | replace a page as a whole, with a checksum that each read verifies | [`ProtectedPageId`], [`ProtectedPageWriter`] |
//! | change many things at once or not at all | [`Transaction`] |
//! | divide pages | [`SubPageAllocator`] |
//! | write from many threads, whose commits share their syncs | [`SharedPager`] |
//! | read beside a writer, also in another process | [`ReadOnlyPager`] |
//! | choose format, durability, or to do without a memory map | [`Builder`] |
//! | write code for any kind of page | [`PageHandle`], [`PageAllocator`], [`BulkPageAllocator`] |
//! | put a pager on something that is no file | [`Medium`] |
//!
//! # What it refuses
//!
//! - References that outlive a call which could move or free pages: they borrow the pager, so that does
//!   not compile. Nor does an id with a pager of another page size, or a page size that is no power of two
//!   or below 1024.
//! - Ids of pages that were freed: `Stale` or `DoubleFree`. (A regular page that was freed and taken again
//!   has its old id; that of a protected page is a new one.) Ids of pages that the pager keeps for itself.
//! - A second writer: the file is locked.
//! - A full disk as a signal: space is reserved when the file grows, so it is [`Full`] there.
//! - To answer when the bytes are not what was written: protected pages and all metadata of the file
//!   have checksums, and what is damaged is an error, never older content. Regular pages have none.
//! - To go on after a failed write or sync: what the medium holds is unknown then, so the pager is
//!   [`Unavailable`] until the file is opened again.
//!
//! A file that another program cuts short while it is mapped ends the process with `SIGBUS`; the lock
//! keeps other pagers from it, not other programs. [`Backing::Positioned`] has no map.
//!
//! # After a crash
//!
//! | | after a kill | after a power cut |
//! |---|---|---|
//! | a commit that returned, [`Immediate`] or [`Barriers`] | all of it | all of it |
//! | a commit that was under way | all of it or nothing | all of it or nothing |
//! | a commit that returned, [`Eventual`] | nothing, or all of it with the next durable commit | the same |
//! | stores to a regular page, after [`flush`] or a durable commit | all | all |
//! | stores to a regular page, before that | all with [`Backing::Mapped`]; any part with [`Backing::Positioned`] | any part, in units of a sector |
//!
//! A power cut may leave any subset of the 512-byte sectors that no sync has covered. [`Pager::recovery`]
//! tells what an open found. Format 1 keeps the same promises with two syncs a commit, or three, in place of one,
//! but cannot hold more in one commit than it can make count at once: a transaction that would is
//! refused with [`Unsupported`], and so are transactional writes of regular pages.
//!
//! # Formats
//!
//! Files are made in [`Format::Two`]. [`Format::One`] is the layout of versions 0.1 and 0.2 of the published
//! crate, whose files are opened as they are. Both are described in `docs/format/`.
//!
//! # Coming from mappedpages 0.2
//!
//! Code that was written for that crate compiles against this one, but for a `match` on errors without
//! `_`. What differs when it runs: a file that is still open is [`Locked`](MappedPageError::Locked); a
//! freed id is [`Stale`](MappedPageError::Stale); pages that are given out hold zeros; the `_async`
//! calls need a tokio runtime. New files are in [`Format::Two`], which that crate does not read:
//! choose [`Format::One`] with a [`Builder`] where it must.
//!
//! # Features
//!
//! - `async`: twins (`alloc_async` and so on) of the calls that sync, for tokio. The sync runs on a
//!   blocking thread; a future that is dropped leaves a whole pager. Without it nothing here knows of a
//!   runtime.
//! - `testing`: for the tests of this crate and of those that build on it.
//!
//! [`Full`]: MappedPageError::Full
//! [`Unavailable`]: MappedPageError::Unavailable
//! [`Unsupported`]: MappedPageError::Unsupported
//! [`Immediate`]: Durability::Immediate
//! [`Barriers`]: Durability::Barriers
//! [`Eventual`]: Durability::Eventual
//! [`flush`]: Pager::flush
#![cfg(unix)]
#![deny(unsafe_code)]

mod allocator;
mod any_engine;
#[cfg(feature = "async")]
mod asynchronous;
mod builder;
#[cfg(not(canary))]
mod canary;
#[cfg(canary)]
pub mod canary;
mod check;
mod commit;
mod compact;
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
mod plain;
mod protected;
mod read_only;
mod recovery;
#[cfg(doctest)]
mod refused;
mod shared;
mod statistics;
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
pub use statistics::Statistics;
pub use sub_allocator::{SubPageAllocator, SubPageId};
pub use transaction::Transaction;
