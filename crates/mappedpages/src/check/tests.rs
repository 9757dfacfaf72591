//! Every problem, planted by hand in a sound file, is named; and no content makes a check panic.

use std::sync::Arc;

use super::{CheckReport, Part, Problem, check_on};
use crate::format2::entry::Entry;
use crate::format2::fields::{Reader, Writer, crc_of};
use crate::format2::kinds::StoredKind;
use crate::format2::layout::{ENTRY_LEN, NODE_HEADER_LEN, SEAL_OFFSET, SECTOR_LEN, record_page};
use crate::format2::list::ListPage;
use crate::format2::record::Record;
use crate::format2::seal::Seal;
use crate::{Format, Medium, MemoryMedium, PageId, Pager, ProtectedPageId};

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

#[test]
fn a_sound_file_is_clean_and_its_figures_are_right() {
    for format in [Format::One, Format::Two] {
        let report = checked(sample(format));
        assert!(report.is_clean(), "{report}");
        assert!(!report.needs_recovery);
        assert_eq!(report.format, Some(format));
        let figures = report.figures;
        assert_eq!((figures.pages_regular, figures.protected), (REGULAR, 4));
        let all = figures.pages_free + figures.pages_regular + figures.pages_internal;
        assert_eq!(all, figures.pages);
        assert_eq!(figures.nodes, 1);
        // Reserved pages, pairs of protected pages, and a pair for their directory.
        assert_eq!(figures.pages_internal, 3 + 8 + 2);
        assert!(report.to_string().ends_with("clean"));
    }
}

#[test]
fn format_2_wrong_maps_are_named() {
    let mut image = Image::new();
    image.set_kind(5, StoredKind::Held);
    names(&image.0, &Problem::Leaked { page: 5 });

    let mut image = Image::new();
    let first = image.entry(2).first;
    image.set_kind(first, StoredKind::Free);
    names(&image.0, &Problem::NotInMap { page: first });

    let mut image = Image::new();
    image.set_kind(first + 1, StoredKind::Regular);
    names(&image.0, &Problem::NotInMap { page: first + 1 });

    let mut image = Image::new();
    let (page, target) = (image.record_page(), image.record().page_count + 1);
    image.set_kind(target, StoredKind::Regular);
    names(&image.0, &Problem::OutOfRange { page, part: Part::Map, target });

    let mut image = Image::new();
    image.set_kind(1, StoredKind::Free);
    names(&image.0, &Problem::Malformed { page, part: Part::Map });

    let mut image = Image::new();
    image.page(page)[SECTOR_LEN + 9] ^= 1;
    names(&image.0, &damaged(page, Part::Map));
}

#[test]
fn format_2_a_wrong_directory_is_named() {
    let part = Part::Directory;
    let mut image = Image::new();
    let first = image.entry(1).first;
    image.change_entry(2, |entry| entry.first = first);
    names(&image.0, &Problem::TwoOwners { page: first });
    names(&image.0, &Problem::TwoOwners { page: first + 1 });

    let mut image = Image::new();
    let (page, own) = (image.leaf(), image.record().directory.reference.first);
    image.change_entry(0, |entry| entry.first = own);
    names(&image.0, &Problem::TwoOwners { page: own });

    let mut image = Image::new();
    let count = image.record().page_count;
    for target in [count - 1, count, count << 40] {
        image.change_entry(3, |entry| entry.first = target);
        names(&image.0, &Problem::OutOfRange { page, part, target });
    }

    let mut image = Image::new();
    image.change_leaf(|body| body[ENTRY_LEN + 23] |= 0x80);
    names(&image.0, &Problem::Malformed { page, part });

    let mut image = Image::new();
    image.change_entry(1, |entry| entry.generation += 1000);
    names(&image.0, &Problem::FromTheFuture { page, part });

    let mut image = Image::new();
    image.change_record(|record| record.directory.reference.used += 1);
    names(&image.0, &Problem::WrongCount { page, part, stored: 5, found: 4 });

    let mut image = Image::new();
    image.page(page)[NODE_HEADER_LEN + 3] ^= 4;
    names(&image.0, &damaged(page, part));

    let mut image = Image::new();
    let content = image.entry(3).page();
    image.page(content)[1023] ^= 0x80;
    names(&image.0, &damaged(content, Part::ProtectedPage));
}

