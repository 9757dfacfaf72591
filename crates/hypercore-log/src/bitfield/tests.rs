//! The bitfield against the plainest model, the recorded vectors, and hostile stores and ranges.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use random_access_storage::{Error, Result, SyncScope};
use serde_json::Value;

use super::*;

const VECTORS: &str = include_str!("../../tests/fixtures/bitfield.json");

/// A file with holes that counts what is read from it.
#[derive(Debug, Default)]
struct Sparse {
    len: u64,
    pieces: BTreeMap<u64, Vec<u8>>,
    read: AtomicU64,
}

impl Sparse {
    fn dense(bytes: Vec<u8>) -> Self {
        let len = bytes.len() as u64;
        Self { len, pieces: BTreeMap::from([(0, bytes)]), ..Self::default() }
    }
}

impl RandomAccess for Sparse {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let len = buffer.len() as u64;
        if offset + len > self.len {
            return Err(Error::OutOfBounds { offset, len, end: self.len });
        }
        self.read.fetch_add(len, Ordering::Relaxed);
        buffer.fill(0);
        for (start, bytes) in &self.pieces {
            let from = offset.max(*start);
            let to = (offset + len).min(start + bytes.len() as u64);
            if from < to {
                let piece = &bytes[(from - start) as usize..(to - start) as usize];
                buffer[(from - offset) as usize..(to - offset) as usize].copy_from_slice(piece);
            }
        }
        Ok(())
    }
    fn write_at(&self, _: u64, _: &[u8]) -> Result<()> {
        unreachable!("loading writes nothing")
    }
    fn discard(&self, _: u64, _: u64) -> Result<()> {
        unreachable!("loading writes nothing")
    }
    fn truncate(&self, _: u64) -> Result<()> {
        unreachable!("loading writes nothing")
    }
    fn len(&self) -> Result<u64> {
        Ok(self.len)
    }
    fn sync(&self, _: SyncScope) -> Result<()> {
        unreachable!("loading writes nothing")
    }
    fn next_stored(&self, offset: u64) -> Result<Option<Range<u64>>> {
        let mut ranges =
            self.pieces.iter().map(|(start, bytes)| *start..start + bytes.len() as u64);
        let next = ranges.find(|range| range.end > offset);
        Ok(next.map(|range| range.start.max(offset)..range.end))
    }
}

/// The file that the dirty pages leave, as the engine writes it.
fn file_of(bitfield: &Bitfield) -> Vec<u8> {
    let mut file = Vec::new();
    for (offset, bytes) in bitfield.dirty_pages() {
        let offset = offset as usize;
        file.resize(file.len().max(offset + PAGE_LEN), 0);
        file[offset..offset + PAGE_LEN].copy_from_slice(&bytes);
    }
    file
}

/// Every bit of a file, found the slow way.
fn runs_of(file: &[u8]) -> Vec<Range<u64>> {
    let mut runs: Vec<Range<u64>> = Vec::new();
    for index in 0..file.len() as u64 * 8 {
        if file[index as usize / 8] >> (index % 8) & 1 == 1 {
            match runs.last_mut() {
                Some(run) if run.end == index => run.end += 1,
                _ => runs.push(index..index + 1),
            }
        }
    }
    runs
}

fn number(value: &Value, field: &str) -> u64 {
    value[field].as_u64().unwrap_or_else(|| panic!("{field} in {value}"))
}

/// A number that is -1 for none.
fn position(value: &Value, field: &str) -> Option<u64> {
    u64::try_from(value[field].as_i64().unwrap()).ok()
}

