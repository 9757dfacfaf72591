//! A key that never leaves its device: the log asks the device for each signature, and waits.
//!
//! `cargo run --example hardware_key`

use std::sync::Arc;
use std::time::Duration;

use hypercore::{
    BoxError, BoxFuture, Hypercore, KeyPair, PublicKey, Signature, Signer, Storage, ToSign,
    random_key_pair,
};

/// Stands for a device that asks its owner.
#[derive(Debug)]
struct Device {
    key: KeyPair,
    length_max: u64,
}

impl Signer for Device {
    fn public_key(&self) -> PublicKey {
        self.key.public()
    }

    fn sign<'a>(&'a self, to_sign: &'a ToSign) -> BoxFuture<'a, Result<Signature, BoxError>> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(20)).await; // somebody presses a button
            if to_sign.length > self.length_max {
                return Err("the owner said no".into());
            }
            println!("the device signs {} blocks, tree hash {}", to_sign.length, to_sign.tree_hash);
            Ok(self.key.sign(to_sign.message()))
        })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Arc::new(Device { key: random_key_pair()?, length_max: 2 });
    let log = Hypercore::builder(Storage::memory()).signer(device).open().await?;

    log.append("paid 5 to Ann").await?;
    log.append("paid 7 to Ben").await?;
    let error = log.append("paid 900 to Mallory").await.expect_err("the device refuses");
    println!("the third: {error}: {}", std::error::Error::source(&error).ok_or("a reason")?);
    assert!(error.is_outside());

    println!("{} blocks, verified: {}", log.length(), log.verify().await?.is_ok());
    assert_eq!(log.length(), 2);
    Ok(())
}
