//! Why a stream, or a log on it, ended.

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::error::Error;

/// Why replication over a stream ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum EndReason {
    /// This side ended it: the handle was closed or dropped.
    Closed,
    /// The other side ended it, between two messages.
    Ended,
    /// The carrier broke, or ended in the middle of a message.
    Cut(Arc<io::Error>),
    /// Nothing came from the other side for [longer than allowed](crate::StreamOptions::silence_limit).
    Silent,
    /// The other side did not read for [`STALL_MAX`](crate::STALL_MAX).
    Stalled,
    /// The other side took longer than [`HANDSHAKE_MAX`](crate::HANDSHAKE_MAX) for its handshake.
    HandshakeLate,
    /// The hook [`StreamOptions::allow`](crate::StreamOptions::allow) refused the other side.
    NotAllowed,
    /// The other side does not have the log, or does not give it to us.
    Rejected,
    /// The other side stopped replicating the log; the stream carried no other.
    ChannelClosed,
    /// The log was closed here; the stream carried no other.
    LogClosed,
    /// Two histories of the log were signed: it is frozen. See
    /// [`Hypercore::conflict`](crate::Hypercore::conflict).
    Conflict,
    /// The tokio runtime shut down.
    RuntimeGone,
    /// The other side broke the rules of the protocol, or sent what does not hold.
    Fault(Error),
    /// This side failed: its disk, or its source of randomness.
    Failed(Error),
}

impl EndReason {
    pub(crate) fn cut(error: io::Error) -> Self {
        Self::Cut(Arc::new(error))
    }

    /// Whether one of the two sides ended it in good order.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        matches!(self, Self::Closed | Self::Ended | Self::ChannelClosed | Self::LogClosed)
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "it was closed here",
            Self::Ended => "the peer ended it",
            Self::Cut(error) => return write!(f, "the connection broke: {error}"),
            Self::Silent => "the peer was silent for too long",
            Self::Stalled => "the peer did not read for too long",
            Self::HandshakeLate => "the peer took too long for the handshake",
            Self::NotAllowed => "the peer was not let in",
            Self::Rejected => "the peer does not have the log",
            Self::ChannelClosed => "the peer stopped replicating the log",
            Self::LogClosed => "the log was closed here",
            Self::Conflict => "two histories of the log were signed: it is frozen",
            Self::RuntimeGone => "the tokio runtime shut down",
            Self::Fault(error) => return write!(f, "the peer broke the protocol: {error}"),
            Self::Failed(error) => return write!(f, "this side failed: {error}"),
        })
    }
}
