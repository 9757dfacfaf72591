//! Logs frozen into one file: what is in it, how it is read, and what becomes of one that is damaged.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{block, connect, reader, writer};
use hypercore::{
    Access, Builder, ErrorKind, Hypercore, KeyPair, Manifest, ManifestSigner, Storage,
};
use tempfile::TempDir;

/// A file that is not there yet.
fn target(scratch: &TempDir) -> PathBuf {
    scratch.path().join("frozen.log")
}

fn packed(file: &Path) -> Builder {
    Hypercore::builder(file).access(Access::ReadOnly)
}

async fn assert_same(log: &Hypercore, copy: &Hypercore) {
    let (one, other) = (log.info().await.unwrap(), copy.info().await.unwrap());
    assert_eq!((one.key, one.tree_hash, one.fork), (other.key, other.tree_hash, other.fork));
    assert_eq!((one.length, one.byte_length), (other.length, other.byte_length));
    assert_eq!(one.contiguous_length, other.contiguous_length);
    assert_eq!(one.manifest, other.manifest);
    for index in 0..one.length {
        assert_eq!(log.get_local(index).await.unwrap(), copy.get_local(index).await.unwrap());
    }
    for byte in (0..=one.byte_length).step_by(7) {
        assert_eq!(log.seek_local(byte).await.unwrap(), copy.seek_local(byte).await.unwrap());
    }
    let report = copy.verify().await.unwrap();
    assert!(report.is_ok(), "{report:?}");
}

#[tokio::test]
async fn a_log_is_packed_and_read_in_its_file() {
    let scratch = tempfile::tempdir().unwrap();
    let log = writer(700).await;
    log.truncate(600, Some(3)).await.unwrap();
    log.append_batch((0..9).map(block)).await.unwrap();
    log.set_user_data("name", "frozen").await.unwrap();
    let report = log.pack(target(&scratch)).await.unwrap();
    assert_eq!((report.length, report.fork, report.blocks), (609, 3, 609));
    assert_eq!(report.bytes, fs::metadata(target(&scratch)).unwrap().len());

    let copy = packed(&target(&scratch)).open().await.unwrap();
    assert_same(&log, &copy).await;
    assert_eq!(copy.user_data("name").await.unwrap().unwrap(), "frozen");
    assert!(!copy.writable());
}

#[tokio::test]
async fn an_empty_log_and_empty_blocks_are_packed() {
    for blocks in [vec![], vec![""; 5], vec!["", "one", "", ""]] {
        let scratch = tempfile::tempdir().unwrap();
        let log = writer(0).await;
        log.append_batch(&blocks).await.unwrap();
        log.pack(target(&scratch)).await.unwrap();
        assert_same(&log, &packed(&target(&scratch)).open().await.unwrap()).await;
    }
}

#[tokio::test]
async fn what_is_not_here_is_not_in_the_file() {
    let scratch = tempfile::tempdir().unwrap();
    let log = writer(2000).await;
    for start in [0, 3, 90, 1024, 1999] {
        log.clear(start..start + 1).await.unwrap();
    }
    log.clear(500..900).await.unwrap();
    let report = log.pack(target(&scratch)).await.unwrap();
    assert_eq!(report.blocks, 2000 - 405);
    let copy = packed(&target(&scratch)).open().await.unwrap();
    assert_same(&log, &copy).await;
    assert!(copy.has(499).await.unwrap() && !copy.has(500).await.unwrap());

    // A reader that has a few blocks of many, and the nodes that prove them.
    let sparse = reader(&log).await;
    let connection = connect(&log, &sparse);
    for index in [7, 1500, 1998] {
        sparse.get(index).await.unwrap();
    }
    drop(connection);
    let file = scratch.path().join("sparse.log");
    let report = sparse.pack(&file).await.unwrap();
    assert_eq!((report.length, report.blocks), (2000, 3));
    let copy = packed(&file).open().await.unwrap();
    assert_eq!(copy.get(1500).await.unwrap(), block(1500));
    assert!(copy.verify().await.unwrap().is_ok());
}

#[tokio::test]
async fn large_blocks_span_pages_and_pieces() {
    let scratch = tempfile::tempdir().unwrap();
    let log = writer(0).await;
    let blocks: Vec<Vec<u8>> = (1..=9_u8).map(|of| vec![of; usize::from(of) * 70_000]).collect();
    log.append_batch(&blocks).await.unwrap();
    log.pack(target(&scratch)).await.unwrap();
    assert_same(&log, &packed(&target(&scratch)).open().await.unwrap()).await;
}

