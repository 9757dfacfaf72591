//! Committing a branch: whole, in part, signed by others, refused.

mod support;

use hypercore_crypto::KeyPair;
use hypercore_log::{
    Branch, BranchOptions, CommitOptions, Create, FileName, Log, LogError, OpenOptions, Overlay,
};
use random_access_memory::RandomAccessMemory;
use random_access_storage::RandomAccess as _;
use support::{Disk, assert_sound, block, create, key_pair, reopen};

fn overlay() -> Overlay {
    Overlay { tree: Box::new(RandomAccessMemory::new()), data: Box::new(RandomAccessMemory::new()) }
}

fn begin(base: &Log, disk: &Disk) -> Branch {
    let options = BranchOptions::new().create(Create::New);
    Branch::open(base, disk.stores(), overlay(), options).unwrap()
}

fn all() -> CommitOptions {
    CommitOptions::new()
}

fn text(log: &Log) -> Vec<String> {
    let block = |index| log.get(index).unwrap().unwrap();
    (0..log.length()).map(|index| String::from_utf8(block(index)).unwrap()).collect()
}

#[test]
fn a_commit_is_one_append() {
    let disk = Disk::new();
    let log = create(&disk);
    log.append(&["a", "b"]).unwrap();
    let branch = begin(&log, &Disk::new());
    branch.append(&["c"]).unwrap();
    branch.append(&["d", "e"]).unwrap();
    let appended = log.commit(&branch, &all()).unwrap();
    assert_eq!((appended.length, appended.byte_length), (5, 5));
    assert_eq!(log.head(), branch.head());
    assert_eq!(log.durable_length(), 5);
    drop(log);
    let log = reopen(&disk);
    assert_eq!(log.recovery().entries_replayed, 2);
    assert_eq!(text(&log), ["a", "b", "c", "d", "e"]);
    assert_sound(&log);
}

#[test]
fn a_branch_goes_on_after_a_commit_in_part() {
    let disk = Disk::new();
    let log = create(&disk);
    log.append(&["a"]).unwrap();
    let branch = begin(&log, &Disk::new());
    branch.append(&["b", "c", "d"]).unwrap();
    assert_eq!(log.commit(&branch, &all().length(2)).unwrap().length, 2);
    assert_eq!(log.commit(&branch, &all().length(2)).unwrap().length, 2, "it has them");
    assert_eq!(log.commit(&branch, &all().length(0)).unwrap().length, 2);
    branch.append(&["e"]).unwrap();
    assert_eq!(log.commit(&branch, &all()).unwrap().length, 5);
    assert_eq!(text(&log), ["a", "b", "c", "d", "e"]);
    let short = log.commit(&branch, &all().length(6)).unwrap_err();
    assert!(matches!(short, LogError::OutOfBounds { index: 6, length: 5 }), "{short}");
    drop(log);
    assert_sound(&reopen(&disk));
}

#[test]
fn a_batch_is_refused_when_the_log_took_other_data_and_accepted_when_it_took_the_same() {
    for same in [false, true] {
        let log = create(&Disk::new());
        log.append(&["a"]).unwrap();
        let branch = begin(&log, &Disk::new());
        branch.append(&["b", "c", "d"]).unwrap();
        log.append(&[if same { "b" } else { "x" }]).unwrap();
        let before = log.head();
        let committed = log.commit(&branch, &all());
        if same {
            assert_eq!(committed.unwrap().length, 4);
            assert_eq!(text(&log), ["a", "b", "c", "d"]);
        } else {
            assert!(matches!(committed, Err(LogError::BranchConflict { length: 2 })));
            assert_eq!(log.head(), before);
            assert_eq!(text(&log), ["a", "x"]);
        }
        log.append(&["e"]).unwrap();
        assert_sound(&log);
    }
}

#[test]
fn a_log_that_is_longer_has_the_blocks_or_others() {
    let log = create(&Disk::new());
    log.append(&["a"]).unwrap();
    let (same, other) = (begin(&log, &Disk::new()), begin(&log, &Disk::new()));
    same.append(&["b"]).unwrap();
    other.append(&["x"]).unwrap();
    log.append(&["b", "c"]).unwrap();
    assert_eq!(log.commit(&same, &all()).unwrap().length, 3);
    assert!(matches!(log.commit(&other, &all()), Err(LogError::BranchConflict { length: 3 })));
}

