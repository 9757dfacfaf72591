//! Every bit of every file of small logs is flipped, one at a time, and every 512-byte sector is zeroed, swapped with each
//! other and copied over its neighbours. Each time the damage is *detected* (opening refuses it or reports it, a read
//! gives a typed error, the audit finds it), or it is *unused*: everything the log shows is what it was.
//!
//! Never are wrong bytes read, never does a seek find another block, and never is an older state shown without a word.
//! One bit of each byte is flipped, in turns, fewer in long zeros; `HYPERCORE_BIT_ROT=all` takes every one, and every pair
//! of sectors.

mod support;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::ops::Range;

use flat_tree::{Index, full_roots};
use hypercore_log::{
    Access, AuditReport, FileName, Head, Log, LogError, OpenError, OpenOptions, RecoveryReport,
};
use hypercore_merkle::{
    Authority, BlockRequest, HashRequest, Node, Request, SeekRequest, Tree, UpgradeRequest,
};
use random_access_storage::RandomAccess as _;
use support::fixture::Fixture;
use support::{Disk, FILES, block, create, reopen};

const SECTOR: usize = 512;

/// An answer of the log, or that it gave a typed error.
type Answer<T> = Result<T, ()>;

/// Everything that a log shows.
#[derive(Debug, PartialEq)]
struct Shown {
    state: Opened,
    blocks: Vec<Answer<Option<Vec<u8>>>>,
    ranges: Vec<Answer<Range<u64>>>,
    seeks: Vec<Answer<Option<(u64, u64)>>>,
    padded_seeks: Vec<Answer<Option<(u64, u64)>>>,
    hashes: Vec<Answer<String>>,
    proofs: Vec<Answer<String>>,
}

/// What opening alone tells.
#[derive(Debug, PartialEq)]
struct Opened {
    head: Head,
    key: String,
    signer: String,
    manifest: String,
    signature: Option<Vec<u8>>,
    stored: Vec<Range<u64>>,
    contiguous_length: u64,
    durable_length: u64,
    user_data: Vec<(String, Vec<u8>)>,
}

fn typed<T>(result: Result<T, LogError>) -> Answer<T> {
    result.map_err(|error| {
        let typed = matches!(
            error,
            LogError::Corrupt(_)
                | LogError::CorruptBlock { .. }
                | LogError::NodeMissing { .. }
                | LogError::Request(_)
        );
        assert!(typed, "{error:?}");
    })
}

impl Opened {
    fn of(log: &Log) -> Self {
        Self {
            head: log.head(),
            key: log.key().to_string(),
            signer: format!("{:?}", log.signer()),
            manifest: format!("{:?}", log.manifest()),
            signature: log.signature(),
            stored: log.stored_ranges(0..u64::MAX, 100),
            contiguous_length: log.contiguous_length(),
            durable_length: log.durable_length(),
            user_data: log.user_data_entries(),
        }
    }
}

/// Every byte of a small log, the first of a larger one.
fn bytes(last: u64) -> impl Iterator<Item = u64> {
    0..=last.min(300)
}

