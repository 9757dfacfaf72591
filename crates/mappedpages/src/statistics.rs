//! Figures about a file and what was done to it.

use crate::any_engine::Form;
use crate::engine::{Engine as _, Result};
use crate::error::MappedPageError;
use crate::options::Format;
use crate::pager::Pager;

/// Figures about a page file, as the pager has it in memory: what is accepted and not yet durable counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// The format of the file.
    pub format: Format,
    /// See [`Pager::generation`].
    pub generation: u64,
    /// Bytes of the file.
    pub file_len: u64,
    /// Pages of the file.
    pub pages: u64,
    /// Pages that nobody has.
    pub pages_free: u64,
    /// Regular pages.
    pub pages_regular: u64,
    /// Pages that the pager keeps for itself: the reserved ones, both copies of protected pages, and the
    /// books.
    pub pages_internal: u64,
    /// Protected pages.
    pub protected: u64,
    /// Format 2: levels of nodes that say which page is what, beside the map in the metadata pages.
    pub allocation_levels: u8,
    /// Levels of nodes of the directory of protected pages; in format 1, where it has no tree, 1.
    pub directory_levels: u8,
    /// New contents of pages that wait for a commit.
    pub contents_waiting: u64,
    /// Format 2: pages that hold the journals of the last two commits; they count as free.
    pub journal_pages: u64,
    /// Commits that became durable since the pager was opened.
    pub commits: u64,
    /// Syncs that the pager waited for since it was opened, for commits and flushes.
    pub syncs: u64,
}

/// What a pager did since it was opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Activity {
    commits: u64,
    syncs: u64,
}

/// What only the engine knows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EngineFigures {
    pub(crate) regular: u64,
    pub(crate) protected: u64,
    pub(crate) allocation_levels: u8,
    pub(crate) directory_levels: u8,
    pub(crate) contents_waiting: u64,
    pub(crate) journal_pages: u64,
}

impl Activity {
    pub(crate) const NONE: Self = Self { commits: 0, syncs: 0 };

    /// Counts a sync, and the commit that became durable with it.
    pub(crate) fn count(&mut self, is_commit: bool) {
        self.syncs = self.syncs.saturating_add(1);
        self.commits = self.commits.saturating_add(is_commit.into());
    }
}

impl<const PAGE_SIZE: usize> Pager<PAGE_SIZE> {
    /// Counts what the file holds. Costs a look at every map and every part of the directory.
    ///
    /// # Errors
    /// `Unavailable`; `CorruptMetadata` or `CorruptProtectedDirectory` when the books are damaged; `Io`.
    pub fn statistics(&self) -> Result<Statistics> {
        if self.failed {
            return Err(MappedPageError::Unavailable);
        }
        let figures = match &self.engine.form {
            Form::One(engine) => engine.figures(),
            Form::Two(engine) => engine.figures(&self.pages)?,
        };
        let pages = self.engine.page_count();
        let pages_free = self.engine.free_page_count();
        Ok(Statistics {
            format: self.format(),
            generation: self.engine.generation(),
            file_len: self.pages.count().saturating_mul(PAGE_SIZE as u64),
            pages,
            pages_free,
            pages_regular: figures.regular,
            pages_internal: pages.saturating_sub(pages_free).saturating_sub(figures.regular),
            protected: figures.protected,
            allocation_levels: figures.allocation_levels,
            directory_levels: figures.directory_levels,
            contents_waiting: figures.contents_waiting,
            journal_pages: figures.journal_pages,
            commits: self.activity.commits,
            syncs: self.activity.syncs,
        })
    }
}
