//! The page file against mappedpages 0.2.0, redb 4 and the bare system calls.
//!
//! All in one run and on one disk; what waits for the disk is measured by the clock, what does not by processor time.

mod bulk;
mod commits;
mod flushes;
mod open;
mod pages;

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use tempfile::TempDir;

use crate::measure::{Table, is_quick};

/// Bytes of a page.
const PAGE_LEN: usize = 4096;

type Ours = ::mappedpages::Pager<PAGE_LEN>;
type Theirs = published_mappedpages::Pager<PAGE_LEN>;

/// The names of the contenders, the same in all tables.
const OURS: &str = "mappedpages";
const FORMAT_ONE: &str = "mappedpages, format 1";
const THEIRS: &str = "0.2.0";
const REDB: &str = "redb 4";

pub use flushes::child;
pub use open::child as open_child;

pub fn table() -> Table {
    let mut table = Table::default();
    pages::races(&mut table);
    flushes::facts(&mut table);
    commits::races(&mut table);
    bulk::races(&mut table);
    open::races(&mut table);
    table
}

/// Turns of a race that waits for the disk.
fn turns() -> usize {
    if is_quick() { 4 } else { 10 }
}

fn ours(folder: &TempDir) -> Ours {
    Ours::create(folder.path().join("ours")).expect("a new file")
}

fn theirs(folder: &TempDir) -> Theirs {
    Theirs::create(folder.path().join("theirs")).expect("a new file")
}

/// A page file in format 1, written by ours.
fn format_one(folder: &TempDir) -> Ours {
    let builder = Ours::builder().format(::mappedpages::Format::One);
    builder.create(folder.path().join("one")).expect("a new file")
}

/// The least that makes pages durable: their bytes are written by one call to a file that has room for them, and synced.
struct Floor {
    file: File,
    bytes: Vec<u8>,
    /// Pages are never written where the last ones are.
    is_second: bool,
}

impl Floor {
    fn new(folder: &Path, pages: usize) -> Self {
        let bytes = vec![7; pages * PAGE_LEN];
        let mut file = File::create(folder.join("floor")).expect("a new file");
        (0..2).for_each(|_| file.write_all(&bytes).expect("space"));
        file.sync_all().expect("a sync");
        Self { file, bytes, is_second: false }
    }

    fn commit(&mut self) {
        self.bytes[0] = self.bytes[0].wrapping_add(1);
        self.is_second = !self.is_second;
        let offset = if self.is_second { self.bytes.len() } else { 0 };
        self.file.write_all_at(&self.bytes, offset as u64).expect("a write");
        self.file.sync_data().expect("a sync");
    }
}
