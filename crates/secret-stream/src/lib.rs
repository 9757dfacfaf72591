//! Encrypted, authenticated streams as Hypercore peers speak them.
//!
//! A handshake in which both sides prove who they are (Noise XX on Ed25519 keys), a header in each
//! direction, then messages (`crypto_secretstream_xchacha20poly1305` of libsodium), all of it in
//! frames with a length of three bytes: what `@hyperswarm/secret-stream` speaks over any reliable
//! pipe. Bytes go in and bytes come out. The crate opens no socket, reads no clock and draws no
//! randomness; it does not know what messages mean, nor who is welcome.
//!
//! ```
//! use bytes::{Bytes, BytesMut};
//! use secret_stream::{Entropy, KeyPair, Limits, Received, Role, SecretStream};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A program draws these at random, the entropy anew for each stream.
//! let (alice, bob) = (KeyPair::from_seed(&[1; 32]), KeyPair::from_seed(&[2; 32]));
//! let (for_alice, for_bob) = (Entropy::from_bytes(&[3; 56]), Entropy::from_bytes(&[4; 56]));
//!
//! // What each side has written and the other has not read yet: sockets, in a program.
//! let (mut to_bob, mut to_alice) = (BytesMut::new(), BytesMut::new());
//! let limits = Limits::default().message_len_max(64 * 1024);
//! let mut a = SecretStream::new(Role::Initiator, &alice, for_alice, limits, &mut to_bob);
//! let mut b = SecretStream::new(Role::Responder, &bob, for_bob, limits, &mut to_alice);
//!
//! // Three messages of the handshake go to and fro.
//! assert_eq!(b.receive(&mut to_bob, &mut to_alice)?, None);
//! assert_eq!(a.receive(&mut to_alice, &mut to_bob)?, Some(Received::Opened));
//! a.send(b"hello, whoever you are", &mut to_bob)?;
//! assert_eq!(b.receive(&mut to_bob, &mut to_alice)?, Some(Received::Opened));
//! assert_eq!(b.remote_public_key(), Some(alice.public()));
//!
//! // A program calls `receive` until there is nothing whole left, and then reads more.
//! let mut messages = Vec::new();
//! while let Some(received) = b.receive(&mut to_bob, &mut to_alice)? {
//!     if let Received::Message(message) = received {
//!         messages.push(message);
//!     }
//! }
//! assert_eq!(messages, [Bytes::from_static(b"hello, whoever you are")]);
//! assert_eq!(a.handshake_hash(), b.handshake_hash());
//! # Ok(())
//! # }
//! ```
//!
//! # Reading and writing
//! [`SecretStream::receive`] takes one whole frame off the front of what has arrived, decrypts it
//! where it lies and hands it out as [`Bytes`](bytes::Bytes) that share the buffer: read much at
//! once, and call it until it gives `None`. [`SecretStream::send`] copies a message behind what
//! is to be written; [`SecretStream::seal`] encrypts one where it stands, between [`HEAD_LEN`]
//! bytes in front and [`TAIL_LEN`] behind.
//!
//! The header of the other side comes before its messages, but a side need not wait for it: as
//! soon as [`Received::Opened`] was seen, messages can be sent. Who keeps a connection alive is
//! the caller: [`SecretStream::send_keep_alive`] after a while of silence. Those of the other side
//! are swallowed. When the pipe ends, the stream has ended; what is left in the buffer is a frame
//! that was cut.
//!
//! A connection made by HyperDHT has its handshake (Noise IK) behind it: run it with [`Noise`],
//! or take its result with [`Handshake::from_parts`], and start with
//! [`SecretStream::from_handshake`]. The unordered messages of such connections are left out:
//! Hypercore does not use them.
//!
//! # What it promises
//! Nothing is handed out that the other side did not send, nor out of order, nor twice, and after
//! anything else nothing at all: each error is final. What it does not promise: lengths and times
//! are there for all to see, and a pipe that is cut looks like one that ended.
//!
//! Whatever arrives, there is no panic; the time it takes grows with its bytes, and nothing is
//! reserved because a frame says how long it is. Before the handshake is done, a frame of more
//! than [`HANDSHAKE_FRAME_LEN_MAX`] bytes is refused, and a stream needs less than 8 KiB; an open
//! one needs less than 2 KiB. Secrets are wiped when they are dropped, and never printed. Keys are
//! refused by the rules of libsodium. Time does not depend on secrets.
//!
//! No I/O. The byte layouts are in `docs/format/secret-stream.md`.
//!
//! # Features
//! None.
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
#[cfg(test)]
mod testing;

pub use error::{SendError, StreamError};
pub use key::{KeyPair, PublicKey};
pub use noise::{Handshake, Noise, NoiseError};
pub use stream::{
    Entropy, HANDSHAKE_FRAME_LEN_MAX, HEAD_LEN, Limits, MESSAGE_LEN_MAX, Received, Role,
    SecretStream, TAIL_LEN,
};
