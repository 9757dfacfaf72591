//! Random histories against the dullest model: two lists of blocks.
//!
//! An author appends and clears, a reader downloads from it; both are opened anew now and then. After
//! each step both say what the model says, also when opened from what is stored.

mod common;

use common::Stores;
use hypercore_crypto::KeyPair;
use proptest::prelude::*;
use sleep::{Access, Durability, Feed, FileName};

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<usize>),
    Clear(usize, usize),
    Put(usize),
    PutHash(usize),
    ClearReader(usize, usize),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let number = any::<u16>().prop_map(usize::from);
    prop_oneof![
        4 => prop::collection::vec(0..40_usize, 1..30).prop_map(Step::Append),
        1 => (number.clone(), 0..20_usize).prop_map(|(from, count)| Step::Clear(from, count)),
        6 => number.clone().prop_map(Step::Put),
        1 => number.clone().prop_map(Step::PutHash),
        1 => (number, 0..20_usize).prop_map(|(from, count)| Step::ClearReader(from, count)),
        1 => Just(Step::Reopen),
    ]
}

/// What a feed should hold.
#[derive(Default)]
struct Model {
    /// All blocks there ever were.
    all: Vec<Vec<u8>>,
    length: usize,
    present: Vec<bool>,
}

impl Model {
    fn clear(&mut self, range: std::ops::Range<usize>) {
        self.present[range].fill(false);
    }

    fn check(&self, feed: &Feed, all: &[Vec<u8>]) {
        assert!(feed.recovery().is_clean(), "{:?}", feed.recovery());
        assert_eq!(feed.length(), self.length as u64);
        let bytes: usize = all[..self.length].iter().map(Vec::len).sum();
        assert_eq!(feed.byte_length(), bytes as u64);
        let in_a_row = feed.blocks(0..feed.length()).unwrap();
        for ((block, in_a_row), expected) in (0..).zip(in_a_row).zip(all) {
            let is_present = self.present.get(block as usize).copied().unwrap_or(false);
            assert_eq!(feed.has(block), is_present, "block {block}");
            assert_eq!(in_a_row.ok().as_ref(), is_present.then_some(expected), "block {block}");
            assert_eq!(feed.get(block).ok().as_ref(), is_present.then_some(expected));
        }
    }
}

struct World {
    stores: [Stores; 2],
    author: Feed,
    reader: Feed,
    written: Model,
    read: Model,
    pair: KeyPair,
    durability: Durability,
}

impl World {
    fn new(durability: Durability) -> Self {
        let pair = KeyPair::from_seed(&[9; 32]);
        let stores = [Stores::default(), Stores::default()];
        let (author, reader) = (
            Self::open(&stores[0], &pair, durability, true),
            Self::open(&stores[1], &pair, durability, false),
        );
        Self {
            stores,
            author,
            reader,
            written: Model::default(),
            read: Model::default(),
            pair,
            durability,
        }
    }

    fn open(stores: &Stores, pair: &KeyPair, durability: Durability, is_author: bool) -> Feed {
        let options = Feed::options().access(Access::Create).durability(durability);
        let options =
            if is_author { options.key_pair(pair.clone()) } else { options.key(pair.public()) };
        options.open(stores.clone()).unwrap()
    }

    fn range(model: &Model, from: usize, count: usize) -> std::ops::Range<usize> {
        let from = from % (model.length + 1);
        from..(from + count).min(model.length)
    }

    fn put(&mut self, number: usize, is_hash_only: bool) {
        let length = self.written.length;
        if length == 0 {
            return;
        }
        let block = number % length;
        let at = block as u64;
        if is_hash_only {
            self.reader.put_hash(at, &self.author.hash_proof(at).unwrap()).unwrap();
        } else {
            let bytes = self.written.all[block].clone();
            self.reader.put(at, &bytes, &self.author.proof(at).unwrap()).unwrap();
        }
        // A proof that meets a node the reader has goes no further, and the length stays.
        self.read.length = usize::try_from(self.reader.length()).unwrap();
        assert!(self.read.length <= length && block < self.read.length);
        self.read.present.resize(self.read.length, false);
        self.read.present[block] |= !is_hash_only;
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Append(lens) => {
                let next = self.written.length;
                let block = |(index, len): (usize, &usize)| vec![(next + index) as u8; *len];
                let blocks: Vec<_> = lens.iter().enumerate().map(block).collect();
                let appended = self.author.append(&blocks).unwrap();
                assert_eq!(appended.first, next as u64);
                self.written.all.extend(blocks);
                self.written.length = self.written.all.len();
                self.written.present.resize(self.written.length, true);
            }
            Step::Clear(from, count) => {
                let range = Self::range(&self.written, *from, *count);
                self.author.clear(range.start as u64..range.end as u64).unwrap();
                self.written.clear(range);
            }
            Step::ClearReader(from, count) => {
                let range = Self::range(&self.read, *from, *count);
                self.reader.clear(range.start as u64..range.end as u64).unwrap();
                self.read.clear(range);
            }
            Step::Put(number) => self.put(*number, false),
            Step::PutHash(number) => self.put(*number, true),
            Step::Reopen => {
                let [author, reader] = &self.stores;
                self.author = Self::open(author, &self.pair, self.durability, true);
                self.reader = Self::open(reader, &self.pair, self.durability, false);
            }
        }
    }

    fn check(&self) {
        let all = &self.written.all;
        self.written.check(&self.author, all);
        self.read.check(&self.reader, all);
        for (stores, model) in self.stores.iter().zip([&self.written, &self.read]) {
            let before = stores.bytes(FileName::Bitfield);
            model.check(&stores.read(), all);
            assert!(stores.bytes(FileName::Bitfield) == before);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_feed_is_what_was_done_to_it(
        steps in prop::collection::vec(step(), 1..40),
        durability in prop::sample::select(vec![Durability::Strict, Durability::Ordered, Durability::Lazy]),
    ) {
        let mut world = World::new(durability);
        for step in &steps {
            world.run(step);
            world.check();
        }
    }
}
