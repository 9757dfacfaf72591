//! Readers beside a writer: one committed state of a file, read without a lock and without a write.
//!
//! A reader copies bytes into buffers of its own and never refers to memory that a writer may change.
//! It takes one committed state when it is opened or refreshed, and answers every call from that
//! state or not at all: once the writer may have put something else in its place the answer is
//! [`MappedPageError::Stale`].
//!
//! Invariants: nothing is written; each call does a bounded amount of work, whatever a writer does.
//! Knows nothing of pagers.

mod buffer;
mod heads;
mod iterate;
mod source;
mod state_one;
mod state_two;
mod tree;
mod view;
pub(crate) mod written;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use buffer::PageBuffer;
pub use iterate::{ReadOnlyPageIter, ReadOnlyProtectedPageIter};

pub(crate) use heads::{Head, Heads};
pub(crate) use source::Source;
pub(crate) use tree::{NodeError, Place, Tree};

use crate::any_engine::format_of;
use crate::medium::{FileMedium, Medium};
use crate::options::Format;
use crate::page::PageId;
use crate::pager::Pager;
use crate::protected::ProtectedPageId;
use state_one::StateOne;
use state_two::State;
use view::{Origin, Result, View};

/// A committed state of a file of pages of `PAGE_SIZE` bytes, to be read.
///
/// Any number of readers may be open beside one writer, in this process or others, in either format.
/// A reader sees the file as one commit left it; what a transaction wrote is there wholly or not at all.
/// The state may be a moment ahead of the writer, whose commit is there but whose sync has
/// not returned yet: a power cut may take that commit back.
///
/// Two things are outside of that. What a writer stores into a regular page directly, without a
/// [`Transaction`](crate::Transaction), may be seen at any time and in part. And pages of a writer
/// with [`Backing::Positioned`](crate::Backing::Positioned) that were stored to directly are seen with
/// its next commit or flush.
///
/// The state is kept by nobody: when the writer has made the next commit durable, calls may answer
/// [`Stale`](crate::MappedPageError::Stale) from then on. [`refresh`](Self::refresh) and try again.
///
/// # Examples
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("pages");
/// use mappedpages::{Pager, ReadOnlyPager};
///
/// let mut pager = Pager::<4096>::create(&path)?;
/// let id = pager.alloc_protected()?;
///
/// let mut reader = ReadOnlyPager::<4096>::open(&path)?;
/// let mut writer = id.get_mut(&mut pager)?;
/// writer.page_mut().as_bytes_mut()[0] = 7;
/// writer.commit()?;
///
/// assert!(reader.refresh()?);
/// assert_eq!(reader.get_protected_page(id)?.as_bytes()[0], 7);
/// # Ok(())
/// # }
/// ```
pub struct ReadOnlyPager<const PAGE_SIZE: usize> {
    medium: Origin,
    /// Where the file was found, for a reader of a file.
    file: Option<(PathBuf, Arc<FileMedium>)>,
    view: Box<dyn View>,
    format: Format,
}