impl Shown {
    fn of(log: &Log) -> Self {
        let (length, byte_length, fork) = (log.length(), log.byte_length(), log.fork());
        let prove =
            |request: &Request| typed(log.create_proof(request)).map(|proof| format!("{proof:?}"));
        let request = Request { fork, ..Request::default() };
        let roots = full_roots(length).filter_map(|index| log.node(index).ok()?);
        let roots: HashMap<Index, Node> = roots.map(|root| (root.index, root)).collect();
        let tree = Tree::load(&roots, fork, length).unwrap_or(Tree::empty(fork));
        let mut proofs = Vec::new();
        for index in 0..length {
            let at = Index::leaf(index).unwrap();
            let most = Tree::missing_nodes_max(at, length);
            let block = |nodes| Request { block: Some(BlockRequest { index, nodes }), ..request };
            proofs.push(prove(&block(most)));
            let hash = Some(HashRequest { index: at, nodes: most });
            let seek = Some(SeekRequest { bytes: index * 3, padding: 0 });
            let upgrade = |start, end| Some(UpgradeRequest { start, length: end - start });
            proofs.push(match index % 5 {
                0 => prove(&block(index / 5 % 7)),
                1 => prove(&Request { hash, ..request }),
                // With fewer nodes it finds less; what it says is true all the same.
                2 => typed(log.create_proof(&Request { hash, seek, ..request })).map(|proof| {
                    let (key, proof) = (log.key(), proof.expect("no block is asked for"));
                    let authority = Authority { key: &key, manifest: None };
                    let verdict = tree.verify(&roots, &proof, &authority).map(|_| ());
                    format!("{verdict:?}")
                }),
                3 => prove(&Request { upgrade: upgrade(index, length), ..request }),
                _ => prove(&Request { upgrade: upgrade(0, index + 1), ..request }),
            });
        }
        Self {
            state: Opened::of(log),
            blocks: (0..length).map(|index| typed(log.get(index))).collect(),
            ranges: (0..length).map(|index| typed(log.block_range(index))).collect(),
            seeks: bytes(byte_length + 1).map(|byte| typed(log.seek(byte, 0))).collect(),
            padded_seeks: bytes(byte_length).map(|byte| typed(log.seek(byte, 1))).collect(),
            hashes: (0..=length)
                .map(|length| typed(log.tree_hash_at(length)).map(|hash| format!("{hash:?}")))
                .collect(),
            proofs,
        }
    }
}

/// How damage came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Refused,
    Reported,
    ReadError,
    Audited,
    Unused,
}

/// A log, whole, and what it shows then.
struct Sound {
    name: &'static str,
    files: BTreeMap<String, Vec<u8>>,
    shown: Shown,
    report: RecoveryReport,
    /// What is said of damage to `header` without a seal is up to the encoding.
    sealed: bool,
}

fn read_only() -> OpenOptions {
    OpenOptions::new().access(Access::ReadOnly)
}

fn audit(log: &Log) -> AuditReport {
    log.audit(&mut |_| {}).unwrap()
}

impl Sound {
    fn new(name: &'static str, disk: &Disk, sealed: bool) -> Self {
        let files = FILES.map(|file| (file.to_string(), disk.bytes(file)));
        let files: BTreeMap<_, _> = files.into_iter().filter(|(_, b)| !b.is_empty()).collect();
        let log = Log::open(disk.stores(), read_only()).unwrap();
        let report = log.recovery().clone();
        assert!(!report.lost_something() && !report.torn_end, "{name}: {report:?}");
        let found = audit(&log);
        assert!(found.is_ok() && found.blocks_unlisted == 0, "{name}: {found:?}");
        Self { name, files, shown: Shown::of(&log), report, sealed }
    }

    /// Opens the damaged log, and fails unless it says that it is damaged or shows what it showed.
    ///
    /// Damage to `oplog` and `header` comes out in what opening tells, or not at all.
    fn classify(&self, case: &str, disk: &Disk, only_state: bool) -> Class {
        let log = match Log::open(disk.stores(), read_only()) {
            Ok(log) => log,
            Err(OpenError::Corrupt(_) | OpenError::Unsupported { .. }) => return Class::Refused,
            Err(error) => panic!("{case}: {error:?}"),
        };
        let report = log.recovery();
        let reported = report.lost_something() || report.torn_end || report.damaged_slot.is_some();
        if !reported && only_state && Opened::of(&log) == self.shown.state {
            return Class::Unused;
        }
        let shown = Shown::of(&log);
        if shown == self.shown && !reported {
            let found = audit(&log);
            let clean = found.is_ok() && found.blocks_unlisted == 0;
            return if clean { Class::Unused } else { Class::Audited };
        }
        self.compare(case, &shown, reported);
        if reported {
            return Class::Reported;
        }
        assert_eq!(shown.state.head, self.shown.state.head, "{case}: an older state, unreported");
        let errors = shown.errors();
        let found = audit(&log);
        if errors > self.shown.errors() {
            Class::ReadError
        } else if !found.is_ok() || found.blocks_unlisted > 0 {
            Class::Audited
        } else {
            panic!("{case}: shows something else, and says nothing of it\n{report:?}\n{shown:#?}")
        }
    }

