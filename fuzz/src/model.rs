//! A log beside the plainest model of one, and a reader that follows it by proofs.

use hypercore_log::{Access, Create, Log, LogError, OpenOptions};
use hypercore_merkle::{BlockRequest, Request, UpgradeRequest};

use crate::directory::Disk;
use crate::script::Script;
use crate::truth;

/// Blocks above which nothing is appended.
const LENGTH_MAX: usize = 1500;

/// What a log should hold.
#[derive(Clone, Debug, Default)]
struct Expected {
    fork: u64,
    blocks: Vec<Vec<u8>>,
    /// Which of them are stored.
    stored: Vec<bool>,
    user_data: Vec<(String, Vec<u8>)>,
}

impl Expected {
    fn length(&self) -> u64 {
        self.blocks.len() as u64
    }

    fn truncate(&mut self, length: usize, fork: u64) {
        self.blocks.truncate(length);
        self.stored.truncate(length);
        self.fork = fork;
    }

    fn set_user_data(&mut self, key: &str, value: &[u8]) {
        match self.user_data.iter().position(|(name, _)| name == key) {
            Some(at) if value.is_empty() => drop(self.user_data.remove(at)),
            Some(at) => self.user_data[at].1 = value.to_vec(),
            None if value.is_empty() => (),
            None => self.user_data.push((key.to_owned(), value.to_vec())),
        }
    }

    /// The log must say all this, of every block whether it is there, of a few what they are.
    fn check(&self, log: &Log, script: &mut Script<'_>) {
        let head = log.head();
        assert_eq!((head.fork, head.length), (self.fork, self.length()));
        let bytes: usize = self.blocks.iter().map(Vec::len).sum();
        assert_eq!(head.byte_length, bytes as u64);
        let contiguous = self.stored.iter().take_while(|stored| **stored).count();
        assert_eq!(log.contiguous_length(), contiguous as u64);
        let count = self.stored.iter().filter(|stored| **stored).count();
        assert_eq!(log.stored_count(0..u64::MAX), count as u64);
        for (index, stored) in (0..).zip(&self.stored) {
            assert_eq!(log.has(index), *stored);
        }
        assert_eq!(log.user_data_entries(), self.user_data);
        let mut looked_at = vec![0, self.blocks.len().wrapping_sub(1), contiguous];
        looked_at.extend([script.below(self.blocks.len()), script.below(self.blocks.len())]);
        for index in looked_at {
            match (log.get(index as u64), self.blocks.get(index)) {
                (Err(LogError::OutOfBounds { .. }), None) => (),
                (Ok(None), Some(_)) => assert!(!self.stored[index]),
                (Ok(Some(block)), Some(expected)) => {
                    assert!(self.stored[index]);
                    assert_eq!(&block, expected);
                }
                (given, _) => panic!("block {index}: {given:?}"),
            }
        }
    }
}

/// A log, a reader of it, and what both should hold.
#[derive(Debug)]
pub struct Model {
    disk: Disk,
    log: Log,
    expected: Expected,
    reader_disk: Disk,
    reader: Log,
    /// What the reader should hold; blocks that it has not got are not looked at.
    followed: Expected,
    /// Makes every block another one.
    counter: u64,
    operations: usize,
}

impl Default for Model {
    fn default() -> Self {
        let (disk, reader_disk) = (Disk::default(), Disk::default());
        let log = disk.create();
        let options = OpenOptions::new().create(Create::IfMissing).key(log.key());
        let reader = Log::open(reader_disk.stores(), options).expect("nothing is stored yet");
        Self {
            disk,
            log,
            expected: Expected::default(),
            reader_disk,
            reader,
            followed: Expected::default(),
            counter: 0,
            operations: 0,
        }
    }
}

impl Model {
    /// Does what the next decisions say, to the log and to the model, and compares them.
    ///
    /// # Panics
    /// When they differ.
    pub fn step(&mut self, script: &mut Script<'_>) {
        match script.byte() % 16 {
            0..=2 => self.append(1 + usize::from(script.byte() % 4), script),
            3 => self.append(200 + script.below(200), script),
            4 => self.truncate(script),
            5 | 6 => self.clear(script),
            7 => {
                let key = ["a", "key", "corestore/name"][script.below(3)];
                let len = usize::from(script.byte() % 8) * script.below(1000);
                let value = vec![script.byte(); len];
                self.log.set_user_data(key, Some(&value)).expect("a few bytes are allowed");
                self.expected.set_user_data(key, &value);
            }
            8 => self.log.checkpoint().expect("memory syncs"),
            9 => self.reopen(script),
            10..=13 => self.follow(script),
            14 => self.reader = self.reader_disk.open(Access::ReadWrite).expect("it was written"),
            _ => self.log.flush().expect("memory syncs"),
        }
        self.operations += 1;
        self.expected.check(&self.log, script);
        self.followed.check(&self.reader, script);
        assert_eq!(self.log.durable_length(), self.log.length());
    }

    /// How many operations there were.
    #[must_use]
    pub const fn operations(&self) -> usize {
        self.operations
    }

    /// All that must hold at the end.
    ///
    /// # Panics
    /// When it does not.
    pub fn end(&self) {
        for log in [&self.log, &self.reader] {
            let report = log.audit(&mut |_| ()).expect("memory reads");
            assert!(report.is_ok(), "{report:?}");
            truth::check(log);
        }
    }

    fn append(&mut self, count: usize, script: &mut Script<'_>) {
        if self.expected.blocks.len() + count > LENGTH_MAX {
            return;
        }
        let len = usize::from(script.byte() % 40);
        let blocks: Vec<Vec<u8>> = (0..count)
            .map(|_| {
                self.counter += 1;
                self.counter.to_le_bytes().into_iter().cycle().take(len).collect()
            })
            .collect();
        let appended = self.log.append(&blocks).expect("memory holds it");
        self.expected.stored.resize(self.expected.blocks.len() + count, true);
        self.expected.blocks.extend(blocks);
        assert_eq!(appended.length, self.expected.length());
    }

