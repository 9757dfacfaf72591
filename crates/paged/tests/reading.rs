//! Every way to read a plain file gives what was written, from every kind of source.

mod support;

use std::fmt::Debug;
use std::io::{Cursor, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use paged::heap::{Entry, WideEntry};
use paged::{
    DecodeFromHeap, EncodeOnHeap, Encoder, Entries, FileSource, Heap, HeapSection, Map,
    ReadOptions, Reader, Section, Source,
};
use proptest::prelude::*;
use support::{Person, Positioned, person};

struct Written<T> {
    file: Vec<u8>,
    page_len: u32,
    header_len: u64,
    section: Section<T>,
    heap: HeapSection,
    expected: Vec<T>,
}

fn write<T: EncodeOnHeap>(expected: Vec<T>, page_len: u32, header_len: u64) -> Written<T> {
    let mut output = Cursor::new(Vec::new());
    output.write_all(&vec![0xee; header_len as usize]).unwrap();
    let mut encoder = Encoder::new(output, page_len);
    let mut heap = Heap::new();
    // So that neither section nor heap start where everything starts.
    encoder.section_from_iter(&mut heap, &[9_u8; 3]).unwrap();
    let section = encoder.section_from_iter(&mut heap, &expected).unwrap();
    let heap = encoder.add_heap(heap).unwrap();
    let file = encoder.end().unwrap().into_inner();
    Written { file, page_len, header_len, section, heap, expected }
}

impl<T: EncodeOnHeap + DecodeFromHeap + PartialEq + Debug + Clone> Written<T> {
    fn check(&self, case: &str, source: impl Source, cache_limit: u64) {
        let options = ReadOptions::new().cache_limit(cache_limit);
        let reader = Reader::with_options(source, self.page_len, self.header_len, options).unwrap();
        let entries = reader.entries(self.section, Some(self.heap)).unwrap();
        let case = format!("{case}, cache {cache_limit}, page {}", self.page_len);
        check_order(&entries, &self.expected, &case);
        assert!(reader.cached() <= cache_limit, "{case}: {}", reader.cached());
    }

    fn check_all(&self) {
        self.check("slice", self.file.as_slice(), 0);
        for cache_limit in [0, 16 << 10, 1 << 20] {
            self.check("positioned", Positioned(self.file.clone()), cache_limit);
        }
    }
}

fn check_order<S, T>(entries: &Entries<'_, S, T>, expected: &[T], case: &str)
where
    S: Source,
    T: DecodeFromHeap + paged::EncodeSized + PartialEq + Debug + Clone,
{
    let count = expected.len();
    assert_eq!(entries.len() as usize, count, "{case}");
    assert_eq!(entries.get(entries.len()).unwrap(), None, "{case}");
    assert_eq!(entries.get(u32::MAX).unwrap(), None, "{case}");
    // Neither first to last nor last to first.
    for step in 0..count {
        let index = step * 7919 % count;
        let entry = entries.get(index as u32).unwrap();
        assert_eq!(entry.as_ref(), expected.get(index), "{case}: {index}");
    }
    let all: Vec<T> = entries.iter().map(Result::unwrap).collect();
    assert_eq!(all, expected, "{case}");
    let backwards: Vec<T> = entries.iter().rev().map(Result::unwrap).collect();
    assert!(backwards.iter().eq(expected.iter().rev()), "{case}");
    assert_eq!(entries.iter().len(), count, "{case}");

    // From both ends, with leaps, as a slice does.
    let (mut ours, mut theirs) = (entries.iter(), expected.iter().cloned());
    for turn in 0.. {
        let (our, their) = match turn % 4 {
            0 => (ours.next(), theirs.next()),
            1 => (ours.next_back(), theirs.next_back()),
            2 => (ours.nth(turn % 9), theirs.nth(turn % 9)),
            _ => (ours.nth_back(turn % 5), theirs.nth_back(turn % 5)),
        };
        assert_eq!(our.transpose().unwrap(), their, "{case}, turn {turn}");
        assert_eq!(ours.len(), theirs.len(), "{case}, turn {turn}");
        if their.is_none() {
            break;
        }
    }
    let (a, b) = (count as u32 / 3, count as u32 * 2 / 3);
    let middle: Vec<T> = entries.iter_range(a..b).map(Result::unwrap).collect();
    assert_eq!(middle, expected[a as usize..b as usize], "{case}");
    assert_eq!(entries.iter_range(b + 1..=a).len(), 0, "{case}");
    assert_eq!(entries.iter_range(a..).len(), count - a as usize, "{case}");

    let mut paged = Vec::new();
    for page in entries.pages() {
        let page = page.unwrap();
        assert_eq!(page.first_index() as usize, paged.len(), "{case}");
        paged.extend((0..page.len()).map(|place| page.get(place).unwrap().unwrap()));
        assert_eq!(page.get(page.len()).unwrap(), None, "{case}");
    }
    assert_eq!(paged, expected, "{case}");
    assert_eq!(entries.pages().len(), entries.layout().page_count() as usize, "{case}");
    let last = entries.pages().next_back().map(|page| page.unwrap().first_index());
    let first_of_last = entries.pages().last().map(|page| page.unwrap().first_index());
    assert_eq!(last, first_of_last, "{case}");
}

fn persons(count: u32) -> Vec<Person> {
    (0..count).map(person).collect()
}

#[test]
fn entries_of_all_sizes_and_pages() {
    for page_len in [27, 28, 64, 100, 4096, 5000, 100_000] {
        for header_len in [0, 1, 4097] {
            for count in [0, 1, 2, 300] {
                write(persons(count), page_len, header_len).check_all();
            }
        }
    }
    for page_len in [1, 3, 4096, 70_000] {
        write((0..5000).map(|index| index as u8).collect(), page_len, 5).check_all();
    }
    for page_len in [2048, 3000, 200_000] {
        write((0..50).map(|index| [index as u8; 2048]).collect(), page_len, 3).check_all();
    }
}

#[test]
fn files_and_maps() {
    let written = write(persons(500), 300, 11);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("persons");
    std::fs::write(&path, &written.file).unwrap();
    written.check("file", FileSource::open(&path).unwrap(), 1 << 20);
    written.check("map", Map::open(&path).unwrap(), 0);
    std::fs::write(&path, []).unwrap();
    assert_eq!(Source::len(&Map::open(&path).unwrap()).unwrap(), 0);
    assert_eq!(Source::len(&FileSource::open(&path).unwrap()).unwrap(), 0);
}

#[test]
fn searches_as_a_slice() {
    let numbers: Vec<u32> = (0..2000).map(|index| index / 3 * 2).collect();
    for page_len in [4, 10, 64, 4096] {
        let written = write(numbers.clone(), page_len, 0);
        let reader = Reader::new(Positioned(written.file), page_len, 0).unwrap();
        let entries = reader.entries(written.section, None).unwrap();
        for wanted in 0..1400 {
            let found = entries.binary_search_by(|entry| entry.cmp(&wanted)).unwrap();
            match found {
                Ok(index) => assert_eq!(numbers[index as usize], wanted),
                Err(index) => {
                    assert_eq!(numbers.binary_search(&wanted), Err(index as usize));
                }
            }
            let by_key = entries.binary_search_by_key(&(wanted + 1), |entry| entry + 1).unwrap();
            assert_eq!(by_key, found);
            let point = entries.partition_point(|entry| *entry < wanted).unwrap();
            assert_eq!(point as usize, numbers.partition_point(|entry| *entry < wanted));
        }
        for (from, to) in [(0, 5), (3, 3), (4, 4), (10, 7), (100, 1_000_000)] {
            let ours = entries.range(from..to, |entry| *entry).unwrap();
            let ours: Vec<u32> = ours.map(Result::unwrap).collect();
            let theirs = numbers.iter().copied().filter(|number| (from..to).contains(number));
            assert!(ours.into_iter().eq(theirs), "{from}..{to}");
        }
        let all = entries.range::<u32>(.., |entry| *entry).unwrap();
        assert_eq!(all.len(), numbers.len());
        let inclusive = entries.range(4..=6, |entry| *entry).unwrap();
        assert_eq!(inclusive.map(Result::unwrap).collect::<Vec<_>>(), [4, 4, 4, 6, 6, 6]);
    }
}

#[test]
fn views_lend_what_is_in_memory() {
    let written = write(persons(100), 300, 11);
    let reader = Reader::new(written.file.as_slice(), 300, 11).unwrap();
    let heap = reader.heap(written.heap).unwrap();
    let handles = reader.entries(
        Section::<(u32, Entry, Entry, (u8, u8))>::new(written.section.page_offset(), 100),
        None,
    );
    for (index, entry) in handles.unwrap().iter().enumerate() {
        let (_, name, scores, _) = entry.unwrap();
        let expected = person(index as u32);
        let bytes = heap.bytes(name.offset.unwrap().into(), name.len.into()).unwrap();
        assert_eq!(bytes, expected.name.as_bytes());
        assert!(matches!(bytes, std::borrow::Cow::Borrowed(_)));
        let view = heap.view::<u16>(scores).unwrap();
        assert_eq!(view.len(), expected.scores.len());
        assert_eq!(view.iter().map(Result::unwrap).collect::<Vec<_>>(), expected.scores);
        assert_eq!(view.get(view.len()).unwrap(), None);
        let last = expected.scores.last().copied();
        assert_eq!(view.iter().next_back().transpose().unwrap(), last);
    }
    let far = WideEntry { offset: u64::MAX, len: u64::MAX };
    assert!(heap.view::<u16>(far).is_err());

    let numbers = write((0..100_u32).collect(), 64, 0);
    let reader = Reader::new(numbers.file.as_slice(), 64, 0).unwrap();
    let entries = reader.entries(numbers.section, None).unwrap();
    let page = entries.pages().nth(2).unwrap().unwrap();
    let values: Vec<u32> = page.view().unwrap().iter().map(Result::unwrap).collect();
    assert_eq!(values, (32..48).collect::<Vec<u32>>());
    assert!(matches!(page.into_bytes(), std::borrow::Cow::Borrowed(_)));
}

#[test]
fn two_readers_never_see_each_others_pages() {
    let first = write((0..4000_u32).collect(), 64, 0);
    let second = write((0..4000_u32).rev().collect(), 64, 0);
    let readers = [&first, &second]
        .map(|written| Reader::new(Positioned(written.file.clone()), 64, 0).unwrap());
    for index in 0..4000 {
        let values = [&readers[0], &readers[1]]
            .map(|reader| reader.entries(first.section, None).unwrap().get(index).unwrap());
        assert_eq!(values, [Some(index), Some(3999 - index)]);
    }
}

#[test]
fn threads_share_a_reader() {
    let written = write((0..200_000_u32).collect(), 100, 3);
    let options = ReadOptions::new().cache_limit(64 << 10);
    let reader = Reader::with_options(Positioned(written.file), 100, 3, options).unwrap();
    let entries = reader.entries(written.section, None).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            scope.spawn(move || {
                let mut state = thread;
                for _ in 0..50_000 {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    // Half of them where all threads look.
                    let most = if state >> 20 & 1 == 0 { 200_000 } else { 5_000 };
                    let index = (state >> 33) as u32 % most;
                    assert_eq!(entries.get(index).unwrap(), Some(index));
                }
            });
        }
    });
    assert!(reader.cached() <= 64 << 10);
}

