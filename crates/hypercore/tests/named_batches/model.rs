//! A log with snapshots and batches against the dullest model of them, by chance.
//!
//! The model is what was appended, in vectors. What a batch had of a log that was rewritten is copied only while the
//! batch is open, so after a reopening such blocks may be missing; they are never others.

use std::collections::BTreeMap;

use hypercore::{CommitOptions, Create, Durability, Hypercore, MemoryStorage, NamedBatch, Result};

/// Runs, each from a seed of its own: `SEED=17` runs that one alone.
const RUNS: u64 = 100;
const STEPS: usize = 60;
const NAMES: [&str; 3] = ["one", "two", "three"];

/// A small generator: the same numbers for the same seed, everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Block {
    content: Vec<u8>,
    /// Encrypted, a block of a batch is not the same one as that of the log.
    kind: u8,
    stored: bool,
}

impl Block {
    fn is(&self, other: &Self) -> bool {
        self.content == other.content && self.kind == other.kind
    }
}

#[derive(Clone, Default)]
struct BatchModel {
    blocks: Vec<Block>,
    ancestors: usize,
    /// The log took away something of what the batch has of it.
    undermined: bool,
    /// It was reopened since.
    lossy: bool,
}

struct World {
    dice: Dice,
    encrypted: bool,
    durability: Durability,
    storage: MemoryStorage,
    log: Hypercore,
    blocks: Vec<Block>,
    forks: u8,
    snapshots: Vec<(Hypercore, Vec<Block>)>,
    batch_snapshots: Vec<(&'static str, Hypercore, Vec<Block>)>,
    open: BTreeMap<&'static str, NamedBatch>,
    stored: BTreeMap<&'static str, BatchModel>,
    contents: u64,
}

async fn open(storage: &MemoryStorage, encrypted: bool, durability: Durability) -> Hypercore {
    let builder = Hypercore::builder(storage.clone()).seed(&[1; 32]).durability(durability);
    let builder = if encrypted { builder.encryption_key([2; 32]) } else { builder };
    builder.open().await.unwrap()
}

impl World {
    async fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let (storage, encrypted) = (MemoryStorage::new(), dice.roll(3) == 0);
        let eventual = dice.roll(2) == 0;
        let durability = if eventual { Durability::Eventual } else { Durability::Immediate };
        let log = open(&storage, encrypted, durability).await;
        Self {
            dice,
            encrypted,
            durability,
            storage,
            log,
            blocks: Vec::new(),
            forks: 0,
            snapshots: Vec::new(),
            batch_snapshots: Vec::new(),
            open: BTreeMap::new(),
            stored: BTreeMap::new(),
            contents: 0,
        }
    }

    /// Contents to append: often what was appended elsewhere at the same place.
    fn some_contents(&mut self) -> Vec<Vec<u8>> {
        (0..self.dice.roll(4))
            .map(|_| {
                self.contents += u64::from(self.dice.roll(3) == 0);
                vec![self.contents as u8; (self.contents % 7) as usize * 30]
            })
            .collect()
    }

    fn blocks_of(&self, contents: &[Vec<u8>], kind: u8) -> Vec<Block> {
        let kind = if self.encrypted { kind } else { 0 };
        let block = |content: &Vec<u8>| Block { content: content.clone(), kind, stored: true };
        contents.iter().map(block).collect()
    }

    fn place(&mut self, length: usize) -> usize {
        self.dice.roll(length as u64 + 1) as usize
    }

    /// The log keeps its first blocks only, or those that are not in `cleared`.
    fn undermine(&mut self, from: usize) {
        for batch in self.stored.values_mut() {
            batch.undermined |= from < batch.ancestors;
        }
    }