    fn truncate(&mut self, script: &mut Script<'_>) {
        let length = script.below(self.expected.blocks.len() + 1);
        let fork = self.expected.fork + 1 + u64::from(script.byte() % 3);
        // The nodes of blocks that were cleared are still there, so any length will do.
        self.log.truncate(length as u64, Some(fork)).expect("it is not longer");
        self.expected.truncate(length, fork);
    }

    fn clear(&mut self, script: &mut Script<'_>) {
        let start = script.below(self.expected.blocks.len());
        let end = start + 1 + script.below(40);
        let cleared = self.log.clear(start as u64..end as u64).expect("clearing is allowed");
        let end = end.min(self.expected.stored.len());
        let stored = self.expected.stored.get_mut(start..end).unwrap_or_default();
        assert_eq!(cleared.blocks, stored.iter().filter(|stored| **stored).count() as u64);
        stored.fill(false);
    }

    fn reopen(&mut self, script: &mut Script<'_>) {
        if script.byte() % 2 == 0 {
            let log = std::mem::replace(&mut self.log, Disk::default().create());
            log.close().expect("memory syncs");
        }
        self.log = self.disk.open(Access::ReadWrite).expect("it was written by a log");
        assert!(!self.log.recovery().lost_something());
        truth::check(&self.disk.open(Access::ReadOnly).expect("it was written by a log"));
    }

    /// The reader asks for a block, after a reorganisation when the log has another fork.
    fn follow(&mut self, script: &mut Script<'_>) {
        if self.expected.blocks.is_empty() {
            return;
        }
        let length = self.log.length();
        if self.reader.fork() != self.expected.fork {
            self.reorganise(script);
            return;
        }
        let index = script.below(self.expected.blocks.len());
        let own = self.reader.length();
        let with_upgrade = index as u64 >= own || (own < length && script.byte() % 2 == 0);
        let nodes = self.reader.missing_nodes(index as u64).expect("memory reads");
        let request = Request {
            block: Some(BlockRequest { index: index as u64, nodes }),
            upgrade: with_upgrade.then(|| UpgradeRequest { start: own, length: length - own }),
            manifest: self.reader.manifest().is_none(),
            fork: self.expected.fork,
            ..Request::default()
        };
        let answer = self.log.create_proof(&request).expect("the log has all nodes");
        let Some(proof) = answer else {
            assert!(!self.expected.stored[index]);
            return;
        };
        let applied = self.reader.apply_proof(&proof).expect("the proof is honest");
        assert_eq!(applied.block, Some(index as u64));
        if with_upgrade {
            self.followed.blocks.clone_from(&self.expected.blocks);
            self.followed.stored.resize(self.expected.blocks.len(), false);
        }
        self.followed.stored[index] = true;
        if index % 3 == 0 {
            self.follow_together(index + 1);
        }
    }

    /// The reader asks for some blocks at once.
    fn follow_together(&mut self, first: usize) {
        let blocks = first..self.followed.blocks.len().min(first + 5);
        let requests: Vec<Request> = blocks
            .clone()
            .map(|index| {
                let index = index as u64;
                let nodes = self.reader.missing_nodes(index).expect("memory reads");
                let block = Some(BlockRequest { index, nodes });
                Request { block, fork: self.expected.fork, ..Request::default() }
            })
            .collect();
        let answers = self.log.create_proofs(&requests, usize::MAX);
        let answers = answers.into_iter().map(|answer| answer.expect("the log has all nodes"));
        let (mut arriving, mut proofs) = (Vec::new(), Vec::new());
        for (index, answer) in blocks.zip(answers) {
            assert_eq!(answer.is_some(), self.expected.stored[index]);
            if let Some(proof) = answer {
                arriving.push(index);
                proofs.push(proof);
            }
        }
        for (index, applied) in arriving.into_iter().zip(self.reader.apply_proofs(&proofs)) {
            assert_eq!(applied.expect("the proof is honest").block, Some(index as u64));
            self.followed.stored[index] = true;
        }
    }

    fn reorganise(&mut self, script: &mut Script<'_>) {
        let upgrade = Some(UpgradeRequest { start: 0, length: self.log.length() });
        let (manifest, fork) = (self.reader.manifest().is_none(), self.expected.fork);
        let request = Request { upgrade, manifest, fork, ..Request::default() };
        let proof =
            self.log.create_proof(&request).expect("roots are there").expect("so it proves");
        let mut reorganisation =
            self.reader.start_reorganisation(&proof).expect("the proof is honest");
        while let Some(want) = reorganisation.want().cloned() {
            let among = usize::try_from(want.blocks.end - want.blocks.start).expect("few blocks");
            let block = want.blocks.start + script.below(among) as u64;
            let answer = self.log.create_proof(&want.request(block));
            let answer = answer.expect("the log has all nodes").expect("no block is asked for");
            let fed = self.reader.feed_reorganisation(&mut reorganisation, &answer);
            fed.expect("the proof is honest");
        }
        let shared = reorganisation.ancestors();
        self.reader.apply_reorganisation(reorganisation).expect("nothing changed in between");
        let shared = usize::try_from(shared).expect("few blocks");
        assert_eq!(self.followed.blocks[..shared], self.expected.blocks[..shared]);
        self.followed.truncate(shared, self.expected.fork);
        self.followed.blocks.clone_from(&self.expected.blocks);
        self.followed.stored.resize(self.expected.blocks.len(), false);
    }
}
