//! What serde makes of what a log tells: JSON with hex digits, and back.
#![cfg(feature = "serde")]

use hypercore::{
    Appended, BackupReport, Hypercore, Info, Manifest, Proof, ProofRequest, RemoteProof, Storage,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

async fn log() -> Hypercore {
    let log = Hypercore::builder(Storage::memory()).seed(&[7; 32]).open().await.unwrap();
    log.append_batch(["zero", "one", "two"]).await.unwrap();
    log
}

/// Through JSON and back, and what the JSON is.
fn json_of<T: Serialize + DeserializeOwned>(value: &T) -> Value {
    let text = serde_json::to_string(value).unwrap();
    let again: T = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), text);
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn info_is_json_with_hex_digits() {
    let log = log().await;
    let info = log.info().await.unwrap();
    let json = json_of(&info);
    assert_eq!(json["key"], log.key().to_string());
    assert_eq!(json["discovery_key"], log.discovery_key().to_string());
    assert_eq!(json["tree_hash"], info.tree_hash.to_string());
    assert_eq!((&json["length"], &json["byte_length"]), (&json!(3), &json!(10)));
    assert_eq!((&json["writable"], &json["needs_confirmation"]), (&json!(true), &json!(false)));
    assert_eq!(json["storage"]["data"], info.storage.data);
    assert_eq!(json["storage"]["total"], info.storage.total());
    assert_eq!(json["manifest"]["quorum"], 1);
    let manifest: Manifest = serde_json::from_value(json["manifest"].clone()).unwrap();
    assert_eq!(Some(manifest), info.manifest);
    let again: Info = serde_json::from_value(json).unwrap();
    assert_eq!((again.key, again.storage), (info.key, info.storage));
    assert!(!format!("{again:?}").is_empty());
}

#[tokio::test]
async fn what_calls_give_is_json() {
    let log = log().await;
    let appended = log.append("three").await.unwrap();
    assert_eq!(json_of(&appended), json!({ "first": 3, "length": 4, "byte_length": 15 }));
    let again: Appended = serde_json::from_value(json_of(&appended)).unwrap();
    assert_eq!(again, appended);

    let scratch = tempfile::tempdir().unwrap();
    let report = log.backup(scratch.path()).await.unwrap();
    let again: BackupReport = serde_json::from_value(json_of(&report)).unwrap();
    assert_eq!(again, report);
    let purged = log.purge().await.unwrap();
    assert_eq!(json_of(&purged)["bytes_freed"], purged.bytes_freed);
}

#[tokio::test]
async fn proofs_are_json_and_hold_afterwards() {
    let log = log().await;
    let request = ProofRequest::new().upgrade(0..3).manifest().block(1);
    let proof = log.create_proof(&request).await.unwrap().unwrap();
    let json = json_of(&proof);
    assert_eq!(json["block"]["value"], "6f6e65");
    assert_eq!((&json["fork"], &json["upgrade"]["length"]), (&json!(0), &json!(3)));
    let again: Proof = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(again, proof);
    let copy = Hypercore::builder(Storage::memory()).key(log.key()).open().await.unwrap();
    copy.apply_proof(&again).await.unwrap();
    assert_eq!(copy.get(1).await.unwrap(), "one");

    let remote = log.remote_proof(Some(2)).await.unwrap().unwrap();
    let json = json_of(&remote);
    assert_eq!(json["discovery_key"], log.discovery_key().to_string());
    assert_eq!(json["proof"]["block"]["value"], "74776f");
    let again: RemoteProof = serde_json::from_value(json).unwrap();
    assert_eq!(again.encode(), remote.encode());
    assert_eq!(again.verify(&log.key(), None).unwrap().length, 3);
}

#[tokio::test]
async fn json_that_is_no_proof_is_refused() {
    let log = log().await;
    let request = ProofRequest::new().upgrade(0..3).block(1);
    let proof = json_of(&log.create_proof(&request).await.unwrap().unwrap());
    let mut spoiled = Vec::new();
    for (place, value) in [
        ("/block/value", json!("6f6e6")),
        ("/block/nodes/0/hash", json!("00")),
        ("/block/nodes/0/size", json!(1_u64 << 60)),
        ("/upgrade/start", json!(-1)),
        ("/fork", json!(u64::MAX)),
    ] {
        let mut json = proof.clone();
        *json.pointer_mut(place).unwrap() = value;
        spoiled.push(json);
    }
    let mut more = proof.clone();
    more["more"] = json!(1);
    let node = proof["block"]["nodes"][0].clone();
    let mut many = proof;
    many["block"]["nodes"] = vec![node; 300].into();
    spoiled.extend([more, many, json!(null), json!({})]);
    for json in spoiled {
        let error = serde_json::from_value::<Proof>(json.clone());
        assert!(error.is_err(), "{json}");
        let json = json!({ "discovery_key": "00".repeat(32), "proof": json });
        assert!(serde_json::from_value::<RemoteProof>(json).is_err());
    }
}