#[test]
fn format_2_wrong_heads_are_named() {
    let mut image = Image::new();
    image.page(0)[3] ^= 1;
    names(&image.0, &damaged(0, Part::Superblock));

    let mut image = Image::new();
    image.page(0)[SEAL_OFFSET as usize + 20] ^= 1;
    names(&image.0, &damaged(0, Part::Seal));

    let mut image = Image::new();
    let other = 3 - image.record_page();
    image.page(other)[100] ^= 1;
    names(&image.0, &damaged(other, Part::Record));

    let mut image = Image::new();
    let page = image.record_page();
    image.page(page)[100] ^= 1;
    names(&image.0, &damaged(page, Part::Record));
    names(&image.0, &Problem::NoState);

    let mut image = Image::new();
    let (expected, len) = (image.0.len() as u64, (image.0.len() - P) as u64);
    image.0.truncate(len as usize);
    names(&image.0, &Problem::CutShort { expected, len });
    image.0.truncate(2 * P);
    names(&image.0, &Problem::CutShort { expected: 3 * P as u64, len: 2 * P as u64 });
}

#[test]
fn format_2_a_wrong_journal_is_named() {
    let mut image = Image::new();
    let list = image.open_journal();
    let report = checked(image.0.clone());
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.figures.journal_entries, 3);
    let first = image.record().journal.first;

    let pages = [first, list.entries[1].journal];
    for page in pages {
        let mut image = Image::new();
        image.open_journal();
        image.set_kind(page, StoredKind::Regular);
        names(&image.0, &Problem::JournalInUse { page });
    }

    let mut image = Image::new();
    image.open_journal();
    image.page(first)[70] ^= 1;
    names(&image.0, &damaged(first, Part::JournalList));

    // A damaged page of a journal does no harm while its content is in its place.
    let mut image = Image::new();
    let entry = image.open_journal().entries[2];
    image.page(entry.journal)[0] ^= 1;
    assert!(checked(image.0.clone()).is_clean());
    image.page(entry.target)[0] ^= 2;
    names(&image.0, &damaged(entry.journal, Part::JournalPage));

    let mut image = Image::new();
    image.open_journal();
    image.change_record(|record| record.journal.entries = 4);
    let page = image.record_page();
    let part = Part::Record;
    names(&image.0, &Problem::WrongCount { page, part, stored: 4, found: 3 });

    // A list that comes back to itself has to have its own checksum in it.
    let mut image = Image::new();
    let mut list = image.open_journal();
    (list.next, list.next_crc) = (first, 0x1234_5678);
    let page = image.page(first);
    page.fill(0);
    list.encode(page);
    steer(page, 0x1234_5678);
    image.change_record(|record| record.journal.crc = 0x1234_5678);
    names(&image.0, &Problem::Cycle { page: first, part: Part::JournalList });
}

/// Chooses the last four bytes so that the checksum of all is `wanted`. What each bit of them does to
/// the checksum is independent of the others.
fn steer(bytes: &mut [u8], wanted: u32) {
    let at = bytes.len() - 4;
    bytes[at..].fill(0);
    let base = crc_of(bytes);
    let mut basis: Vec<(u32, u32)> = Vec::new();
    for bit in 0..32 {
        bytes[at..].copy_from_slice(&(1_u32 << bit).to_le_bytes());
        let (mut effect, mut bits) = (crc_of(bytes) ^ base, 1_u32 << bit);
        for &(other, other_bits) in &basis {
            if effect ^ other < effect {
                (effect, bits) = (effect ^ other, bits ^ other_bits);
            }
        }
        basis.push((effect, bits));
        basis.sort_unstable_by(|a, b| b.cmp(a));
    }
    let (mut left, mut chosen) = (base ^ wanted, 0);
    for (effect, bits) in basis {
        if left ^ effect < left {
            (left, chosen) = (left ^ effect, chosen ^ bits);
        }
    }
    bytes[at..].copy_from_slice(&chosen.to_le_bytes());
    assert_eq!(crc_of(bytes), wanted);
}