#[test]
fn a_log_that_gave_up_what_a_branch_began_with_takes_nothing_of_it() {
    let log = create(&Disk::new());
    log.append(&["a", "b", "c"]).unwrap();
    let branch = begin(&log, &Disk::new());
    branch.append(&["d"]).unwrap();
    log.truncate(2, None).unwrap();
    assert!(matches!(log.commit(&branch, &all()), Err(LogError::BranchConflict { length: 2 })));
    log.append(&["other"]).unwrap();
    assert!(matches!(log.commit(&branch, &all()), Err(LogError::BranchConflict { length: 3 })));
    assert_eq!(text(&log), ["a", "b", "other"]);
}

#[test]
fn a_truncated_branch_is_committed_under_the_fork_of_its_log() {
    let disk = Disk::new();
    let log = create(&disk);
    log.append(&["a"]).unwrap();
    log.truncate(1, Some(5)).unwrap();
    let branch = begin(&log, &Disk::new());
    branch.append(&["b", "c"]).unwrap();
    branch.truncate(&log, 2).unwrap();
    branch.append(&["d"]).unwrap();
    assert_eq!(branch.fork(), 6);
    log.commit(&branch, &all()).unwrap();
    assert_eq!((log.fork(), text(&log)), (5, ["a", "b", "d"].map(String::from).to_vec()));
    drop(log);
    assert_eq!(reopen(&disk).fork(), 5);
}

#[test]
fn blocks_that_a_branch_cleared_are_not_stored_in_the_log_either() {
    for blocks in [12, 2000] {
        let disk = Disk::new();
        let log = create(&disk);
        log.append(&["a"]).unwrap();
        let branch = begin(&log, &Disk::new());
        let many: Vec<Vec<u8>> = (0..blocks).map(|index| block(index, 20)).collect();
        branch.append(&many).unwrap();
        branch.clear(0..3).unwrap();
        branch.clear(5..7).unwrap();
        log.commit(&branch, &all()).unwrap();
        for reopened in [false, true] {
            let log = if reopened { &reopen(&disk) } else { &log };
            let stored = log.stored_ranges(0..u64::MAX, 9);
            assert_eq!(stored, [0..1, 3..5, 7..blocks + 1]);
            assert_eq!(log.get(7).unwrap().unwrap(), block(6, 20));
            assert_sound(log);
        }
    }
}

#[test]
fn what_was_committed_is_kept_once() {
    let (disk, branch_disk) = (Disk::new(), Disk::new());
    let log = create(&disk);
    log.append(&["a"]).unwrap();
    let branch = begin(&log, &branch_disk);
    branch.append(&[[7; 5000]; 20]).unwrap();
    assert!(matches!(branch.rebase(&log, 5), Err(LogError::BranchConflict { length: 1 })));
    log.commit(&branch, &all().length(15)).unwrap();
    let before = branch.storage_info().unwrap().data;
    assert_eq!(branch.rebase(&log, 15).unwrap().blocks, 14);
    assert!(branch.storage_info().unwrap().data + 60_000 < before);
    assert_eq!((branch.ancestors(), branch.length()), (15, 21));

    // From here on it is a branch of the log as it is now.
    branch.truncate(&log, 12).unwrap();
    branch.append(&["x"]).unwrap();
    assert_eq!(branch.ancestors(), 12);
    log.truncate(12, None).unwrap();
    assert_eq!(log.commit(&branch, &all()).unwrap().length, 13);
    branch.rebase(&log, 13).unwrap();
    drop(branch);
    drop(log);
    let log = reopen(&disk);
    let options = BranchOptions::new();
    let branch = Branch::open(&log, branch_disk.stores(), overlay(), options).unwrap();
    assert_eq!((branch.ancestors(), branch.shared_length()), (13, 13));
    assert_eq!(branch.get(&log, 12).unwrap().unwrap(), b"x");
    assert_eq!(branch.get(&log, 3).unwrap().unwrap(), [7; 5000]);
}

