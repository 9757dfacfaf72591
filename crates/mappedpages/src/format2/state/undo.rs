//! Taking back what is staged.

use super::{State, TreeName};
use crate::engine::Result;
use crate::format2::entry::Entry;
use crate::format2::kinds::StoredKind;
use crate::format2::tree::Added;
use crate::pages::Pages;

/// A change, and what it takes to undo it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Undo {
    Taken(u64),
    Released { page: u64, kind: StoredKind },
    Withheld(u64),
    Entry { slot: u64, old: Entry },
    Added(TreeName, Added),
}

impl<const P: usize> State<P> {
    /// How much can be undone.
    pub(crate) fn mark(&self) -> usize {
        self.undo.len()
    }

    /// Runs `stage`; what it staged before it failed, and a growth, are undone.
    pub(crate) fn or_undo<T>(
        &mut self,
        pages: &mut Pages<P>,
        stage: impl FnOnce(&mut Self, &mut Pages<P>) -> Result<T>,
    ) -> Result<T> {
        let (mark, page_count) = (self.mark(), self.page_count);
        let result = stage(self, pages);
        if result.is_err() {
            self.undo_to(pages, mark);
            if self.page_count > page_count && pages.cut(page_count).is_ok() {
                self.untouched_from = self.untouched_from.min(page_count);
            }
            self.set_page_count(page_count);
        }
        result
    }

    /// Undoes what was staged after `mark`.
    pub(crate) fn undo_to(&mut self, pages: &Pages<P>, mark: usize) {
        self.nodes_without_pair.clear();
        while self.undo.len() > mark {
            let Some(undo) = self.undo.pop() else { break };
            let undone = self.undo_one(pages, undo);
            assert!(undone.is_ok(), "what was changed is loaded");
        }
    }

    fn undo_one(&mut self, pages: &Pages<P>, undo: Undo) -> Result<()> {
        match undo {
            Undo::Taken(page) => self.change(pages, page, |leaf, index| {
                leaf.set_kind(index, StoredKind::Free);
                leaf.set_busy(index, false);
                true
            }),
            Undo::Released { page, kind } => {
                self.freed.pop();
                self.change(pages, page, |leaf, index| {
                    leaf.set_kind(index, kind);
                    true
                })
            }
            Undo::Withheld(page) => {
                self.withheld.pop();
                self.hand_back(pages, &[page])
            }
            Undo::Entry { slot, old } => self.set_written(pages, slot, old),
            Undo::Added(TreeName::Allocation, added) => {
                self.allocation.remove(added);
                Ok(())
            }
            Undo::Added(TreeName::Directory, added) => {
                self.directory.remove(added);
                Ok(())
            }
        }
    }

    /// What is staged stays. False: nothing was.
    pub(crate) fn accept(&mut self) -> bool {
        let is_changed = !self.undo.is_empty();
        self.undo.clear();
        is_changed
    }
}
