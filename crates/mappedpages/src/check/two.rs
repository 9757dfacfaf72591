//! The check of a file of format 2.
//!
//! Owners are found first (nodes through the references to them, pairs through the directory), then each
//! map is compared with them. Where a map or a part of the directory cannot be read, nothing is said about
//! the pages it would have told of.

use std::sync::Arc;

use super::owners::Owners;
use super::report::{CheckReport, Findings, Part, Problem, count};
use crate::error::MappedPageError;
use crate::format2::entry::Entry;
use crate::format2::fields::{Reader, crc_of};
use crate::format2::kinds::{StoredKind, kind_at};
use crate::format2::layout::{
    ENTRY_LEN, REFERENCE_LEN, RESERVED_PAGES, SECTOR_LEN, fan_out, inline_units, list_entries,
    record_page,
};
use crate::format2::list::ListPage;
use crate::format2::record::Record;
use crate::format2::recover::Slot;
use crate::format2::reference::{JournalReference, Reference};
use crate::format2::seal::Seal;
use crate::format2::superblock;
use crate::options::Format;
use crate::protected::SLOT_BITS;
use crate::read_only::written::{self, Arrival};
use crate::read_only::{Head, Heads, NodeError, Place, Source, Tree};

type Result<T> = std::result::Result<T, MappedPageError>;

/// Checks a file with pages of `page_len` bytes.
///
/// # Errors
/// `InvalidPageSize`, `Io`.
pub(super) fn check(source: &dyn Source, page_len: usize) -> Result<CheckReport> {
    let mut findings = Findings::default();
    if is_ours(source, page_len, &mut findings)?
        && let Some(head) = choose(source, page_len, &mut findings)?
    {
        let record = head.record;
        let mut check = Check {
            source,
            page_len,
            record,
            findings,
            owners: Owners::default(),
            journal: Owners::default(),
            unknown: Vec::new(),
            knows_all_owners: true,
        };
        check.run(&head)?;
        findings = check.findings;
    }
    Ok(findings.into_report(Some(Format::Two)))
}

fn is_ours(source: &dyn Source, page_len: usize, findings: &mut Findings) -> Result<bool> {
    let mut sector = [0; SECTOR_LEN];
    let is_there = source.read(0, &mut sector)?;
    match superblock::check(&sector, page_len) {
        Ok(()) if is_there => Ok(true),
        Err(MappedPageError::InvalidPageSize) => Err(MappedPageError::InvalidPageSize),
        _ => {
            findings.add(Problem::Damaged { page: 0, part: Part::Superblock });
            Ok(false)
        }
    }
}

/// The state that the file has.
fn choose(source: &dyn Source, page_len: usize, findings: &mut Findings) -> Result<Option<Head>> {
    let Some(heads) = Heads::read(source, page_len)? else {
        let len = source.len()?;
        findings.add(Problem::CutShort { expected: 3_u64.saturating_mul(page_len as u64), len });
        return Ok(None);
    };
    let seal = Seal::decode(&heads.seal);
    if seal.is_none() {
        findings.add(Problem::Damaged { page: 0, part: Part::Seal });
    }
    let mut newest: Option<u64> = None;
    for (page, slot) in (1..).zip(heads.slots(page_len)) {
        match slot {
            Slot::Damaged => findings.add(Problem::Damaged { page, part: Part::Record }),
            Slot::Record(record) => newest = newest.max(Some(record.generation)),
            Slot::Empty => {}
        }
    }
    let is_sealed = seal.is_some_and(|seal| Some(seal.generation) == newest);
    findings.needs_recovery = !is_sealed;
    let Ok(candidates) = heads.candidates(page_len) else {
        findings.add(Problem::NoState);
        return Ok(None);
    };
    let mut candidates = candidates.into_iter().peekable();
    while let Some(head) = candidates.next() {
        // What did not fully arrive was never reported durable: the state is the one before.
        let has_other = candidates.peek().is_some();
        if head.is_settled || !has_other || is_there(source, &head.record, page_len)? {
            return Ok(Some(head));
        }
    }
    Ok(None)
}

fn is_there(source: &dyn Source, record: &Record, page_len: usize) -> Result<bool> {
    if source.len()? < record.page_count.saturating_mul(page_len as u64) {
        return Ok(false);
    }
    let page = source.page(record_page(record.generation), page_len)?;
    let has_map = page.as_deref().and_then(|page| record.inline_map(page)).is_some();
    Ok(has_map && written::arrival(source, record, page_len)? == Arrival::Whole)
}

/// What a walk through a tree is for.
#[derive(Clone, Copy, Debug)]
enum Pass {
    /// To find owners.
    Own,
    /// To compare the maps with them.
    Compare,
}

