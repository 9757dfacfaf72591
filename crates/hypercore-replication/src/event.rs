//! What a replicator has to say: to peers, and to its owner.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hypercore_log::LogError;
use hypercore_merkle::Proof;

use crate::fault::CloseReason;
use crate::message::Message;
use crate::options::{PeerId, WishId};

/// Something for a peer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Output {
    /// Goes out on the peer's channel. Those of one peer go out in this order.
    Send {
        /// To whom.
        peer: PeerId,
        /// What.
        message: Message,
    },
    /// Its channel is to be closed, after what was sent before. The replicator has forgotten it.
    Close {
        /// Whose.
        peer: PeerId,
        /// Why.
        reason: CloseReason,
    },
}

/// When [`Replicator::run`](crate::Replicator::run) wants to be called again, if nothing happens before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Progress {
    /// Only after something has happened.
    Idle,
    /// At once: there is more to do.
    More,
    /// At this time.
    Until(Duration),
}

/// What the owner of the log did to it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogChange {
    /// Blocks were appended, or have become durable.
    Appended,
    /// The log was cut to so many blocks, or reorganised from there on. It may have grown since.
    Truncated {
        /// Blocks that stayed.
        length: u64,
    },
    /// The bytes of these blocks are no longer stored.
    Cleared(Range<u64>),
}

/// Something that happened. Events say what is so already: nothing waits for them to be read.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A peer is there.
    PeerAdded(PeerId),
    /// It is gone.
    PeerRemoved(PeerId),
    /// A peer has another length or fork than before.
    SyncChanged {
        /// Who.
        peer: PeerId,
        /// Its fork.
        fork: u64,
        /// Its length.
        length: u64,
    },
    /// The log took over a longer tree.
    Upgraded {
        /// Blocks now.
        length: u64,
        /// Its fork.
        fork: u64,
    },
    /// The log moved to another fork; blocks past the shared part are gone.
    Truncated {
        /// Blocks that stayed.
        length: u64,
        /// The new fork.
        fork: u64,
    },
    /// A block was verified and stored.
    Downloaded {
        /// The block.
        index: u64,
        /// Its length as stored.
        bytes: u64,
        /// Who sent it.
        peer: PeerId,
    },
    /// A block was sent.
    Uploaded {
        /// The block.
        index: u64,
        /// Its length as stored.
        bytes: u64,
        /// To whom.
        peer: PeerId,
    },
    /// A peer holds so many blocks from the first one on.
    RemoteContiguousLength {
        /// Who.
        peer: PeerId,
        /// Blocks.
        length: u64,
    },
    /// A peer sent a proof that does not hold; nothing of it was stored.
    VerificationFailed {
        /// Who.
        peer: PeerId,
        /// What is wrong with it.
        error: String,
    },
    /// The own log refused to store what was proven, or could not be read.
    StorageFailed {
        /// What it said.
        error: Failure,
    },
    /// Two histories of the log were signed: see [`Replicator::conflict`](crate::Replicator::conflict). Nothing is
    /// replicated any more.
    Conflict {
        /// Who had the other one.
        peer: PeerId,
    },
    /// A wish has ended.
    WishDone {
        /// Which.
        wish: WishId,
        /// How.
        outcome: Outcome,
    },
    /// A peer sent something for an extension.
    Extension {
        /// Who.
        peer: PeerId,
        /// The extension.
        name: Arc<str>,
        /// What.
        payload: Bytes,
    },
}

/// How a wish ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The block, or every block of the range, is stored; the node is stored; the log has the length.
    Stored,
    /// The byte is in this block.
    Found {
        /// The block.
        block: u64,
        /// Bytes before it within the block, without padding.
        offset: u64,
    },
    /// The byte is past the end of the log.
    OutOfBounds,
    /// Every peer was asked, and none has more than the log has.
    Current,
    /// The log has grown.
    Grown,
}

/// What the own log said when it failed: an error with its sources, to be shared.
///
/// Two are equal if they are the same occurrence.
#[derive(Clone, Debug)]
pub struct Failure(Arc<LogError>);

impl Failure {
    /// The error of the log.
    #[must_use]
    pub const fn error(&self) -> &Arc<LogError> {
        &self.0
    }
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        Self(Arc::new(error))
    }
}

impl PartialEq for Failure {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Two signed histories of one log: both proofs are upgrades from nothing.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Evidence {
    /// The fork that both are of.
    pub fork: u64,
    /// The length at which the trees differ.
    pub length: u64,
    /// The proof of what is stored here.
    pub own: Proof,
    /// The proof that the peer gave.
    pub other: Proof,
}
