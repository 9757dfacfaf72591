//! Proofs that stand alone: those that JavaScript made, those of all kinds of logs, and those that must not be believed.

mod golden;
mod served;

use bytes::Bytes;
use compact_encoding::{Decode as _, Encode as _};
use golden::{array, bytes, list, number, to_hex};
use hypercore_crypto::{CoreKey, Manifest, ManifestSigner, Prologue, discovery_key};
use hypercore_log::{Create, Log, LogError, OpenOptions};
use hypercore_merkle::{Data, VerifyError};
use hypercore_replication::{StandaloneError, StandaloneProof};
use serde_json::Value;
use served::{block, compat_writer, key_pair, manifest, reader, stores, writer, written};

fn recorded() -> Value {
    serde_json::from_str(include_str!("fixtures/proofs.json")).unwrap()
}

/// The proof of a log, through its bytes.
fn sent(log: &Log, block: Option<u64>) -> StandaloneProof {
    let proof = StandaloneProof::create(log, block).unwrap().unwrap();
    let decoded = StandaloneProof::decode(&proof.to_vec().into()).unwrap();
    assert_eq!(decoded, proof);
    decoded
}

#[test]
fn proofs_of_javascript_are_read_and_written() {
    let json = recorded();
    let key = CoreKey::from_bytes(array(&json["core"]["key"]));
    let cases = list(&json["standalone"]);
    assert_eq!(cases.len(), 3);
    for case in cases {
        let remark = &case["comment"];
        let written = Bytes::from(bytes(&case["hex"]));
        let proof = StandaloneProof::decode(&written).unwrap();
        assert_eq!(to_hex(&proof.to_vec()), to_hex(&written), "{remark}");
        assert_eq!(proof.encoded_len(), written.len(), "{remark}");
        assert_eq!(proof.discovery_key.as_bytes(), &array(&case["discoveryKey"]), "{remark}");

        let standing = proof.verify(&key, None).unwrap();
        assert_eq!(standing.tree.length(), number(&case["verifiedLength"]), "{remark}");
        let expected = case["data"]["block"].as_object();
        let expected =
            expected.map(|block| (number(&block["index"]), bytes(&block["value"]).into()));
        assert_eq!(standing.block, expected, "{remark}");
    }
}

#[test]
fn a_proof_shows_the_head_and_a_block() {
    for log in [written(1), written(6), written(13)] {
        let head = log.head();
        let whole = sent(&log, None).verify(&log.key(), None).unwrap();
        assert_eq!((whole.tree.hash(), whole.block), (head.tree_hash, None));
        for index in 0..head.length {
            let standing = sent(&log, Some(index)).verify(&log.key(), Some(&manifest())).unwrap();
            assert_eq!(standing.tree.hash(), head.tree_hash);
            assert_eq!((standing.tree.length(), standing.tree.fork()), (head.length, head.fork));
            assert_eq!(standing.block, Some((index, block(index).into())));
        }
    }
}

#[test]
fn a_proof_of_a_later_fork_or_of_a_bare_key_holds() {
    let log = compat_writer();
    log.append(&["one", "two", "three"]).unwrap();
    log.truncate(2, Some(7)).unwrap();
    let standing = sent(&log, Some(1)).verify(&log.key(), None).unwrap();
    assert_eq!((standing.tree.fork(), standing.tree.length()), (7, 2));
    assert_eq!(standing.block, Some((1, "two".into())));
}

#[test]
fn a_prologue_vouches_for_itself() {
    let source = written(4);
    let prologue = Prologue { hash: source.head().tree_hash, length: 4 };
    let manifest = Manifest::builder()
        .prologue(prologue)
        .signer(ManifestSigner::new(key_pair().public()))
        .build()
        .unwrap();
    let options = OpenOptions::new().create(Create::New).manifest(manifest.clone());
    let log = Log::open(stores(), options).unwrap();
    for index in 0..4 {
        let mut proof = sent(&source, Some(index)).proof;
        proof.manifest = Some(manifest.clone());
        proof.upgrade.as_mut().unwrap().signature = None;
        log.apply_proof(&proof).unwrap();
    }
    let standing = sent(&log, Some(3)).verify(&log.key(), None).unwrap();
    assert_eq!(standing.tree.hash(), prologue.hash);
    assert_eq!(standing.block, Some((3, block(3).into())));
}

