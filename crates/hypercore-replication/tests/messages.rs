//! Messages as JavaScript writes and reads them: each is read as the recorded value and written as the same bytes, and
//! what no encoder makes is read or refused as version 11 does.

mod golden;

use bytes::Bytes;
use compact_encoding::{Decode, DecodeErrorKind, Decoder, Encode};
use golden::{array, bytes, from_hex, list, text, to_hex};
use hypercore_crypto::Manifest;
use hypercore_merkle::{Data, Node, Request};
use hypercore_replication::{
    Bitfield, Handshake, Message, NoData, NoDataReason, RangeMessage, Want,
};
use serde_json::{Value, json};

fn fixture() -> Value {
    serde_json::from_str(include_str!("fixtures/messages.json")).unwrap()
}

/// What the fixture says of a message.
fn to_json(message: &Message) -> Value {
    match message {
        Message::Sync(sync) => json!({
            "fork": sync.fork,
            "length": sync.length,
            "remoteLength": sync.remote_length,
            "canUpgrade": sync.can_upgrade,
            "uploading": sync.uploading,
            "downloading": sync.downloading,
            "hasManifest": sync.has_manifest,
            "allowPush": sync.allow_push,
        }),
        Message::Request(request) => request_to_json(request),
        Message::Cancel(cancel) => json!({ "request": cancel.request_id }),
        Message::Data(data) => data_to_json(data),
        Message::NoData(no_data) => {
            let reason = match no_data.reason {
                None => 0,
                Some(NoDataReason::NotAvailable) => 1,
                Some(NoDataReason::Invalid) => 2,
                other => panic!("{other:?}"),
            };
            json!({ "request": no_data.request_id, "reason": reason })
        }
        Message::Want(want) | Message::Unwant(want) => {
            json!({ "start": want.start, "length": want.length, "any": want.any })
        }
        Message::Bitfield(bitfield) => {
            let words: Vec<u8> = bitfield.words().flat_map(u32::to_le_bytes).collect();
            let bits = json!({ "words": bitfield.words().len(), "hex": to_hex(&words) });
            json!({ "start": bitfield.start(), "bitfield": bits })
        }
        Message::Range(range) => {
            json!({ "drop": range.drop, "start": range.start, "length": range.length })
        }
        Message::Extension(extension) => {
            json!({ "name": &*extension.name, "message": to_hex(&extension.payload) })
        }
        other => panic!("{other:?}"),
    }
}

fn request_to_json(request: &Request) -> Value {
    json!({
        "id": request.id,
        "fork": request.fork,
        "block": request.block.map(|it| json!({ "index": it.index, "nodes": it.nodes })),
        "hash": request.hash.map(|it| json!({ "index": it.index.get(), "nodes": it.nodes })),
        "seek": request.seek.map(|it| json!({ "bytes": it.bytes, "padding": it.padding })),
        "upgrade": request.upgrade.map(|it| json!({ "start": it.start, "length": it.length })),
        "manifest": request.manifest,
        "priority": request.priority,
    })
}

fn data_to_json(data: &Data) -> Value {
    let proof = &data.proof;
    json!({
        "request": data.request_id,
        "fork": proof.fork,
        "block": proof.block.as_ref().map(|block| json!({
            "index": block.index,
            "value": to_hex(&block.value),
            "nodes": nodes_to_json(&block.nodes),
        })),
        "hash": proof.hash.as_ref().map(|hash| json!({
            "index": hash.index.get(),
            "nodes": nodes_to_json(&hash.nodes),
        })),
        "seek": proof.seek.as_ref().map(|seek| json!({
            "bytes": seek.bytes,
            "nodes": nodes_to_json(&seek.nodes),
        })),
        "upgrade": proof.upgrade.as_ref().map(|upgrade| json!({
            "start": upgrade.start,
            "length": upgrade.length,
            "nodes": nodes_to_json(&upgrade.nodes),
            "additionalNodes": nodes_to_json(&upgrade.additional_nodes),
            "signature": upgrade.signature.as_ref().map(|signature| to_hex(signature)),
        })),
        "manifest": proof.manifest.as_ref().map(manifest_to_json),
    })
}

fn nodes_to_json(nodes: &[Node]) -> Value {
    let node = |node: &Node| {
        json!({
            "index": node.index.get(),
            "size": node.size,
            "hash": to_hex(node.hash.as_bytes()),
        })
    };
    nodes.iter().map(node).collect()
}

