//! The tests that need no process of their own, in one binary: each more would be linked, with all that it stands on,
//! and compile what the others have of generic code once more.
#![expect(clippy::duplicate_mod, reason = "each file names what it shares")]

#[path = "api.rs"]
mod api;
#[path = "asynchronous.rs"]
mod asynchronous;
#[path = "bit_rot.rs"]
mod bit_rot;
#[path = "commits.rs"]
mod commits;
#[path = "compact.rs"]
mod compact;
#[path = "errors.rs"]
mod errors;
#[path = "format_1_page.rs"]
mod format_1_page;
#[path = "model.rs"]
mod model;
#[path = "no_room.rs"]
mod no_room;
#[path = "published_examples.rs"]
mod published_examples;
#[path = "published_files.rs"]
mod published_files;
#[path = "read_only.rs"]
mod read_only;
#[path = "seal_rot.rs"]
mod seal_rot;
#[path = "shared.rs"]
mod shared;
#[path = "statistics.rs"]
mod statistics;
#[path = "sub_pages.rs"]
mod sub_pages;
#[path = "transactions.rs"]
mod transactions;
#[path = "upgrade.rs"]
mod upgrade;
