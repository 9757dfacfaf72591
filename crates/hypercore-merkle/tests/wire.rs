//! Requests and answers as JavaScript peers exchange them: each request is answered with the same
//! bytes, and each answer is taken by a reader that knows its roots and nothing else, or refused.

mod common;

use bytes::Bytes;
use common::{Reader, Writer, blocks, bytes, core_key, full, list, number, to_hex};
use compact_encoding::{Decode, Decoder, Encode};
use hypercore_crypto::discovery_key;
use hypercore_merkle::{Data, ProveError, Request, Tree};
use serde_json::Value;

fn fixture() -> Value {
    serde_json::from_str(include_str!("fixtures/wire_proofs.json")).unwrap()
}

fn writer(json: &Value) -> Writer {
    let core = &json["core"];
    let seed: [u8; 32] = bytes(&core["keyPairSeed"]).try_into().unwrap();
    let writer = Writer::new(&seed, 0, blocks(&core["blocks"]));
    assert_eq!(writer.key, core_key(&core["key"]));
    assert_eq!(writer.signature, bytes(&core["signature"]));
    writer
}

#[test]
fn requests_are_answered_and_answers_taken_as_recorded() {
    let json = fixture();
    let writer = writer(&json);
    let (mut answered, mut refused, mut taken) = (0, 0, 0);
    for case in list(&json["vectors"]) {
        let what = case["comment"].as_str().unwrap();
        let message = bytes(&case["request"]["hex"]);
        let request = Request::from_slice(&message).unwrap();
        assert_eq!(request.to_vec(), message, "{what}");
        if case["error"].is_string() {
            writer.prove(&request).expect_err(what);
            refused += 1;
            continue;
        }
        let proof = writer.prove(&request).unwrap_or_else(|error| panic!("{what}: {error}"));
        let data = Data { request_id: request.id, proof };
        assert_eq!(to_hex(&data.to_vec()), case["data"]["hex"].as_str().unwrap(), "{what}");
        let frame = Bytes::from(data.to_vec());
        assert_eq!(Data::decode_frame(&frame), Ok(data.clone()), "{what}");
        assert_eq!(Data::from_slice(&frame), Ok(data.clone()), "{what}");
        answered += 1;

        let mut reader = Reader::new(writer.key, 0);
        let length = usize::try_from(number(&case["readerLength"])).unwrap();
        if length > 0 {
            reader.tree = full(&writer.blocks[..length], 0).0;
            reader.nodes = reader.tree.roots().iter().map(|node| (node.index, *node)).collect();
            reader.manifest = Some(writer.manifest.clone());
        }
        match case["accepted"].as_bool() {
            Some(true) => {
                reader.take(&data.proof).unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(reader.tree.length(), number(&case["readerLengthAfter"]), "{what}");
                taken += 1;
            }
            Some(false) => {
                reader.take(&data.proof).expect_err(what);
            }
            None => assert_eq!(what, "nothing but the manifest"),
        }
    }
    assert!(answered > 60 && refused > 4 && taken > 45, "{answered} {refused} {taken}");
}

#[test]
fn an_empty_core_answers_with_nothing() {
    let empty = Tree::empty(0);
    let nodes = common::Nodes::new();
    for number in [0, 1, u64::MAX] {
        let request = Request {
            upgrade: Some(hypercore_merkle::UpgradeRequest { start: 0, length: number }),
            ..Request::default()
        };
        let proof = empty.prove(&nodes, &request, None, None).unwrap();
        assert_eq!(Data { request_id: 1, proof }.to_vec(), [0, 1, 0]);
    }
    let other = Request { fork: 1, ..Request::default() };
    let error = empty.prove(&nodes, &other, None, None).unwrap_err();
    assert_eq!(error, ProveError::OtherFork { own: 0, requested: 1 });
}

#[test]
fn standalone_proofs_make_a_reader_from_the_key_alone() {
    let json = fixture();
    let writer = writer(&json);
    let cases = list(&json["standalone"]);
    assert_eq!(cases.len(), 3);
    for case in cases {
        let message = bytes(&case["hex"]);
        let mut input = Decoder::new(&message);
        let discovery = input.fixed::<32>().unwrap();
        assert_eq!(discovery, discovery_key(&writer.key).as_bytes());
        let data = Data::decode(&mut input).unwrap();
        input.finish().unwrap();
        let mut reader = Reader::new(writer.key, data.proof.fork);
        reader.take(&data.proof).unwrap();
        assert_eq!(reader.tree.length(), number(&case["verifiedLength"]));
        assert_eq!(reader.tree, writer.tree);
    }
}
