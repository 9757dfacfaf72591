//! The tests that need no process of their own, in one binary: each more would be linked, with all that it stands on,
//! and compile what the others have of generic code once more.
#![expect(clippy::duplicate_mod, reason = "each file names what it shares")]

#[path = "container_damage.rs"]
mod container_damage;
#[path = "container_writing.rs"]
mod container_writing;
#[path = "crafted_containers.rs"]
mod crafted_containers;
#[path = "derive.rs"]
mod derive;
#[path = "encoder.rs"]
mod encoder;
#[path = "format_page.rs"]
mod format_page;
#[path = "golden.rs"]
mod golden;
#[path = "one_entry.rs"]
mod one_entry;
#[path = "plain_damage.rs"]
mod plain_damage;
#[path = "reading.rs"]
mod reading;
#[path = "round_trip.rs"]
mod round_trip;
