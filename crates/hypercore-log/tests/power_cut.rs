//! Whatever a power cut or a kill leaves on the disk opens again, as a state that was there.
//!
//! A recording disk keeps all five stores and one list of everything done to them. After each entry of that list the
//! power may fail: of what was done to a store since its last sync, any subset of the 512-byte sectors and
//! length changes may be there. Each such disk is opened and compared with the states the log went through.
//! A kill loses nothing, but what the dead process had not synced is still not synced for the next one.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex};

use hypercore_crypto::KeyPair;
use hypercore_log::{Access, Create, Durability, Head, Log, OpenOptions, Stores};
use hypercore_merkle::{BlockRequest, Request, UpgradeRequest};
use random_access_storage::{Error, RandomAccess, Result, SyncScope};

const SECTOR: usize = 512;
const FILES: usize = 5;

/// Windows of at most this many lost pieces are tried in every combination.
const ALL_SUBSETS_MAX: usize = 5;

/// Pieces of a larger window that are kept or lost alone, and random subsets of it.
const SINGLES_MAX: usize = 16;
const RANDOM_SUBSETS: usize = 6;

/// Kills tried in one run, roughly.
const KILLS_MAX: usize = 40;

type Files = [Vec<u8>; FILES];

/// A piece of a change that is on the medium whole or not at all.
#[derive(Clone, Debug)]
enum Piece {
    Bytes(usize, Vec<u8>),
    Grow(usize),
    Cut(usize),
}

#[derive(Clone, Debug)]
enum Op {
    Change(usize, Vec<Piece>),
    Sync(usize),
}

/// What the system shows, what was on the medium when recording began, and what was done since.
#[derive(Clone, Debug, Default)]
struct Disk {
    shown: Files,
    durable: Files,
    ops: Vec<Op>,
}

impl Disk {
    fn write(&mut self, file: usize, offset: usize, data: &[u8]) {
        let end = offset + data.len();
        let mut pieces = Vec::new();
        if end > self.shown[file].len() {
            pieces.push(Piece::Grow(end));
            self.shown[file].resize(end, 0);
        }
        let mut at = offset;
        while at < end {
            let stop = ((at / SECTOR + 1) * SECTOR).min(end);
            let piece = &data[at - offset..stop - offset];
            if self.shown[file][at..stop] != *piece {
                pieces.push(Piece::Bytes(at, piece.to_vec()));
            }
            at = stop;
        }
        self.shown[file][offset..end].copy_from_slice(data);
        self.ops.push(Op::Change(file, pieces));
    }

    fn set_len(&mut self, file: usize, len: usize) {
        let cut = len < self.shown[file].len();
        self.shown[file].resize(len, 0);
        let piece = if cut { Piece::Cut(len) } else { Piece::Grow(len) };
        self.ops.push(Op::Change(file, vec![piece]));
    }

    /// The disk as it was before operation `position`.
    fn rewound(&self, position: usize) -> Self {
        let ops = self.ops[..position].to_vec();
        let mut shown = self.durable.clone();
        for op in &ops {
            if let Op::Change(file, pieces) = op {
                apply(&mut shown[*file], pieces.iter());
            }
        }
        Self { shown, durable: self.durable.clone(), ops }
    }
}

fn apply<'a>(file: &mut Vec<u8>, pieces: impl Iterator<Item = &'a Piece>) {
    let mut len = file.len();
    for piece in pieces {
        match piece {
            Piece::Bytes(offset, data) => {
                let end = offset + data.len();
                file.resize(file.len().max(end), 0);
                file[*offset..end].copy_from_slice(data);
            }
            Piece::Grow(to) => len = len.max(*to),
            Piece::Cut(to) => {
                file.truncate(*to);
                len = len.min(*to);
            }
        }
    }
    file.resize(len, 0);
}

/// A disk that the stores of a log and the test look at.
#[derive(Clone, Debug, Default)]
struct SharedDisk(Arc<Mutex<Disk>>);

#[derive(Debug)]
struct Store(Arc<Mutex<Disk>>, usize);

