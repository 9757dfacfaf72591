//! The peers of a log: what they have, what passed between them and us, and what they may do.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hypercore_crypto::PublicKey;

use super::exchange::{self, Command};
use super::link::LinkKey;
use crate::events::PeerId;
use crate::handle::Hypercore;

/// What is known of a peer at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PeerInfo {
    /// Names the peer.
    pub id: PeerId,
    /// Its identity, where the stream tells.
    pub remote_public_key: Option<PublicKey>,
    /// Whether it has told its length and fork.
    pub synced: bool,
    /// Its fork.
    pub remote_fork: u64,
    /// Its blocks.
    pub remote_length: u64,
    /// Its fork when it first told, before it could take over anything from here.
    pub first_fork: u64,
    /// Its blocks then.
    pub first_length: u64,
    /// Blocks that it has, from the first on without a gap.
    pub remote_contiguous_length: u64,
    /// Whether it answers requests.
    pub remote_uploading: bool,
    /// Whether it is interested in data.
    pub remote_downloading: bool,
    /// Whether it gets blocks from here.
    pub upload: bool,
    /// Whether it is asked for blocks.
    pub download: bool,
    /// Requests to it that are not answered yet.
    pub in_flight: usize,
    /// Requests of it that wait for an answer.
    pub queued: usize,
    /// Blocks from it that were stored.
    pub blocks_downloaded: u64,
    /// Their bytes as stored.
    pub bytes_downloaded: u64,
    /// Blocks that were sent to it.
    pub blocks_uploaded: u64,
    /// Their bytes as stored.
    pub bytes_uploaded: u64,
    /// How long it takes to answer, smoothed; `None` before its first answer.
    pub response_time: Option<Duration>,
}

/// What passed between a log and all its peers since it was opened, those that are gone included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// Blocks that were verified and stored.
    pub blocks_downloaded: u64,
    /// Their bytes as stored.
    pub bytes_downloaded: u64,
    /// Blocks that were sent.
    pub blocks_uploaded: u64,
    /// Their bytes as stored.
    pub bytes_uploaded: u64,
}

/// Counts [`Traffic`] as it passes. The four numbers are counted apart: one may be a moment ahead.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    blocks_downloaded: AtomicU64,
    bytes_downloaded: AtomicU64,
    blocks_uploaded: AtomicU64,
    bytes_uploaded: AtomicU64,
}

impl Counters {
    pub(crate) fn add(&self, traffic: &Traffic) {
        self.blocks_downloaded.fetch_add(traffic.blocks_downloaded, Ordering::Relaxed);
        self.bytes_downloaded.fetch_add(traffic.bytes_downloaded, Ordering::Relaxed);
        self.blocks_uploaded.fetch_add(traffic.blocks_uploaded, Ordering::Relaxed);
        self.bytes_uploaded.fetch_add(traffic.bytes_uploaded, Ordering::Relaxed);
    }

    pub(crate) fn sum(&self) -> Traffic {
        Traffic {
            blocks_downloaded: self.blocks_downloaded.load(Ordering::Relaxed),
            bytes_downloaded: self.bytes_downloaded.load(Ordering::Relaxed),
            blocks_uploaded: self.blocks_uploaded.load(Ordering::Relaxed),
            bytes_uploaded: self.bytes_uploaded.load(Ordering::Relaxed),
        }
    }
}

impl Traffic {
    /// Counts a block of so many bytes that was stored.
    pub(crate) fn downloaded(&mut self, bytes: u64) {
        self.blocks_downloaded = self.blocks_downloaded.saturating_add(1);
        self.bytes_downloaded = self.bytes_downloaded.saturating_add(bytes);
    }

    /// Counts a block of so many bytes that was sent.
    pub(crate) fn uploaded(&mut self, bytes: u64) {
        self.blocks_uploaded = self.blocks_uploaded.saturating_add(1);
        self.bytes_uploaded = self.bytes_uploaded.saturating_add(bytes);
    }
}

/// A peer of a log; see [`Hypercore::peers`].
#[derive(Clone, Debug)]
pub struct Peer {
    log: Hypercore,
    info: PeerInfo,
}

impl Peer {
    pub(crate) fn new(log: Hypercore, info: PeerInfo) -> Self {
        Self { log, info }
    }

    /// What was known of it when it was asked for.
    #[must_use]
    pub fn info(&self) -> &PeerInfo {
        &self.info
    }

    /// Whether the peer gets blocks from here, from now on.
    pub fn set_upload(&self, upload: bool) {
        let key = LinkKey(self.info.id.0);
        exchange::push(self.log.shared(), Command::SetUpload(key, upload));
    }

    /// Whether the peer is asked for blocks, from now on. A handle that does not write never asks.
    pub fn set_download(&self, download: bool) {
        let key = LinkKey(self.info.id.0);
        let download = download && self.log.shared().identity.stores;
        exchange::push(self.log.shared(), Command::SetDownload(key, download));
    }
}
