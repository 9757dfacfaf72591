//! The limits of everything that a peer can make grow.

use std::time::Duration;

/// Requests one peer may have waiting here. Reading it should stop then ([`Replicator::wants_input`]); the next one
/// closes its channel with [`PeerFault::TooManyRequests`].
///
/// [`Replicator::wants_input`]: crate::Replicator::wants_input
/// [`PeerFault::TooManyRequests`]: crate::PeerFault::TooManyRequests
pub const REQUESTS_PER_PEER_MAX: usize = 256;

/// Bytes of answers and extension messages of one peer that may wait to be looked at. Reading it should stop then.
pub const INPUT_LEN_MAX: usize = 1 << 20;

/// Requests in flight to one peer. One less than a peer may have waiting, so that two sides that ask each other never
/// both stop reading.
pub const REQUESTS_IN_FLIGHT_MAX: usize = REQUESTS_PER_PEER_MAX - 1;

/// Requests to one peer that were taken back and are not known to be forgotten by it. A peer that has answered nothing
/// since is not asked any more.
pub(crate) const RESTING_MAX: usize = 4096;

/// Bytes in flight to one peer, by the average length of a block: what large blocks are asked for at a time.
pub(crate) const BYTES_IN_FLIGHT_MAX: u64 = 16 << 20;

/// Messages of one peer that may wait to be looked at. A peer is not read then.
pub(crate) const INPUT_COUNT_MAX: usize = 1024;

/// Messages over [`INPUT_COUNT_MAX`] that a peer is forgiven: those that were decoded when reading stopped.
pub(crate) const INPUT_SLACK: usize = 1024;

/// Events that may wait for the owner; peers are not read while there are more.
pub(crate) const EVENTS_MAX: usize = 8192;

/// What a message counts beside its payload.
pub(crate) const MESSAGE_LEN: usize = 64;

/// Bytes of answers of one peer that are kept until the answer comes that they lean on. More are asked for again.
pub(crate) const HELD_LEN_MAX: usize = 512 << 10;

/// Proofs that do not hold, from one peer, before its channel is closed.
pub(crate) const INVALID_PROOFS_MAX: u32 = 4;

/// Messages that nobody asked for, from one peer, before its channel is closed. Late answers to requests that were
/// taken back are among them, so it is generous.
pub(crate) const UNSOLICITED_MAX: u32 = 4096;

/// Blocks that one peer said it does not have, and that are not asked of it for a while.
pub(crate) const REFUSALS_MAX: usize = 1024;

/// How long a peer is not asked again for what it refused, doubled with each refusal up to 64 times.
pub(crate) const REFUSAL_DELAY: Duration = Duration::from_millis(500);

/// Other peers that are asked for a block that one was asked for already.
///
/// # Source
/// wire.md section 7.5.
pub(crate) const SWAPS_MAX: u8 = 3;

/// How long a request may take before another peer that is idle is asked as well.
pub(crate) const SWAP_AFTER: Duration = Duration::from_millis(500);

/// How long an upgrade, or a step of a reorganisation, may take before another peer is asked as well.
pub(crate) const UPGRADE_PATIENCE: Duration = Duration::from_secs(2);

/// Blocks that were asked for in vain and wait for another peer. Beyond that ranges are gone through again.
pub(crate) const RETRY_MAX: usize = 512;

/// Steps over blocks that one peer can not be asked for, in one run.
pub(crate) const PLAN_STEPS_MAX: u32 = 4096;

/// Stretches that one peer was asked about.
///
/// # Source
/// wire.md section 7.4.
pub(crate) const WANTS_MAX: usize = 512;

/// Stretches that one peer was asked about and has not answered.
pub(crate) const WANTS_UNANSWERED_MAX: usize = 3;

/// How long the wish to hear of data is upheld after the last reason for it went away.
///
/// # Source
/// wire.md section 7.10: JavaScript waits 20 to 40 s.
pub(crate) const LINGER: Duration = Duration::from_secs(30);

/// Messages to a peer that there is room for when none waits.
pub(crate) const OUTPUT_KEPT: usize = 8;