#[test]
fn operations_leave_the_recorded_files() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    assert!(cases.len() >= 4);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let mut bitfield = Bitfield::new();
        for op in case["ops"].as_array().unwrap() {
            let value = op["value"].as_bool().unwrap();
            let range = match op["op"].as_str().unwrap() {
                "set" => number(op, "index")..number(op, "index") + 1,
                "set_range" => number(op, "start")..number(op, "start") + number(op, "length"),
                other => panic!("{name}: operation {other}"),
            };
            bitfield.set_range(range, value).unwrap();
        }
        let runs: Vec<Range<u64>> = case["runs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|run| run[0].as_u64().unwrap()..run[1].as_u64().unwrap())
            .collect();
        let file = file_of(&bitfield);
        assert_eq!(file.len() as u64, number(case, "file_bytes"), "{name}");
        // The runs and the size say every byte of the file.
        assert_eq!(runs_of(&file), runs, "{name}");
        assert_eq!(bitfield.set_ranges(0..u64::MAX).collect::<Vec<_>>(), runs, "{name}");
        for page in case["pages"].as_array().unwrap() {
            let start = number(page, "page") as usize * PAGE_LEN;
            let empty = file[start..start + PAGE_LEN].iter().all(|byte| *byte == 0);
            assert_eq!(empty, page["empty"].as_bool().unwrap(), "{name}");
        }
        let loaded = Bitfield::load(&Sparse::dense(file)).unwrap();
        for bitfield in [bitfield, loaded] {
            for query in case["queries"].as_array().unwrap() {
                check_query(&bitfield, query, name);
            }
        }
    }
}

fn check_query(bitfield: &Bitfield, query: &Value, name: &str) {
    let at = number(query, "position");
    let context = format!("{name}: {query}");
    assert_eq!(bitfield.get(at), query["get"].as_bool().unwrap(), "{context}");
    let first_set = bitfield.find_first(true, at..u64::MAX);
    assert_eq!(first_set, position(query, "first_set"), "{context}");
    let first_unset = bitfield.find_first(false, at..u64::MAX);
    assert_eq!(first_unset, position(query, "first_unset"), "{context}");
    assert_eq!(bitfield.contiguous_from(at), number(query, "first_unset"), "{context}");
    assert_eq!(bitfield.find_last_set(at + 1), position(query, "last_set"), "{context}");
    let count = bitfield.count_set(at..at + number(query, "count_length"));
    assert_eq!(count, number(query, "count_set"), "{context}");
}

#[test]
fn a_bit_is_the_lowest_of_its_byte_first() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    for tiny in vectors["tiny"].as_array().unwrap() {
        let mut bitfield = Bitfield::new();
        for bit in tiny["bits"].as_array().unwrap() {
            let bit = bit.as_u64().unwrap();
            bitfield.set_range(bit..bit + 1, true).unwrap();
        }
        let file = file_of(&bitfield);
        let hex: String = file[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, tiny["first_bytes"].as_str().unwrap());
        assert_eq!(file.len() as u64, number(tiny, "file_bytes"));
    }
}

#[test]
fn a_size_that_is_no_multiple_of_a_page_counts_to_the_last_word() {
    let mut bytes = vec![0xff; PAGE_LEN + 11];
    bytes[PAGE_LEN + 8..].fill(0xff);
    let bitfield = Bitfield::load(&Sparse::dense(bytes)).unwrap();
    let ranges: Vec<_> = bitfield.set_ranges(0..u64::MAX).collect();
    assert_eq!(ranges, [Range { start: 0, end: PAGE_BITS + 64 }]);
    // The page is written again before the file grows: the last three bytes would count then.
    let (offset, page) = bitfield.dirty_pages().next().unwrap();
    assert_eq!((offset, page[7], page[8]), (PAGE_LEN as u64, 0xff, 0));
    for len in 0..4 {
        let bitfield = Bitfield::load(&Sparse::dense(vec![0xff; len])).unwrap();
        assert_eq!(bitfield.page_count(), 0);
    }
}

