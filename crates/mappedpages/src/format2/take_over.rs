//! Pages and slots whose numbers are given instead of chosen, so that ids of another file stay valid.

use super::FormatTwo;
use super::entry::Entry;
use crate::engine::Result;
use crate::pages::Pages;

/// A slot of the directory as another file had it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GivenSlot {
    pub(crate) slot: u64,
    pub(crate) reuse: u32,
    /// Whether it holds a page, which is zeros until it is written; else its ids are stale.
    pub(crate) is_in_use: bool,
}

impl<const P: usize> FormatTwo<P> {
    /// Takes regular pages, in ascending order, and slots, all of which are free; the file becomes as long as
    /// that needs. Staged as what `alloc` does.
    ///
    /// # Errors
    /// `Full`, `Io`.
    pub(crate) fn take_over(
        &mut self,
        pages: &mut Pages<P>,
        regular: &[u64],
        slots: &[GivenSlot],
    ) -> Result<()> {
        self.state.or_undo(pages, |state, pages| {
            state.take_given(pages, regular)?;
            for given in slots {
                let entry = Entry { reuse: given.reuse, ..Entry::default() };
                let entry = if given.is_in_use {
                    Entry { first: state.take_pair(pages)?, is_blank: true, ..entry }
                } else {
                    entry.freed()
                };
                state.set_entry(pages, given.slot, entry)?;
            }
            Ok(())
        })
    }
}
