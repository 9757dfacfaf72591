//! Connections: what each side must know, what it is told, and what ends the connection.

mod golden;

use std::sync::Arc;

use bytes::Bytes;
use compact_encoding::{Encode, Encoder};
use golden::{array, bytes, list};
use hypercore_crypto::{CoreKey, DiscoveryKey, Hash, Side, capability, discovery_key};
use hypercore_merkle::{BlockProof, Data, Proof};
use hypercore_replication::{
    Bitfield, Cancel, Connection, ConnectionError, ConnectionEvent, EXTENSION_NAME_LEN_MAX,
    Extension, Handshake, KEPT_FRAMES_LEN_MAX, Message, Sync,
};
use protomux::{ChannelId, CloseReason, Mux, Options, Raw};
use serde_json::Value;

const HASH: [u8; 64] = [9; 64];

fn key(number: u8) -> CoreKey {
    CoreKey::from_bytes([number; 32])
}

fn pair() -> (Connection, Connection) {
    let side = |side| Connection::new(side, &HASH, Options::default());
    (side(Side::Initiator), side(Side::Responder))
}

/// Carries everything that waits on one side to the other.
fn carry(from: &mut Connection, to: &mut Connection) -> Vec<ConnectionEvent> {
    let mut events = Vec::new();
    while let Some(frame) = from.next_frame() {
        to.receive(Bytes::from(frame));
        while let Some(event) = to.next_event().unwrap() {
            events.push(event);
        }
    }
    events
}

/// Two sides with the same core open: its channel on each.
fn opened() -> (Connection, ChannelId, Connection, ChannelId) {
    let (mut left, mut right) = pair();
    let ours = left.open(&key(1)).unwrap();
    let theirs = right.open(&key(1)).unwrap();
    assert!(matches!(carry(&mut left, &mut right)[..], [ConnectionEvent::Opened { .. }]));
    assert!(matches!(carry(&mut right, &mut left)[..], [ConnectionEvent::Opened { .. }]));
    (left, ours, right, theirs)
}

fn messages(events: Vec<ConnectionEvent>) -> Vec<Message> {
    let message = |event| match event {
        ConnectionEvent::Message { message, .. } => message,
        other => panic!("{other:?}"),
    };
    events.into_iter().map(message).collect()
}

/// A side that says what it likes.
struct Liar {
    mux: Mux,
    protocol: protomux::ProtocolId,
}

impl Liar {
    fn new() -> Self {
        let mut mux = Mux::new(Options::default());
        let protocol = mux.add_protocol("hypercore/alpha", &[]);
        Self { mux, protocol }
    }

    fn open(&mut self, topic: &[u8], handshake: &[u8]) -> ChannelId {
        self.mux.open(self.protocol, topic, handshake).unwrap()
    }

    /// Opens a core as one who knows its key.
    fn open_core(&mut self, side: Side, key: &CoreKey) -> ChannelId {
        let handshake = Handshake { seeks: true, capability: capability(side, key, &HASH) };
        self.open(discovery_key(key).as_bytes(), &handshake.to_vec())
    }

    fn tell(&mut self, to: &mut Connection) -> Result<Vec<ConnectionEvent>, ConnectionError> {
        let mut events = Vec::new();
        while let Some(frame) = self.mux.next_frame() {
            to.receive(Bytes::from(frame));
            while let Some(event) = to.next_event()? {
                events.push(event);
            }
        }
        Ok(events)
    }
}

