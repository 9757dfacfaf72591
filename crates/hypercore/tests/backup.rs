//! Backups of logs of all kinds: what is in them, where they may go, and what is left of one that fails.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{block, connect, reader, writer};
use hypercore::{
    Access, BackupProgress, Durability, ErrorKind, Hypercore, KeyPair, PartialOptions, Storage,
};
use tempfile::TempDir;

/// A directory that is not there yet.
fn target(scratch: &TempDir) -> PathBuf {
    scratch.path().join("backups/today")
}

async fn restored(directory: &Path) -> Hypercore {
    Hypercore::open(directory).await.unwrap()
}

async fn assert_same(log: &Hypercore, copy: &Hypercore) {
    let (one, other) = (log.info().await.unwrap(), copy.info().await.unwrap());
    assert_eq!((one.key, one.tree_hash, one.fork), (other.key, other.tree_hash, other.fork));
    assert_eq!((one.length, one.byte_length), (other.length, other.byte_length));
    assert_eq!(one.contiguous_length, other.contiguous_length);
    assert_eq!(one.signer, other.signer);
    for index in 0..one.length {
        assert_eq!(log.get_local(index).await.unwrap(), copy.get_local(index).await.unwrap());
    }
    assert!(copy.verify().await.unwrap().is_ok());
}

#[tokio::test]
async fn a_log_in_memory_is_backed_up_and_restored() {
    let scratch = tempfile::tempdir().unwrap();
    let log = writer(300).await;
    log.truncate(250, Some(4)).await.unwrap();
    log.append_batch((0..9).map(block)).await.unwrap();
    let report = log.backup(target(&scratch)).await.unwrap();
    assert_eq!((report.length, report.fork, report.blocks), (259, 4, 259));
    assert_eq!(report.blocks_damaged, 0);
    let size: u64 = ["oplog", "tree", "bitfield", "data"]
        .iter()
        .map(|name| fs::metadata(target(&scratch).join(name)).map_or(0, |file| file.len()))
        .sum();
    assert!(report.bytes >= 259 * 7 && report.bytes <= size + 64 * 1024, "{report:?}");
    assert!(!log.needs_confirmation().unwrap());

    let copy = restored(&target(&scratch)).await;
    assert_same(&log, &copy).await;
    assert!(copy.needs_confirmation().unwrap() && copy.info().await.unwrap().needs_confirmation);
}

#[tokio::test]
async fn an_empty_log_is_backed_up() {
    let scratch = tempfile::tempdir().unwrap();
    let log = writer(0).await;
    let report = log.backup(target(&scratch)).await.unwrap();
    assert_eq!((report.length, report.blocks), (0, 0));
    let copy = restored(&target(&scratch)).await;
    assert_same(&log, &copy).await;
    assert!(copy.append("no").await.unwrap_err().is_unconfirmed_backup());
}

#[tokio::test]
async fn an_encrypted_log_stays_encrypted_in_its_backup() {
    let scratch = tempfile::tempdir().unwrap();
    let log = Hypercore::builder(Storage::memory()).encryption_key([8; 32]).open().await.unwrap();
    log.append_batch(["very", "secret", "words"]).await.unwrap();
    log.backup(target(&scratch)).await.unwrap();
    let data = fs::read(target(&scratch).join("data")).unwrap();
    assert!(!data.windows(6).any(|bytes| bytes == b"secret"));
    let copy = Hypercore::builder(target(&scratch)).encryption_key([8; 32]).open().await.unwrap();
    assert_same(&log, &copy).await;
    copy.confirm_newest().await.unwrap();
    copy.append("more").await.unwrap();
    assert_eq!(copy.get(3).await.unwrap(), "more");
}

#[tokio::test]
async fn a_sparse_copy_is_backed_up_as_far_as_it_is_here() {
    let scratch = tempfile::tempdir().unwrap();
    let log = writer(100).await;
    let sparse = reader(&log).await;
    let _both = connect(&sparse, &log);
    for index in [3, 50, 51, 99] {
        sparse.get(index).await.unwrap();
    }
    let report = sparse.backup(target(&scratch)).await.unwrap();
    assert_eq!((report.length, report.blocks), (100, 4));
    let copy = restored(&target(&scratch)).await;
    assert_same(&sparse, &copy).await;
    // It is still a copy of somebody else's log, and fetches the rest.
    assert!(!copy.writable());
    let _both = connect(&copy, &log);
    assert_eq!(copy.get(70).await.unwrap(), block(70));
}

