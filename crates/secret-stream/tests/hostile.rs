//! What damage and malice lead to: an error that says what was wrong, and no message behind it;
//! and how bytes are cut on the way never matters.

mod common;

use bytes::{Bytes, BytesMut};
use common::{Side, entropy};
use proptest::prelude::*;
use secret_stream::{
    HANDSHAKE_FRAME_LEN_MAX, KeyPair, Limits, MESSAGE_LEN_MAX, NoiseError, Received, Role,
    SecretStream, SendError, StreamError,
};

/// Feeds `bytes` in pieces that end at `cuts`; gives the messages, and the error if there was one.
fn receive_in_pieces(
    side: &mut Side,
    bytes: &[u8],
    cuts: &[usize],
) -> (Vec<Bytes>, Option<StreamError>) {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.push(bytes.len());
    cuts.sort_unstable();
    let (mut input, mut messages, mut start) = (BytesMut::new(), Vec::new(), 0);
    for end in cuts {
        input.extend_from_slice(&bytes[start..end]);
        start = end;
        loop {
            match side.stream.receive(&mut input, &mut side.output) {
                Ok(Some(Received::Message(message))) => messages.push(message),
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
    }
    (messages, None)
}

/// What an initiator sends in a whole conversation: handshake, header, these messages.
fn conversation(messages: &[Vec<u8>]) -> BytesMut {
    let (mut initiator, mut responder) = (Side::new(Role::Initiator), Side::new(Role::Responder));
    let mut sent = initiator.output.clone();
    initiator.deliver_to(&mut responder).unwrap();
    responder.deliver_to(&mut initiator).unwrap();
    for message in messages {
        initiator.stream.send(message, &mut initiator.output).unwrap();
    }
    sent.unsplit(initiator.output);
    sent
}

fn messages(count: impl Into<prop::collection::SizeRange>) -> impl Strategy<Value = Vec<Vec<u8>>> {
    let len = prop_oneof![0_usize..40, 100_usize..400, Just(65_536)];
    prop::collection::vec(len.prop_map(|len| vec![len as u8; len]), count)
}

proptest! {
    #[test]
    fn cuts_never_matter(sent in messages(0..8), cuts in prop::collection::vec(any::<usize>(), 0..40)) {
        let bytes = conversation(&sent);
        let mut responder = Side::new(Role::Responder);
        let (received, error) = receive_in_pieces(&mut responder, &bytes, &cuts);
        prop_assert_eq!(error, None);
        let expected: Vec<_> = sent.into_iter().filter(|message| !message.is_empty()).collect();
        prop_assert_eq!(received, expected);
    }

    /// A flipped bit in a length may promise more than comes, which is no error yet; all others
    /// are found where they are. Never is anything handed up that comes behind the flip.
    #[test]
    fn a_flipped_bit_ends_it(
        sent in messages(1..6),
        at in any::<prop::sample::Index>(),
        bit in 0_u32..8,
        cuts in prop::collection::vec(any::<usize>(), 0..10),
    ) {
        let mut bytes = conversation(&sent);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let mut responder = Side::new(Role::Responder);
        let (received, error) = receive_in_pieces(&mut responder, &bytes, &cuts);

        let mut end = 3 + 32 + 3 + 64 + 3 + 56;
        let mut is_length = at < 3 || (35..38).contains(&at) || (102..105).contains(&at);
        let mut whole = Vec::new();
        for message in &sent {
            is_length |= (end..end + 3).contains(&at);
            end += 20 + message.len();
            if end <= at && !message.is_empty() {
                whole.push(message.clone());
            }
        }
        prop_assert_eq!(received, whole);
        prop_assert!(error.is_some() || is_length, "flip at {}", at);
        if let Some(error) = error {
            let mut more = BytesMut::from(&bytes[..]);
            let output = &mut responder.output;
            prop_assert_eq!(responder.stream.receive(&mut more, output), Err(error));
            prop_assert_eq!(responder.stream.send(b"x", output), Err(SendError::Failed(error)));
            prop_assert!(!responder.stream.is_open());
        }
    }

    /// Whatever comes, from the first byte on or in the place of messages.
    #[test]
    fn garbage_is_refused(garbage in prop::collection::vec(any::<u8>(), 0..2000)) {
        for mut side in [Side::new(Role::Initiator), Side::new(Role::Responder), Side::opened_pair().0] {
            let mut input = BytesMut::from(&garbage[..]);
            if let Ok(messages) = side.receive_all(&mut input) {
                prop_assert!(messages.is_empty());
            }
        }
    }
}

fn receive(side: &mut Side, bytes: &[u8]) -> Result<Vec<Bytes>, StreamError> {
    side.receive_all(&mut BytesMut::from(bytes))
}

#[test]
fn lengths_are_judged_when_they_arrive() {
    let too_long = |len, max| Err(StreamError::FrameTooLong { len, max });
    let too_short = |len, min| Err(StreamError::FrameTooShort { len, min });

    let greatest = [0xff, 0xff, 0xff];
    for role in [Role::Initiator, Role::Responder] {
        let mut side = Side::new(role);
        assert_eq!(receive(&mut side, &greatest), too_long(0xff_ffff, HANDSHAKE_FRAME_LEN_MAX));
    }
    // The next that a responder expects behind the handshake is a header of 56 bytes.
    for (len, expected) in [(55, too_short(55, 56)), (57, too_long(57, 56))] {
        let (mut initiator, mut responder) =
            (Side::new(Role::Initiator), Side::new(Role::Responder));
        initiator.deliver_to(&mut responder).unwrap();
        responder.deliver_to(&mut initiator).unwrap();
        let mut third = initiator.output.split_to(3 + 64);
        assert_eq!(responder.receive_all(&mut third), Ok(vec![]));
        assert_eq!(receive(&mut responder, &[len, 0, 0]), expected);
    }
    for len in 0..17 {
        let (mut side, _) = Side::opened_pair();
        assert_eq!(receive(&mut side, &[len, 0, 0]), too_short(usize::from(len), 17));
    }
    let (mut side, _) = Side::opened_pair();
    assert_eq!(receive(&mut side, &greatest), Ok(vec![]), "the longest there can be is allowed");
}

#[test]
fn a_limit_counts_the_message() {
    let pair = KeyPair::from_seed(&[2; 32]);
    let limits = Limits::default().message_len_max(100);
    for (len, is_taken) in [(100, true), (101, false)] {
        let mut initiator = Side::new(Role::Initiator);
        let mut output = BytesMut::new();
        let entropy = entropy([12; 32], [22; 24]);
        let stream = SecretStream::new(Role::Responder, &pair, entropy, limits, &mut output);
        let mut responder = Side { stream, output };
        for _ in 0..2 {
            initiator.deliver_to(&mut responder).unwrap();
            responder.deliver_to(&mut initiator).unwrap();
        }
        let frame = initiator.frame(&vec![1; len]);
        let received = receive(&mut responder, &frame);
        let error = StreamError::FrameTooLong { len: 101 + 17, max: 100 + 17 };
        assert_eq!(
            received.map_err(|e| e == error),
            if is_taken { Ok(vec![vec![1; 100].into()]) } else { Err(true) }
        );
    }
}

#[test]
fn messages_left_out_repeated_or_moved_are_refused() {
    let attacks: [fn(&BytesMut, &BytesMut) -> Vec<u8>; 3] = [
        |_, second| second.to_vec(),
        |first, _| [&first[..], first].concat(),
        |first, second| [&second[..], first].concat(),
    ];
    for attack in attacks {
        let (mut initiator, mut responder) = Side::opened_pair();
        let (first, second) = (initiator.frame(b"one"), initiator.frame(b"two"));
        assert_eq!(receive(&mut responder, &attack(&first, &second)), Err(StreamError::Forged));
    }
}

/// Frames come back to who sent them.
#[test]
fn reflected_bytes_are_refused() {
    let mut initiator = Side::new(Role::Initiator);
    let mut own = initiator.output.clone();
    let error = Err(StreamError::Handshake(NoiseError::Truncated));
    assert_eq!(initiator.receive_all(&mut own), error);

    let (mut initiator, _) = Side::opened_pair();
    let mut own = initiator.frame(b"message");
    assert_eq!(initiator.receive_all(&mut own), Err(StreamError::Forged));

    let (mut initiator, mut responder) = (Side::new(Role::Initiator), Side::new(Role::Responder));
    initiator.deliver_to(&mut responder).unwrap();
    responder.deliver_to(&mut initiator).unwrap();
    let mut own_header = initiator.output.split_off(3 + 64);
    assert_eq!(initiator.receive_all(&mut own_header), Err(StreamError::WrongStream));
}

/// All that an initiator once sent, to a responder with another passing key.
#[test]
fn a_replayed_conversation_is_refused() {
    let bytes = conversation(&[b"pay 5".to_vec()]);
    let pair = KeyPair::from_seed(&[2; 32]);
    let (mut output, entropy) = (BytesMut::new(), entropy([99; 32], [22; 24]));
    let stream = SecretStream::new(Role::Responder, &pair, entropy, Limits::default(), &mut output);
    let mut responder = Side { stream, output };
    let forged = Err(StreamError::Handshake(NoiseError::Forged));
    assert_eq!(receive(&mut responder, &bytes), forged);
    assert_eq!(responder.stream.remote_public_key(), None);
    assert!(!responder.stream.is_open());
}

/// A passing key of small order would make the secret known to all.
#[test]
fn a_bad_point_is_refused() {
    for point in [[0; 32], [0xff; 32]] {
        let mut responder = Side::new(Role::Responder);
        let frame = [&[32, 0, 0], &point[..]].concat();
        let bad = Err(StreamError::Handshake(NoiseError::BadPoint));
        assert_eq!(receive(&mut responder, &frame), bad);
        assert!(responder.output.is_empty(), "not answered");
    }
}

#[test]
fn a_short_handshake_message_is_refused() {
    for len in 0..32 {
        let mut responder = Side::new(Role::Responder);
        let frame = [&[len, 0, 0], &[1; 32][..usize::from(len)]].concat();
        let truncated = Err(StreamError::Handshake(NoiseError::Truncated));
        assert_eq!(receive(&mut responder, &frame), truncated, "{len}");
    }
}

#[test]
fn misuse_changes_nothing() {
    let mut side = Side::new(Role::Responder);
    assert_eq!(side.stream.send(b"x", &mut side.output), Err(SendError::NotOpen));
    assert_eq!(side.stream.send_keep_alive(&mut side.output), Err(SendError::NotOpen));
    assert!(side.output.is_empty());

    let (mut initiator, mut responder) = Side::opened_pair();
    let long = vec![0; MESSAGE_LEN_MAX + 1];
    let too_long = Err(SendError::TooLong { len: MESSAGE_LEN_MAX + 1 });
    assert_eq!(initiator.stream.send(&long, &mut initiator.output), too_long);
    assert_eq!(initiator.stream.seal(&mut vec![0; long.len() + 20]), too_long);
    assert_eq!(initiator.stream.seal(&mut [0; 19]), Err(SendError::NoRoom));
    assert!(initiator.output.is_empty());
    initiator.stream.send(&long[1..], &mut initiator.output).unwrap();
    assert_eq!(initiator.deliver_to(&mut responder), Ok(vec![Bytes::from(long).slice(1..)]));
}

#[test]
fn nothing_secret_is_shown() {
    let (initiator, _) = Side::opened_pair();
    let shown = format!("{:?}", initiator.stream);
    let key = common::hex(initiator.stream.remote_public_key().unwrap());
    assert_eq!(
        shown,
        format!(
            "SecretStream {{ role: Initiator, remote_public_key: Some({key}), expects: \"messages\", .. }}"
        )
    );
    assert_eq!(format!("{:?}", entropy([1; 32], [2; 24])), "Entropy { .. }");
}