#[test]
fn recorded_capabilities_open_a_core_and_only_on_their_own_connection() {
    let json: Value = serde_json::from_str(include_str!("fixtures/capability.json")).unwrap();
    for case in list(&json["vectors"]) {
        let key = CoreKey::from_bytes(array(&case["key"]));
        let hash: [u8; 64] = array(&case["handshakeHash"]);
        let discovery_key = DiscoveryKey::from_bytes(array(&case["discoveryKey"]));
        let capability = Hash::from_bytes(array(&case["capability"]));
        let is_initiator = case["senderIsInitiator"].as_bool().unwrap();
        let (sender, receiver) = if is_initiator {
            (Side::Initiator, Side::Responder)
        } else {
            (Side::Responder, Side::Initiator)
        };

        // What we would send.
        let mut ours = Connection::new(sender, &hash, Options::default());
        ours.open(&key).unwrap();
        let frame = ours.next_frame().unwrap();
        assert!(frame.ends_with(&bytes(&case["capability"])));

        // What is recorded, taken by the other side, by the same side, and on another connection.
        let mut elsewhere = hash;
        elsewhere[63] ^= 1;
        for (side, hash, is_right) in
            [(receiver, hash, true), (sender, hash, false), (receiver, elsewhere, false)]
        {
            let mut theirs = Connection::new(side, &hash, Options::default());
            let channel = theirs.open(&key).unwrap();
            let mut liar = Liar::new();
            let handshake = Handshake { seeks: false, capability };
            liar.open(discovery_key.as_bytes(), &handshake.to_vec());
            let expected = if is_right {
                Ok(vec![ConnectionEvent::Opened { channel, discovery_key, seeks: false }])
            } else {
                Err(ConnectionError::Capability { discovery_key })
            };
            assert_eq!(liar.tell(&mut theirs), expected);
        }
    }
}

#[test]
fn a_wrong_capability_ends_the_connection_for_good() {
    let core = discovery_key(&key(1));
    let expected = capability(Side::Initiator, &key(1), &HASH);
    let right = Handshake { seeks: true, capability: expected }.to_vec();
    // One bit anywhere, and the capability of the other side sent back.
    let mut wrong: Vec<Vec<u8>> = (0..256)
        .map(|bit| {
            let mut handshake = right.clone();
            handshake[1 + bit / 8] ^= 1 << (bit % 8);
            handshake
        })
        .collect();
    let mirrored = capability(Side::Responder, &key(1), &HASH);
    wrong.push(Handshake { seeks: true, capability: mirrored }.to_vec());
    for handshake in wrong {
        let mut connection = Connection::new(Side::Responder, &HASH, Options::default());
        connection.open(&key(1)).unwrap();
        connection.open(&key(2)).unwrap();
        let mut liar = Liar::new();
        liar.open(core.as_bytes(), &handshake);
        liar.open_core(Side::Initiator, &key(2));
        let error = ConnectionError::Capability { discovery_key: core };
        assert_eq!(liar.tell(&mut connection), Err(error));
        assert_eq!(connection.next_event(), Err(error));
        // Nor does anything that is right help.
        assert_eq!(liar.tell(&mut connection), Err(error));
    }
}

#[test]
fn a_handshake_that_is_none_ends_the_connection() {
    let core = discovery_key(&key(1));
    for handshake in [&b""[..], &[1], &[1; 32], &[0xff; 40]] {
        let mut connection = Connection::new(Side::Responder, &HASH, Options::default());
        connection.open(&key(1)).unwrap();
        let mut liar = Liar::new();
        liar.open(core.as_bytes(), handshake);
        let error = liar.tell(&mut connection).unwrap_err();
        assert!(
            matches!(error, ConnectionError::Handshake { discovery_key, .. } if discovery_key == core)
        );
    }
}

#[test]
fn an_unknown_core_is_offered_and_taken_or_not() {
    let (mut left, mut right) = pair();
    let channel = left.open(&key(1)).unwrap();
    let discovery_key = discovery_key(&key(1));
    assert_eq!(carry(&mut left, &mut right), [ConnectionEvent::Offered { discovery_key }]);
    assert!(right.reject(&discovery_key));
    assert!(!right.reject(&discovery_key));
    assert_eq!(
        carry(&mut right, &mut left),
        [ConnectionEvent::Closed { channel, reason: CloseReason::Rejected }]
    );
    assert_eq!(left.send(channel, &cancel(1)), Err(protomux::SendError::Closed));

    // Once more, and now it is taken.
    let channel = left.open(&key(1)).unwrap();
    assert_eq!(carry(&mut left, &mut right), [ConnectionEvent::Offered { discovery_key }]);
    let theirs = right.open(&key(1)).unwrap();
    let opened = right.next_event().unwrap();
    assert_eq!(
        opened,
        Some(ConnectionEvent::Opened { channel: theirs, discovery_key, seeks: true })
    );
    assert_eq!(
        carry(&mut right, &mut left),
        [ConnectionEvent::Opened { channel, discovery_key, seeks: true }]
    );
    assert_eq!(left.discovery_key(channel), Some(discovery_key));
}

