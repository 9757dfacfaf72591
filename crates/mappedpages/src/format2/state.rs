//! The state that a record leads to, in memory, with what is staged on top: which pages are in use, and
//! where protected pages lie.
//!
//! Invariants: a page is taken only when it is neither used nor withheld; whatever is changed can be
//! undone back to any mark; every node has a pair when a call that changes something has returned. Knows
//! nothing of page contents, journals and commits.

mod compact;
mod find;
mod undo;

pub(crate) use compact::{Ends, Movable, Moved};

use super::entry::Entry;
use super::kinds::StoredKind;
use super::layout::inline_units;
use super::map_leaf::MapLeaf;
use super::record::{Record, Root};
use super::slot_leaf::SlotLeaf;
use super::tree::{Added, Leaf, Place, Tree};
use crate::engine::Result;
use crate::error::MappedPageError;
use crate::pages::Pages;

use undo::Undo;

/// Regions that one search for two adjacent pages looks into before it takes two at the end of the file
/// instead. Those in which it found none are known from then on.
const PAIR_SCANS: u32 = 16;

/// A growth doubles the file up to a step of so many bytes.
const DOUBLING_LEN_MAX: u64 = 64 << 20;
/// Beyond, a step is this part of the file ...
const GROWTH_DIVISOR: u64 = 8;
/// ... but never more bytes than this.
const GROWTH_LEN_MAX: u64 = 1 << 30;

/// Which tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TreeName {
    Allocation,
    Directory,
}

/// What is in use, and where.
#[derive(Debug)]
pub(crate) struct State<const P: usize> {
    page_count: u64,
    /// Pages from here on were never given out since they were added, so they are zeros.
    untouched_from: u64,
    inline: MapLeaf,
    allocation: Tree<MapLeaf, P>,
    directory: Tree<SlotLeaf, P>,
    undo: Vec<Undo>,
    /// Nodes that have no pair yet. Empty between calls.
    nodes_without_pair: Vec<(TreeName, Place)>,
    /// Pages freed since the last commit was written: used by the durable state.
    freed: Vec<u64>,
    /// Pages withheld for the journal of the next commit.
    withheld: Vec<u64>,
}

/// Adjacent pages that were taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) first: u64,
    pub(crate) count: u64,
    untouched_from: u64,
}

impl Run {
    pub(crate) fn end(&self) -> u64 {
        self.first.saturating_add(self.count)
    }

    /// How many of them, from the first on, may hold something else than zeros.
    pub(crate) fn touched(&self) -> u64 {
        self.untouched_from.saturating_sub(self.first).min(self.count)
    }
}

impl<const P: usize> State<P> {
    /// Units that the inline map describes.
    const INLINE: u64 = inline_units(P);

    /// The state of a new file.
    pub(crate) fn first(page_count: u64) -> Self {
        Self::with(MapLeaf::first(P), Root::EMPTY, Root::EMPTY, page_count)
    }

    /// The state of `record`, whose inline map is `map`. `None`: no writer stores such a map.
    pub(crate) fn of(record: &Record, map: &[u8]) -> Option<Self> {
        let inline = MapLeaf::parse_inline(map, record.page_count)?;
        Some(Self::with(inline, record.allocation, record.directory, record.page_count))
    }

    fn with(inline: MapLeaf, allocation: Root, directory: Root, page_count: u64) -> Self {
        Self {
            page_count,
            untouched_from: page_count,
            inline,
            allocation: Tree::new(allocation, page_count),
            directory: Tree::new(directory, page_count),
            undo: Vec::new(),
            nodes_without_pair: Vec::new(),
            freed: Vec::new(),
            withheld: Vec::new(),
        }
    }

    pub(crate) fn page_count(&self) -> u64 {
        self.page_count
    }

    /// Pages that nobody has, withheld ones included.
    pub(crate) fn free_page_count(&self) -> u64 {
        let used = self.inline.used().saturating_add(self.allocation.used());
        self.page_count.saturating_sub(used)
    }

    /// Pages that can be given out now.
    fn available(&self) -> u64 {
        let busy = self.inline.busy().saturating_add(self.allocation.busy());
        self.page_count.saturating_sub(busy)
    }

    pub(crate) fn allocation(&self) -> &Tree<MapLeaf, P> {
        &self.allocation
    }

    pub(crate) fn directory(&self) -> &Tree<SlotLeaf, P> {
        &self.directory
    }

