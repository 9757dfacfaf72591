//! The journal of a commit: new contents of regular pages, in free pages, until they are in their places.
//!
//! Invariants: the pages of a journal are withheld until the second commit after it is durable; a list
//! names every content with its checksum, and the record names the list with its own. A replay can be
//! repeated, and touches only pages that are regular in the state it belongs to.

use super::contents::Content;
use super::fields::crc_of;
use super::kinds::StoredKind;
use super::layout::list_entries;
use super::list::{ListEntry, ListPage};
use super::reference::JournalReference;
use super::state::State;
use crate::engine::Result;
use crate::error::MappedPageError;
use crate::pages::Pages;

/// Pages that the journal of so many contents takes: one each, and those of the list.
pub(crate) fn page_count(contents: usize, page_len: usize) -> usize {
    contents.saturating_add(contents.div_ceil(list_entries(page_len)))
}

/// Writes contents and their list to `journal_pages`, of which there are [`page_count`].
pub(crate) fn write<const P: usize>(
    pages: &mut Pages<P>,
    generation: u64,
    contents: &[(u64, Content)],
    journal_pages: &[u64],
) -> Result<JournalReference> {
    let (list, places) =
        journal_pages.split_at(contents.len().div_ceil(list_entries(P)).min(journal_pages.len()));
    assert!(places.len() == contents.len(), "a journal of another size");
    let placed: Vec<_> =
        contents.iter().zip(places).map(|((_, content), journal)| (*journal, content)).collect();
    pages.write_all(&placed)?;
    let entry = |((target, content), journal): (&(u64, Content), &u64)| ListEntry {
        target: *target,
        journal: *journal,
        crc: crc_of(content),
    };
    let entries: Vec<_> = contents.iter().zip(places).map(entry).collect();
    let mut reference = JournalReference::default();
    let mut buffer = vec![0; P];
    // From the end, because each page carries the checksum of the next.
    for (&page, entries) in list.iter().zip(entries.chunks(list_entries(P))).rev() {
        let content = ListPage {
            generation,
            next: reference.first,
            next_crc: reference.crc,
            entries: entries.to_vec(),
        };
        buffer.fill(0);
        content.encode(&mut buffer);
        pages.write(page, &buffer)?;
        reference.first = page;
        reference.crc = crc_of(&buffer);
    }
    reference.generation = generation;
    reference.entries = contents.len() as u64;
    Ok(if contents.is_empty() { JournalReference::default() } else { reference })
}

/// A journal as its list tells.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    /// The pages of the list.
    pub(crate) list: Vec<u64>,
    pub(crate) entries: Vec<ListEntry>,
}

impl Journal {
    /// Reads the list. `None`: it is not, or not wholly, what was written.
    pub(crate) fn read<const P: usize>(
        pages: &Pages<P>,
        reference: &JournalReference,
        page_count: u64,
    ) -> Result<Option<Self>> {
        let mut journal = Self::default();
        let (mut next, mut crc) = (reference.first, reference.crc);
        while next != 0 {
            // Each page holds an entry at least, so a ring ends, too.
            if next >= page_count.min(pages.count())
                || journal.entries.len() as u64 >= reference.entries
            {
                return Ok(None);
            }
            let page = pages.page(next)?;
            let list = ListPage::decode(page, list_entries(P), page_count);
            let Some(list) =
                list.filter(|list| crc_of(page) == crc && list.generation == reference.generation)
            else {
                return Ok(None);
            };
            journal.list.push(next);
            journal.entries.extend(list.entries);
            (next, crc) = (list.next, list.next_crc);
        }
        Ok((journal.entries.len() as u64 == reference.entries).then_some(journal))
    }

    /// Every page that the journal lies in.
    pub(crate) fn pages(&self) -> Vec<u64> {
        let places = self.entries.iter().map(|entry| entry.journal);
        self.list.iter().copied().chain(places).collect()
    }

    /// Whether every content is what was written.
    pub(crate) fn is_whole<const P: usize>(&self, pages: &Pages<P>) -> Result<bool> {
        for entry in &self.entries {
            if entry.journal >= pages.count() || crc_of(pages.page(entry.journal)?) != entry.crc {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Brings the contents to their places; tells how many were not there yet.
    ///
    /// # Errors
    /// `CorruptPage` when a content is neither in its place nor in the journal.
    pub(crate) fn replay<const P: usize>(
        &self,
        pages: &mut Pages<P>,
        state: &State<P>,
    ) -> Result<u64> {
        let mut replayed = 0_u64;
        for entry in &self.entries {
            let is_regular =
                matches!(state.kind(pages, entry.target)?, StoredKind::Regular | StoredKind::Blank);
            if !is_regular {
                continue;
            }
            let content: Content = pages.page(entry.journal)?.into();
            if crc_of(&content) == entry.crc {
                let is_there = *pages.page(entry.target)? == *content;
                replayed = replayed.saturating_add(u64::from(!is_there));
                // Written also where it is there: what a failed sync left in memory only is there, too.
                pages.write(entry.target, &content)?;
            } else if crc_of(pages.page(entry.target)?) != entry.crc {
                return Err(MappedPageError::CorruptPage { page: entry.target });
            }
        }
        Ok(replayed)
    }
}
