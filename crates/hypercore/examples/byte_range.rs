//! Serves ranges of a file that is spread over the blocks of a log, as a web server does for a player that seeks: only
//! the blocks of the range come from the peer.
//!
//! `cargo run --example byte_range`

use std::io::SeekFrom;

use hypercore::{ByteStreamOptions, Hypercore, Role, Storage};
use tokio::io::{AsyncReadExt, AsyncSeekExt};

const BLOCK_LEN: usize = 64 * 1024;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A film of 4 MiB: every byte says in which KiB it is.
    let film: Vec<u8> = (0..4 << 20).map(|at: u32| (at >> 10) as u8).collect();
    let log = Hypercore::open(Storage::memory()).await?;
    log.append_batch(film.chunks(BLOCK_LEN)).await?;

    let copy = Hypercore::builder(Storage::memory()).key(log.key()).open().await?;
    let (here, there) = tokio::io::duplex(64 * 1024);
    log.replicate(there, Role::Responder).detach();
    let _reading = copy.replicate(here, Role::Initiator);
    copy.update().await?;

    for (start, len) in [(0_u64, 16_usize), (3_000_000, 1000), (film.len() as u64 - 5, 5)] {
        // Whoever seeks about does not want what comes behind.
        let mut stream = copy.byte_stream(ByteStreamOptions::new().prefetch(0));
        stream.seek(SeekFrom::Start(start)).await?;
        let mut bytes = vec![0; len];
        stream.read_exact(&mut bytes).await?;
        let end = start + len as u64;
        println!("Content-Range: bytes {start}-{}/{}", end - 1, copy.byte_length());
        assert_eq!(bytes, film[start as usize..end as usize]);
    }

    let stored: u64 = copy
        .stored_ranges(0..copy.length(), 100)
        .await?
        .iter()
        .map(|run| run.end - run.start)
        .sum();
    println!("{stored} of {} blocks were fetched", copy.length());
    assert_eq!(stored, 3);
    Ok(())
}
