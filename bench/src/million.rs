//! A log of 1,000,000 blocks of 100 bytes, everything in the page cache: opening, reading, seeking, proving.

use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use hypercore_log::Durability;

use crate::javascript::JavaScript;
use crate::logs::{BATCH, FACADE, JAVASCRIPT, PUBLISHED, Random, Tokio, blocks, engine, folder};
use crate::measure::{Contender, Table, Target, per_operation, spaced};
use crate::{open, proofs, published};

const TURNS: usize = 6;
const STORED: usize = 1_000_000;
const BLOCK_LEN: usize = 100;

/// Blocks of the published crate's log: a million would take it minutes.
const PUBLISHED_STORED: usize = 10_000;

/// Reads in a sample of ours, and of the others.
const READS: usize = 100_000;
const JAVASCRIPT_READS: usize = 5_000;
const PUBLISHED_READS: usize = 1_000;

/// Reads that JavaScript begins before it awaits the first.
const IN_FLIGHT: usize = 128;

/// Tasks of ours that read at once.
const TASKS: usize = 16;

/// The same log, written by each.
pub struct Logs<'a> {
    pub tokio: &'a Tokio,
    pub ours: &'a Path,
    pub javascript: &'a Result<JavaScript, String>,
    pub published: &'a published::Log,
}

pub fn table() -> Table {
    let mut table = Table::default();
    let tokio = Tokio::new();
    let (ours, theirs, third) = (folder(), folder(), folder());
    let blocks = blocks(BATCH, BLOCK_LEN);
    let log = engine(ours.path(), Durability::Eventual);
    (0..STORED / BATCH).for_each(|_| _ = log.append(&blocks).expect("an append"));
    log.close().expect("a close");
    let javascript = JavaScript::start();
    if let Ok(javascript) = &javascript {
        let job =
            format!("append {} {BLOCK_LEN} {BATCH} {}", theirs.path().display(), STORED / BATCH);
        javascript.ask(&job);
    }
    let published = published::Log::new(third.path());
    (0..PUBLISHED_STORED / BATCH).for_each(|_| published.append(&blocks));

    let logs =
        Logs { tokio: &tokio, ours: ours.path(), javascript: &javascript, published: &published };
    let case = format!("{} blocks", spaced(STORED));
    let opened = open::Logs {
        tokio: &tokio,
        ours: ours.path(),
        javascript: &javascript,
        theirs: theirs.path(),
    };
    open::races(&mut table, &case, &opened, open::Limits { time_ns: 10e6, memory_mib: 8 });
    if let Ok(javascript) = &javascript {
        javascript.ask(&format!("open {}", theirs.path().display()));
    }
    reads(&mut table, &logs);
    stream(&mut table, &logs);
    seeks(&mut table, &logs);
    let log = engine(ours.path(), Durability::Eventual);
    proofs::races(&mut table, &log, &logs);
    table.note(format!(
        "{PUBLISHED} reads and proves in a log of {} blocks; it can neither seek nor stream.",
        spaced(PUBLISHED_STORED)
    ));
    table
}