impl RandomAccess for Store {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let disk = self.0.lock().unwrap();
        let (file, len) = (&disk.shown[self.1], buffer.len() as u64);
        let bytes = usize::try_from(offset).ok().and_then(|at| file.get(at..at + buffer.len()));
        let out = Error::OutOfBounds { offset, len, end: file.len() as u64 };
        buffer.copy_from_slice(bytes.ok_or(out)?);
        Ok(())
    }
    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        if !data.is_empty() {
            self.0.lock().unwrap().write(self.1, usize::try_from(offset).unwrap(), data);
        }
        Ok(())
    }
    fn discard(&self, offset: u64, len: u64) -> Result<()> {
        let mut disk = self.0.lock().unwrap();
        let (start, end) = (offset as usize, (offset + len) as usize);
        let stored = disk.shown[self.1].len();
        if end >= stored && start < stored {
            disk.set_len(self.1, start);
        } else if start < end.min(stored) {
            disk.write(self.1, start, &vec![0; end - start]);
        }
        Ok(())
    }
    fn truncate(&self, len: u64) -> Result<()> {
        self.0.lock().unwrap().set_len(self.1, usize::try_from(len).unwrap());
        Ok(())
    }
    fn len(&self) -> Result<u64> {
        Ok(self.0.lock().unwrap().shown[self.1].len() as u64)
    }
    fn sync(&self, _: SyncScope) -> Result<()> {
        self.0.lock().unwrap().ops.push(Op::Sync(self.1));
        Ok(())
    }
}

impl SharedDisk {
    fn of(files: Files) -> Self {
        let disk = Disk { shown: files.clone(), durable: files, ops: Vec::new() };
        Self(Arc::new(Mutex::new(disk)))
    }
    fn stores(&self) -> Stores {
        let store = |file| Box::new(Store(Arc::clone(&self.0), file));
        Stores {
            oplog: store(0),
            header: store(1),
            tree: store(2),
            bitfield: store(3),
            data: store(4),
        }
    }
    fn position(&self) -> usize {
        self.0.lock().unwrap().ops.len()
    }
}

/// Everything a log shows.
#[derive(Clone, Debug, PartialEq)]
struct State {
    head: Head,
    blocks: BTreeMap<u64, Vec<u8>>,
    user_data: Vec<(String, Vec<u8>)>,
}

impl State {
    fn of(log: &Log) -> Self {
        let head = log.head();
        let blocks = (0..head.length).filter_map(|index| {
            let block = log.get(index);
            Some((index, block.unwrap_or_else(|e| panic!("{e:?} after {:?}", log.recovery()))?))
        });
        Self { blocks: blocks.collect(), user_data: log.user_data_entries(), head }
    }
}

/// A log at work, and the states it went through.
struct Run {
    name: &'static str,
    disk: SharedDisk,
    log: Option<Log>,
    options: OpenOptions,
    immediate: bool,
    /// Whether every image is also written to, and windows are searched widely.
    thorough: bool,
    /// The states, and where each was begun.
    states: Vec<(usize, State)>,
    /// From the first position on, no power cut may lead to a state before the second, and no kill to one before the third.
    promises: Vec<(usize, usize, usize)>,
    images: HashMap<u64, usize>,
}

impl Run {
    fn new(name: &'static str, options: OpenOptions, durability: Durability) -> Self {
        let (options, immediate) =
            (options.durability(durability), durability == Durability::Immediate);
        let disk = SharedDisk::default();
        let log = Log::open(disk.stores(), options.clone().create(Create::New)).unwrap();
        let begun = (disk.position(), State::of(&log));
        let promises = vec![(begun.0, 0, 0)];
        let images = HashMap::new();
        Self {
            name,
            disk,
            log: Some(log),
            options,
            immediate,
            thorough: true,
            states: vec![begun],
            promises,
            images,
        }
    }

    fn log(&self) -> &Log {
        self.log.as_ref().unwrap()
    }

    /// Does one thing; `promised` when it is on stable storage once it has returned.
    fn step(&mut self, promised: bool, step: impl FnOnce(&Log)) {
        let begun = self.disk.position();
        step(self.log());
        self.states.push((begun, State::of(self.log())));
        self.promise(promised);
    }

    fn promise(&mut self, everything: bool) {
        let newest = self.states.len() - 1;
        let before = self.promises.last().unwrap().1;
        // What the log says is durable is a promise too: others may have been told.
        let (fork, claimed) = (self.log().fork(), self.log().durable_length());
        let has = |state: &State| state.head.fork == fork && state.head.length >= claimed;
        let said = self.states.iter().position(|(_, state)| claimed > 0 && has(state));
        let power = if everything { newest } else { before.max(said.unwrap_or(0)) };
        self.promises.push((self.disk.position(), power, newest));
    }

