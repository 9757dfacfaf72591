//! The golden feeds of the crate `sleep`: directories that the JavaScript packages 6.3 to 9.12 wrote, and what they say of them.

use std::path::PathBuf;
use std::sync::Arc;

use hypercore::RandomAccess as _;
use random_access_disk::{Create, Lock, LockKind, RandomAccessDisk};
use serde_json::Value;
use sleep::{Access, Feed, FileName, Node, SignatureFile, TreeFile, hashes};

use super::Shell;

/// One golden feed.
pub struct Golden {
    pub name: String,
    pub expected: Value,
    files: PathBuf,
}

fn vectors() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../sleep/tests/vectors"))
}

/// All feeds that have all of their files.
pub fn all() -> Vec<Golden> {
    let entries = std::fs::read_dir(vectors()).unwrap().map(|entry| entry.unwrap().file_name());
    let names = entries.map(|name| name.into_string().unwrap());
    let mut feeds: Vec<Golden> = names
        .filter(|name| name.starts_with('v'))
        .filter(|name| vectors().join(name).is_dir())
        .map(|name| golden(&name))
        .collect();
    feeds.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(feeds.len() > 20, "{} feeds", feeds.len());
    feeds
}

pub fn golden(name: &str) -> Golden {
    let folder = vectors().join(name);
    let expected = std::fs::read(folder.join("expected.json")).unwrap();
    let expected = serde_json::from_slice(&expected).unwrap();
    Golden { name: name.to_owned(), expected, files: folder.join("storage") }
}

impl Golden {
    /// Puts a copy at `place`, with something in front of each file's name.
    pub fn copy_as(&self, shell: &Shell, place: &str, prefix: &str) {
        std::fs::create_dir_all(shell.path(place)).unwrap();
        for entry in std::fs::read_dir(&self.files).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{place}/{prefix}{}", entry.file_name().into_string().unwrap());
            // Bytes, not the mode: a golden file may be read-only.
            shell.write(&name, &std::fs::read(entry.path()).unwrap());
        }
    }

    pub fn copy(&self, shell: &Shell, place: &str) {
        self.copy_as(shell, place, "");
    }

    pub fn length(&self) -> u64 {
        self.expected["length"].as_u64().unwrap()
    }

    /// The blocks below the length that are stored.
    pub fn present(&self) -> Vec<u64> {
        let length = self.length();
        let ranges = self.expected["blocks_present"].as_array().unwrap();
        let ranges = ranges.iter().map(|range| (range[0].as_u64(), range[1].as_u64()));
        let indices = ranges.flat_map(|(start, end)| start.unwrap()..end.unwrap());
        indices.filter(|index| *index < length).collect()
    }

    pub fn is_whole(&self) -> bool {
        self.present().len() as u64 == self.length()
    }

    pub fn is_tiny(&self) -> bool {
        self.length() <= 200
    }
}

/// Makes a feed with the seed of all tests, and holds its lock.
pub fn make(shell: &Shell, place: &str) -> Feed {
    let folder = shell.path(place);
    let storage = move |name: FileName, access: Access| {
        let create = if access == Access::Create { Create::Now } else { Create::Never };
        let lock = if name == FileName::Bitfield { Lock::Exclusive } else { Lock::None };
        let store = RandomAccessDisk::builder(folder.join(name.as_str()));
        match store.create(create).lock(lock).lock_kind(LockKind::Flock).open() {
            Ok(store) => Ok(Some(Arc::new(store) as Arc<dyn hypercore::RandomAccess>)),
            Err(hypercore::StoreError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    };
    let options = Feed::options().access(Access::Create);
    options.key_pair(hypercore::KeyPair::from_seed(&[1; 32])).open(storage).unwrap()
}

/// Makes a feed of three blocks of which the second has `len` bytes by all that is signed, and in `data` zeros that are
/// not those.
pub fn make_with_long_block(shell: &Shell, place: &str, len: u64) {
    let mut feed = make(shell, place);
    feed.append(&["first", "second", "third"]).unwrap();
    let [pair, third] = feed.roots()[..] else { panic!("three blocks have two roots") };
    let (first, second) = pair.index.children().unwrap();
    let node = |index| feed.node(index).unwrap().unwrap();
    let long = Node { size: len, ..node(second) };
    let pair = hashes::parent(&node(first), &long).unwrap();
    let signable = hashes::signable(&hashes::tree(&[pair, third]), 3);
    drop(feed);
    let store = |name: FileName| {
        let path = shell.path(place).join(name.as_str());
        Arc::new(RandomAccessDisk::builder(path).open().unwrap())
    };
    let tree = TreeFile::new(store(FileName::Tree));
    [long, pair].iter().for_each(|node| tree.write(node).unwrap());
    let end_of_long = long.size + b"first".len() as u64;
    store(FileName::Data).write_at(end_of_long, b"third").unwrap();
    let signature = hypercore::KeyPair::from_seed(&[1; 32]).sign(&signable);
    SignatureFile::new(store(FileName::Signatures)).write(2, &signature).unwrap();
}
