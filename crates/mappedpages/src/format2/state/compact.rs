//! Taking what is not regular from the end of a file to where there is room before it.

use super::{State, TreeName, index_of, page_of};
use crate::engine::Result;
use crate::error::MappedPageError;
use crate::format2::entry::Entry;
use crate::format2::kinds::StoredKind;
use crate::format2::layout::FIRST_PAGE_COUNT;
use crate::format2::map_leaf::MapLeaf;
use crate::format2::tree::{Leaf, Place};
use crate::pages::Pages;

/// Something that lies in a pair of pages and may lie in another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Movable {
    /// The first page of the pair.
    pub(crate) first: u64,
    pub(crate) what: Moved,
}

/// What lies in a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    /// A node of the allocation tree.
    MapNode(Place),
    /// A node of the directory.
    DirectoryNode(Place),
    /// The protected page of a slot.
    Slot(u64),
}

/// Where the pages of a state end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ends {
    /// Every page in use lies before this one.
    pub(crate) used: u64,
    /// Every regular page lies before this one.
    pub(crate) regular: u64,
}

impl<const P: usize> State<P> {
    /// Finds where the pages in use end. Costs a look at every map.
    pub(crate) fn ends(&self, pages: &Pages<P>) -> Result<Ends> {
        let mut ends = Ends { used: FIRST_PAGE_COUNT, regular: FIRST_PAGE_COUNT };
        ends.extend(&self.inline, 0, Self::INLINE.min(self.page_count));
        self.allocation.walk(pages, None, &mut |seen| {
            if let Some(leaf) = seen.leaf {
                let first = page_of::<P>(seen.place.first_unit);
                ends.extend(leaf, first, <MapLeaf as Leaf<P>>::UNITS.get());
            }
            Ok(())
        })?;
        Ok(ends)
    }

    /// Counts the regular and the protected pages. Costs a look at every map and entry.
    pub(crate) fn count(&self, pages: &Pages<P>) -> Result<(u64, u64)> {
        let (mut regular, mut protected) = (0_u64, 0_u64);
        let mut count = |leaf: &MapLeaf, units: u64| {
            let mut next = leaf.next_regular(0);
            while let Some(index) = next.filter(|index| *index < units) {
                regular = regular.saturating_add(1);
                next = leaf.next_regular(index_of(index.saturating_add(1)));
            }
        };
        count(&self.inline, Self::INLINE);
        self.allocation.walk(pages, None, &mut |seen| {
            seen.leaf.inspect(|leaf| count(leaf, <MapLeaf as Leaf<P>>::UNITS.get()));
            Ok(())
        })?;
        self.directory.walk(pages, None, &mut |seen| {
            let entries = seen.leaf.map_or(&[][..], |leaf| leaf.entries());
            let in_use = entries.iter().filter(|entry| entry.is_in_use()).count();
            protected = protected.saturating_add(in_use as u64);
            Ok(())
        })?;
        Ok((regular, protected))
    }

    /// Everything that lies in a pair of which a page is at or after `end`, the last first.
    pub(crate) fn movable_from(&self, pages: &Pages<P>, end: u64) -> Result<Vec<Movable>> {
        let mut found = Vec::new();
        let mut note = |first: u64, what| {
            if first.saturating_add(1) >= end {
                found.push(Movable { first, what });
            }
        };
        self.allocation.walk(pages, None, &mut |seen| {
            note(seen.reference.first, Moved::MapNode(seen.place));
            Ok(())
        })?;
        self.directory.walk(pages, None, &mut |seen| {
            note(seen.reference.first, Moved::DirectoryNode(seen.place));
            for (slot, entry) in
                (seen.place.first_unit..).zip(seen.leaf.map_or(&[][..], |leaf| leaf.entries()))
            {
                if entry.is_in_use() {
                    note(entry.first, Moved::Slot(slot));
                }
            }
            Ok(())
        })?;
        found.sort_unstable_by_key(|movable| std::cmp::Reverse(movable.first));
        Ok(found)
    }