fn manifest_to_json(manifest: &Manifest) -> Value {
    let signers: Value = manifest
        .signers()
        .iter()
        .map(|signer| {
            json!({
                "signature": "ed25519",
                "namespace": to_hex(signer.namespace.as_bytes()),
                "publicKey": to_hex(signer.public_key.as_bytes()),
            })
        })
        .collect();
    json!({
        "version": manifest.version(),
        "hash": "blake2b",
        "allowPatch": manifest.allow_patch(),
        "quorum": manifest.quorum(),
        "signers": signers,
        "prologue": manifest.prologue().map(|prologue| json!({
            "hash": to_hex(prologue.hash.as_bytes()),
            "length": prologue.length,
        })),
        "linked": manifest.linked().map(|linked| {
            linked.iter().map(|key| to_hex(key.as_bytes())).collect::<Vec<_>>()
        }),
        "userData": manifest.user_data().map(to_hex),
    })
}

fn handshake_to_json(handshake: &Handshake) -> Value {
    let capability = to_hex(handshake.capability.as_bytes());
    json!({ "seeks": handshake.seeks, "capability": capability })
}

/// The kind of a recorded message; `None` for the handshake.
fn kind(case: &Value) -> Option<u64> {
    case["type"].as_u64()
}

#[test]
fn recorded_messages_are_read_and_written() {
    let json = fixture();
    let mut seen = [0; 10];
    for case in list(&json["vectors"]) {
        let what = format!("{} {}", text(&case["message"]), text(&case["comment"]));
        let payload = Bytes::from(bytes(&case["hex"]));
        let Some(kind) = kind(case) else {
            let handshake = Handshake::from_slice(&payload).unwrap();
            assert_eq!(handshake_to_json(&handshake), case["value"], "{what}");
            assert_eq!(handshake.to_vec(), payload, "{what}");
            assert_eq!(handshake.encoded_len(), payload.len(), "{what}");
            continue;
        };
        let message = Message::decode(kind, &payload).unwrap().unwrap();
        assert_eq!(message.kind(), kind, "{what}");
        assert_eq!(to_json(&message), case["value"], "{what}");
        assert_eq!(message.to_vec(), payload, "{what}");
        assert_eq!(message.encoded_len(), payload.len(), "{what}");
        seen[usize::try_from(kind).unwrap()] += 1;
    }
    assert_eq!(seen, [39, 72, 10, 49, 3, 4, 4, 4, 12, 3]);
}

/// Version 10 leaves fields out when it writes, and ignores what it does not know when it reads.
#[test]
fn version_10_is_understood_and_understands() {
    let json = fixture();
    let mut compared = 0;
    for case in list(&json["vectors"]) {
        let Some(short) = case["v10Encodes"].as_str() else { continue };
        let (what, kind) = (text(&case["comment"]), kind(case).unwrap());
        if kind == 3 {
            // A manifest that it can not write.
            continue;
        }
        let short = from_hex(short);
        let message = Message::decode(kind, &Bytes::from(short.clone())).unwrap().unwrap();
        let mut expected = case["value"].clone();
        for (field, unsaid) in
            [("allowPush", json!(false)), ("any", json!(false)), ("reason", json!(0))]
        {
            if let Some(value) = expected.get_mut(field) {
                *value = unsaid;
            }
        }
        assert_eq!(to_json(&message), expected, "{what}");
        // It reads from the front, and what we write begins with what it would have written, but for the flag of a
        // sync that it ignores.
        if kind != 0 {
            assert!(bytes(&case["hex"]).starts_with(&short), "{what}");
        }
        compared += 1;
    }
    assert_eq!(compared, 21);
}

#[test]
fn what_no_encoder_makes_is_read_as_version_11_does() {
    let json = fixture();
    let (mut read, mut refused) = (0, 0);
    for case in list(&json["decodeOnly"]) {
        let what = format!("{} {}", text(&case["message"]), text(&case["comment"]));
        let payload = Bytes::from(bytes(&case["hex"]));
        let value = match kind(case) {
            Some(kind) => Message::decode(kind, &payload).map(|message| to_json(&message.unwrap())),
            None => Handshake::decode(&mut Decoder::new(&payload))
                .map(|handshake| handshake_to_json(&handshake)),
        };
        if case["v11"]["error"].is_string() {
            value.expect_err(&what);
            refused += 1;
        } else {
            assert_eq!(value.as_ref(), Ok(&case["v11"]), "{what}");
            read += 1;
        }
    }
    assert_eq!((read, refused), (14, 9));
}

#[test]
fn manifests_of_versions_0_to_3_come_with_data() {
    let json = fixture();
    for case in list(&json["manifests"]) {
        let what = text(&case["comment"]);
        let payload = [from_hex("100900"), bytes(&case["hex"])].concat();
        let message = Message::decode(3, &Bytes::from(payload.clone())).unwrap().unwrap();
        assert_eq!(message.to_vec(), payload, "{what}");
        let Message::Data(data) = message else { panic!("{what}") };
        let manifest = data.proof.manifest.unwrap();
        assert_eq!(manifest_to_json(&manifest), case["value"], "{what}");
        assert_eq!(manifest.key().as_bytes(), &array(&case["manifestHash"]), "{what}");
    }
}