    fn reopen(&mut self) {
        self.log = None;
        self.log = Some(Log::open(self.disk.stores(), self.options.clone()).unwrap());
        let state = State::of(self.log());
        assert_eq!(state, self.states.last().unwrap().1, "{}: reopened", self.name);
        self.promise(false);
    }

    /// The states that a power cut (or a kill) before operation `position` may leave.
    fn allowed(&self, position: usize, kill: bool) -> std::ops::RangeInclusive<usize> {
        let kept = self.promises.iter().rev().find(|(from, ..)| *from <= position);
        let first = kept.map_or(0, |(_, power, newest)| if kill { *newest } else { *power });
        let last = self.states.iter().rposition(|(begun, _)| *begun <= position);
        first..=last.unwrap_or(0).max(first)
    }

    /// Cuts the power after each operation from `from` on.
    fn cut_power_everywhere(&mut self, from: usize) {
        let disk = self.disk.0.lock().unwrap().clone();
        let mut durable = disk.durable.clone();
        let mut shown = disk.durable.clone();
        let mut window: Vec<(usize, Piece)> = Vec::new();
        let mut random = Random(from as u64 + 1);
        for position in 0..=disk.ops.len() {
            if position >= from.max(self.states[0].0) {
                for kept in subsets(window.len(), self.thorough, &mut random) {
                    let mut files = durable.clone();
                    for (file, bytes) in files.iter_mut().enumerate() {
                        let all = window.iter().zip(&kept);
                        let here = all.filter(|((of, _), kept)| *of == file && **kept);
                        apply(bytes, here.map(|((_, piece), _)| piece));
                    }
                    self.check_image(files, position);
                }
            }
            match disk.ops.get(position) {
                Some(Op::Change(file, pieces)) => {
                    apply(&mut shown[*file], pieces.iter());
                    window.extend(pieces.iter().map(|piece| (*file, piece.clone())));
                }
                Some(Op::Sync(file)) => {
                    durable[*file].clone_from(&shown[*file]);
                    window.retain(|(of, _)| of != file);
                }
                None => {}
            }
        }
    }

    fn check_image(&mut self, files: Files, position: usize) {
        let allowed = self.allowed(position, false);
        let mut hasher = DefaultHasher::new();
        files.hash(&mut hasher);
        let seen = self.images.entry(hasher.finish()).or_insert(usize::MAX);
        if *seen != usize::MAX && *seen >= *allowed.start() {
            return;
        }
        *seen = *allowed.start();
        let at = format!("{}, power cut before operation {position}", self.name);

        let disk = SharedDisk::of(files);
        let read_only = self.options.clone().access(Access::ReadOnly);
        let log = Log::open(disk.stores(), read_only).unwrap_or_else(|e| panic!("{at}: {e:?}"));
        let state = State::of(&log);
        assert_eq!(disk.position(), 0, "{at}: opening read-only wrote");
        let found = self.states.iter().rposition(|(_, known)| *known == state);
        assert!(
            self.states[allowed.clone()].iter().any(|(_, known)| *known == state),
            "{at}: {:?} is state {found:?}, not of {allowed:?}; {:?}",
            state.head,
            log.recovery(),
        );
        drop(log);

        let log = Log::open(disk.stores(), self.options.clone()).expect("writable");
        assert_eq!(State::of(&log), state, "{at}: read-only and writable differ");
        let report = log.audit(&mut |_| {}).unwrap();
        assert!(report.is_ok(), "{at}: {:?}", report.findings);
        if !self.thorough {
            return;
        }
        let recovered = disk.position();
        change(&log, "after");
        let after = State::of(&log);
        drop(log);
        let log = Log::open(disk.stores(), self.options.clone()).expect("opens after a change");
        assert_eq!(State::of(&log), after, "{at}: reopened after a change");
        log.close().unwrap();
        let log = Log::open(disk.stores(), self.options.clone()).expect("opens after closing");
        assert_eq!(State::of(&log), after, "{at}: reopened after closing");
        drop(log);

        // The power may fail again during the recovery: everything kept of a beginning of it.
        let disk = disk.0.lock().unwrap().clone();
        for position in 1..=recovered {
            let again = SharedDisk::of(disk.rewound(position).shown);
            let log = Log::open(again.stores(), self.options.clone());
            let log = log.unwrap_or_else(|e| panic!("{at}, again before {position}: {e:?}"));
            assert_eq!(State::of(&log), state, "{at}, again before {position} of the recovery");
        }
    }

