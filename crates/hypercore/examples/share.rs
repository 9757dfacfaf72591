//! A log and its copy over a TCP connection of this machine: what is there, and what comes later.
//!
//! `cargo run --example share`

use hypercore::{DownloadRange, Event, Hypercore, Role, Storage};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let log = Hypercore::open(Storage::memory()).await?;
    let lines: Vec<String> = (1..=1000).map(|number| format!("line {number}")).collect();
    log.append_batch(&lines).await?;

    // Whoever has the key can read; anybody who connects is served.
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    println!("serving {} on {address}", log.key());
    let served = log.clone();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            served.replicate(socket, Role::Responder).detach();
        }
    });

    let copy = Hypercore::builder(Storage::memory()).key(log.key()).open().await?;
    let replication = copy.replicate(TcpStream::connect(address).await?, Role::Initiator);

    // A single block comes without the others.
    println!("block 499 is {:?}", copy.get(499).await?);
    println!("{} blocks are here", copy.stored_ranges(0..1000, 1000).await?.len());

    copy.download(DownloadRange::all())?.done().await?;
    println!("{} blocks are here, verified: {}", copy.length(), copy.verify().await?.is_ok());

    let mut events = copy.events();
    log.append("one more").await?;
    println!("block 1000 is {:?}", copy.get(1000).await?);
    while let Some(event) = events.next().await {
        if let Event::Downloaded { index, bytes, .. } = event {
            println!("downloaded block {index}, {bytes} bytes");
            break;
        }
    }

    replication.close();
    println!("the end: {}", replication.await);
    Ok(())
}