#[test]
fn what_was_kept_of_another_history_does_not_come_back_after_a_rebase() {
    let log = create(&Disk::new());
    log.append(&["a", "b", "c", "d"]).unwrap();
    let branch = begin(&log, &Disk::new());
    // The branch keeps b, c and d, and gives up c and d.
    log.truncate(1, None).unwrap();
    branch.truncate(&log, 2).unwrap();
    branch.append(&["x", "y"]).unwrap();
    log.append(&["b"]).unwrap();
    log.commit(&branch, &all()).unwrap();
    branch.rebase(&log, 4).unwrap();
    for rewritten in [false, true] {
        if rewritten {
            log.truncate(0, None).unwrap();
            log.append(&["1", "2", "3", "4"]).unwrap();
        }
        for (index, block) in (0..).zip(["a", "b", "x", "y"]) {
            assert_eq!(branch.get(&log, index).unwrap().unwrap(), block.as_bytes());
            assert_eq!(branch.block_range(&log, index).unwrap(), index..index + 1);
        }
    }
}

#[test]
fn a_huge_batch_of_200_000() {
    let disk = Disk::new();
    let log = create(&disk);
    log.append(&["a"]).unwrap();
    let branch = begin(&log, &Disk::new());
    for part in 0..20_u64 {
        let blocks: Vec<_> = (part * 10_000..(part + 1) * 10_000).map(u64::to_le_bytes).collect();
        branch.append(&blocks).unwrap();
    }
    assert_eq!(log.commit(&branch, &all()).unwrap().length, 200_001);
    assert_eq!(log.head(), branch.head());
    log.append(&["z"]).unwrap();
    drop(log);
    let log = reopen(&disk);
    assert_eq!(log.length(), 200_002);
    for index in (0..200_000_u64).step_by(9_973) {
        assert_eq!(log.get(index + 1).unwrap().unwrap(), index.to_le_bytes());
    }
    assert_eq!(log.get(200_001).unwrap().unwrap(), b"z");
    assert_sound(&log);
}

#[test]
fn what_was_read_before_a_commit_hides_nothing_of_it() {
    let disk = Disk::new();
    let log = create(&disk);
    log.append(&[[1]; 20]).unwrap();
    log.close().unwrap();
    let log = reopen(&disk);
    assert_eq!(log.get(5).unwrap().unwrap(), [1]);
    let branch = begin(&log, &Disk::new());
    branch.append(&[[2]; 300]).unwrap();
    log.commit(&branch, &all()).unwrap();
    for index in 0..320 {
        assert_eq!(log.get(index).unwrap().unwrap(), [if index < 20 { 1 } else { 2 }]);
    }
}

#[test]
fn a_commit_is_signed_elsewhere() {
    let (reader_disk, writer) = (Disk::new(), create(&Disk::new()));
    // A log that has the manifest and no key pair.
    let options = OpenOptions::new().create(Create::New).key(writer.key());
    let log = Log::open(
        reader_disk.stores(),
        options.manifest(hypercore_crypto::Manifest::single(key_pair().public())),
    )
    .unwrap();
    let branch = begin(&log, &Disk::new());
    branch.append(&["a", "b"]).unwrap();
    assert!(matches!(log.commit(&branch, &all()), Err(LogError::NotWritable)));

    let unsigned = log.prepare_commit(&branch, Some(1)).unwrap();
    assert_eq!(unsigned.head().length, 1);
    let to_sign = unsigned.to_sign(&key_pair().public()).unwrap();
    let part = to_sign.signed(key_pair().sign(to_sign.message())).unwrap();
    let signature = unsigned.assemble(&[part]).unwrap();
    let wrong = log.commit(&branch, &all().signature(signature.clone())).unwrap_err();
    assert!(matches!(wrong, LogError::Signature(_)), "it is for one block: {wrong}");
    assert_eq!(log.length(), 0);
    assert_eq!(log.commit(&branch, &all().length(1).signature(signature)).unwrap().length, 1);

    let stranger = KeyPair::from_seed(&[8; 32]);
    let refused = log.commit(&branch, &all().key_pair(stranger)).unwrap_err();
    assert!(matches!(refused, LogError::KeyPair(_)), "{refused}");
    assert_eq!(log.commit(&branch, &all().key_pair(key_pair())).unwrap().length, 2);
    drop(log);
    assert_eq!(text(&reopen(&reader_disk)), ["a", "b"]);
}

