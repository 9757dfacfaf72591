//! What opening makes, refuses and leaves alone.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use random_access_disk::{Access, Create, Lock, RandomAccessDisk};
use random_access_storage::{Error, Operation, RandomAccess, SyncScope};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn missing_folders_are_made_and_synced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a/b/c/data");
    let store = RandomAccessDisk::open(&path).unwrap();
    assert!(path.is_file());
    store.write_at(0, b"x").unwrap();
    store.sync(SyncScope::Data).unwrap();
    store.sync(SyncScope::All).unwrap();
    assert_eq!(store.path(), path);
}

#[test]
fn secrets_are_for_their_owner() {
    let directory = tempfile::tempdir().unwrap();
    for (name, create) in [("now", Create::Now), ("later", Create::OnFirstWrite)] {
        let path = directory.path().join(name);
        let store = RandomAccessDisk::builder(&path).secret(true).create(create).open().unwrap();
        store.write_at(0, b"secret").unwrap();
        assert_eq!(mode(&path), 0o600);
    }
    // What exists keeps the mode its owner gave it.
    let path = directory.path().join("now");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    drop(RandomAccessDisk::builder(&path).secret(true).open().unwrap());
    assert_eq!(mode(&path), 0o640);
}

#[test]
fn what_must_exist_is_not_made() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("folder/data");
    for access in [Access::ReadWrite, Access::ReadOnly] {
        let opened = RandomAccessDisk::builder(&path).access(access).create(Create::Never).open();
        assert!(matches!(opened, Err(Error::NotFound)));
    }
    assert!(!path.parent().unwrap().exists());
}

#[test]
fn reading_makes_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("folder/data");
    let open = || RandomAccessDisk::builder(&path).access(Access::ReadOnly).open().unwrap();
    let reader = open();
    assert_eq!(reader.len().unwrap(), 0);
    assert!(matches!(
        reader.write_at(0, b"x"),
        Err(Error::ReadOnly { operation: Operation::Write })
    ));
    assert!(matches!(reader.truncate(5), Err(Error::ReadOnly { operation: Operation::Truncate })));
    assert!(matches!(reader.discard(0, 5), Err(Error::ReadOnly { operation: Operation::Discard })));
    reader.sync(SyncScope::All).unwrap();
    assert!(!path.parent().unwrap().exists());
    // Once another handle has made the file, it is seen.
    RandomAccessDisk::open(&path).unwrap().write_at(0, b"hello").unwrap();
    assert_eq!(reader.read_vec_at(0, 5).unwrap(), b"hello");
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    assert!(open().truncate(0).is_err());
    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), before);
    let exclusive =
        RandomAccessDisk::builder(&path).access(Access::ReadOnly).lock(Lock::Exclusive).open();
    assert!(matches!(exclusive, Err(Error::ReadOnly { operation: Operation::Lock })));
}

#[test]
fn the_first_write_makes_the_file_and_nothing_before_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("folder/data");
    let store = RandomAccessDisk::builder(&path).create(Create::OnFirstWrite).open().unwrap();
    assert_eq!(store.len().unwrap(), 0);
    assert!(matches!(
        store.read_vec_at(0, 1),
        Err(Error::OutOfBounds { offset: 0, len: 1, end: 0 })
    ));
    store.write_at(7, b"").unwrap();
    store.discard(0, 100).unwrap();
    store.truncate(0).unwrap();
    store.sync(SyncScope::Data).unwrap();
    assert_eq!(store.stored_len().unwrap(), 0);
    assert!(!path.parent().unwrap().exists());
    store.write_at(0, b"x").unwrap();
    assert!(path.is_file());
}

#[test]
fn concurrent_first_writers_make_one_file() {
    for _ in 0..20 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b/data");
        let open = || RandomAccessDisk::builder(&path).create(Create::OnFirstWrite).open().unwrap();
        let (one, two) = (open(), open());
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let store = if thread % 2 == 0 { &one } else { &two };
                scope.spawn(move || store.write_at(thread * 10, &[thread as u8 + 1; 10]).unwrap());
            }
        });
        let expected: Vec<u8> = (1..=8).flat_map(|byte| [byte; 10]).collect();
        assert_eq!(one.read_vec_at(0, 80).unwrap(), expected);
        assert_eq!(two.read_vec_at(0, 80).unwrap(), expected);
    }
}

#[test]
fn the_length_is_that_of_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data");
    let (one, two) =
        (RandomAccessDisk::open(&path).unwrap(), RandomAccessDisk::open(&path).unwrap());
    one.write_at(0, &[1; 100_000]).unwrap();
    assert_eq!(two.len().unwrap(), 100_000);
    two.truncate(10).unwrap();
    // The missing part must not read as zeros.
    let read = one.read_at(5, &mut [0; 10]);
    assert!(matches!(read, Err(Error::OutOfBounds { offset: 5, len: 10, end: 10 })));
    let read = one.read_vec_at(5, 90_000);
    assert!(matches!(read, Err(Error::OutOfBounds { offset: 5, len: 90_000, end: 10 })));
}

#[test]
fn what_is_not_a_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let link = directory.path().join("link");
    symlink(directory.path().join("nowhere"), &link).unwrap();
    let device = Path::new("/dev/null");
    let file = directory.path().join("file");
    fs::write(&file, b"x").unwrap();
    for path in [directory.path(), &link, device, &file.join("below")] {
        let opened = RandomAccessDisk::open(path);
        assert!(
            matches!(opened, Err(Error::Io { operation: Operation::Open, .. })),
            "{}: {opened:?}",
            path.display()
        );
    }
    for path in [directory.path(), &link] {
        let reader = RandomAccessDisk::builder(path).access(Access::ReadOnly).open();
        assert!(matches!(reader, Err(Error::Io { operation: Operation::Open, .. })));
        let later = RandomAccessDisk::builder(path).create(Create::OnFirstWrite).open();
        assert!(matches!(later, Err(Error::Io { operation: Operation::Open, .. })));
    }
}

#[test]
fn a_relative_path_is_found_from_where_it_was_opened() {
    let store = RandomAccessDisk::builder("some-file-that-is-not-there")
        .create(Create::OnFirstWrite)
        .open()
        .unwrap();
    assert!(store.path().is_absolute());
    assert!(store.is_empty().unwrap());
}
