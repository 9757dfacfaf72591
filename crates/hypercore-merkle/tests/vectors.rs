//! Proofs as JavaScript makes and takes them, byte for byte, those to be refused included.

mod common;

use common::{
    Reader, Writer, blocks, bytes, core_key, decode, encode, from_hex, full, list, merkle_json,
    node, number, to_hex,
};
use compact_encoding::Decode;
use flat_tree::Index;
use hypercore_crypto::{CoreKey, Manifest};
use hypercore_merkle::{
    BlockRequest, HashRequest, Request, SeekRequest, UpgradeRequest, VerifyError,
};
use serde_json::Value;

fn request(value: &Value) -> Request {
    let part = |name: &str| Some(&value[name]).filter(|part| !part.is_null());
    Request {
        block: part("block").map(|block| BlockRequest {
            index: number(&block["index"]),
            nodes: number(&block["nodes"]),
        }),
        hash: part("hash").map(|hash| HashRequest {
            index: Index::new(number(&hash["index"])),
            nodes: number(&hash["nodes"]),
        }),
        seek: part("seek").map(|seek| SeekRequest {
            bytes: number(&seek["bytes"]),
            padding: seek["padding"].as_u64().unwrap_or(0),
        }),
        upgrade: part("upgrade").map(|upgrade| UpgradeRequest {
            start: number(&upgrade["start"]),
            length: number(&upgrade["length"]),
        }),
        ..Request::default()
    }
}

fn proving_writer(vectors: &Value) -> Writer {
    let seed: [u8; 32] = bytes(&vectors["seed"]).try_into().unwrap();
    let writer = Writer::new(&seed, 0, blocks(&vectors["blocks"]));
    assert_eq!(writer.key, core_key(&vectors["key"]));
    assert_eq!(writer.signature, bytes(&vectors["signature"]));
    assert_eq!(to_hex(writer.tree.hash().as_bytes()), vectors["tree_hash"].as_str().unwrap());
    writer
}

#[test]
fn proofs_are_made_as_recorded() {
    let vectors = &merkle_json()["proof_generation"];
    let writer = proving_writer(vectors);
    let (mut made, mut refused) = (0, 0);
    for case in list(&vectors["proofs"]) {
        match case["data"].as_str() {
            Some(expected) => {
                let proof = writer.prove(&request(&case["request"])).unwrap();
                assert_eq!(decode(&from_hex(expected)), proof, "{}", case["request"]);
                assert_eq!(to_hex(&encode(proof)), expected, "{}", case["request"]);
                made += 1;
            }
            None => {
                writer.prove(&request(&case["request"])).unwrap_err();
                refused += 1;
            }
        }
    }
    assert_eq!(made + refused, 61);
    assert!(refused >= 7);
}

#[test]
fn seeks_below_later_roots_are_answered_as_version_10_does() {
    let vectors = &merkle_json()["proof_generation"];
    let writer = proving_writer(vectors);
    let cases = list(&vectors["seeks_below_later_roots"]);
    assert_eq!(cases.len(), 8);
    for case in cases {
        let proof = writer.prove(&request(&case["request"])).unwrap();
        assert_eq!(to_hex(&encode(proof)), case["data"].as_str().unwrap(), "{}", case["request"]);
        // What version 11 sends instead is another, equally true proof.
        if let Some(other) = case["version_11_data"].as_str().filter(|data| *data != "the same") {
            let mut reader = Reader::new(writer.key, 0);
            let upgrade = UpgradeRequest { start: 0, length: writer.tree.length() };
            let whole = Request { upgrade: Some(upgrade), manifest: true, ..Request::default() };
            reader.take(&writer.prove(&whole).unwrap()).unwrap();
            reader.take(&decode(&from_hex(other))).unwrap();
        }
    }
}

