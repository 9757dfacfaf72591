//! Counts what is in a log while another task rewrites it: the report is of one moment, whatever happens meanwhile.
//!
//! `cargo run --example snapshot_report`

use hypercore::{Hypercore, Storage};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let log = Hypercore::open(Storage::memory()).await?;
    log.append_batch((1..=100).map(|number| format!("{number}"))).await?;

    let snapshot = log.snapshot().await?;
    let rewriting = tokio::spawn({
        let log = log.clone();
        async move {
            log.truncate(10, None).await?;
            log.append_batch(["rewritten"; 500]).await
        }
    });

    let (mut blocks, mut sum) = (0, 0);
    let mut stream = snapshot.read_stream(..);
    while let Some(block) = stream.next().await {
        sum += std::str::from_utf8(&block?)?.parse::<u64>()?;
        blocks += 1;
    }
    rewriting.await??;

    println!("the report: {blocks} blocks, their sum is {sum}");
    println!("the log by now: {} blocks, fork {}", log.length(), log.fork());
    assert_eq!((blocks, sum), (100, 5050));
    assert_eq!((log.length(), log.fork()), (510, 1));
    Ok(())
}
