//! A committed state of a file of format 2, for a reader.
//!
//! Maps, directory and protected pages are believed by their checksums, all the way down from the
//! record. A regular page has none: after it was read, seal and record are read again, and a state that
//! a writer may have begun to overwrite is given up (`Stale`).

use std::collections::HashMap;

use super::heads::{Head, Heads, Standing};
use super::source::Source;
use super::tree::{Leaf, NodeError, Nodes, Tree};
use super::view::{Origin, Result, TURNS_MAX, View};
use super::written::{self, Arrival};
use crate::error::MappedPageError;
use crate::format2::entry::Entry;
use crate::format2::fields::{Reader, crc_of};
use crate::format2::kinds::{StoredKind, kind_at};
use crate::format2::layout::{ENTRY_LEN, RESERVED_PAGES, inline_units, record_page};
use crate::format2::list::ListEntry;
use crate::format2::map_leaf::blank_units;
use crate::protected::{SLOT_BITS, id_of, parts_of};

/// A state of a file with pages of `page_len` bytes.
#[derive(Debug)]
pub(crate) struct State {
    head: Head,
    page_len: usize,
    /// The kind map of the first pages.
    map: Vec<u8>,
    /// Contents that may not be in their places yet, by their places.
    moved: HashMap<u64, ListEntry>,
    nodes: Nodes,
}

/// What a page is, and in which commit it became so.
struct Known {
    kind: StoredKind,
    generation: u64,
}

impl State {
    /// Takes the newest committed state of a file that a writer may be going on with.
    ///
    /// # Errors
    /// `CorruptMetadata`, `CutShort`, `Io`; `Stale` when a writer is faster than the reader.
    pub(crate) fn pin(source: &dyn Source, page_len: usize) -> Result<Self> {
        let mut last: Option<Heads> = None;
        let mut failure = MappedPageError::Stale;
        for turn in 0..TURNS_MAX {
            let heads = Heads::read(source, page_len)?.ok_or(MappedPageError::CorruptMetadata)?;
            // A fault that stays although nobody writes is one of the file. A sector that is being
            // written is not, so one look is not enough.
            let is_quiet = turn > 1 && last.as_ref() == Some(&heads);
            match Self::choose(source, &heads, page_len) {
                Ok(Some(state)) => return Ok(state),
                Ok(None) => {}
                Err(error) if is_quiet => return Err(error),
                Err(error) => failure = error,
            }
            last = Some(heads);
            std::thread::yield_now();
        }
        Err(failure)
    }

    /// The state that `heads` name; `None` when a writer has moved on meanwhile.
    fn choose(source: &dyn Source, heads: &Heads, page_len: usize) -> Result<Option<Self>> {
        let mut candidates = heads.candidates(page_len)?.into_iter();
        let Some(head) = candidates.next() else { return Err(MappedPageError::CorruptMetadata) };
        let failure = match Self::take(source, head, page_len)? {
            Ok(state) => return state.if_kept(source),
            Err(failure) => failure,
        };
        // The newest commit did not arrive: the file has the state of the one before.
        let Some(head) = candidates.next() else {
            return Err(failure);
        };
        match Self::take(source, head, page_len)? {
            Ok(state) => state.if_kept(source),
            Err(failure) => Err(failure),
        }
    }

    fn if_kept(self, source: &dyn Source) -> Result<Option<Self>> {
        let standing = self.head.standing(source, self.page_len)?;
        Ok((standing != Standing::Gone).then_some(self))
    }

