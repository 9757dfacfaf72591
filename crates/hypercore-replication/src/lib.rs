//! Replication of Hypercores with any peer: messages in, messages out.
//!
//! A [`Replicator`] serves one log to many peers and fetches what its owner wishes for from them. It is handed the log
//! each time it works, and everything that a peer sends is verified before it is stored. A [`Connection`] carries many
//! logs over one stream of frames. The messages are those of JavaScript Hypercore 10 and 11.
//!
//! This crate refuses to read a clock, to draw random numbers, to spawn anything and to do I/O: time and a seed are
//! arguments, messages go in with [`Replicator::receive`] and come out of [`Replicator::next_output`]. The same calls
//! give the same messages.
//!
//! ```
//! use std::time::Duration;
//!
//! use hypercore_crypto::KeyPair;
//! use hypercore_log::{Create, Log, OpenOptions, Stores};
//! use hypercore_replication::{Options, Output, PeerOptions, RangeWish, Replicator};
//! # use random_access_memory::RandomAccessMemory;
//! # fn stores() -> Stores {
//! #     let store = || Box::new(RandomAccessMemory::new());
//! #     Stores { oplog: store(), header: store(), tree: store(), bitfield: store(), data: store() }
//! # }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let new = OpenOptions::new().create(Create::New);
//! let there = Log::open(stores(), new.clone().key_pair(KeyPair::from_seed(&[7; 32])))?;
//! there.append(&["hello", "world"])?;
//! let here = Log::open(stores(), new.key(there.key()))?;
//!
//! // Each side knows the other as a peer.
//! let (mut server, mut client) =
//!     (Replicator::new(Options::new()), Replicator::new(Options::new()));
//! let (to_client, to_server) =
//!     (server.add_peer(PeerOptions::new()), client.add_peer(PeerOptions::new()));
//! client.want_range(RangeWish::new(..));
//!
//! // What one puts out, the other takes in, until there is nothing more to say.
//! let now = Duration::ZERO;
//! loop {
//!     let _ = server.run(&there, now);
//!     let _ = client.run(&here, now);
//!     let mut is_silent = true;
//!     while let Some(Output::Send { message, .. }) = server.next_output() {
//!         client.receive(to_server, message)?;
//!         is_silent = false;
//!     }
//!     while let Some(Output::Send { message, .. }) = client.next_output() {
//!         server.receive(to_client, message)?;
//!         is_silent = false;
//!     }
//!     if is_silent {
//!         break;
//!     }
//! }
//! assert_eq!(here.get(1)?.as_deref(), Some(&b"world"[..]));
//! # Ok(())
//! # }
//! ```
//!
//! A [`StandaloneProof`] is handed over outside of any connection, and verified with the key of its log and nothing else.
//!
//! # Bounds
//! What a peer can make this crate keep is bounded by [`INPUT_LEN_MAX`], [`REQUESTS_PER_PEER_MAX`] and the limits named
//! where they are enforced. Nothing is kept per block of a log, nor of a range that is wished for.
//!
//! # After a crash
//! Nothing of it is stored; the log is. A replicator that is made anew goes on where the log stands.
//!
//! # Features
//! None.
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
mod standalone;
mod statistics;
mod sync;
mod upload;
mod view;
mod wish;

pub use connection::{
    Connection, ConnectionError, ConnectionEvent, EXTENSION_NAME_LEN_MAX, KEPT_FRAMES_LEN_MAX,
};
pub use event::{Event, Evidence, Failure, LogChange, Outcome, Output, Progress};
pub use fault::{CloseReason, PeerFault};
pub use limits::{INPUT_LEN_MAX, REQUESTS_IN_FLIGHT_MAX, REQUESTS_PER_PEER_MAX};
pub use message::{
    Bitfield, Cancel, Extension, Handshake, Message, NoData, NoDataReason, RangeMessage, Sync, Want,
};
pub use options::{Options, PeerId, PeerOptions, WantRegion, WishId};
pub use replicator::Replicator;
pub use standalone::{StandaloneError, StandaloneProof, Standing};
pub use statistics::PeerStatistics;
pub use wish::{RangeWish, UpgradeWish};
