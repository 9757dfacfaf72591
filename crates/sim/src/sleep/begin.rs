//! What is on the disk before a script begins, all of it durable, and the feeds that proofs come from.

use std::rc::Rc;

use hypercore_crypto::KeyPair;
use random_access_storage::RandomAccess;
use sleep::{Access, Durability, Feed, FileName};

use super::model::Model;
use super::storage::FeedFiles;
use crate::disk::{Disk, Image};

/// Blocks of a batch of a long feed.
const BATCH_BLOCKS: usize = 1000;

/// What is there at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// Nothing: the script begins with a new feed.
    Nothing,
    /// A feed of so many blocks of one byte, with pages of 3584 bytes.
    Wide(usize),
    /// The same with pages of 3328 bytes.
    Narrow(usize),
    /// A feed that a JavaScript package wrote.
    Vector(&'static str),
    /// A feed whose JavaScript writer was killed in a batch, and went on: nodes, blocks and a signature of the dead batch
    /// lie past the length, and vouch for each other.
    Ghost,
}

/// The key pair of every feed that is made here.
pub(crate) fn key_pair() -> KeyPair {
    KeyPair::from_seed(&[7; 32])
}

impl Begin {
    /// The disk, and what the feed on it holds; `None` where there is none.
    ///
    /// # Panics
    /// When a feed cannot be made on a disk that works.
    #[must_use]
    pub fn prepare(self) -> Option<(Image, Rc<Model>)> {
        match self {
            Self::Nothing => None,
            Self::Wide(length) => Some(long(length, false)),
            Self::Narrow(length) => Some(long(length, true)),
            Self::Vector(name) => Some(vector(name)),
            Self::Ghost => Some(ghost()),
        }
    }
}

/// Makes a feed of `length` blocks.
fn long(length: usize, is_narrow: bool) -> (Image, Rc<Model>) {
    let disk = Disk::new();
    drop(create(&disk));
    if is_narrow {
        // The entry size in the header of a feed from before 6.22.1.
        disk.file(FileName::Bitfield.as_str()).write_at(5, &[0x0d, 0x00]).expect("a header");
    }
    let blocks: Vec<Vec<u8>> = (0..length).map(|block| vec![block as u8]).collect();
    let mut feed = open(&disk);
    for batch in blocks.chunks(BATCH_BLOCKS) {
        feed.append(batch).expect("a disk that works");
    }
    (disk.shown(), Rc::new(Model::of(&blocks)))
}

fn create(disk: &Disk) -> Feed {
    let options = Feed::options().access(Access::Create).key_pair(key_pair());
    options.durability(Durability::Lazy).open(FeedFiles::on(disk)).expect("a new feed")
}

fn open(disk: &Disk) -> Feed {
    let options = Feed::options().access(Access::Write).durability(Durability::Lazy);
    options.open(FeedFiles::on(disk)).expect("a feed")
}

/// The files of a vector, in the order of [`FileName::ALL`].
macro_rules! files_of {
    ($name:literal) => {
        [
            files_of!($name, "key"),
            files_of!($name, "secret_key"),
            files_of!($name, "data"),
            files_of!($name, "tree"),
            files_of!($name, "signatures"),
            files_of!($name, "bitfield"),
        ]
    };
    ($name:literal, $file:literal) => {
        include_bytes!(concat!("../../../sleep/tests/vectors/", $name, "/storage/", $file))
            .as_slice()
    };
}

/// A feed of the golden vectors. Its blocks are `b0`, `b1` and so on.
fn vector(name: &str) -> (Image, Rc<Model>) {
    let (files, length) = match name {
        "v6_3-len8" => (files_of!("v6_3-len8"), 8),
        "v6_12-len10" => (files_of!("v6_12-len10"), 10),
        "v8-len10" => (files_of!("v8-len10"), 10),
        "v9-truncated" => (files_of!("v9-truncated"), 12),
        "v9-cleared" => (files_of!("v9-cleared"), 100),
        other => panic!("no vector {other}"),
    };
    let disk = Disk::new();
    for (name, bytes) in FileName::ALL.into_iter().zip(files) {
        disk.create(name.as_str()).write_at(0, bytes).expect("a disk that works");
    }
    let blocks: Vec<Vec<u8>> = (0..length).map(|block| format!("b{block}").into_bytes()).collect();
    let mut model = Model::of(&blocks);
    if name == "v9-cleared" {
        [10..20, 50..51, 99..100]
            .into_iter()
            .flatten()
            .for_each(|at: usize| model.here[at] = false);
    }
    (disk.shown(), Rc::new(model))
}

/// Eight blocks, then a batch of eight whose bits were never written, then two blocks over it.
fn ghost() -> (Image, Rc<Model>) {
    let blocks: Vec<Vec<u8>> = (0..10).map(|block| format!("b{block}").into_bytes()).collect();
    let dead: Vec<Vec<u8>> = (0..8).map(|block| format!("dead {block}").into_bytes()).collect();
    let disk = Disk::new();
    drop(create(&disk));
    let extended = |image: &Image, batch: &[Vec<u8>]| {
        let disk = Disk::of(image.clone());
        open(&disk).append(batch).expect("a disk that works");
        disk.shown()
    };
    let before = extended(&disk.shown(), &blocks[..8]);
    let killed = extended(&before, &dead);
    let after = extended(&before, &blocks[8..]);
    let disk = Disk::of(after.clone());
    for name in [FileName::Data, FileName::Tree, FileName::Signatures].map(FileName::as_str) {
        let [before, killed, after] =
            [&before, &killed, &after].map(|image| image.bytes(name).unwrap_or_default());
        // Where the second batch wrote nothing the dead one is still there.
        let is_same = |at: &usize| after.get(*at) == before.get(*at);
        for at in (0..killed.len()).filter(is_same) {
            disk.file(name).write_at(at as u64, &killed[at..=at]).expect("a disk that works");
        }
    }
    (disk.shown(), Rc::new(Model::of(&blocks)))
}

/// The feeds that proofs come from: one feed at several lengths.
#[derive(Debug, Default)]
pub struct Cast {
    pub(crate) feeds: Vec<Feed>,
    pub(crate) models: Vec<Model>,
}

impl Cast {
    /// The feed when it had as many blocks as `lengths` say, in rising order.
    ///
    /// # Panics
    /// When a feed cannot be made on a disk that works.
    #[must_use]
    pub fn of(lengths: &[u64]) -> Self {
        let mut cast = Self::default();
        if lengths.is_empty() {
            return cast;
        }
        let disk = Disk::new();
        let mut source = create(&disk);
        let mut blocks: Vec<Vec<u8>> = Vec::new();
        for length in lengths {
            let batch: Vec<Vec<u8>> = (source.length()..*length)
                .map(|block| vec![block as u8; block as usize % 6])
                .collect();
            source.append(&batch).expect("a disk that works");
            blocks.extend(batch);
            let snapshot = Disk::of(disk.shown());
            let feed = Feed::options().open(FeedFiles::on(&snapshot)).expect("a feed");
            cast.feeds.push(feed);
            cast.models.push(Model::of(&blocks));
        }
        cast
    }
}