    /// Kills the process before each operation; the next one reopens and writes, and then the power fails.
    fn kill_everywhere(&mut self) {
        let all = self.disk.0.lock().unwrap().clone();
        // Every position of a short run, about as many of a long one.
        let stride = (all.ops.len() / KILLS_MAX).max(1);
        for position in (self.states[0].0..=all.ops.len()).step_by(stride) {
            let disk = SharedDisk(Arc::new(Mutex::new(all.rewound(position))));
            let at = format!("{}, killed before operation {position}", self.name);
            let log = Log::open(disk.stores(), self.options.clone());
            let log = log.unwrap_or_else(|e| panic!("{at}: {e:?}"));
            let (state, allowed) = (State::of(&log), self.allowed(position, true));
            let found = self.states[allowed.clone()].iter().rposition(|(_, known)| *known == state);
            let found = allowed.start() + found.unwrap_or_else(|| panic!("{at}: {:?}", state.head));
            let mut promises = self.promises.clone();
            promises.retain(|(from, ..)| *from <= position);
            let states = self.states[..=found].to_vec();
            let (options, immediate, images) =
                (self.options.clone(), self.immediate, HashMap::new());
            let mut next = Self {
                name: self.name,
                disk,
                log: Some(log),
                options,
                immediate,
                thorough: false,
                states,
                promises,
                images,
            };
            next.promise(false);
            next.step(next.immediate, |log| change(log, "killed"));
            next.step(true, |log| log.flush().unwrap());
            next.step(true, |log| log.checkpoint().unwrap());
            next.cut_power_everywhere(position);
        }
    }
}

/// The smallest change that the log can make by itself.
fn change(log: &Log, what: &str) {
    if log.is_writable() {
        log.append(&[what]).unwrap();
    } else {
        log.set_user_data("change", Some(what.as_bytes())).unwrap();
    }
}

/// A linear congruential generator, upper bits: good enough to choose subsets, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

/// Which of `count` pieces are kept: all subsets of a few; else none, all, some alone, all but some, random ones.
fn subsets(count: usize, thorough: bool, random: &mut Random) -> Vec<Vec<bool>> {
    let (singles, randoms) = if thorough { (SINGLES_MAX, RANDOM_SUBSETS) } else { (3, 1) };
    if thorough && count <= ALL_SUBSETS_MAX {
        return (0..1_usize << count)
            .map(|bits| (0..count).map(|i| bits >> i & 1 == 1).collect())
            .collect();
    }
    let mut subsets = vec![vec![false; count], vec![true; count]];
    for single in 0..count.min(singles) {
        let single = if count <= singles { single } else { random.below(count) };
        for alone in [true, false] {
            subsets.push((0..count).map(|i| (i == single) == alone).collect());
        }
    }
    for _ in 0..randoms {
        subsets.push((0..count).map(|_| random.below(2) == 0).collect());
    }
    subsets
}

fn writer() -> OpenOptions {
    OpenOptions::new().key_pair(KeyPair::from_seed(&[7; 32]))
}

fn blocks(tag: u8, count: usize, len: usize) -> Vec<Vec<u8>> {
    (0..count).map(|i| (0..len).map(|at| tag ^ (i * 7 + at * 31) as u8).collect()).collect()
}

/// Runs a workload in both modes, and cuts the power or kills everywhere.
fn power_cuts(name: &'static str, options: &OpenOptions, work: impl Fn(&mut Run)) {
    for durability in [Durability::Immediate, Durability::Eventual] {
        let mut run = Run::new(name, options.clone(), durability);
        work(&mut run);
        run.cut_power_everywhere(0);
    }
}

fn kills(name: &'static str, options: &OpenOptions, work: impl Fn(&mut Run)) {
    for durability in [Durability::Immediate, Durability::Eventual] {
        let mut run = Run::new(name, options.clone(), durability);
        work(&mut run);
        run.kill_everywhere();
    }
}