proptest! {
    #[test]
    fn any_layout(
        page_len in 12_u32..6000,
        header_len in 0_u64..5000,
        values in prop::collection::vec((any::<u32>(), ".{0,40}"), 0..400),
    ) {
        write(values, page_len, header_len).check_all();
    }
}

/// Counts reads, and fails those of one byte of the file.
struct Watched {
    file: Vec<u8>,
    reads: AtomicU64,
    unreadable: Option<u64>,
}

impl Source for Watched {
    fn len(&self) -> std::io::Result<u64> {
        Ok(self.file.len() as u64)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> std::io::Result<()> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        if self.unreadable.is_some_and(|at| (offset..offset + into.len() as u64).contains(&at)) {
            return Err(std::io::Error::other("a bad sector"));
        }
        self.file.as_slice().read_at(offset, into)
    }
}

/// A reader of 100,000 numbers, whose cache takes in all of them and no more.
fn watched(unreadable: Option<u64>) -> (Reader<Watched>, Section<u64>) {
    let written = write::<u64>((0..100_000).collect(), 4096, 0);
    let source = Watched { file: written.file, reads: AtomicU64::new(0), unreadable };
    let options = ReadOptions::new().cache_limit(source.file.len() as u64);
    (Reader::with_options(source, 4096, 0, options).unwrap(), written.section)
}

