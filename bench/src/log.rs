//! The log engine against its raw floor: the same hashes, signature and writes, and nothing else.

use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use hypercore_crypto::{Hash, KeyPair, leaf_hashes, parent_hashes};
use hypercore_log::{Create, Durability, Log, OpenOptions, Stores};
use random_access_disk::{Create as CreateFile, RandomAccessDisk};
use random_access_storage::RandomAccess;

use crate::measure::{Contender, Table, Target, per_operation, shuffled};

const TURNS: usize = 11;
const BATCH: usize = 1000;
const BATCHES: usize = 20;
const SINGLES: usize = 400;
const STORED: usize = 1_000_000;

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

fn new_log(folder: &Path, durability: Durability) -> Log {
    let options = OpenOptions::new()
        .create(Create::New)
        .key_pair(KeyPair::from_seed(&[7; 32]))
        .durability(durability);
    Log::open(stores(folder), options).expect("a new log")
}

fn blocks(len: usize) -> Vec<Vec<u8>> {
    (0..BATCH).map(|index| vec![index as u8; len]).collect()
}

/// A batch without a log: its blocks, its nodes, its entry.
struct Floor {
    key_pair: KeyPair,
    data: File,
    tree: File,
    oplog: File,
    batches: u64,
}

impl Floor {
    fn new(folder: &Path) -> Self {
        let create = |name| File::create(folder.join(name)).expect("a file");
        Self {
            key_pair: KeyPair::from_seed(&[7; 32]),
            data: create("data"),
            tree: create("tree"),
            oplog: create("oplog"),
            batches: 0,
        }
    }

    fn append(&mut self, blocks: &[Vec<u8>]) {
        let leaves = leaf_hashes(blocks);
        let mut level = leaves;
        while level.len() > 1 {
            let pairs: Vec<(u64, Hash, Hash)> =
                level.chunks_exact(2).map(|pair| (1, pair[0], pair[1])).collect();
            level = parent_hashes(&pairs);
        }
        black_box(self.key_pair.sign(&[0; 112]));
        let data: Vec<u8> = blocks.concat();
        let at = self.batches;
        self.batches += 1;
        self.data.write_all_at(&data, at * data.len() as u64).expect("a write");
        self.tree
            .write_all_at(&vec![1; 80 * blocks.len()], at * 80 * blocks.len() as u64)
            .expect("a write");
        self.oplog.write_all_at(&[1; 140], at * 140).expect("a write");
    }
}

fn append_batches(table: &mut Table, len: usize) {
    let blocks = blocks(len);
    let ours = || {
        let folder = tempfile::tempdir().expect("a folder");
        let log = new_log(folder.path(), Durability::Eventual);
        per_operation(BATCH * BATCHES, || {
            (0..BATCHES).for_each(|_| _ = log.append(&blocks).expect("an append"));
        })
    };
    let floor = || {
        let folder = tempfile::tempdir().expect("a folder");
        let mut floor = Floor::new(folder.path());
        per_operation(BATCH * BATCHES, || (0..BATCHES).for_each(|_| floor.append(&blocks)))
    };
    let case = format!("append {BATCH} x {len} bytes, Eventual, a block");
    let contenders = vec![Contender::new("hypercore-log", ours), Contender::new("floor", floor)];
    table.race(&case, TURNS, Target::None, contenders);
}

fn append_durably(table: &mut Table) {
    let block = vec![1; 100];
    let ours = || {
        let folder = tempfile::tempdir().expect("a folder");
        let log = new_log(folder.path(), Durability::Immediate);
        per_operation(SINGLES, || {
            (0..SINGLES).for_each(|_| _ = log.append(&[&block]).expect("an append"));
        })
    };
    let bare = || {
        let folder = tempfile::tempdir().expect("a folder");
        let file = File::create(folder.path().join("file")).expect("a file");
        per_operation(SINGLES, || {
            for at in 0..SINGLES as u64 {
                file.write_all_at(&block, at * 100).expect("a write");
                file.sync_data().expect("a sync");
            }
        })
    };
    let contenders = vec![
        Contender::new("hypercore-log", ours),
        Contender::new("one pwrite and fdatasync", bare),
    ];
    table.race("append 100 bytes, Immediate", TURNS, Target::None, contenders);
}

fn reads(table: &mut Table) {
    let folder = tempfile::tempdir().expect("a folder");
    let log = new_log(folder.path(), Durability::Eventual);
    let blocks = blocks(100);
    (0..STORED / BATCH).for_each(|_| _ = log.append(&blocks).expect("an append"));
    log.checkpoint().expect("a checkpoint");
    let order = shuffled(STORED);
    let order = &order[..100_000];
    let get = || {
        per_operation(order.len(), || {
            order
                .iter()
                .for_each(|index| drop(black_box(log.get(*index as u64).expect("a block"))));
        })
    };
    let data = File::open(folder.path().join("data")).expect("a file");
    let pread = || {
        let mut block = [0; 100];
        per_operation(order.len(), || {
            for index in order {
                data.read_exact_at(&mut block, *index as u64 * 100).expect("a read");
            }
        })
    };
    let contenders = vec![Contender::new("get, verified", get), Contender::new("raw pread", pread)];
    let case = format!("random 100 bytes of {STORED} blocks");
    table.race(&case, TURNS, Target::None, contenders);
    let seek = || {
        per_operation(order.len(), || {
            for index in order {
                black_box(log.seek(*index as u64 * 100 + 7, 0).expect("a seek"));
            }
        })
    };
    let contenders = vec![Contender::new("seek", seek)];
    table.race(&format!("random byte of {STORED} blocks"), TURNS, Target::None, contenders);
    log.close().expect("a close");
    let open = || {
        per_operation(1, || {
            black_box(Log::open(stores(folder.path()), OpenOptions::new()).expect("a log"));
        })
    };
    let contenders = vec![Contender::new("open", open)];
    table.race(&format!("open {STORED} blocks"), TURNS, Target::None, contenders);
}

pub fn table() -> Table {
    let mut table = Table::default();
    append_batches(&mut table, 100);
    append_batches(&mut table, 4096);
    append_durably(&mut table);
    reads(&mut table);
    table.note("The floor of an append hashes, signs and writes the same bytes, and knows nothing afterwards.");
    table
}
