//! `tail -f` of a log on another machine: what is there, and whatever its writer appends.
//!
//! `cargo run --example tail_live`

use std::time::Duration;

use hypercore::{Hypercore, ReadStreamOptions, Role, Storage};

const LINES: u64 = 8;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let log = Hypercore::open(Storage::memory()).await?;
    log.append_batch(["started", "reading the configuration", "listening"]).await?;

    let copy = Hypercore::builder(Storage::memory()).key(log.key()).open().await?;
    let (here, there) = tokio::io::duplex(64 * 1024);
    log.replicate(there, Role::Responder).detach();
    let _reading = copy.replicate(here, Role::Initiator);

    let writing = tokio::spawn(async move {
        for request in 3..LINES {
            tokio::time::sleep(Duration::from_millis(20)).await;
            log.append(format!("request {request}")).await?;
        }
        Ok::<_, hypercore::Error>(log)
    });

    let mut tail = copy.read_stream(ReadStreamOptions::new().live(true));
    while let Some(line) = tail.next().await {
        println!("{:>2}  {}", tail.position() - 1, String::from_utf8_lossy(&line?));
        if tail.position() == LINES {
            break; // dropping the stream is all it takes
        }
    }
    assert_eq!(copy.length(), LINES);
    writing.await??;
    Ok(())
}
