//! The recorded answers, taken or refused as JavaScript takes or refuses them.

mod support;

use bytes::Bytes;
use hypercore_crypto::KeyPair;
use hypercore_log::{Create, Log, LogError, OpenOptions};
use hypercore_merkle::{Data, Request, UpgradeRequest};
use hypercore_replication::Message;
use serde_json::Value;

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap();
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}

/// The core of the recording, as it was at `length`.
fn writer(core: &Value, length: usize) -> Log {
    let seed: [u8; 32] = bytes(&core["keyPairSeed"]).try_into().unwrap();
    let options = OpenOptions::new().create(Create::New).key_pair(KeyPair::from_seed(&seed));
    let log = Log::open(support::stores(), options).unwrap();
    let blocks: Vec<Vec<u8>> =
        core["blocks"].as_array().unwrap()[..length].iter().map(bytes).collect();
    if length > 0 {
        log.append(&blocks).unwrap();
    }
    log
}

/// A reader that knows the roots of the first `length` blocks and nothing else.
fn reader(core: &Value, length: u64) -> Log {
    let writer = writer(core, usize::try_from(length).unwrap());
    let reader = support::reader(writer.key());
    if length > 0 {
        let upgrade = Some(UpgradeRequest { start: 0, length });
        let request = Request { upgrade, manifest: true, ..Request::default() };
        let proof = writer.create_proof(&request).unwrap().unwrap();
        reader.apply_proofs(&[proof]).pop().unwrap().unwrap();
    }
    reader
}

fn decode(hex: &Value) -> Data {
    match Message::decode(3, &Bytes::from(bytes(hex))).unwrap().unwrap() {
        Message::Data(data) => *data,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_reader_takes_what_javascript_takes() {
    let file: Value = serde_json::from_str(include_str!("fixtures/proofs.json")).unwrap();
    let vectors = file["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 74);
    let mut taken = 0;
    for vector in vectors.iter().filter(|vector| vector["accepted"].is_boolean()) {
        let comment = &vector["comment"];
        let reader = reader(&file["core"], vector["readerLength"].as_u64().unwrap());
        let data = decode(&vector["data"]["hex"]);
        let verdict = reader.apply_proofs(std::slice::from_ref(&data.proof)).pop().unwrap();
        if vector["accepted"].as_bool().unwrap() {
            let applied = verdict.unwrap_or_else(|error| panic!("{comment}: {error:?}"));
            assert_eq!(applied.length, vector["readerLengthAfter"].as_u64().unwrap(), "{comment}");
            assert_eq!(applied.block, data.proof.block.map(|block| block.index), "{comment}");
            taken += 1;
        } else {
            assert!(matches!(verdict, Err(LogError::Proof(_))), "{comment}: {verdict:?}");
        }
    }
    assert_eq!(taken, 50);
}