#[test]
fn an_offer_can_be_taken_back() {
    let (mut left, mut right) = pair();
    let channel = left.open(&key(1)).unwrap();
    let discovery_key = discovery_key(&key(1));
    assert_eq!(carry(&mut left, &mut right), [ConnectionEvent::Offered { discovery_key }]);
    left.close(channel);
    assert_eq!(carry(&mut left, &mut right), [ConnectionEvent::Withdrawn { discovery_key }]);
    assert!(!right.reject(&discovery_key));
}

/// Nobody can have a core under such a topic, so nobody is asked.
#[test]
fn a_topic_that_is_no_discovery_key_is_rejected() {
    let mut connection = Connection::new(Side::Responder, &HASH, Options::default());
    let mut liar = Liar::new();
    for len in [0, 1, 31, 33, 64] {
        liar.open(&vec![5; len], b"");
    }
    assert_eq!(liar.tell(&mut connection), Ok(vec![]));
    let mut rejected = 0;
    while let Some(frame) = connection.next_frame() {
        liar.mux.receive(Bytes::from(frame));
        while let Some(event) = liar.mux.next_event().unwrap() {
            assert!(matches!(event, protomux::Event::Closed { reason: CloseReason::Rejected, .. }));
            rejected += 1;
        }
    }
    assert_eq!(rejected, 5);
}

fn cancel(request_id: u64) -> Message {
    Message::Cancel(Cancel { request_id })
}

#[test]
fn many_cores_share_a_connection() {
    let (mut left, mut right) = pair();
    left.cork();
    let ours: Vec<_> = (0..100).map(|core| left.open(&key(core)).unwrap()).collect();
    left.uncork();
    // In another order, so that the numbers of the two sides differ.
    let mut theirs: Vec<_> = (0..100).rev().map(|core| right.open(&key(core)).unwrap()).collect();
    theirs.reverse();
    assert_eq!(carry(&mut left, &mut right).len(), 100);
    assert_eq!(carry(&mut right, &mut left).len(), 100);

    left.cork();
    for (core, channel) in ours.iter().enumerate() {
        left.send(*channel, &cancel(core as u64)).unwrap();
    }
    left.uncork();
    let events = carry(&mut left, &mut right);
    let expected: Vec<_> = theirs
        .iter()
        .enumerate()
        .map(|(core, channel)| ConnectionEvent::Message {
            channel: *channel,
            message: cancel(core as u64),
        })
        .collect();
    assert_eq!(events, expected);

    // One of them ends; the others stay.
    right.close(theirs[50]);
    let reason = CloseReason::Closed;
    assert_eq!(
        carry(&mut right, &mut left),
        [ConnectionEvent::Closed { channel: ours[50], reason }]
    );
    left.send(ours[51], &cancel(1)).unwrap();
    assert_eq!(carry(&mut left, &mut right).len(), 1);
    // And can come again.
    left.open(&key(50)).unwrap();
    right.open(&key(50)).unwrap();
    assert_eq!(carry(&mut left, &mut right).len(), 1);
}

#[test]
fn every_kind_of_message_crosses() {
    let (mut left, channel, mut right, theirs) = opened();
    let name: Arc<str> = Arc::from("chat");
    let sent = [
        Message::Sync(Sync { can_upgrade: true, length: 3, ..Sync::default() }),
        Message::Request(hypercore_merkle::Request { id: 7, manifest: true, ..Default::default() }),
        cancel(7),
        Message::Data(Box::default()),
        Message::Bitfield(Bitfield::new(64, &[1, u32::MAX])),
        Message::Extension(Extension { name, payload: Bytes::from_static(b"hello") }),
    ];
    for message in &sent {
        left.send(channel, message).unwrap();
    }
    let events = carry(&mut left, &mut right);
    for (event, message) in events.iter().zip(&sent) {
        let expected = ConnectionEvent::Message { channel: theirs, message: message.clone() };
        assert_eq!(event, &expected);
    }
    assert_eq!(events.len(), sent.len());
}

