//! Files that no log writes, found by fuzzing: a log that opens from them must keep what is appended to it.

mod support;

use hypercore_log::{FileName, Log, OpenOptions};
use random_access_storage::RandomAccess;
use support::{Disk, key_pair};

fn create(disk: &Disk) -> Log {
    let options = OpenOptions::new().create(hypercore_log::Create::IfMissing).key_pair(key_pair());
    Log::open(disk.stores(), options).unwrap()
}

fn open(disk: &Disk) -> Log {
    Log::open(disk.stores(), OpenOptions::new()).unwrap()
}

/// Opens the log, appends to it, and opens it again.
fn append_and_reopen(disk: &Disk) -> Log {
    let log = open(disk);
    log.append(&[b"one more"]).unwrap();
    let head = log.head();
    drop(log);
    let log = open(disk);
    assert_eq!(log.head(), head);
    assert_eq!(log.get(head.length - 1).unwrap().as_deref(), Some(&b"one more"[..]));
    log
}

/// The second one would cut the log where the batch began, and with it the nodes that only the tree store has.
#[test]
fn the_entry_of_a_large_batch_stands_there_twice() {
    let disk = Disk::new();
    let log = create(&disk);
    log.append(&[b"before"; 13]).unwrap();
    log.checkpoint().unwrap();
    log.append(&[b"many"; 300]).unwrap();
    drop(log);
    let oplog = disk.bytes(FileName::Oplog);
    disk.file(FileName::Oplog).write_at(oplog.len() as u64, &oplog[8192..]).unwrap();
    let log = append_and_reopen(&disk);
    assert_eq!(log.length(), 314);
    assert!(log.audit(&mut |_| ()).unwrap().is_ok());
}

/// The entry is kept although its block is gone, for others are gone too; that must not be judged anew when
/// the file has grown again.
#[test]
fn the_data_file_was_cut() {
    let disk = Disk::new();
    let log = create(&disk);
    log.append(&[b"0123456789"; 10]).unwrap();
    log.checkpoint().unwrap();
    log.append(&[b"in the tail"]).unwrap();
    drop(log);
    disk.file(FileName::Data).truncate(45).unwrap();
    let log = append_and_reopen(&disk);
    assert_eq!(log.length(), 12);
    assert!(log.get(10).is_err());
    assert_eq!(log.audit(&mut |_| ()).unwrap().findings.len(), 7);
}
