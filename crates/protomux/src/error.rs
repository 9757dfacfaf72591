//! What can go wrong, by whose fault.
//!
//! [`MuxError`] is always the remote's and ends the stream; the others are the caller's and
//! change nothing.

use compact_encoding::DecodeError;
use thiserror::Error;

/// The remote broke the protocol. The stream is lost with all its channels: end it.
///
/// # Source
/// wire.md sections 3.2, 3.3 and 3.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MuxError {
    /// A frame, or an item of a batch, is not what it claims to be.
    #[error("remote sent a frame that cannot be decoded")]
    Malformed(#[from] DecodeError),
    /// A batch inside of a batch, which nobody writes.
    #[error("remote sent a batch inside of a batch")]
    NestedBatch,
    /// An open with number 0, which is the number of the control messages.
    #[error("remote opened channel number 0")]
    ReservedNumber,
    /// An open whose number is not the next one, nor one that was used before.
    #[error("remote opened channel number {number} when its highest was {highest}")]
    NumberSkipped {
        /// The number of the open.
        number: u64,
        /// The highest number the remote had used.
        highest: u64,
    },
    /// An open with the number of a channel that is open or offered.
    #[error("remote opened channel number {number} twice")]
    NumberInUse {
        /// The number of the open.
        number: u64,
    },
    /// A reject for a number that does not wait for an answer.
    #[error("remote rejected channel number {number}, which waits for no answer")]
    UnexpectedReject {
        /// The number of the reject.
        number: u64,
    },
    /// An offer beyond [`Options::channels_max`](crate::Options::channels_max).
    #[error("remote offers a channel beyond the {max} allowed")]
    TooManyChannels {
        /// The limit.
        max: usize,
    },
    /// Topic and handshake of an offer are longer than [`OFFER_LEN_MAX`](crate::OFFER_LEN_MAX).
    #[error("remote offers a channel with {len} bytes of topic and handshake")]
    OfferTooLarge {
        /// The bytes of topic and handshake.
        len: usize,
    },
}

/// A channel could not be opened; nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A channel with this protocol and topic is open, or waits for the remote's answer.
    #[error("a channel with this protocol and topic is open")]
    AlreadyOpen,
    /// The protocol id is another mux's.
    #[error("this mux knows no such protocol")]
    UnknownProtocol,
    /// There are [`Options::channels_max`](crate::Options::channels_max) channels, closed ones
    /// that the remote has not answered included.
    #[error("there are {max} channels")]
    TooManyChannels {
        /// The limit.
        max: usize,
    },
    /// Topic and handshake do not fit into a frame of [`FRAME_LEN_MAX`](crate::FRAME_LEN_MAX).
    #[error("topic and handshake do not fit into a frame")]
    TooLarge,
}

/// A message could not be sent; nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// The channel is closed, by this side or, as an event said, by the remote.
    #[error("the channel is closed")]
    Closed,
    /// The message does not fit into a frame of [`FRAME_LEN_MAX`](crate::FRAME_LEN_MAX).
    #[error("the message does not fit into a frame")]
    TooLarge,
}
