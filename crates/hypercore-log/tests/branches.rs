//! Branches: begun, written, brought back, and read beside a log that goes on.

mod support;

use hypercore_log::{
    Branch, BranchOptions, Create, Durability, FileName, Log, LogError, OpenError, OpenOptions,
    Overlay,
};
use random_access_memory::RandomAccessMemory;
use support::{Disk, block, create, key_pair, reopen};

fn overlay() -> Overlay {
    Overlay { tree: Box::new(RandomAccessMemory::new()), data: Box::new(RandomAccessMemory::new()) }
}

fn begin(base: &Log, disk: &Disk) -> Branch {
    open(base, disk, BranchOptions::new().create(Create::New)).unwrap()
}

fn resume(base: &Log, disk: &Disk) -> Branch {
    open(base, disk, BranchOptions::new()).unwrap()
}

fn open(base: &Log, disk: &Disk, options: BranchOptions) -> Result<Branch, OpenError> {
    Branch::open(base, disk.stores(), overlay(), options)
}

fn text(base: &Log, branch: &Branch) -> Vec<String> {
    let block = |index| branch.get(base, index).unwrap().unwrap();
    (0..branch.length()).map(|index| String::from_utf8(block(index)).unwrap()).collect()
}

#[test]
fn a_branch_goes_its_own_way() {
    let log = create(&Disk::new());
    log.append(&["a", "bb", "ccc"]).unwrap();
    let branch = begin(&log, &Disk::new());
    assert_eq!(branch.head(), log.head());
    branch.append(&["x", "yy"]).unwrap();
    log.append(&["other"]).unwrap();
    assert_eq!(text(&log, &branch), ["a", "bb", "ccc", "x", "yy"]);
    assert_eq!((branch.ancestors(), branch.shared_length()), (3, 3));
    assert_eq!(branch.seek(&log, 7, 0).unwrap(), Some((4, 0)));
    assert_eq!(branch.seek(&log, 2, 0).unwrap(), Some((1, 1)));
    assert_eq!(branch.block_range(&log, 4).unwrap(), 7..9);
    assert_eq!(branch.contiguous_length(&log), 5);

    // The hashes are those that a log with these blocks has.
    let same = create(&Disk::new());
    same.append(&["a", "bb", "ccc", "x", "yy"]).unwrap();
    assert_eq!(branch.head(), same.head());
    for length in 0..=5 {
        assert_eq!(branch.tree_hash_at(&log, length).unwrap(), same.tree_hash_at(length).unwrap());
    }

    // As are the nodes that a signer who is ahead gives.
    for signed in 0..=5 {
        for common in 0..=signed {
            let patch = branch.patch_nodes(&log, common, signed).unwrap();
            assert_eq!(patch, same.patch_nodes(common, signed).unwrap(), "{common} to {signed}");
        }
    }
    for (common, signed) in [(0, 6), (4, 3)] {
        let refused = branch.patch_nodes(&log, common, signed);
        assert!(matches!(refused, Err(LogError::OutOfBounds { .. })), "{common} to {signed}");
    }
    let other = branch.patch_nodes(&same, 0, 5);
    assert!(matches!(other, Err(LogError::OtherLog)));
}

#[test]
fn a_branch_is_resumed_as_it_was_left() {
    for durability in [Durability::Immediate, Durability::Eventual] {
        let (base_disk, disk) = (Disk::new(), Disk::new());
        let log = create(&base_disk);
        log.append(&["a", "b", "c"]).unwrap();
        let options = BranchOptions::new().create(Create::IfMissing).durability(durability);
        let branch = open(&log, &disk, options.clone()).unwrap();
        branch.append(&["x", "y"]).unwrap();
        branch.set_user_data("note", Some(b"mine")).unwrap();
        let head = branch.head();
        drop(branch);
        log.append(&["d"]).unwrap();
        drop(log);
        let log = reopen(&base_disk);
        let branch = open(&log, &disk, options.clone()).unwrap();
        assert_eq!(branch.head(), head);
        assert_eq!(text(&log, &branch), ["a", "b", "c", "x", "y"]);
        assert_eq!(branch.user_data("note").unwrap(), b"mine");
        assert_eq!(branch.user_data_entries().len(), 1, "its record is its own");
        branch.truncate(&log, 4).unwrap();
        branch.close().unwrap();
        let branch = resume(&log, &disk);
        assert_eq!(text(&log, &branch), ["a", "b", "c", "x"]);
        assert_eq!((branch.fork(), branch.ancestors()), (1, 3));
        assert_eq!(log.user_data("note"), None);
    }
}