#[test]
fn what_a_log_does_not_have_is_not_proven() {
    let log = written(3);
    log.clear(1..2).unwrap();
    assert_eq!(StandaloneProof::create(&log, Some(1)).unwrap(), None);
    assert!(matches!(
        StandaloneProof::create(&log, Some(3)),
        Err(LogError::OutOfBounds { index: 3, length: 3 })
    ));
    assert_eq!(StandaloneProof::create(&writer(), None).unwrap(), None);
    assert_eq!(StandaloneProof::create(&reader(log.key()), None).unwrap(), None);
}

#[test]
fn a_proof_of_another_log_is_none() {
    let proof = sent(&written(3), None);
    let other = CoreKey::from_bytes([9; 32]);
    let found = proof.discovery_key;
    assert_eq!(proof.verify(&other, None), Err(StandaloneError::OtherLog { found }));
    // Under its name either: the manifest does not belong to the key.
    let renamed = StandaloneProof { discovery_key: discovery_key(&other), ..proof };
    assert!(matches!(renamed.verify(&other, None), Err(StandaloneError::Proof(_))));
    assert!(matches!(renamed.verify(&other, Some(&manifest())), Err(StandaloneError::Proof(_))));
}

/// JavaScript believes any block beside an upgrade that does not lead to it.
#[test]
fn a_block_that_the_upgrade_does_not_lead_to_is_not_believed() {
    let log = written(6);
    let mut proof = sent(&log, None);
    proof.proof.block = sent(&log, Some(5)).proof.block;
    proof.proof.block.as_mut().unwrap().nodes.clear();
    let Err(StandaloneError::Proof(error)) = proof.verify(&log.key(), None) else {
        panic!("nothing vouches for the block");
    };
    assert!(matches!(*error, VerifyError::UnknownNode(_)), "{error}");
}

#[test]
fn a_proof_without_a_tree_is_none() {
    let log = written(6);
    let mut proof = sent(&log, None);
    proof.proof.upgrade = None;
    assert_eq!(proof.verify(&log.key(), None), Err(StandaloneError::NoTree));
    proof.proof.block = sent(&log, Some(5)).proof.block;
    assert!(matches!(proof.verify(&log.key(), None), Err(StandaloneError::Proof(_))));
}

/// Whatever one bit does to a proof, nothing is believed that was not signed.
#[test]
fn no_flipped_bit_changes_what_is_believed() {
    let log = written(6);
    let honest = sent(&log, Some(2));
    let truth = honest.verify(&log.key(), None).unwrap();
    let written = honest.to_vec();
    let mut refused = 0_u32;
    for bit in 0..written.len() * 8 {
        let mut spoiled = written.clone();
        spoiled[bit / 8] ^= 1 << (bit % 8);
        let spoiled = Bytes::from(spoiled);
        match StandaloneProof::decode(&spoiled).map(|proof| proof.verify(&log.key(), None)) {
            // The number of the request, and flags that nobody knows.
            Ok(Ok(standing)) => {
                assert_eq!(standing.tree, truth.tree, "bit {bit}");
                assert!(standing.block.is_none() || standing.block == truth.block, "bit {bit}");
            }
            Ok(Err(_)) | Err(_) => refused += 1,
        }
    }
    assert!(refused >= 2290, "{refused} of {}", written.len() * 8);
}

#[test]
fn bytes_that_end_early_are_no_proof() {
    let written = sent(&written(6), Some(2)).to_vec();
    for len in 0..written.len() {
        let cut = Bytes::copy_from_slice(&written[..len]);
        assert!(StandaloneProof::decode(&cut).is_err(), "{len} bytes");
    }
    let longer = Bytes::from([&written[..], &[0; 9]].concat());
    assert_eq!(StandaloneProof::decode(&longer).unwrap().to_vec(), written);
}

/// The message of a proof is one that a channel carries as well.
#[test]
fn a_proof_is_a_name_and_an_answer() {
    let log = written(6);
    let proof = sent(&log, Some(2));
    let written = proof.to_vec();
    let data = Data::from_slice(&written[32..]).unwrap();
    assert_eq!((data.request_id, data.proof), (0, proof.proof));
    assert_eq!(written[..32], *discovery_key(&log.key()).as_bytes());
}
