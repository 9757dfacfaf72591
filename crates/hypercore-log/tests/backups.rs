//! Backups: what they hold, what they refuse until somebody confirms them, and what the log does meanwhile.

mod support;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use bytes::Bytes;
use hypercore_log::{
    AppendOptions, Create, Durability, FileName, Log, LogError, OpenOptions, Stores,
    TruncateOptions,
};
use hypercore_merkle::{Request, UpgradeRequest};
use random_access_memory::RandomAccessMemory;
use random_access_storage::testing::{Fault, Faults, FaultyDisk};
use random_access_storage::{RandomAccess, Result, SyncScope};
use support::{Disk, FILES, assert_sound, block, blocks, create, key_pair, reopen, stores_on};

fn filled(count: u64) -> (Disk, Log) {
    let disk = Disk::new();
    let log = create(&disk);
    let all: Vec<Vec<u8>> = (0..count).map(|index| block(index, 50)).collect();
    log.append(&all).unwrap();
    (disk, log)
}

fn backup(log: &Log) -> Disk {
    let target = Disk::new();
    log.backup(target.stores()).unwrap();
    target
}

#[test]
fn a_backup_holds_what_the_log_holds() {
    let (_, log) = filled(70);
    log.set_user_data("key", Some(b"value")).unwrap();
    log.clear(3..9).unwrap();
    log.truncate(60, None).unwrap();
    let target = Disk::new();
    let report = log.backup(target.stores()).unwrap();
    assert_eq!(report.head, log.head());
    assert_eq!((report.blocks, report.blocks_damaged), (54, 0));
    let copy = reopen(&target);
    assert_eq!(copy.recovery(), reopen(&target.snapshot()).recovery());
    assert!(!copy.recovery().lost_something() && copy.recovery().entries_replayed == 0);
    assert_eq!(
        (copy.key(), copy.head(), copy.signature()),
        (log.key(), log.head(), log.signature())
    );
    assert_eq!((blocks(&copy), copy.signer()), (blocks(&log), log.signer()));
    assert_eq!(copy.user_data_entries(), log.user_data_entries());
    assert_sound(&copy);
    assert_eq!(report.bytes, copy.storage_info().unwrap().total());
    // An empty log has one as well.
    let empty = reopen(&backup(&create(&Disk::new())));
    assert_eq!(empty.length(), 0);
    assert!(empty.needs_confirmation());
}

#[test]
fn a_backup_signs_nothing_before_it_is_confirmed() {
    let (_, log) = filled(5);
    let target = backup(&log);
    let copy = reopen(&target);
    let refuses = |copy: &Log| {
        assert!(copy.needs_confirmation() && copy.is_writable());
        let by = AppendOptions::new().key_pair(key_pair());
        let all = [
            copy.append(&["x"]).map(drop),
            copy.append_with(|_| vec![vec![1]]).map(drop),
            copy.append_with_options(&["x"], &by).map(drop),
            copy.prepare_append(vec![Bytes::from("x")], &AppendOptions::new()).map(drop),
            copy.truncate(2, None).map(drop),
            copy.truncate_with(2, None, &TruncateOptions::new().key_pair(key_pair())).map(drop),
            copy.prepare_truncate(2, None).map(drop),
        ];
        for refused in all {
            assert!(matches!(refused, Err(LogError::MaybeNotNewest)), "{refused:?}");
        }
        assert_eq!(copy.length(), 5);
    };
    refuses(&copy);
    // What nobody else sees can be changed.
    copy.clear(0..1).unwrap();
    copy.set_user_data("key", Some(b"value")).unwrap();
    copy.compact().unwrap();
    drop(copy);
    refuses(&reopen(&target));
    // A backup of a backup is one.
    refuses(&reopen(&backup(&reopen(&target))));

    let copy = reopen(&target);
    copy.confirm_newest().unwrap();
    copy.append(&["x"]).unwrap();
    drop(copy);
    let copy = reopen(&target);
    assert!(!copy.needs_confirmation());
    copy.truncate(2, None).unwrap();
    assert_sound(&copy);
    // The log itself is none.
    assert!(!log.needs_confirmation());
    log.append(&["x"]).unwrap();
}

#[test]
fn a_backup_catches_up_with_those_who_have_more() {
    let (_, log) = filled(5);
    let target = backup(&log);
    log.append(&["six", "seven"]).unwrap();
    let copy = reopen(&target);
    let upgrade = Some(UpgradeRequest { start: 5, length: 2 });
    let proof = log.create_proof(&Request { upgrade, ..Request::default() }).unwrap().unwrap();
    copy.apply_proof(&proof).unwrap();
    assert_eq!(copy.head(), log.head());
    assert!(copy.needs_confirmation());
    copy.confirm_newest().unwrap();
    copy.append(&["eight"]).unwrap();
    assert_eq!(copy.length(), 8);
}

/// A store that tells when it is written to, and waits until it may.
#[derive(Debug)]
struct Gate {
    store: RandomAccessMemory,
    told: mpsc::SyncSender<()>,
    go: Mutex<mpsc::Receiver<()>>,
}