#[test]
fn holes_are_not_read_and_zero_pages_not_kept() {
    let far = 4096 * 1_000_000_007;
    let store = Sparse {
        len: far + 2 * 4096 + 4,
        pieces: BTreeMap::from([
            (0, vec![0; 4096 * 40]),
            (4096 * 50 + 100, vec![1]),
            // Two pieces in one page, the second running into the next.
            (far + 1, vec![2]),
            (far + 4000, vec![0x80; 100]),
        ]),
        ..Sparse::default()
    };
    let bitfield = Bitfield::load(&store).unwrap();
    assert_eq!(bitfield.page_count(), 3);
    assert!(bitfield.get((4096 * 50 + 100) * 8));
    assert!(bitfield.get((far + 1) * 8 + 1));
    assert!(bitfield.get((far + 4099) * 8 + 7));
    assert_eq!(bitfield.count_set(0..u64::MAX), 102);
    assert!(bitfield.dirty.is_empty());
    assert!(store.read.into_inner() <= 4096 * 44);
}

#[test]
fn a_file_longer_than_all_indexes_is_cut_to_them() {
    let end = 1_u64 << 50;
    let store = Sparse {
        len: u64::MAX,
        pieces: BTreeMap::from([(end - 1, vec![0xff; 5000]), (u64::MAX - 8, vec![0xff; 8])]),
        ..Sparse::default()
    };
    let bitfield = Bitfield::load(&store).unwrap();
    // Bit 7 of the last byte is 2^53 - 1, one more than the largest index.
    assert_eq!(bitfield.count_set(0..u64::MAX), 7);
    assert_eq!(bitfield.find_last_set(u64::MAX), Some(INDEX_END - 1));
    assert!(bitfield.dirty.is_empty());
}

/// A store that says nonsense about its holes must not make loading spin, panic or miss its end.
#[test]
#[expect(clippy::reversed_empty_ranges, reason = "that is the nonsense")]
fn nonsense_about_holes_does_no_harm() {
    #[derive(Debug)]
    struct Liar(Range<u64>);
    impl RandomAccess for Liar {
        fn read_at(&self, _: u64, buffer: &mut [u8]) -> Result<()> {
            buffer.fill(1);
            Ok(())
        }
        fn write_at(&self, _: u64, _: &[u8]) -> Result<()> {
            Ok(())
        }
        fn discard(&self, _: u64, _: u64) -> Result<()> {
            Ok(())
        }
        fn truncate(&self, _: u64) -> Result<()> {
            Ok(())
        }
        fn len(&self) -> Result<u64> {
            Ok(100_000)
        }
        fn sync(&self, _: SyncScope) -> Result<()> {
            Ok(())
        }
        fn next_stored(&self, _: u64) -> Result<Option<Range<u64>>> {
            Ok(Some(self.0.clone()))
        }
    }
    for range in [0..0, 0..u64::MAX, 50..40, u64::MAX..u64::MAX, 5000..5001, u64::MAX - 1..5] {
        let bitfield = Bitfield::load(&Liar(range)).unwrap();
        assert!(bitfield.find_last_set(u64::MAX) < Some(800_000));
    }
}

#[test]
fn full_pages_take_no_memory_and_a_billion_bits_are_quick() {
    let mut bitfield = Bitfield::new();
    let billion = 1_000_000_000;
    assert!(bitfield.set_range(0..billion, true).unwrap());
    assert_eq!(bitfield.page_count(), billion.div_ceil(PAGE_BITS));
    assert_eq!(bitfield.pages.len(), 1);
    assert_eq!(bitfield.count_set(0..u64::MAX), billion);
    assert_eq!(bitfield.contiguous_from(0), billion);
    assert_eq!(bitfield.find_last_set(u64::MAX), Some(billion - 1));
    assert!(bitfield.clear(5..6));
    assert_eq!(bitfield.contiguous_from(0), 5);
    assert!(bitfield.set_range(5..6, true).unwrap());
    assert!(bitfield.full.contains(0) && !bitfield.pages.contains_key(&0));
    assert!(!bitfield.set_range(0..billion, true).unwrap());
    assert!(bitfield.truncate(0));
    assert_eq!(bitfield.page_count(), 0);
    assert_eq!(bitfield.dirty_pages().count() as u64, billion.div_ceil(PAGE_BITS));
}