#[tokio::test]
async fn a_backup_is_one_moment_of_a_log_that_goes_on() {
    let scratch = tempfile::tempdir().unwrap();
    let directory = scratch.path().join("log");
    let log = Hypercore::builder(&directory).durability(Durability::Eventual).open().await.unwrap();
    log.append_batch((0..2000).map(block)).await.unwrap();
    let writing = tokio::spawn({
        let log = log.clone();
        async move {
            for index in 2000..2600 {
                log.append(block(index)).await.unwrap();
                tokio::task::yield_now().await;
            }
        }
    });
    let report = log.backup(target(&scratch)).await.unwrap();
    writing.await.unwrap();
    assert!((2000..=2600).contains(&report.length), "{report:?}");
    assert_eq!(report.blocks, report.length);
    let copy = restored(&target(&scratch)).await;
    assert_eq!(copy.length(), report.length);
    assert_eq!(copy.info().await.unwrap().tree_hash, log.tree_hash(report.length).await.unwrap());
    assert!(copy.verify().await.unwrap().is_ok());
}

/// It tells how far it is, and whoever listens holds up no writer.
#[tokio::test]
async fn a_backup_tells_its_progress() {
    let log = writer(5000).await;
    log.clear(100..200).await.unwrap();
    let directory = TempDir::new().unwrap();
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    let progress = move |seen: BackupProgress| {
        told.send(seen).unwrap();
        // The sender is gone once it need not wait any more.
        let _ = wait.recv();
    };
    let copying = log.backup_with(directory.path().join("copy"), progress);
    let watching = async {
        let first = heard.recv().await.unwrap();
        assert_eq!((first.blocks_copied, first.blocks_stored), (0, 4900), "tree nodes come first");
        log.append("meanwhile").await.unwrap();
        drop(go_on);
        let mut last = first;
        while let Some(seen) = heard.recv().await {
            assert!(seen.blocks_copied >= last.blocks_copied);
            last = seen;
        }
        last
    };
    let (report, last) = tokio::join!(copying, watching);
    assert_eq!((report.unwrap().blocks, last.blocks_copied), (4901, 4901));
}

#[tokio::test]
async fn a_log_open_for_reading_is_backed_up_as_well() {
    let scratch = tempfile::tempdir().unwrap();
    let directory = scratch.path().join("log");
    let log = Hypercore::open(&directory).await.unwrap();
    log.append_batch((0..9).map(block)).await.unwrap();
    log.close().await.unwrap();
    let log = Hypercore::builder(&directory).access(Access::ReadOnly).open().await.unwrap();
    log.backup(target(&scratch)).await.unwrap();
    let copy = restored(&target(&scratch)).await;
    assert_same(&log, &copy).await;
    assert!(copy.needs_confirmation().unwrap());
}

#[tokio::test]
async fn a_backup_of_a_backup_is_one() {
    let scratch = tempfile::tempdir().unwrap();
    let (first, second) = (scratch.path().join("first"), scratch.path().join("second"));
    writer(5).await.backup(&first).await.unwrap();
    let copy = restored(&first).await;
    copy.confirm_newest().await.unwrap();
    copy.append("five").await.unwrap();
    copy.backup(&second).await.unwrap();
    assert!(!copy.needs_confirmation().unwrap());
    assert!(restored(&second).await.needs_confirmation().unwrap());
}

#[tokio::test]
async fn batches_are_not_part_of_a_backup() {
    let scratch = tempfile::tempdir().unwrap();
    let directory = scratch.path().join("log");
    let log = Hypercore::open(&directory).await.unwrap();
    log.append("zero").await.unwrap();
    let batch = log.batch("draft").open().await.unwrap();
    batch.append("one").await.unwrap();
    // The handle of a batch backs up the log as well.
    let report = batch.backup(target(&scratch)).await.unwrap();
    assert_eq!((report.length, batch.length()), (1, 2));
    let mut names: Vec<_> = fs::read_dir(target(&scratch))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["bitfield", "data", "oplog", "tree"]);
    assert!(restored(&target(&scratch)).await.batches().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_snapshot_backs_up_the_log_itself() {
    let scratch = tempfile::tempdir().unwrap();
    let log = writer(5).await;
    let snapshot = log.snapshot().await.unwrap();
    log.truncate(2, None).await.unwrap();
    log.append("another").await.unwrap();
    assert_eq!(snapshot.backup(target(&scratch)).await.unwrap().length, 3);
    assert_eq!(snapshot.get(4).await.unwrap(), block(4));
    assert_same(&log, &restored(&target(&scratch)).await).await;
}

#[tokio::test]
async fn a_directory_with_something_in_it_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let log = writer(5).await;
    fs::write(scratch.path().join("letter"), "dear").unwrap();
    let error = log.backup(scratch.path()).await.unwrap_err();
    assert!(error.is_already_exists() && error.kind() == ErrorKind::Caller, "{error}");
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1);

    let empty = scratch.path().join("empty");
    fs::create_dir(&empty).unwrap();
    log.backup(&empty).await.unwrap();
    assert!(log.backup(&empty).await.unwrap_err().is_already_exists());
    assert_same(&log, &restored(&empty).await).await;

    let error = log.backup(scratch.path().join("letter")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    assert_eq!(fs::read(scratch.path().join("letter")).unwrap(), b"dear");
}

