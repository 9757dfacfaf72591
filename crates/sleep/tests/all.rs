//! The tests that need no process of their own, in one binary: each more would be linked, with all that it stands on,
//! and compile what the others have of generic code once more.
#![expect(clippy::duplicate_mod, reason = "each file names what it shares")]

#[path = "append.rs"]
mod append;
#[path = "bitfields.rs"]
mod bitfields;
#[path = "clearing.rs"]
mod clearing;
#[path = "damaged.rs"]
mod damaged;
#[path = "downloads.rs"]
mod downloads;
#[path = "format_page.rs"]
mod format_page;
#[path = "golden.rs"]
mod golden;
#[path = "hostile.rs"]
mod hostile;
#[path = "model.rs"]
mod model;
#[path = "repair_after_power_cut.rs"]
mod repair_after_power_cut;
