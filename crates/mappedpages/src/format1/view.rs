//! What a reader asks of a state that was loaded, beside what a writer does.

use super::FormatOne;
use crate::engine::Result;
use crate::error::MappedPageError;
use crate::statistics::EngineFigures;

impl<const P: usize> FormatOne<P> {
    /// The page that holds the content of a protected page, and the checksum of it.
    ///
    /// # Errors
    /// `OutOfBounds`, `Stale`.
    pub(crate) fn place_of_content(&self, id: u64) -> Result<(u64, u32)> {
        let entry = self.live_entry(id, MappedPageError::Stale)?;
        Ok((entry.page(), entry.checksum))
    }

    /// Whether both were loaded from the same state of the file. Two loads with the same result show
    /// that nothing was changed between them: each commit moves a counter in what it writes.
    pub(crate) fn is_same_state(&self, other: &Self) -> bool {
        let blocks = self.blocks.iter().zip(&other.blocks);
        let mut same_blocks = blocks.map(|(block, other)| {
            block.reference == other.reference && block.entries == other.entries
        });
        self.page_zero == other.page_zero
            && self.active == other.active
            && self.generation == other.generation
            && self.used == other.used
            && self.blocks.len() == other.blocks.len()
            && same_blocks.all(|same| same)
    }

    /// What there is, staged changes included.
    pub(crate) fn figures(&self) -> EngineFigures {
        let entries = self.blocks.iter().flat_map(|block| &block.entries);
        EngineFigures {
            regular: self.used.count().saturating_sub(self.internal.count()),
            protected: entries.filter(|entry| entry.in_use).count() as u64,
            directory_levels: 1,
            contents_waiting: self.staged.len().saturating_add(self.accepted.len()) as u64,
            ..EngineFigures::default()
        }
    }
}
