//! A simulated disk that produces every image a crash may leave, a simulated network that loses and delays, and what
//! runs on them and judges.
//!
//! The disk keeps what is durable apart from what is not, down to single sectors, length changes and names; it knows
//! nothing of what its files hold. The module [`log`] runs scripts of log operations on it and judges every
//! image; [`pages`] does so with page files, [`sleep`] with SLEEP feeds; [`network`] lets logs replicate in virtual
//! time while connections and disks fail; [`hostile`] sets attackers on them. Nothing here opens a file or reads a
//! clock, and nothing ships that depends on it. It is a test tool: what it does not expect is a panic.
//!
//! ```
//! use random_access_storage::{RandomAccess, SyncScope};
//! use sim::disk::{Disk, Plan};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let disk = Disk::new();
//! let file = disk.file("notes");
//! file.write_at(0, b"first")?;
//! file.sync(SyncScope::Data)?;
//! file.write_at(5, b", second")?;
//!
//! let mut seen = Vec::new();
//! let recording = disk.recording();
//! recording.crashes(2..=3, &Plan::whole(1), &mut |crash| {
//!     seen.push(crash.image.bytes("notes").unwrap());
//! });
//! // The write and the longer length are two things, of which either may be lost.
//! assert!(seen.contains(&b"first".to_vec()));
//! assert!(seen.contains(&b"first\0\0\0\0\0\0\0\0".to_vec()));
//! assert!(seen.contains(&b"first, second".to_vec()));
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//! None.
#![forbid(unsafe_code)]
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a test tool: a panic here is a failed check, never a lost log"
)]

mod chosen;
pub mod disk;
mod hash;
pub mod hostile;
pub mod log;
pub mod network;
pub mod pages;
mod random;
pub mod sleep;
mod stack;
pub mod trials;

pub use random::Random;
