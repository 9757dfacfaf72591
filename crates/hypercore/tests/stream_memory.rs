//! What streams and sinks hold: a bounded amount, however long the log is and whatever nobody takes.

#[path = "common/counting.rs"]
mod counting;

use counting::{Counting, live, peak, start_peak};
use hypercore::{Durability, Hypercore, WriteSinkOptions};
use tokio::io::AsyncReadExt as _;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Blocks of 1000 bytes.
const BLOCKS: usize = 20_000;

/// One test, since it counts the memory of the whole process.
#[tokio::test]
async fn memory_is_bounded_by_a_run_and_two_batches() {
    let scratch = tempfile::tempdir().unwrap();
    let builder = Hypercore::builder(scratch.path()).durability(Durability::Eventual);
    let log = builder.open().await.unwrap();

    // What the engine holds for batches of that size, given one by one.
    let batch_len = 256 * 1024;
    let batch = vec![[7; 1000]; batch_len / 1064 + 1];
    let before = live();
    start_peak();
    for _ in 0..BLOCKS / batch.len() {
        log.append_batch(&batch).await.unwrap();
    }
    let needed = peak() - before;

    let before = live();
    start_peak();
    let mut sink = log.write_sink(WriteSinkOptions::new().batch_len(batch_len));
    for index in 0..BLOCKS {
        sink.feed([index as u8; 1000]).await.unwrap();
    }
    sink.close().await.unwrap();
    let held = peak() - before;
    println!("batches of {batch_len} bytes: {needed} bytes at most, with a sink {held}");
    // The batch that gathers, whose buffer may be twice as large for a moment.
    assert!(held < needed + 3 * batch_len, "{held}");
    drop(sink);
    let blocks = usize::try_from(log.length()).unwrap();

    // The engine's caches are as full as they get.
    assert_eq!(read_blocks(&log).await, blocks);
    let before = live();
    start_peak();
    assert_eq!(read_blocks(&log).await, blocks);
    let held = peak() - before;
    println!("a read stream: {held} bytes at most");
    assert!(held < 400_000, "{held}");

    start_peak();
    let mut stream = log.byte_stream(..);
    let mut buffer = vec![0; 5000];
    let mut read = 0;
    loop {
        match stream.read(&mut buffer).await.unwrap() {
            0 => break,
            len => read += len,
        }
    }
    assert_eq!(read, blocks * 1000);
    let held = peak() - before;
    println!("a byte stream: {held} bytes at most");
    assert!(held < 400_000, "{held}");
}

async fn read_blocks(log: &Hypercore) -> usize {
    let mut stream = log.read_stream(..);
    let mut count = 0;
    while let Some(block) = stream.next().await {
        assert_eq!(block.unwrap().len(), 1000);
        count += 1;
    }
    count
}
