//! Every call to a store fails once, in each way a disk can: the error is typed, the log is poisoned or
//! unchanged, what was acknowledged is there after reopening, and the log goes on from there.

mod support;

use std::collections::BTreeMap;

use hypercore_log::{Create, FileName, Log, LogError, OpenError, OpenOptions, Stores};
use random_access_storage::RandomAccess;
use random_access_storage::testing::{Fault, Faults, FaultyDisk, OneByte};
use support::{FILES, assert_sound, block, key_pair};

const FAULTS: [Fault; 6] = [
    Fault::Io,
    Fault::StorageFull,
    Fault::ShortRead,
    Fault::ShortWrite { kept: 7 },
    Fault::SyncKeeps,
    Fault::SyncLoses,
];

struct Disk(BTreeMap<FileName, FaultyDisk>);

impl Disk {
    fn new(faults: &Faults) -> Self {
        Self(FILES.into_iter().map(|name| (name, FaultyDisk::new(faults))).collect())
    }

    fn stores(&self, wrap: impl Fn(FaultyDisk) -> Box<dyn RandomAccess>) -> Stores {
        let store = |name| wrap(self.0[&name].clone());
        Stores {
            oplog: store(FileName::Oplog),
            header: store(FileName::Header),
            tree: store(FileName::Tree),
            bitfield: store(FileName::Bitfield),
            data: store(FileName::Data),
        }
    }

    fn open(&self, options: OpenOptions) -> Result<Log, OpenError> {
        Log::open(self.stores(|disk| Box::new(disk)), options)
    }
}

/// What was acknowledged; the log may have gone further when a call failed.
#[derive(Clone, Default)]
struct Acknowledged {
    created: bool,
    fork: u64,
    blocks: Vec<Option<Vec<u8>>>,
}

fn workload(disk: &Disk, done: &mut Acknowledged) -> Result<(), Box<dyn std::error::Error>> {
    let log = disk.open(OpenOptions::new().create(Create::New).key_pair(key_pair()))?;
    done.created = true;
    let append = |log: &Log, done: &mut Acknowledged, count: u64| {
        let from = done.blocks.len() as u64 + done.fork * 100;
        let blocks: Vec<Vec<u8>> = (from..from + count).map(|n| block(n, 40)).collect();
        let result = log.append(&blocks).map(|_| ());
        if result.is_ok() {
            done.blocks.extend(blocks.into_iter().map(Some));
        } else if !matches!(result, Err(LogError::Poisoned)) {
            // A poisoned log stays so.
            assert!(matches!(log.append(&[b"x"]), Err(LogError::Poisoned)));
        }
        result
    };
    append(&log, done, 2)?;
    append(&log, done, 3)?;
    log.set_user_data("who", Some(b"me"))?;
    log.clear(1..2)?;
    done.blocks[1] = None;
    append(&log, done, 270)?;
    log.checkpoint()?;
    append(&log, done, 1)?;
    log.truncate(4, None)?;
    done.blocks.truncate(4);
    done.fork = 1;
    append(&log, done, 2)?;
    drop(log);
    let log = disk.open(OpenOptions::new())?;
    append(&log, done, 1)?;
    log.close()?;
    Ok(())
}

/// The state before or after the operation that failed, and nothing else.
fn check(disk: &Disk, done: &Acknowledged, message: &str) {
    let log = match disk.open(OpenOptions::new()) {
        Ok(log) => log,
        Err(OpenError::NotFound) if !done.created => return,
        Err(error) => panic!("{message}: {error}"),
    };
    let ahead = log.fork() > done.fork;
    if !ahead {
        assert!(log.length() >= done.blocks.len() as u64, "{message}: acknowledged blocks");
    }
    for (index, wanted) in (0..log.length()).zip(&done.blocks) {
        let got = log.get(index).unwrap_or_else(|error| panic!("{message}: {index}: {error}"));
        // A clear that failed may have been done.
        assert!(got == *wanted || (index == 1 && got.is_none()), "{message}: block {index}");
    }
    assert_sound(&log);
    log.append(&[b"goes on"]).unwrap_or_else(|error| panic!("{message}: {error}"));
    let length = log.length();
    drop(log);
    let log = disk.open(OpenOptions::new()).unwrap();
    assert_eq!(log.length(), length, "{message}");
    assert_eq!(log.get(length - 1).unwrap().unwrap(), b"goes on", "{message}");
    assert_sound(&log);
}

#[test]
fn each_call_may_fail_once_in_each_way() {
    let mut states = 0;
    for fault in FAULTS {
        for nth in 1.. {
            let faults = Faults::fail(nth, fault);
            let disk = Disk::new(&faults);
            let mut done = Acknowledged::default();
            let result = workload(&disk, &mut done);
            if !faults.fired() {
                assert!(result.is_ok(), "{result:?}");
                break;
            }
            let message = format!("{fault:?} at call {nth} ({result:?})");
            faults.clear();
            check(&disk, &done, &message);
            states += 1;
        }
    }
    println!("{states} failed calls");
    assert!(states > 180, "{states}");
}

#[test]
fn a_disk_that_stays_full_keeps_what_was_acknowledged() {
    for nth in 1.. {
        let faults = Faults::fail_from(nth, Fault::StorageFull);
        let disk = Disk::new(&faults);
        let mut done = Acknowledged::default();
        let result = workload(&disk, &mut done);
        if !faults.fired() {
            assert!(nth > 20, "{nth}");
            break;
        }
        assert!(result.is_err());
        faults.clear();
        check(&disk, &done, &format!("full from write {nth}"));
    }
}

#[test]
fn a_store_that_moves_one_byte_a_call_is_as_good() {
    let disk = Disk::new(&Faults::none());
    let wrap = |disk| -> Box<dyn RandomAccess> { Box::new(OneByte::new(disk)) };
    let options = OpenOptions::new().create(Create::New).key_pair(key_pair());
    let log = Log::open(disk.stores(wrap), options).unwrap();
    let blocks: Vec<Vec<u8>> = (0..300).map(|index| block(index, 9)).collect();
    log.append(&blocks).unwrap();
    log.truncate(280, None).unwrap();
    log.clear(3..9).unwrap();
    drop(log);
    let log = Log::open(disk.stores(wrap), OpenOptions::new()).unwrap();
    assert_eq!(log.stored_count(0..280), 274);
    assert_eq!(log.get(279).unwrap().unwrap(), blocks[279]);
    assert_sound(&log);
}

#[test]
fn a_full_disk_gets_back_what_of_a_batch_did_arrive() {
    // Enough blocks for nodes to be written at once: to data, to the tree, to the oplog.
    let batch = vec![[1; 50]; 300];
    for nth in 1..=3 {
        let faults = Faults::none();
        let disk = Disk::new(&faults);
        let log = disk.open(OpenOptions::new().create(Create::New).key_pair(key_pair())).unwrap();
        log.append(&[b"kept"]).unwrap();
        faults.set(nth, Fault::ShortWrite { kept: 20 });
        log.append(&batch).unwrap_err();
        assert!(faults.fired());
        assert_eq!(disk.0[&FileName::Data].len().unwrap(), 4, "write {nth}");
    }
}
