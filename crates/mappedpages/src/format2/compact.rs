//! Shrinking and compacting a file of format 2.
//!
//! A file is cut only at a place that no state needs any more: journals are put to rest first, then a
//! commit that names fewer pages is made durable, then its seal, and only then the file is cut. Protected
//! pages and nodes are moved by ordinary commits, so each step can be interrupted.

use super::FormatTwo;
use super::fields::crc_of;
use super::state::{Ends, Movable, Moved};
use crate::engine::{Engine as _, Result};
use crate::error::MappedPageError;
use crate::pages::Pages;
use crate::protected::id_of;

impl<const P: usize> FormatTwo<P> {
    /// Whether the next open may need a journal.
    pub(crate) fn has_journals(&self) -> bool {
        !self.journal.is_absent() || self.journal_pages.iter().any(|pages| !pages.is_empty())
    }

    /// Makes the next commit one also when nothing was changed.
    pub(crate) const fn commit_anyway(&mut self) {
        self.is_changed = true;
    }

    /// Where the pages in use end.
    pub(crate) fn ends(&self, pages: &Pages<P>) -> Result<Ends> {
        self.state.ends(pages)
    }

    /// What lies in a pair of which a page is at or after `end`, the last first.
    pub(crate) fn movable_from(&self, pages: &Pages<P>, end: u64) -> Result<Vec<Movable>> {
        self.state.movable_from(pages, end)
    }

    /// Lets the file end at `page_count` with the next commit. Nothing behind is used.
    pub(crate) fn end_at(&mut self, page_count: u64) {
        self.state.end_at(page_count);
        self.is_changed = true;
    }

    /// Drops maps that say nothing. Gives how many.
    pub(crate) fn remove_empty_maps(&mut self, pages: &Pages<P>) -> Result<u64> {
        let removed = self.state.remove_empty_maps(pages)?;
        self.accept();
        Ok(removed)
    }

    /// Moves all of `wanted`, which are in descending order, towards the start, until there is no room
    /// before one of them. Gives how many it moved; they are accepted.
    pub(crate) fn move_down(&mut self, pages: &mut Pages<P>, wanted: &[Movable]) -> Result<usize> {
        let mut moved = 0_usize;
        for movable in wanted {
            let is_moved = match movable.what {
                Moved::Slot(slot) => self.move_slot(pages, *movable, slot),
                Moved::MapNode(_) | Moved::DirectoryNode(_) => {
                    self.state.move_down(pages, *movable).map(|to| to.is_some())
                }
            };
            match is_moved {
                Ok(true) => self.accept(),
                Ok(false) => break,
                Err(error) => {
                    self.rollback(pages);
                    return Err(error);
                }
            }
            moved = moved.saturating_add(1);
        }
        Ok(moved)
    }

    fn move_slot(&mut self, pages: &mut Pages<P>, from: Movable, slot: u64) -> Result<bool> {
        let entry = self.state.entry(pages, slot)?;
        let page = entry.page();
        let content: Option<Box<[u8]>> = match entry.is_blank {
            true => None,
            false => Some(pages.page(page)?.into()),
        };
        if content.as_ref().is_some_and(|content| crc_of(content) != entry.crc) {
            return Err(MappedPageError::CorruptPage { page });
        }
        let Some(to) = self.state.move_down(pages, from)? else { return Ok(false) };
        self.state.set_moved(pages, slot, entry, to)?;
        if let Some(content) = content {
            self.protected.stage(id_of(slot, entry.reuse), content);
        }
        Ok(true)
    }
}
