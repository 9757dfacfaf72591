//! What the facade costs beside the engine it stands on: the same work asked of both, on disk, in the page cache.
//!
//! All with `Eventual` durability, so that no sync hides what is measured.

use std::hint::black_box;

use hypercore::{ByteStreamOptions, Bytes, Hypercore, WriteSinkOptions};
use hypercore_log::{Durability, Log};
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;

use crate::logs::{BATCH, ENGINE, FACADE, Random, Tokio, blocks, engine, folder};
use crate::measure::{Contender, Table, Target, cpu_per_operation, per_operation, spaced};

const TURNS: usize = 7;

/// Batches of a sample that appends.
const BATCHES: usize = 1000;

/// Blocks of the log that is read, all of which stay in the page cache and whose tree nodes stay in the caches.
const STORED: usize = 10_000;

/// Reads of a sample.
const READS: usize = 100_000;

/// Bytes of a block that is read as a part of a stream of bytes.
const LARGE_LEN: usize = 4096;

/// What the facade may take of the engine's time for appending a batch.
const APPEND_MAX: f64 = 1.15;

/// Nanoseconds that the facade may take more than the engine for a block that is in the caches.
const GET_MORE_MAX: f64 = 1000.0;

pub fn table() -> Table {
    let mut table = Table::default();
    let tokio = Tokio::new();
    appends(&mut table, &tokio);
    gets(&mut table, &tokio);
    streams(&mut table, &tokio);
    table
        .note("The facade is asked by one task, which waits for each answer before it asks again.");
    table
}

/// Nanoseconds a block of filling a new log of the facade with `fill`, which appends all batches.
fn filled<F>(tokio: &Tokio, fill: impl FnOnce(Hypercore) -> F) -> f64
where
    F: Future<Output = hypercore::Result<()>>,
{
    let folder = folder();
    let log = tokio.facade(folder.path(), Durability::Eventual);
    let time = per_operation(BATCHES * BATCH, || tokio.run(fill(log.clone())).expect("appends"));
    tokio.run(log.close()).expect("a close");
    time
}

fn appends(table: &mut Table, tokio: &Tokio) {
    let blocks = &blocks(BATCH, 100);
    let owned: &Vec<Bytes> = &blocks.iter().cloned().map(Bytes::from).collect();
    let of_the_engine = || {
        let folder = folder();
        let log = engine(folder.path(), Durability::Eventual);
        per_operation(BATCHES * BATCH, || {
            (0..BATCHES).for_each(|_| _ = log.append(blocks).expect("an append"));
        })
    };
    let borrowed = || {
        filled(tokio, |log| async move {
            for _ in 0..BATCHES {
                log.append_batch(blocks).await?;
            }
            Ok(())
        })
    };
    let handed_over = || {
        // Made before the clock runs: what is measured is handing them over.
        let given = vec![owned.clone(); BATCHES];
        filled(tokio, |log| async move {
            for batch in given {
                log.append_owned(batch).await?;
            }
            Ok(())
        })
    };
    let sink = || {
        filled(tokio, |log| async move {
            let mut sink = log.write_sink(WriteSinkOptions::new());
            for _ in 0..BATCHES {
                for block in blocks {
                    sink.feed(block).await?;
                }
            }
            sink.close().await
        })
    };
    let committed = || {
        filled(tokio, |log| async move {
            let batch = log.batch("bench").open().await?;
            for _ in 0..BATCHES {
                batch.append_batch(blocks).await?;
            }
            batch.commit().await?;
            batch.discard().await
        })
    };
    let case = |how: &str| format!("append 100 bytes, {BATCH} at a time, {how}");
    let limit = || Contender::new(ENGINE, of_the_engine).target(Target::Within(APPEND_MAX));
    let contenders = vec![Contender::new(format!("{FACADE}, append_owned"), handed_over), limit()];
    table.race(&case("handed over"), TURNS, contenders);
    let contenders = vec![
        Contender::new(format!("{FACADE}, append_batch"), borrowed),
        limit(),
        Contender::new("write sink, block by block", sink),
        Contender::new(format!("named batch, commit of {}", spaced(BATCHES * BATCH)), committed),
    ];
    table.race(&case("borrowed"), TURNS, contenders);
}

