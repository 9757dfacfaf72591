//! What a commit of format 2 wrote: its journal, and whether all of it arrived.
//!
//! With one flush a record may reach the medium before what it names, so a commit that is not known to
//! be durable is believed only when everything it wrote is there. Knows nothing of what to do otherwise.

use super::source::Source;
use super::tree::{NodeError, Place, Tree};
use super::view::Result;
use crate::format2::entry::Entry;
use crate::format2::fields::{Reader, crc_of};
use crate::format2::layout::{ENTRY_LEN, fan_out, list_entries};
use crate::format2::list::{ListEntry, ListPage};
use crate::format2::record::Record;
use crate::format2::reference::JournalReference;

/// How much of a commit is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    Whole,
    Partial,
}

/// The entries of a journal's list; `None` when a page of it is damaged. Nothing for no journal.
pub(crate) fn list(
    source: &dyn Source,
    journal: &JournalReference,
    page_count: u64,
    page_len: usize,
) -> Result<Option<Vec<ListEntry>>> {
    let mut entries = Vec::new();
    let (mut next, mut crc) = (journal.first, journal.crc);
    while next != 0 {
        let Some(page) = source.page(next, page_len)?.filter(|page| crc_of(page) == crc) else {
            return Ok(None);
        };
        let list = ListPage::decode(&page, list_entries(page_len), page_count);
        let Some(list) = list.filter(|list| list.generation == journal.generation) else {
            return Ok(None);
        };
        // Each page has an entry, so a list that runs in a circle ends here.
        entries.extend(list.entries);
        if entries.len() as u64 > journal.entries {
            return Ok(None);
        }
        (next, crc) = (list.next, list.next_crc);
    }
    Ok((entries.len() as u64 == journal.entries).then_some(entries))
}

/// Whether everything that the commit of `record` wrote is there; its inline map apart.
pub(crate) fn arrival(source: &dyn Source, record: &Record, page_len: usize) -> Result<Arrival> {
    let walk = Walk { source, generation: record.generation, page_len };
    let all = [
        walk.journal_is_there(record)?,
        walk.nodes_are_there(&Tree::allocation(record.allocation, record.page_count, page_len))?,
        walk.nodes_are_there(&Tree::directory(record.directory, record.page_count, page_len))?,
    ];
    Ok(if all == [true; 3] { Arrival::Whole } else { Arrival::Partial })
}

struct Walk<'a> {
    source: &'a dyn Source,
    generation: u64,
    page_len: usize,
}

impl Walk<'_> {
    fn journal_is_there(&self, record: &Record) -> Result<bool> {
        let list = list(self.source, &record.journal, record.page_count, self.page_len)?;
        let Some(entries) = list else { return Ok(false) };
        for entry in entries {
            if !self.holds(entry.journal, entry.crc)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn nodes_are_there(&self, tree: &Tree) -> Result<bool> {
        match self.node_is_there(tree, &tree.top()) {
            Ok(is_there) => Ok(is_there),
            Err(NodeError::Damaged { .. }) => Ok(false),
            Err(NodeError::Medium(error)) => Err(error),
        }
    }

    /// What the commit wrote lies below nodes that it wrote.
    fn node_is_there(&self, tree: &Tree, place: &Place) -> std::result::Result<bool, NodeError> {
        if place.reference.is_absent() || place.reference.generation != self.generation {
            return Ok(true);
        }
        let body = tree.body(self.source, None, place)?;
        if place.level > 0 {
            for index in 0..fan_out(self.page_len) {
                if !self.node_is_there(tree, &tree.child(place, &body, index)?)? {
                    return Ok(false);
                }
            }
            return Ok(true);
        }
        if !tree.is_directory() {
            return Ok(true);
        }
        for bytes in body.chunks_exact(ENTRY_LEN) {
            let entry = Entry::decode(&mut Reader::new(bytes), self.generation, tree.page_count);
            let Some(entry) = entry else { return Ok(false) };
            let is_written = entry.is_in_use() && entry.generation == self.generation;
            if is_written && !entry.is_blank && !self.holds(entry.page(), entry.crc)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn holds(&self, page: u64, crc: u32) -> Result<bool> {
        let page = self.source.page(page, self.page_len)?;
        Ok(page.is_some_and(|page| crc_of(&page) == crc))
    }
}