#[test]
fn proofs_are_taken_and_refused_as_recorded() {
    let json = merkle_json();
    let (mut applied, mut refused, mut ignored) = (0, 0, 0);
    for case in list(&json["verification"]) {
        assert_eq!(case["reader_starts_with"], "only the key");
        let mut reader = Reader::new(core_key(&case["key"]), 0);
        for step in list(&case["steps"]) {
            let what = format!("{}: {}", case["name"], step["note"]);
            let message = bytes(&step["data"]);
            let before = reader.clone();
            let proof = decode(&message);
            assert_eq!(encode(proof.clone()), message, "{what}");
            let result = reader.take(&proof);
            match step["result"].as_str().unwrap() {
                "applied" => {
                    result.unwrap_or_else(|error| panic!("{what}: {error}"));
                    applied += 1;
                }
                "refused" => {
                    let error = result.expect_err(&what);
                    assert!(!error.is_local() && !error.is_other_fork(), "{what}: {error}");
                    refused += 1;
                }
                "ignored" => {
                    assert!(result.expect_err(&what).is_other_fork(), "{what}");
                    ignored += 1;
                }
                other => panic!("{other}"),
            }
            if step["after"] == "unchanged" {
                assert_eq!(reader.tree, before.tree, "{what}");
                assert_eq!(reader.blocks, before.blocks, "{what}");
            } else {
                reader.check(&step["after"], &what);
            }
            if step["result"] != "applied" {
                assert_eq!(reader, before, "{what}");
            }
        }
    }
    assert!(applied > 50 && refused > 100 && ignored > 10, "{applied} {refused} {ignored}");
}

#[test]
fn a_wrong_size_with_the_right_hash_is_refused() {
    let json = merkle_json();
    for case in list(&json["known_defects"]) {
        let mut reader = Reader::new(core_key(&case["key"]), 0);
        for message in list(&case["setup"]) {
            reader.take(&decode(&bytes(message))).unwrap();
        }
        let stored = node(&case["node_before"]);
        assert_eq!(reader.nodes[&stored.index], stored);
        let before = reader.clone();
        let error = reader.take(&decode(&bytes(&case["data"]))).unwrap_err();
        let claimed = number(&case["node_after_in_package"]["size"]);
        assert_eq!(
            error,
            VerifyError::SizeMismatch { index: stored.index, stored: stored.size, claimed }
        );
        assert_eq!(reader, before);
        assert_eq!(case["wanted"], "refused");
    }
}

#[test]
fn reorgs_go_as_recorded() {
    let json = merkle_json();
    let cases = list(&json["reorgs"]);
    assert_eq!(cases.len(), 4);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let mut reader = Reader::new(core_key(&case["key"]), 0);
        for message in list(&case["setup"]) {
            reader.take(&decode(&bytes(message))).unwrap();
        }
        reader.check(&case["reader_before"], name);

        let tampered = decode(&bytes(&case["tampered_first_proof"]["data"]));
        reader.start_reorg(&tampered).unwrap_err();

        let steps = list(&case["steps"]);
        let first = decode(&bytes(&steps[0]["data"]));
        assert!(reader.verify(&first).unwrap_err().is_other_fork());
        let mut reorg = reader.start_reorg(&first).unwrap();
        for (at, step) in steps.iter().enumerate() {
            if at > 0 {
                let asked = request(&step["request"]).hash.unwrap();
                let want = reorg.want().unwrap().clone();
                let block = asked.index.block().unwrap();
                assert!(want.blocks.contains(&block), "{name} {at}");
                assert_eq!(want.request(block).hash, Some(asked), "{name} {at}");
                reorg.feed(&reader.nodes, &decode(&bytes(&step["data"]))).unwrap();
            }
            assert_eq!(reorg.ancestors(), number(&step["ancestors"]), "{name} {at}");
            match reorg.want() {
                None => assert!(step["want"].is_null(), "{name} {at}"),
                Some(want) => {
                    assert_eq!(want.blocks.start, number(&step["want"]["start"]), "{name} {at}");
                    assert_eq!(want.blocks.end, number(&step["want"]["end"]), "{name} {at}");
                    assert_eq!(want.nodes, number(&step["want"]["nodes"]), "{name} {at}");
                }
            }
        }
        reader.store(reorg.finish().unwrap());
        assert_eq!(case["applied"], true);
        reader.check(&case["reader_after"], name);
    }
}

#[test]
fn patched_signatures_are_verified_as_recorded() {
    let json: Value =
        serde_json::from_str(include_str!("fixtures/patched_signatures.json")).unwrap();
    let all = blocks(&json["patched_blocks"]);
    let cases = list(&json["patched_signatures"]);
    assert!(cases.len() > 20);
    for case in cases {
        let manifest = Manifest::from_slice(&bytes(&case["manifest"])).unwrap();
        let key: CoreKey = core_key(&case["key"]);
        let length = usize::try_from(number(&case["length"])).unwrap();
        let (tree, _) = full(&all[..length], number(&case["fork"]));
        let valid = manifest.verify(&key, &tree, &bytes(&case["signature"])).is_ok();
        assert_eq!(valid, case["valid"].as_bool().unwrap(), "{}", case["note"]);
    }
}