/// A log of so many blocks of a length.
fn stored(count: usize, len: usize) -> TempDir {
    let folder = folder();
    let log = engine(folder.path(), Durability::Eventual);
    let blocks = blocks(BATCH, len);
    (0..count / BATCH).for_each(|_| _ = log.append(&blocks).expect("an append"));
    log.close().expect("a close");
    folder
}

/// Nanoseconds of processor time a read of random blocks, one after the other: such reads stay on their thread.
fn random_gets(tokio: &Tokio, log: &Hypercore, random: &Random) -> f64 {
    cpu_per_operation(READS, || {
        tokio.run(async {
            for index in random.below(STORED as u64, READS) {
                black_box(log.get(index).await.expect("a block"));
            }
        });
    })
}

fn gets(table: &mut Table, tokio: &Tokio) {
    let folder = stored(STORED, 100);
    let random = &Random::new();
    // One after the other: a directory is open only once at a time.
    let of_the_engine = || {
        let log: Log = engine(folder.path(), Durability::Eventual);
        let read = || {
            for index in random.below(STORED as u64, READS) {
                black_box(log.get(index).expect("a block"));
            }
        };
        read();
        cpu_per_operation(READS, read)
    };
    let live = || {
        let log = tokio.facade(folder.path(), Durability::Eventual);
        random_gets(tokio, &log, random);
        let time = random_gets(tokio, &log, random);
        tokio.run(log.close()).expect("a close");
        time
    };
    let of_a_snapshot = || {
        let log = tokio.facade(folder.path(), Durability::Eventual);
        let snapshot = tokio.run(log.snapshot()).expect("a snapshot");
        random_gets(tokio, &snapshot, random);
        let time = random_gets(tokio, &snapshot, random);
        tokio.run(async {
            snapshot.close().await.expect("a close");
            log.close().await.expect("a close");
        });
        time
    };
    let contenders = vec![
        Contender::new(FACADE, live),
        Contender::new(ENGINE, of_the_engine).target(Target::Longer(GET_MORE_MAX)),
        Contender::new(format!("{FACADE}, of a snapshot"), of_a_snapshot),
    ];
    table.race("get of a block in the caches, verified", TURNS, contenders);
}

fn streams(table: &mut Table, tokio: &Tokio) {
    let folder = stored(STORED, LARGE_LEN);
    let log = &tokio.facade(folder.path(), Durability::Eventual);
    let gets = || {
        per_operation(STORED, || {
            tokio.run(async {
                for index in 0..STORED as u64 {
                    black_box(log.get(index).await.expect("a block"));
                }
            });
        })
    };
    let read_stream = || {
        per_operation(STORED, || {
            tokio.run(async {
                let mut stream = log.read_stream(..);
                while let Some(block) = stream.next().await {
                    black_box(block.expect("a block"));
                }
            });
        })
    };
    let byte_stream = || {
        per_operation(STORED, || {
            tokio.run(async {
                let mut stream = log.byte_stream(ByteStreamOptions::new());
                let mut buffer = vec![0; 64 * 1024];
                let mut len = 0;
                loop {
                    match stream.read(&mut buffer).await.expect("bytes") {
                        0 => break,
                        read => len += read,
                    }
                }
                assert_eq!(len, STORED * LARGE_LEN);
            });
        })
    };
    let contenders = vec![
        Contender::new("read stream", read_stream),
        Contender::new("byte stream, as AsyncRead", byte_stream),
        Contender::new("get after get", gets),
    ];
    table.race(
        &format!("{LARGE_LEN} bytes, {} blocks in order", spaced(STORED)),
        TURNS,
        contenders,
    );
    tokio.run(log.close()).expect("a close");
}
