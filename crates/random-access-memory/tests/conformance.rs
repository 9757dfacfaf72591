//! The store does what every store does, and costs only what was touched.

use random_access_memory::RandomAccessMemory;
use random_access_storage::RandomAccess;
use random_access_storage::testing::{OneByte, conformance, conformance_large};

#[test]
fn conforms() {
    conformance(RandomAccessMemory::new);
    conformance_large(RandomAccessMemory::new);
}

#[test]
fn conforms_one_byte_at_a_time() {
    conformance(|| OneByte::new(RandomAccessMemory::new()));
}

#[test]
fn clones_share_the_content() {
    let store = RandomAccessMemory::new();
    let clone = store.clone();
    store.write_at(3, b"abc").unwrap();
    assert_eq!(clone.read_vec_at(0, 6).unwrap(), b"\0\0\0abc");
    clone.truncate(4).unwrap();
    assert_eq!(store.len().unwrap(), 4);
}

#[test]
fn only_touched_pages_are_stored() {
    let store = RandomAccessMemory::new();
    store.write_at(0, &[1; 10]).unwrap();
    store.write_at(9877, &[2; 1123]).unwrap();
    store.write_at(1 << 61, &[3; 10]).unwrap();
    assert_eq!(store.stored_len().unwrap(), 4 * 1024);
    store.discard(9000, 3000).unwrap();
    assert_eq!(store.stored_len().unwrap(), 2 * 1024);
    store.truncate(1 << 60).unwrap();
    assert_eq!(store.stored_len().unwrap(), 1024);
    assert_eq!(store.next_stored(0).unwrap(), Some(0..1024));
    assert_eq!(store.next_stored(1024).unwrap(), None);
    store.discard(0, u64::MAX).unwrap();
    assert_eq!(store.stored_len().unwrap(), 0);
}

#[test]
fn an_empty_range_reads_without_being_made() {
    let store = RandomAccessMemory::new();
    store.truncate(1 << 50).unwrap();
    assert_eq!(store.read_vec_at(1 << 40, 1000).unwrap(), [0; 1000]);
    assert_eq!(store.stored_len().unwrap(), 0);
}
