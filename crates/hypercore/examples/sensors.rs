//! Many tasks write to one log at once, then everything is checked against the signature.
//!
//! `cargo run --example sensors`

use hypercore::{Durability, Hypercore};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::temp_dir().join(format!("sensors-{}", std::process::id()));
    // Readings need not survive a power cut one by one: a flush follows within a second.
    let log = Hypercore::builder(&directory).durability(Durability::Eventual).open().await?;

    let sensors: Vec<_> = (0..8)
        .map(|sensor| {
            let log = log.clone();
            tokio::spawn(async move {
                for reading in 0..100 {
                    log.append(format!("sensor {sensor} reads {}", reading * sensor)).await?;
                }
                Ok::<(), hypercore::Error>(())
            })
        })
        .collect();
    for sensor in sensors {
        sensor.await??;
    }
    log.flush().await?;

    let report = log.verify().await?;
    println!(
        "{} readings, {} checked, ok: {}",
        log.length(),
        report.blocks_checked,
        report.is_ok()
    );
    println!("tree hash {}", log.tree_hash_local(log.length()).await?);
    log.close().await?;
    std::fs::remove_dir_all(directory)?;
    Ok(())
}