#[test]
fn a_page_filled_bit_by_bit_becomes_a_shared_one() {
    let mut bitfield = Bitfield::new();
    for index in 0..PAGE_BITS {
        bitfield.set_range(index..index + 1, true).unwrap();
    }
    assert!(bitfield.full.contains(0) && bitfield.pages.is_empty());
    for index in (0..PAGE_BITS).rev() {
        assert!(bitfield.clear(index..index + 1));
    }
    assert_eq!(bitfield.page_count(), 0);
}

#[test]
fn hostile_ranges_are_refused_and_change_nothing() {
    let mut bitfield = Bitfield::new();
    bitfield.set_range(3..5, true).unwrap();
    bitfield.clear_dirty();
    let limit = PAGES_PER_SET_MAX * PAGE_BITS;
    for range in [0..1 << 52, 0..limit + PAGE_BITS + 1, 1 << 51..INDEX_END] {
        let refused = bitfield.set_range(range, true);
        assert!(matches!(refused, Err(BitfieldError::TooManyPages)));
    }
    for range in [0..u64::MAX, INDEX_END - 1..INDEX_END + 1, u64::MAX - 1..u64::MAX] {
        let refused = bitfield.set_range(range, true);
        assert!(matches!(refused, Err(BitfieldError::IndexTooLarge)));
    }
    assert!(bitfield.dirty.is_empty());
    assert_eq!(bitfield.count_set(0..u64::MAX), 2);
    // Clearing any range costs nothing.
    assert!(!bitfield.clear(5..u64::MAX));
    assert!(!bitfield.set_range(1 << 40..1 << 52, false).unwrap());
    // The page that is there does not count as new.
    assert!(bitfield.set_range(0..limit + PAGE_BITS, true).unwrap());
    assert!(bitfield.set_range(INDEX_END - 1..INDEX_END, true).unwrap());
    assert!(bitfield.get(INDEX_END - 1));
    assert!(!bitfield.get(INDEX_END));
    assert!(!bitfield.get(u64::MAX));
}

#[test]
fn pages_in_all_are_bounded() {
    let mut bitfield = Bitfield::new();
    for part in (0..PAGES_MAX).step_by(PAGES_PER_SET_MAX as usize) {
        let start = part * PAGE_BITS;
        bitfield.set_range(start..start + PAGES_PER_SET_MAX * PAGE_BITS, true).unwrap();
    }
    bitfield.clear_dirty();
    let refused = bitfield.set_range(INDEX_END - 1..INDEX_END, true);
    assert!(matches!(refused, Err(BitfieldError::TooManyPages)));
    assert!(!bitfield.set_range(7..9, true).unwrap());
}

#[test]
#[expect(clippy::reversed_empty_ranges, reason = "they must be taken as empty")]
fn empty_and_reversed_ranges_are_empty() {
    let mut bitfield = Bitfield::new();
    bitfield.set_range(0..100_000, true).unwrap();
    bitfield.clear_dirty();
    for range in [5..5, 9..3, u64::MAX..0, 0..0] {
        assert!(!bitfield.set_range(range.clone(), true).unwrap());
        assert!(!bitfield.clear(range.clone()));
        assert_eq!(bitfield.find_first(true, range.clone()), None);
        assert_eq!(bitfield.find_first(false, range.clone()), None);
        assert_eq!(bitfield.count_set(range.clone()), 0);
        assert_eq!(bitfield.set_ranges(range.clone()).next(), None);
        assert!(bitfield.has_range(range));
    }
    assert_eq!(bitfield.find_last_set(0), None);
    assert!(bitfield.dirty.is_empty());
}

