//! Every handshake of `noise.json`: bytes, state after each message, and results.

use serde_json::Value;

use super::*;
use crate::testing::{hex, text, unhex, unhex_array, vectors};

const NOISE: &str = include_str!("../../tests/fixtures/noise.json");

/// The two sides of a recorded handshake.
fn sides(handshake: &Value) -> [Noise; 2] {
    let key_pair = |side: &str| {
        let pair = KeyPair::from_seed(&unhex_array(text(&handshake[side]["staticSeed"])));
        assert_eq!(hex(pair.public()), text(&handshake[side]["staticPublicKey"]));
        pair
    };
    let (initiator, responder) = (key_pair("initiator"), key_pair("responder"));
    let initiator_seed = unhex_array(text(&handshake["initiator"]["ephemeralSeed"]));
    let responder_seed = unhex_array(text(&handshake["responder"]["ephemeralSeed"]));
    let prologue = unhex(text(&handshake["prologue"]));
    match text(&handshake["pattern"]) {
        "XX" => [
            Noise::xx(Role::Initiator, &initiator, &initiator_seed, &prologue),
            Noise::xx(Role::Responder, &responder, &responder_seed, &prologue),
        ],
        "IK" => {
            let remote = responder.public();
            [
                Noise::ik_initiator(&initiator, &remote, &initiator_seed, &prologue).unwrap(),
                Noise::ik_responder(&responder, &responder_seed, &prologue),
            ]
        }
        other => panic!("pattern {other}"),
    }
}

fn check_state(noise: &Noise, expected: &Value) {
    let (chaining, key) = noise.state.symmetric.keys();
    assert_eq!(hex(noise.state.symmetric.hash()), text(&expected["h"]));
    assert_eq!(hex(chaining), text(&expected["ck"]));
    if let Some(expected) = expected.get("k") {
        assert_eq!(key.map(hex).as_deref(), expected.as_str());
    }
}

#[test]
fn handshakes() {
    let handshakes = vectors(NOISE, "handshakes");
    assert_eq!(handshakes.len(), 6);
    for handshake in handshakes {
        let [mut writer, mut reader] = sides(&handshake);
        check_state(&writer, &handshake["afterInitialise"]);
        check_state(&reader, &handshake["afterInitialise"]);
        for message in handshake["messages"].as_array().unwrap() {
            assert!(writer.is_writer() && !reader.is_writer());
            let payload = unhex(text(&message["payload"]));
            let mut bytes = BytesMut::new();
            writer.write_message(&payload, &mut bytes).unwrap();
            assert_eq!(hex(&bytes), text(&message["bytes"]));
            assert_eq!(reader.read_message(&bytes), Ok(payload));
            if let Some(after) = message.get("after") {
                check_state(&writer, after);
                check_state(&reader, after);
            }
            std::mem::swap(&mut writer, &mut reader);
        }
        for noise in [writer, reader] {
            let result = noise.handshake().unwrap();
            let expected = &handshake["result"];
            let (send, receive, remote) = match noise.role {
                Role::Initiator => ("initiatorTx", "initiatorRx", "responder"),
                Role::Responder => ("initiatorRx", "initiatorTx", "initiator"),
            };
            assert_eq!(hex(result.send_key()), text(&expected[send]));
            assert_eq!(hex(result.receive_key()), text(&expected[receive]));
            assert_eq!(hex(result.hash()), text(&expected["handshakeHash"]));
            let remote = text(&handshake[remote]["staticPublicKey"]);
            assert_eq!(hex(result.remote_public_key()), remote);
        }
    }
}