    /// What a page is.
    #[inline]
    pub(crate) fn kind(&self, pages: &Pages<P>, page: u64) -> Result<StoredKind> {
        if page >= self.page_count {
            return Err(MappedPageError::OutOfBounds);
        }
        match page.checked_sub(Self::INLINE) {
            None => Ok(self.inline.kind(index_of(page))),
            Some(unit) => {
                let leaf = self.allocation.leaf(pages, unit)?;
                Ok(leaf.map_or(StoredKind::Free, |(leaf, index)| leaf.kind(index)))
            }
        }
    }

    /// What the directory says of a slot.
    pub(crate) fn entry(&self, pages: &Pages<P>, slot: u64) -> Result<Entry> {
        let leaf = self.directory.leaf(pages, slot)?;
        Ok(leaf.map_or_else(Entry::default, |(leaf, index)| leaf.entry(index)))
    }

    /// Takes the lowest page that can be given out, and those behind it, up to `count` and up to one that
    /// can not. From `untouched_from` on they are known to be zeros.
    pub(crate) fn take_lowest(
        &mut self,
        pages: &mut Pages<P>,
        kind: StoredKind,
        count: u64,
    ) -> Result<Run> {
        let first = self.lowest(pages)?;
        self.add_map_nodes(pages, first)?;
        let room = self.page_count.saturating_sub(first);
        // The pages of a new node come right behind the first that it describes.
        let most = if self.nodes_without_pair.is_empty() { count.min(room) } else { 1 };
        let mut taken = 0;
        self.change(pages, first, |leaf, index| {
            taken = leaf.take_run(index, kind, most);
            true
        })?;
        let run = Run { first, count: taken, untouched_from: self.untouched_from };
        self.untouched_from = self.untouched_from.max(run.end());
        self.undo.extend((first..run.end()).map(Undo::Taken));
        self.give_pairs(pages)?;
        Ok(run)
    }

    /// Takes pages that are free, in ascending order; the file becomes as long as they need.
    pub(crate) fn take_given(&mut self, pages: &mut Pages<P>, given: &[u64]) -> Result<()> {
        if let Some(last) = given.last().filter(|last| **last >= self.page_count) {
            self.grow(pages, last.saturating_sub(self.page_count).saturating_add(1))?;
        }
        for page in given {
            self.take(pages, *page, StoredKind::Regular)?;
        }
        // After all of them are taken: the pages of nodes are chosen.
        self.give_pairs(pages)
    }

    /// Withholds the lowest page that can be given out, for the journal of the next commit.
    pub(crate) fn withhold_lowest(&mut self, pages: &mut Pages<P>) -> Result<()> {
        let page = self.lowest(pages)?;
        self.add_map_nodes(pages, page)?;
        self.set_busy(pages, page)?;
        self.untouched_from = self.untouched_from.max(page.saturating_add(1));
        self.undo.push(Undo::Withheld(page));
        self.withheld.push(page);
        self.give_pairs(pages)
    }

    /// Takes two adjacent pages, for a protected page.
    pub(crate) fn take_pair(&mut self, pages: &mut Pages<P>) -> Result<u64> {
        let first = self.take_bare_pair(pages)?;
        self.give_pairs(pages)?;
        Ok(first)
    }

    /// Frees a page in use. It can be given out once a commit that frees it is durable.
    pub(crate) fn release(&mut self, pages: &Pages<P>, page: u64) -> Result<()> {
        let kind = self.kind(pages, page)?;
        self.change(pages, page, |leaf, index| {
            leaf.release(index);
            true
        })?;
        self.undo.push(Undo::Released { page, kind });
        self.freed.push(page);
        Ok(())
    }

    /// Gives a slot another entry.
    pub(crate) fn set_entry(
        &mut self,
        pages: &mut Pages<P>,
        slot: u64,
        entry: Entry,
    ) -> Result<()> {
        let old = self.entry(pages, slot)?;
        let mut added = Vec::new();
        self.directory.add_nodes(pages, slot, &mut added)?;
        self.note_added(TreeName::Directory, added);
        self.directory.update(pages, slot, |leaf, index| {
            leaf.set(index, entry);
            true
        })?;
        self.undo.push(Undo::Entry { slot, old });
        self.give_pairs(pages)
    }

