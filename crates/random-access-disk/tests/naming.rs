//! Files that get their name when they are complete.

use std::fs;

use random_access_disk::{Lock, RandomAccessDisk, is_vacant, name_file, remove_draft};
use random_access_storage::{Error, RandomAccess as _, SyncScope};

#[test]
fn a_folder_is_vacant_until_something_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    assert!(is_vacant(&inner).unwrap());
    fs::create_dir(&inner).unwrap();
    assert!(is_vacant(&inner).unwrap());
    fs::write(inner.join(".hidden"), "").unwrap();
    assert!(!is_vacant(&inner).unwrap());
    assert!(matches!(is_vacant(inner.join(".hidden")), Err(Error::Io { .. })));
}

#[test]
fn a_file_gets_its_name_and_keeps_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (draft, whole) = (folder.path().join("draft"), folder.path().join("whole"));
    let store = RandomAccessDisk::builder(&draft).lock(Lock::Exclusive).open().unwrap();
    store.write_at(0, b"all of it").unwrap();
    store.sync(SyncScope::All).unwrap();
    name_file(&draft, &whole).unwrap();
    assert_eq!(fs::read(&whole).unwrap(), b"all of it");
    assert!(!draft.exists());
    // The lock is on the file, whatever it is called.
    let other = RandomAccessDisk::builder(&whole).lock(Lock::Shared).open();
    assert!(matches!(other, Err(Error::Locked)));
    store.write_at(0, b"ALL").unwrap();
    assert_eq!(fs::read(&whole).unwrap(), b"ALL of it");
}

#[test]
fn a_name_that_is_taken_stays_what_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let (draft, taken) = (folder.path().join("draft"), folder.path().join("taken"));
    fs::write(&draft, "new").unwrap();
    fs::write(&taken, "old").unwrap();
    assert!(matches!(name_file(&draft, &taken), Err(Error::Io { .. })));
    assert_eq!(fs::read(&taken).unwrap(), b"old");
    assert_eq!(fs::read(&draft).unwrap(), b"new");
    assert!(matches!(name_file(folder.path().join("none"), &taken), Err(Error::Io { .. })));
}

#[test]
fn a_draft_is_taken_away() {
    let folder = tempfile::tempdir().unwrap();
    let draft = folder.path().join("draft");
    remove_draft(&draft).unwrap();
    fs::write(&draft, "half").unwrap();
    remove_draft(&draft).unwrap();
    assert!(is_vacant(folder.path()).unwrap());
    assert!(matches!(remove_draft(folder.path()), Err(Error::Io { .. })));
}
