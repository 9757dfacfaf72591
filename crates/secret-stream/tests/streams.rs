//! What two sides can do with each other.

mod common;

use bytes::{Bytes, BytesMut};
use common::{Side, unhex, unhex_array};
use secret_stream::{
    HEAD_LEN, Handshake, KeyPair, Limits, Noise, NoiseError, Received, Role, SecretStream, TAIL_LEN,
};

#[test]
fn both_sides_agree_on_who_is_who() {
    let (initiator, responder) = Side::opened_pair();
    let (initiator, responder) = (initiator.stream, responder.stream);
    assert_eq!(initiator.handshake_hash(), responder.handshake_hash());
    assert_eq!(initiator.remote_public_key(), Some(KeyPair::from_seed(&[2; 32]).public()));
    assert_eq!(responder.remote_public_key(), Some(KeyPair::from_seed(&[1; 32]).public()));
    assert_eq!((initiator.role(), responder.role()), (Role::Initiator, Role::Responder));
}

/// The initiator can send behind the third message, before it has heard anything more.
#[test]
fn messages_may_follow_the_handshake_at_once() {
    let (mut initiator, mut responder) = (Side::new(Role::Initiator), Side::new(Role::Responder));
    initiator.deliver_to(&mut responder).unwrap();
    let mut answer = responder.output.split();
    let opened = initiator.stream.receive(&mut answer, &mut initiator.output);
    assert_eq!(opened, Ok(Some(Received::Opened)));
    initiator.stream.send(b"early", &mut initiator.output).unwrap();

    let mut input = initiator.output.split();
    let mut receive = || responder.stream.receive(&mut input, &mut responder.output).unwrap();
    assert_eq!(receive(), Some(Received::Opened));
    assert_eq!(receive(), Some(Received::Message(Bytes::from_static(b"early"))));
    assert_eq!(receive(), None);
    assert!(input.is_empty());
}

#[test]
fn keep_alives_take_20_bytes_and_are_swallowed() {
    let (mut initiator, mut responder) = Side::opened_pair();
    initiator.stream.send(b"before", &mut initiator.output).unwrap();
    let before = initiator.output.len();
    for _ in 0..3 {
        initiator.stream.send_keep_alive(&mut initiator.output).unwrap();
    }
    assert_eq!(initiator.output.len(), before + 3 * 20);
    initiator.stream.send(b"behind", &mut initiator.output).unwrap();
    let received = initiator.deliver_to(&mut responder);
    assert_eq!(received, Ok(vec![Bytes::from_static(b"before"), Bytes::from_static(b"behind")]));
    assert!(responder.output.is_empty(), "never answered");
}

#[test]
fn sealing_in_place_makes_the_frame_that_sending_makes() {
    let ((mut one, _), (mut other, _)) = (Side::opened_pair(), Side::opened_pair());
    for len in [0, 1, 127, 128, 129, 5000] {
        let message = vec![7; len];
        let mut frame = vec![0xaa; HEAD_LEN + len + TAIL_LEN];
        frame[HEAD_LEN..][..len].copy_from_slice(&message);
        one.stream.seal(&mut frame).unwrap();
        assert_eq!(frame, other.frame(&message), "{len}");
    }
}

/// Messages are parts of the buffer that they arrived in.
#[test]
fn receiving_does_not_copy() {
    let (mut initiator, mut responder) = Side::opened_pair();
    let mut input = BytesMut::new();
    for message in [&[1; 100][..], &[2; 5000]] {
        input.unsplit(initiator.frame(message));
    }
    let start = input.as_ptr() as usize;
    let received = responder.receive_all(&mut input).unwrap();
    let at: Vec<usize> = received.iter().map(|bytes| bytes.as_ptr() as usize - start).collect();
    assert_eq!(at, [HEAD_LEN, HEAD_LEN + 100 + TAIL_LEN + HEAD_LEN]);
}

