//! The tests that need no process of their own, in one binary: each more would be linked, with all that it stands on,
//! and compile what the others have of generic code once more.
#![expect(clippy::duplicate_mod, reason = "each file names what it shares")]

#[path = "format_pages.rs"]
mod format_pages;
#[path = "hostile.rs"]
mod hostile;
#[path = "proofs.rs"]
mod proofs;
#[path = "serde.rs"]
mod serde;
#[path = "trees.rs"]
mod trees;
#[path = "vectors.rs"]
mod vectors;
#[path = "wire.rs"]
mod wire;