    /// The state of one record. The inner error says what of it is not there.
    fn take(
        source: &dyn Source,
        head: Head,
        page_len: usize,
    ) -> Result<std::result::Result<Self, MappedPageError>> {
        let record = head.record;
        let expected = record.page_count.saturating_mul(page_len as u64);
        let len = source.len()?;
        if len < expected {
            return Ok(Err(MappedPageError::CutShort { expected, len }));
        }
        let page = record_page(record.generation);
        let map = source.page(page, page_len)?;
        let map = map.as_deref().and_then(|page| record.inline_map(page)).map(<[u8]>::to_vec);
        let Some(map) = map else { return Ok(Err(MappedPageError::CorruptMetadata)) };
        let mut moved = HashMap::new();
        for journal in [record.journal_before, record.journal] {
            if journal.generation <= head.applied {
                continue;
            }
            match written::list(source, &journal, record.page_count, page_len)? {
                Some(entries) => {
                    moved.extend(entries.into_iter().map(|entry| (entry.target, entry)))
                }
                None => return Ok(Err(MappedPageError::CorruptMetadata)),
            }
        }
        if !head.is_settled {
            match written::arrival(source, &record, page_len)? {
                Arrival::Whole => {}
                Arrival::Partial => return Ok(Err(MappedPageError::CorruptMetadata)),
            }
        }
        let state = Self { head, page_len, map, moved, nodes: Nodes::default() };
        let may_be_older = state.head.is_seal_damaged() && !state.is_in_place(source)?;
        Ok(if may_be_older { Err(MappedPageError::CorruptMetadata) } else { Ok(state) })
    }

