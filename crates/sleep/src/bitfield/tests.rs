//! The bitfield against sets of numbers, and its stored bytes against the plainest way to make them.

use std::collections::BTreeSet;

use proptest::prelude::*;
use random_access_memory::RandomAccessMemory;
use random_access_storage::RandomAccess;
use random_access_storage::testing::{Call, Journal, Recording};

use super::*;
use crate::header::HEADER_LEN;

/// What a bitfield is, as sets.
#[derive(Debug, Default, Clone)]
struct Model {
    blocks: BTreeSet<u64>,
    nodes: BTreeSet<u64>,
    page_count: usize,
}

impl Model {
    fn grow(&mut self, page: u64) {
        self.page_count = self.page_count.max(page as usize + 1);
    }

    fn bytes(bits: &BTreeSet<u64>, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        for bit in bits {
            bytes[(bit / 8) as usize] |= 128 >> (bit % 8);
        }
        bytes
    }

    /// Section 6.3, position by position.
    fn position(data: &[u8], count: u64, position: u64) -> u8 {
        if position >= count {
            return 0;
        }
        let mark = |value: u8, all: u8| match value {
            0 => 0,
            value if value == all => 3,
            _ => 1,
        };
        let four = |values: [u8; 4], all| {
            values.iter().fold(0, |marks, value| marks << 2 | mark(*value, all))
        };
        match Index::new(position).children() {
            None => {
                let first = position as usize * 2;
                four([0, 1, 2, 3].map(|at| data.get(first + at).copied().unwrap_or(0)), 0xff)
            }
            Some((left, right)) => {
                let left = Self::position(data, count, left.get());
                let right = Self::position(data, count, right.get());
                four([left >> 4, left & 15, right >> 4, right & 15], 15)
            }
        }
    }

    /// The pages, all of them made afresh.
    fn pages(&self, page_size: PageSize) -> Vec<u8> {
        let positions = page_size.bytes() - 3072;
        let data = Self::bytes(&self.blocks, self.page_count * 1024);
        let tree = Self::bytes(&self.nodes, self.page_count * 2048);
        let count = self.page_count * positions;
        let index: Vec<u8> =
            (0..count).map(|at| Self::position(&data, count as u64, at as u64)).collect();
        (0..self.page_count)
            .flat_map(|page| {
                [
                    &data[page * 1024..][..1024],
                    &tree[page * 2048..][..2048],
                    &index[page * positions..][..positions],
                ]
                .concat()
            })
            .collect()
    }
}

fn stored(store: &RandomAccessMemory) -> Vec<u8> {
    let len = store.len().unwrap() as usize;
    let bytes = store.read_vec_at(0, len).unwrap();
    bytes.get(HEADER_LEN..).unwrap_or_default().to_vec()
}

fn ranges(set: &BTreeSet<u64>, within: Range<u64>) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for bit in set.range(within) {
        match ranges.last_mut() {
            Some(last) if last.end == *bit => last.end += 1,
            _ => ranges.push(*bit..bit + 1),
        }
    }
    ranges
}

fn pairs(ranges: Ranges<'_>) -> Vec<(u64, u64)> {
    ranges.map(|range| (range.start, range.end)).collect()
}

/// Every place where two differ would fill the screen.
fn first_difference(one: &[u8], other: &[u8]) -> Option<(usize, usize)> {
    let at = one.iter().zip(other).position(|(one, other)| one != other);
    at.or((one.len() != other.len()).then_some(one.len().min(other.len())))
        .map(|at| (at / 3328, at))
}

#[derive(Debug, Clone)]
enum Change {
    Blocks(Range<u64>, bool),
    Node(u64),
    Unset(u64),
    Truncate(u64),
    Reserve(u64),
    Write,
    Reload,
}

/// Blocks of a few pages, often at their borders.
fn block() -> impl Strategy<Value = u64> {
    let page = prop_oneof![4 => 0_u64..3, 1 => 3_u64..9];
    let place = prop_oneof![0_u64..8192, Just(0), Just(8191), Just(8190), Just(4096)];
    (page, place).prop_map(|(page, place)| page * 8192 + place)
}

fn change() -> impl Strategy<Value = Change> {
    let len = prop_oneof![0_u64..100, Just(8192), 0_u64..20_000];
    prop_oneof![
        4 => (block(), len, any::<bool>())
            .prop_map(|(first, len, value)| Change::Blocks(first..first + len, value)),
        2 => (block(), 0_u64..2).prop_map(|(block, odd)| Change::Node(2 * block + odd)),
        1 => block().prop_map(|block| Change::Unset(2 * block)),
        1 => block().prop_map(Change::Truncate),
        1 => block().prop_map(Change::Reserve),
        3 => Just(Change::Write),
        1 => Just(Change::Reload),
    ]
}