impl<const PAGE_SIZE: usize> ReadOnlyPager<PAGE_SIZE> {
    /// Opens the file at `path` in whichever format it is, beside a writer or without one.
    ///
    /// # Errors
    /// `InvalidPageSize`; `CorruptSuperblock` when it is no page file; `CorruptMetadata`,
    /// `CorruptDirectoryIndex`, `CorruptProtectedDirectory`, `CutShort` when it is damaged; `Stale` when
    /// a writer commits faster than a state can be read; else `Io`.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = Arc::new(FileMedium::open_read_only(path)?);
        let medium = Arc::<FileMedium>::clone(&file);
        Self::pin(medium, Some((path.to_path_buf(), file)))
    }

    /// As [`open`](Self::open), on a medium that holds a page file. Nothing of it is called that writes.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn open_on(medium: Arc<dyn Medium>) -> Result<Self> {
        Self::pin(medium, None)
    }

    fn pin(medium: Origin, file: Option<(PathBuf, Arc<FileMedium>)>) -> Result<Self> {
        const { assert!(PAGE_SIZE >= 1024 && PAGE_SIZE.is_power_of_two(), "not a page size") };
        let format = format_of::<PAGE_SIZE>(&*medium)?;
        let view: Box<dyn View> = match format {
            Format::One => Box::new(StateOne::<PAGE_SIZE>::pin(&medium)?),
            Format::Two => Box::new(State::pin(&medium, PAGE_SIZE)?),
        };
        Ok(Self { medium, file, view, format })
    }

    /// Goes on to the newest committed state. False: the reader has it already.
    ///
    /// A file that was replaced by another one under the same name is opened anew.
    ///
    /// # Errors
    /// Those of [`open`](Self::open); the reader stays where it is then.
    pub fn refresh(&mut self) -> Result<bool> {
        let is_replaced = match &self.file {
            Some((path, file)) => !file.is_at(path)?,
            None => false,
        };
        if is_replaced && let Some((path, _)) = &self.file {
            *self = Self::open(path)?;
            return Ok(true);
        }
        if self.view.is_newest(&self.medium)? {
            return Ok(false);
        }
        let was = self.view.generation();
        *self = Self::pin(Arc::clone(&self.medium), self.file.clone())?;
        Ok(self.view.generation() != was)
    }

    /// The length of a page in bytes: `PAGE_SIZE`.
    #[must_use]
    pub const fn page_size(&self) -> usize {
        PAGE_SIZE
    }

    /// Pages of the file, with the reserved ones 0 to 2 and those that the pager keeps for itself.
    #[must_use]
    pub fn page_count(&self) -> u64 {
        self.view.page_count()
    }

    /// Pages that nobody has.
    #[must_use]
    pub fn free_page_count(&self) -> u64 {
        self.view.free_page_count()
    }

    /// Counts the commits since the file was made, up to the state that this reader sees. In format 1
    /// only those count that changed which pages are in use.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.view.generation()
    }

    /// The format of the file.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Reads a regular page.
    ///
    /// # Errors
    /// `Stale` when the page is free, or the writer has moved on; `OutOfBounds`, `ReservedPage`;
    /// `CorruptPage`, `CorruptMetadata`, `CutShort` when the file is damaged; `Io`.
    pub fn get_page(&self, id: PageId<PAGE_SIZE>) -> Result<PageBuffer<PAGE_SIZE>> {
        let mut buffer = PageBuffer::new();
        self.get_page_into(id, &mut buffer)?;
        Ok(buffer)
    }

    /// Reads a regular page into a buffer. On an error it holds anything.
    ///
    /// # Errors
    /// Those of [`get_page`](Self::get_page).
    pub fn get_page_into(
        &self,
        id: PageId<PAGE_SIZE>,
        into: &mut PageBuffer<PAGE_SIZE>,
    ) -> Result<()> {
        self.view.read_page(&self.medium, id.0, into.as_bytes_mut())
    }

    /// Reads a protected page. Its content is verified.
    ///
    /// # Errors
    /// `Stale` when the id was freed, or the writer has moved on; `OutOfBounds`; `CorruptPage`,
    /// `CorruptProtectedDirectory` when the file is damaged; `Io`.
    pub fn get_protected_page(
        &self,
        id: ProtectedPageId<PAGE_SIZE>,
    ) -> Result<PageBuffer<PAGE_SIZE>> {
        let mut buffer = PageBuffer::new();
        self.get_protected_page_into(id, &mut buffer)?;
        Ok(buffer)
    }

    /// Reads a protected page into a buffer. On an error it holds anything.
    ///
    /// # Errors
    /// Those of [`get_protected_page`](Self::get_protected_page).
    pub fn get_protected_page_into(
        &self,
        id: ProtectedPageId<PAGE_SIZE>,
        into: &mut PageBuffer<PAGE_SIZE>,
    ) -> Result<()> {
        self.view.read_protected(&self.medium, id.0, into.as_bytes_mut())
    }

    /// Walks the regular pages that are in use, in ascending order.
    pub const fn iter_allocated_pages(&self) -> ReadOnlyPageIter<'_, PAGE_SIZE> {
        ReadOnlyPageIter::new(self)
    }

    /// Walks the protected pages that are in use, in the order of their slots.
    pub const fn iter_allocated_protected_pages(&self) -> ReadOnlyProtectedPageIter<'_, PAGE_SIZE> {
        ReadOnlyProtectedPageIter::new(self)
    }

    /// What the reader reads from.
    pub(crate) fn medium(&self) -> Arc<dyn Medium> {
        Arc::clone(&self.medium)
    }

    fn next_regular(&self, from: u64) -> Result<Option<u64>> {
        self.view.next_regular(&self.medium, from)
    }

    fn next_protected(&self, from_slot: u64) -> Result<Option<u64>> {
        self.view.next_protected(&self.medium, from_slot)
    }
}

impl<const PAGE_SIZE: usize> Pager<PAGE_SIZE> {
    /// Opens the file at `path` to be read only: see [`ReadOnlyPager::open`].
    ///
    /// # Errors
    /// Those of [`ReadOnlyPager::open`].
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<ReadOnlyPager<PAGE_SIZE>> {
        ReadOnlyPager::open(path)
    }
}

impl<const PAGE_SIZE: usize> fmt::Debug for ReadOnlyPager<PAGE_SIZE> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ReadOnlyPager")
            .field("page_size", &PAGE_SIZE)
            .field("format", &self.format)
            .field("page_count", &self.page_count())
            .field("generation", &self.generation())
            .finish_non_exhaustive()
    }
}
