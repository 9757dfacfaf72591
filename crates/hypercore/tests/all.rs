//! The tests that need no process of their own, in one binary: each more would be linked, with all that it stands on,
//! and compile what the others have of generic code once more.
#![expect(clippy::duplicate_mod, reason = "each file names what it shares")]

#[path = "backup.rs"]
mod backup;
#[path = "blocking.rs"]
mod blocking;
#[path = "blocks.rs"]
mod blocks;
#[path = "broken_streams.rs"]
mod broken_streams;
#[path = "carriers.rs"]
mod carriers;
#[path = "closing.rs"]
mod closing;
#[path = "codecs.rs"]
mod codecs;
#[path = "concurrency.rs"]
mod concurrency;
#[path = "damage.rs"]
mod damage;
#[path = "drafts.rs"]
mod drafts;
#[path = "encryption.rs"]
mod encryption;
#[path = "encryption_vectors.rs"]
mod encryption_vectors;
#[path = "errors.rs"]
mod errors;
#[path = "events.rs"]
mod events;
#[path = "eventual.rs"]
mod eventual;
#[path = "locking.rs"]
mod locking;
#[path = "manifest_vectors.rs"]
mod manifest_vectors;
#[path = "many_logs.rs"]
mod many_logs;
#[path = "meshes.rs"]
mod meshes;
#[path = "openers.rs"]
mod openers;
#[path = "options.rs"]
mod options;
#[path = "packing.rs"]
mod packing;
#[path = "proofs.rs"]
mod proofs;
#[path = "providers.rs"]
mod providers;
#[path = "purging.rs"]
mod purging;
#[path = "refusals.rs"]
mod refusals;
#[path = "reopen.rs"]
mod reopen;
#[path = "replicate.rs"]
mod replicate;
#[path = "restored.rs"]
mod restored;
#[path = "rewriting.rs"]
mod rewriting;
#[path = "serialized.rs"]
mod serialized;
#[path = "sessions.rs"]
mod sessions;
#[path = "several_signers.rs"]
mod several_signers;
#[path = "signers.rs"]
mod signers;
#[path = "sixteen_tasks.rs"]
mod sixteen_tasks;
#[path = "snapshots.rs"]
mod snapshots;
#[path = "talking.rs"]
mod talking;
#[path = "unread.rs"]
mod unread;
#[path = "user_data.rs"]
mod user_data;
