//! Any bytes, cut anywhere, to a stream at any point: nothing is handed up, an error stays, and memory follows what
//! has arrived.
#![no_main]

use bytes::BytesMut;
use hypercore_fuzz::{DECODE_CONSTANT, Script, StreamSide, bounded};
use libfuzzer_sys::fuzz_target;
use secret_stream::{Role, SendError};

fuzz_target!(|input: &[u8]| {
    let mut script = Script::new(input);
    let mut side = match script.byte() % 5 {
        0 => StreamSide::new(Role::Responder),
        1 => StreamSide::new(Role::Initiator),
        2 => StreamSide::after_handshake(Role::Responder),
        3 => StreamSide::opened(Role::Initiator),
        _ => StreamSide::opened(Role::Responder),
    };
    bounded(DECODE_CONSTANT, input.len(), || {
        let mut arrived = BytesMut::new();
        while !script.is_empty() {
            let len = usize::from(script.byte());
            if len % 2 == 1 {
                // A length that holds, so that what follows is looked at.
                arrived.extend_from_slice(&[(len / 2) as u8, 0, 0]);
            }
            arrived.extend_from_slice(script.take(len / 2));
            let (messages, error) = side.receive(&mut arrived);
            assert!(messages.is_empty(), "nobody has the keys");
            if let Some(error) = error {
                assert_eq!(side.receive(&mut arrived), (vec![], Some(error)));
                let sent = side.stream.send(b"x", &mut side.output);
                assert_eq!(sent, Err(SendError::Failed(error)));
                return;
            }
        }
    });
});
