//! The disk model fails as planned, and keeps durable and volatile content apart.

use std::io::ErrorKind;

use random_access_storage::testing::{Fault, Faults, FaultyDisk};
use random_access_storage::{Error, Operation, RandomAccess, SyncScope};

fn content(disk: &FaultyDisk) -> Vec<u8> {
    let len = disk.len().unwrap();
    disk.read_vec_at(0, len as usize).unwrap()
}

#[test]
fn a_power_cut_leaves_what_was_synced() {
    let disk = FaultyDisk::new(&Faults::none());
    disk.write_at(0, b"synced").unwrap();
    disk.sync(SyncScope::Data).unwrap();
    disk.write_at(0, b"LATER and longer").unwrap();
    assert_eq!(content(&disk.after_power_cut()), b"synced");
    assert_eq!(content(&disk), b"LATER and longer");
    disk.truncate(2).unwrap();
    disk.power_cut();
    assert_eq!(content(&disk), b"synced");
}

#[test]
fn the_nth_fitting_call_fails_once() {
    let faults = Faults::fail(2, Fault::StorageFull);
    let disk = FaultyDisk::new(&faults);
    disk.write_at(0, b"a").unwrap();
    disk.read_vec_at(0, 1).unwrap();
    disk.sync(SyncScope::All).unwrap();
    assert!(!faults.fired());
    let error = disk.write_at(1, b"bc").unwrap_err();
    assert!(error.is_storage_full(), "{error:?}");
    assert!(matches!(error, Error::Io { operation: Operation::Write, offset: 1, len: 2, .. }));
    assert!(faults.fired());
    assert_eq!(content(&disk), b"a");
    disk.write_at(1, b"bc").unwrap();
    assert_eq!(content(&disk), b"abc");
}

#[test]
fn a_lasting_fault_lasts_and_can_be_cleared() {
    let faults = Faults::fail_from(1, Fault::Io);
    let disk = FaultyDisk::new(&faults);
    for _ in 0..3 {
        assert!(matches!(disk.len(), Err(Error::Io { operation: Operation::Stat, .. })));
        assert!(matches!(disk.discard(0, 1), Err(Error::Io { .. })));
        assert!(matches!(disk.truncate(1), Err(Error::Io { .. })));
    }
    faults.clear();
    disk.write_at(0, b"x").unwrap();
}

#[test]
fn faults_are_counted_over_the_group() {
    let faults = Faults::fail(3, Fault::Io);
    let (one, two) = (FaultyDisk::new(&faults), FaultyDisk::new(&faults));
    one.write_at(0, b"1").unwrap();
    two.write_at(0, b"2").unwrap();
    assert!(one.write_at(0, b"3").is_err());
}

#[test]
fn a_short_read_says_so() {
    let faults = Faults::none();
    let disk = FaultyDisk::new(&faults);
    disk.write_at(0, b"abcdef").unwrap();
    faults.set(1, Fault::ShortRead);
    let mut buffer = *b"......";
    let error = disk.read_at(0, &mut buffer).unwrap_err();
    assert!(
        matches!(&error, Error::Io { source, .. } if source.kind() == ErrorKind::UnexpectedEof)
    );
    assert_eq!(&buffer, b"abc...");
}

#[test]
fn a_short_write_keeps_a_prefix() {
    let disk = FaultyDisk::new(&Faults::fail(1, Fault::ShortWrite { kept: 2 }));
    assert!(disk.write_at(3, b"abcdef").unwrap_err().is_storage_full());
    assert_eq!(content(&disk), b"\0\0\0ab");
}

#[test]
fn a_failed_sync_keeps_or_loses_what_was_written() {
    for (fault, after) in [(Fault::SyncKeeps, b"newer"), (Fault::SyncLoses, b"old\0\0")] {
        let faults = Faults::none();
        let disk = FaultyDisk::new(&faults);
        disk.write_at(0, b"old").unwrap();
        disk.sync(SyncScope::All).unwrap();
        disk.write_at(0, b"newer").unwrap();
        faults.set(1, fault);
        assert!(matches!(
            disk.sync(SyncScope::Data),
            Err(Error::Io { operation: Operation::Sync, .. })
        ));
        assert_eq!(content(&disk), after, "{fault:?}");
        assert_eq!(content(&disk.after_power_cut()), b"old");
        // The next sync succeeds, with whatever there is.
        disk.sync(SyncScope::Data).unwrap();
        assert_eq!(content(&disk.after_power_cut()), after, "{fault:?}");
    }
}

#[test]
fn what_lingers_after_a_failed_sync_is_synced_only_when_written_again() {
    let faults = Faults::none();
    let disk = FaultyDisk::new(&faults);
    disk.write_at(0, b"old").unwrap();
    disk.sync(SyncScope::All).unwrap();
    disk.write_at(0, b"newer").unwrap();
    faults.set(1, Fault::SyncLingers);
    disk.sync(SyncScope::Data).unwrap_err();
    disk.sync(SyncScope::Data).unwrap();
    assert_eq!(content(&disk), b"newer");
    assert_eq!(content(&disk.after_power_cut()), b"old\0\0");
    disk.write_at(0, b"n").unwrap();
    disk.sync(SyncScope::Data).unwrap();
    assert_eq!(content(&disk.after_power_cut()), b"newer", "a whole sector goes to the medium");
}
