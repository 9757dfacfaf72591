//! An honest conversation, spoiled in a few places and cut anywhere: what arrives is what was sent up to there, and
//! all of it where nothing was spoiled.
#![no_main]

use bytes::{Bytes, BytesMut};
use hypercore_fuzz::{Script, StreamSide};
use libfuzzer_sys::fuzz_target;
use secret_stream::Role;

/// Changes bytes, or takes some away, doubles or moves them.
fn spoil(bytes: &mut Vec<u8>, script: &mut Script<'_>) {
    let (kind, at, len) = (script.byte(), script.below(bytes.len()), 1 + script.below(200));
    let end = bytes.len().min(at + len);
    match kind % 4 {
        0 => bytes[at] ^= kind / 4 | 1,
        1 => drop(bytes.drain(at..end)),
        2 => bytes.extend_from_within(at..end),
        _ => bytes.rotate_left(at),
    }
}

/// Takes `bytes` in pieces; gives the messages and whether there was no error.
fn deliver(side: &mut StreamSide, bytes: &[u8], script: &mut Script<'_>) -> (Vec<Bytes>, bool) {
    let (mut arrived, mut received, mut rest) = (BytesMut::new(), Vec::new(), bytes);
    while !rest.is_empty() {
        let len = match usize::from(script.byte()) {
            0 => rest.len(),
            len => rest.len().min(len),
        };
        arrived.extend_from_slice(&rest[..len]);
        rest = &rest[len..];
        let (messages, error) = side.receive(&mut arrived);
        received.extend(messages);
        if error.is_some() {
            return (received, false);
        }
    }
    (received, true)
}

fuzz_target!(|input: &[u8]| {
    let mut script = Script::new(input);
    let (mut initiator, mut responder) = if script.byte() % 4 == 0 {
        let (mut initiator, mut responder) =
            (StreamSide::new(Role::Initiator), StreamSide::new(Role::Responder));
        responder.receive(&mut initiator.output);
        initiator.receive(&mut responder.output);
        (initiator, responder)
    } else {
        (StreamSide::after_handshake(Role::Initiator), StreamSide::after_handshake(Role::Responder))
    };

    let mut sent = Vec::new();
    for number in 0..script.byte() % 8 {
        let message = vec![number; script.below(600)];
        initiator.stream.send(&message, &mut initiator.output).expect("the handshake is done");
        sent.extend(Some(message).filter(|message| !message.is_empty()));
    }
    let mut bytes = initiator.output.to_vec();
    for _ in 0..script.byte() % 4 {
        spoil(&mut bytes, &mut script);
        if bytes.is_empty() {
            return;
        }
    }
    let is_honest = bytes == initiator.output[..];
    let (received, is_sound) = deliver(&mut responder, &bytes, &mut script);
    assert!(sent.iter().zip(&received).all(|(sent, received)| sent == received));
    assert!(received.len() <= sent.len());
    assert!(!is_honest || (is_sound && received.len() == sent.len()));
});
