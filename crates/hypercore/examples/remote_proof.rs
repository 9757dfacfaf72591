//! A notification that proves itself: whoever knows the key of a log can check it, without the log and without asking.
//!
//! `cargo run --example remote_proof`

use hypercore::{Hypercore, RemoteProof, Storage};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let log = Hypercore::open(Storage::memory()).await?;
    log.append_batch(["price 100", "price 104", "price 99"]).await?;
    let message = log.remote_proof(Some(2)).await?.ok_or("a block that is here")?.encode();
    println!("{} bytes, sent by whatever carries them", message.len());

    // Elsewhere: nothing but the key is known.
    let proven = RemoteProof::decode(message.clone())?.verify(&log.key(), None)?;
    let (index, block) = proven.block.ok_or("a block")?;
    println!("block {index} of {} is {block:?}", proven.length);
    assert_eq!((index, &block[..]), (2, &b"price 99"[..]));

    // One bit of it changed on the way.
    let at = message.len() - 1;
    let mut forged = message;
    forged[at] ^= 1;
    let refused = RemoteProof::decode(forged).map(|proof| proof.verify(&log.key(), None));
    println!(
        "with one bit changed: {}",
        match refused {
            Ok(Ok(_)) => return Err("a forgery was taken".into()),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        }
    );
    Ok(())
}