fn append(run: &mut Run, tag: u8, count: usize, len: usize) {
    run.step(run.immediate, |log| {
        log.append(&blocks(tag, count, len)).unwrap();
    });
}

fn appends(run: &mut Run) {
    for tag in 0..4 {
        append(run, tag, 1 + usize::from(tag), 300);
    }
    run.step(true, |log| log.flush().unwrap());
    run.reopen();
    append(run, 9, 1, 0);
    run.step(true, |log| log.checkpoint().unwrap());
    run.reopen();
    append(run, 10, 2, 700);
}

fn user_data(run: &mut Run) {
    for (key, len) in [("a", 10), ("b", 5000), ("a", 0), ("b", 4990)] {
        let value = vec![len as u8; len];
        run.step(run.immediate, |log| log.set_user_data(key, Some(&value)).unwrap());
    }
    append(run, 1, 1, 10);
    for tag in 2..4 {
        run.step(true, |log| log.checkpoint().unwrap());
        append(run, tag, 1, 10);
    }
}

fn truncations(run: &mut Run) {
    append(run, 1, 9, 200);
    run.step(true, |log| {
        log.truncate(5, None).unwrap();
    });
    append(run, 2, 6, 200);
    run.reopen();
    run.step(true, |log| {
        log.truncate(5, Some(4)).unwrap();
    });
    append(run, 3, 1, 900);
    run.step(true, |log| {
        log.truncate(0, None).unwrap();
    });
    append(run, 4, 2, 100);
}

fn large_batches(run: &mut Run) {
    append(run, 1, 5, 20);
    append(run, 2, 300, 3);
    append(run, 3, 2, 20);
    run.step(true, |log| log.checkpoint().unwrap());
    append(run, 4, 280, 1);
}

fn large_batch_then_truncation(run: &mut Run) {
    append(run, 1, 5, 20);
    append(run, 2, 300, 3);
    run.step(true, |log| {
        log.truncate(100, None).unwrap();
    });
    append(run, 3, 300, 3);
}

fn clears(run: &mut Run) {
    append(run, 1, 12, 200);
    run.step(true, |log| {
        log.clear(3..6).unwrap();
    });
    append(run, 2, 2, 200);
    run.step(true, |log| {
        log.clear(12..14).unwrap();
    });
    append(run, 3, 2, 200);
    run.step(true, |log| log.checkpoint().unwrap());
    run.step(true, |log| {
        log.clear(0..3).unwrap();
    });
    run.reopen();
    run.step(true, |log| {
        log.clear(0..16).unwrap();
    });
}

fn source(fork_at: Option<u64>) -> Log {
    let log = Log::open(SharedDisk::default().stores(), writer().create(Create::New)).unwrap();
    log.append(&blocks(1, 11, 150)).unwrap();
    if let Some(length) = fork_at {
        log.truncate(length, None).unwrap();
        log.append(&blocks(2, 8, 170)).unwrap();
    }
    log
}

fn fetch(run: &mut Run, from: &Log, block: u64) {
    run.step(run.immediate, |log| {
        let block = BlockRequest { index: block, nodes: log.missing_nodes(block).unwrap() };
        let request = Request { fork: log.fork(), block: Some(block), ..Request::default() };
        log.apply_proof(&from.create_proof(&request).unwrap().unwrap()).unwrap();
    });
}

fn upgrade(from: &Log, fork: u64, start: u64, length: u64) -> hypercore_merkle::Proof {
    let upgrade = Some(UpgradeRequest { start, length });
    let request = Request { fork, upgrade, manifest: true, ..Request::default() };
    from.create_proof(&request).unwrap().unwrap()
}

fn reader() -> OpenOptions {
    OpenOptions::new().key(source(None).key())
}

fn replication(run: &mut Run) {
    let from = source(None);
    let durable = run.immediate;
    run.step(durable, |log| {
        log.apply_proof(&upgrade(&from, 0, 0, 7)).unwrap();
    });
    for block in [5, 0, 6] {
        fetch(run, &from, block);
    }
    run.reopen();
    run.step(true, |log| {
        log.clear(5..6).unwrap();
    });
    fetch(run, &from, 5);
    let length = run.log().length();
    from.append(&blocks(3, 5, 10)).unwrap();
    let more = from.length() - length;
    run.step(durable, |log| {
        log.apply_proof(&upgrade(&from, 0, length, more)).unwrap();
    });
    fetch(run, &from, 9);
    let other = source(Some(6));
    run.step(true, |log| {
        let mut reorg = log.start_reorganisation(&upgrade(&other, 1, 0, other.length())).unwrap();
        while let Some(want) = reorg.want().cloned() {
            let proof = other.create_proof(&want.request(want.blocks.start)).unwrap().unwrap();
            log.feed_reorganisation(&mut reorg, &proof).unwrap();
        }
        log.apply_reorganisation(reorg).unwrap();
    });
    fetch(run, &other, 12);
}