    /// Moves the pair `from` to the lowest place there is for it before `from`. `None`: there is none.
    ///
    /// A node is at its new place with the next commit; the entry of a slot is left to the caller.
    pub(crate) fn move_down(&mut self, pages: &mut Pages<P>, from: Movable) -> Result<Option<u64>> {
        let place = match from.what {
            Moved::MapNode(place) => Some((TreeName::Allocation, place)),
            Moved::DirectoryNode(place) => Some((TreeName::Directory, place)),
            Moved::Slot(_) => None,
        };
        let is_there = match place {
            Some((TreeName::Allocation, place)) => self.allocation.load_path(pages, place)?,
            Some((TreeName::Directory, place)) => self.directory.load_path(pages, place)?,
            None => true,
        };
        if !is_there {
            return Err(MappedPageError::CorruptMetadata);
        }
        let Some(to) = self.find_pair(pages, 0, u32::MAX)?.filter(|to| *to < from.first) else {
            return Ok(None);
        };
        self.or_undo(pages, |state, pages| {
            state.take(pages, to, StoredKind::Held)?;
            state.take(pages, to.saturating_add(1), StoredKind::Held)?;
            state.give_pairs(pages)?;
            state.release(pages, from.first)?;
            state.release(pages, from.first.saturating_add(1))
        })?;
        match place {
            Some((TreeName::Allocation, place)) => self.allocation.move_pair(place, to),
            Some((TreeName::Directory, place)) => self.directory.move_pair(place, to),
            None => {}
        }
        Ok(Some(to))
    }

    /// Takes maps in which nothing is used out of the tree. Gives how many.
    pub(crate) fn remove_empty_maps(&mut self, pages: &Pages<P>) -> Result<u64> {
        let mut empty = Vec::new();
        self.allocation.walk(pages, None, &mut |seen| {
            if seen.leaf.is_some_and(|leaf| Leaf::<P>::busy(leaf) == 0) {
                empty.push((seen.place, seen.reference.first));
            }
            Ok(())
        })?;
        let mut removed = 0_u64;
        for (place, first) in empty {
            // Its own pages may have been those of another one's map that is looked at later.
            for page in [first, first.saturating_add(1)] {
                if self.kind(pages, page)? != StoredKind::Held {
                    return Err(MappedPageError::CorruptMetadata);
                }
            }
            if self.allocation.remove_empty(place) {
                self.release(pages, first)?;
                self.release(pages, first.saturating_add(1))?;
                removed = removed.saturating_add(1);
            }
        }
        Ok(removed)
    }

    /// Lets the file end before page `page_count`, from which on nothing is used or withheld.
    pub(crate) fn end_at(&mut self, page_count: u64) {
        self.set_page_count(page_count);
        self.untouched_from = self.untouched_from.min(page_count);
    }

    /// The entry of a protected page that was moved: `old` as a page that nothing was written to.
    pub(crate) fn set_moved(
        &mut self,
        pages: &mut Pages<P>,
        slot: u64,
        old: Entry,
        first: u64,
    ) -> Result<()> {
        let entry = Entry { first, is_blank: true, reuse: old.reuse, ..Entry::default() };
        self.set_entry(pages, slot, entry)
    }
}

impl Ends {
    /// Takes in a map of which `units` pages from `first` on exist.
    fn extend(&mut self, leaf: &MapLeaf, first: u64, units: u64) {
        for unit in (0..units).rev() {
            let end = first.saturating_add(unit).saturating_add(1);
            if end <= self.regular {
                break;
            }
            match leaf.kind(index_of(unit)) {
                StoredKind::Free => {}
                StoredKind::Held => self.used = self.used.max(end),
                StoredKind::Regular | StoredKind::Blank => {
                    self.used = self.used.max(end);
                    self.regular = end;
                    break;
                }
            }
        }
    }
}