#[test]
fn every_message_cut_short_is_refused_or_a_shorter_one() {
    let json = fixture();
    for case in list(&json["vectors"]) {
        let Some(kind) = kind(case) else { continue };
        let whole = Bytes::from(bytes(&case["hex"]));
        for len in 0..whole.len() {
            match Message::decode(kind, &whole.slice(..len)) {
                // Fields that older releases leave out.
                Ok(Some(Message::NoData(_) | Message::Want(_) | Message::Unwant(_))) => {}
                Ok(Some(Message::Extension(_))) => assert!(len > 0),
                Ok(message) => panic!("{message:?} from {len} bytes of {}", case["hex"]),
                Err(error) => assert_eq!(error.kind, DecodeErrorKind::UnexpectedEnd),
            }
        }
    }
}

#[test]
fn unknown_kinds_are_nothing() {
    for kind in [10, 11, 252, u64::MAX] {
        assert_eq!(Message::decode(kind, &Bytes::from_static(b"\xff\xff")), Ok(None));
    }
}

/// The blocks of a batch are not copied on their way to the store.
#[test]
fn a_block_is_a_slice_of_its_frame() {
    let json = fixture();
    let mut shared = 0;
    for case in list(&json["vectors"]) {
        if kind(case) != Some(3) {
            continue;
        }
        let frame = Bytes::from(bytes(&case["hex"]));
        let Ok(Some(Message::Data(data))) = Message::decode(3, &frame) else { panic!() };
        let Some(block) = &data.proof.block else { continue };
        if !block.value.is_empty() {
            assert!(frame.as_ptr_range().contains(&block.value.as_ptr()));
            shared += 1;
        }
    }
    assert!(shared > 5);
    let bits = Bitfield::new(0, &[1, 2, 3]).to_vec();
    let Ok(Some(Message::Bitfield(read))) = Message::decode(7, &Bytes::from(bits)) else {
        panic!()
    };
    assert_eq!(read.words().collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn lengths_and_counts_are_not_believed() {
    for (kind, payload) in [
        // Words: 2^53 - 1, then 2^32.
        (7, "00ffffffffffffff1f00"),
        (7, "00ff0000000001000000"),
        // The longest name.
        (9, "ffffffffffffff1f00"),
        (9, "fdffff"),
        // A million nodes, and a block of 2^32 bytes.
        (3, "02010003fe00001000"),
        (3, "01010005ff0000000001000000"),
    ] {
        let error = Message::decode(kind, &Bytes::from(from_hex(payload))).unwrap_err();
        assert_eq!(error.kind, DecodeErrorKind::UnexpectedEnd, "{kind} {payload}");
    }
}

#[test]
fn numbers_that_javascript_can_not_count_to_are_refused() {
    let too_large = "ffffffffffffffffff";
    for (kind, payload) in [
        (0, format!("07{too_large}0000")),
        (1, format!("0101{too_large}0000")),
        (2, too_large.to_owned()),
        (4, too_large.to_owned()),
        (5, format!("{too_large}01")),
        (6, format!("00{too_large}")),
        (8, format!("00{too_large}01")),
        (8, format!("0000{too_large}")),
    ] {
        let error = Message::decode(kind, &Bytes::from(from_hex(&payload))).unwrap_err();
        assert_eq!(error.kind, DecodeErrorKind::IntegerTooLarge, "{kind} {payload}");
    }
}

#[test]
fn odd_values_survive_a_round_trip() {
    let other = NoData { request_id: 1, reason: Some(NoDataReason::Other(7)) };
    for message in [
        Message::NoData(other),
        Message::Want(Want { start: 0, length: 0, any: true }),
        Message::Range(RangeMessage { drop: true, start: 0, length: 0 }),
        Message::Range(RangeMessage { drop: false, start: 5, length: 1 }),
        Message::Bitfield(Bitfield::new(32, &[])),
    ] {
        let payload = Bytes::from(message.to_vec());
        assert_eq!(payload.len(), message.encoded_len());
        assert_eq!(Message::decode(message.kind(), &payload), Ok(Some(message)));
    }
    let name = Message::decode(9, &Bytes::from_static(b"\x02\xff\xfehello")).unwrap().unwrap();
    let Message::Extension(extension) = name else { panic!() };
    assert_eq!((&*extension.name, &extension.payload[..]), ("\u{fffd}\u{fffd}", &b"hello"[..]));
}

#[test]
fn reasons_that_contradict_themselves_are_no_reason() {
    // The flag of a reason, and reason 0.
    let message = Message::decode(4, &Bytes::from_static(&[5, 1, 0])).unwrap().unwrap();
    assert_eq!(message, Message::NoData(NoData { request_id: 5, reason: None }));
}