#[test]
fn a_message_that_can_not_be_decoded_ends_the_connection() {
    let mut connection = Connection::new(Side::Responder, &HASH, Options::default());
    connection.open(&key(1)).unwrap();
    let mut liar = Liar::new();
    let channel = liar.open_core(Side::Initiator, &key(1));
    assert_eq!(liar.tell(&mut connection).unwrap().len(), 1);
    // A kind that does not exist is nothing, also in the middle of others.
    liar.mux.send(channel, 10, &Raw(b"\xff")).unwrap();
    liar.mux.send(channel, 2, &Raw(b"\x01")).unwrap();
    assert_eq!(messages(liar.tell(&mut connection).unwrap()), [cancel(1)]);
    liar.mux.send(channel, 0, &Raw(b"\x07\x00\x0a")).unwrap();
    let error = liar.tell(&mut connection).unwrap_err();
    assert!(matches!(error, ConnectionError::Message { kind: 0, .. }));
    assert_eq!(connection.next_event(), Err(error));
}

fn say(name: &str, payload: &'static [u8]) -> Message {
    Message::Extension(Extension { name: Arc::from(name), payload: Bytes::from_static(payload) })
}

/// An empty name stands for the one before: in each direction and on each channel for itself, and also where nobody
/// listens to that name.
#[test]
fn the_name_of_an_extension_is_not_repeated() {
    let (mut left, channel, mut right, theirs) = opened();
    let second = left.open(&key(2)).unwrap();
    right.open(&key(2)).unwrap();
    carry(&mut left, &mut right);
    carry(&mut right, &mut left);

    let mut frame_len = |channel, message: &Message| {
        left.send(channel, message).unwrap();
        let frame = left.next_frame().unwrap();
        let len = frame.len();
        right.receive(Bytes::from(frame));
        let mut events = Vec::new();
        while let Some(event) = right.next_event().unwrap() {
            events.push(event);
        }
        assert_eq!(messages(events), std::slice::from_ref(message));
        len
    };
    let first = frame_len(channel, &say("chat", b"1"));
    assert_eq!(frame_len(channel, &say("chat", b"2")), first - 4);
    // Other messages in between change nothing.
    frame_len(channel, &cancel(1));
    assert_eq!(frame_len(channel, &say("chat", b"3")), first - 4);
    // Another channel has its own memory.
    assert_eq!(frame_len(second, &say("chat", b"1")), first);
    assert_eq!(frame_len(channel, &say("quiz", b"4")), first);
    assert_eq!(frame_len(channel, &say("chat", b"5")), first);

    // So has the other direction.
    right.send(theirs, &say("chat", b"1")).unwrap();
    assert_eq!(messages(carry(&mut right, &mut left)), [say("chat", b"1")]);
}

#[test]
fn a_long_name_is_dropped_and_so_is_what_repeats_it() {
    let mut connection = Connection::new(Side::Responder, &HASH, Options::default());
    connection.open(&key(1)).unwrap();
    let mut liar = Liar::new();
    let channel = liar.open_core(Side::Initiator, &key(1));
    let mut tell = |name: &str| {
        let mut payload = Encoder::new();
        payload.string(name);
        liar.mux.send(channel, 9, &Raw(payload.as_slice())).unwrap();
        let events = liar.tell(&mut connection).unwrap();
        let named = events.into_iter().filter(|it| !matches!(it, ConnectionEvent::Opened { .. }));
        messages(named.collect())
    };
    let longest = "n".repeat(EXTENSION_NAME_LEN_MAX);
    // Before any name, an empty one is the name.
    assert_eq!(tell(""), [say("", b"")]);
    assert_eq!(tell(&longest), [say(&longest, b"")]);
    assert_eq!(tell(""), [say(&longest, b"")]);
    assert_eq!(tell(&"n".repeat(EXTENSION_NAME_LEN_MAX + 1)), []);
    assert_eq!(tell(""), []);
    assert_eq!(tell("a"), [say("a", b"")]);
    assert_eq!(tell(""), [say("a", b"")]);
}

fn block(len: usize) -> Message {
    let value = Bytes::from(vec![7; len]);
    let block = Some(BlockProof { index: 0, value, nodes: vec![] });
    Message::Data(Box::new(Data { request_id: 1, proof: Proof { block, ..Proof::default() } }))
}

