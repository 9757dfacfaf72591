//! What a peer did wrong, and why its channel ends.

/// What a peer did that ends its channel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerFault {
    /// It has more requests waiting than [`REQUESTS_PER_PEER_MAX`](crate::REQUESTS_PER_PEER_MAX).
    #[error("more than {max} requests were waiting", max = crate::REQUESTS_PER_PEER_MAX)]
    TooManyRequests,
    /// It asked too often for what no tree has.
    #[error("too many requests that can not be answered")]
    InvalidRequests,
    /// It sent too many proofs that do not hold.
    #[error("too many proofs that do not hold")]
    InvalidProofs,
    /// It sent too much that nobody asked for.
    #[error("too much data that was not asked for")]
    Unsolicited,
    /// More of its messages wait than a peer may have: it was read although the replicator wanted no more input.
    #[error("too much input is waiting")]
    InputOverflow,
}

/// Why a channel is to be closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer did something that no honest peer does. The whole stream should end.
    #[error(transparent)]
    Fault(#[from] PeerFault),
    /// Neither side wants anything. The stream can stay.
    #[error("neither side wants anything")]
    Idle,
    /// The log has two signed histories, and is replicated no more.
    #[error("two histories of the log were signed")]
    Conflict,
}