/// Without the name that makes it a log, what a backup left is neither a log nor a place for one.
#[tokio::test]
async fn a_backup_that_was_cut_short_does_not_open() {
    let scratch = tempfile::tempdir().unwrap();
    let log = writer(5).await;
    log.backup(target(&scratch)).await.unwrap();
    let whole = target(&scratch);
    fs::rename(whole.join("oplog"), whole.join("oplog.unfinished")).unwrap();
    for left in [&["oplog.unfinished", "tree", "bitfield", "data"][..], &["oplog.unfinished"]] {
        let directory = scratch.path().join(format!("left {}", left.len()));
        fs::create_dir(&directory).unwrap();
        for name in left {
            fs::copy(whole.join(name), directory.join(name)).unwrap();
        }
        let error = Hypercore::open(&directory).await.unwrap_err();
        assert!(error.is_not_found() && error.to_string().contains("cut short"), "{error}");
        let error = log.backup(&directory).await.unwrap_err();
        assert!(error.is_already_exists(), "{error}");
    }
}

/// A log that lost what it signed last would be forgotten to have done so in a copy. What the backup has written by then is
/// taken away, and the directory takes the next one.
#[tokio::test]
async fn a_backup_that_fails_leaves_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let directory = scratch.path().join("log");
    let log = Hypercore::open(&directory).await.unwrap();
    log.append_batch((0..20).map(block)).await.unwrap();
    log.close().await.unwrap();
    let whole = fs::read(directory.join("oplog")).unwrap();
    let mut failed = 0;
    for slot in [0..4096, 4096..8192] {
        let mut damaged = whole.clone();
        damaged[slot].fill(0);
        fs::write(directory.join("oplog"), &damaged).unwrap();
        let log = Hypercore::open(&directory).await.unwrap();
        if let Err(error) = log.backup(target(&scratch)).await {
            failed += 1;
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
            assert_eq!(fs::read_dir(target(&scratch)).unwrap().count(), 0);
            log.close().await.unwrap();
            fs::write(directory.join("oplog"), &whole).unwrap();
            let log = Hypercore::open(&directory).await.unwrap();
            assert_eq!(log.backup(target(&scratch)).await.unwrap().blocks, 20);
            break;
        }
        fs::remove_dir_all(target(&scratch)).unwrap();
    }
    assert_eq!(failed, 1);
}

#[tokio::test]
async fn the_secret_key_of_a_backup_is_kept_from_others() {
    use std::os::unix::fs::PermissionsExt as _;
    let scratch = tempfile::tempdir().unwrap();
    writer(5).await.backup(target(&scratch)).await.unwrap();
    let mode = fs::metadata(target(&scratch).join("oplog")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_closed_log_is_not_backed_up() {
    let scratch = tempfile::tempdir().unwrap();
    let log = writer(5).await;
    log.close().await.unwrap();
    assert_eq!(log.backup(target(&scratch)).await.unwrap_err().kind(), ErrorKind::Closed);
    assert!(!target(&scratch).exists());
}

#[tokio::test]
async fn nobody_signs_a_proposal_that_goes_on_from_a_backup() {
    let scratch = tempfile::tempdir().unwrap();
    let signer = KeyPair::from_seed(&[1; 32]);
    let log = Hypercore::builder(scratch.path().join("log")).key_pair(signer.clone());
    let log = log.open().await.unwrap();
    log.append("zero").await.unwrap();
    log.backup(target(&scratch)).await.unwrap();
    let copy = restored(&target(&scratch)).await;
    let batch = copy.batch("proposal").open().await.unwrap();
    batch.append("other").await.unwrap();
    // What it has, this signer has signed already.
    copy.sign_partial(&signer, 1).await.unwrap();
    let refused = batch.sign_partial(&signer, 2).await.unwrap_err();
    assert!(refused.is_unconfirmed_backup() && refused.kind() == ErrorKind::Caller, "{refused}");
    let truncation = PartialOptions::new().fork(1);
    let refused = copy.sign_partial_with(&signer, 1, truncation).await.unwrap_err();
    assert!(refused.is_unconfirmed_backup(), "{refused}");
    copy.confirm_newest().await.unwrap();
    batch.sign_partial(&signer, 2).await.unwrap();
}
