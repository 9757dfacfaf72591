//! Open options: the key in all its forms, what completes them before opening, overwriting, appending with options.

use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hypercore::{
    AppendOptions, Create, Error, ErrorKind, Hypercore, KeyPair, Manifest, ManifestSigner,
    MemoryStorage, Storage, id,
};

#[tokio::test]
async fn a_key_comes_as_key_bytes_hex_or_id() {
    let memory = MemoryStorage::new();
    let key = Hypercore::open(memory.clone()).await.unwrap().key();
    let bytes = *key.as_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let id = id::encode(&bytes);
    let builder = || Hypercore::builder(memory.clone()).create(Create::Never);
    let opened = [
        builder().key(key).open().await,
        builder().key(bytes).open().await,
        builder().key(&bytes[..]).open().await,
        builder().key(hex.as_str()).open().await,
        builder().key(&hex).open().await,
        builder().key(format!("pear://{id}/some/path")).open().await,
        builder().key(id).open().await,
    ];
    for log in opened {
        assert_eq!(log.unwrap().key(), key);
    }

    // What is no key opens nothing, whatever comes after it.
    let no_keys = [
        builder().key(&bytes[1..]),
        builder().key(""),
        builder().key(&hex[1..]),
        builder().key(hex.replace(&hex[..1], "x")),
    ];
    for builder in no_keys {
        let error = builder.key(key).open().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Caller);
    }
    let other = builder().key([9; 32]).open().await.unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Caller);
}

#[tokio::test]
async fn options_are_completed_before_opening() {
    let memory = MemoryStorage::new();
    let called = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&called);
    let log = Hypercore::builder(memory.clone())
        .prepare(move |options| async move {
            tokio::task::yield_now().await;
            counter.fetch_add(1, Ordering::Relaxed);
            Ok::<_, Error>(options.seed(&[3; 32]).encryption_key([4; 32]))
        })
        .open()
        .await
        .unwrap();
    assert_eq!(called.load(Ordering::Relaxed), 1);
    let same = Hypercore::builder(Storage::memory()).seed(&[3; 32]).open().await.unwrap();
    assert_eq!(log.key(), same.key());
    assert!(log.info().await.unwrap().encrypted);
    log.close().await.unwrap();

    // What can not be completed opens nothing, and says why.
    let failed = Hypercore::builder(memory.clone())
        .prepare(|_| async { Err(std::io::Error::other("the agent is away")) })
        .open()
        .await
        .unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Caller);
    assert_eq!(failed.source().unwrap().to_string(), "the agent is away");
    // An error of another log is handed on as it is.
    let failed = Hypercore::builder(memory)
        .prepare(|options| async {
            let other = Hypercore::builder(Storage::memory()).create(Create::Never).open().await?;
            Ok::<_, Error>(options.key(other.key()))
        })
        .open()
        .await
        .unwrap_err();
    assert!(failed.is_not_found());
}

#[tokio::test]
async fn reopen_keeps_key_and_writability() {
    let (writes, reads) = (MemoryStorage::new(), MemoryStorage::new());
    let log = Hypercore::open(writes.clone()).await.unwrap();
    let copy = Hypercore::builder(reads.clone()).key(log.key()).open().await.unwrap();
    let key = log.key();
    drop((log, copy));
    for _ in 0..2 {
        let log = Hypercore::open(writes.clone()).await.unwrap();
        let copy = Hypercore::open(reads.clone()).await.unwrap();
        assert_eq!((log.key(), log.writable()), (key, true));
        assert_eq!((copy.key(), copy.writable()), (key, false));
        log.append("x").await.unwrap();
        assert!(copy.append("x").await.unwrap_err().is_not_writable());
    }
}

