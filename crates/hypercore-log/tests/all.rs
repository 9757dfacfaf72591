//! The tests that need no process of their own, in one binary: each more would be linked, with all that it stands on,
//! and compile what the others have of generic code once more.
#![expect(clippy::duplicate_mod, reason = "each file names what it shares")]

#[path = "backups.rs"]
mod backups;
#[path = "batches_of_proofs.rs"]
mod batches_of_proofs;
#[path = "bit_rot.rs"]
mod bit_rot;
#[path = "branch_concurrency.rs"]
mod branch_concurrency;
#[path = "branch_model.rs"]
mod branch_model;
#[path = "branches.rs"]
mod branches;
#[path = "checked_proofs.rs"]
mod checked_proofs;
#[path = "commits.rs"]
mod commits;
#[path = "compaction.rs"]
mod compaction;
#[path = "concurrency.rs"]
mod concurrency;
#[path = "damaged_entries.rs"]
mod damaged_entries;
#[path = "failed_sync.rs"]
mod failed_sync;
#[path = "faults.rs"]
mod faults;
#[path = "hostile_files.rs"]
mod hostile_files;
#[path = "limits.rs"]
mod limits;
#[path = "model.rs"]
mod model;
#[path = "prologue.rs"]
mod prologue;
#[path = "proven_reads.rs"]
mod proven_reads;
#[path = "recorded_directories.rs"]
mod recorded_directories;
#[path = "recorded_writes.rs"]
mod recorded_writes;
#[path = "recovery.rs"]
mod recovery;
#[path = "repair.rs"]
mod repair;
#[path = "replication.rs"]
mod replication;
#[path = "runs.rs"]
mod runs;
#[path = "shared_handle.rs"]
mod shared_handle;
#[path = "signed_elsewhere.rs"]
mod signed_elsewhere;
#[path = "snapshots.rs"]
mod snapshots;
#[path = "user_data.rs"]
mod user_data;
