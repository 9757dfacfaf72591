//! Replication of Hypercores with any peer: messages in, messages out.
//!
//! This crate refuses to read a clock, to draw random numbers, to spawn anything and to do I/O.
#![forbid(unsafe_code)]

mod connection;
mod message;

pub use connection::{
    Connection, ConnectionError, ConnectionEvent, EXTENSION_NAME_LEN_MAX, KEPT_FRAMES_LEN_MAX,
};
pub use message::{
    Bitfield, Cancel, Extension, Handshake, Message, NoData, NoDataReason, RangeMessage, Sync, Want,
};
