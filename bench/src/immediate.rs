//! Appending with `Immediate` durability, against one bare sync; one task and many.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use hypercore_log::Durability;

use crate::logs::{ENGINE, FACADE, JAVASCRIPT, PUBLISHED, Tokio, blocks, engine, folder};
use crate::measure::{Contender, Table, Target, per_operation};
use crate::published;

const TURNS: usize = 9;
const BLOCK_LEN: usize = 100;
const TASKS: usize = 16;

/// Appends of each task, and of the only one.
const APPENDS: usize = 200;

pub fn table() -> Table {
    let mut table = Table::default();
    let block = blocks(1, BLOCK_LEN);
    let block = &block[0];
    let tokio = Tokio::new();
    let engine_alone = || {
        let folder = folder();
        let log = engine(folder.path(), Durability::Immediate);
        per_operation(APPENDS, || {
            (0..APPENDS).for_each(|_| _ = log.append(&[block]).expect("an append"));
        })
    };
    let bare = || {
        let folder = folder();
        let file = File::create(folder.path().join("file")).expect("a file");
        per_operation(APPENDS, || {
            for at in 0..APPENDS as u64 {
                file.write_all_at(block, at * BLOCK_LEN as u64).expect("a write");
                file.sync_data().expect("a sync");
            }
        })
    };
    let published = || {
        let folder = folder();
        published::append(folder.path(), std::slice::from_ref(block), APPENDS)
    };
    let contenders = vec![
        Contender::new(FACADE, || tasks(&tokio, 1, block)),
        Contender::new(ENGINE, engine_alone),
        Contender::new("one pwrite and fdatasync", bare).target(Target::Within(2.2)),
        Contender::absent(JAVASCRIPT, "its appends are not synced"),
        Contender::new(format!("{PUBLISHED}, whatever it promises"), published),
    ];
    table.race(&format!("append {BLOCK_LEN} bytes, one at a time"), TURNS, contenders);

    let contenders = vec![
        Contender::new(format!("{FACADE}, {TASKS} tasks"), || tasks(&tokio, TASKS, block)),
        Contender::new(format!("{FACADE}, one task"), || tasks(&tokio, 1, block))
            .target(Target::Faster(6.0)),
        Contender::new(format!("{ENGINE}, {TASKS} threads"), || threads(block)),
    ];
    table.race(&format!("append {BLOCK_LEN} bytes, many at once"), TURNS, contenders);
    table
}

/// Nanoseconds a block when so many tasks append to clones of one handle.
fn tasks(tokio: &Tokio, tasks: usize, block: &[u8]) -> f64 {
    let folder = folder();
    let log = tokio.facade(folder.path(), Durability::Immediate);
    let time = per_operation(tasks * APPENDS, || {
        tokio.run(async {
            let running: Vec<_> = (0..tasks)
                .map(|_| {
                    let (log, block) = (log.clone(), block.to_vec());
                    tokio::spawn(async move {
                        for _ in 0..APPENDS {
                            log.append(&block).await.expect("an append");
                        }
                    })
                })
                .collect();
            for task in running {
                task.await.expect("a task");
            }
        });
    });
    tokio.run(log.close()).expect("a close");
    time
}

fn threads(block: &[u8]) -> f64 {
    let folder = folder();
    let log = engine(folder.path(), Durability::Immediate);
    per_operation(TASKS * APPENDS, || {
        std::thread::scope(|scope| {
            for _ in 0..TASKS {
                scope.spawn(|| {
                    (0..APPENDS).for_each(|_| _ = log.append(&[block]).expect("an append"));
                });
            }
        });
    })
}
