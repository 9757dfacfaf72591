//! What a mux tells its owner, and the names it uses for that.

use bytes::Bytes;

/// A protocol that one mux knows. Ids of different muxes are not to be mixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProtocolId(pub(crate) usize);

/// A channel of one mux, from its open to its close. Never used again, although its number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId {
    /// The place in the table of channels: the number on the wire less one.
    pub(crate) place: usize,
    /// Which of the channels that had this place.
    pub(crate) serial: u64,
}

/// What the remote did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The remote opened a channel that this side has not opened.
    ///
    /// [`Mux::open`](crate::Mux::open) takes it, [`Mux::reject`](crate::Mux::reject) does not;
    /// until then what the remote sends on it is held, within limits. At most one offer for a
    /// protocol and topic waits at a time.
    Offered {
        /// The protocol, also when the remote used an alias.
        protocol: ProtocolId,
        /// The topic, empty for none.
        topic: Bytes,
    },
    /// The remote closed a channel that it had offered, before this side decided.
    Withdrawn {
        /// The protocol of the offer.
        protocol: ProtocolId,
        /// The topic of the offer.
        topic: Bytes,
    },
    /// Both sides have opened the channel.
    Opened {
        /// The channel that [`Mux::open`](crate::Mux::open) returned.
        channel: ChannelId,
        /// The handshake of the remote: a slice of its frame, or a copy if it was held.
        handshake: Bytes,
    },
    /// A message. Kinds that the owner of the channel does not know are to be ignored.
    Message {
        /// An open channel.
        channel: ChannelId,
        /// The type of the message.
        kind: u64,
        /// The rest of it: a slice of its frame, which lives as long as the slice.
        payload: Bytes,
    },
    /// The remote ended the channel; the id is not valid any more.
    Closed {
        /// The channel.
        channel: ChannelId,
        /// How.
        reason: CloseReason,
    },
}

/// How a remote ended a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// It closed a channel that was open.
    Closed,
    /// It did not want the channel.
    Rejected,
}

impl ChannelId {
    /// What this side calls the channel on the wire.
    pub(crate) const fn number(self) -> u64 {
        (self.place as u64).saturating_add(1)
    }
}
