//! The tests that need no process of their own, in one binary: each more would be linked, with all that it stands on,
//! and compile what the others have of generic code once more.
#![expect(clippy::duplicate_mod, reason = "each file names what it shares")]

#[path = "acceptance.rs"]
mod acceptance;
#[path = "announcing.rs"]
mod announcing;
#[path = "answering.rs"]
mod answering;
#[path = "conflict.rs"]
mod conflict;
#[path = "connection.rs"]
mod connection;
#[path = "convergence.rs"]
mod convergence;
#[path = "download.rs"]
mod download;
#[path = "forks.rs"]
mod forks;
#[path = "format_page.rs"]
mod format_page;
#[path = "hostile.rs"]
mod hostile;
#[path = "javascript.rs"]
mod javascript;
#[path = "messages.rs"]
mod messages;
#[path = "standalone.rs"]
mod standalone;
#[path = "starving.rs"]
mod starving;