    /// Notes that a protected page has the content that the commit writes. Not undone.
    pub(crate) fn set_written(&mut self, pages: &Pages<P>, slot: u64, entry: Entry) -> Result<()> {
        self.directory.update(pages, slot, |leaf, index| {
            leaf.set(index, entry);
            true
        })
    }

    /// Makes a page that was given out as zeros one like others. Not undone.
    pub(crate) fn set_regular(&mut self, pages: &Pages<P>, page: u64) -> Result<()> {
        self.change(pages, page, |leaf, index| {
            leaf.set_kind(index, StoredKind::Regular);
            true
        })
    }

    /// Withholds a page of a journal that was committed before. Not undone.
    ///
    /// # Errors
    /// `CorruptMetadata` when it is none that a journal can lie in, or is withheld for another content.
    pub(crate) fn withhold_again(&mut self, pages: &Pages<P>, page: u64) -> Result<()> {
        let is_open = match page.checked_sub(Self::INLINE) {
            None => !self.inline.is_busy(index_of(page)),
            Some(unit) => {
                let leaf = self.allocation.leaf(pages, unit)?;
                leaf.is_some_and(|(leaf, index)| !leaf.is_busy(index))
            }
        };
        is_open.then_some(()).ok_or(MappedPageError::CorruptMetadata)?;
        self.set_busy(pages, page)
    }

    fn set_busy(&mut self, pages: &Pages<P>, page: u64) -> Result<()> {
        self.change(pages, page, |leaf, index| {
            leaf.set_busy(index, true);
            false
        })
    }