/// A writer that lost a block fetches it back from a reader.
fn cleared_and_fetched(run: &mut Run) {
    let from = source(None);
    append(run, 1, 11, 150);
    run.step(true, |log| {
        log.clear(4..5).unwrap();
    });
    fetch(run, &from, 4);
    append(run, 7, 1, 150);
}

#[test]
fn power_cuts_in_appends() {
    power_cuts("appends", &writer(), appends);
}

#[test]
fn power_cuts_in_user_data() {
    power_cuts("user data", &writer(), user_data);
}

#[test]
fn power_cuts_in_truncations() {
    power_cuts("truncations", &writer(), truncations);
}

#[test]
fn power_cuts_in_large_batches() {
    power_cuts("large batches", &writer(), large_batches);
}

#[test]
fn power_cuts_in_large_batches_cut_off() {
    power_cuts("large batch, then truncation", &writer(), large_batch_then_truncation);
}

#[test]
fn power_cuts_in_clears() {
    power_cuts("clears", &writer(), clears);
}

#[test]
fn power_cuts_in_replication() {
    power_cuts("replication", &reader(), replication);
}

#[test]
fn power_cuts_in_blocks_fetched_again() {
    power_cuts("cleared and fetched", &writer(), cleared_and_fetched);
}

#[test]
fn kills_in_appends() {
    kills("appends", &writer(), appends);
}

#[test]
fn kills_in_truncations() {
    kills("truncations", &writer(), truncations);
}

#[test]
fn kills_in_large_batches() {
    kills("large batches", &writer(), large_batch_then_truncation);
}

#[test]
fn kills_in_clears() {
    kills("clears", &writer(), clears);
}

#[test]
fn kills_in_replication() {
    kills("replication", &reader(), replication);
}

/// Of a batch whose nodes were written to the tree store nothing may be left when its entry is lost.
#[test]
fn a_lost_batch_leaves_no_nodes() {
    let first = blocks(1, 5, 20);
    let disk = SharedDisk::default();
    let log = Log::open(disk.stores(), writer().create(Create::New)).unwrap();
    log.append(&first).unwrap();
    let before = disk.0.lock().unwrap().shown.clone();
    log.append(&blocks(2, 300, 3)).unwrap();
    drop(log);
    let mut files = disk.0.lock().unwrap().shown.clone();
    files[0].clone_from(&before[0]);

    // Another copy went on where this one lost its batch.
    let from = Log::open(SharedDisk::default().stores(), writer().create(Create::New)).unwrap();
    from.append(&first).unwrap();
    from.append(&blocks(3, 300, 4)).unwrap();
    let log = Log::open(SharedDisk::of(files).stores(), writer()).unwrap();
    log.apply_proof(&upgrade(&from, 0, 5, 300)).unwrap();
    log.checkpoint().unwrap();
    let report = log.audit(&mut |_| {}).unwrap();
    assert!(report.is_ok(), "{:?}", report.findings);
    let block = BlockRequest { index: 200, nodes: log.missing_nodes(200).unwrap() };
    let request = Request { block: Some(block), ..Request::default() };
    log.apply_proof(&from.create_proof(&request).unwrap().unwrap()).unwrap();
    assert_eq!(log.get(200).unwrap(), from.get(200).unwrap());
}

#[test]
fn an_overwrite_that_is_refused_costs_nothing() {
    let disk = SharedDisk::default();
    let log = Log::open(disk.stores(), writer().create(Create::New)).unwrap();
    log.append(&["block"]).unwrap();
    drop(log);
    Log::open(disk.stores(), OpenOptions::new().create(Create::Overwrite)).unwrap_err();
    assert_eq!(Log::open(disk.stores(), writer()).unwrap().length(), 1);
}
