//! The wrappers pass on what they were given, and say what it was.

use std::io::IoSlice;

use random_access_storage::testing::{Call, Faults, FaultyDisk, Journal, OneByte, Recording};
use random_access_storage::{RandomAccess, SyncScope};

#[test]
fn calls_are_recorded_in_order_over_stores() {
    let journal = Journal::new();
    let disk = FaultyDisk::new(&Faults::none());
    let a = Recording::new("a", disk.clone(), &journal);
    let b = Recording::new("b", FaultyDisk::new(&Faults::none()), &journal);
    a.write_vectored_at(1, &[IoSlice::new(b"x"), IoSlice::new(b"yz")]).unwrap();
    b.sync(SyncScope::Data).unwrap();
    assert!(a.read_vec_at(2, 9).is_err());
    a.truncate(3).unwrap();
    a.discard(0, 2).unwrap();
    let calls: Vec<_> = journal
        .take()
        .into_iter()
        .map(|entry| (entry.store, entry.call, entry.succeeded))
        .collect();
    assert_eq!(
        calls,
        [
            ("a", Call::Write { offset: 1, data: b"xyz".to_vec() }, true),
            ("b", Call::Sync(SyncScope::Data), true),
            ("a", Call::Read { offset: 2, len: 9 }, false),
            ("a", Call::Truncate { len: 3 }, true),
            ("a", Call::Discard { offset: 0, len: 2 }, true),
        ]
    );
    assert!(journal.entries().is_empty());
    assert_eq!(disk.read_vec_at(0, 3).unwrap(), b"\0\0y");
}

#[test]
fn one_byte_makes_one_call_a_byte() {
    let journal = Journal::new();
    let disk = FaultyDisk::new(&Faults::none());
    let store = OneByte::new(Recording::new("disk", disk, &journal));
    store.write_vectored_at(5, &[IoSlice::new(b"ab"), IoSlice::new(b"c")]).unwrap();
    assert_eq!(store.read_vec_at(5, 2).unwrap(), b"ab");
    let sizes: Vec<usize> = journal
        .entries()
        .into_iter()
        .map(|entry| match entry.call {
            Call::Write { data, .. } => data.len(),
            Call::Read { len, .. } => len as usize,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(sizes, [1; 5]);
}