#[tokio::test]
async fn no_secret_is_in_the_file_and_an_encrypted_log_stays_encrypted() {
    let scratch = tempfile::tempdir().unwrap();
    let seed = [77; 32];
    let log = Hypercore::builder(Storage::memory())
        .key_pair(KeyPair::from_seed(&seed))
        .encryption_key([8; 32])
        .open()
        .await
        .unwrap();
    log.append_batch(["very", "secret", "words"]).await.unwrap();
    log.pack(target(&scratch)).await.unwrap();
    let bytes = fs::read(target(&scratch)).unwrap();
    for secret in [&b"secret"[..], &seed] {
        assert!(bytes.windows(secret.len()).all(|window| window != secret));
    }
    let copy = packed(&target(&scratch)).encryption_key([8; 32]).open().await.unwrap();
    assert_eq!(copy.get(1).await.unwrap(), "secret");
}

#[tokio::test]
async fn a_packed_log_is_shared_and_unpacked() {
    let scratch = tempfile::tempdir().unwrap();
    let log = writer(300).await;
    log.clear(20..30).await.unwrap();
    log.pack(target(&scratch)).await.unwrap();
    let copy = packed(&target(&scratch)).open().await.unwrap();

    let peer = reader(&log).await;
    let connection = connect(&copy, &peer);
    assert_eq!(peer.get(299).await.unwrap(), block(299));
    assert_eq!(peer.get(31).await.unwrap(), block(31));
    drop(connection);

    let directory = scratch.path().join("unpacked");
    copy.backup(&directory).await.unwrap();
    let again = Hypercore::open(&directory).await.unwrap();
    assert_same(&log, &again).await;
    // What came out goes in the same.
    let second = scratch.path().join("again.log");
    again.pack(&second).await.unwrap();
    assert_eq!(fs::read(&second).unwrap(), fs::read(target(&scratch)).unwrap());
}

#[tokio::test]
async fn a_file_that_exists_is_left_alone_and_a_packed_log_is_not_written_to() {
    let scratch = tempfile::tempdir().unwrap();
    let log = writer(3).await;
    fs::write(target(&scratch), "mine").unwrap();
    let error = log.pack(target(&scratch)).await.unwrap_err();
    assert!(error.is_already_exists() && error.kind() == ErrorKind::Caller, "{error:?}");
    assert_eq!(fs::read(target(&scratch)).unwrap(), b"mine");
    let error = packed(&target(&scratch)).open().await.unwrap_err();
    assert!(error.kind() == ErrorKind::Io && error.to_string().contains("not a directory"));

    fs::remove_file(target(&scratch)).unwrap();
    log.pack(target(&scratch)).await.unwrap();
    let names = fs::read_dir(scratch.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.collect::<Vec<_>>(), ["frozen.log"]);
    let error = Hypercore::open(target(&scratch)).await.unwrap_err();
    assert!(error.is_not_writable() && error.kind() == ErrorKind::Caller, "{error:?}");
}

#[tokio::test]
async fn every_damaged_page_is_told_and_no_block_is_ever_wrong() {
    let scratch = tempfile::tempdir().unwrap();
    let log = writer(200).await;
    log.pack(target(&scratch)).await.unwrap();
    let whole = fs::read(target(&scratch)).unwrap();
    let mut told = 0;
    for place in (0..whole.len()).step_by(1021) {
        let mut bytes = whole.clone();
        bytes[place] ^= 1 << (place % 8);
        let file = scratch.path().join("damaged.log");
        fs::write(&file, &bytes).unwrap();
        let copy = match packed(&file).open().await {
            Ok(copy) => copy,
            Err(error) => {
                // Without its first bytes it is a file of some other kind.
                let kind = if place < 8 { ErrorKind::Io } else { ErrorKind::Corrupt };
                assert_eq!(error.kind(), kind, "{place}: {error:?}");
                told += 1;
                continue;
            }
        };
        let mut damaged = false;
        for index in 0..200 {
            match copy.get_local(index).await {
                Ok(bytes) => assert_eq!(bytes.unwrap(), block(index as usize), "{place}"),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Corrupt, "{place}: {error:?}");
                    damaged = true;
                }
            }
        }
        damaged |= copy.verify().await.is_ok_and(|report| !report.is_ok());
        told += u32::from(damaged);
    }
    assert!(told > 5, "{told}");
}

