//! Appending with `Eventual` durability: what returns once the operating system has the bytes.
//!
//! Runs are long enough for checkpoints, and the syncs they wait for, to count; the number of blocks
//! that each contender appends to its new log stands behind its name. A batch is handed over without a copy, as
//! JavaScript does with its buffers.

use std::path::Path;

use hypercore::Bytes;
use hypercore_log::Durability;

use crate::floor::Floor;
use crate::javascript::JavaScript;
use crate::logs::{
    BATCH, ENGINE, FACADE, FLOOR, JAVASCRIPT, PUBLISHED, Tokio, blocks, engine, folder,
};
use crate::measure::{Contender, Table, Target, per_operation, spaced};
use crate::published;

const TURNS: usize = 6;

/// One race.
struct Case {
    /// Bytes of a block.
    len: usize,
    /// Blocks of a batch.
    batch: usize,
    /// Batches of all others. JavaScript gets slower as its log grows, so it is given as many.
    batches: usize,
    /// Batches of the published crate, which takes its time.
    published: usize,
    /// How many times as fast as JavaScript.
    least: f64,
    /// At least this share of the floor's speed.
    floor: Option<f64>,
}

const CASES: [Case; 4] = [
    Case { len: 100, batch: BATCH, batches: 2000, published: 2, least: 25.0, floor: Some(0.6) },
    Case { len: 4096, batch: BATCH, batches: 200, published: 2, least: 5.0, floor: None },
    Case { len: 65_536, batch: BATCH, batches: 12, published: 1, least: 4.5, floor: None },
    Case { len: 100, batch: 1, batches: 20_000, published: 200, least: 10.0, floor: None },
];

pub fn table() -> Table {
    let mut table = Table::default();
    let javascript = JavaScript::start();
    for case in &CASES {
        race(&mut table, case, &javascript);
    }
    table.note("The floor hashes, signs and writes the same bytes, and knows nothing afterwards.");
    table
}

fn race(table: &mut Table, case: &Case, javascript: &Result<JavaScript, String>) {
    let Case { len, batch, batches, .. } = *case;
    let blocks = blocks(batch, len);
    let shared: Vec<Bytes> = blocks.iter().cloned().map(Bytes::from).collect();
    let tokio = Tokio::new();
    let facade = |owned: bool| {
        in_folder(|folder| {
            let log = tokio.facade(folder, Durability::Eventual);
            let time = per_operation(batch * batches, || {
                tokio.run(async {
                    for _ in 0..batches {
                        match blocks.as_slice() {
                            [block] => log.append(block).await,
                            _ if owned => log.append_owned(shared.clone()).await,
                            blocks => log.append_batch(blocks).await,
                        }
                        .expect("an append");
                    }
                });
            });
            tokio.run(log.close()).expect("a close");
            time
        })
    };
    let engine = || {
        in_folder(|folder| {
            let log = engine(folder, Durability::Eventual);
            per_operation(batch * batches, || {
                (0..batches).for_each(|_| _ = log.append(&blocks).expect("an append"));
            })
        })
    };
    let theirs = |javascript: &JavaScript| {
        in_folder(|folder| {
            let job = format!("append {} {len} {batch} {batches}", folder.display());
            javascript.ask(&job) / (batches * batch) as f64
        })
    };
    let published = || in_folder(|folder| published::append(folder, &blocks, case.published));
    let floor = || {
        in_folder(|folder| {
            let mut floor = Floor::new(folder);
            per_operation(batch * batches, || (0..batches).for_each(|_| floor.append(&blocks)))
        })
    };
    let sized = |name: &str, count: usize| format!("{name}, {} blocks", spaced(count * batch));
    let mut contenders = vec![
        Contender::new(sized(FACADE, batches), || facade(true)),
        Contender::new(sized(ENGINE, batches), engine),
        JavaScript::contender(javascript, sized(JAVASCRIPT, batches), theirs)
            .target(Target::Faster(case.least)),
        Contender::new(sized(PUBLISHED, case.published), published),
        Contender::new(sized(FLOOR, batches), floor).target(case.floor.map(Target::Faster)),
    ];
    if batch > 1 {
        let copied = sized("hypercore, blocks borrowed and copied", batches);
        contenders.insert(1, Contender::new(copied, || facade(false)));
    }
    let how = if batch > 1 { format!("{batch} at a time") } else { "one at a time".to_owned() };
    table.race(&format!("append {len} bytes, {how}"), TURNS, contenders);
}

fn in_folder<T>(run: impl FnOnce(&Path) -> T) -> T {
    run(folder().path())
}
