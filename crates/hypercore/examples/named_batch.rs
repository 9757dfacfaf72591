//! A draft beside a log: written over two runs of a program, looked at, and published with one signature.
//!
//! `cargo run --example named_batch`

use hypercore::Hypercore;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::temp_dir().join(format!("named-batch-{}", std::process::id()));

    let log = Hypercore::open(&directory).await?;
    log.append("chapter 1").await?;
    let draft = log.batch("draft").open().await?;
    draft.append_batch(["chapter 2", "chapter 3, first try"]).await?;
    println!("the log has {} block, the draft {}", log.length(), draft.length());
    draft.close().await?;
    log.close().await?;

    // The next run goes on where the last one stopped.
    let log = Hypercore::open(&directory).await?;
    println!("drafts: {:?}", log.batches().await?);
    let draft = log.batch("draft").open().await?;
    draft.truncate(2, None).await?;
    draft.append("chapter 3").await?;

    let committed = draft.commit().await?;
    draft.discard().await?;
    println!("published: blocks {}..{}", committed.first, committed.length);
    for index in 0..log.length() {
        println!("{index}: {}", String::from_utf8_lossy(&log.get(index).await?));
    }
    assert_eq!((log.length(), log.fork()), (3, 0));

    // Whoever drafts on what is not there any more is told so, and nothing is changed.
    let late = log.batch("late").open().await?;
    late.append("chapter 4, by Ann").await?;
    log.append("chapter 4, by Ben").await?;
    println!("too late: {}", late.commit().await.expect_err("another chapter is there"));
    assert_eq!(log.length(), 4);
    log.purge().await?;
    Ok(())
}
