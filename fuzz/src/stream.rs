//! Both sides of an encrypted stream with known secrets, at any point of their conversation.

use bytes::{Bytes, BytesMut};
use secret_stream::{
    Entropy, Handshake, KeyPair, Limits, Received, Role, SecretStream, StreamError,
};

/// One side, and what it has to send.
#[derive(Debug)]
pub struct StreamSide {
    /// The stream.
    pub stream: SecretStream,
    /// Bytes for the other side.
    pub output: BytesMut,
}

impl StreamSide {
    /// A side that begins with the handshake.
    #[must_use]
    pub fn new(role: Role) -> Self {
        let number = if role == Role::Initiator { 1 } else { 2 };
        let entropy = Entropy::from_bytes(&[number + 10; Entropy::LEN]);
        let key_pair = KeyPair::from_seed(&[number; 32]);
        let mut output = BytesMut::new();
        let stream = SecretStream::new(role, &key_pair, entropy, Limits::default(), &mut output);
        Self { stream, output }
    }

    /// A side that begins with the header.
    #[must_use]
    pub fn after_handshake(role: Role) -> Self {
        let remote = KeyPair::from_seed(&[3; 32]).public();
        let (send, receive) =
            if role == Role::Initiator { ([1; 32], [2; 32]) } else { ([2; 32], [1; 32]) };
        let handshake = Handshake::from_parts(send, receive, [3; 64], remote);
        let mut output = BytesMut::new();
        let limits = Limits::default();
        let stream = SecretStream::from_handshake(role, &handshake, [4; 24], limits, &mut output);
        Self { stream, output }
    }

    /// A side that is past the header of the other one.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn opened(role: Role) -> Self {
        let mut side = Self::after_handshake(role);
        let mut header = Self::after_handshake(role.other()).output;
        assert_eq!(side.receive(&mut header), (vec![], None));
        side
    }

    /// Takes all that is whole: the messages, and the error that ended it.
    pub fn receive(&mut self, input: &mut BytesMut) -> (Vec<Bytes>, Option<StreamError>) {
        let mut messages = Vec::new();
        loop {
            match self.stream.receive(input, &mut self.output) {
                Ok(Some(Received::Message(message))) => messages.push(message),
                Ok(Some(_)) => {}
                Ok(None) => return (messages, None),
                Err(error) => return (messages, Some(error)),
            }
        }
    }
}