#[test]
fn format_2_wrong_nodes_of_maps_are_named() {
    let medium = Arc::new(MemoryMedium::new());
    let shared = Arc::clone(&medium) as Arc<dyn Medium>;
    let mut pager = Pager::<P>::builder().create_on(shared).unwrap();
    pager.alloc_bulk(7000).unwrap();
    pager.close().unwrap();
    let sound = medium.to_vec();
    let report = checked(sound.clone());
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.figures.nodes, 3);

    let mut image = Image(sound.clone());
    let root = image.record().allocation;
    assert_eq!(root.level, 1);
    let root = root.reference;
    image.page(root.page())[NODE_HEADER_LEN] ^= 1;
    names(&image.0, &damaged(root.page(), Part::MapNode));

    let mut image = Image(sound.clone());
    let leaf = u64::from_le_bytes(image.page(root.page())[32..40].try_into().unwrap());
    let copy = u64::from(image.page(root.page())[32 + 28]);
    image.page(leaf + copy)[200] ^= 1;
    let report = checked(image.0.clone());
    assert_eq!(report.problems, [damaged(leaf + copy, Part::Map)]);

    let mut image = Image(sound);
    let part = Part::MapNode;
    for (offset, value) in [(0, u64::MAX), (8, u64::MAX), (16, 1)] {
        let mut image = Image(image.0.clone());
        let page = root.page();
        image.page(page)[32 + offset..][..8].copy_from_slice(&value.to_le_bytes());
        let crc = crc_of(image.page(page));
        image.change_record(|record| record.allocation.reference.crc = crc);
        let report = checked(image.0.clone());
        let is_named = report.problems.iter().any(|problem| match (offset, problem) {
            (0, Problem::OutOfRange { target, .. }) => *target == u64::MAX,
            (8, Problem::FromTheFuture { page: named, .. }) => *named == page,
            (16, Problem::WrongCount { page: named, .. }) => *named == page,
            _ => false,
        });
        assert!(is_named, "{report}");
    }
    image.change_record(|record| record.allocation.reference.used += 1);
    let report = checked(image.0);
    let is_named = |problem: &Problem| matches!(problem, Problem::WrongCount { part: named, .. } if *named == part);
    assert!(report.problems.iter().any(is_named), "{report}");
}

#[test]
fn a_commit_that_did_not_arrive_is_no_problem() {
    let mut image = Image::new();
    let seal = image.seal();
    let page = image.record_page();
    image.set_seal(Seal { generation: seal.generation - 1, applied: 0, is_clean: false });
    assert!(checked(image.0.clone()).is_clean());
    image.page(page)[SECTOR_LEN + 9] ^= 1;
    let report = checked(image.0);
    assert!(report.is_clean(), "{report}");
    assert!(report.needs_recovery);
    assert_eq!(report.figures.generation, seal.generation - 1);
}

/// Makes the checksum at the end of a page of format 1 right.
fn seal_page(page: &mut [u8]) {
    let at = page.len() - 4;
    let crc = crc_of(&page[..at]);
    page[at..].copy_from_slice(&crc.to_le_bytes());
}

/// A file of format 1: its bytes, the page of its metadata, and that of its directory.
fn sample_one() -> (Vec<u8>, usize, usize) {
    let bytes = sample(Format::One);
    let metadata = 1 + usize::from(bytes[12]);
    let reference = &bytes[24..41];
    let copy = usize::from(reference[16]) * 8;
    let directory = u64::from_le_bytes(reference[copy..copy + 8].try_into().unwrap());
    (bytes, metadata, directory as usize)
}

