//! The guide: what there is to know beyond single calls, a page each.
//!
//! | page | is about |
//! |---|---|
//! | [`storage`] | directories, memory, stores of one's own; clearing, backups, packed logs, damage |
//! | [`durability`] | what is still there after a crash, and after a future was dropped |
//! | [`sessions`] | sessions, snapshots, named batches, streams, events |
//! | [`encryption`] | keys, encryption of one's own, what it hides and what not |
//! | [`signing`] | who may write: keys elsewhere, several signers, beginnings that are given |
//! | [`replication`] | copies, waiting for peers, proofs |
//! | [`coming_from_javascript`] | every method, property, option and event of JavaScript Hypercore, and what it is here |
//!
//! The code on these pages is compiled and run with the tests.

#[doc = include_str!("../docs/storage.md")]
pub mod storage {}

#[doc = include_str!("../docs/durability.md")]
pub mod durability {}

#[doc = include_str!("../docs/sessions.md")]
pub mod sessions {}

#[doc = include_str!("../docs/encryption.md")]
pub mod encryption {}

#[doc = include_str!("../docs/signing.md")]
pub mod signing {}

#[doc = include_str!("../docs/replication.md")]
pub mod replication {}

#[doc = include_str!("../docs/coming_from_javascript.md")]
pub mod coming_from_javascript {}
