//! One log on one connection, as the log's worker and the connection's task both see it.
//!
//! Messages go to the worker in batches and come back through the connection's mailbox. The numbers
//! kept here say when the connection has to stop reading: what the worker has not handled yet counts
//! against the peer that sent it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use compact_encoding::Encode as _;
use hypercore_crypto::PublicKey;
use hypercore_replication::{CloseReason, Message};
use protomux::ChannelId;

use super::control::Order;
use super::mailbox::Mailbox;

/// Bytes of messages from one peer that wait for the worker of a log. Beyond it nothing is read from
/// the peer until the worker has caught up.
pub(crate) const UNHANDLED_LEN_MAX: usize = 512 * 1024;

/// What a message counts beside the bytes that it has on the wire: what it takes in memory.
const MESSAGE_LEN: usize = 256;

/// The mailbox of a connection.
pub(crate) type Letters = Mailbox<Outgoing, Order>;

/// Something for the other side, in the order in which it is put in.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Message(ChannelId, Message),
    Close(ChannelId, CloseReason),
}

/// Names a link among those of one log; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LinkKey(pub(crate) u64);

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) key: LinkKey,
    pub(crate) channel: ChannelId,
    pub(crate) letters: Arc<Letters>,
    pub(crate) remote_public_key: Option<PublicKey>,
    /// Bytes of messages that the worker has not handled.
    unhandled_len: AtomicUsize,
}

impl Link {
    pub(crate) fn new(
        key: LinkKey,
        channel: ChannelId,
        letters: Arc<Letters>,
        remote_public_key: Option<PublicKey>,
    ) -> Self {
        Self { key, channel, letters, remote_public_key, unhandled_len: AtomicUsize::new(0) }
    }

    /// Messages are being given to the worker.
    pub(crate) fn delivered(&self, len: usize) {
        self.unhandled_len.fetch_add(len, Ordering::AcqRel);
    }

    /// The worker is done with them. The connection goes on if it was waiting for that.
    pub(crate) fn handled(&self, len: usize) {
        let before = self.unhandled_len.fetch_sub(len, Ordering::AcqRel);
        if before >= UNHANDLED_LEN_MAX && self.takes_more() {
            self.letters.nudge();
        }
    }

    /// Whether more of this peer may be read.
    pub(crate) fn takes_more(&self) -> bool {
        self.unhandled_len.load(Ordering::Acquire) < UNHANDLED_LEN_MAX
    }
}

/// About how many bytes a message takes in memory and on the wire.
pub(crate) fn message_len(message: &Message) -> usize {
    message.encoded_len().saturating_add(MESSAGE_LEN)
}
