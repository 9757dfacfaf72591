//! Space is taken only where something was written, and given back.

use random_access_disk::RandomAccessDisk;
use random_access_storage::RandomAccess;

/// The most that bookkeeping may add, in bytes: a block of addresses or two.
const SLACK: u64 = 3 * 4096;

#[test]
fn only_touched_blocks_are_stored() {
    let directory = tempfile::tempdir().unwrap();
    let store = RandomAccessDisk::open(directory.path().join("data")).unwrap();
    store.write_at(0, &[1; 10]).unwrap();
    store.write_at(9877, &[2; 1123]).unwrap();
    let near = store.stored_len().unwrap();
    assert!(near <= 2 * 4096 + SLACK, "{near} bytes stored");
    store.write_at(1 << 40, &[3; 10]).unwrap();
    assert_eq!(store.len().unwrap(), (1 << 40) + 10);
    let far = store.stored_len().unwrap();
    assert!(far <= 3 * 4096 + SLACK, "{far} bytes stored");
}

#[test]
fn discarding_gives_blocks_back() {
    let directory = tempfile::tempdir().unwrap();
    let store = RandomAccessDisk::open(directory.path().join("data")).unwrap();
    let len = 4 << 20;
    store.write_at(0, &vec![7; len]).unwrap();
    let full = store.stored_len().unwrap();
    assert!(full >= len as u64);
    store.discard(100, (len - 200) as u64).unwrap();
    let left = store.stored_len().unwrap();
    assert!(left <= 2 * 4096 + SLACK, "{left} bytes stored of {full}");
    assert_eq!(store.len().unwrap(), len as u64);
    assert_eq!(store.read_vec_at(0, 102).unwrap()[98..], [7, 7, 0, 0]);
}
