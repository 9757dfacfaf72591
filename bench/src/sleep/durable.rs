//! Appends that are on stable storage when they return: against the same writes with as many syncs and nothing else, and
//! against a single one.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use sleep::{Access, Durability};

use super::{BLOCK_LEN, JAVASCRIPT, OURS, open, turns};
use crate::flushes;
use crate::logs::{BATCH, blocks, folder};
use crate::measure::{Contender, Table, is_quick, per_operation};

/// What each promises: its name, and the syncs of an append.
const MODES: [(&str, Durability, usize); 2] =
    [("strict", Durability::Strict, 5), ("ordered", Durability::Ordered, 4)];

/// Bytes of headers, of a node, of a signature, and of a page of the bitfield.
const HEADER_LEN: u64 = 32;
const NODE_LEN: usize = 40;
const SIGNATURE_LEN: usize = 64;
const PAGE_LEN: usize = 3584;

pub(super) fn races(table: &mut Table) {
    for (mode, _, syncs) in MODES {
        let case = "flushes of a durable append";
        let name = format!("{OURS}, {mode}");
        match flushes::of_a_call(&["flushes-sleep", mode]) {
            Some(counted) => {
                let target = format!("as many as its floor: {syncs}");
                let met = (counted - syncs as f64).abs() < f64::EPSILON;
                table.fact(case, &name, format!("{counted}"), &target, Some(met));
            }
            None => flushes::not_counted(table, case, &name),
        }
    }
    let batches = if is_quick() { 10 } else { 50 };
    for (case, count) in [(format!("{BATCH} at a time"), BATCH), ("one at a time".to_owned(), 1)] {
        let blocks = &blocks(count, BLOCK_LEN);
        let mut contenders = Vec::new();
        for (mode, durability, _) in MODES {
            contenders.push(Contender::new(format!("{OURS}, {mode}"), move || {
                let folder = folder();
                let mut feed = open(folder.path(), Access::Create, durability);
                // The first change of a feed has more to sync.
                feed.append(blocks).expect("an append");
                per_operation(batches, || {
                    (0..batches).for_each(|_| _ = feed.append(blocks).expect("an append"));
                })
            }));
        }
        contenders.push(Contender::absent(JAVASCRIPT, "its appends are not synced"));
        for (mode, durability, syncs) in MODES {
            let name = format!("floor of {mode}: its writes, {syncs} fdatasyncs");
            contenders.push(Contender::new(name, move || {
                let folder = folder();
                let mut files = Files::new(folder.path(), durability);
                files.append(blocks);
                per_operation(batches, || (0..batches).for_each(|_| files.append(blocks)))
            }));
        }
        contenders.push(Contender::new("one pwrite and fdatasync", move || {
            let folder = folder();
            let file = File::create(folder.path().join("file")).expect("a file");
            let bytes = blocks.concat();
            per_operation(batches, || {
                for at in 0..batches {
                    file.write_all_at(&bytes, (at * bytes.len()) as u64).expect("a write");
                    file.sync_data().expect("a sync");
                }
            })
        }));
        let case = format!("append {BLOCK_LEN} bytes, {case}, durable, a batch");
        table.race(&case, turns(), contenders);
    }
}

/// The files that an append writes to, with neither hashes nor a signature to put into them.
struct Files {
    data: File,
    tree: File,
    signatures: File,
    bitfield: File,
    length: u64,
    is_strict: bool,
}

impl Files {
    fn new(folder: &Path, durability: Durability) -> Self {
        let create = |name| File::create(folder.join(name)).expect("a file");
        Self {
            data: create("data"),
            tree: create("tree"),
            signatures: create("signatures"),
            bitfield: create("bitfield"),
            length: 0,
            is_strict: durability == Durability::Strict,
        }
    }

    /// The writes and syncs of an append, in its order and at its places.
    fn append(&mut self, blocks: &[Vec<u8>]) {
        let write = |file: &File, bytes: &[u8], offset| {
            file.write_all_at(bytes, offset).expect("a write");
        };
        let sync = |file: &File| file.sync_data().expect("a sync");
        let nodes = 2 * NODE_LEN as u64;
        let length = self.length + blocks.len() as u64;
        write(&self.data, &blocks.concat(), self.length * BLOCK_LEN as u64);
        write(&self.tree, &vec![1; blocks.len() * 2 * NODE_LEN], HEADER_LEN + self.length * nodes);
        // Each change writes a page anew.
        write(&self.bitfield, &[length as u8; PAGE_LEN], HEADER_LEN);
        [&self.data, &self.tree, &self.bitfield].into_iter().for_each(sync);
        let slot = HEADER_LEN + (length - 1) * SIGNATURE_LEN as u64;
        write(&self.signatures, &[1; SIGNATURE_LEN], slot);
        sync(&self.signatures);
        write(&self.bitfield, &[!(length as u8); PAGE_LEN], HEADER_LEN);
        if self.is_strict {
            sync(&self.bitfield);
        }
        self.length = length;
    }
}

/// Makes so many durable appends to a new feed, in a process of its own.
pub fn child(mode: &str, calls: usize, folder: &Path) {
    let mode = MODES.iter().find(|(name, ..)| *name == mode).expect("a mode");
    let mut feed = open(folder, Access::Create, mode.1);
    let block = blocks(1, BLOCK_LEN);
    (0..calls).for_each(|_| _ = feed.append(&block).expect("an append"));
}
