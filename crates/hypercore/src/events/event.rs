//! What can happen to a log, or between it and its peers.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::Error;
use bytes::Bytes;
use hypercore_crypto::PublicKey;

/// Events that a stream keeps until they are taken; beyond it the oldest are dropped, and
/// [`Event::Lagged`] tells how many.
pub const EVENTS_MAX: usize = 1024;

/// Bytes of extension messages that are kept for those who have not taken them yet. While there are more, those that
/// come are dropped, and [`Event::Lagged`] stands in their place.
pub const EXTENSION_LEN_MAX: usize = 512 * 1024;

/// Names a peer of one log; never used again for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub(crate) u64);

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Something that happened to a log or between it and a peer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The first event of every stream: the log as it is now. All that comes after it changes this.
    Ready {
        /// Blocks.
        length: u64,
        /// Content bytes.
        byte_length: u64,
        /// The fork.
        fork: u64,
    },
    /// The log grew: by ourselves, or by what a peer proved. Several appends may be told as one.
    Appended {
        /// Blocks now.
        length: u64,
        /// Content bytes now.
        byte_length: u64,
    },
    /// History was rewritten, by ourselves or by a writer elsewhere: blocks from `length` on are gone, and those that
    /// follow are others. Several truncations may be told as one, with the lowest length.
    Truncated {
        /// Blocks that stayed, of those told of before.
        length: u64,
        /// The fork now.
        fork: u64,
    },
    /// A reader learned who may sign: see [`Hypercore::info`](crate::Hypercore::info).
    Manifest,
    /// The log was closed, or the session that the events are of. Nothing comes after it.
    Closed,
    /// A peer that knows the log's key is there.
    PeerAdded {
        /// Who.
        peer: PeerId,
        /// Its identity, where the stream tells.
        remote_public_key: Option<PublicKey>,
    },
    /// A peer is gone.
    PeerRemoved {
        /// Who.
        peer: PeerId,
    },
    /// A peer told its length and fork.
    PeerChanged {
        /// Who.
        peer: PeerId,
        /// Its blocks.
        length: u64,
        /// Its fork.
        fork: u64,
    },
    /// A block was verified and stored.
    Downloaded {
        /// The block.
        index: u64,
        /// Its bytes as stored.
        bytes: u64,
        /// Who sent it.
        peer: PeerId,
    },
    /// A block was sent.
    Uploaded {
        /// The block.
        index: u64,
        /// Its bytes as stored.
        bytes: u64,
        /// To whom.
        peer: PeerId,
    },
    /// A peer has so many blocks, from the first on without a gap.
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
        error: Arc<str>,
    },
    /// What was proven could not be stored, or what is stored could not be read.
    StorageFailed {
        /// What the log said, with its causes.
        error: Error,
    },
    /// Two histories of the log were signed: it is not replicated any more. See
    /// [`Hypercore::conflict`](crate::Hypercore::conflict).
    Conflict {
        /// Who had the other one.
        peer: PeerId,
    },
    /// A peer sent something for an extension.
    Extension {
        /// Who.
        peer: PeerId,
        /// Which extension.
        name: Arc<str>,
        /// What.
        payload: Bytes,
    },
    /// So many events were dropped, because this stream, or for messages of peers another one of the log, was not read.
    Lagged {
        /// Events.
        missed: u64,
    },
}

/// Counts the extension messages that are kept for somebody.
#[derive(Debug, Default)]
pub(crate) struct Payloads(Arc<AtomicUsize>);

impl Payloads {
    /// The same bytes, counted while they are kept; `None` when too many are.
    pub(crate) fn keep(&self, payload: Bytes) -> Option<Bytes> {
        if self.0.load(Ordering::Relaxed) > EXTENSION_LEN_MAX {
            return None;
        }
        self.0.fetch_add(payload.len(), Ordering::Relaxed);
        Some(Bytes::from_owner(Payload { payload, kept: Arc::clone(&self.0) }))
    }
}

struct Payload {
    payload: Bytes,
    kept: Arc<AtomicUsize>,
}

impl AsRef<[u8]> for Payload {
    fn as_ref(&self) -> &[u8] {
        &self.payload
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        self.kept.fetch_sub(self.payload.len(), Ordering::Relaxed);
    }
}