fn reads(table: &mut Table, logs: &Logs<'_>) {
    let random = Random::new();
    let facade = logs.tokio.facade(logs.ours, Durability::Eventual);
    let get = || {
        per_operation(READS, || {
            logs.tokio.run(async {
                for index in random.below(STORED as u64, READS) {
                    black_box(facade.get_local(index).await.expect("a block"));
                }
            });
        })
    };
    let one_by_one = |javascript: &JavaScript| {
        javascript.ask(&format!("get {JAVASCRIPT_READS}")) / JAVASCRIPT_READS as f64
    };
    let in_flight = |javascript: &JavaScript| {
        javascript.ask(&format!("getMany {JAVASCRIPT_READS} {IN_FLIGHT}")) / JAVASCRIPT_READS as f64
    };
    let tasks = || {
        let indexes: Vec<u64> = random.below(STORED as u64, READS).collect();
        per_operation(READS, || {
            logs.tokio.run(async {
                let running: Vec<_> = indexes
                    .chunks(READS / TASKS)
                    .map(|indexes| {
                        let (log, indexes) = (facade.clone(), indexes.to_vec());
                        tokio::spawn(async move {
                            for index in indexes {
                                black_box(log.get_local(index).await.expect("a block"));
                            }
                        })
                    })
                    .collect();
                for task in running {
                    task.await.expect("a task");
                }
            });
        })
    };
    let published = || {
        per_operation(PUBLISHED_READS, || {
            for index in random.below(PUBLISHED_STORED as u64, PUBLISHED_READS) {
                logs.published.get(index);
            }
        })
    };
    let data = File::open(logs.ours.join("data")).expect("a file");
    let pread = || {
        let mut block = [0; BLOCK_LEN];
        per_operation(READS, || {
            for index in random.below(STORED as u64, READS) {
                data.read_exact_at(&mut block, index * BLOCK_LEN as u64).expect("a read");
                black_box(hypercore_crypto::leaf_hash(&block));
            }
        })
    };
    let contenders = vec![
        Contender::new(format!("{FACADE}, one by one"), get).target(Target::Nanoseconds(3e3)),
        Contender::new(format!("{FACADE}, {TASKS} tasks at once"), tasks),
        JavaScript::contender(logs.javascript, format!("{JAVASCRIPT}, one by one"), one_by_one)
            .target(Target::Faster(30.0)),
        JavaScript::contender(
            logs.javascript,
            format!("{JAVASCRIPT}, {IN_FLIGHT} in flight"),
            in_flight,
        )
        .target(Target::Faster(4.0)),
        Contender::new(PUBLISHED, published),
        Contender::new("floor: pread and hash", pread),
    ];
    table.race("get of a random block, verified", TURNS, contenders);
    logs.tokio.run(facade.close()).expect("a close");
}

fn stream(table: &mut Table, logs: &Logs<'_>) {
    let facade = logs.tokio.facade(logs.ours, Durability::Eventual);
    let in_order = || {
        per_operation(READS, || {
            logs.tokio.run(async {
                for index in 0..READS as u64 {
                    black_box(facade.get_local(index).await.expect("a block"));
                }
            });
        })
    };
    let streamed = |javascript: &JavaScript| {
        javascript.ask(&format!("stream {JAVASCRIPT_READS}")) / JAVASCRIPT_READS as f64
    };
    let contenders = vec![
        Contender::new(format!("{FACADE}, get after get"), in_order),
        JavaScript::contender(logs.javascript, format!("{JAVASCRIPT}, createReadStream"), streamed)
            .target(Target::Faster(15.0)),
    ];
    table.race("blocks in order", TURNS, contenders);
    logs.tokio.run(facade.close()).expect("a close");
}

fn seeks(table: &mut Table, logs: &Logs<'_>) {
    const JAVASCRIPT_SEEKS: usize = 400;
    let random = Random::new();
    let facade = logs.tokio.facade(logs.ours, Durability::Eventual);
    let bytes = (STORED * BLOCK_LEN) as u64;
    let seek = || {
        per_operation(READS, || {
            logs.tokio.run(async {
                for byte in random.below(bytes, READS) {
                    black_box(facade.seek_local(byte).await.expect("a place"));
                }
            });
        })
    };
    let theirs = |javascript: &JavaScript| {
        javascript.ask(&format!("seek {JAVASCRIPT_SEEKS}")) / JAVASCRIPT_SEEKS as f64
    };
    let contenders = vec![
        Contender::new(FACADE, seek).target(Target::Nanoseconds(5e3)),
        JavaScript::contender(logs.javascript, JAVASCRIPT, theirs).target(Target::Faster(200.0)),
    ];
    table.race("seek of a random byte", TURNS, contenders);
    logs.tokio.run(facade.close()).expect("a close");
}