    /// Whatever is said: no wrong bytes, no other answers.
    fn compare(&self, case: &str, shown: &Shown, reported: bool) {
        let whole = &self.shown;
        assert_eq!(shown.state.key, whole.state.key, "{case}");
        let same_fork = shown.state.head.fork == whole.state.head.fork;
        if !same_fork {
            assert!(reported, "{case}: another fork");
            return;
        }
        let length = shown.state.head.length;
        let step_back = length < whole.state.head.length;
        agree(case, "block", &shown.blocks, &whole.blocks, |_, found, wanted| {
            found == wanted || found.is_none() || (reported && wanted.is_none())
        });
        agree(case, "range", &shown.ranges, &whole.ranges, |_, found, wanted| found == wanted);
        agree(case, "hash", &shown.hashes, &whole.hashes, |_, found, wanted| found == wanted);
        agree(case, "seek", &shown.seeks, &whole.seeks, |_, found, wanted| {
            let is_end = step_back && found.is_none_or(|(block, _)| block == length);
            found == wanted || is_end
        });
        if !step_back {
            let (seeks, wanted) = (&shown.padded_seeks, &whole.padded_seeks);
            agree(case, "padded seek", seeks, wanted, |_, found, wanted| found == wanted);
            // Where a block is no longer listed there is no answer.
            agree(case, "proof", &shown.proofs, &whole.proofs, |_, found, wanted| {
                found == wanted || found == "None"
            });
        }
        if shown.state.user_data != whole.state.user_data {
            assert!(reported, "{case}: other user data");
        }
    }
}

fn agree<T: Debug>(
    case: &str,
    what: &str,
    found: &[Answer<T>],
    wanted: &[Answer<T>],
    same: impl Fn(usize, &T, &T) -> bool,
) {
    for (index, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        if let (Ok(found), Ok(wanted)) = (found, wanted) {
            assert!(
                same(index, found, wanted),
                "{case}: {what} {index}: {found:?}, not {wanted:?}"
            );
        }
    }
}

impl Shown {
    fn errors(&self) -> usize {
        fn errors<T>(answers: &[Answer<T>]) -> usize {
            answers.iter().filter(|answer| answer.is_err()).count()
        }
        errors(&self.blocks)
            + errors(&self.ranges)
            + errors(&self.seeks)
            + errors(&self.padded_seeks)
            + errors(&self.hashes)
            + errors(&self.proofs)
    }
}

type Counts = BTreeMap<Class, usize>;

/// Runs `cases` on two threads, each with a disk of its own, and counts how they came out.
fn run<C: Sync>(
    sound: &Sound,
    cases: &[C],
    try_case: impl Fn(&Sound, &Disk, &C) -> Class + Sync,
) -> Counts {
    let mut counts = Counts::new();
    let half = cases.len().div_ceil(2).max(1);
    std::thread::scope(|scope| {
        let workers: Vec<_> = cases
            .chunks(half)
            .map(|cases| {
                let try_case = &try_case;
                scope.spawn(move || {
                    let disk = Disk::with_files(&sound.files);
                    let mut counts = Counts::new();
                    for case in cases {
                        *counts.entry(try_case(sound, &disk, case)).or_default() += 1;
                    }
                    counts
                })
            })
            .collect();
        for worker in workers {
            for (class, count) in worker.join().unwrap() {
                *counts.entry(class).or_default() += count;
            }
        }
    });
    counts
}

/// Whether every bit and every pair of sectors was asked for.
fn all() -> bool {
    std::env::var_os("HYPERCORE_BIT_ROT").is_some()
}

/// The bits of a file to flip: one a byte, in turns, and fewer where nothing but zeros is near.
fn bits(bytes: &[u8]) -> Vec<usize> {
    let is_used = |at: usize| {
        bytes[at.saturating_sub(16)..(at + 16).min(bytes.len())].iter().any(|byte| *byte != 0)
    };
    let is_chosen = |at: usize, bit: usize| {
        let step = if bytes.len() > 8500 || !is_used(at) { 16 } else { 1 };
        at.is_multiple_of(step) && bit == (at / step) % 8
    };
    (0..bytes.len() * 8).filter(|bit| all() || is_chosen(bit / 8, bit % 8)).collect()
}