impl RandomAccess for Gate {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.store.read_at(offset, buffer)
    }
    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        if self.told.send(()).is_ok() {
            // Told to go once, or that nobody waits any more.
            let _ = self.go.lock().unwrap().recv();
        }
        self.store.write_at(offset, data)
    }
    fn discard(&self, offset: u64, len: u64) -> Result<()> {
        self.store.discard(offset, len)
    }
    fn truncate(&self, len: u64) -> Result<()> {
        self.store.truncate(len)
    }
    fn len(&self) -> Result<u64> {
        self.store.len()
    }
    fn sync(&self, scope: SyncScope) -> Result<()> {
        self.store.sync(scope)
    }
}

#[test]
fn the_log_goes_on_while_it_is_copied() {
    let (_, log) = filled(50);
    let (told, was_told) = mpsc::sync_channel(0);
    let (go, may_go) = mpsc::channel();
    let disk = Disk::new();
    let gate = Gate { store: disk.file(FileName::Data).clone(), told, go: Mutex::new(may_go) };
    let stores = Stores { data: Box::new(gate), ..disk.stores() };
    std::thread::scope(|scope| {
        let copying = scope.spawn(|| log.backup(stores));
        was_told.recv().unwrap();
        // In the middle of it.
        log.append(&["more"]).unwrap();
        log.clear(0..2).unwrap();
        log.truncate(20, None).unwrap();
        log.append(&["and more"]).unwrap();
        drop((go, was_told));
        let report = copying.join().unwrap().unwrap();
        assert_eq!(report.head, log.head());
    });
    assert_eq!(blocks(&reopen(&disk)), blocks(&log));
    assert_sound(&reopen(&disk));
}

#[test]
fn backups_taken_beside_a_busy_writer_are_heads_it_had() {
    let (_, log) = filled(2000);
    let done = AtomicBool::new(false);
    let (heads, copies) = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut heads = vec![log.head()];
            let mut round = 0;
            while !done.load(Ordering::Relaxed) {
                round += 1;
                match round % 7 {
                    0 => drop(log.truncate(log.length() * 3 / 4, None).unwrap()),
                    3 => drop(log.clear(round % 900..round % 1000).unwrap()),
                    _ => drop(log.append(&vec![block(round, 60); 40]).unwrap()),
                }
                heads.push(log.head());
            }
            heads
        });
        let copies: Vec<Disk> = (0..8).map(|_| backup(&log)).collect();
        done.store(true, Ordering::Relaxed);
        (writer.join().unwrap(), copies)
    });
    for copy in copies {
        let copy = reopen(&copy);
        assert!(heads.contains(&copy.head()), "{:?}", copy.head());
        assert_sound(&copy);
    }
}

#[test]
fn a_damaged_block_is_left_out_and_can_be_fetched() {
    let (disk, log) = filled(5000);
    disk.file(FileName::Data).write_at(50 * 4321 + 7, &[0xff]).unwrap();
    disk.file(FileName::Data).write_at(50 * 77 + 7, &[0xff]).unwrap();
    let target = Disk::new();
    let report = log.backup(target.stores()).unwrap();
    assert_eq!((report.blocks, report.blocks_damaged), (4998, 2));
    let copy = reopen(&target);
    let missing: Vec<u64> = (0..5000).filter(|index| !copy.has(*index)).collect();
    assert_eq!(missing, [77, 4321]);
    assert!(copy.audit(&mut |_| {}).unwrap().is_ok());
    assert_eq!(copy.get(4322).unwrap(), log.get(4322).unwrap());
}

#[test]
fn a_backup_holds_only_what_the_log_can_not_lose() {
    let options = OpenOptions::new().create(Create::New).key_pair(key_pair());
    let options = options.durability(Durability::Eventual);
    let log = Log::open(Disk::new().stores(), options).unwrap();
    log.append(&["one", "two"]).unwrap();
    assert_eq!(log.durable_length(), 0);
    log.backup(Disk::new().stores()).unwrap();
    assert_eq!(log.durable_length(), 2);
}

#[test]
fn a_header_of_any_size_is_copied() {
    let (_, log) = filled(3);
    log.set_user_data("large", Some(&vec![5; 70_000])).unwrap();
    log.checkpoint().unwrap();
    let target = backup(&log);
    assert!(target.bytes(FileName::Header).len() >= 70_000);
    let copy = reopen(&target);
    assert_eq!(copy.user_data("large").unwrap().len(), 70_000);
    copy.confirm_newest().unwrap();
    copy.append(&["x"]).unwrap();
    copy.checkpoint().unwrap();
    drop(copy);
    assert_sound(&reopen(&target));
}

#[test]
fn only_empty_stores_take_a_backup() {
    let (_, log) = filled(3);
    for name in FILES {
        let target = Disk::new();
        target.file(name).write_at(0, &[0]).unwrap();
        let refused = log.backup(target.stores());
        assert!(
            matches!(&refused, Err(LogError::TargetNotEmpty { file }) if *file == name),
            "{refused:?}"
        );
    }
}