fn inside(node: u64, length: u64) -> bool {
    Index::new(node).right_span().get() < 2 * length
}

fn apply(change: &Change, bitfield: &mut Bitfield, model: &mut Model, store: &RandomAccessMemory) {
    match change.clone() {
        Change::Blocks(blocks, true) => {
            bitfield.set_blocks(blocks.clone(), true).unwrap();
            if !blocks.is_empty() {
                model.grow((blocks.end - 1) / 8192);
            }
            model.blocks.extend(blocks);
        }
        Change::Blocks(blocks, false) => {
            bitfield.set_blocks(blocks.clone(), false).unwrap();
            model.blocks.retain(|block| !blocks.contains(block));
        }
        Change::Node(node) => {
            bitfield.set_node(Index::new(node), true).unwrap();
            model.grow(node / 16_384);
            model.nodes.insert(node);
        }
        Change::Unset(node) => {
            bitfield.set_node(Index::new(node), false).unwrap();
            model.nodes.remove(&node);
        }
        Change::Truncate(length) => {
            let before = model.blocks.len() + model.nodes.len();
            let nodes_past = model.nodes.iter().filter(|node| !inside(**node, length)).count();
            assert_eq!(bitfield.count_nodes_past(length), nodes_past as u64);
            let removed = bitfield.truncate(length);
            model.blocks.retain(|block| *block < length);
            model.nodes.retain(|node| inside(*node, length));
            assert_eq!(removed, (before - model.blocks.len() - model.nodes.len()) as u64);
        }
        Change::Reserve(length) => {
            bitfield.reserve(length).unwrap();
            if length > 0 {
                model.grow((length - 1) / 8192);
            }
        }
        Change::Write => {
            bitfield.write(store).unwrap();
            assert!(!bitfield.is_dirty());
            let expected = model.pages(bitfield.page_size());
            assert_eq!(first_difference(&stored(store), &expected), None);
        }
        Change::Reload => {
            bitfield.write(store).unwrap();
            *bitfield = Bitfield::load(store, bitfield.page_size()).unwrap();
        }
    }
}