    async fn step(&mut self) {
        let name = NAMES[self.dice.roll(3) as usize];
        match self.dice.roll(20) {
            0..4 => {
                let contents = self.some_contents();
                self.log.append_batch(&contents).await.unwrap();
                let blocks = self.blocks_of(&contents, self.forks);
                self.blocks.extend(blocks);
            }
            4 => {
                let length = self.place(self.blocks.len());
                self.log.truncate(length as u64, None).await.unwrap();
                self.undermine(length);
                self.blocks.truncate(length);
                self.forks += 1;
            }
            5 => {
                let (one, other) = (self.place(self.blocks.len()), self.place(self.blocks.len()));
                let range = one.min(other)..one.max(other);
                self.log.clear(range.start as u64..range.end as u64).await.unwrap();
                self.undermine(range.start);
                self.blocks[range].iter_mut().for_each(|block| block.stored = false);
            }
            6 if self.open.contains_key(name) => {
                let snapshot = self.open[name].snapshot().await.unwrap();
                let model = &self.stored[name];
                if !model.lossy {
                    self.batch_snapshots.push((name, snapshot, model.blocks.clone()));
                }
            }
            6 | 7 => {
                let snapshot = self.log.snapshot().await.unwrap();
                self.snapshots.push((snapshot, self.blocks.clone()));
            }
            8 if !self.snapshots.is_empty() => {
                let which = self.dice.roll(self.snapshots.len() as u64) as usize;
                self.snapshots.swap_remove(which);
                self.batch_snapshots.pop();
            }
            9 | 10 => self.open_batch(name).await,
            11..14 => self.append_to(name).await,
            14 => self.change(name).await,
            15 | 16 => self.commit(name).await,
            17 => {
                if let Some(batch) = self.open.remove(name) {
                    // A snapshot would keep it open.
                    self.batch_snapshots.retain(|(of, ..)| *of != name);
                    batch.close().await.unwrap();
                    self.close_model(name);
                }
            }
            18 => {
                if self.dice.roll(2) == 0
                    && let Some(batch) = self.open.remove(name)
                {
                    batch.discard().await.unwrap();
                    self.stored.remove(name);
                    self.batch_snapshots.retain(|(of, ..)| *of != name);
                }
            }
            _ => self.restart().await,
        }
    }

    /// Copies of what the log took away are gone.
    fn close_model(&mut self, name: &str) {
        if let Some(batch) = self.stored.get_mut(name) {
            batch.lossy |= batch.undermined;
        }
    }

    async fn open_batch(&mut self, name: &'static str) {
        if self.open.contains_key(name) {
            return;
        }
        let length = self.stored.get(name).map_or(self.blocks.len(), |batch| batch.blocks.len());
        let checkout = (self.dice.roll(3) == 0).then(|| self.place(length));
        let mut builder = self.log.batch(name);
        if let Some(length) = checkout {
            builder = builder.checkout(length as u64);
        }
        let opened = builder.open().await;
        self.close_model(name);
        let lossy = self.stored.get(name).is_some_and(|batch| batch.lossy);
        let Ok(batch) = opened else {
            // It can not be truncated to what nobody has any more.
            assert!(lossy && checkout.is_some(), "{opened:?}");
            return;
        };
        let fresh = BatchModel {
            blocks: self.blocks.clone(),
            ancestors: self.blocks.len(),
            ..BatchModel::default()
        };
        let model = self.stored.entry(name).or_insert(fresh);
        if let Some(length) = checkout {
            model.blocks.truncate(length);
            model.ancestors = model.ancestors.min(length);
        }
        self.open.insert(name, batch);
    }

    async fn append_to(&mut self, name: &str) {
        let contents = self.some_contents();
        let blocks = self.blocks_of(&contents, u8::MAX);
        if let Some(batch) = self.open.get(name) {
            batch.append_batch(&contents).await.unwrap();
            self.stored.get_mut(name).unwrap().blocks.extend(blocks);
        }
    }

    /// Truncates or clears a batch.
    async fn change(&mut self, name: &str) {
        let Some(length) = self.stored.get(name).map(|batch| batch.blocks.len()) else { return };
        let (from, truncates) = (self.place(length), self.dice.roll(2) == 0);
        let (Some(batch), Some(model)) = (self.open.get(name), self.stored.get_mut(name)) else {
            return;
        };
        if truncates {
            if let Err(error) = batch.truncate(from as u64, None).await {
                assert!(model.lossy && from < model.ancestors, "{error}");
                return;
            }
            model.blocks.truncate(from);
            model.ancestors = model.ancestors.min(from);
        } else {
            batch.clear(from as u64..length as u64).await.unwrap();
            let own = from.max(model.ancestors)..length;
            model.blocks[own].iter_mut().for_each(|block| block.stored = false);
        }
    }

