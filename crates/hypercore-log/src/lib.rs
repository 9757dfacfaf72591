//! Placeholder: this crate is being written.
mod bitfield;
mod entry;
mod frame;
mod header;
mod oplog;
