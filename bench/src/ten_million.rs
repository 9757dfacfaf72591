//! A log of 10,000,000 blocks of 100 bytes: growing it, what it takes on disk, and opening it.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::child::{self, STEP};
use crate::floor::Floor;
use crate::javascript::JavaScript;
use crate::logs::{BATCH, FACADE, FLOOR, JAVASCRIPT, PUBLISHED, Tokio, blocks, folder};
use crate::measure::{Contender, Table, Target, per_operation, spaced};
use crate::open;

const BLOCKS: usize = 10_000_000;
const BLOCK_LEN: usize = 100;

/// How much memory may grow from the first million blocks to the last.
const GROWTH_MAX_MIB: u64 = 4;

/// Bytes on disk beside each block.
const OVERHEAD_MAX: f64 = 82.0;

pub fn table() -> Table {
    let mut table = Table::default();
    let (ours, theirs) = (folder(), folder());
    let javascript = JavaScript::start();
    let curve = append(&mut table, ours.path(), theirs.path(), &javascript);

    let (first, most) = (curve[0], *curve.iter().max().expect("readings"));
    let readings: Vec<String> = curve
        .iter()
        .map(|reading| format!("{:.0}", *reading as f64 / f64::from(1 << 20)))
        .collect();
    table.fact(
        &format!("memory after each {} blocks", spaced(STEP)),
        FACADE,
        format!("{} MiB", readings.join(" ")),
        &format!("grows by at most {GROWTH_MAX_MIB} MiB"),
        Some(most.saturating_sub(first) <= GROWTH_MAX_MIB << 20),
    );
    let overhead = overhead(ours.path());
    table.fact(
        "disk use beside each block",
        FACADE,
        format!("{overhead:.1} bytes"),
        &format!("at most {OVERHEAD_MAX}"),
        Some(overhead <= OVERHEAD_MAX),
    );
    if javascript.is_ok() {
        let overhead = self::overhead(theirs.path());
        table.fact("", JAVASCRIPT, format!("{overhead:.1} bytes"), "", None);
    }
    let tokio = Tokio::new();
    let logs = open::Logs {
        tokio: &tokio,
        ours: ours.path(),
        javascript: &javascript,
        theirs: theirs.path(),
    };
    let case = format!("{} blocks", spaced(BLOCKS));
    open::races(&mut table, &case, &logs, open::Limits { time_ns: 30e6, memory_mib: 16 });
    table
}

/// Races the whole of it, once, and gives the memory of ours on the way.
fn append(
    table: &mut Table,
    ours: &Path,
    theirs: &Path,
    javascript: &Result<JavaScript, String>,
) -> Vec<u64> {
    let mut curve = Vec::new();
    let grow = || {
        let grown = child::appended(ours, BLOCK_LEN, BLOCKS);
        curve = grown.resident;
        grown.time
    };
    let grow_theirs = |javascript: &JavaScript| {
        let batches = BLOCKS / BATCH;
        javascript.ask(&format!("append {} {BLOCK_LEN} {BATCH} {batches}", theirs.display()))
    };
    let floor = || {
        let folder = folder();
        let blocks = blocks(BATCH, BLOCK_LEN);
        let mut floor = Floor::new(folder.path());
        per_operation(1, || (0..BLOCKS / BATCH).for_each(|_| floor.append(&blocks)))
    };
    let contenders = vec![
        Contender::new(FACADE, grow).target(Target::Nanoseconds(8e9)),
        JavaScript::contender(javascript, JAVASCRIPT, grow_theirs),
        Contender::absent(PUBLISHED, "would take an hour"),
        Contender::new(FLOOR, floor),
    ];
    let case = format!("append {} blocks of {BLOCK_LEN} bytes, {BATCH} at a time", spaced(BLOCKS));
    table.race(&case, 1, contenders);
    curve
}

/// Bytes that the files below `folder` take up, less those of the blocks, for each block.
fn overhead(folder: &Path) -> f64 {
    (disk_use(folder) as f64 - (BLOCKS * BLOCK_LEN) as f64) / BLOCKS as f64
}

fn disk_use(path: &Path) -> u64 {
    let metadata = std::fs::symlink_metadata(path).expect("a file");
    let below = if metadata.is_dir() {
        let entries = std::fs::read_dir(path).expect("a folder");
        entries.map(|entry| disk_use(&entry.expect("an entry").path())).sum()
    } else {
        0
    };
    metadata.blocks() * 512 + below
}