#[test]
fn a_log_that_lost_its_newest_header_has_no_backup() {
    let (disk, log) = filled(3);
    log.checkpoint().unwrap();
    log.append(&["x"]).unwrap();
    log.checkpoint().unwrap();
    drop(log);
    for slot in [0, 4096] {
        let copy = disk.snapshot();
        copy.file(FileName::Oplog).write_at(slot + 100, &[0xff]).unwrap();
        let log = reopen(&copy);
        if log.recovery().newer_header_lost {
            let refused = log.backup(Disk::new().stores());
            assert!(matches!(refused, Err(LogError::HeaderLost)), "{refused:?}");
            return;
        }
    }
    panic!("one of the two slots holds the newest header");
}

/// Each call on the stores of the copy failing: the log goes on, and what is there is no core, or a whole backup.
#[test]
fn a_backup_that_fails_is_none() {
    let (_, log) = filled(300);
    log.clear(10..20).unwrap();
    let mut failed = 0;
    for fault in [Fault::Io, Fault::StorageFull, Fault::ShortWrite { kept: 20 }, Fault::SyncLoses] {
        for nth in 1.. {
            let faults = Faults::fail(nth, fault);
            let disks = std::array::from_fn(|_| FaultyDisk::new(&faults));
            let done = log.backup(stores_on(&disks));
            assert_eq!(done.is_err(), faults.fired(), "{fault:?} {nth}: {done:?}");
            if !faults.fired() {
                break;
            }
            assert!(matches!(done, Err(LogError::Target(_))), "{fault:?} {nth}: {done:?}");
            failed += 1;
            for power_cut in [false, true] {
                if power_cut {
                    disks.iter().for_each(|disk| disk.power_cut());
                }
                faults.clear();
                let access = OpenOptions::new().access(hypercore_log::Access::ReadOnly);
                if let Ok(copy) = Log::open(stores_on(&disks), access) {
                    assert!(copy.needs_confirmation());
                    assert_eq!((copy.head(), blocks(&copy)), (log.head(), blocks(&log)));
                }
            }
            log.append(&["on"]).unwrap();
        }
    }
    assert!(failed > 40, "{failed}");
}

#[test]
fn a_reader_is_copied_too() {
    let (_, log) = filled(20);
    let disk = Disk::new();
    let reader = Log::open(disk.stores(), OpenOptions::new().create(Create::New).key(log.key()));
    let reader = reader.unwrap();
    let upgrade = Some(UpgradeRequest { start: 0, length: 20 });
    let request = Request { upgrade, manifest: true, ..Request::default() };
    reader.apply_proof(&log.create_proof(&request).unwrap().unwrap()).unwrap();
    let copy = reopen(&backup(&reader));
    assert_eq!((copy.head(), copy.signer()), (log.head(), None));
    assert_eq!(copy.contiguous_length(), 0);
    assert_sound(&copy);
}

#[test]
fn a_backup_that_lost_its_newest_header_is_taken_up_with_a_new_fork() {
    let (_, log) = filled(3);
    let target = backup(&log);
    let mut lost = 0;
    for slot in [0, 4096] {
        let copy = target.snapshot();
        let byte = copy.bytes(FileName::Oplog)[slot + 100];
        copy.file(FileName::Oplog).write_at(slot as u64 + 100, &[byte ^ 1]).unwrap();
        let log = reopen(&copy);
        assert!(matches!(log.truncate(2, None), Err(LogError::MaybeNotNewest)));
        log.confirm_newest().unwrap();
        if log.recovery().newer_header_lost {
            lost += 1;
            assert!(matches!(log.append(&[b"in the old fork"]), Err(LogError::HeaderLost)));
            assert!(matches!(log.check_signable(4, 0), Err(LogError::HeaderLost)));
            log.check_signable(4, 1).unwrap();
            // Nothing was written yet.
            assert!(reopen(&copy.snapshot()).needs_confirmation());
        }
        log.truncate(2, None).unwrap();
        drop(log);
        let log = reopen(&copy);
        assert!(!log.needs_confirmation());
        log.append(&[b"after"]).unwrap();
        assert_eq!((log.fork(), log.length()), (1, 3));
        assert_sound(&log);
    }
    assert!(lost > 0);
}

#[test]
fn nobody_signs_what_goes_on_from_a_backup() {
    let (_, log) = filled(3);
    log.check_signable(4, 0).unwrap();
    let copy = reopen(&backup(&log));
    // What it has was signed.
    assert!(copy.to_sign_at(&key_pair().public(), 3).is_ok());
    copy.check_signable(2, 0).unwrap();
    for (length, fork) in [(4, 0), (3, 1), (0, 1)] {
        let refused = copy.check_signable(length, fork);
        assert!(matches!(refused, Err(LogError::MaybeNotNewest)), "{length} {fork} {refused:?}");
    }
    copy.confirm_newest().unwrap();
    copy.check_signable(4, 0).unwrap();
}
