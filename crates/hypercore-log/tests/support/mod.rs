//! What the behaviour tests share: logs in memory, and the recorded directories.
#![allow(dead_code, unreachable_pub, reason = "every test file uses its own part of this")]

pub mod fixture;

use std::collections::BTreeMap;

use hypercore_crypto::KeyPair;
use hypercore_log::{Create, FileName, Log, OpenOptions, Stores};
use random_access_memory::RandomAccessMemory;
use random_access_storage::RandomAccess;
use random_access_storage::testing::{FaultyDisk, OneByte};

/// The files of a core's directory, in the order of their names here.
pub const FILES: [FileName; 5] =
    [FileName::Oplog, FileName::Header, FileName::Tree, FileName::Bitfield, FileName::Data];

/// Stores in memory that outlive the log which uses them.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    files: BTreeMap<FileName, RandomAccessMemory>,
}

impl Disk {
    pub fn new() -> Self {
        Self { files: FILES.into_iter().map(|name| (name, RandomAccessMemory::new())).collect() }
    }

    pub fn with_files(files: &BTreeMap<String, Vec<u8>>) -> Self {
        let disk = Self::new();
        for (name, bytes) in files {
            let name = FILES.into_iter().find(|file| file.as_str() == name).expect("a known file");
            disk.file(name).write_at(0, bytes).unwrap();
        }
        disk
    }

    pub fn file(&self, name: FileName) -> &RandomAccessMemory {
        &self.files[&name]
    }

    /// The stores of a log; with `HYPERCORE_LOG_ONE_BYTE` set they move one byte a call, as `cargo xtask test` has
    /// all behaviour tests do once more.
    pub fn stores(&self) -> Stores {
        let one_byte = std::env::var_os("HYPERCORE_LOG_ONE_BYTE").is_some();
        let store = |name| -> Box<dyn RandomAccess> {
            let file = self.files[&name].clone();
            if one_byte { Box::new(OneByte::new(file)) } else { Box::new(file) }
        };
        Stores {
            oplog: store(FileName::Oplog),
            header: store(FileName::Header),
            tree: store(FileName::Tree),
            bitfield: store(FileName::Bitfield),
            data: store(FileName::Data),
        }
    }

    /// The bytes of a file.
    pub fn bytes(&self, name: FileName) -> Vec<u8> {
        let file = self.file(name);
        file.read_vec_at(0, usize::try_from(file.len().unwrap()).unwrap()).unwrap()
    }

    /// A copy that does not share its bytes.
    pub fn snapshot(&self) -> Self {
        let copy = Self::new();
        for name in FILES {
            copy.file(name).write_at(0, &self.bytes(name)).unwrap();
        }
        copy
    }
}

/// The stores of a log on disks that may fail, in the order of [`FILES`].
pub fn stores_on(files: &[FaultyDisk; 5]) -> Stores {
    let file = |name: FileName| {
        let at = FILES.iter().position(|known| *known == name).expect("a file of a log");
        Box::new(files[at].clone())
    };
    Stores {
        oplog: file(FileName::Oplog),
        header: file(FileName::Header),
        tree: file(FileName::Tree),
        bitfield: file(FileName::Bitfield),
        data: file(FileName::Data),
    }
}

/// The key pair of all logs here.
pub fn key_pair() -> KeyPair {
    KeyPair::from_seed(&[7; 32])
}

/// A new, empty log that can be written.
pub fn create(disk: &Disk) -> Log {
    let options = OpenOptions::new().create(Create::New).key_pair(key_pair());
    Log::open(disk.stores(), options).unwrap()
}

/// The log that is stored there.
pub fn reopen(disk: &Disk) -> Log {
    Log::open(disk.stores(), OpenOptions::new()).unwrap()
}

/// A block with content of its own.
pub fn block(index: u64, len: usize) -> Vec<u8> {
    let seed = index.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
    seed.iter().copied().cycle().take(len).collect()
}

/// Every block of the log, stored or not.
pub fn blocks(log: &Log) -> Vec<Option<Vec<u8>>> {
    (0..log.length()).map(|index| log.get(index).unwrap()).collect()
}

/// Fails with the findings unless the audit has none.
pub fn assert_sound(log: &Log) {
    let report = log.audit(&mut |_| {}).unwrap();
    assert!(report.is_ok(), "{report:#?}");
    assert_eq!(log.contiguous_length(), first_missing(log));
}

fn first_missing(log: &Log) -> u64 {
    (0..log.length()).find(|index| !log.has(*index)).unwrap_or_else(|| log.length())
}