fn flip_bits(sound: &Sound) {
    for file in FILES {
        let Some(bytes) = sound.files.get(file.as_str()) else { continue };
        let only_state = matches!(file, FileName::Oplog | FileName::Header);
        let counts = run(sound, &bits(bytes), |sound, disk, bit| {
            let (at, mask) = (bit / 8, 1 << (bit % 8));
            let case = format!("{}: {file} byte {at} bit {}", sound.name, bit % 8);
            disk.file(file).write_at(at as u64, &[bytes[at] ^ mask]).unwrap();
            let class = if file == FileName::Header && !sound.sealed {
                sound.refused_or_other(disk)
            } else {
                sound.classify(&case, disk, only_state)
            };
            if only_state && sound.sealed && bit / 8 % 8 == 0 {
                sound.never_forks(&case, disk);
            }
            disk.file(file).write_at(at as u64, &[bytes[at]]).unwrap();
            class
        });
        eprintln!("{}: {file}: bits {counts:?}", sound.name);
        assert!(counts.keys().any(|class| *class != Class::Unused), "{}: {file}", sound.name);
    }
}

impl Sound {
    /// Nothing covers a header file without a seal: JavaScript's.
    fn refused_or_other(&self, disk: &Disk) -> Class {
        match Log::open(disk.stores(), read_only()) {
            Ok(log) if Opened::of(&log) == self.shown.state => Class::Unused,
            Ok(_) => Class::Reported,
            Err(_) => Class::Refused,
        }
    }

    /// A writer that opens the log signs no block in the place of one that was there.
    fn never_forks(&self, case: &str, disk: &Disk) {
        let Ok(reader) = Log::open(disk.stores(), read_only()) else { return };
        if reader.recovery() == &self.report || reader.signer().is_none() {
            return;
        }
        let damaged = disk.snapshot();
        let log = Log::open(damaged.stores(), OpenOptions::new()).unwrap();
        let length = log.length();
        match log.append(&[b"another"]) {
            Ok(_) => assert!(length >= self.shown.state.head.length, "{case}: forked"),
            Err(LogError::HeaderLost) => {}
            Err(error) => panic!("{case}: {error}"),
        }
    }
}

/// Zeroed, swapped with each other sector of the file, copied over the neighbours.
fn spoil_sectors(sound: &Sound) {
    for file in FILES {
        let Some(bytes) = sound.files.get(file.as_str()) else { continue };
        if file == FileName::Header && !sound.sealed {
            continue;
        }
        let sectors = bytes.len().div_ceil(SECTOR);
        let sector = |number: usize| number * SECTOR..((number + 1) * SECTOR).min(bytes.len());
        let copy = |to: &mut Vec<u8>, from: usize, at: usize| {
            let (from, at) = (sector(from), sector(at));
            let len = from.len().min(at.len());
            to[at.start..at.start + len].copy_from_slice(&bytes[from.start..from.start + len]);
        };
        let mut cases: Vec<(String, Vec<u8>)> = Vec::new();
        for first in 0..sectors {
            let mut zeroed = bytes.clone();
            zeroed[sector(first)].fill(0);
            cases.push((format!("sector {first} zeroed"), zeroed));
            // Nodes that are 64 apart, or a multiple, are as far into a sector.
            let distance_max = if all() || sectors < 20 { sectors } else { 2 };
            let seconds = (first + 1..sectors).filter(|second| {
                second - first < distance_max || (second - first).is_multiple_of(10)
            });
            for second in seconds {
                let mut swapped = bytes.clone();
                copy(&mut swapped, first, second);
                copy(&mut swapped, second, first);
                cases.push((format!("sectors {first} and {second} swapped"), swapped));
            }
            for to in [first.wrapping_sub(1), first + 1] {
                if to < sectors {
                    let mut copied = bytes.clone();
                    copy(&mut copied, first, to);
                    cases.push((format!("sector {first} over {to}"), copied));
                }
            }
        }
        cases.retain(|(_, damaged)| damaged != bytes);
        let counts = run(sound, &cases, |sound, disk, (what, damaged)| {
            disk.file(file).write_at(0, damaged).unwrap();
            let class = sound.classify(&format!("{}: {file} {what}", sound.name), disk, false);
            disk.file(file).write_at(0, bytes).unwrap();
            class
        });
        eprintln!("{}: {file}: sectors {counts:?}", sound.name);
    }
}

