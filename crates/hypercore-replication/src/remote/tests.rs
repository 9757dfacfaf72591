//! What a peer holds, against a list of booleans; and what it can not make grow.

use proptest::collection::vec;
use proptest::prelude::*;

use super::page::PAGE_BLOCKS;
use super::{HOLDINGS_PAGES_MAX, HOLDINGS_RUNS_MAX, Holdings};
use crate::message::{Bitfield, RangeMessage};

const BLOCKS: u64 = 5 * PAGE_BLOCKS;
const UINT_MAX: u64 = (1 << 53) - 1;

#[derive(Clone, Debug)]
enum Step {
    Range(RangeMessage),
    Bitfield(u64, Vec<u32>),
}

/// Often at the border of a page or of a word.
fn place() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..BLOCKS,
        (0..=BLOCKS / PAGE_BLOCKS).prop_map(|page| page * PAGE_BLOCKS),
        (0..BLOCKS / 32).prop_map(|word| word * 32),
        0..100_u64,
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let range = (any::<bool>(), place(), place()).prop_map(|(drop, one, other)| {
        let (start, end) = (one.min(other), one.max(other));
        Step::Range(RangeMessage { drop, start, length: end - start })
    });
    let word = prop_oneof![Just(0), Just(u32::MAX), any::<u32>()];
    let runs = vec((word, 1..150_usize), 1..4);
    let bitfield = (0..BLOCKS / 32, runs).prop_map(|(word, runs)| {
        let words = runs.iter().flat_map(|(word, count)| vec![*word; *count]);
        let fits = usize::try_from(BLOCKS / 32 - word).unwrap();
        Step::Bitfield(word * 32, words.take(fits).collect())
    });
    prop_oneof![range, bitfield]
}

/// The dullest possible record.
struct Model(Vec<bool>);

impl Model {
    fn fill(&mut self, start: u64, end: u64, held: bool) {
        let end = usize::try_from(end.min(BLOCKS)).unwrap();
        let start = usize::try_from(start).unwrap().min(end);
        self.0[start..end].fill(held);
    }

    fn apply(&mut self, step: &Step) {
        match step {
            Step::Range(range) => self.fill(range.start, range.start + range.length, !range.drop),
            Step::Bitfield(start, words) => {
                for (place, word) in words.iter().enumerate() {
                    for bit in 0..32 {
                        let block = start + place as u64 * 32 + bit;
                        self.fill(block, block + 1, word >> bit & 1 == 1);
                    }
                }
            }
        }
    }
}

fn apply(holdings: &mut Holdings, step: &Step) {
    match step {
        Step::Range(range) => holdings.range(range),
        Step::Bitfield(start, words) => holdings.bitfield(&Bitfield::new(*start, words)),
    }
}

/// All that is held, found run by run.
fn listed(holdings: &Holdings) -> Vec<bool> {
    let mut list = vec![false; usize::try_from(BLOCKS).unwrap()];
    let mut at = 0;
    while let Some(run) = holdings.next_held(at..BLOCKS) {
        assert!(at <= run.start && run.start < run.end && run.end <= BLOCKS);
        for block in run.clone() {
            list[usize::try_from(block).unwrap()] = true;
        }
        at = run.end;
    }
    list
}