struct Check<'a> {
    source: &'a dyn Source,
    page_len: usize,
    record: Record,
    findings: Findings,
    /// Pages of nodes and of protected pages.
    owners: Owners,
    /// Pages of journals, which the maps call free.
    journal: Owners,
    /// First and last page of what cannot be told because a map is damaged.
    unknown: Vec<(u64, u64)>,
    /// Nothing of the directory is damaged.
    knows_all_owners: bool,
}

impl Check<'_> {
    fn run(&mut self, head: &Head) -> Result<()> {
        let record = self.record;
        self.findings.figures.generation = record.generation;
        self.findings.figures.pages = record.page_count;
        let expected = record.page_count.saturating_mul(self.page_len as u64);
        let len = self.source.len()?;
        if len < expected {
            self.findings.add(Problem::CutShort { expected, len });
        }

        let allocation = Tree::allocation(record.allocation, record.page_count, self.page_len);
        let directory = Tree::directory(record.directory, record.page_count, self.page_len);
        let record_page = record_page(record.generation);
        for tree in [&allocation, &directory] {
            self.own_root(tree, record_page);
            self.walk(tree, tree.top(), Pass::Own)?;
        }
        for journal in [record.journal, record.journal_before] {
            self.journal(record_page, &journal, journal.generation > head.applied)?;
        }
        self.inline_map(record_page)?;
        self.walk(&allocation, allocation.top(), Pass::Compare)?;
        self.not_in_map();
        let figures = &mut self.findings.figures;
        let used = figures.pages_regular.saturating_add(figures.pages_internal);
        figures.pages_free = figures.pages.saturating_sub(used);
        Ok(())
    }

    fn damaged(&mut self, page: u64, part: Part) {
        self.findings.add(Problem::Damaged { page, part });
    }

    fn malformed(&mut self, page: u64, part: Part) {
        self.findings.add(Problem::Malformed { page, part });
    }

    /// Claims the pair of a node or protected page that is named on page `by`.
    fn own_pair(&mut self, first: u64, by: u64, part: Part) -> bool {
        let is_inside = first >= RESERVED_PAGES && first < self.record.page_count.saturating_sub(1);
        if !is_inside {
            self.findings.add(Problem::OutOfRange { page: by, part, target: first });
            return false;
        }
        for page in [first, first.saturating_add(1)] {
            if !self.owners.add(page) {
                self.findings.add(Problem::TwoOwners { page });
            }
        }
        true
    }

    fn own_root(&mut self, tree: &Tree, record_page: u64) {
        let root = tree.root.reference;
        if !root.is_absent() {
            self.own_pair(root.first, record_page, Part::Record);
        }
    }

    /// Goes through the node at `place` and those below.
    fn walk(&mut self, tree: &Tree, place: Place, pass: Pass) -> Result<()> {
        if place.reference.is_absent() {
            return Ok(());
        }
        let children = match pass {
            Pass::Own => self.own_node(tree, &place)?,
            Pass::Compare => self.compare_node(tree, &place)?,
        };
        children.into_iter().try_for_each(|child| self.walk(tree, child, pass))
    }

    /// Claims what a node names: nodes below it, or pairs of protected pages. The maps are left for later.
    fn own_node(&mut self, tree: &Tree, place: &Place) -> Result<Vec<Place>> {
        if place.level == 0 && !tree.is_directory() {
            return Ok(Vec::new());
        }
        let Some(body) = self.body(tree, place)? else { return Ok(Vec::new()) };
        if place.level > 0 {
            return Ok(self.children(tree, place, &body, true));
        }
        self.entries(place, &body)?;
        Ok(Vec::new())
    }

    /// The body of a node; `None` when it is damaged, which is noted.
    fn body(&mut self, tree: &Tree, place: &Place) -> Result<Option<Arc<[u8]>>> {
        match tree.body(self.source, None, place) {
            Ok(body) => {
                count(&mut self.findings.figures.bytes_verified, self.page_len as u64);
                Ok(Some(body))
            }
            Err(NodeError::Medium(error)) => Err(error),
            Err(NodeError::Damaged { page }) => {
                self.lost(tree, place);
                self.damaged(page, part_of(tree, place.level));
                Ok(None)
            }
        }
    }

    /// What lies below a node cannot be told.
    fn lost(&mut self, tree: &Tree, place: &Place) {
        if tree.is_directory() {
            self.knows_all_owners = false;
            return;
        }
        let first = place.first_unit.saturating_add(inline_units(self.page_len));
        self.unknown.push((first, first.saturating_add(tree.span(place.level))));
        // Nodes below may own any page.
        self.knows_all_owners &= place.level == 0;
    }

    /// The nodes below a node. `claims`: notes what is wrong with them, and claims their pages.
    fn children(&mut self, tree: &Tree, place: &Place, body: &[u8], claims: bool) -> Vec<Place> {
        let page = place.reference.page();
        let part = part_of(tree, place.level);
        let mut children = Vec::new();
        let mut used = 0_u64;
        for (index, bytes) in
            body.chunks_exact(REFERENCE_LEN).take(fan_out(self.page_len)).enumerate()
        {
            let below = tree.nth_below(place, index);
            let Some(reference) = Reference::decode(&mut Reader::new(bytes)) else {
                if claims {
                    self.malformed(page, part);
                    self.lost(tree, &below);
                }
                continue;
            };
            used = used.saturating_add(reference.used);
            if reference.is_absent() {
                continue;
            }
            let child = Place { reference, ..below };
            let is_inside = reference.is_inside(self.record.page_count);
            if claims {
                if reference.generation > place.reference.generation {
                    self.findings.add(Problem::FromTheFuture { page, part });
                }
                if !self.own_pair(reference.first, page, part) {
                    self.lost(tree, &child);
                }
            }
            if is_inside {
                children.push(child);
            }
        }
        if claims && used != place.reference.used {
            self.wrong_count(page, part, place.reference.used, used);
        }
        if claims {
            count(&mut self.findings.figures.nodes, 1);
        }
        children
    }

    fn wrong_count(&mut self, page: u64, part: Part, stored: u64, found: u64) {
        self.findings.add(Problem::WrongCount { page, part, stored, found });
    }

    /// A leaf of the directory.
    fn entries(&mut self, place: &Place, body: &[u8]) -> Result<()> {
        let page = place.reference.page();
        let part = Part::Directory;
        count(&mut self.findings.figures.nodes, 1);
        let mut used = 0_u64;
        for (slot, bytes) in (place.first_unit..).zip(body.chunks_exact(ENTRY_LEN)) {
            // Limits apart, which have their own problems.
            let Some(entry) = Entry::decode(&mut Reader::new(bytes), u64::MAX, u64::MAX) else {
                self.malformed(page, part);
                self.knows_all_owners = false;
                continue;
            };
            if !entry.is_free() {
                used = used.saturating_add(1);
            }
            if entry.is_in_use() {
                self.entry(page, place, slot, &entry)?;
            }
        }
        if used != place.reference.used {
            self.wrong_count(page, part, place.reference.used, used);
        }
        Ok(())
    }

    fn entry(&mut self, page: u64, place: &Place, slot: u64, entry: &Entry) -> Result<()> {
        let part = Part::Directory;
        if slot >> SLOT_BITS != 0 {
            self.malformed(page, part);
        }
        if entry.generation > place.reference.generation {
            self.findings.add(Problem::FromTheFuture { page, part });
        }
        if !self.own_pair(entry.first, page, part) {
            return Ok(());
        }
        count(&mut self.findings.figures.protected, 1);
        if !entry.is_blank && !self.holds(entry.page(), entry.crc)? {
            self.damaged(entry.page(), Part::ProtectedPage);
        }
        Ok(())
    }

    fn holds(&mut self, page: u64, crc: u32) -> Result<bool> {
        count(&mut self.findings.figures.bytes_verified, self.page_len as u64);
        Ok(self.source.page(page, self.page_len)?.is_some_and(|page| crc_of(&page) == crc))
    }

    /// A journal: its list and its contents, in pages that the maps call free. An open keeps others from these
    /// pages, so it reads the list also where contents are in their places.
    fn journal(
        &mut self,
        named_on: u64,
        journal: &JournalReference,
        is_needed: bool,
    ) -> Result<()> {
        let (mut next, mut crc, mut by) = (journal.first, journal.crc, named_on);
        let mut lists = Owners::default();
        let mut entries = 0_u64;
        while next != 0 {
            if next < RESERVED_PAGES || next >= self.record.page_count {
                let part = Part::JournalList;
                self.findings.add(Problem::OutOfRange { page: by, part, target: next });
                return Ok(());
            }
            if !lists.add(next) {
                self.findings.add(Problem::Cycle { page: next, part: Part::JournalList });
                return Ok(());
            }
            self.own_journal_page(next);
            let page = self.source.page(next, self.page_len)?.filter(|page| crc_of(page) == crc);
            let Some(page) = page else {
                self.damaged(next, Part::JournalList);
                return Ok(());
            };
            count(&mut self.findings.figures.bytes_verified, self.page_len as u64);
            let list = ListPage::decode(&page, list_entries(self.page_len), self.record.page_count);
            let Some(list) = list.filter(|list| list.generation == journal.generation) else {
                self.malformed(next, Part::JournalList);
                return Ok(());
            };
            for entry in &list.entries {
                // Either will do: what is in its place already is not needed here.
                self.own_journal_page(entry.journal);
                if is_needed
                    && !self.holds(entry.target, entry.crc)?
                    && !self.holds(entry.journal, entry.crc)?
                {
                    self.damaged(entry.journal, Part::JournalPage);
                }
            }
            entries = entries.saturating_add(list.entries.len() as u64);
            by = next;
            (next, crc) = (list.next, list.next_crc);
        }
        if is_needed {
            count(&mut self.findings.figures.journal_entries, entries);
        }
        if entries != journal.entries {
            self.wrong_count(named_on, Part::Record, journal.entries, entries);
        }
        Ok(())
    }

    fn own_journal_page(&mut self, page: u64) {
        if !self.journal.add(page) || self.owners.has(page) {
            self.findings.add(Problem::TwoOwners { page });
        }
    }

    fn inline_map(&mut self, record_page: u64) -> Result<()> {
        let page = self.source.page(record_page, self.page_len)?.unwrap_or_default();
        let units = inline_units(self.page_len);
        let Some(map) = self.record.inline_map(&page) else {
            self.damaged(record_page, Part::Map);
            self.unknown.push((0, units));
            return Ok(());
        };
        count(&mut self.findings.figures.bytes_verified, self.page_len as u64);
        if (0..3).any(|reserved| kind_at(map, reserved) != StoredKind::Held) {
            self.malformed(record_page, Part::Map);
        }
        self.compare(record_page, map, 0, RESERVED_PAGES);
        count(&mut self.findings.figures.pages_internal, RESERVED_PAGES);
        Ok(())
    }

    /// Compares the maps of a leaf with the owners of its pages; passes nodes above the leaves.
    fn compare_node(&mut self, tree: &Tree, place: &Place) -> Result<Vec<Place>> {
        if place.level > 0 {
            // Damage was noted when owners were looked for.
            return match tree.body(self.source, None, place) {
                Ok(body) => Ok(self.children(tree, place, &body, false)),
                Err(NodeError::Damaged { .. }) => Ok(Vec::new()),
                Err(NodeError::Medium(error)) => Err(error),
            };
        }
        let Some(body) = self.body(tree, place)? else { return Ok(Vec::new()) };
        count(&mut self.findings.figures.nodes, 1);
        let first = place.first_unit.saturating_add(inline_units(self.page_len));
        let used = self.compare(place.reference.page(), &body, first, first);
        if used != place.reference.used {
            self.wrong_count(place.reference.page(), Part::Map, place.reference.used, used);
        }
        Ok(Vec::new())
    }

    /// Compares a map, whose first unit is page `first`, with the owners of the pages from `from` on.
    /// Gives how many of them are in use.
    fn compare(&mut self, map_page: u64, map: &[u8], first: u64, from: u64) -> u64 {
        let mut used = 0_u64;
        for (page, index) in (first..).zip(0..map.len().saturating_mul(4)) {
            if page < from {
                continue;
            }
            let kind = kind_at(map, index);
            if kind == StoredKind::Free {
                continue;
            }
            used = used.saturating_add(1);
            if page >= self.record.page_count {
                let part = Part::Map;
                self.findings.add(Problem::OutOfRange { page: map_page, part, target: page });
                continue;
            }
            if self.journal.has(page) {
                self.findings.add(Problem::JournalInUse { page });
            }
            if kind != StoredKind::Held {
                count(&mut self.findings.figures.pages_regular, 1);
                continue;
            }
            count(&mut self.findings.figures.pages_internal, 1);
            if !self.owners.take(page) && self.knows_all_owners {
                self.findings.add(Problem::Leaked { page });
            }
        }
        used
    }

    /// What is left of the owners is in no map.
    fn not_in_map(&mut self) {
        let owners = std::mem::take(&mut self.owners);
        let is_known =
            |page: &u64| !self.unknown.iter().any(|(first, end)| (first..end).contains(&page));
        let missing: Vec<u64> = owners.iter().filter(is_known).collect();
        for page in missing {
            self.findings.add(Problem::NotInMap { page });
        }
    }
}

fn part_of(tree: &Tree, level: u8) -> Part {
    match (tree.is_directory(), level) {
        (true, _) => Part::Directory,
        (false, 0) => Part::Map,
        (false, _) => Part::MapNode,
    }
}
