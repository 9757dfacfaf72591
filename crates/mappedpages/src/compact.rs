//! Giving space back: the free pages at the end of a file, and those that others can make room for.
//!
//! Invariant: every step is a commit or changes what no state needs, so an interrupted one leaves a
//! whole file. Knows the order of the steps, and of the format only that it can do them.

use crate::any_engine::{AnyEngine, Form};
use crate::engine::{Engine as _, Result};
use crate::error::MappedPageError;
use crate::format2::FormatTwo;
use crate::pager::Pager;
use crate::pages::Pages;

/// Bytes of protected pages that are moved by one commit, and so held in memory.
const MOVED_LEN_MAX: usize = 4 * 1024 * 1024;
/// Passes over a file. One moves nearly all; later ones what found room in what the first made free.
const PASSES_MAX: usize = 16;
/// Commits after which no record names a journal.
const JOURNAL_COMMITS: usize = 3;

impl<const PAGE_SIZE: usize> Pager<PAGE_SIZE> {
    /// Gives the free pages at the end of the file back to the file system. Returns how many.
    ///
    /// No page moves, and every id stays valid. What is not yet durable is committed first.
    ///
    /// # Durability
    /// The shorter file is durable on return. Interrupted, the file has its old length or the new one
    /// and the same content.
    ///
    /// # Errors
    /// `Unsupported` for a file in format 1, whose published writer counts on lengths it made itself;
    /// `Unavailable`; `CorruptMetadata` when a map is damaged; `Io`, after which the pager is
    /// `Unavailable`.
    pub fn shrink(&mut self) -> Result<u64> {
        self.settle()?;
        two(&mut self.engine)?;
        for _ in 0..JOURNAL_COMMITS {
            if !two(&mut self.engine)?.has_journals() {
                break;
            }
            two(&mut self.engine)?.commit_anyway();
            self.settle()?;
        }
        let page_count = self.engine.page_count();
        let end = self.look(|engine, pages| Ok(engine.ends(pages)?.used))?;
        let Some(surplus) = page_count.checked_sub(end).filter(|surplus| *surplus > 0) else {
            return Ok(0);
        };
        self.stage(|engine, _| two(engine).map(|engine| engine.end_at(end)))?;
        self.settle()?;
        self.write(|_, pages| {
            // Makes the seal durable: from then on no open goes back to the commit before.
            pages.flush_dirty()?;
            pages.sync_handle().sync()?;
            pages.cut(end)?;
            Ok(pages.sync_handle().sync()?)
        })?;
        Ok(surplus)
    }

    /// Moves protected pages and what the pager keeps for itself to the start of the file, and
    /// [`shrink`](Self::shrink)s it. Returns how many pages went to the file system.
    ///
    /// Every id stays valid: regular pages never move, since their ids are their places, and the ids of
    /// protected pages say nothing of places. So the file ends after its last regular page, or earlier
    /// pages are full.
    ///
    /// # Durability
    /// As [`shrink`](Self::shrink). It makes a commit for each few megabytes that it moves.
    ///
    /// # Errors
    /// Those of [`shrink`](Self::shrink); `CorruptPage` when a protected page is damaged. What was
    /// moved before stays moved.
    pub fn compact(&mut self) -> Result<u64> {
        self.settle()?;
        two(&mut self.engine)?;
        let pages_per_commit = MOVED_LEN_MAX.checked_div(PAGE_SIZE).unwrap_or(1).max(1);
        for _ in 0..PASSES_MAX {
            let removed = self.stage(|engine, pages| two(engine)?.remove_empty_maps(pages))?;
            self.settle()?;
            let end = self.look(|engine, pages| Ok(engine.ends(pages)?.regular))?;
            let wanted = self.look(|engine, pages| engine.movable_from(pages, end))?;
            let mut moved = 0_usize;
            for batch in wanted.chunks(pages_per_commit) {
                let count = self.stage(|engine, pages| two(engine)?.move_down(pages, batch));
                // What was moved before an error stays moved.
                self.settle()?;
                let count = count?;
                moved = moved.saturating_add(count);
                if count < batch.len() {
                    break;
                }
            }
            if removed == 0 && moved == 0 {
                break;
            }
        }
        self.shrink()
    }

    fn look<T>(
        &mut self,
        look: impl FnOnce(&FormatTwo<PAGE_SIZE>, &Pages<PAGE_SIZE>) -> Result<T>,
    ) -> Result<T> {
        look(two(&mut self.engine)?, &self.pages)
    }
}

fn two<const P: usize>(engine: &mut AnyEngine<P>) -> Result<&mut FormatTwo<P>> {
    match &mut engine.form {
        Form::Two(engine) => Ok(engine),
        Form::One(_) => Err(MappedPageError::Unsupported { what: "give space back" }),
    }
}
