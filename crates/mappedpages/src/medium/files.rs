//! Tests of files: making, replacing, opening, locks.

use std::fs;
use std::io;
use std::path::Path;

use super::{FileMedium, Medium as _, Space};
use crate::error::MappedPageError;

fn is_io<T: std::fmt::Debug>(result: Result<T, MappedPageError>, kind: io::ErrorKind) {
    match result {
        Err(MappedPageError::Io(error)) => assert_eq!(error.kind(), kind, "{error}"),
        other => panic!("not {kind:?}: {other:?}"),
    }
}

fn open(path: &Path) -> Result<FileMedium, MappedPageError> {
    FileMedium::open(path, Space::Reserved)
}

fn create(path: &Path, bytes: &[u8]) -> Result<FileMedium, MappedPageError> {
    FileMedium::create(path, Space::Reserved, |file| {
        file.grow(bytes.len() as u64)?;
        Ok(file.write_at(0, bytes)?)
    })
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_new_file_is_locked_and_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let made = create(&path, b"content").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"content");
    assert_eq!(names(folder.path()), ["file"]);
    assert!(matches!(open(&path), Err(MappedPageError::Locked)));
    drop(made);
    let opened = open(&path).unwrap();
    assert!(matches!(open(&path), Err(MappedPageError::Locked)));
    drop(opened);
    open(&path).unwrap();
}

/// Where files without a name are unknown.
#[test]
fn a_new_file_is_whole_also_where_it_has_another_name_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let made = FileMedium::create_from(None, &path, Space::Reserved, |file| {
        assert!(!path.exists());
        assert_eq!(names(folder.path()).len(), 1);
        Ok(file.grow(10)?)
    });
    let made = made.unwrap();
    assert_eq!(names(folder.path()), ["file"]);
    assert!(matches!(open(&path), Err(MappedPageError::Locked)));
    let again = FileMedium::create_from(None, &path, Space::Reserved, |_| Ok(()));
    is_io(again, io::ErrorKind::AlreadyExists);
    let full =
        FileMedium::create_from(None, &path, Space::Reserved, |_| Err(MappedPageError::Full));
    assert!(matches!(full, Err(MappedPageError::Full)));
    assert_eq!(names(folder.path()), ["file"]);
    assert_eq!(made.len().unwrap(), 10);
}

#[test]
fn nothing_is_left_of_a_file_that_could_not_be_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let full = FileMedium::create(&path, Space::Reserved, |file| {
        file.grow(100)?;
        Err(MappedPageError::Full)
    });
    assert!(matches!(full, Err(MappedPageError::Full)));
    assert_eq!(names(folder.path()), [""; 0]);
    create(&path, b"now").unwrap();
}

#[test]
fn what_has_the_name_already_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, b"old").unwrap();
    is_io(create(&path, b"new"), io::ErrorKind::AlreadyExists);
    // One that comes while the file is written.
    let late = folder.path().join("late");
    let made = FileMedium::create(&late, Space::Reserved, |_| Ok(fs::write(&late, b"old")?));
    is_io(made, io::ErrorKind::AlreadyExists);
    // A link that leads nowhere is something, too.
    let dangling = folder.path().join("dangling");
    std::os::unix::fs::symlink("nowhere", &dangling).unwrap();
    is_io(create(&dangling, b"new"), io::ErrorKind::AlreadyExists);
    for path in [&path, &late] {
        assert_eq!(fs::read(path).unwrap(), b"old");
    }
    assert_eq!(names(folder.path()).len(), 3);
}

#[test]
fn what_is_no_file_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    is_io(open(&folder.path().join("missing")), io::ErrorKind::NotFound);
    is_io(open(folder.path()), io::ErrorKind::IsADirectory);
    is_io(open(Path::new("/dev/null")), io::ErrorKind::InvalidInput);
    is_io(create(&folder.path().join("missing/file"), b""), io::ErrorKind::NotFound);
    is_io(create(Path::new("/"), b""), io::ErrorKind::AlreadyExists);
    let missing = FileMedium::open_read_only(&folder.path().join("missing"));
    assert_eq!(missing.unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[test]
fn readers_take_no_lock_and_can_not_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let made = create(&path, b"content").unwrap();
    let reader = FileMedium::open_read_only(&path).unwrap();
    let mut read = [0; 7];
    reader.read_at(0, &mut read).unwrap();
    assert_eq!(&read, b"content");
    assert!(reader.write_at(0, b"x").is_err());
    assert!(reader.grow(100).is_err());
    assert!(reader.cut(1).is_err());
    assert_eq!(made.len().unwrap(), 7);
    assert_eq!(reader.read_at(6, &mut read).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn a_file_is_replaced_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let old = create(&path, b"old").unwrap();
    let new = old.replace(&path, |file| {
        assert!(matches!(open(&path), Err(MappedPageError::Locked)));
        file.grow(3)?;
        Ok(file.write_at(0, b"new")?)
    });
    let new = new.unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert!(matches!(open(&path), Err(MappedPageError::Locked)), "the new one is locked");
    let failed = new.replace(&path, |_| Err(MappedPageError::Full));
    assert!(matches!(failed, Err(MappedPageError::Full)));
    let mut kept = None;
    let refused = new.replace(&path, |file| {
        kept = Some(std::sync::Arc::clone(file));
        Ok(())
    });
    assert!(matches!(refused, Err(MappedPageError::Unavailable)));
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(names(folder.path()), ["file"]);
    assert!(matches!(open(&path), Err(MappedPageError::Locked)));
    drop((old, new));
    open(&path).unwrap();
}

#[test]
fn lengths_change_in_their_direction_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let file = create(&path, &[7; 5000]).unwrap();
    file.grow(4000).unwrap();
    file.cut(6000).unwrap();
    assert_eq!(file.len().unwrap(), 5000);
    file.cut(4500).unwrap();
    file.grow(5000).unwrap();
    let mut read = [9; 600];
    file.read_at(4400, &mut read).unwrap();
    assert_eq!(read[..100], [7; 100]);
    assert_eq!(read[100..], [0; 500]);
    assert_eq!(file.grow(u64::MAX).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
}
