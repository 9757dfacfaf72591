//! What the tests share: two sides with fixed secrets, and hex.
#![allow(dead_code, reason = "not every test uses all of it")]

use bytes::{Bytes, BytesMut};
use secret_stream::{Entropy, KeyPair, Limits, Received, Role, SecretStream, StreamError};

/// The bytes of a hex string.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "{text}");
    let digits = (0..text.len()).step_by(2).map(|at| &text[at..at + 2]);
    digits.map(|digits| u8::from_str_radix(digits, 16).unwrap()).collect()
}

/// `LEN` bytes of a hex string.
pub(crate) fn unhex_array<const LEN: usize>(text: &str) -> [u8; LEN] {
    unhex(text).try_into().unwrap()
}

/// A hex string of bytes.
pub(crate) fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Randomness made of a seed and a header.
pub(crate) fn entropy(seed: [u8; 32], header: [u8; 24]) -> Entropy {
    Entropy::from_bytes(&[&seed[..], &header].concat().try_into().unwrap())
}

/// One side of a conversation and what it has to send.
pub(crate) struct Side {
    /// The stream.
    pub(crate) stream: SecretStream,
    /// Bytes that the other side has not received yet.
    pub(crate) output: BytesMut,
}

impl Side {
    /// A side with its own fixed secrets.
    pub(crate) fn new(role: Role) -> Self {
        let number = if role == Role::Initiator { 1 } else { 2 };
        let key_pair = KeyPair::from_seed(&[number; 32]);
        let entropy = entropy([number + 10; 32], [number + 20; 24]);
        let mut output = BytesMut::new();
        let stream = SecretStream::new(role, &key_pair, entropy, Limits::default(), &mut output);
        Self { stream, output }
    }

    /// Two sides that have opened, with nothing left between them.
    pub(crate) fn opened_pair() -> (Self, Self) {
        let (mut initiator, mut responder) =
            (Self::new(Role::Initiator), Self::new(Role::Responder));
        for _ in 0..2 {
            assert_eq!(initiator.deliver_to(&mut responder), Ok(Vec::new()));
            assert_eq!(responder.deliver_to(&mut initiator), Ok(Vec::new()));
        }
        assert!(initiator.stream.is_open() && responder.stream.is_open());
        (initiator, responder)
    }

    /// Sends all there is; gives the messages that arrive.
    pub(crate) fn deliver_to(&mut self, other: &mut Self) -> Result<Vec<Bytes>, StreamError> {
        other.receive_all(&mut self.output.split())
    }

    /// Takes everything that is whole; gives the messages.
    pub(crate) fn receive_all(&mut self, input: &mut BytesMut) -> Result<Vec<Bytes>, StreamError> {
        let mut messages = Vec::new();
        while let Some(received) = self.stream.receive(input, &mut self.output)? {
            if let Received::Message(message) = received {
                messages.push(message);
            }
        }
        Ok(messages)
    }

    /// The bytes of a frame with this message.
    pub(crate) fn frame(&mut self, message: &[u8]) -> BytesMut {
        assert!(self.output.is_empty());
        self.stream.send(message, &mut self.output).unwrap();
        self.output.split()
    }
}