fn compare(bitfield: &Bitfield, model: &Model) {
    assert_eq!(bitfield.page_count(), model.page_count);
    for within in [0..u64::MAX, 8000..8300, 8192..16_384, 5..6] {
        let blocks: Vec<_> = bitfield.blocks(within.clone()).collect();
        assert_eq!(blocks, ranges(&model.blocks, within.clone()), "{within:?}");
        let nodes: Vec<_> = bitfield.nodes(within.clone()).collect();
        assert_eq!(nodes, ranges(&model.nodes, within.clone()), "{within:?}");
        let count = model.blocks.range(within.clone()).count() as u64;
        assert_eq!(bitfield.count_blocks(within.clone()), count);
        let missing = within.clone().find(|block| !model.blocks.contains(block));
        assert_eq!(bitfield.first_missing(within), missing);
    }
    for near in [0, 1, 7, 8, 8191, 8192, 16_383, 100_000, u64::MAX] {
        assert_eq!(bitfield.has_block(near), model.blocks.contains(&near));
        assert_eq!(bitfield.has_node(Index::new(near)), model.nodes.contains(&near));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn any_history(changes in prop::collection::vec(change(), 1..20), is_old in any::<bool>()) {
        let page_size = if is_old { PageSize::Bytes3328 } else { PageSize::Bytes3584 };
        let store = RandomAccessMemory::new();
        let (mut bitfield, mut model) = (Bitfield::new(page_size), Model::default());
        for change in changes.iter().chain([&Change::Write, &Change::Reload]) {
            apply(change, &mut bitfield, &mut model, &store);
        }
        compare(&bitfield, &model);
        // Loading is told nothing that writing did not put there.
        apply(&Change::Write, &mut bitfield, &mut model, &store);
    }

    #[test]
    fn bits_of_a_few_bytes(
        bytes in prop::collection::vec(prop_oneof![Just(0_u8), Just(0xff), any::<u8>()], 0..40),
        start in 0_usize..330,
        len in 0_usize..330,
        value in any::<bool>(),
    ) {
        let plain: Vec<bool> =
            bytes.iter().flat_map(|byte| (0..8).map(move |bit| byte & (128 >> bit) != 0)).collect();
        let bits = start..start + len;
        let inside = |at: &usize| bits.contains(at);
        prop_assert_eq!(
            bits::find(&bytes, start, value),
            (start..plain.len()).find(|at| plain[*at] == value)
        );
        prop_assert_eq!(
            bits::count(&bytes, bits.clone()),
            (0..plain.len()).filter(inside).filter(|at| plain[*at]).count()
        );
        let mut filled = bytes.clone();
        let is_changed = bits::fill(&mut filled, bits.clone(), value);
        prop_assert_eq!(is_changed, filled != bytes);
        for (at, before) in plain.iter().enumerate() {
            let expected = if inside(&at) { value } else { *before };
            prop_assert_eq!(bits::get(&filled, at), expected);
        }
        prop_assert!(!bits::get(&filled, filled.len() * 8));
    }
}

#[test]
fn nodes_bring_their_parents() {
    let mut bitfield = Bitfield::new(PageSize::default());
    for leaf in [0, 4, 6, 2] {
        bitfield.add_node(Index::new(leaf)).unwrap();
    }
    assert_eq!(pairs(bitfield.nodes(0..u64::MAX)), [(0, 7)]);
    // A parent that came alone stays alone.
    bitfield.add_node(Index::new(9)).unwrap();
    assert_eq!(pairs(bitfield.nodes(7..u64::MAX)), [(9, 10)]);
}

#[test]
fn appended_nodes_are_those_that_are_complete() {
    let nodes_of = |length: u64| (0..2 * length).filter(move |node| inside(*node, length));
    for start in 0..70 {
        for end in start..80 {
            let mut bitfield = Bitfield::new(PageSize::default());
            for node in nodes_of(start) {
                bitfield.set_node(Index::new(node), true).unwrap();
            }
            bitfield.add_nodes_of(start..end).unwrap();
            let stored: Vec<u64> = bitfield.nodes(0..u64::MAX).flatten().collect();
            assert_eq!(stored, nodes_of(end).collect::<Vec<_>>(), "{start}..{end}");
        }
    }
}

#[test]
fn no_more_than_the_longest_feed() {
    let mut bitfield = Bitfield::new(PageSize::default());
    let end = FEED_LENGTH_MAX;
    let refused = |result| matches!(result, Err(Error::TooManyBlocks));
    assert!(refused(bitfield.set_blocks(end - 1..end + 1, true)));
    assert!(refused(bitfield.set_blocks(0..u64::MAX, false)));
    assert!(refused(bitfield.set_node(Index::new(2 * end), true)));
    assert!(refused(bitfield.set_node(Index::new(u64::MAX), true)));
    assert!(refused(bitfield.reserve(end + 1)));
    assert_eq!(bitfield.page_count(), 0);

    bitfield.set_blocks(end - 1..end, true).unwrap();
    bitfield.set_node(Index::new(end - 1), true).unwrap();
    assert_eq!(bitfield.length(), end);
    assert_eq!(pairs(bitfield.blocks(0..u64::MAX)), [(end - 1, end)]);
    assert_eq!(bitfield.truncate(end - 1), 2);
    assert_eq!(bitfield.length(), 0);
}

/// A store that only says that it is long.
#[derive(Debug)]
struct Long(u64);

impl RandomAccess for Long {
    fn read_at(&self, _: u64, buffer: &mut [u8]) -> random_access_storage::Result<()> {
        buffer.fill(0);
        Ok(())
    }
    fn write_at(&self, _: u64, _: &[u8]) -> random_access_storage::Result<()> {
        panic!("loading writes")
    }
    fn discard(&self, _: u64, _: u64) -> random_access_storage::Result<()> {
        panic!("loading discards")
    }
    fn truncate(&self, _: u64) -> random_access_storage::Result<()> {
        panic!("loading truncates")
    }
    fn len(&self) -> random_access_storage::Result<u64> {
        Ok(self.0)
    }
    fn sync(&self, _: random_access_storage::SyncScope) -> random_access_storage::Result<()> {
        panic!("loading syncs")
    }
}

#[test]
fn a_file_that_is_too_long_is_refused_before_it_is_read() {
    for page_size in [PageSize::Bytes3584, PageSize::Bytes3328] {
        let longest = HEADER_LEN as u64 + PAGE_COUNT_MAX as u64 * page_size.bytes() as u64;
        for len in [longest + 1, u64::MAX] {
            let refused = Bitfield::load(&Long(len), page_size);
            assert!(matches!(refused, Err(Error::TooLong { len: found, .. }) if found == len));
        }
    }
    // Short ones, down to nothing, are empty.
    for len in [0, 31, 32, 33, 32 + 3584, 32 + 3585] {
        let bitfield = Bitfield::load(&Long(len), PageSize::Bytes3584).unwrap();
        assert_eq!(bitfield.page_count() as u64, len.saturating_sub(32).div_ceil(3584));
        assert_eq!(bitfield.length(), 0);
    }
}

#[test]
fn a_million_blocks_are_loaded_in_a_few_reads() {
    let mut bitfield = Bitfield::new(PageSize::default());
    bitfield.set_blocks(0..1_000_000, true).unwrap();
    bitfield.add_nodes_of(0..1_000_000).unwrap();
    let store = RandomAccessMemory::new();
    bitfield.write(&store).unwrap();

    let journal = Journal::new();
    let recording = Recording::new("bitfield", store, &journal);
    let loaded = Bitfield::load(&recording, PageSize::Bytes3584).unwrap();
    let read: Vec<u64> = journal
        .take()
        .into_iter()
        .map(|entry| match entry.call {
            Call::Read { len, .. } => len,
            call => panic!("{call:?}"),
        })
        .collect();
    assert_eq!(read, [[16 * 3584; 7].as_slice(), &[11 * 3584]].concat());
    assert_eq!(loaded.length(), 1_000_000);
    let mut different: Vec<_> = loaded.pages.iter().flatten().map(Arc::as_ptr).collect();
    different.sort_unstable();
    different.dedup();
    assert!(different.len() <= 8, "full pages share one: {}", different.len());
    assert_eq!(pairs(loaded.blocks(0..u64::MAX)), [(0, 1_000_000)]);
}

#[test]
fn holes_are_neither_read_nor_kept() {
    let mut bitfield = Bitfield::new(PageSize::default());
    let far = 8192 * 100_000;
    bitfield.set_blocks(far..far + 1, true).unwrap();
    bitfield.set_blocks(0..1, true).unwrap();
    let journal = Journal::new();
    let store = Recording::new("bitfield", RandomAccessMemory::new(), &journal);
    bitfield.write(&store).unwrap();
    let written = journal.take().len();
    assert!(written < 40, "pages with a bit or a joint, and no others: {written}");

    let loaded = Bitfield::load(&store, PageSize::Bytes3584).unwrap();
    let read: u64 = journal
        .take()
        .iter()
        .map(|entry| if let Call::Read { len, .. } = entry.call { len } else { 0 })
        .sum();
    // The store knows its holes by the KiB: each page brings neighbours.
    assert!(read < 60 * 3584, "{read} bytes");
    assert_eq!(loaded.pages.iter().flatten().count(), 2);
    assert_eq!(pairs(loaded.blocks(0..u64::MAX)), [(0, 1), (far, far + 1)]);
}

#[test]
fn a_cut_page_counts_as_filled_up() {
    let mut bitfield = Bitfield::new(PageSize::default());
    bitfield.set_blocks(0..20_000, true).unwrap();
    let store = RandomAccessMemory::new();
    bitfield.write(&store).unwrap();
    for (len, blocks) in [(32 + 3584 + 1, 8200), (32 + 2 * 3584 + 1024, 20_000), (32 + 10, 80)] {
        let copy = RandomAccessMemory::new();
        copy.write_at(0, &store.read_vec_at(0, len).unwrap()).unwrap();
        let loaded = Bitfield::load(&copy, PageSize::Bytes3584).unwrap();
        assert_eq!(pairs(loaded.blocks(0..u64::MAX)), [(0, blocks)]);
    }
}

#[test]
fn in_old_pages_the_index_of_a_block_is_on_another_page() {
    let store = RandomAccessMemory::new();
    let mut bitfield = Bitfield::new(PageSize::Bytes3328);
    bitfield.set_blocks(0..30_000, true).unwrap();
    bitfield.set_blocks(4104..4112, false).unwrap();
    bitfield.write(&store).unwrap();
    let before = stored(&store);
    // Bits of page 0, described by position 256, the first one of page 1; no joint changes by it.
    bitfield.set_blocks(4105..4107, true).unwrap();
    bitfield.write(&store).unwrap();
    let after = stored(&store);
    let differs: Vec<usize> = (0..after.len()).filter(|at| before[*at] != after[*at]).collect();
    assert_eq!(differs, [4105 / 8, 3328 + 3072]);
    assert_eq!((before[3328 + 3072], after[3328 + 3072]), (0b1100_1111, 0b1101_1111));
}

#[test]
fn one_more_block_is_one_page_in_one_write() {
    let journal = Journal::new();
    let store = Recording::new("bitfield", RandomAccessMemory::new(), &journal);
    let mut bitfield = Bitfield::new(PageSize::default());
    bitfield.set_blocks(0..100_000, true).unwrap();
    bitfield.write(&store).unwrap();
    assert_eq!(journal.take().len(), 1, "neighbours together");
    let mut reopened = Bitfield::load(&store, PageSize::Bytes3584).unwrap();
    assert_eq!(journal.take().len(), 1, "the read");
    reopened.set_blocks(100_000..100_001, true).unwrap();
    reopened.write(&store).unwrap();
    let calls = journal.take();
    let [write] = calls.as_slice() else { panic!("{calls:?}") };
    assert!(matches!(&write.call, Call::Write { offset, data }
        if *offset == 32 + 12 * 3584 && data.len() == 3584));
    reopened.write(&store).unwrap();
    assert_eq!(journal.take(), [], "nothing changed");
}
