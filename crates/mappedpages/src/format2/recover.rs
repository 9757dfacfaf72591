//! Making and opening a file: which commit counts, and what has to be done before the next one.
//!
//! Invariants: what an open decided it decides again when it is interrupted at any point; it changes
//! nothing that the state it chose needs; what it shows is durable when it returns. No commit that is
//! known to be durable is given up: where its bytes are not whole, that is an error.

use std::collections::HashSet;

use super::FormatTwo;
use super::commit::{offset_of, sync};
use super::contents::Contents;
use super::fields::crc_of;
use super::journal::Journal;
use super::kinds::StoredKind;
use super::layout::{
    FIRST_PAGE_COUNT, NODE_HEADER_LEN, SEAL_OFFSET, SECTOR_LEN, inline_units, record_page,
};
use super::map_leaf::blank_units;
use super::record::{Record, Root};
use super::reference::JournalReference;
use super::seal::Seal;
use super::state::State;
use super::superblock;
use crate::canary::{Bug, planted};
use crate::engine::Result;
use crate::error::MappedPageError;
use crate::pages::Pages;
use crate::recovery::Recovery;

/// What is where a commit record should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// Zeros: no commit was written there, or one that was given up.
    Empty,
    /// No record, and no zeros.
    Damaged,
    Record(Record),
}

impl Slot {
    /// Reads the slot of the commits whose record lies in `page`, from the first sector of that page.
    pub(crate) fn decode(sector: &[u8], page: u64, page_len: usize) -> Self {
        match Record::decode(sector, page_len) {
            Some(record) if record_page(record.generation) == page => Self::Record(record),
            None if sector.iter().all(|&byte| byte == 0) => Self::Empty,
            _ => Self::Damaged,
        }
    }

    fn record(self) -> Option<Record> {
        match self {
            Self::Record(record) => Some(record),
            Self::Empty | Self::Damaged => None,
        }
    }
}

/// The newer record, and the other one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    pub(crate) newest: Record,
    pub(crate) before: Option<Record>,
    /// The newest is known to be durable.
    pub(crate) is_sealed: bool,
}

/// Finds the newest commit that was begun.
///
/// # Errors
/// `CorruptMetadata` when a commit that was durable may be missing.
pub(crate) fn choose(seal: Option<Seal>, slots: [Slot; 2]) -> Result<Choice> {
    let (newest, other) = match (slots[0].record(), slots[1].record()) {
        (Some(first), Some(second)) if first.generation < second.generation => (second, slots[0]),
        (Some(first), _) => (first, slots[1]),
        (None, Some(second)) => (second, slots[0]),
        (None, None) => return Err(MappedPageError::CorruptMetadata),
    };
    let generation = newest.generation;
    let is_other_sound = match other {
        Slot::Empty => true,
        // A sector is written wholly or not at all. Only where it is known that nothing was written
        // after the newest record, a damaged one must be the older.
        Slot::Damaged => seal.is_some_and(|seal| seal.is_clean && seal.generation == generation),
        Slot::Record(before) => before.generation.checked_add(1) == Some(generation),
    };
    // A seal is as durable as the commit after it: it lags by that one, and by one in flight.
    let is_in_step = seal.is_none_or(|seal| {
        (seal.generation..=seal.generation.saturating_add(2)).contains(&generation)
    });
    if !is_other_sound || !is_in_step {
        return Err(MappedPageError::CorruptMetadata);
    }
    let is_sealed = seal.is_some_and(|seal| seal.generation == generation);
    Ok(Choice { newest, before: other.record(), is_sealed })
}

/// A state that is whole as far as its commit wrote it.
struct Verified<const P: usize> {
    record: Record,
    state: State<P>,
    /// The journals of the commit, and of the one before.
    journals: [Journal; 2],
    /// Every page that the commit wrote, but for its journal and its record.
    written: Vec<u64>,
    /// Pages that the commit gave out as zeros.
    blank: Vec<u64>,
}

impl<const P: usize> FormatTwo<P> {
    /// Makes the pages of an empty file; the caller syncs.
    ///
    /// # Errors
    /// `Full`, `Io`.
    pub(crate) fn create(pages: &mut Pages<P>) -> Result<Self> {
        pages.grow(FIRST_PAGE_COUNT)?;
        let mut format = Self::with(State::first(FIRST_PAGE_COUNT), 0);
        let mut page = vec![0; P];
        let (sector, map) = page.split_at_mut(SECTOR_LEN);
        format.generation = 1;
        format.state.write(pages, format.generation, map)?;
        let record = Record {
            generation: format.generation,
            page_count: FIRST_PAGE_COUNT,
            is_ordered: false,
            map_crc: crc_of(map),
            allocation: Root::EMPTY,
            directory: Root::EMPTY,
            journal: JournalReference::default(),
            journal_before: JournalReference::default(),
        };
        sector.copy_from_slice(&record.encode());
        pages.write_bytes(offset_of::<P>(format.generation, 0), &page)?;
        pages.write_bytes(0, &superblock::encode(P))?;
        let generation = format.generation;
        format.store_seal(pages, Seal { generation, applied: generation, is_clean: true })?;
        Ok(format)
    }

