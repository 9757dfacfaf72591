//! Block encryption: composed on the way in and out, byte for byte that of JavaScript.

use hypercore::{Durability, ErrorKind, Hypercore, MemoryStorage};

const KEY: [u8; 32] = [7; 32];

#[tokio::test]
async fn content_comes_back_and_ciphertext_is_stored() {
    for compat in [false, true] {
        for durability in [Durability::Immediate, Durability::Eventual] {
            let memory = MemoryStorage::new();
            let log = Hypercore::builder(memory.clone())
                .encryption_key(KEY)
                .compat(compat)
                .durability(durability)
                .open()
                .await
                .unwrap();
            let appended = log.append_batch(["hello", "world", "!"]).await.unwrap();
            assert_eq!((appended.length, appended.byte_length), (3, 11));
            log.append("").await.unwrap();
            assert_eq!(log.get_local(1).await.unwrap().unwrap(), "world");
            assert_eq!(log.get_local(3).await.unwrap().unwrap(), "");
            assert_eq!(log.byte_length(), 11);
            for (byte, place) in [(0, (0, 0)), (4, (0, 4)), (5, (1, 0)), (9, (1, 4)), (10, (2, 0))]
            {
                assert_eq!(log.seek_local(byte).await.unwrap(), Some(place));
            }
            let info = log.info().await.unwrap();
            assert!(info.encrypted);
            assert_eq!(info.byte_length, 11);
            log.close().await.unwrap();

            let blind = Hypercore::open(memory.clone()).await.unwrap();
            assert_eq!(blind.byte_length(), 11 + 4 * 8);
            let stored = blind.get_local(0).await.unwrap().unwrap();
            assert_eq!(stored.len(), 13);
            assert!(!stored.ends_with(b"hello"));
            assert!(blind.verify().await.unwrap().is_ok());
            blind.close().await.unwrap();

            let wrong = Hypercore::builder(memory.clone()).encryption_key([8; 32]).open();
            let wrong = wrong.await.unwrap();
            assert_ne!(wrong.get_local(0).await.unwrap().unwrap(), "hello");
        }
    }
}

/// Each fork encrypts the same index in another way.
#[tokio::test]
async fn a_rewritten_block_has_another_padding() {
    let memory = MemoryStorage::new();
    let log = Hypercore::builder(memory.clone()).encryption_key(KEY).open().await.unwrap();
    let mut stored = Vec::new();
    for _ in 0..2 {
        log.append("same").await.unwrap();
        let blind = Hypercore::builder(memory.clone()).read_only().open().await.unwrap();
        stored.push(blind.get_local(0).await.unwrap().unwrap());
        assert_eq!(log.get_local(0).await.unwrap().unwrap(), "same");
        log.truncate(0, None).await.unwrap();
    }
    assert_ne!(stored[0], stored[1]);
}

#[tokio::test]
async fn the_limit_counts_content() {
    let log = Hypercore::builder(MemoryStorage::new()).encryption_key(KEY).open().await.unwrap();
    log.append(vec![0; hypercore::BLOCK_LEN_MAX]).await.unwrap();
    let error = log.append(vec![0; hypercore::BLOCK_LEN_MAX + 1]).await.unwrap_err();
    assert!(error.is_block_too_large());
    assert_eq!(log.length(), 1);
}

/// A block that is too short for its padding was not written with any key.
#[tokio::test]
async fn a_plain_log_read_with_a_key() {
    let memory = MemoryStorage::new();
    let log = Hypercore::open(memory.clone()).await.unwrap();
    log.append("short").await.unwrap();
    log.close().await.unwrap();
    let log = Hypercore::builder(memory).encryption_key(KEY).open().await.unwrap();
    let error = log.get_local(0).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Caller);
    assert!(std::error::Error::source(&error).is_some());
    assert_eq!(log.byte_length(), 0);
}

/// `tests/fixtures/v10-encrypted` was written by JavaScript Hypercore 10.38.2.
#[tokio::test]
async fn a_directory_of_javascript() {
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/v10-encrypted");
    let mut key = [0; 32];
    let hex = "27770085820c28ffb72ebb03d7a03d084f303306488c5963897806e93dbe6190";
    for (byte, digits) in key.iter_mut().zip(hex.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap();
    }
    let log = Hypercore::builder(fixture).encryption_key(key).read_only().open().await.unwrap();
    let blocks = [
        "c5bc55f42908f7f7a0bf1b3f3e729d",
        "cb8347296618c367c438b16ce7c72f42dc6910bc0f02da563c9824b5eb7ce610",
        "38082c136ebbe396f479a2fc8113d8b4c97ec6c51b79e4ed2c65159a84f4660365",
    ];
    assert_eq!((log.length(), log.byte_length()), (3, 15 + 32 + 33));
    for (index, expected) in (0..).zip(blocks) {
        let block = log.get_local(index).await.unwrap().unwrap();
        let found: String = block.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(found, expected);
    }
}
