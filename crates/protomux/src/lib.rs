//! Channels over one ordered stream of frames, as JavaScript's protomux has them, without I/O.
//!
//! A [`Mux`] is one end. Frames that arrived go in with [`Mux::receive`] and come out as
//! [`Event`]s; what is opened, sent and closed comes out as frames with [`Mux::next_frame`]. A
//! channel is known by its protocol and topic; each side opens it, and the second open answers
//! the first. The crate does not encrypt, does not know what the messages mean, and reads no
//! socket.
//!
//! ```
//! use bytes::Bytes;
//! use protomux::{Event, Mux, Options};
//!
//! let mut left = Mux::new(Options::default());
//! let mut right = Mux::new(Options::default());
//! let chat = left.add_protocol("chat", &[]);
//! right.add_protocol("chat", &[]);
//!
//! let channel = left.open(chat, b"lobby", b"")?;
//! left.send(channel, 0, &protomux::Raw(b"hello"))?;
//! while let Some(frame) = left.next_frame() {
//!     right.receive(Bytes::from(frame));
//! }
//! while let Some(event) = right.next_event()? {
//!     match event {
//!         Event::Offered { protocol, topic } => {
//!             right.open(protocol, &topic, b"")?;
//!         }
//!         Event::Message { payload, .. } => assert_eq!(payload[..], *b"hello"),
//!         _ => {}
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What a remote can make it do
//! Any bytes give events or a [`MuxError`]; no panic. Frames are decoded one item at a time, when
//! an event is asked for, so what is kept of a frame is the frame. What is kept besides is bounded
//! by [`Options`]: messages for channels that were offered and not decided on, offers, channels,
//! and answers that nobody took. Payloads are slices of the frame they came in.
//!
//! No I/O, no clock, no randomness. The byte layouts are in `docs/format/protomux.md`.
//!
//! # Features
//! None.
#![forbid(unsafe_code)]

mod channels;
mod error;
mod event;
mod incoming;
mod mux;
mod offers;
mod options;
mod outgoing;

pub use error::{MuxError, OpenError, SendError};
pub use event::{ChannelId, CloseReason, Event, ProtocolId};
pub use mux::Mux;
pub use options::{
    ANSWERS_WAITING_MAX, BATCH_LEN_MAX, CHANNELS_MAX, FRAME_LEN_MAX, HELD_LEN_MAX,
    HELD_MESSAGE_LEN, OFFER_LEN_MAX, OFFERS_MAX, Options,
};
pub use outgoing::Raw;
