//! Looking for what is in use, and for what can be given out.

use super::{State, index_of, page_of};
use crate::engine::Result;
use crate::format2::entry::Entry;
use crate::format2::map_leaf::MapLeaf;
use crate::format2::tree::Leaf;
use crate::pages::Pages;
use crate::protected::SLOT_BITS;

impl<const P: usize> State<P> {
    /// The first regular page at or after `from`.
    pub(crate) fn next_regular(&self, pages: &Pages<P>, from: u64) -> Result<Option<u64>> {
        if let Some(page) =
            (from < Self::INLINE).then(|| self.inline.next_regular(index_of(from))).flatten()
        {
            return Ok(Some(page));
        }
        let from = from.saturating_sub(Self::INLINE);
        let found = self.allocation.search(
            pages,
            from,
            &|counts| counts.used > 0,
            &mut |first_unit, _, leaf| {
                let start = index_of(from.saturating_sub(first_unit));
                let index = leaf?.next_regular(start)?;
                Some(first_unit.saturating_add(index))
            },
        )?;
        Ok(found.map(page_of::<P>))
    }

    /// The first slot in use at or after `from`, with its entry.
    pub(crate) fn next_slot(&self, pages: &Pages<P>, from: u64) -> Result<Option<(u64, Entry)>> {
        self.directory.search(pages, from, &|counts| counts.used > 0, &mut |first_unit, _, leaf| {
            let leaf = leaf?;
            let index = leaf.next(index_of(from.saturating_sub(first_unit)), Entry::is_in_use)?;
            Some((first_unit.saturating_add(index), leaf.entry(index_of(index))))
        })
    }

    /// The lowest slot that can be given out.
    pub(crate) fn free_slot(&self, pages: &Pages<P>) -> Result<Option<u64>> {
        self.directory.search(
            pages,
            0,
            &|counts| counts.busy < counts.span,
            &mut |first_unit, _, leaf| {
                let index = leaf.map_or(Some(0), |leaf| leaf.next(0, Entry::is_free))?;
                Some(first_unit.saturating_add(index)).filter(|slot| slot >> SLOT_BITS == 0)
            },
        )
    }

    pub(super) fn lowest_now(&self, pages: &Pages<P>) -> Result<Option<u64>> {
        if let Some(page) = self.inline.lowest(Self::INLINE.min(self.page_count)) {
            return Ok(Some(page));
        }
        let found = self.allocation.search(
            pages,
            0,
            &|counts| counts.busy < counts.span,
            &mut |first_unit, counts, leaf| {
                let index = leaf.map_or(Some(0), |leaf| leaf.lowest(counts.span))?;
                Some(first_unit.saturating_add(index))
            },
        )?;
        Ok(found.map(page_of::<P>))
    }

    /// The lowest two adjacent pages that can be given out, from the region of `from` on, of at most
    /// `scans` regions that have to be looked into.
    pub(super) fn find_pair(
        &mut self,
        pages: &Pages<P>,
        from: u64,
        scans: u32,
    ) -> Result<Option<u64>> {
        let inline_span = Self::INLINE.min(self.page_count);
        if from < Self::INLINE && !self.inline.is_pairless(inline_span) {
            if let Some(first) = self.inline.lowest_pair(inline_span) {
                return Ok(Some(first));
            }
            self.inline.set_pairless(inline_span);
        }
        let mut failed = Vec::new();
        let mut scans = scans;
        let found = self.allocation.search(
            pages,
            from.saturating_sub(Self::INLINE),
            &|counts| counts.span.saturating_sub(counts.busy) >= 2,
            &mut |first_unit, counts, leaf| {
                let Some(leaf) = leaf else {
                    // All free, but for a last unit, which has no neighbour in its leaf.
                    let next = first_unit.saturating_add(1);
                    let is_last = (next % <MapLeaf as Leaf<P>>::UNITS) == 0;
                    let first = first_unit.saturating_add(is_last.into());
                    let end = first_unit.saturating_add(counts.span);
                    return (first.saturating_add(1) < end).then_some(Some(first));
                };
                if leaf.is_pairless(counts.span) {
                    return None;
                }
                let found = leaf.lowest_pair(counts.span);
                if found.is_none() {
                    failed.push((first_unit, counts.span));
                    scans = scans.saturating_sub(1);
                }
                match found {
                    Some(index) => Some(Some(first_unit.saturating_add(index))),
                    None => (scans == 0).then_some(None),
                }
            },
        )?;
        for (first_unit, span) in failed {
            self.allocation.update(pages, first_unit, |leaf, _| {
                leaf.set_pairless(span);
                false
            })?;
        }
        Ok(found.flatten().map(page_of::<P>))
    }
}
