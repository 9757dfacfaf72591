//! Damage to what was written since the last checkpoint: what keeps a log from being written, and what does not.

mod support;

use hypercore_log::{Access, Create, FileName, Log, LogError, OpenOptions};
use hypercore_merkle::{BlockRequest, Request, UpgradeRequest};
use random_access_storage::testing::{Fault, Faults, FaultyDisk};
use random_access_storage::{RandomAccess as _, SyncScope};
use support::{Disk, assert_sound, block, create, reopen, stores_on};

fn look(disk: &Disk) -> Log {
    Log::open(disk.stores(), OpenOptions::new().access(Access::ReadOnly)).unwrap()
}

/// A log with a checkpoint and three entries, of which the last has more than a sector.
fn killed() -> Disk {
    let disk = Disk::new();
    let log = create(&disk);
    log.append(&[block(0, 30)]).unwrap();
    log.checkpoint().unwrap();
    log.append(&[block(1, 30)]).unwrap();
    log.append(&[block(2, 30)]).unwrap();
    let many: Vec<Vec<u8>> = (3..20).map(|index| block(index, 30)).collect();
    log.append(&many).unwrap();
    drop(log);
    disk
}

#[test]
fn one_bit_of_a_signed_entry_is_damage_and_nothing_is_signed_in_its_place() {
    let whole = killed();
    let len = whole.file(FileName::Oplog).len().unwrap();
    // In the checksum, the length, the flag, a node, the signature of the last entry; and in the first.
    let last = len - 700;
    for at in [8192 + 2, 8192 + 5, 8192 + 60, last, len - 40] {
        let disk = whole.snapshot();
        let byte = disk.bytes(FileName::Oplog)[at as usize];
        disk.file(FileName::Oplog).write_at(at, &[byte ^ 4]).unwrap();
        let length = if at < 9000 { 1 } else { 3 };
        assert!(look(&disk).recovery().entry_bit_flipped, "byte {at}");
        let before = support::FILES.map(|name| disk.bytes(name));
        let log = reopen(&disk);
        assert_eq!(log.length(), length, "byte {at}");
        assert!(matches!(log.append(&[b"other"]), Err(LogError::HeaderLost)));
        log.close().unwrap();
        assert!(before == support::FILES.map(|name| disk.bytes(name)), "nothing is cut");

        let log = reopen(&disk);
        log.truncate(length, Some(3)).unwrap();
        log.append(&[b"other"]).unwrap();
        drop(log);
        let log = reopen(&disk);
        assert_eq!((log.fork(), log.length()), (3, length + 1));
        assert!(!log.recovery().lost_something());
        assert_sound(&log);
    }
}

#[test]
fn a_torn_entry_is_cut_and_the_log_goes_on() {
    for start in [8704_u64, 9216] {
        let disk = killed();
        let len = disk.file(FileName::Oplog).len().unwrap();
        disk.file(FileName::Oplog).write_at(start, &vec![0; (len - start) as usize]).unwrap();
        let seen = look(&disk);
        let report = seen.recovery();
        assert!(report.torn_end && !report.lost_something(), "{report:?}");
        let log = reopen(&disk);
        let length = log.append(&[b"next"]).unwrap().length;
        drop(log);
        assert_eq!(reopen(&disk).length(), length);
        assert_sound(&reopen(&disk));
    }
}

/// The length of the first entry is another: what it says of its end leads nowhere.
#[test]
fn entries_behind_a_damaged_length_are_found() {
    let disk = killed();
    disk.file(FileName::Oplog).write_at(8192 + 4, &[0xfd, 0x17, 0x01]).unwrap();
    let log = look(&disk);
    let report = log.recovery();
    assert!(report.entry_damaged && !report.entry_bit_flipped, "{report:?}");
    assert_eq!(log.length(), 1);
}