#[test]
fn a_checkout_begins_at_an_older_length() {
    let log = create(&Disk::new());
    log.append(&["a", "b", "c", "d", "e"]).unwrap();
    for length in 0..=5 {
        let options = BranchOptions::new().create(Create::New).checkout(length);
        let branch = open(&log, &Disk::new(), options).unwrap();
        assert_eq!((branch.length(), branch.ancestors()), (length, length));
        assert_eq!(branch.head().tree_hash, log.tree_hash_at(length).unwrap());
        branch.append(&["x"]).unwrap();
        let mut wanted = ["a", "b", "c", "d", "e"][..length as usize].to_vec();
        wanted.push("x");
        assert_eq!(text(&log, &branch), wanted);
    }
    let options = BranchOptions::new().create(Create::New).checkout(6);
    let refused = open(&log, &Disk::new(), options).unwrap_err();
    assert!(matches!(refused, OpenError::CheckoutTooLong { checkout: 6, length: 5 }), "{refused}");
}

#[test]
fn a_truncation_below_the_checkout_gives_up_blocks_of_the_log() {
    let (base_disk, disk) = (Disk::new(), Disk::new());
    let log = create(&base_disk);
    log.append(&["a", "b", "c", "d", "e", "f", "g"]).unwrap();
    let branch = begin(&log, &disk);
    branch.append(&["x"]).unwrap();
    for length in (0..=6).rev() {
        branch.truncate(&log, length).unwrap();
        assert_eq!((branch.length(), branch.ancestors()), (length, length));
        branch.append(&["other", "more"]).unwrap();
        let mut wanted = ["a", "b", "c", "d", "e", "f"][..length as usize].to_vec();
        wanted.extend(["other", "more"]);
        assert_eq!(text(&log, &branch), wanted);
    }
    assert_eq!(branch.fork(), 7);
    drop(branch);
    assert_eq!(text(&log, &resume(&log, &disk)), ["other", "more"]);
    assert_eq!(log.length(), 7);
}

#[test]
fn an_open_branch_keeps_what_its_log_truncates_and_a_closed_one_says_so() {
    let disk = Disk::new();
    let log = create(&Disk::new());
    log.append(&["a", "b", "c", "d", "e"]).unwrap();
    let branch = begin(&log, &disk);
    branch.append(&["x"]).unwrap();
    log.truncate(2, None).unwrap();
    log.append(&["C", "D", "E", "F"]).unwrap();
    assert_eq!(text(&log, &branch), ["a", "b", "c", "d", "e", "x"]);
    assert_eq!(branch.shared_length(), 2);
    drop(branch);

    let branch = resume(&log, &disk);
    let gone = branch.get(&log, 2).unwrap_err();
    assert!(matches!(gone, LogError::BaseRewritten { .. }), "{gone}");
    assert!(!branch.has(&log, 2));
    assert_eq!(branch.get(&log, 5).unwrap().unwrap(), b"x", "what is its own is there");
    let gone = branch.tree_hash_at(&log, 3).unwrap_err();
    assert!(matches!(gone, LogError::BaseRewritten { .. }), "{gone}");
}

