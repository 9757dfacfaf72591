//! What can go wrong, by whose fault.

use crate::NoiseError;

/// The other side, or what carries its bytes, broke the rules: end the connection.
///
/// Nothing more can be received; a stream that failed keeps giving the same error. What was
/// received before is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// A frame announces more bytes than are allowed at this point. Raise
    /// [`Limits`](crate::Limits) if the other side is meant to send as much.
    #[error("a frame of {len} bytes where {max} are allowed")]
    FrameTooLong {
        /// Bytes announced.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// A frame announces fewer bytes than anything that is allowed at this point has.
    #[error("a frame of {len} bytes where at least {min} are needed")]
    FrameTooShort {
        /// Bytes announced.
        len: usize,
        /// Bytes needed.
        min: usize,
    },
    /// The handshake failed.
    #[error("the handshake failed")]
    Handshake(#[from] NoiseError),
    /// The header is not that of this conversation.
    #[error("the header belongs to another stream")]
    WrongStream,
    /// A message was damaged, forged, left out, repeated or moved.
    #[error("a message is not authentic")]
    Forged,
}

/// Nothing can be sent, or not this; the caller's fault. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The handshake is not done: wait for [`Received::Opened`](crate::Received::Opened).
    #[error("the stream is not open")]
    NotOpen,
    /// The stream has failed with this error.
    #[error("the stream has failed")]
    Failed(#[source] StreamError),
    /// A message of more than [`MESSAGE_LEN_MAX`](crate::MESSAGE_LEN_MAX) bytes: split it.
    #[error("a message of {len} bytes is too long")]
    TooLong {
        /// Bytes of the message.
        len: usize,
    },
    /// A frame is shorter than its [`HEAD_LEN`](crate::HEAD_LEN) and
    /// [`TAIL_LEN`](crate::TAIL_LEN).
    #[error("no room was left around a message")]
    NoRoom,
}
