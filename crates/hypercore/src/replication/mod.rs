//! Replication: connections to peers on one side, the replicator of each log on the other.
//!
//! ```text
//!   stream of bytes <-> secret <-> session --- inbox ---> exchange <-> state <-> log
//!                                     ^                      |
//!                                     +------ mailbox -------+
//! ```
//!
//! A [`session`] is the task of one connection; it carries any number of logs. An [`exchange`] is the
//! actor of one log; it has any number of connections. Neither ever waits for the other: what passes
//! between them is counted, and who is ahead stops reading.

pub(crate) mod carrier;
pub(crate) mod control;
pub(crate) mod download;
pub(crate) mod exchange;
pub(crate) mod extension;
pub(crate) mod fetch;
pub(crate) mod link;
pub(crate) mod mailbox;
pub(crate) mod options;
pub(crate) mod peers;
pub(crate) mod pipe;
pub(crate) mod reason;
pub(crate) mod secret;
pub(crate) mod session;
pub(crate) mod state;
pub(crate) mod stream;
pub(crate) mod survey;
pub(crate) mod wish;
