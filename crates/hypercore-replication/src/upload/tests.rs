//! The parts of serving a peer that are pure, against dull models.

use std::ops::Range;

use hypercore_log::{Create, Log, OpenOptions, Stores};
use proptest::collection::vec;
use proptest::prelude::*;
use random_access_memory::RandomAccessMemory;

use super::ranges::{RANGES_MAX, Ranges};
use super::wants::{BITFIELD_BLOCKS_MAX, Wants, bitfield};
use crate::message::Want;

fn listed(mut ranges: Ranges) -> Vec<Range<u64>> {
    let mut list = Vec::new();
    while let Some(range) = ranges.first() {
        ranges.remove_before(range.end);
        list.push(range);
    }
    assert!(ranges.is_empty());
    list
}

fn range(end: u64, length: u64) -> impl Strategy<Value = Range<u64>> {
    (0..end, 0..length).prop_map(|(start, length)| start..start + length)
}

proptest! {
    #[test]
    fn ranges_are_joined_where_they_touch(added in vec(range(300, 12), 0..40), cut in 0..300_u64) {
        let mut ranges = Ranges::default();
        let mut model = vec![false; 320];
        for range in &added {
            prop_assert_eq!(ranges.add(range.clone()), None);
            range.clone().for_each(|block| model[usize::try_from(block).unwrap()] = true);
        }
        ranges.remove_before(cut);
        model.iter_mut().take(usize::try_from(cut).unwrap()).for_each(|held| *held = false);
        let list = listed(ranges);
        for pair in list.windows(2) {
            prop_assert!(pair[0].end < pair[1].start);
        }
        let blocks: Vec<u64> = list.into_iter().flatten().collect();
        let expected: Vec<u64> =
            (0..).zip(model).filter(|(_, held)| *held).map(|(block, _)| block).collect();
        prop_assert_eq!(blocks, expected);
    }

    /// Beyond the limit nothing is lost, and every block that was not added is in what was returned.
    #[test]
    fn too_many_ranges_are_joined(added in vec(range(100_000, 3), 0..200)) {
        let mut ranges = Ranges::default();
        let mut extra = Vec::new();
        for range in &added {
            extra.extend(ranges.add(range.clone()));
        }
        let list = listed(ranges);
        prop_assert!(list.len() <= RANGES_MAX);
        let has = |list: &[Range<u64>], block: u64| list.iter().any(|range| range.contains(&block));
        for block in added.iter().cloned().flatten() {
            prop_assert!(has(&list, block));
        }
        for block in list.into_iter().flatten() {
            prop_assert!(has(&added, block) || has(&extra, block), "{}", block);
        }
    }

    #[test]
    fn wanted_is_what_overlaps(
        wants in vec((0..4_u32, 0..40_u64, any::<bool>()), 0..30),
        asked in range(3000, 200),
    ) {
        prop_assume!(!asked.is_empty());
        let mut kept = Wants::default();
        let mut model: Vec<Range<u64>> = Vec::new();
        for (size, place, is_wanted) in wants {
            let length = 32 << (2 * size);
            let want = Want { start: place * length, length, any: false };
            let region = want.start..want.start + length;
            model.retain(|other| *other != region);
            if is_wanted {
                kept.add(&want);
                model.push(region);
            } else {
                kept.remove(&want);
            }
        }
        let overlaps = |other: &Range<u64>| other.start < asked.end && asked.start < other.end;
        prop_assert_eq!(kept.has(&asked), model.iter().any(overlaps));
    }
}

#[test]
fn a_bitfield_says_what_is_stored() {
    let memory = || Box::new(RandomAccessMemory::new());
    let stores = Stores {
        oplog: memory(),
        header: memory(),
        tree: memory(),
        bitfield: memory(),
        data: memory(),
    };
    let pair = hypercore_crypto::KeyPair::from_seed(&[7; 32]);
    let log =
        Log::open(stores, OpenOptions::new().create(Create::IfMissing).key_pair(pair)).unwrap();
    log.append(&vec![b"x"; 1000]).unwrap();
    for range in [0..3, 100..164, 170..171, 500..1000] {
        log.clear(range).unwrap();
    }
    for start in (0..1024).step_by(32) {
        for length in [1, 31, 32, 33, 64, 200, BITFIELD_BLOCKS_MAX] {
            let asked = start..start + length;
            let held: Vec<u64> = asked.clone().filter(|block| log.has(*block)).collect();
            let Some(bits) = bitfield(&log, asked.clone()) else {
                assert_eq!(held, [], "{asked:?}");
                continue;
            };
            let words: Vec<u32> = bits.words().collect();
            assert!(words[0] != 0 && *words.last().unwrap() != 0);
            let said = (0..).zip(&words).flat_map(|(place, word)| {
                let first = bits.start() + 32 * place;
                (0..32).filter(move |bit| word >> bit & 1 == 1).map(move |bit| first + bit)
            });
            assert_eq!(said.collect::<Vec<_>>(), held, "{asked:?}");
        }
    }
}
