//! An encrypted log: who has the key reads the content, who has not can still verify and carry it.
//!
//! `cargo run --example sealed`

use hypercore::{Hypercore, MemoryStorage};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let storage = MemoryStorage::new();
    let key = [42; 32]; // from a key file, or a password hash, in earnest

    let writer = Hypercore::builder(storage.clone()).encryption_key(key).open().await?;
    writer.append_batch(["meet at noon", "bring nothing"]).await?;
    writer.close().await?;

    let carrier = Hypercore::builder(storage.clone()).read_only().open().await?;
    let report = carrier.verify().await?;
    println!("without the key: {} blocks, verified: {}", report.blocks_checked, report.is_ok());
    println!("  block 0 reads {:?}", carrier.get_local(0).await?.unwrap_or_default());

    let reader = Hypercore::builder(storage).read_only().encryption_key(key).open().await?;
    let block = reader.get_local(0).await?.unwrap_or_default();
    println!("with the key:    block 0 reads {block:?}");
    println!("  byte 12 is in block {:?}", reader.seek_local(12).await?);
    Ok(())
}
