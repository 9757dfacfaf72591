//! Backs up a log while it is written, loses it, and goes on from the backup: which refuses to, until it is known to
//! be the newest.
//!
//! `cargo run --example backup_restore`

use hypercore::Hypercore;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let scratch = std::env::temp_dir().join(format!("backup-restore-{}", std::process::id()));
    let (directory, backup) = (scratch.join("log"), scratch.join("backup"));

    let log = Hypercore::open(&directory).await?;
    log.append_batch((1..=1000).map(|entry| format!("entry {entry}"))).await?;
    let key = log.key();
    let report = log.backup(&backup).await?;
    println!("backed up {} blocks, {} bytes", report.length, report.bytes);
    log.close().await?;
    std::fs::remove_dir_all(&directory)?;
    println!("the log is lost");

    let restored = Hypercore::open(&backup).await?;
    assert_eq!((restored.key(), restored.length()), (key, 1000));
    match restored.append("entry 1001").await {
        Err(error) => println!("the backup: {error}"),
        Ok(_) => return Err("it would have forked the log if the original were still there".into()),
    }
    // Nobody else has it, so our word is all there is; with peers, `confirm_with_peers` asks them.
    restored.confirm_newest().await?;
    restored.append("entry 1001").await?;
    println!(
        "confirmed: {} blocks, verified: {}",
        restored.length(),
        restored.verify().await?.is_ok()
    );
    restored.close().await?;
    std::fs::remove_dir_all(scratch)?;
    Ok(())
}
