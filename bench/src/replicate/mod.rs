//! Replication over loopback TCP, each side a process of its own.

mod first_block;
mod floor;
mod idle;
mod memory;
pub mod peer;
mod proxy;
mod transfer;

use std::path::Path;

use crate::javascript::JavaScript;

pub use {
    first_block::table as first_block, idle::table as idle, memory::table as memory,
    transfer::table as transfer,
};

/// A log that is served: its key and a port.
struct Served {
    key: String,
    port: u16,
}

impl Served {
    /// Has a peer serve the log in `folder`.
    fn by(peer: &JavaScript, folder: &Path) -> Self {
        let answer = peer.ask_text(&format!("serve {}", folder.display()));
        let (key, port) =
            answer.split_once(' ').unwrap_or_else(|| panic!("a key and a port: {answer}"));
        Self { key: key.to_owned(), port: port.parse().expect("a port") }
    }
}

/// Rust and JavaScript, in pairs of processes.
struct Peers {
    rust: [JavaScript; 2],
    javascript: Result<[JavaScript; 2], String>,
}

impl Peers {
    fn start() -> Self {
        let javascript =
            JavaScript::start().and_then(|one| JavaScript::start().map(|other| [one, other]));
        Self { rust: [peer::start(), peer::start()], javascript }
    }
}
