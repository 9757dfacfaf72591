//! What the tables of logs share: logs of ours to write and read, and blocks to fill them with.

use std::cell::Cell;
use std::future::Future;
use std::path::Path;

use hypercore::Hypercore;
use hypercore_crypto::KeyPair;
use hypercore_log::{Create, Durability, Log, OpenOptions, Stores};
use random_access_disk::{Create as CreateFile, RandomAccessDisk};
use random_access_storage::RandomAccess;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Blocks in a batch.
pub const BATCH: usize = 1000;

/// The names of the contenders, the same in all tables.
pub const FACADE: &str = "hypercore";
pub const ENGINE: &str = "hypercore-log";
pub const JAVASCRIPT: &str = "JavaScript 11.37.1";
pub const PUBLISHED: &str = "crates.io 0.17.0-alpha.1";
pub const FLOOR: &str = "floor";

const SEED: [u8; 32] = [7; 32];

/// Calls of the facade, as a program would make them.
pub struct Tokio(Runtime);

impl Tokio {
    pub fn new() -> Self {
        Self(Runtime::new().expect("a runtime"))
    }

    pub fn run<T>(&self, call: impl Future<Output = T>) -> T {
        self.0.block_on(call)
    }

    /// A log of the facade, new where there is none.
    pub fn facade(&self, folder: &Path, durability: Durability) -> Hypercore {
        let builder = Hypercore::builder(folder).durability(durability).seed(&SEED);
        self.run(builder.open()).expect("a log")
    }
}

/// A log of the engine, new where there is none.
pub fn engine(folder: &Path, durability: Durability) -> Log {
    let options = OpenOptions::new()
        .create(Create::IfMissing)
        .key_pair(KeyPair::from_seed(&SEED))
        .durability(durability);
    Log::open(stores(folder), options).expect("a log")
}

fn stores(folder: &Path) -> Stores {
    let open = |name| -> Box<dyn RandomAccess> {
        let file = RandomAccessDisk::builder(folder.join(name)).create(CreateFile::OnFirstWrite);
        Box::new(file.open().expect("a file"))
    };
    Stores {
        oplog: open("oplog"),
        header: open("header"),
        tree: open("tree"),
        bitfield: open("bitfield"),
        data: open("data"),
    }
}

pub fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Blocks of bytes that do not compress.
pub fn blocks(count: usize, len: usize) -> Vec<Vec<u8>> {
    let mut state: u64 = 1;
    let mut byte = || {
        state = state * 48_271 % 2_147_483_647;
        (state >> 8) as u8
    };
    (0..count).map(|_| (0..len).map(|_| byte()).collect()).collect()
}

/// Numbers that look random: always the same, and new ones for each sample, so that nobody has
/// them in a small cache.
pub struct Random(Cell<u64>);

impl Random {
    pub fn new() -> Self {
        Self(Cell::new(12_345))
    }

    /// So many numbers below `end`.
    pub fn below(&self, end: u64, count: usize) -> impl Iterator<Item = u64> {
        (0..count).map(move |_| {
            self.0.set(self.0.get() * 48_271 % 2_147_483_647);
            self.0.get() % end
        })
    }
}
