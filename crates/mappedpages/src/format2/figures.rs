//! Counting what a file of format 2 holds.

use super::FormatTwo;
use super::record::Root;
use crate::engine::Result;
use crate::pages::Pages;
use crate::statistics::EngineFigures;

impl<const P: usize> FormatTwo<P> {
    /// What there is, staged changes included.
    pub(crate) fn figures(&self, pages: &Pages<P>) -> Result<EngineFigures> {
        let (regular, protected) = self.state.count(pages)?;
        let levels =
            |root: Root| if root.reference.is_absent() { 0 } else { root.level.saturating_add(1) };
        let journal_pages: usize = self.journal_pages.iter().map(Vec::len).sum();
        Ok(EngineFigures {
            regular,
            protected,
            allocation_levels: levels(self.state.allocation().root()),
            directory_levels: levels(self.state.directory().root()),
            contents_waiting: self.regular.len().saturating_add(self.protected.len()) as u64,
            journal_pages: journal_pages as u64,
        })
    }
}
