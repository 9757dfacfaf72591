//! What JavaScript encrypted, through the handle: written to the same bytes, and read back.
//!
//! The secret keys of the recorded cores are not known, so their blocks are written to logs of our own with the block
//! keys of the recorded cores.

#[path = "common/vectors.rs"]
mod vectors;

use hypercore::{
    BlockKey, CoreKey, Encryption, GetOptions, Hash, Hypercore, KeyIdEncryption, Manifest,
    PublicKey, Storage,
};
use serde_json::Value;
use vectors::{array, bytes, each, list, number, text, vectors, yes};

/// Blocks that are appended before a single one is, to get to its index.
const FILLERS_MAX: u64 = 1000;

async fn raw(log: &Hypercore, index: u64) -> Vec<u8> {
    log.get_with(index, GetOptions::new().raw(true)).await.unwrap().unwrap().to_vec()
}

async fn log_with(encryption: Encryption) -> Hypercore {
    Hypercore::builder(Storage::memory()).encryption(encryption).open().await.unwrap()
}

/// The block key of a recorded core, made in the way that its kind of core asks for.
fn block_key(case: &Value) -> BlockKey {
    let (key, secret) = (CoreKey::from_bytes(array(case, "key")), array(case, "encryption_key"));
    if yes(case, "is_block_key") {
        BlockKey::from_bytes(&secret)
    } else if yes(case, "compat") {
        BlockKey::derive_compat(&key, &secret)
    } else {
        BlockKey::derive(&key, &secret)
    }
}

#[test]
fn block_keys() {
    let vectors = vectors("encryption");
    for case in each(&vectors, "keys") {
        let key = CoreKey::from_bytes(array(case, "core_key"));
        let secret = array(case, "encryption_key");
        let derived = BlockKey::derive(&key, &secret);
        assert_eq!(*derived.as_bytes(), array(&case["default"], "block_key"));
        assert_eq!(*derived.as_bytes(), array(case, "block_encryption_key"));
        let compat = BlockKey::derive_compat(&key, &secret);
        assert_eq!(*compat.as_bytes(), array(&case["compat"], "block_key"));
        let given = BlockKey::from_bytes(&secret);
        assert_eq!(*given.as_bytes(), array(&case["is_block_key"], "block_key"));
    }
}

#[tokio::test]
async fn single_blocks() {
    let mut written = 0;
    for case in each(&vectors("encryption"), "blocks") {
        let (index, fork) = (number(case, "index"), number(case, "fork"));
        if index > FILLERS_MAX {
            continue;
        }
        let key = BlockKey::from_bytes(&array(case, "block_key"));
        let log = log_with(Encryption::block_key(key)).await;
        log.append_batch(vec![""; index as usize]).await.unwrap();
        if fork > 0 {
            log.truncate(index, Some(fork)).await.unwrap();
        }
        let plain = bytes(case, "plain");
        log.append(&plain).await.unwrap();
        assert_eq!(raw(&log, index).await, bytes(case, "stored"));
        assert_eq!(log.get(index).await.unwrap(), plain);
        written += 1;
    }
    assert!(written >= 15, "{written}");
}

#[tokio::test]
async fn whole_cores_are_written_to_the_same_bytes() {
    for case in each(&vectors("encryption"), "cores") {
        let note = text(case, "note");
        let log = log_with(Encryption::block_key(block_key(case))).await;
        let forks: Vec<u64> = case["forks_of_blocks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| f.as_u64().unwrap())
            .collect();
        let plain = list(case, "plain");
        for (index, block) in (0..).zip(&plain) {
            if log.fork() != forks[index as usize] {
                log.truncate(index, Some(forks[index as usize])).await.unwrap();
            }
            log.append(block).await.unwrap();
        }
        assert_eq!(log.length(), number(case, "length"), "{note}");
        assert_eq!(log.fork(), number(case, "fork"), "{note}");
        assert_eq!(log.byte_length(), number(case, "byte_length"), "{note}");
        let hash = log.tree_hash(log.length()).await.unwrap();
        assert_eq!(hash, Hash::from_bytes(array(case, "tree_hash")), "{note}");
        for (index, stored) in (0..).zip(list(case, "stored")) {
            assert_eq!(raw(&log, index).await, stored, "{note}");
            assert_eq!(log.get(index).await.unwrap(), plain[index as usize], "{note}");
        }
        let place = &case["seek"]["found"];
        let found = log.seek(number(&case["seek"], "bytes")).await.unwrap();
        assert_eq!(found, (place[0].as_u64().unwrap(), place[1].as_u64().unwrap()), "{note}");
        let blind = log.session().without_encryption().open().await.unwrap();
        assert_eq!(blind.byte_length(), number(case, "tree_byte_length"), "{note}");
    }
}

/// The keys are derived from the recorded log's own key, and its kind. Nobody can sign for it here, but a draft needs no
/// signature.
#[tokio::test]
async fn whole_cores_are_read_with_the_encryption_key() {
    let writer = PublicKey::from_bytes(array(
        &vectors("manifest")["manifests"][0]["manifest"]["signers"][0],
        "public_key",
    ));
    let mut read = 0;
    for case in each(&vectors("encryption"), "cores").filter(|case| !yes(case, "is_block_key")) {
        let (note, key) = (text(case, "note"), CoreKey::from_bytes(array(case, "key")));
        let log = Hypercore::builder(Storage::memory())
            .key(key)
            .manifest(Manifest::single(writer))
            .encryption_key(array(case, "encryption_key"));
        let log = log.open().await.unwrap();
        assert_eq!(log.info().await.unwrap().compat, yes(case, "compat"), "{note}");
        let blind = log.session().without_encryption().open().await.unwrap();
        let draft = blind.batch("recorded").open().await.unwrap();
        draft.append_batch(list(case, "stored")).await.unwrap();
        let draft = log.batch("recorded").open().await.unwrap();
        for (index, plain) in (0..).zip(list(case, "plain")) {
            assert_eq!(draft.get(index).await.unwrap(), plain, "{note}");
        }
        assert_eq!(draft.byte_length(), number(case, "byte_length"), "{note}");
        read += 1;
    }
    assert_eq!(read, 4);
}

#[tokio::test]
async fn keys_with_numbers() {
    let vectors = vectors("encryption");
    let case = &vectors["key_id_provider"];
    let entropies: Vec<(u32, [u8; 32])> = each(case, "entropies")
        .map(|entropy| (number(entropy, "id") as u32, array(entropy, "encryption_key")))
        .collect();
    let keys = |id: u64| {
        let find = |id| entropies.iter().find(|entropy| u64::from(entropy.0) == id).unwrap();
        let own = find(id);
        let keys = KeyIdEncryption::new(own.0, &own.1);
        entropies.iter().fold(keys, |keys, (id, entropy)| keys.with_key(*id, entropy))
    };
    let log = log_with(Encryption::key_ids(keys(1))).await;
    let ids = case["ids_of_blocks"].as_array().unwrap();
    let blocks = list(case, "plain").into_iter().zip(list(case, "stored"));
    for (index, (plain, stored)) in (0..).zip(blocks) {
        let keys = keys(ids[index as usize].as_u64().unwrap());
        let session = log.session().encryption(keys).open().await.unwrap();
        session.append(&plain).await.unwrap();
        assert_eq!(raw(&session, index).await, stored);
        assert_eq!(log.get(index).await.unwrap(), plain);
    }
}
