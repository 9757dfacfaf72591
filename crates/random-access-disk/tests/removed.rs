//! Files that whoever has their lock takes away: an opener gets the file that has the name, or none.

use std::sync::atomic::{AtomicU64, Ordering};

use random_access_disk::{Lock, RandomAccessDisk, remove_files};
use random_access_storage::{Error, RandomAccess as _};

#[test]
fn files_are_removed_and_others_stay() {
    let scratch = tempfile::tempdir().unwrap();
    for name in ["one", "other", "stays"] {
        std::fs::write(scratch.path().join(name), name).unwrap();
    }
    remove_files(scratch.path(), &["one", "missing", "other"]).unwrap();
    let left: Vec<_> = std::fs::read_dir(scratch.path()).unwrap().collect();
    assert_eq!(left.len(), 1);
    assert!(scratch.path().join("stays").exists());
    remove_files(scratch.path().join("no folder"), &["one"]).unwrap();
    // A folder is not a file.
    std::fs::create_dir(scratch.path().join("folder")).unwrap();
    assert!(remove_files(scratch.path(), &["folder"]).is_err());
}

/// Threads open, remove and open again. Between opening a file and locking it another thread may have removed it: then
/// the lock would be one on a file that nobody else will ever see.
#[test]
fn a_lock_is_never_one_on_a_removed_file() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("locked");
    let number = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..300 {
                    match RandomAccessDisk::builder(&path).lock(Lock::Exclusive).open() {
                        Ok(store) => {
                            let marked = number.fetch_add(1, Ordering::Relaxed).to_le_bytes();
                            store.write_at(0, &marked).unwrap();
                            assert_eq!(std::fs::read(&path).unwrap(), marked);
                            remove_files(scratch.path(), &["locked"]).unwrap();
                        }
                        Err(error) => assert!(matches!(error, Error::Locked), "{error}"),
                    }
                }
            });
        }
    });
    assert!(number.into_inner() > 0);
}