    fn with(state: State<P>, generation: u64) -> Self {
        Self {
            state,
            generation,
            seal: Seal { generation, applied: generation, is_clean: false },
            is_changed: false,
            must_order: false,
            protected: Contents::default(),
            regular: Contents::default(),
            in_flight: None,
            journal: JournalReference::default(),
            journal_pages: [Vec::new(), Vec::new()],
            unsettled: HashSet::new(),
        }
    }

    /// Opens a file for writing.
    ///
    /// # Errors
    /// `CorruptSuperblock`, `InvalidPageSize`, `CorruptMetadata`, `CorruptProtectedDirectory`,
    /// `CorruptPage`, `CutShort`, `Io`.
    pub(crate) fn open(pages: &mut Pages<P>) -> Result<(Self, Recovery)> {
        if pages.count() < FIRST_PAGE_COUNT {
            return Err(MappedPageError::CorruptSuperblock);
        }
        superblock::check(&read_sector(pages, 0)?, P)?;
        let seal = Seal::decode(&read_sector(pages, SEAL_OFFSET)?);
        let mut slots = [Slot::Empty; 2];
        for (page, slot) in (1_u64..).zip(&mut slots) {
            let sector = read_sector(pages, page.saturating_mul(P as u64))?;
            *slot = Slot::decode(&sector, page, P);
        }
        let choice = choose(seal, slots)?;
        let mut recovery =
            Recovery { unclean: seal.is_none_or(|seal| !seal.is_clean), ..Recovery::default() };
        let verified = if choice.is_sealed || planted(Bug::DigestNotChecked) {
            sealed(pages, choice.newest)?
        } else {
            match verify(pages, choice.newest)? {
                Some(verified) => verified,
                None => {
                    recovery.rolled_back = Some(choice.newest.generation);
                    give_up(pages, &choice, seal)?
                }
            }
        };
        if seal.is_none() && !is_in_place(pages, &verified)? {
            return Err(MappedPageError::CorruptMetadata);
        }
        recovery.generation = verified.record.generation;
        let format = Self::bring_back(pages, verified, seal, &mut recovery)?;
        // What lies behind was never part of a commit.
        pages.cut(format.state.page_count())?;
        Ok((format, recovery))
    }

    /// Makes a verified state durable, and its journals' contents.
    fn bring_back(
        pages: &mut Pages<P>,
        verified: Verified<P>,
        seal: Option<Seal>,
        recovery: &mut Recovery,
    ) -> Result<Self> {
        let Verified { record, mut state, journals, written, blank } = verified;
        let generation = record.generation;
        let applied = seal.map_or(0, |seal| seal.applied);
        let is_sealed = seal.is_some_and(|seal| seal.generation == generation);
        for page in journals.iter().flat_map(Journal::pages) {
            state.withhold_again(pages, page)?;
        }
        let [own, before] = journals;
        if !is_sealed {
            // Memory may show what a sync that failed has not brought to the medium, and what it calls
            // written it does not write again.
            let record_page = record_page(generation);
            let again = written.into_iter().chain(own.pages()).chain([record_page]);
            for page in again.filter(|_| !planted(Bug::NotWrittenAgain)) {
                let content = pages.page(page)?.to_vec();
                pages.write(page, &content)?;
            }
            if !record.is_ordered && !planted(Bug::LostZerosNotRestored) {
                for page in blank {
                    pages.zero(page, 1)?;
                }
            }
            if applied < record.journal_before.generation {
                recovery.replayed_pages =
                    recovery.replayed_pages.saturating_add(before.replay(pages, &state)?);
            }
            // While the commit may still be lost, its contents must not come over those of the one before.
            if applied < record.journal.generation && !planted(Bug::ReplayBeforeSync) {
                sync(pages)?;
            }
        }
        if applied < record.journal.generation {
            recovery.replayed_pages =
                recovery.replayed_pages.saturating_add(own.replay(pages, &state)?);
        }
        let mut format = Self::with(state, generation);
        format.set_journals(record.journal, [own.pages(), before.pages()]);
        match seal {
            Some(seal) if is_sealed && applied >= record.journal.generation => format.seal = seal,
            _ => {
                sync(pages)?;
                format.store_seal(pages, format.seal)?;
                // A seal may lag by two commits only.
                sync(pages)?;
            }
        }
        Ok(format)
    }
}

/// The state of a record that is known to be durable: what is not whole is damaged.
fn sealed<const P: usize>(pages: &Pages<P>, record: Record) -> Result<Verified<P>> {
    if record.page_count > pages.count() {
        let expected = record.page_count.saturating_mul(P as u64);
        let len = pages.count().saturating_mul(P as u64);
        return Err(MappedPageError::CutShort { expected, len });
    }
    let map = record.inline_map(pages.page(record_page(record.generation))?);
    let state = map.and_then(|map| State::of(&record, map));
    let state = state.ok_or(MappedPageError::CorruptMetadata)?;
    let mut journals = [Journal::default(), Journal::default()];
    for (journal, reference) in journals.iter_mut().zip([record.journal, record.journal_before]) {
        *journal = Journal::read(pages, &reference, record.page_count)?
            .ok_or(MappedPageError::CorruptMetadata)?;
    }
    Ok(Verified { record, state, journals, written: Vec::new(), blank: Vec::new() })
}

