//! Logs that begin with blocks their manifest fixes.

mod support;

use bytes::Bytes;
use hypercore_crypto::{KeyPair, Manifest, ManifestSigner, Prologue};
use hypercore_log::{AppendOptions, Create, Log, LogError, OpenOptions};
use support::{Disk, assert_sound, block, blocks, create, reopen};

fn pair() -> KeyPair {
    KeyPair::from_seed(&[9; 32])
}

fn manifest(hash: hypercore_crypto::Hash, length: u64) -> Manifest {
    let signer = ManifestSigner::new(pair().public());
    Manifest::builder().prologue(Prologue { hash, length }).signer(signer).build().unwrap()
}

fn create_with(disk: &Disk, manifest: Manifest) -> Log {
    let options = OpenOptions::new().create(Create::New).key_pair(pair()).manifest(manifest);
    Log::open(disk.stores(), options).unwrap()
}

fn source(length: u64) -> (Disk, Log) {
    let disk = Disk::new();
    let log = create(&disk);
    let all: Vec<Vec<u8>> = (0..length).map(|index| block(index, index as usize % 90)).collect();
    log.append(&all).unwrap();
    (disk, log)
}

#[test]
fn copy_prologue_brings_the_tree_and_the_blocks() {
    for (length, prologue) in [(1, 1), (40, 23), (700, 700)] {
        let (_, source) = source(length);
        // Its fork is its own affair.
        source.truncate(length, Some(4)).unwrap();
        let hash = source.tree_hash_at(prologue).unwrap();
        let disk = Disk::new();
        let log = create_with(&disk, manifest(hash, prologue));
        let early = log.append(&["early"]);
        assert!(matches!(early, Err(LogError::BelowPrologue { .. })), "{early:?}");
        assert_eq!(log.copy_prologue(&source).unwrap(), prologue);
        assert_eq!((log.length(), log.fork(), log.signature()), (prologue, 0, None));
        assert_eq!(blocks(&log), blocks(&source)[..prologue as usize]);
        assert_eq!(log.copy_prologue(&source).unwrap(), 0);
        let below = log.truncate(prologue - 1, None);
        assert!(matches!(below, Err(LogError::BelowPrologue { .. })), "{below:?}");
        drop(log);
        let log = reopen(&disk);
        assert_eq!(log.head().tree_hash, hash);
        log.append(&["signed"]).unwrap();
        assert_eq!(log.get(prologue).unwrap().unwrap(), b"signed");
        log.truncate(prologue, None).unwrap();
        let prepared = log.prepare_append(vec![Bytes::from("x")], &AppendOptions::new()).unwrap();
        assert_eq!(prepared.unsigned().head().fork, 1);
        assert_sound(&log);
    }
}

#[test]
fn a_source_that_is_another_one_or_too_short_is_refused() {
    let (_, right) = source(20);
    let wanted = manifest(right.tree_hash_at(12).unwrap(), 12);
    let disk = Disk::new();
    let log = create_with(&disk, wanted);
    let before = disk.snapshot();
    let (_, short) = source(11);
    let refused = log.copy_prologue(&short);
    assert!(matches!(refused, Err(LogError::OutOfBounds { index: 12, length: 11 })), "{refused:?}");
    let other = create(&Disk::new());
    other.append(&vec!["other"; 20]).unwrap();
    let refused = log.copy_prologue(&other);
    assert!(matches!(refused, Err(LogError::Proof(_))), "{refused:?}");
    for name in support::FILES {
        assert_eq!(disk.bytes(name), before.bytes(name));
    }
    let none = right.copy_prologue(&log);
    assert!(matches!(none, Err(LogError::NoPrologue)), "{none:?}");
    assert_eq!(log.copy_prologue(&right).unwrap(), 12);
}

#[test]
fn blocks_that_the_source_lacks_may_come_from_another_one() {
    let (disk, one) = source(600);
    let two = reopen(&disk.snapshot());
    one.clear(100..300).unwrap();
    two.clear(0..50).unwrap();
    two.clear(250..600).unwrap();
    let log = create_with(&Disk::new(), manifest(one.tree_hash_at(500).unwrap(), 500));
    assert_eq!(log.copy_prologue(&one).unwrap(), 300);
    assert!(!log.has(100) && log.has(99) && log.has(499));
    assert_eq!(log.copy_prologue(&two).unwrap(), 150);
    assert_eq!(log.stored_ranges(0..500, 9), [0..250, 300..500]);
    assert_sound(&log);
}

#[test]
fn blocks_behind_many_that_came_already_come_from_a_source_full_of_holes() {
    let (_, source) = source(1000);
    for index in 0..300 {
        source.clear(index * 2..index * 2 + 1).unwrap();
    }
    let log = create_with(&Disk::new(), manifest(source.tree_hash_at(900).unwrap(), 900));
    assert_eq!(log.copy_prologue(&source).unwrap(), 600);
    log.clear(890..900).unwrap();
    assert_eq!(log.copy_prologue(&source).unwrap(), 10);
    assert_sound(&log);
}
