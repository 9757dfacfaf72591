//! The tests that need no process of their own, in one binary: each more would be linked, with all that it stands on,
//! and compile what the others have of generic code once more.
#![expect(clippy::duplicate_mod, reason = "each file names what it shares")]

#[path = "format_page.rs"]
mod format_page;
#[path = "hostile.rs"]
mod hostile;
#[path = "sessions.rs"]
mod sessions;
#[path = "streams.rs"]
mod streams;