    /// Pages freed since the last call.
    pub(crate) fn take_freed(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.freed)
    }

    /// How many pages are withheld for the journal of the next commit.
    pub(crate) fn withheld_count(&self) -> usize {
        self.withheld.len()
    }

    /// The pages withheld for the journal of the next commit.
    pub(crate) fn take_withheld(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.withheld)
    }

    /// Lets free pages be given out again.
    pub(crate) fn hand_back(&mut self, pages: &Pages<P>, free: &[u64]) -> Result<()> {
        for &page in free {
            self.change(pages, page, |leaf, index| {
                assert!(leaf.kind(index) == StoredKind::Free, "a page in use is handed back");
                leaf.set_busy(index, false);
                false
            })?;
        }
        Ok(())
    }

    /// Takes a page of choice, as if all before it were in use.
    #[cfg(test)]
    pub(crate) fn take_at(&mut self, pages: &mut Pages<P>, page: u64) -> Result<()> {
        self.take(pages, page, StoredKind::Regular)?;
        self.give_pairs(pages)
    }

    /// Lengthens the file by exactly so many pages.
    #[cfg(test)]
    pub(crate) fn grow_by(&mut self, pages: &mut Pages<P>, count: u64) -> Result<()> {
        pages.grow(self.page_count.saturating_add(count))?;
        self.set_page_count(self.page_count.saturating_add(count));
        Ok(())
    }

    /// Makes room for `count` pages more, so that they are not found piece by piece.
    pub(crate) fn reserve(&mut self, pages: &mut Pages<P>, count: u64) -> Result<()> {
        let missing = count.saturating_sub(self.available());
        if missing == 0 {
            return Ok(());
        }
        // Their maps need pages, too.
        let leaves = missing / <MapLeaf as Leaf<P>>::UNITS;
        self.grow(pages, missing.saturating_add(leaves.saturating_mul(3)))
    }

    /// Writes the changed nodes, and gives what the record says of the rest: the inline map, and the
    /// roots of the allocation tree and of the directory.
    pub(crate) fn write(
        &mut self,
        pages: &mut Pages<P>,
        generation: u64,
        inline_map: &mut [u8],
    ) -> Result<(Root, Root)> {
        assert!(self.undo.is_empty(), "a commit of what is not accepted");
        self.directory.write_changed(pages, generation)?;
        self.allocation.write_changed(pages, generation)?;
        self.inline.write(inline_map);
        Ok((self.allocation.root(), self.directory.root()))
    }

    /// The lowest page that can be given out, in a longer file when there is none in this one.
    fn lowest(&mut self, pages: &mut Pages<P>) -> Result<u64> {
        match self.lowest_now(pages)? {
            Some(page) => Ok(page),
            None => {
                self.grow(pages, 1)?;
                self.lowest_now(pages)?.ok_or(MappedPageError::CorruptMetadata)
            }
        }
    }

    fn take(&mut self, pages: &Pages<P>, page: u64, kind: StoredKind) -> Result<()> {
        self.add_map_nodes(pages, page)?;
        self.change(pages, page, |leaf, index| {
            leaf.take(index, kind);
            true
        })?;
        self.untouched_from = self.untouched_from.max(page.saturating_add(1));
        self.undo.push(Undo::Taken(page));
        Ok(())
    }

    /// Takes two adjacent pages; nodes that their map needs may be left without pairs.
    fn take_bare_pair(&mut self, pages: &mut Pages<P>) -> Result<u64> {
        let first = self.lowest_pair(pages)?;
        self.take(pages, first, StoredKind::Held)?;
        self.take(pages, first.saturating_add(1), StoredKind::Held)?;
        Ok(first)
    }

    fn lowest_pair(&mut self, pages: &mut Pages<P>) -> Result<u64> {
        if let Some(first) = self.find_pair(pages, 0, PAIR_SCANS)? {
            return Ok(first);
        }
        if let Some(first) = self.find_pair(pages, self.untouched_from, 2)? {
            return Ok(first);
        }
        match self.grow(pages, 3) {
            Ok(()) => {
                // The last page of before may be the first of the pair.
                let from = self.untouched_from.saturating_sub(1);
                if let Some(first) = self.find_pair(pages, from, 3)? {
                    return Ok(first);
                }
            }
            Err(MappedPageError::Full) => {}
            Err(error) => return Err(error),
        }
        self.find_pair(pages, 0, u32::MAX)?.ok_or(MappedPageError::Full)
    }

    /// Gives every node that was added its pair.
    fn give_pairs(&mut self, pages: &mut Pages<P>) -> Result<()> {
        // A pair may lie in a region whose map needs nodes itself; no region does so twice.
        while let Some((tree, place)) = self.nodes_without_pair.pop() {
            let first = self.take_bare_pair(pages)?;
            match tree {
                TreeName::Allocation => self.allocation.set_pair(place, first),
                TreeName::Directory => self.directory.set_pair(place, first),
            }
        }
        Ok(())
    }

    fn add_map_nodes(&mut self, pages: &Pages<P>, page: u64) -> Result<()> {
        if let Some(unit) = page.checked_sub(Self::INLINE) {
            let mut added = Vec::new();
            self.allocation.add_nodes(pages, unit, &mut added)?;
            self.note_added(TreeName::Allocation, added);
        }
        Ok(())
    }

    fn note_added(&mut self, tree: TreeName, added: Vec<Added>) {
        for added in added {
            self.undo.push(Undo::Added(tree, added));
            if let Added::Node(place) = added {
                self.nodes_without_pair.push((tree, place));
            }
        }
    }

    fn change(
        &mut self,
        pages: &Pages<P>,
        page: u64,
        change: impl FnOnce(&mut MapLeaf, usize) -> bool,
    ) -> Result<()> {
        match page.checked_sub(Self::INLINE) {
            None => {
                change(&mut self.inline, index_of(page));
                Ok(())
            }
            Some(unit) => self.allocation.update(pages, unit, change),
        }
    }

    /// Lengthens the file by at least `count` pages.
    fn grow(&mut self, pages: &mut Pages<P>, count: u64) -> Result<()> {
        let least = self.page_count.checked_add(count).ok_or(MappedPageError::Full)?;
        let len = self.page_count.saturating_mul(P as u64);
        let step = len.min(DOUBLING_LEN_MAX.max(len / GROWTH_DIVISOR).min(GROWTH_LEN_MAX));
        let wanted = self.page_count.saturating_add(step >> P.trailing_zeros()).max(least);
        let page_count = match pages.grow(wanted) {
            Ok(()) => wanted,
            Err(MappedPageError::Full) if least < wanted => {
                pages.grow(least)?;
                least
            }
            Err(error) => return Err(error),
        };
        self.set_page_count(page_count);
        Ok(())
    }

    fn set_page_count(&mut self, page_count: u64) {
        self.page_count = page_count;
        self.allocation.set_page_count(page_count);
        self.directory.set_page_count(page_count);
    }
}

/// The page of a unit of the allocation tree.
fn page_of<const P: usize>(unit: u64) -> u64 {
    unit.saturating_add(inline_units(P))
}

/// A place inside a leaf: less than four times the bytes of a page.
#[expect(clippy::cast_possible_truncation, reason = "less than four times the bytes of a page")]
fn index_of(unit: u64) -> usize {
    unit as usize
}
