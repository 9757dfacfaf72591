//! What is known about one peer, for its owner to look at.

use std::time::Duration;

/// What a peer has and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerStatistics {
    /// Whether it has told its length and fork.
    pub synced: bool,
    /// Its fork.
    pub remote_fork: u64,
    /// Blocks of its log.
    pub remote_length: u64,
    /// Its fork when it first told, before it could take over anything from here.
    pub first_fork: u64,
    /// Blocks of its log then.
    pub first_length: u64,
    /// Blocks that it holds from the first one on.
    pub remote_contiguous_length: u64,
    /// Whether it answers requests.
    pub remote_uploading: bool,
    /// Whether it is interested in data.
    pub remote_downloading: bool,
    /// Whether its requests are answered.
    pub upload: bool,
    /// Whether it is asked for anything.
    pub download: bool,
    /// Requests to it that are not answered.
    pub in_flight: usize,
    /// Requests of it that wait.
    pub queued: usize,
    /// Blocks of it that were stored.
    pub blocks_downloaded: u64,
    /// Their bytes.
    pub bytes_downloaded: u64,
    /// Blocks that were sent to it.
    pub blocks_uploaded: u64,
    /// Their bytes.
    pub bytes_uploaded: u64,
    /// Requests that it had no answer to.
    pub refused: u64,
    /// Proofs that did not hold.
    pub invalid_proofs: u32,
    /// Answers that nobody waited for.
    pub unsolicited: u32,
    /// How long it takes to answer, smoothed. `None` before its first answer.
    pub response_time: Option<Duration>,
}
