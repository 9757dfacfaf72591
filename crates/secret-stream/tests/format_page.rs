//! The format page tells the truth: its example is what the code makes and takes, and its limits
//! are those of the code.

mod common;

use bytes::{Bytes, BytesMut};
use common::{Side, hex, unhex};
use secret_stream::{
    HANDSHAKE_FRAME_LEN_MAX, HEAD_LEN, MESSAGE_LEN_MAX, PublicKey, Role, TAIL_LEN,
};

const PAGE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/format/secret-stream.md"));

/// The bytes of the block called `name`, whose lines have remarks behind two spaces.
fn block(name: &str) -> Vec<u8> {
    let fence = format!("```hex {name}\n");
    let (_, rest) = PAGE.split_once(&fence).unwrap_or_else(|| panic!("a block called {name}"));
    let (block, _) = rest.split_once("```").unwrap();
    let bytes = block.lines().map(|line| line.split("  ").next().unwrap());
    bytes.flat_map(|bytes| unhex(&bytes.replace(' ', ""))).collect()
}

fn check(name: &str, found: impl AsRef<[u8]>) {
    assert_eq!(hex(found), hex(block(name)), "{name}");
}

#[test]
fn a_conversation() {
    // The secrets of these sides are named on the page.
    let (mut initiator, mut responder) = (Side::new(Role::Initiator), Side::new(Role::Responder));
    check("first", &initiator.output);
    initiator.deliver_to(&mut responder).unwrap();
    check("second", &responder.output);
    responder.deliver_to(&mut initiator).unwrap();
    check("third", &initiator.output[..3 + 64]);
    check("initiator-header", &initiator.output[3 + 64..]);
    initiator.deliver_to(&mut responder).unwrap();
    check("responder-header", &responder.output);
    check("handshake-hash", initiator.stream.handshake_hash().unwrap());
    responder.deliver_to(&mut initiator).unwrap();
    check("message", initiator.frame(b"hello"));
    check("keep-alive", initiator.frame(b""));
}

/// The same bytes, read from the page alone.
#[test]
fn the_examples_are_taken() {
    let mut responder = Side::new(Role::Responder);
    let names = ["first", "third", "initiator-header", "message", "keep-alive"];
    let mut input: BytesMut = names.into_iter().flat_map(block).collect();
    let received = responder.receive_all(&mut input).unwrap();
    assert_eq!(received, [Bytes::from_static(b"hello")]);
}

#[test]
fn points_that_are_refused() {
    let refused = PAGE.split_once("```hex refused\n").unwrap().1.split_once("```").unwrap().0;
    assert_eq!(refused.lines().count(), 5);
    for line in refused.lines() {
        let point = unhex(line.split("  ").next().unwrap());
        let key = PublicKey::from_bytes(point.clone().try_into().unwrap());
        let pair = secret_stream::KeyPair::from_seed(&[1; 32]);
        assert!(secret_stream::Noise::ik_initiator(&pair, &key, &[2; 32], b"").is_err(), "{line}");
        let mut side = Side::new(Role::Responder);
        let mut input = BytesMut::from(&[&[32, 0, 0], &point[..]].concat()[..]);
        assert!(side.receive_all(&mut input).is_err(), "{line}");
    }
}

#[test]
fn limits() {
    let limits = [
        ("HANDSHAKE_FRAME_LEN_MAX", HANDSHAKE_FRAME_LEN_MAX),
        ("HEAD_LEN", HEAD_LEN),
        ("MESSAGE_LEN_MAX", MESSAGE_LEN_MAX),
        ("TAIL_LEN", TAIL_LEN),
    ];
    for (name, value) in limits {
        assert!(PAGE.contains(&format!("| `{name}` | {value} |")), "{name} is {value}");
    }
}