#[test]
fn a_log_is_no_branch_and_a_branch_is_no_log() {
    let (base_disk, disk) = (Disk::new(), Disk::new());
    let log = create(&base_disk);
    log.append(&["a"]).unwrap();
    let branch = begin(&log, &disk);
    branch.append(&["x"]).unwrap();
    drop(branch);
    for closed in [false, true] {
        if closed {
            resume(&log, &disk).close().unwrap();
        }
        let before = disk.snapshot();
        let opened = Log::open(disk.stores(), OpenOptions::new());
        assert!(matches!(opened, Err(OpenError::IsBranch)));
        let create = OpenOptions::new().create(Create::IfMissing).key_pair(key_pair());
        assert!(matches!(
            Log::open(disk.stores(), create),
            Err(OpenError::KeyMismatch { .. } | OpenError::IsBranch | OpenError::WrongKeyPair)
        ));
        assert_eq!(disk.bytes(FileName::Oplog), before.bytes(FileName::Oplog));
    }

    let other_disk = Disk::new();
    let other = create(&other_disk);
    other.append(&["z"]).unwrap();
    assert!(matches!(
        open(&log, &other_disk, BranchOptions::new()),
        Err(OpenError::KeyMismatch { .. }) | Err(OpenError::NotBranch)
    ));
    drop(log);
    assert!(matches!(open(&other, &base_disk, BranchOptions::new()), Err(OpenError::NotBranch)));
    let strange = Disk::new();
    let stranger = OpenOptions::new()
        .create(Create::New)
        .key_pair(hypercore_crypto::KeyPair::from_seed(&[9; 32]));
    let stranger = Log::open(strange.stores(), stranger).unwrap();
    assert!(matches!(
        open(&stranger, &disk, BranchOptions::new()),
        Err(OpenError::KeyMismatch { .. })
    ));
    assert!(matches!(resume(&other, &disk).get(&stranger, 0), Err(LogError::OtherLog)));
}

#[test]
fn what_may_be_made_is_as_the_options_say() {
    let (log, disk) = (create(&Disk::new()), Disk::new());
    log.append(&["a"]).unwrap();
    assert!(matches!(open(&log, &disk, BranchOptions::new()), Err(OpenError::NotFound)));
    begin(&log, &disk).append(&["x"]).unwrap();
    let new = BranchOptions::new().create(Create::New);
    assert!(matches!(open(&log, &disk, new), Err(OpenError::AlreadyExists)));
    let again = BranchOptions::new().create(Create::IfMissing);
    assert_eq!(open(&log, &disk, again).unwrap().length(), 2);
    let over = BranchOptions::new().create(Create::Overwrite);
    assert_eq!(open(&log, &disk, over).unwrap().length(), 1);
}

#[test]
fn large_batches_of_a_branch_are_brought_back() {
    let (log, disk) = (create(&Disk::new()), Disk::new());
    log.append(&["a", "b", "c"]).unwrap();
    let branch = begin(&log, &disk);
    let many: Vec<Vec<u8>> = (0..2000).map(|index| block(index, 9)).collect();
    branch.append(&many).unwrap();
    let head = branch.head();
    drop(branch);
    // The oplog names no nodes of so large a batch.
    let branch = resume(&log, &disk);
    assert_eq!(branch.head(), head);
    assert_eq!(branch.recovery().entries_replayed, 2);
    assert_eq!(branch.get(&log, 1503).unwrap().unwrap(), block(1500, 9));
}

#[test]
fn the_tree_of_a_branch_that_was_spoiled_is_noticed() {
    let (log, disk) = (create(&Disk::new()), Disk::new());
    log.append(&["a", "b", "c"]).unwrap();
    let branch = begin(&log, &disk);
    branch.append(&["x", "y"]).unwrap();
    branch.close().unwrap();
    let tree = disk.file(FileName::Tree);
    use random_access_storage::RandomAccess as _;
    for index in [1_u64, 3, 8] {
        let mut node = [0; 40];
        let spoiled = disk.snapshot();
        if tree.read_at(index * 40, &mut node).is_err() || node == [0; 40] {
            continue;
        }
        node[20] ^= 1;
        spoiled.file(FileName::Tree).write_at(index * 40, &node).unwrap();
        assert!(
            matches!(open(&log, &spoiled, BranchOptions::new()), Err(OpenError::Corrupt(_))),
            "{index}"
        );
    }
}
