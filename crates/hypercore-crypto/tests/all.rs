//! The tests that need no process of their own, in one binary: each more would be linked, with all that it stands on,
//! and compile what the others have of generic code once more.
#![expect(clippy::duplicate_mod, reason = "each file names what it shares")]

#[path = "assembling.rs"]
mod assembling;
#[path = "batches.rs"]
mod batches;
#[path = "encryption.rs"]
mod encryption;
#[path = "format_pages.rs"]
mod format_pages;
#[path = "hashes.rs"]
mod hashes;
#[path = "ids.rs"]
mod ids;
#[path = "keys.rs"]
mod keys;
#[path = "manifests.rs"]
mod manifests;
#[path = "serde.rs"]
mod serde;
#[path = "signatures.rs"]
mod signatures;