#[test]
fn format_1_every_problem_is_named() {
    let (sound, metadata, directory) = sample_one();
    let entry = |slot: usize| directory * P + 8 + 30 * slot;
    let number =
        |bytes: &[u8], at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let changed = |page: usize, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = sound.clone();
        change(&mut bytes);
        seal_page(&mut bytes[page * P..][..P]);
        bytes
    };
    let first = number(&sound, entry(0) + 1);
    let (by, part) = (directory as u64, Part::Directory);

    let bytes = changed(directory, &|bytes| {
        bytes[entry(1) + 1..][..8].copy_from_slice(&first.to_le_bytes())
    });
    names(&bytes, &Problem::TwoOwners { page: first });
    for target in [0, 2, sound.len() as u64 / P as u64, u64::MAX] {
        let bytes = changed(directory, &|bytes| {
            bytes[entry(1) + 9..][..8].copy_from_slice(&target.to_le_bytes());
        });
        names(&bytes, &Problem::OutOfRange { page: by, part, target });
    }
    let bytes = changed(metadata, &|bytes| {
        bytes[metadata * P + 24 + first as usize / 8] &= !(1 << (first % 8));
    });
    names(&bytes, &Problem::NotInMap { page: first });
    let free = number(&sound, metadata * P + 16);
    let bytes = changed(metadata, &|bytes| bytes[metadata * P + 16] ^= 1);
    let page = metadata as u64;
    names(&bytes, &Problem::WrongCount { page, part: Part::Map, stored: free ^ 1, found: free });

    let flipped = |at: usize| {
        let mut bytes = sound.clone();
        bytes[at] ^= 1;
        bytes
    };
    names(&flipped(0), &damaged(0, Part::Superblock));
    names(&flipped(P - 2), &damaged(0, Part::DirectoryIndex));
    let content = number(&sound, entry(2) + 1 + 8 * usize::from(sound[entry(2) + 17]));
    names(&flipped(content as usize * P + 5), &damaged(content, Part::ProtectedPage));
    let report = checked(flipped(metadata * P + 9));
    assert!(report.needs_recovery, "{report}");

    let mut bytes = sound.clone();
    for page in 1..3 {
        bytes[page * P + 50] ^= 1;
    }
    names(&bytes, &damaged(1, Part::Map));
    names(&bytes, &damaged(2, Part::Map));
    let pages = [number(&sound, 24), number(&sound, 32)];
    let mut bytes = sound.clone();
    for page in pages {
        bytes[page as usize * P + 50] ^= 1;
    }
    names(&bytes, &damaged(by, part));
    let (expected, len) = (sound.len() as u64, (sound.len() - P) as u64);
    names(&sound[..len as usize], &Problem::CutShort { expected, len });
}

/// Random numbers that a seed repeats.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

#[test]
fn no_content_makes_a_check_panic() {
    for format in [Format::One, Format::Two] {
        let sound = sample(format);
        for seed in 1..1500_u64 {
            let mut random = Random(seed * 0x9e37_79b9);
            let mut bytes = sound.clone();
            for _ in 0..1 + random.below(4) {
                let len = 1 + random.below(16);
                let at = random.below(bytes.len() - len);
                bytes[at..at + len].fill_with(|| random.below(256) as u8);
            }
            // Right checksums let what they cover come through to what reads it.
            let mut image = Image(bytes);
            if format == Format::Two && Seal::decode(&image.0[SEAL_OFFSET as usize..]).is_some() {
                fix(&mut image, &mut random);
            } else {
                for page in 1..image.0.len() / P {
                    seal_page(&mut image.0[page * P..][..P]);
                }
            }
            let medium = Arc::new(MemoryMedium::from(image.0)) as Arc<dyn Medium>;
            let _report = check_on::<P>(Arc::clone(&medium));
            if let Ok(reader) = crate::ReadOnlyPager::<P>::open_on(medium) {
                for id in reader.iter_allocated_pages().flatten().take(100) {
                    let _page = reader.get_page(id);
                }
                for id in reader.iter_allocated_protected_pages().flatten().take(100) {
                    let _page = reader.get_protected_page(id);
                }
                let _page = reader.get_page(PageId(seed));
                let _page = reader.get_protected_page(ProtectedPageId(seed));
            }
        }
    }
}

/// Damages a record, a leaf and a list, and makes all checksums right.
fn fix(image: &mut Image, random: &mut Random) {
    let page = record_page(image.seal().generation);
    let sector = image.page(page);
    let at = random.below(SECTOR_LEN - 4);
    if random.below(2) == 0 {
        sector[at] ^= 1 << random.below(8);
    }
    let map_crc = crc_of(&sector[SECTOR_LEN..]);
    sector[28..32].copy_from_slice(&map_crc.to_le_bytes());
    let crc = crc_of(&sector[..SECTOR_LEN - 4]);
    sector[SECTOR_LEN - 4..SECTOR_LEN].copy_from_slice(&crc.to_le_bytes());
    let Some(record) = Record::decode(image.page(page), P) else { return };
    for reference in [record.directory.reference.page(), record.journal.first] {
        if reference == 0 || reference >= image.0.len() as u64 / P as u64 {
            return;
        }
        let node = image.page(reference);
        for _ in 0..random.below(3) {
            node[32 + random.below(120)] ^= 1 << random.below(8);
        }
    }
    let leaf = record.directory.reference.page();
    let (leaf_crc, list_crc) =
        (crc_of(image.page(leaf)), crc_of(image.page(record.journal.first.max(1))));
    image.change_record(|record| {
        record.directory.reference.crc = leaf_crc;
        record.journal.crc = list_crc;
    });
    let seal = image.seal();
    image.set_seal(Seal { applied: seal.generation.saturating_sub(2), ..seal });
}