#[tokio::test]
async fn overwrite_gives_a_new_key() {
    let scratch = tempfile::tempdir().unwrap();
    let memory = MemoryStorage::new();
    for on_disk in [true, false] {
        let place = || match on_disk {
            true => Storage::directory(scratch.path()),
            false => Storage::from(memory.clone()),
        };
        let mut keys = Vec::new();
        for _ in 0..3 {
            let log = Hypercore::builder(place()).create(Create::Overwrite).open().await.unwrap();
            assert!(log.is_empty() && log.writable() && !keys.contains(&log.key()));
            keys.push(log.key());
            log.append("x").await.unwrap();
        }
        let log = Hypercore::open(place()).await.unwrap();
        assert_eq!((Some(&log.key()), log.length()), (keys.last(), 1));
    }
}

#[tokio::test]
async fn an_append_has_a_length_limit() {
    let log = Hypercore::open(Storage::memory()).await.unwrap();
    let three = || AppendOptions::new().length_max(3);
    assert_eq!(log.append_with(["a", "b"], three()).await.unwrap().length, 2);
    let error = log.append_with(["c", "d"], three()).await.unwrap_err();
    assert_eq!((error.kind(), log.length()), (ErrorKind::Caller, 2));
    assert_eq!(log.append_with(["c"], three()).await.unwrap().first, 2);
    assert_eq!(log.append("d").await.unwrap().length, 4);
}

/// Many tasks append at the same time, some with a limit, some without, some signed by another key pair: each
/// gets what it asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn appends_with_options_are_never_merged_with_others() {
    let pairs = [[1; 32], [2; 32]].map(|seed| KeyPair::from_seed(&seed));
    let signers = pairs.iter().map(|pair| ManifestSigner::new(pair.public()));
    let manifest = Manifest::builder().quorum(1).signers(signers).build().unwrap();
    let log = Hypercore::builder(Storage::memory())
        .manifest(manifest)
        .key_pair(pairs[0].clone())
        .open()
        .await
        .unwrap();
    let stranger = KeyPair::from_seed(&[3; 32]);
    let appends: Vec<_> = (0..200_u64)
        .map(|number| {
            let (log, pair, stranger) = (log.clone(), pairs[1].clone(), stranger.clone());
            tokio::spawn(async move {
                let block = [number.to_string()];
                match number % 4 {
                    0 => log.append_batch(&block).await,
                    1 => log.append_with(&block, AppendOptions::new().key_pair(pair)).await,
                    2 => log.append_with(&block, AppendOptions::new().key_pair(stranger)).await,
                    _ => log.append_with(&block, AppendOptions::new().length_max(0)).await,
                }
            })
        })
        .collect();
    let mut firsts = Vec::new();
    for (number, append) in appends.into_iter().enumerate() {
        let result = append.await.unwrap();
        if number % 4 < 2 {
            let first = result.unwrap().first;
            assert_eq!(log.get(first).await.unwrap(), number.to_string());
            firsts.push(first);
        } else {
            assert_eq!(result.unwrap_err().kind(), ErrorKind::Caller, "{number}");
        }
    }
    firsts.sort_unstable();
    assert_eq!(firsts, Vec::from_iter(0..100));
    assert!(log.verify().await.unwrap().is_ok());
}

#[tokio::test]
async fn a_ready_signature_appends_without_a_key() {
    let pair = KeyPair::from_seed(&[1; 32]);
    let signs = Hypercore::builder(Storage::memory()).key_pair(pair.clone()).open().await.unwrap();
    signs.append_batch(["a", "b"]).await.unwrap();
    let info = signs.info().await.unwrap();
    let manifest = info.manifest.unwrap();
    let signature = manifest.sign(&info.key, &pair, &info.tree_hash, 2, 0).unwrap();

    let log = Hypercore::builder(Storage::memory()).manifest(manifest).open().await.unwrap();
    assert_eq!((log.key(), log.writable()), (signs.key(), false));
    let other = AppendOptions::new().signature(signature.clone());
    let error = log.append_with(["a", "c"], other).await.unwrap_err();
    assert_eq!((error.kind(), log.length()), (ErrorKind::Caller, 0));
    let ready = AppendOptions::new().signature(signature);
    assert_eq!(log.append_with(["a", "b"], ready).await.unwrap().length, 2);
    assert_eq!(log.info().await.unwrap().tree_hash, info.tree_hash);
    assert!(log.append("c").await.unwrap_err().is_not_writable());
}