/// The state of a record of which it is not known whether all its commit wrote has arrived. `None`: not
/// all has.
fn verify<const P: usize>(pages: &Pages<P>, record: Record) -> Result<Option<Verified<P>>> {
    match verify_or_fail(pages, record) {
        Ok(verified) => Ok(Some(verified)),
        // Whatever is not as it was written did not arrive.
        Err(
            MappedPageError::CorruptMetadata
            | MappedPageError::CorruptProtectedDirectory
            | MappedPageError::CorruptPage { .. }
            | MappedPageError::CutShort { .. }
            | MappedPageError::OutOfBounds,
        ) => Ok(None),
        Err(error) => Err(error),
    }
}

fn verify_or_fail<const P: usize>(pages: &Pages<P>, record: Record) -> Result<Verified<P>> {
    let mut verified = sealed(pages, record)?;
    let generation = record.generation;
    let (mut written, mut blank) = (Vec::new(), Vec::new());
    let map = pages.page(record_page(generation))?.get(SECTOR_LEN..).unwrap_or_default();
    blank.extend(blank_units(map));
    verified.state.allocation().walk(pages, Some(generation), &mut |seen| {
        written.push(seen.reference.page());
        if seen.leaf.is_some() {
            let first = seen.place.first_unit.saturating_add(inline_units(P));
            let page = pages.page(seen.reference.page())?;
            let units = blank_units(page.get(NODE_HEADER_LEN..).unwrap_or_default());
            blank.extend(units.map(|unit| unit.saturating_add(first)));
        }
        Ok(())
    })?;
    verified.state.directory().walk(pages, Some(generation), &mut |seen| {
        written.push(seen.reference.page());
        let entries = seen.leaf.map(|leaf| leaf.entries()).unwrap_or_default();
        for entry in entries.iter().filter(|entry| entry.generation == generation) {
            let page = entry.page();
            if crc_of(pages.page(page)?) != entry.crc {
                return Err(MappedPageError::CorruptPage { page });
            }
            written.push(page);
        }
        Ok(())
    })?;
    for (journal, reference) in
        verified.journals.iter().zip([record.journal, record.journal_before])
    {
        let is_own = reference.generation == generation;
        if is_own && !journal.is_whole(pages)? {
            return Err(MappedPageError::CorruptMetadata);
        }
    }
    for &page in &written {
        if verified.state.kind(pages, page)? != StoredKind::Held {
            return Err(MappedPageError::CorruptMetadata);
        }
    }
    verified.written = written;
    verified.blank = blank;
    Ok(verified)
}

/// Whether regular pages hold what an open that knows of no seal would give them. Where they do not, they may have
/// been stored to since: the seal would tell.
fn is_in_place<const P: usize>(pages: &Pages<P>, verified: &Verified<P>) -> Result<bool> {
    let [own, before] = &verified.journals;
    let mut journaled = HashSet::new();
    for entry in own.entries.iter().chain(&before.entries) {
        let kind = verified.state.kind(pages, entry.target)?;
        let is_regular = matches!(kind, StoredKind::Regular | StoredKind::Blank);
        if journaled.insert(entry.target)
            && is_regular
            && crc_of(pages.page(entry.target)?) != entry.crc
        {
            return Ok(false);
        }
    }
    if verified.record.is_ordered {
        return Ok(true);
    }
    for page in verified.blank.iter().filter(|page| !journaled.contains(page)) {
        if pages.page(*page)?.iter().any(|&byte| byte != 0) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Gives up the newest commit, which did not arrive as a whole, for the one before, which did.
fn give_up<const P: usize>(
    pages: &mut Pages<P>,
    choice: &Choice,
    seal: Option<Seal>,
) -> Result<Verified<P>> {
    // Without a seal nothing says that the commit was not durable; and the pages of an ordered one were.
    let before = choice.before.filter(|_| seal.is_some() && !choice.newest.is_ordered);
    let before = before.ok_or(MappedPageError::CorruptMetadata)?;
    let is_sealed = seal.is_some_and(|seal| seal.generation == before.generation);
    let verified = if is_sealed {
        sealed(pages, before)?
    } else {
        verify(pages, before)?.ok_or(MappedPageError::CorruptMetadata)?
    };
    // First of all: later writes could make it whole again.
    pages.write_bytes(offset_of::<P>(choice.newest.generation, 0), &[0; SECTOR_LEN])?;
    sync(pages)?;
    Ok(verified)
}

fn read_sector<const P: usize>(pages: &Pages<P>, offset: u64) -> Result<[u8; SECTOR_LEN]> {
    let mut sector = [0; SECTOR_LEN];
    pages.read_bytes(offset, &mut sector)?;
    Ok(sector)
}