fn check(sound: &Sound) {
    flip_bits(sound);
    spoil_sectors(sound);
}

/// Blocks of different sizes, one of them empty and one of zeros.
fn append(log: &Log, from: u64, count: u64) {
    let blocks: Vec<Vec<u8>> = (from..from + count)
        .map(|index| match index {
            2 => Vec::new(),
            4 => vec![0; 6],
            _ => block(index, 5 + (index as usize * 7) % 11),
        })
        .collect();
    log.append(&blocks).unwrap();
}

#[test]
fn a_closed_log() {
    let disk = Disk::new();
    let log = create(&disk);
    append(&log, 0, 5);
    log.close().unwrap();
    let log = reopen(&disk);
    append(&log, 5, 3);
    log.close().unwrap();
    check(&Sound::new("closed", &disk, true));
}

#[test]
fn a_killed_log() {
    let disk = Disk::new();
    let log = create(&disk);
    append(&log, 0, 5);
    log.checkpoint().unwrap();
    append(&log, 5, 2);
    log.set_user_data("name", Some(b"value")).unwrap();
    append(&log, 7, 1);
    drop(log);
    check(&Sound::new("killed", &disk, true));
}

#[test]
fn a_reader_with_gaps() {
    let source = Disk::new();
    let from = create(&source);
    append(&from, 0, 11);
    let disk = Disk::new();
    let options = OpenOptions::new().create(hypercore_log::Create::New).key(from.key());
    let log = Log::open(disk.stores(), options).unwrap();
    let upgrade = Some(UpgradeRequest { start: 0, length: 11 });
    let request = Request { upgrade, manifest: true, ..Request::default() };
    log.apply_proof(&from.create_proof(&request).unwrap().unwrap()).unwrap();
    for index in [3, 0, 9] {
        let block = Some(BlockRequest { index, nodes: log.missing_nodes(index).unwrap() });
        let request = Request { block, ..Request::default() };
        log.apply_proof(&from.create_proof(&request).unwrap().unwrap()).unwrap();
    }
    log.close().unwrap();
    check(&Sound::new("reader", &disk, true));
}

#[test]
fn user_data_that_changed_last() {
    let disk = Disk::new();
    let log = create(&disk);
    append(&log, 0, 3);
    for value in [b"old", b"new"] {
        log.set_user_data("value", Some(value)).unwrap();
        log.checkpoint().unwrap();
    }
    log.close().unwrap();
    check(&Sound::new("user data", &disk, true));
}

#[test]
fn a_header_in_a_file_of_its_own() {
    let disk = Disk::new();
    let log = create(&disk);
    append(&log, 0, 2);
    for value in [[1; 4200], [2; 4200]] {
        log.set_user_data("value", Some(&value)).unwrap();
        log.checkpoint().unwrap();
    }
    log.close().unwrap();
    check(&Sound::new("header file", &disk, true));
}

#[test]
fn cleared_blocks() {
    let disk = Disk::new();
    let log = create(&disk);
    append(&log, 0, 10);
    log.clear(3..6).unwrap();
    log.close().unwrap();
    check(&Sound::new("cleared", &disk, true));
}

/// Nodes of several sectors, and the blocks of a bulk append that only the tree file has nodes of.
#[test]
fn sectors_of_larger_logs() {
    for closed in [true, false] {
        let disk = Disk::new();
        let log = create(&disk);
        append(&log, 0, 3);
        log.checkpoint().unwrap();
        let blocks: Vec<Vec<u8>> =
            (0..280).map(|index| block(index, 1 + index as usize % 5)).collect();
        log.append(&blocks).unwrap();
        if closed {
            log.close().unwrap();
        } else {
            drop(log);
        }
        let name = if closed { "larger, closed" } else { "larger, killed" };
        spoil_sectors(&Sound::new(name, &disk, true));
    }
}

#[test]
fn logs_of_javascript() {
    for name in ["small", "unflushed-entries", "reader-partial"] {
        let disk = Disk::with_files(&Fixture::load(name).files);
        let sound = Sound::new(name, &disk, false);
        flip_bits(&sound);
    }
}