fn check(holdings: &Holdings, model: &Model) {
    assert!(listed(holdings) == model.0, "the runs differ");
    for (block, held) in (0..).zip(&model.0) {
        assert_eq!(holdings.has(block), *held, "block {block}");
    }
    let contiguous = model.0.iter().position(|held| !held).unwrap_or(model.0.len());
    assert_eq!(holdings.contiguous_length(), contiguous as u64);
    assert_eq!(holdings.forgotten, None);
    // What is kept is as little as can be.
    let inside = |number: &u64| holdings.run_of(*number).is_some();
    assert!(!holdings.pages.keys().any(inside));
    let mut end = None;
    for (start, stop) in &holdings.runs {
        assert!(end.is_none_or(|end| end < *start) && start < stop);
        end = Some(*stop);
    }
    assert!(holdings.pages.values().all(|page| !page.is_empty() && !page.is_full()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn holdings_are_what_was_said(steps in vec(step(), 1..24)) {
        let mut holdings = Holdings::new();
        let mut model = Model(vec![false; usize::try_from(BLOCKS).unwrap()]);
        for step in &steps {
            apply(&mut holdings, step);
            model.apply(step);
        }
        check(&holdings, &model);
    }

    #[test]
    fn a_range_is_held_when_all_its_blocks_are(
        steps in vec(step(), 1..12),
        one in place(),
        other in place(),
    ) {
        let mut holdings = Holdings::new();
        let mut model = Model(vec![false; usize::try_from(BLOCKS).unwrap()]);
        for step in &steps {
            apply(&mut holdings, step);
            model.apply(step);
        }
        let range = one.min(other)..one.max(other);
        let blocks = model.0.iter().zip(0..).filter(|(_, block)| range.contains(block));
        let all = blocks.clone().all(|(held, _)| *held);
        prop_assert_eq!(holdings.has_range(range.clone()), all);
        let first = blocks.clone().find(|(held, _)| **held).map(|(_, block)| block);
        prop_assert_eq!(holdings.next_held(range).map(|run| run.start), first);
    }
}

fn range(drop: bool, start: u64, length: u64) -> RangeMessage {
    RangeMessage { drop, start, length }
}

#[test]
fn a_peer_that_holds_everything_costs_nothing() {
    let mut holdings = Holdings::new();
    holdings.range(&range(false, 0, 1 << 40));
    holdings.range(&range(false, 1 << 40, 7));
    assert_eq!(holdings.contiguous_length(), (1 << 40) + 7);
    assert!(holdings.pages.is_empty() && holdings.runs.is_empty());
}

/// A drop in the middle says nothing about what lies above it.
#[test]
fn a_drop_takes_only_its_own_blocks() {
    let mut holdings = Holdings::new();
    holdings.range(&range(false, 0, 1_000_000));
    holdings.range(&range(true, 10, 5));
    assert_eq!(holdings.contiguous_length(), 10);
    assert!(!holdings.has(14) && holdings.has(15) && holdings.has(999_999));
    holdings.range(&range(false, 10, 5));
    assert_eq!(holdings.contiguous_length(), 1_000_000);
}

/// A bitfield is the truth also about blocks below the contiguous length.
#[test]
fn a_bitfield_takes_back_a_range() {
    let mut holdings = Holdings::new();
    holdings.range(&range(false, 0, 100));
    holdings.bitfield(&Bitfield::new(32, &[0b101]));
    assert_eq!(holdings.contiguous_length(), 33);
    assert!(!holdings.has(33) && holdings.has(34) && !holdings.has(63) && holdings.has(64));
    // Anywhere but at a multiple of 32 it means nothing.
    holdings.bitfield(&Bitfield::new(33, &[0]));
    assert_eq!(holdings.contiguous_length(), 33);
}

#[test]
fn ranges_at_the_end_of_all_numbers_are_harmless() {
    let mut holdings = Holdings::new();
    for start in [0, 1, 31, 32, 1 << 52, UINT_MAX - 1, UINT_MAX, u64::MAX] {
        for length in [0, 1, 32, 1 << 52, UINT_MAX, u64::MAX] {
            for drop in [false, true] {
                holdings.range(&range(drop, start, length));
                assert!(holdings.runs.len() <= 4 && holdings.pages.len() <= 4);
            }
            holdings.range(&range(false, start, length));
            assert_eq!(holdings.next_held(start..start), None);
            let _ = holdings.next_held(start..u64::MAX);
        }
        holdings.bitfield(&Bitfield::new(start, &[u32::MAX; 3]));
        // Inverted.
        #[expect(clippy::reversed_empty_ranges, reason = "what a peer can bring about")]
        let inverted = 9..3;
        assert!(holdings.has_range(inverted.clone()));
        assert_eq!(holdings.next_held(inverted), None);
    }
    holdings.range(&range(true, 0, u64::MAX));
    assert!(holdings.pages.is_empty() && holdings.runs.is_empty());
}

/// Every other block of more pages than are kept: what is forgotten is not held, what is held was said, and where
/// something was forgotten can be asked.
#[test]
fn too_many_pages_are_forgotten_and_never_made_up() {
    let mut holdings = Holdings::new();
    let words = vec![0x5555_5555; 2 * HOLDINGS_PAGES_MAX * 128];
    holdings.bitfield(&Bitfield::new(0, &words));
    assert_eq!(holdings.pages.len(), HOLDINGS_PAGES_MAX);
    let forgotten = holdings.take_forgotten().expect("it does not fit");
    assert_eq!(holdings.take_forgotten(), None);
    let blocks = words.len() as u64 * 32;
    let mut held = 0;
    for block in 0..blocks {
        if holdings.has(block) {
            assert_eq!(block % 2, 0);
            held += 1;
        } else if block % 2 == 0 {
            assert!(forgotten.contains(&block));
        }
    }
    assert_eq!(held, HOLDINGS_PAGES_MAX as u64 * PAGE_BLOCKS / 2);
    // The newest are kept.
    assert!(holdings.has(blocks - 2));
    holdings.range(&range(false, 2, 1));
    assert!(holdings.has(2));
}

#[test]
fn too_many_runs_are_forgotten_and_never_made_up() {
    let mut holdings = Holdings::new();
    let count = 3 * HOLDINGS_RUNS_MAX as u64;
    for number in 0..count {
        holdings.range(&range(false, (2 * number + 1) * PAGE_BLOCKS, PAGE_BLOCKS));
    }
    assert_eq!(holdings.runs.len(), HOLDINGS_RUNS_MAX);
    let forgotten = holdings.take_forgotten().expect("they do not fit");
    for number in 0..2 * count {
        let block = number * PAGE_BLOCKS;
        assert!(!(holdings.has(block) && number % 2 == 0));
        assert!(holdings.has(block) || number % 2 == 0 || forgotten.contains(&block));
    }
    // One run cut into more pieces than are kept.
    let mut holdings = Holdings::new();
    holdings.range(&range(false, 1, 1 << 40));
    for number in 1..count {
        holdings.range(&range(true, 2 * number * PAGE_BLOCKS, PAGE_BLOCKS));
    }
    assert_eq!(holdings.runs.len(), HOLDINGS_RUNS_MAX);
    let forgotten = holdings.take_forgotten().expect("they do not fit");
    for number in 1..2 * count {
        let block = number * PAGE_BLOCKS + 1;
        assert!(!(holdings.has(block) && number % 2 == 0));
        assert!(holdings.has(block) || number % 2 == 0 || forgotten.contains(&block));
    }
}

#[test]
fn at_rest_little_is_kept_and_nothing_made_up() {
    let mut holdings = Holdings::new();
    holdings.range(&range(false, 0, 10));
    // Two blocks of each of 100 pages.
    let words: Vec<u32> = (0..12_800).map(|word| if word % 128 == 7 { 5 } else { 0 }).collect();
    holdings.bitfield(&Bitfield::new(1 << 20, &words));
    for number in 0..100 {
        holdings.range(&range(false, (1 << 30) + 2 * number * PAGE_BLOCKS, PAGE_BLOCKS));
    }
    let held = |holdings: &Holdings| {
        let mut blocks = Vec::new();
        let mut at = 0;
        while let Some(run) = holdings.next_held(at..u64::MAX) {
            at = run.end;
            blocks.push(run);
        }
        blocks
    };
    let before = held(&holdings);
    holdings.rest();
    let kept = held(&holdings);
    assert!(holdings.pages.len() <= 16 && holdings.runs.len() <= 16);
    assert!(kept.iter().all(|run| before.contains(run)));
    let forgotten = holdings.take_forgotten().unwrap();
    let lost = before.iter().filter(|run| !kept.contains(run));
    assert!(lost.into_iter().all(|run| forgotten.contains(&run.start)));
    assert_eq!(holdings.contiguous_length(), 10);
}