/// The prologue of HyperDHT, and payloads both ways.
#[test]
fn a_handshake_made_elsewhere_opens_a_stream() {
    let prologue = unhex("14d6d4b49214ab1033ed204976caa258bae9e1e8543b9ad1fd996a910b0c4e3a");
    let (client, server) = (KeyPair::from_seed(&[1; 32]), KeyPair::from_seed(&[2; 32]));
    let mut initiator =
        Noise::ik_initiator(&client, &server.public(), &[11; 32], &prologue).unwrap();
    let mut responder = Noise::ik_responder(&server, &[12; 32], &prologue);
    let mut message = BytesMut::new();
    initiator.write_message(b"who I am", &mut message).unwrap();
    assert_eq!(responder.read_message(&message.split()), Ok(b"who I am".to_vec()));
    assert_eq!((initiator.is_finished(), responder.is_finished()), (false, false));
    responder.write_message(b"welcome", &mut message).unwrap();
    assert_eq!(initiator.read_message(&message.split()), Ok(b"welcome".to_vec()));

    let open = |role, noise: Noise| {
        let mut output = BytesMut::new();
        let handshake = noise.handshake().unwrap();
        let limits = Limits::default();
        let stream = SecretStream::from_handshake(role, &handshake, [5; 24], limits, &mut output);
        assert!(stream.is_open());
        Side { stream, output }
    };
    let mut initiator = open(Role::Initiator, initiator);
    let mut responder = open(Role::Responder, responder);
    initiator.stream.send(b"ping", &mut initiator.output).unwrap();
    responder.stream.send(b"pong", &mut responder.output).unwrap();
    assert_eq!(initiator.deliver_to(&mut responder), Ok(vec![Bytes::from_static(b"ping")]));
    assert_eq!(responder.deliver_to(&mut initiator), Ok(vec![Bytes::from_static(b"pong")]));
    assert_eq!(responder.stream.remote_public_key(), Some(client.public()));
}

/// A handshake is refused by a responder whose key the initiator did not mean, and by one with
/// another prologue.
#[test]
fn ik_is_for_one_responder_and_one_purpose() {
    let (client, server) = (KeyPair::from_seed(&[1; 32]), KeyPair::from_seed(&[2; 32]));
    let message = || {
        let mut initiator =
            Noise::ik_initiator(&client, &server.public(), &[11; 32], b"purpose").unwrap();
        let mut message = BytesMut::new();
        initiator.write_message(b"", &mut message).unwrap();
        message
    };
    let read = |key_pair: &KeyPair, prologue: &[u8]| {
        Noise::ik_responder(key_pair, &[12; 32], prologue).read_message(&message())
    };
    assert_eq!(read(&server, b"purpose"), Ok(vec![]));
    assert_eq!(read(&server, b"another"), Err(NoiseError::Forged));
    assert_eq!(read(&client, b"purpose"), Err(NoiseError::Forged));
}

#[test]
fn a_handshake_goes_in_turn() {
    let (client, server) = (KeyPair::from_seed(&[1; 32]), KeyPair::from_seed(&[2; 32]));
    let mut initiator = Noise::ik_initiator(&client, &server.public(), &[11; 32], b"").unwrap();
    let mut responder = Noise::ik_responder(&server, &[12; 32], b"");
    let mut message = BytesMut::new();
    let out_of_turn = Err(NoiseError::OutOfTurn);
    assert_eq!(initiator.read_message(&[0; 96]).map(drop), out_of_turn);
    assert_eq!(responder.write_message(b"", &mut message), out_of_turn);
    assert!(initiator.is_writer() && !responder.is_writer() && message.is_empty());

    initiator.write_message(b"", &mut message).unwrap();
    assert_eq!(initiator.write_message(b"", &mut BytesMut::new()), out_of_turn);
    assert!(initiator.handshake().is_none(), "not finished");
    // One that has failed does not go on, not even with the right message.
    assert_eq!(responder.read_message(&[0; 96]), Err(NoiseError::BadPoint));
    assert_eq!(responder.read_message(&message).map(drop), out_of_turn);
    assert!(!responder.is_finished() && responder.handshake().is_none());

    // Nor does one that failed at its last message leave anything behind.
    let mut responder = Noise::ik_responder(&server, &[12; 32], b"");
    responder.read_message(&message.split()).unwrap();
    responder.write_message(b"", &mut message).unwrap();
    *message.last_mut().unwrap() ^= 1;
    assert_eq!(initiator.read_message(&message), Err(NoiseError::Forged));
    assert!(!initiator.is_finished() && initiator.handshake().is_none());
    assert!(!initiator.is_writer());
}

/// The result that HyperDHT hands over, from its parts.
#[test]
fn a_handshake_from_its_parts() {
    let remote = KeyPair::from_seed(&[2; 32]).public();
    let handshake = Handshake::from_parts([1; 32], [2; 32], unhex_array(&"ab".repeat(64)), remote);
    assert_eq!(handshake.hash(), &[0xab; 64]);
    assert_eq!(handshake.remote_public_key(), remote);
    assert!(!format!("{handshake:?}").contains("[1, 1"), "{handshake:?}");
}
