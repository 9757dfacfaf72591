//! The tests that need no process of their own, in one binary: each more would be linked, with all that it stands on,
//! and compile what the others have of generic code once more.
#![expect(clippy::duplicate_mod, reason = "each file names what it shares")]

#[path = "append.rs"]
mod append;
#[path = "backup.rs"]
mod backup;
#[path = "clone.rs"]
mod clone;
#[path = "damage.rs"]
mod damage;
#[path = "describe.rs"]
mod describe;
#[path = "encryption.rs"]
mod encryption;
#[path = "follow.rs"]
mod follow;
#[path = "full_disk.rs"]
mod full_disk;
#[path = "locking.rs"]
mod locking;
#[path = "memory.rs"]
mod memory;
#[path = "openers.rs"]
mod openers;
#[path = "pack.rs"]
mod pack;
#[path = "pipes.rs"]
mod pipes;
#[path = "read.rs"]
mod read;
#[path = "repair.rs"]
mod repair;
#[path = "serve.rs"]
mod serve;
#[path = "shell.rs"]
mod shell;
#[path = "shrink.rs"]
mod shrink;
#[path = "sleep_damage.rs"]
mod sleep_damage;
#[path = "sleep_import.rs"]
mod sleep_import;
#[path = "sleep_read.rs"]
mod sleep_read;