/// A header that fits no slot lies in a file of its own in a directory.
#[tokio::test]
async fn large_user_data_is_packed_and_unpacked() {
    let scratch = tempfile::tempdir().unwrap();
    let log = writer(9).await;
    let large = vec![0x5a; 3_000_000];
    log.set_user_data("large", &large).await.unwrap();
    log.set_user_data("small", "x").await.unwrap();
    log.pack(target(&scratch)).await.unwrap();
    let copy = packed(&target(&scratch)).open().await.unwrap();
    assert_same(&log, &copy).await;
    assert_eq!(copy.user_data("large").await.unwrap().unwrap(), large);
    let directory = scratch.path().join("unpacked");
    copy.backup(&directory).await.unwrap();
    let again = Hypercore::open(&directory).await.unwrap();
    assert_eq!(again.user_data("large").await.unwrap().unwrap(), large);
    assert_same(&log, &again).await;
}

#[tokio::test]
async fn a_log_of_several_signers_is_packed() {
    let scratch = tempfile::tempdir().unwrap();
    let pairs = [1, 2, 3].map(|seed| KeyPair::from_seed(&[seed; 32]));
    let signers = pairs.iter().map(|pair| ManifestSigner::new(pair.public()));
    let manifest = Manifest::builder().quorum(1).signers(signers).build().unwrap();
    let log = Hypercore::builder(Storage::memory())
        .manifest(manifest)
        .key_pair(pairs[1].clone())
        .open()
        .await
        .unwrap();
    log.append_batch(["one", "two"]).await.unwrap();
    log.pack(target(&scratch)).await.unwrap();
    let copy = packed(&target(&scratch)).open().await.unwrap();
    assert_same(&log, &copy).await;
    assert_eq!(copy.info().await.unwrap().manifest.unwrap().signers().len(), 3);
}

#[tokio::test]
async fn a_log_is_one_moment_of_what_writers_make_of_it_meanwhile() {
    let scratch = tempfile::tempdir().unwrap();
    let log = writer(20_000).await;
    let writing = {
        let log = log.clone();
        tokio::spawn(async move {
            for round in 0..60_u64 {
                log.append_batch((0..50).map(block)).await.unwrap();
                if round % 7 == 3 {
                    let keep = log.length() - 120;
                    log.truncate(keep, None).await.unwrap();
                    log.append_batch((0..9).map(|index| format!("{round}: {index}")))
                        .await
                        .unwrap();
                }
                log.clear(round * 10..round * 10 + 5).await.unwrap();
            }
        })
    };
    for turn in 0..4 {
        let file = scratch.path().join(format!("{turn}.log"));
        let report = log.pack(&file).await.unwrap();
        let copy = packed(&file).open().await.unwrap();
        let info = copy.info().await.unwrap();
        assert_eq!((report.length, report.fork), (info.length, info.fork));
        let found = copy.verify().await.unwrap();
        assert!(found.is_ok(), "{found:?}");
    }
    writing.await.unwrap();
}

/// Where nodes are missing, those that are there do not stand where their numbers say.
#[tokio::test]
async fn every_node_of_a_log_with_holes_is_found() {
    let scratch = tempfile::tempdir().unwrap();
    let log = writer(3000).await;
    let sparse = reader(&log).await;
    let connection = connect(&log, &sparse);
    for index in (0..3000).step_by(37).chain([1, 2, 1023, 1024, 2047, 2048, 2999]) {
        sparse.get(index).await.unwrap();
    }
    drop(connection);
    sparse.pack(target(&scratch)).await.unwrap();
    let copy = packed(&target(&scratch)).open().await.unwrap();
    assert!(copy.verify().await.unwrap().is_ok());
    for index in 0..3000 {
        let (one, other) = (sparse.get_local(index).await, copy.get_local(index).await);
        assert_eq!(one.unwrap(), other.unwrap(), "block {index}");
    }
    // What can not be told without nodes that are missing can not be told in the file either.
    for byte in (0..sparse.info().await.unwrap().byte_length).step_by(11) {
        let (one, other) = (sparse.seek_local(byte).await, copy.seek_local(byte).await);
        assert_eq!(format!("{one:?}"), format!("{other:?}"), "byte {byte}");
    }
}
