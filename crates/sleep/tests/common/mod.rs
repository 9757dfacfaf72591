//! Feeds in memory, and the golden directories.
#![expect(dead_code, unreachable_pub, reason = "shared by tests, none of which uses all of it")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use hypercore_crypto::KeyPair;
use random_access_memory::RandomAccessMemory;
use random_access_storage::RandomAccess;
use random_access_storage::testing::{Call, Journal, Recording};
use serde_json::Value;
use sleep::{Access, Feed, FileName, Storage};

/// The six stores of a feed; clones share them.
#[derive(Clone, Default)]
pub struct Stores(Arc<Mutex<BTreeMap<FileName, RandomAccessMemory>>>);

impl Storage for Stores {
    fn open(
        &self,
        name: FileName,
        access: Access,
    ) -> random_access_storage::Result<Option<Arc<dyn RandomAccess>>> {
        let mut stores = self.0.lock().unwrap();
        if access == Access::Create {
            stores.entry(name).or_default();
        }
        Ok(stores.get(&name).map(|store| Arc::new(store.clone()) as Arc<dyn RandomAccess>))
    }
}

impl Stores {
    pub fn bytes(&self, name: FileName) -> Option<Vec<u8>> {
        let stores = self.0.lock().unwrap();
        let store = stores.get(&name)?;
        Some(store.read_vec_at(0, store.len().unwrap() as usize).unwrap())
    }

    pub fn set(&self, name: FileName, bytes: &[u8]) {
        let store = RandomAccessMemory::new();
        store.write_at(0, bytes).unwrap();
        self.0.lock().unwrap().insert(name, store);
    }

    pub fn remove(&self, name: FileName) {
        self.0.lock().unwrap().remove(&name);
    }

    /// All bytes of all files.
    pub fn all(&self) -> BTreeMap<FileName, Vec<u8>> {
        let names: Vec<FileName> = self.0.lock().unwrap().keys().copied().collect();
        names.into_iter().map(|name| (name, self.bytes(name).unwrap())).collect()
    }

    /// Stores with the same bytes that are not these.
    pub fn copy(&self) -> Self {
        let copy = Self::default();
        for (name, bytes) in self.all() {
            copy.set(name, &bytes);
        }
        copy
    }

    pub fn read(&self) -> Feed {
        Feed::options().open(self.clone()).unwrap()
    }

    pub fn write(&self) -> Feed {
        Feed::options().access(Access::Write).open(self.clone()).unwrap()
    }

    /// A new feed of the key pair of a seed.
    pub fn create(&self, pair: &KeyPair) -> Feed {
        Feed::options().access(Access::Create).key_pair(pair.clone()).open(self.clone()).unwrap()
    }
}

/// Stores that note every call.
pub fn recorded(journal: &Journal) -> impl Storage + Clone + use<> {
    let (stores, journal) = (Stores::default(), journal.clone());
    move |name: FileName, access: Access| {
        let store = Storage::open(&stores, name, access)?;
        Ok(store.map(|store| {
            Arc::new(Recording::new(name.as_str(), store, &journal)) as Arc<dyn RandomAccess>
        }))
    }
}

/// Writes, cuts and syncs since the last time, with the names of the files.
pub fn calls(journal: &Journal) -> Vec<String> {
    let name = |call: &Call| match call {
        Call::Write { .. } => Some("write"),
        Call::Sync { .. } => Some("sync"),
        Call::Read { .. } => None,
        _ => Some("cut"),
    };
    let entries = journal.take();
    entries
        .iter()
        .filter_map(|entry| Some(format!("{} {}", name(&entry.call)?, entry.store)))
        .collect()
}

/// A golden directory.
pub struct Golden {
    pub name: String,
    pub stores: Stores,
    pub expected: Value,
}

impl Golden {
    pub fn pair(&self) -> Option<KeyPair> {
        let seed = self.expected["seed"].as_str()?;
        Some(KeyPair::from_seed(&unhex(seed).try_into().unwrap()))
    }

    pub fn u64(&self, field: &str) -> u64 {
        self.expected[field].as_u64().unwrap()
    }

    /// A block as the rule of the directory makes it.
    pub fn block(&self, index: u64) -> Vec<u8> {
        block(self.expected["block_rule"].as_str().unwrap(), index)
    }

    /// Half-open ranges in a field.
    pub fn ranges(&self, field: &str) -> Vec<std::ops::Range<u64>> {
        ranges(&self.expected[field])
    }
}

pub fn ranges(value: &Value) -> Vec<std::ops::Range<u64>> {
    let pairs = value.as_array().unwrap().iter();
    pairs.map(|pair| pair[0].as_u64().unwrap()..pair[1].as_u64().unwrap()).collect()
}

/// Whether a number is in one of the ranges.
pub fn contains(ranges: &[std::ops::Range<u64>], number: u64) -> bool {
    ranges.iter().any(|range| range.contains(&number))
}

/// The rules by which the blocks of the golden directories were made.
pub fn block(rule: &str, index: u64) -> Vec<u8> {
    match rule {
        "b-decimal" => format!("b{index}").into_bytes(),
        "one-byte" => vec![index as u8],
        "mixed" => vec![(31 * index + 5) as u8; (7 * index % 23) as usize],
        "square" => {
            let square = (index * index).to_string();
            format!("{square:.>width$}", width = 1 + index as usize % 5).into_bytes()
        }
        rule => panic!("unknown rule {rule}"),
    }
}

pub fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().collect();
    let digit = |digit: u8| char::from(digit).to_digit(16).unwrap() as u8;
    digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

pub fn golden(name: &str) -> Golden {
    load(&folder().join(name))
}

/// All golden directories with a whole feed in them.
pub fn goldens() -> Vec<Golden> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.join("storage/key").exists());
    paths.sort();
    paths.iter().map(|path| load(path)).collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn load(path: &Path) -> Golden {
    let stores = Stores::default();
    for name in FileName::ALL {
        if let Ok(bytes) = std::fs::read(path.join("storage").join(name.as_str())) {
            stores.set(name, &bytes);
        }
    }
    let expected = std::fs::read(path.join("expected.json")).unwrap();
    let expected = serde_json::from_slice(&expected).unwrap();
    Golden { name: path.file_name().unwrap().to_str().unwrap().to_owned(), stores, expected }
}
