//! Every byte of three sessions of the JavaScript implementation, in both roles.

mod common;

use bytes::BytesMut;
use common::{Side, entropy, hex, unhex, unhex_array};
use secret_stream::{KeyPair, Limits, Role, SecretStream};
use serde_json::Value;

const SESSIONS: &str = include_str!("fixtures/session.json");

fn sessions() -> Vec<Value> {
    let file: Value = serde_json::from_str(SESSIONS).unwrap();
    let sessions = file["sessions"].as_array().unwrap().clone();
    assert_eq!(sessions.len(), 3);
    sessions
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_else(|| panic!("{path}"))
}

fn plaintexts(direction: &Value) -> Vec<Vec<u8>> {
    let plaintexts = direction["plaintexts"].as_array().unwrap();
    plaintexts.iter().map(|text| unhex(text.as_str().unwrap())).collect()
}

/// The header in a direction's bytes: behind the handshake frames and the stream id.
fn header(role: Role, raw: &[u8]) -> [u8; 24] {
    let handshake_len = if role == Role::Initiator { 3 + 32 + 3 + 64 } else { 3 + 96 };
    raw[handshake_len + 3 + 32..][..24].try_into().unwrap()
}

/// The side of a session that had this role, and what it sent and received.
struct Recorded {
    side: Side,
    sent: Vec<u8>,
    sent_messages: Vec<Vec<u8>>,
    received: Vec<u8>,
    received_messages: Vec<Vec<u8>>,
}

impl Recorded {
    fn new(session: &Value, role: Role) -> Self {
        let (own, sent, received) = match role {
            Role::Initiator => ("/initiator", "initiatorToResponder", "responderToInitiator"),
            Role::Responder => ("/responder", "responderToInitiator", "initiatorToResponder"),
        };
        let seed = |which: &str| unhex_array(text(session, &format!("{own}/{which}")));
        let sent_bytes = unhex(text(&session[sent], "/raw"));
        let key_pair = KeyPair::from_seed(&seed("staticSeed"));
        let entropy = entropy(seed("ephemeralSeed"), header(role, &sent_bytes));
        let mut output = BytesMut::new();
        let stream = SecretStream::new(role, &key_pair, entropy, Limits::default(), &mut output);
        Self {
            side: Side { stream, output },
            sent: sent_bytes,
            sent_messages: plaintexts(&session[sent]),
            received: unhex(text(&session[received], "/raw")),
            received_messages: plaintexts(&session[received]),
        }
    }

    /// Feeds what was received in pieces of `piece_len` bytes, then sends what was sent.
    fn replay(mut self, session: &Value, piece_len: usize) {
        let mut input = BytesMut::new();
        let mut received = Vec::new();
        for piece in self.received.chunks(piece_len) {
            input.extend_from_slice(piece);
            received.extend(self.side.receive_all(&mut input).unwrap());
        }
        assert!(input.is_empty(), "all of it was whole");
        // Empty messages are keep-alives, which are swallowed.
        self.received_messages.retain(|message| !message.is_empty());
        assert_eq!(received, self.received_messages);

        let stream = &mut self.side.stream;
        for message in &self.sent_messages {
            stream.send(message, &mut self.side.output).unwrap();
        }
        assert_eq!(hex(&self.side.output), hex(&self.sent), "every byte sent");
        let hash = stream.handshake_hash().map(hex);
        assert_eq!(hash.as_deref(), Some(text(session, "/handshakeHash")));
    }
}

fn check(piece_len: usize) {
    for session in sessions() {
        for role in [Role::Initiator, Role::Responder] {
            Recorded::new(&session, role).replay(&session, piece_len);
        }
    }
}

#[test]
fn in_one_piece() {
    check(usize::MAX);
}

#[test]
fn byte_by_byte() {
    check(1);
}

#[test]
fn in_pieces_that_cut_frames() {
    [2, 3, 17, 1000].into_iter().for_each(check);
}
