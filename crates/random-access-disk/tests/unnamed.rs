//! Files without a name, and folders that are taken away.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use random_access_disk::{RandomAccessDisk, folders_in, remove_empty_folder, remove_folder};
use random_access_storage::testing::conformance;
use random_access_storage::{RandomAccess, SyncScope};

fn entries(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

fn store_in(folder: &Path) -> RandomAccessDisk {
    let store = RandomAccessDisk::open(folder.join("data")).unwrap();
    store.write_at(0, b"x").unwrap();
    store
}

#[test]
fn a_store_without_a_name_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let made = AtomicU64::new(0);
    conformance(|| {
        made.fetch_add(1, Ordering::Relaxed);
        RandomAccessDisk::anonymous(folder.path()).unwrap()
    });
    assert!(made.into_inner() > 1);
    assert_eq!(entries(folder.path()), 0);
}

#[test]
fn a_store_without_a_name_is_seen_by_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let store = RandomAccessDisk::anonymous(folder.path()).unwrap();
    let other = RandomAccessDisk::anonymous(folder.path()).unwrap();
    assert_eq!(store.stored_len().unwrap(), 0);
    store.write_at(5, b"mine").unwrap();
    store.sync(SyncScope::All).unwrap();
    assert_eq!(store.read_vec_at(5, 4).unwrap(), b"mine");
    assert_eq!(other.len().unwrap(), 0);
    assert_eq!(entries(folder.path()), 0);
}

#[test]
fn a_store_without_a_name_needs_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let store = RandomAccessDisk::anonymous(folder.path().join("missing")).unwrap();
    assert!(store.write_at(0, b"x").is_err());
    assert_eq!(entries(folder.path()), 0);
}

#[test]
fn a_folder_is_removed_with_what_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    let store = store_in(&one.join("below"));
    drop(store_in(&two));
    assert!(remove_folder(&one).unwrap());
    assert!(!remove_folder(&one).unwrap());
    assert_eq!(store.read_vec_at(0, 1).unwrap(), b"x");
    assert_eq!(folders_in(folder.path()).unwrap(), ["two"]);
    assert_eq!(entries(folder.path()), 1);
    assert_eq!(folders_in(&one).unwrap(), [""; 0]);
    assert!(!remove_empty_folder(&one).unwrap());
    assert!(!remove_empty_folder(folder.path()).unwrap());
    assert!(remove_folder(&two).unwrap());
    assert!(remove_empty_folder(folder.path()).unwrap());
    assert!(!folder.path().exists());
}

#[test]
fn a_removal_that_was_cut_short_is_finished_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let one = folder.path().join("one");
    drop(store_in(&folder.path().join("one.removed")));
    assert_eq!(folders_in(folder.path()).unwrap(), [""; 0]);
    drop(store_in(&one));
    assert!(remove_folder(&one).unwrap());
    assert_eq!(entries(folder.path()), 0);
}