#[test]
fn a_page_cleared_is_written_as_zeros() {
    let mut bitfield = Bitfield::new();
    bitfield.set_range(PAGE_BITS..PAGE_BITS + 1, true).unwrap();
    bitfield.clear_dirty();
    bitfield.clear(0..u64::MAX);
    let pages: Vec<_> = bitfield.dirty_pages().collect();
    assert_eq!(pages, [(PAGE_LEN as u64, [0; PAGE_LEN])]);
}

/// Indexes near page borders, in the first few pages and far out.
fn index() -> impl Strategy<Value = u64> {
    (0_u64..4, prop_oneof![0..70_u64, 32_700..32_768_u64, 0..PAGE_BITS], 0_u64..2)
        .prop_map(|(page, at, far)| page * PAGE_BITS + at + far * (1 << 45))
}

fn range() -> impl Strategy<Value = Range<u64>> {
    prop_oneof![
        3 => (index(), 0..200_u64).prop_map(|(start, len)| start..start + len),
        1 => (index(), 0..40_000_u64).prop_map(|(start, len)| start..start + len),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn it_is_a_set_of_indexes(
        comb in 0..90_u64,
        ops in proptest::collection::vec((range(), any::<bool>()), 1..8),
        cut in proptest::option::of(index()),
        queries in proptest::collection::vec(range(), 1..12),
    ) {
        let mut model = BTreeSet::new();
        let mut bitfield = Bitfield::new();
        // Many runs, in most cases more than a page keeps as such.
        for start in (0..comb).map(|tooth| PAGE_BITS - 200 + 3 * tooth) {
            model.insert(start);
            bitfield.set_range(start..start + 1, true).unwrap();
        }
        for (range, value) in ops {
            let before = model.len();
            if value { model.extend(range.clone()) } else { model.retain(|i| !range.contains(i)) }
            let changed = bitfield.set_range(range, value).unwrap();
            prop_assert_eq!(changed, before != model.len());
        }
        if let Some(cut) = cut {
            let changed = bitfield.truncate(cut);
            prop_assert_eq!(changed, !model.split_off(&cut).is_empty());
        }
        prop_assert_eq!(bitfield.find_last_set(u64::MAX), model.last().copied());
        for range in queries {
            let inside = || model.range(range.clone()).copied();
            prop_assert_eq!(bitfield.get(range.start), model.contains(&range.start));
            prop_assert_eq!(bitfield.count_set(range.clone()), inside().count() as u64);
            prop_assert_eq!(bitfield.find_first(true, range.clone()), inside().next());
            let unset = range.clone().find(|index| !model.contains(index));
            prop_assert_eq!(bitfield.find_first(false, range.clone()), unset);
            prop_assert_eq!(bitfield.has_range(range.clone()), unset.is_none());
            let last = model.range(..range.start).next_back().copied();
            prop_assert_eq!(bitfield.find_last_set(range.start), last);
            let free = (range.start..).find(|index| !model.contains(index)).unwrap();
            prop_assert_eq!(bitfield.contiguous_from(range.start), free);
            let runs: Vec<_> = bitfield.set_ranges(range.clone()).collect();
            prop_assert_eq!(runs.iter().cloned().flatten().collect::<Vec<_>>(), inside().collect::<Vec<_>>());
            prop_assert!(runs.windows(2).all(|pair| pair[0].end < pair[1].start));
        }
    }

    #[test]
    fn writing_dirty_pages_and_loading_gives_it_back(
        first in proptest::collection::vec((0..6 * PAGE_BITS, 0..PAGE_BITS, any::<bool>()), 0..8),
        second in proptest::collection::vec((0..6 * PAGE_BITS, 0..PAGE_BITS, any::<bool>()), 0..8),
    ) {
        let mut bitfield = Bitfield::new();
        let mut file = Vec::new();
        for ops in [first, second] {
            for (start, len, value) in ops {
                bitfield.set_range(start..start + len, value).unwrap();
            }
            for (offset, bytes) in bitfield.dirty_pages() {
                let offset = offset as usize;
                file.resize(file.len().max(offset + PAGE_LEN), 0);
                file[offset..offset + PAGE_LEN].copy_from_slice(&bytes);
            }
            bitfield.clear_dirty();
            let loaded = Bitfield::load(&Sparse::dense(file.clone())).unwrap();
            let all = 0..u64::MAX;
            prop_assert!(loaded.set_ranges(all.clone()).eq(bitfield.set_ranges(all)));
            prop_assert_eq!(loaded.page_count(), bitfield.page_count());
        }
    }
}

/// What the pages and spans of a bitfield take, near enough: maps keep at least half of their places filled.
fn memory_of(bitfield: &Bitfield) -> usize {
    let page = |page: &Page| match page {
        Page::Runs(runs) => 4 * runs.len().next_power_of_two().max(4),
        Page::Words(_) => PAGE_LEN,
    };
    let pages: usize = bitfield.pages.values().map(page).sum();
    pages + 2 * (size_of::<(u64, Page)>() * bitfield.pages.len())
}

#[test]
fn scattered_bits_take_a_few_bytes_each() {
    let mut bitfield = Bitfield::new();
    for number in 0..1_000 {
        for at in (0..64).map(|run| run * 512) {
            let start = number * PAGE_BITS + at;
            assert!(bitfield.set_range(start..start + 1, true).unwrap());
        }
    }
    assert!(bitfield.pages.values().all(|page| matches!(page, Page::Runs(_))));
    assert!(memory_of(&bitfield) <= 6 * 64_000);
    // One more run and a page is written out.
    assert!(bitfield.set_range(1..3, true).unwrap());
    assert!(bitfield.set_range(5..6, true).unwrap());
    assert!(matches!(bitfield.pages[&0], Page::Words(_)));
    assert_eq!(bitfield.find_first(false, 0..PAGE_BITS), Some(3));
    assert_eq!(bitfield.count_set(0..PAGE_BITS), 67);
}

#[test]
fn a_page_of_few_runs_is_read_as_those() {
    let mut bytes = vec![0; PAGE_LEN];
    for run in 0..64 {
        bytes[run * 64 + 3] = 0b110;
    }
    let loaded = Bitfield::load(&Sparse::dense(bytes.clone())).unwrap();
    assert!(matches!(loaded.pages[&0], Page::Runs(_)));
    assert_eq!(loaded.pages[&0].to_bytes()[..], bytes);
    bytes[10] = 1;
    let loaded = Bitfield::load(&Sparse::dense(bytes.clone())).unwrap();
    assert!(matches!(loaded.pages[&0], Page::Words(_)));
    assert_eq!(loaded.pages[&0].to_bytes()[..], bytes);
}

proptest! {
    #[test]
    fn spans_are_a_set_of_numbers(
        ops in proptest::collection::vec((0..40_u64, 0..12_u64, any::<bool>()), 1..30),
        query in (0..50_u64, 0..30_u64),
    ) {
        let (mut spans, mut model) = (Spans::default(), BTreeSet::new());
        for (start, len, insert) in ops {
            let range = start..start + len;
            if insert {
                model.extend(range.clone());
                spans.insert(range);
            } else {
                model.retain(|number| !range.contains(number));
                spans.remove(range);
            }
            prop_assert_eq!(spans.count(), model.len() as u64);
        }
        let range = query.0..query.0 + query.1;
        let (held, missing): (Vec<u64>, Vec<u64>) =
            range.clone().partition(|number| model.contains(number));
        prop_assert_eq!(spans.within(range.clone()).flatten().collect::<Vec<_>>(), held);
        prop_assert_eq!(spans.gaps(range).flatten().collect::<Vec<_>>(), missing);
        prop_assert_eq!(spans.contains(query.0), model.contains(&query.0));
        let last = model.range(..query.0).next_back().copied();
        prop_assert_eq!(spans.last_below(query.0), last);
        let all: Vec<_> = spans.within(0..u64::MAX).collect();
        prop_assert!(all.windows(2).all(|pair| pair[0].end < pair[1].start));
    }
}