    async fn commit(&mut self, name: &str) {
        let Some(length) = self.stored.get(name).map(|batch| batch.blocks.len()) else { return };
        let wanted = if self.dice.roll(2) == 0 { self.place(length) } else { length };
        let (Some(batch), Some(model)) = (self.open.get(name), self.stored.get_mut(name)) else {
            return;
        };
        let result = batch.commit_with(CommitOptions::new().length(wanted as u64)).await;
        let common = wanted.min(self.blocks.len());
        let same = self.blocks.iter().zip(&model.blocks).take(common).all(|(a, b)| a.is(b));
        if self.blocks.len() < model.ancestors || !same {
            let error = result.unwrap_err();
            assert!(error.is_batch_conflict() || model.lossy, "{error}");
            return;
        }
        match result {
            Err(error) => assert!(model.lossy, "{error}"),
            Ok(appended) => {
                assert_eq!(appended.length as usize, wanted.max(self.blocks.len()));
                self.blocks.extend_from_slice(&model.blocks[common..wanted]);
                // From here on they are the log's: those that it has.
                let ancestors = batch.ancestors().unwrap() as usize;
                let is_shown = self.batch_snapshots.iter().any(|(of, ..)| *of == name);
                assert!(ancestors == wanted.max(model.ancestors) || is_shown);
                let grows = ancestors > model.ancestors;
                let common = model.blocks.iter_mut().zip(&self.blocks).take(ancestors);
                for (index, (own, block)) in common.enumerate().filter(|_| grows) {
                    own.stored = block.stored || own.stored && index < model.ancestors;
                }
                model.ancestors = ancestors;
            }
        }
    }

    /// Everything is closed, or the process is killed.
    async fn restart(&mut self) {
        let killed = self.dice.roll(2) == 0;
        let names: Vec<&str> = self.open.keys().copied().collect();
        names.into_iter().for_each(|name| self.close_model(name));
        let open_batches = std::mem::take(&mut self.open);
        let snapshots = std::mem::take(&mut self.snapshots);
        let batch_snapshots = std::mem::take(&mut self.batch_snapshots);
        if killed {
            // What is not closed and not dropped stays as it is, and is never heard of again.
            let all = (open_batches, snapshots, batch_snapshots, self.log.clone());
            Box::leak(Box::new(all));
        } else {
            for batch in open_batches.values() {
                batch.close().await.unwrap();
            }
            drop((snapshots, batch_snapshots));
            self.log.close().await.unwrap();
        }
        self.log = open(&self.storage, self.encrypted, self.durability).await;
    }

    async fn check(&self) {
        check_exactly(&self.log, &self.blocks).await;
        for (snapshot, blocks) in &self.snapshots {
            check_exactly(snapshot, blocks).await;
        }
        for (_, snapshot, blocks) in &self.batch_snapshots {
            check_exactly(snapshot, blocks).await;
        }
        for (name, batch) in &self.open {
            let model = &self.stored[name];
            if !model.lossy {
                check_exactly(batch, &model.blocks).await;
            }
            assert_eq!(batch.length() as usize, model.blocks.len());
            for (index, block) in model.blocks.iter().enumerate() {
                match batch.get_local(index as u64).await {
                    Ok(Some(found)) => assert_eq!(found, block.content),
                    Ok(None) => {
                        assert!(!block.stored || model.lossy && index < model.ancestors)
                    }
                    Err(error) => assert!(model.lossy && error.is_rewritten(), "{error}"),
                }
            }
        }
        let names: Vec<&str> = self.stored.keys().copied().collect();
        let mut stored = self.log.batches().await.unwrap();
        stored.sort();
        let mut names: Vec<&str> = names;
        names.sort_unstable();
        assert_eq!(stored, names);
    }
}

async fn check_exactly(log: &Hypercore, blocks: &[Block]) {
    assert_eq!(log.length() as usize, blocks.len());
    let bytes: usize = blocks.iter().map(|block| block.content.len()).sum();
    assert_eq!(log.byte_length() as usize, bytes);
    for (index, block) in blocks.iter().enumerate() {
        let found = log.get_local(index as u64).await.unwrap();
        let expected = block.stored.then_some(&block.content[..]);
        assert_eq!(found.as_deref(), expected, "block {index}");
        assert_eq!(log.has(index as u64).await.unwrap(), block.stored);
    }
    let stored = blocks.iter().take_while(|block| block.stored).count();
    assert_eq!(log.contiguous_length() as usize, stored);
    assert!(log.tree_hash(blocks.len() as u64).await.is_ok());
}

async fn run(seed: u64) -> Result<()> {
    let mut world = World::new(seed).await;
    for _ in 0..STEPS {
        world.step().await;
        world.check().await;
    }
    assert!(world.log.verify().await?.is_ok());
    // No name is open any more for good.
    world.restart().await;
    for name in NAMES {
        world.log.batch(name).create(Create::Overwrite).open().await?.discard().await?;
    }
    assert!(world.log.batches().await?.is_empty());
    Ok(())
}

#[test]
fn sessions_snapshots_and_batches_are_what_the_model_says() {
    let only = std::env::var("SEED").ok().map(|seed| seed.parse().expect("a number"));
    let seeds = only.map_or(0..RUNS, |seed: u64| seed..seed + 1);
    for seed in seeds {
        println!("SEED={seed}");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(seed)).unwrap();
    }
}
