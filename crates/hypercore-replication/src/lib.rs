//! Replication of Hypercores with any peer: messages in, messages out.
//!
//! A [`Replicator`] serves one log to many peers and fetches what its owner wishes for from them. It is handed the log
//! each time it works, and everything that a peer sends is verified before it is stored.
//!
//! This crate refuses to read a clock, to draw random numbers, to spawn anything and to do I/O: time and a seed are
//! arguments, messages go in with [`Replicator::receive`] and come out of [`Replicator::next_output`]. The same calls
//! give the same messages.
#![forbid(unsafe_code)]

mod connection;
mod download;
mod event;
mod fault;
mod limits;
mod message;
mod options;
mod peer;
mod remote;
mod replicator;
mod statistics;
mod sync;
mod upload;
mod view;
mod wish;

pub use connection::{
    Connection, ConnectionError, ConnectionEvent, EXTENSION_NAME_LEN_MAX, KEPT_FRAMES_LEN_MAX,
};
pub use event::{Event, Evidence, LogChange, Outcome, Output, Progress};
pub use fault::{CloseReason, PeerFault};
pub use limits::{INPUT_LEN_MAX, REQUESTS_IN_FLIGHT_MAX, REQUESTS_PER_PEER_MAX};
pub use message::{
    Bitfield, Cancel, Extension, Handshake, Message, NoData, NoDataReason, RangeMessage, Sync, Want,
};
pub use options::{Options, PeerId, PeerOptions, WantRegion, WishId};
pub use replicator::Replicator;
pub use statistics::PeerStatistics;
pub use wish::{RangeWish, UpgradeWish};
