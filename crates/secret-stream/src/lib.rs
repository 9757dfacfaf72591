//! Encrypted, authenticated streams as Hypercore peers speak them.
//!
//! A handshake (Noise XX on Ed25519 keys) in which both sides prove who they are, a header in each
//! direction, then messages (`crypto_secretstream_xchacha20poly1305` of libsodium), all in frames
//! with a length of three bytes. Bytes go in and bytes come out: the crate opens no socket, reads
//! no clock and draws no randomness, and it does not know what messages mean.
#![forbid(unsafe_code)]

mod aead;
mod error;
mod frame;
mod hash;
mod key;
mod keystream;
mod message;
mod noise;
mod poly1305;
mod stream;

pub use error::{SendError, StreamError};
pub use key::{KeyPair, PublicKey};
pub use noise::{Handshake, Noise, NoiseError};
pub use stream::{
    Entropy, HANDSHAKE_FRAME_LEN_MAX, HEAD_LEN, Limits, MESSAGE_LEN_MAX, Received, Role,
    SecretStream, TAIL_LEN,
};

#[cfg(test)]
mod testing;