fn value(event: ConnectionEvent) -> Bytes {
    match event {
        ConnectionEvent::Message { message: Message::Data(data), .. } => {
            data.proof.block.unwrap().value
        }
        other => panic!("{other:?}"),
    }
}

/// A peer that sends large frames with one small block in each keeps them alive only up to a limit, however many
/// blocks are waiting to be stored.
#[test]
fn blocks_keep_a_limited_amount_of_frames_alive() {
    let (mut left, channel, mut right, _) = opened();
    let junk = say("nobody listens", &[0; 64 * 1024 - 200]);
    let mut kept = Vec::new();
    let mut shared = 0;
    for _ in 0..64 {
        left.cork();
        left.send(channel, &block(10)).unwrap();
        left.send(channel, &junk).unwrap();
        left.uncork();
        while let Some(frame) = left.next_frame() {
            let frame = Bytes::from(frame);
            let place = frame.as_ptr_range();
            right.receive(frame);
            while let Some(event) = right.next_event().unwrap() {
                if matches!(&event, ConnectionEvent::Message { message: Message::Data(_), .. }) {
                    let value = value(event);
                    shared += usize::from(place.contains(&value.as_ptr()));
                    kept.push(value);
                }
            }
        }
    }
    assert_eq!(kept.len(), 64);
    let frame_len = 64 * 1024;
    assert!(shared >= KEPT_FRAMES_LEN_MAX / frame_len, "{shared}");
    assert!(shared <= KEPT_FRAMES_LEN_MAX / frame_len + 3, "{shared}");

    // Once they are stored, the next are slices again.
    kept.clear();
    left.send(channel, &block(10)).unwrap();
    let frame = Bytes::from(left.next_frame().unwrap());
    let place = frame.as_ptr_range();
    right.receive(frame);
    let event = right.next_event().unwrap().unwrap();
    assert!(place.contains(&value(event).as_ptr()));
}

#[test]
fn what_is_sent_together_travels_in_one_frame() {
    let (mut left, channel, mut right, _) = opened();
    left.cork();
    for id in 0..20 {
        left.send(channel, &cancel(id)).unwrap();
    }
    assert!(left.queued_len() > 0);
    left.flush();
    left.send(channel, &cancel(20)).unwrap();
    left.uncork();
    let first = left.next_frame().unwrap();
    let second = left.next_frame().unwrap();
    assert!(left.next_frame().is_none());
    right.receive(Bytes::from(first));
    let mut ids = 0;
    // It can be stopped in the middle.
    assert!(right.next_event().unwrap().is_some());
    while right.next_event().unwrap().is_some() {
        ids += 1;
    }
    assert_eq!(ids, 19);
    right.receive(Bytes::from(second));
    assert!(right.next_event().unwrap().is_some());
    assert!(right.next_event().unwrap().is_none());
}

#[test]
fn too_much_for_an_undecided_core_pauses_the_connection() {
    let mut connection = Connection::new(Side::Responder, &HASH, Options::default());
    let mut liar = Liar::new();
    let channel = liar.open_core(Side::Initiator, &key(1));
    for id in 0..100 {
        liar.mux.send(channel, 2, &Raw(&[id])).unwrap();
    }
    assert_eq!(liar.tell(&mut connection).unwrap().len(), 1);
    assert!(connection.is_paused());
    let theirs = connection.open(&key(1)).unwrap();
    let mut received = Vec::new();
    while let Some(event) = connection.next_event().unwrap() {
        received.push(event);
    }
    assert!(!connection.is_paused());
    received.extend(liar.tell(&mut connection).unwrap());
    assert_eq!(received.len(), 101);
    let opened = ConnectionEvent::Opened {
        channel: theirs,
        discovery_key: discovery_key(&key(1)),
        seeks: true,
    };
    assert_eq!(received.remove(0), opened);
    let expected: Vec<_> = (0..100).map(cancel).collect();
    assert_eq!(messages(received), expected);
}

#[test]
fn a_connection_shows_no_keys() {
    let (connection, ..) = opened();
    let shown = format!("{connection:?}");
    assert!(shown.contains("Initiator") && !shown.contains("0909") && !shown.contains("9, 9"));
}