#[test]
fn a_file_that_fits_the_cache_is_read_whole_after_a_part_of_it() {
    let (reader, section) = watched(None);
    let reads = || reader.source().reads.load(Ordering::Relaxed);
    let entries = reader.entries(section, None).unwrap();
    assert_eq!(entries.get(7).unwrap(), Some(7));
    assert_eq!((reads(), reader.cached()), (1, 0), "one entry is no reason to read all");
    // An eighth of the 197 pages, and one.
    for page in 0..25 {
        entries.get(page * 512).unwrap();
    }
    assert_eq!(reader.cached(), reader.source().file.len() as u64);
    let before = reads();
    let later = reader.entries(section, None).unwrap();
    for index in 0..100_000 {
        assert_eq!(entries.get(index).unwrap(), Some(index.into()));
        assert_eq!(later.get(index).unwrap(), Some(index.into()));
        assert_eq!(entries.binary_search_by(|entry| entry.cmp(&index.into())).unwrap(), Ok(index));
    }
    assert_eq!(reads(), before);
}

#[test]
fn a_file_that_cannot_be_read_whole_is_read_in_parts() {
    let unreadable = 4096 * 50 + 8;
    let (reader, section) = watched(Some(unreadable));
    let entries = reader.entries(section, None).unwrap();
    let failed = (0..100_000).filter(|index| match entries.get(*index) {
        Ok(entry) => {
            assert_eq!(entry, Some(u64::from(*index)));
            false
        }
        Err(_) => true,
    });
    // The first section takes page 0.
    assert_eq!(failed.collect::<Vec<_>>(), [49 * 512 + 1]);
}
