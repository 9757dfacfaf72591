//! A log that two of three must sign: each signs on a machine of its own, and one puts the parts together.
//!
//! `cargo run --example multisig_2_of_3`

use hypercore::{
    AppendOptions, Hypercore, KeyPair, Manifest, ManifestSigner, PartialOptions, PartialSignature,
    Storage, random_key_pair,
};

const RESOLUTION: [&str; 2] = ["the bridge is repaired", "in spring"];

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let keys = [random_key_pair()?, random_key_pair()?, random_key_pair()?];
    let signers = keys.iter().map(|key| ManifestSigner::new(key.public()));
    let manifest = Manifest::builder().signers(signers).quorum(2).build()?;
    let log = Hypercore::builder(Storage::memory()).manifest(manifest.clone()).open().await?;
    println!("{} has {} signers, 2 must sign", log.key(), manifest.signers().len());

    let ann = sign(&keys[0], &manifest).await?;
    match log.assemble(2, std::slice::from_ref(&ann)).await {
        Err(error) => println!("one signature: {error}"),
        Ok(_) => return Err("one signature was enough".into()),
    }

    let carl = sign(&keys[2], &manifest).await?;
    let signature = log.assemble(2, &[ann, carl]).await?;
    let options = || AppendOptions::new().signature(signature.clone());
    if let Err(error) = log.append_with(["the bridge is", "sold"], options()).await {
        println!("two signatures of something else: {error}");
    }
    log.append_with(RESOLUTION, options()).await?;
    println!("two signatures: {} blocks, verified: {}", log.length(), log.verify().await?.is_ok());
    assert_eq!(log.get(0).await?, RESOLUTION[0]);
    Ok(())
}

/// What one signer does: makes the same blocks, looks at them, and signs.
async fn sign(
    key: &KeyPair,
    manifest: &Manifest,
) -> Result<PartialSignature, Box<dyn std::error::Error>> {
    let own = Hypercore::builder(Storage::memory()).key_pair(key.clone()).open().await?;
    own.append_batch(RESOLUTION).await?;
    let options = PartialOptions::new().manifest(manifest.clone());
    Ok(own.sign_partial_with(key, 2, options).await?)
}