#[test]
fn a_copy_that_lost_its_newest_header_goes_on() {
    let from = create(&Disk::new());
    from.append(&(0..9).map(|index| block(index, 20)).collect::<Vec<_>>()).unwrap();
    let disk = Disk::new();
    let options = OpenOptions::new().create(Create::New).key(from.key());
    let log = Log::open(disk.stores(), options).unwrap();
    let fetch = |log: &Log| {
        let upgrade = Some(UpgradeRequest { start: log.length(), length: 9 - log.length() });
        let block = Some(BlockRequest { index: 4, nodes: log.missing_nodes(4).unwrap() });
        let upgrade = upgrade.filter(|upgrade| upgrade.length > 0);
        let request = Request { upgrade, block, manifest: true, ..Request::default() };
        log.apply_proof(&from.create_proof(&request).unwrap().unwrap()).unwrap();
    };
    fetch(&log);
    log.close().unwrap();
    // The live slot, whichever it is: the other one knows of no block.
    let oplog = disk.bytes(FileName::Oplog);
    let slot = [0, 4096]
        .into_iter()
        .find(|slot| {
            let copy = disk.snapshot();
            copy.file(FileName::Oplog).write_at(*slot, b"rot").unwrap();
            Log::open(copy.stores(), OpenOptions::new().access(Access::ReadOnly))
                .is_ok_and(|log| log.length() == 0)
        })
        .unwrap();
    disk.file(FileName::Oplog).write_at(slot, &[!oplog[slot as usize]; 3]).unwrap();
    let log = reopen(&disk);
    assert!(log.recovery().newer_header_lost && log.length() == 0);
    fetch(&log);
    log.close().unwrap();
    let log = reopen(&disk);
    assert!(!log.recovery().lost_something(), "{:?}", log.recovery());
    assert_eq!(log.get(4).unwrap(), from.get(4).unwrap());
    assert!(log.audit(&mut |_| {}).unwrap().is_ok());
}

/// The log that is left where the truncation which settles a lost head fails at any call: of a kill, and of a power cut.
#[test]
fn a_lost_head_is_not_forgotten_before_the_new_fork_is_there() {
    let whole = killed();
    let len = whole.file(FileName::Oplog).len().unwrap();
    for at in [8192 + 2, len - 40] {
        let disk = whole.snapshot();
        let byte = disk.bytes(FileName::Oplog)[at as usize];
        disk.file(FileName::Oplog).write_at(at, &[byte ^ 4]).unwrap();
        for keep in [0, 1] {
            let mut nth = 1;
            let mut blocked = 0;
            loop {
                let faults = Faults::none();
                let files = support::FILES.map(|name| {
                    let file = FaultyDisk::new(&faults);
                    file.write_at(0, &disk.bytes(name)).unwrap();
                    file.sync(SyncScope::All).unwrap();
                    file
                });
                let log = Log::open(stores_on(&files), OpenOptions::new()).unwrap();
                let length = log.length() - keep;
                faults.set(nth, Fault::Io);
                let _ = log.truncate(length, Some(3));
                drop(log);
                faults.clear();
                let cut = files.each_ref().map(FaultyDisk::after_power_cut);
                for left in [cut, files] {
                    let log = Log::open(stores_on(&left), OpenOptions::new()).unwrap();
                    match log.append(&[b"other"]) {
                        Err(LogError::HeaderLost) => blocked += 1,
                        Ok(_) => assert_eq!(log.fork(), 3, "call {nth}, byte {at}"),
                        Err(error) => panic!("call {nth}, byte {at}: {error}"),
                    }
                }
                if !faults.fired() {
                    break;
                }
                nth += 1;
            }
            assert!(nth > 5 && blocked > 1, "{nth} calls, {blocked} blocked");
        }
    }
}

#[test]
fn a_truncation_that_leaves_a_lost_entry_behind_tells_how_much_of_the_history_stays() {
    let whole = killed();
    let at = whole.file(FileName::Oplog).len().unwrap() - 40;
    let byte = whole.bytes(FileName::Oplog)[at as usize];
    whole.file(FileName::Oplog).write_at(at, &[byte ^ 4]).unwrap();
    let log = reopen(&whole);
    assert_eq!(log.length(), 3);
    assert_eq!(log.truncate(1, None).unwrap().fork, 1);
    // It began the new fork with all three first.
    assert_eq!((log.kept_since(0), log.kept_since(1)), (Some(1), None));
    log.append(&[b"other"]).unwrap();
    drop(log);
    assert_sound(&reopen(&whole));
}
