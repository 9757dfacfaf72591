//! Block encryption: composed on the way in and out, byte for byte that of JavaScript.

mod common;

use common::{connect, reader};
use hypercore::{
    BlockKey, Durability, Encryption, ErrorKind, GetOptions, Hypercore, KeyIdEncryption,
    MemoryStorage, Storage,
};

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

#[tokio::test]
async fn encrypted_seek_over_hello_world() {
    let log = Hypercore::builder(Storage::memory()).encryption_key(KEY).open().await.unwrap();
    log.append_batch(["hello", "world", "!"]).await.unwrap();
    let copy = Hypercore::builder(Storage::memory()).key(log.key()).encryption_key(KEY);
    let copy = copy.open().await.unwrap();
    let _both = connect(&copy, &log);
    let places = [
        (0, (0, 0)),
        (1, (0, 1)),
        (4, (0, 4)),
        (5, (1, 0)),
        (6, (1, 1)),
        (9, (1, 4)),
        (10, (2, 0)),
        (11, (3, 0)),
    ];
    for (byte, place) in places {
        assert_eq!(log.seek(byte).await.unwrap(), place, "byte {byte}");
        assert_eq!(copy.seek(byte).await.unwrap(), place, "byte {byte} asked of a peer");
    }
    assert_eq!(log.seek_local(12).await.unwrap(), None);
    assert_eq!((log.byte_length(), copy.byte_length()), (11, 11));
}

#[tokio::test]
async fn a_log_without_its_key_reads_as_ciphertext() {
    let log = Hypercore::builder(Storage::memory()).encryption_key(KEY).open().await.unwrap();
    log.append_batch(["hello", "world"]).await.unwrap();
    let copy = reader(&log).await;
    let _both = connect(&copy, &log);
    let stored = copy.get(0).await.unwrap();
    assert_eq!((stored.len(), copy.byte_length()), (13, 26));
    assert!(!copy.info().await.unwrap().encrypted);
    assert_ne!(&stored[8..], b"hello");
    assert_eq!(copy.seek(13).await.unwrap(), (1, 0));
    // The same bytes from who has the key.
    let raw = || GetOptions::new().raw(true);
    assert_eq!(log.get_with(0, raw()).await.unwrap().unwrap(), stored);
    let blind = log.session().without_encryption().open().await.unwrap();
    assert_eq!(blind.get(0).await.unwrap(), stored);
    assert_eq!(blind.byte_length(), 26);
    // And who gets the key later reads what is there.
    let session = copy.session().encryption_key(KEY).open().await.unwrap();
    assert_eq!(session.get(1).await.unwrap(), "world");
    assert_eq!((session.byte_length(), copy.byte_length()), (10, 26));
    assert_eq!(session.get_with(0, raw()).await.unwrap().unwrap(), stored);
}

/// Which keys encrypt a log depends on its manifest, which a reader gets from its peers.
#[tokio::test]
async fn a_reader_of_a_compat_log_learns_the_manifest_late() {
    for compat in [true, false] {
        let log = Hypercore::builder(Storage::memory()).encryption_key(KEY).compat(compat);
        let log = log.open().await.unwrap();
        log.append_batch(["hello", "world"]).await.unwrap();
        let memory = MemoryStorage::new();
        let open = || Hypercore::builder(memory.clone()).key(log.key()).encryption_key(KEY).open();
        let copy = open().await.unwrap();
        assert_eq!(copy.info().await.unwrap().manifest, None);
        assert_eq!(copy.seek_local(0).await.unwrap(), Some((0, 0)));
        let both = connect(&copy, &log);
        assert_eq!(copy.get(1).await.unwrap(), "world", "compat: {compat}");
        assert_eq!(copy.byte_length(), 10);
        assert_eq!(copy.info().await.unwrap().compat, compat);
        drop(both);
        copy.close().await.unwrap();
        assert_eq!(open().await.unwrap().get(1).await.unwrap(), "world");
    }
}

/// The key of one log lets a reader in without the key of all.
#[tokio::test]
async fn a_block_key_opens_one_log() {
    for compat in [false, true] {
        let log = Hypercore::builder(Storage::memory()).encryption_key(KEY).compat(compat);
        let log = log.open().await.unwrap();
        log.append("hello").await.unwrap();
        let derive = if compat { BlockKey::derive_compat } else { BlockKey::derive };
        let block_key = Encryption::block_key(derive(&log.key(), &KEY));
        let session = log.session().encryption(block_key).open().await.unwrap();
        assert_eq!(session.get(0).await.unwrap(), "hello");
        session.append("world").await.unwrap();
        assert_eq!(log.get(1).await.unwrap(), "world");
    }
}

#[tokio::test]
async fn keys_with_numbers_change_on_the_way() {
    let log = Hypercore::builder(Storage::memory()).encryption(KeyIdEncryption::new(1, &[1; 32]));
    let log = log.open().await.unwrap();
    log.append("old").await.unwrap();
    let keys = KeyIdEncryption::new(2, &[2; 32]).with_key(1, &[1; 32]);
    let log = log.session().encryption(keys).open().await.unwrap();
    log.append("new").await.unwrap();
    assert_eq!(
        (log.get(0).await.unwrap(), log.get(1).await.unwrap()),
        ("old".into(), "new".into())
    );
    let raw = log.get_with(1, GetOptions::new().raw(true)).await.unwrap().unwrap();
    assert_eq!((raw[0], &raw[4..8]), (1, &[2, 0, 0, 0][..]));
    let other = log.session().encryption(KeyIdEncryption::new(3, &[2; 32])).open().await.unwrap();
    let error = other.get(1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Caller);
    assert_eq!(
        std::error::Error::source(&error).unwrap().to_string(),
        "there is no encryption key with id 2"
    );
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
