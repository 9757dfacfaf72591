//! Every problem, planted by hand in a sound file, is named; and no content makes a check panic.

mod any;
mod one;
mod two;

use std::sync::Arc;

use super::{CheckReport, Part, Problem, check_on};
use crate::format2::entry::Entry;
use crate::format2::fields::{Reader, Writer, crc_of};
use crate::format2::kinds::StoredKind;
use crate::format2::layout::{ENTRY_LEN, NODE_HEADER_LEN, SEAL_OFFSET, SECTOR_LEN, record_page};
use crate::format2::list::ListPage;
use crate::format2::record::Record;
use crate::format2::seal::Seal;
use crate::{Format, Medium, MemoryMedium, Pager};

const P: usize = 1024;
/// Regular pages of the files, from the first that is given out on.
const REGULAR: u64 = 10;

/// A closed file with regular and protected pages, and a journal that was brought to its places.
fn sample(format: Format) -> Vec<u8> {
    let medium = Arc::new(MemoryMedium::new());
    let shared = Arc::clone(&medium) as Arc<dyn Medium>;
    let mut pager = Pager::<P>::builder().format(format).create_on(shared).unwrap();
    let pages = pager.alloc_bulk(REGULAR as usize).unwrap();
    for (index, id) in pager.alloc_protected_bulk(4).unwrap().into_iter().enumerate().skip(1) {
        let mut writer = id.get_mut(&mut pager).unwrap();
        writer.page_mut().as_bytes_mut().fill(index as u8);
        writer.commit().unwrap();
    }
    if format == Format::Two {
        let mut transaction = pager.transaction().unwrap();
        for id in &pages[2..5] {
            transaction.page_mut(*id).unwrap().as_bytes_mut().fill(0x66);
        }
        transaction.commit().unwrap();
    }
    pager.close().unwrap();
    medium.to_vec()
}

fn checked(bytes: Vec<u8>) -> CheckReport {
    check_on::<P>(Arc::new(MemoryMedium::from(bytes))).unwrap()
}

/// Asserts that a check of `bytes` names `expected`.
fn names(bytes: &[u8], expected: &Problem) {
    let report = checked(bytes.to_vec());
    assert!(report.problems.contains(expected), "{expected:?} is not in {report}");
    assert!(!report.is_clean());
}

fn damaged(page: u64, part: Part) -> Problem {
    Problem::Damaged { page, part }
}

/// A file of format 2 whose parts can be changed with all checksums kept right.
struct Image(Vec<u8>);

impl Image {
    fn new() -> Self {
        Self(sample(Format::Two))
    }

    fn page(&mut self, page: u64) -> &mut [u8] {
        &mut self.0[page as usize * P..][..P]
    }

    fn seal(&self) -> Seal {
        Seal::decode(&self.0[SEAL_OFFSET as usize..]).unwrap()
    }

    fn set_seal(&mut self, seal: Seal) {
        self.0[SEAL_OFFSET as usize..][..SECTOR_LEN].copy_from_slice(&seal.encode());
    }

    fn record_page(&self) -> u64 {
        record_page(self.seal().generation)
    }

    fn record(&mut self) -> Record {
        let page = self.record_page();
        Record::decode(self.page(page), P).unwrap()
    }

    fn change_record(&mut self, change: impl FnOnce(&mut Record)) {
        let mut record = self.record();
        change(&mut record);
        let page = self.record_page();
        self.page(page)[..SECTOR_LEN].copy_from_slice(&record.encode());
    }

    fn set_kind(&mut self, page: u64, kind: StoredKind) {
        let at = self.record_page();
        let map = &mut self.page(at)[SECTOR_LEN..];
        let shift = page % 4 * 2;
        let byte = &mut map[page as usize / 4];
        *byte = *byte & !(3 << shift) | kind.bits() << shift;
        let crc = crc_of(map);
        self.change_record(|record| record.map_crc = crc);
    }

    /// The only leaf of the directory.
    fn leaf(&mut self) -> u64 {
        self.record().directory.reference.page()
    }

    fn change_leaf(&mut self, change: impl FnOnce(&mut [u8])) {
        let leaf = self.leaf();
        change(&mut self.page(leaf)[NODE_HEADER_LEN..]);
        let crc = crc_of(self.page(leaf));
        self.change_record(|record| record.directory.reference.crc = crc);
    }

    fn entry(&mut self, slot: usize) -> Entry {
        let leaf = self.leaf();
        let body = &self.page(leaf)[NODE_HEADER_LEN + slot * ENTRY_LEN..];
        Entry::decode(&mut Reader::new(body), u64::MAX, u64::MAX).unwrap()
    }

    fn change_entry(&mut self, slot: usize, change: impl FnOnce(&mut Entry)) {
        let mut entry = self.entry(slot);
        change(&mut entry);
        self.change_leaf(|body| {
            entry.encode(&mut Writer::new(&mut body[slot * ENTRY_LEN..][..ENTRY_LEN]));
        });
    }

    /// The journal that is not known to be applied, since its commit was the last.
    fn open_journal(&mut self) -> ListPage {
        let seal = self.seal();
        self.set_seal(Seal { applied: seal.generation - 1, ..seal });
        let first = self.record().journal.first;
        let list = ListPage::decode(self.page(first), 64, u64::MAX).unwrap();
        assert_eq!(list.entries.len(), 3);
        list
    }
}

/// Makes the checksum at the end of a page of format 1 right.
fn seal_page(page: &mut [u8]) {
    let at = page.len() - 4;
    let crc = crc_of(&page[..at]);
    page[at..].copy_from_slice(&crc.to_le_bytes());
}