    /// Whether regular pages hold what is to be shown instead of them where the seal does not tell. Where they do
    /// not, they may have been stored to since.
    fn is_in_place(&self, source: &dyn Source) -> Result<bool> {
        let mut content = vec![0; self.page_len];
        for moved in self.moved.values() {
            if is_regular(self.known(source, moved.target)?.kind)
                && !self.read_checked(source, moved.target, moved.crc, &mut content)?
            {
                return Ok(false);
            }
        }
        if self.head.is_settled {
            return Ok(true);
        }
        let inline = inline_units(self.page_len);
        let mut blank: Vec<u64> = blank_units(&self.map).collect();
        let mut unit = 0;
        while let Some(leaf) = self.map_leaf(source, unit)? {
            let first = leaf.place.first_unit;
            if leaf.place.reference.generation == self.generation() {
                let first = first.saturating_add(inline);
                blank.extend(blank_units(&leaf.body).map(|unit| unit.saturating_add(first)));
            }
            unit = first.saturating_add(self.allocation().leaf_units);
        }
        for page in blank.into_iter().filter(|page| !self.moved.contains_key(page)) {
            let is_there = source.read(page.saturating_mul(self.page_len as u64), &mut content)?;
            if !is_there || content.iter().any(|&byte| byte != 0) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn allocation(&self) -> Tree {
        Tree::allocation(self.head.record.allocation, self.head.record.page_count, self.page_len)
    }

    fn directory(&self) -> Tree {
        Tree::directory(self.head.record.directory, self.head.record.page_count, self.page_len)
    }

    /// What to say when the file is not what this state needs: `fault`, unless a writer has moved on.
    fn fault(&self, source: &dyn Source, fault: MappedPageError) -> MappedPageError {
        match self.head.standing(source, self.page_len) {
            Ok(Standing::Kept { .. }) => fault,
            Ok(Standing::Gone) => MappedPageError::Stale,
            Err(error) => error,
        }
    }

    fn node_fault(
        &self,
        source: &dyn Source,
        error: NodeError,
        damaged: MappedPageError,
    ) -> MappedPageError {
        match error {
            NodeError::Damaged { .. } => self.fault(source, damaged),
            NodeError::Medium(error) => error,
        }
    }

    /// The leaf of the map that describes `unit` of the allocation tree, or the first one after it.
    fn map_leaf(&self, source: &dyn Source, unit: u64) -> Result<Option<Leaf>> {
        let found = self.allocation().leaf_from(source, &self.nodes, unit);
        found.map_err(|error| self.node_fault(source, error, MappedPageError::CorruptMetadata))
    }

    fn known(&self, source: &dyn Source, page: u64) -> Result<Known> {
        let record = &self.head.record;
        if page >= record.page_count {
            return Err(MappedPageError::OutOfBounds);
        }
        if page < RESERVED_PAGES {
            return Err(MappedPageError::ReservedPage);
        }
        let Some(unit) = page.checked_sub(inline_units(self.page_len)) else {
            let kind = kind_at(&self.map, place(page));
            return Ok(Known { kind, generation: record.generation });
        };
        let leaf = self.map_leaf(source, unit)?;
        let leaf = leaf.filter(|leaf| leaf.place.first_unit <= unit);
        Ok(leaf.map_or(Known { kind: StoredKind::Free, generation: 0 }, |leaf| Known {
            kind: kind_at(&leaf.body, place(unit.saturating_sub(leaf.place.first_unit))),
            generation: leaf.place.reference.generation,
        }))
    }

    /// Reads content whose checksum is known; false when the page does not hold it.
    fn read_checked(
        &self,
        source: &dyn Source,
        page: u64,
        crc: u32,
        into: &mut [u8],
    ) -> Result<bool> {
        let offset = page.saturating_mul(self.page_len as u64);
        Ok(source.read(offset, into)? && crc_of(into) == crc)
    }

    /// The slot and the entry of the first slot from `from` on that is in use.
    fn next_entry(&self, source: &dyn Source, from: u64) -> Result<Option<(u64, Entry)>> {
        let mut from = from;
        let tree = self.directory();
        loop {
            let found = tree.leaf_from(source, &self.nodes, from).map_err(|error| {
                self.node_fault(source, error, MappedPageError::CorruptProtectedDirectory)
            })?;
            let Some(leaf) = found else { return Ok(None) };
            let first = leaf.place.first_unit;
            let start = from.max(first);
            let end = first.saturating_add(tree.leaf_units);
            for slot in start..end {
                let entry = self.entry_in(&leaf, slot.saturating_sub(first)).ok_or_else(|| {
                    self.fault(source, MappedPageError::CorruptProtectedDirectory)
                })?;
                if entry.is_in_use() {
                    return Ok(Some((slot, entry)));
                }
            }
            from = end;
        }
    }

    fn entry_in(&self, leaf: &Leaf, index: u64) -> Option<Entry> {
        let start = place(index).checked_mul(ENTRY_LEN)?;
        let mut reader = Reader::new(leaf.body.get(start..)?);
        Entry::decode(&mut reader, leaf.place.reference.generation, self.head.record.page_count)
    }

    /// The entry of a protected page.
    fn entry(&self, source: &dyn Source, id: u64) -> Result<Entry> {
        let (slot, reuse) = parts_of(id);
        let leaf = self.directory().leaf_of(source, &self.nodes, slot).map_err(|error| {
            self.node_fault(source, error, MappedPageError::CorruptProtectedDirectory)
        })?;
        let leaf = leaf.ok_or(MappedPageError::OutOfBounds)?;
        let entry = self.entry_in(&leaf, slot.saturating_sub(leaf.place.first_unit));
        let entry =
            entry.ok_or_else(|| self.fault(source, MappedPageError::CorruptProtectedDirectory))?;
        let is_meant = entry.is_in_use() && entry.reuse == reuse;
        if is_meant { Ok(entry) } else { Err(MappedPageError::Stale) }
    }

    /// A page whose content may still lie in a journal.
    fn read_moved(&self, source: &dyn Source, moved: &ListEntry, into: &mut [u8]) -> Result<()> {
        for page in [moved.journal, moved.target] {
            if self.read_checked(source, page, moved.crc, into)? {
                return Ok(());
            }
        }
        Err(self.fault(source, MappedPageError::CorruptPage { page: moved.target }))
    }
}

impl View for State {
    fn page_count(&self) -> u64 {
        self.head.record.page_count
    }

    fn free_page_count(&self) -> u64 {
        let in_map = (0..self.map.len().saturating_mul(4))
            .filter(|&index| kind_at(&self.map, index) != StoredKind::Free)
            .count();
        let used = self.head.record.allocation.reference.used.saturating_add(in_map as u64);
        self.page_count().saturating_sub(used)
    }

    fn generation(&self) -> u64 {
        self.head.record.generation
    }

    fn is_newest(&self, source: &Origin) -> Result<bool> {
        let Some(heads) = Heads::read(source, self.page_len)? else { return Ok(false) };
        let newest =
            heads.candidates(self.page_len).ok().and_then(|heads| heads.into_iter().next());
        Ok(newest.is_some_and(|head| head.sector == self.head.sector))
    }

    fn next_regular(&self, source: &Origin, from: u64) -> Result<Option<u64>> {
        let inline = inline_units(self.page_len);
        let first = from.max(RESERVED_PAGES);
        let end = inline.min(self.page_count());
        let found = (first..end).find(|&page| is_regular(kind_at(&self.map, place(page))));
        if found.is_some() {
            return Ok(found);
        }
        let mut unit = first.saturating_sub(inline);
        while let Some(leaf) = self.map_leaf(source, unit)? {
            let first_unit = leaf.place.first_unit;
            let end = first_unit.saturating_add(self.allocation().leaf_units);
            let found = (unit.max(first_unit)..end).find(|&unit| {
                is_regular(kind_at(&leaf.body, place(unit.saturating_sub(first_unit))))
            });
            if let Some(found) = found {
                let page = found.saturating_add(inline);
                return Ok(Some(page).filter(|&page| page < self.page_count()));
            }
            unit = end;
        }
        Ok(None)
    }

    fn next_protected(&self, source: &Origin, from_slot: u64) -> Result<Option<u64>> {
        let found = self.next_entry(source, from_slot)?;
        let found = found.filter(|(slot, _)| slot >> SLOT_BITS == 0);
        Ok(found.map(|(slot, entry)| id_of(slot, entry.reuse)))
    }

    fn read_page(&self, source: &Origin, page: u64, into: &mut [u8]) -> Result<()> {
        let known = self.known(source, page)?;
        match known.kind {
            StoredKind::Free => return Err(MappedPageError::Stale),
            StoredKind::Held => return Err(MappedPageError::ReservedPage),
            StoredKind::Regular | StoredKind::Blank => {}
        }
        if let Some(moved) = self.moved.get(&page) {
            return self.read_moved(source, moved, into);
        }
        let is_there = source.read(page.saturating_mul(self.page_len as u64), into)?;
        let Standing::Kept { is_sealed } = self.head.standing(source, self.page_len)? else {
            return Err(MappedPageError::Stale);
        };
        if !is_there {
            let expected = self.page_count().saturating_mul(self.page_len as u64);
            return Err(MappedPageError::CutShort { expected, len: source.len()? });
        }
        // Zeros that the commit wrote need not have arrived with it. Whoever opens the file to write makes
        // them zeros again.
        let is_new = known.kind == StoredKind::Blank && known.generation == self.generation();
        if is_new && !is_sealed && !self.head.is_settled {
            into.fill(0);
        }
        Ok(())
    }

    fn read_protected(&self, source: &Origin, id: u64, into: &mut [u8]) -> Result<()> {
        let entry = self.entry(source, id)?;
        if entry.is_blank {
            into.fill(0);
            return Ok(());
        }
        let page = entry.page();
        if self.read_checked(source, page, entry.crc, into)? {
            return Ok(());
        }
        Err(self.fault(source, MappedPageError::CorruptPage { page }))
    }
}

fn is_regular(kind: StoredKind) -> bool {
    matches!(kind, StoredKind::Regular | StoredKind::Blank)
}

/// A unit's place in its map or leaf.
fn place(unit: u64) -> usize {
    usize::try_from(unit).unwrap_or(usize::MAX)
}