#[test]
fn a_damaged_branch_leaves_the_log_as_it_was() {
    for blocks in [12_u64, 2000] {
        // A byte of a block, the hash of a leaf, the size of a leaf.
        // The last of a large batch is found when a part of it is in the log's stores already.
        let late = blocks * 900;
        for (file, at) in [
            (FileName::Data, 9_000),
            (FileName::Data, late),
            (FileName::Tree, 420),
            (FileName::Tree, 400),
        ] {
            let (disk, branch_disk) = (Disk::new(), Disk::new());
            let log = create(&disk);
            // Parents in the middle of what is written reach over this end.
            log.append(&["a", "b", "c"]).unwrap();
            log.checkpoint().unwrap();
            let branch = begin(&log, &branch_disk);
            let many: Vec<Vec<u8>> = (0..blocks).map(|index| block(index, 1000)).collect();
            branch.append(&many).unwrap();
            branch.close().unwrap();
            let spoiled = branch_disk.file(file);
            let mut byte = [0];
            spoiled.read_at(at, &mut byte).unwrap();
            spoiled.write_at(at, &[byte[0] ^ 4]).unwrap();
            let options = BranchOptions::new();
            let branch = Branch::open(&log, branch_disk.stores(), overlay(), options).unwrap();
            let before = (log.head(), disk.bytes(FileName::Oplog), disk.bytes(FileName::Data));
            let error = log.commit(&branch, &all()).unwrap_err();
            assert!(matches!(error, LogError::Branch(_)), "{error:?}");
            let after = (log.head(), disk.bytes(FileName::Oplog), disk.bytes(FileName::Data));
            assert_eq!(before, after);
            assert!(disk.bytes(FileName::Tree).len() <= 200, "nothing is left behind the end");
            let whole = begin(&log, &Disk::new());
            whole.append(&many).unwrap();
            log.commit(&whole, &all()).unwrap();
            for reopened in [false, true] {
                let log = if reopened { &reopen(&disk) } else { &log };
                assert_eq!(log.get(2).unwrap().unwrap(), b"c");
                assert_eq!(log.get(3).unwrap().unwrap(), many[0]);
                assert_sound(log);
            }
        }
    }
}

#[test]
fn nothing_is_committed_to_another_log_a_frozen_or_a_read_only_one() {
    let disk = Disk::new();
    let log = create(&disk);
    log.append(&["a"]).unwrap();
    let branch = begin(&log, &Disk::new());
    branch.append(&["b"]).unwrap();
    let other = create(&Disk::new());
    other.append(&["a"]).unwrap();
    assert!(matches!(other.commit(&branch, &all()), Err(LogError::OtherLog)));

    let twin = create(&Disk::new());
    twin.append(&["other"]).unwrap();
    let upgrade = hypercore_merkle::UpgradeRequest { start: 0, length: 1 };
    let request = hypercore_merkle::Request { upgrade: Some(upgrade), ..Default::default() };
    let proof = twin.create_proof(&request).unwrap().unwrap();
    assert!(log.freeze(&proof).unwrap().is_some());
    assert!(matches!(log.commit(&branch, &all()), Err(LogError::Frozen)));
    assert_eq!(log.length(), 1);
}

#[test]
fn a_commit_is_not_prepared_where_another_may_be_signed_already() {
    let disk = Disk::new();
    let log = create(&disk);
    log.append(&["a"]).unwrap();
    log.append(&["b"]).unwrap();
    drop(log);
    // One bit of the last entry, which may be with others.
    let at = disk.bytes(FileName::Oplog).len() - 20;
    let byte = disk.bytes(FileName::Oplog)[at];
    disk.file(FileName::Oplog).write_at(at as u64, &[byte ^ 1]).unwrap();
    let log = reopen(&disk);
    let branch = begin(&log, &Disk::new());
    branch.append(&["c"]).unwrap();
    let refused = log.prepare_commit(&branch, None);
    assert!(matches!(refused, Err(LogError::HeaderLost)), "{refused:?}");
    assert!(matches!(log.check_signable(2, 0), Err(LogError::HeaderLost)));
}
