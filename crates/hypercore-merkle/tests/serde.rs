//! What serde reads and writes of proofs, and what it refuses.
#![cfg(feature = "serde")]

mod common;

use common::Writer;
use compact_encoding::{Decode as _, Encode as _};
use hypercore_merkle::{
    BlockRequest, Data, HashRequest, Node, Proof, Request, SeekRequest, UpgradeRequest,
};
use proptest::prelude::*;
use serde_json::{Value, from_value, json, to_value};

fn blocks() -> Vec<Vec<u8>> {
    (0_u8..40).map(|number| vec![number; usize::from(number) % 5]).collect()
}

fn request() -> impl Strategy<Value = Request> {
    let some = proptest::option::of;
    (some(0_u64..40), some(0_u64..70), some(0_u64..70), any::<bool>(), any::<bool>()).prop_map(
        |(block, hash, seek, upgrade, manifest)| Request {
            block: block.map(|index| BlockRequest { index, nodes: 2 }),
            hash: hash.map(|index| HashRequest { index: flat_tree::Index::new(index), nodes: 1 }),
            seek: seek.map(|bytes| SeekRequest { bytes, padding: 0 }),
            upgrade: upgrade.then_some(UpgradeRequest { start: 0, length: 40 }),
            manifest,
            ..Request::default()
        },
    )
}

proptest! {
    #[test]
    fn a_proof_is_the_same_after_json(request in request()) {
        let source = Writer::new(&[7; 32], 0, blocks());
        let Ok(proof) = source.prove(&request) else { return Ok(()) };
        let form = to_value(&proof).unwrap();
        prop_assert_eq!(from_value::<Proof>(form).unwrap(), proof.clone());
        // Its parts by themselves.
        macro_rules! part {
            ($field:ident) => {
                if let Some(part) = &proof.$field {
                    let again = from_value(to_value(part).unwrap()).unwrap();
                    prop_assert_eq!(Some(again), proof.$field.clone());
                }
            };
        }
        part!(block);
        part!(hash);
        part!(seek);
        part!(upgrade);
        part!(manifest);
    }
}

fn proof() -> (Proof, Value) {
    let source = Writer::new(&[7; 32], 0, blocks());
    let request = Request {
        block: Some(BlockRequest { index: 11, nodes: 0 }),
        upgrade: Some(UpgradeRequest { start: 0, length: 40 }),
        manifest: true,
        ..Request::default()
    };
    let proof = source.prove(&request).unwrap();
    let form = to_value(&proof).unwrap();
    (proof, form)
}

#[test]
fn a_proof_reads_like_one() {
    let (proof, form) = proof();
    assert_eq!(form["block"]["index"], json!(11));
    assert_eq!(form["block"]["value"], json!("0b"));
    assert_eq!(form["upgrade"]["length"], json!(40));
    assert_eq!(form["hash"], json!(null));
    let node = &proof.upgrade.as_ref().unwrap().nodes[0];
    let shown =
        json!({ "index": node.index.get(), "size": node.size, "hash": node.hash.to_string() });
    assert_eq!(form["upgrade"]["nodes"][0], shown);
}

#[test]
fn what_no_message_holds_is_refused() {
    let (_, form) = proof();
    let many = vec![form["upgrade"]["nodes"][0].clone(); 100_000];
    let many = json!(many);
    type Spoil = Box<dyn Fn(&mut Value)>;
    let wrong: Vec<Spoil> = vec![
        Box::new(|form| form["fork"] = json!(1_u64 << 53)),
        Box::new(|form| form["block"]["index"] = json!(1_u64 << 53)),
        Box::new(|form| form["block"]["value"] = json!("0")),
        Box::new(|form| form["block"]["nodes"] = json!(null)),
        Box::new(|form| form["upgrade"]["nodes"][0]["size"] = json!(u64::MAX)),
        Box::new(|form| form["upgrade"]["signature"] = json!("")),
        Box::new(|form| form["manifest"]["version"] = json!(9)),
        Box::new(|form| form["more"] = json!(1)),
        Box::new(move |form| form["upgrade"]["nodes"] = many.clone()),
    ];
    for (number, spoil) in wrong.iter().enumerate() {
        let mut form = form.clone();
        spoil(&mut form);
        assert!(from_value::<Proof>(form).is_err(), "{number}");
    }
}

#[test]
fn json_and_messages_hold_the_same_proofs() {
    let (proof, form) = proof();
    let message = Data { request_id: 0, proof }.to_vec();
    assert_eq!(Data::from_slice(&message).unwrap().proof, from_value::<Proof>(form).unwrap());
    let node = json!({ "index": 4, "size": 5, "hash": "01".repeat(32) });
    assert_eq!(from_value::<Node>(node).unwrap().index.get(), 4);
}
