//! Named batches: appends that are drafted first, because several must sign them, or because a command says so.

use hypercore::{
    CommitOptions, Create, Hash, Hypercore, KeyPair, NamedBatch, PartialOptions, PartialSignature,
    Signature, SignatureNode, TruncateOptions,
};
use serde_json::{Value, json};

use crate::commands::hex;
use crate::keys::Quorum;
use crate::protocol::{Failure, bytes, number, text, unhex};

/// The batch of an append.
const PROPOSAL: &str = "proposal";

/// The batch that stays.
const KEPT: &str = "kept";

/// Appends `blocks` by way of a batch, which has had other blocks before.
pub(crate) async fn append(log: &Hypercore, blocks: &[Vec<u8>]) -> Result<(), Failure> {
    let batch = begin(log).await?;
    let length = batch.length();
    batch.append_batch(blocks.iter().rev()).await?;
    batch.truncate(length, None).await?;
    batch.append_batch(blocks).await?;
    batch.commit().await?;
    Ok(batch.discard().await?)
}

/// Appends `blocks` that two have signed. Where patches are allowed, one of them has signed all of them when only half
/// of them are appended.
pub(crate) async fn append_signed(
    log: &Hypercore,
    quorum: &Quorum,
    blocks: &[Vec<u8>],
) -> Result<(), Failure> {
    let batch = begin(log).await?;
    batch.append_batch(blocks).await?;
    if quorum.is_patched && blocks.len() > 1 {
        let half = log.length().midpoint(batch.length());
        commit(&batch, quorum, half, batch.length()).await?;
    }
    commit(&batch, quorum, batch.length(), batch.length()).await?;
    Ok(batch.discard().await?)
}

/// Commits `length` blocks, of which the last signer has signed `ahead`.
async fn commit(
    batch: &NamedBatch,
    quorum: &Quorum,
    length: u64,
    ahead: u64,
) -> Result<(), Failure> {
    let [first, last] = &quorum.signing;
    let options = PartialOptions::new().common_length(length);
    let parts = [
        batch.sign_partial(first, length).await?,
        batch.sign_partial_with(last, ahead, options).await?,
    ];
    let signature = batch.assemble(length, &parts).await?;
    batch.commit_with(CommitOptions::new().length(length).signature(signature)).await?;
    Ok(())
}

/// Truncates, as two have signed it for the next fork.
pub(crate) async fn truncate_signed(
    log: &Hypercore,
    quorum: &Quorum,
    length: u64,
) -> Result<(), Failure> {
    let fork = log.fork().saturating_add(1);
    let mut parts = Vec::new();
    for signer in &quorum.signing {
        let options = PartialOptions::new().fork(fork);
        parts.push(log.sign_partial_with(signer, length, options).await?);
    }
    let signature = log.assemble(length, &parts).await?;
    let options = TruncateOptions::new().fork(fork).signature(signature);
    Ok(log.truncate_with(length, options).await?)
}

/// Appends `blocks` that the first of us and somebody else have signed.
pub(crate) async fn append_with_part(
    log: &Hypercore,
    quorum: &Quorum,
    blocks: &[Vec<u8>],
    part: &Value,
) -> Result<(), Failure> {
    let batch = begin(log).await?;
    batch.append_batch(blocks).await?;
    let length = batch.length();
    let [first, _] = &quorum.signing;
    let parts = [batch.sign_partial(first, length).await?, decode(part)?];
    let signature = batch.assemble(length, &parts).await?;
    batch.commit_with(CommitOptions::new().signature(signature)).await?;
    Ok(batch.discard().await?)
}

/// What this signer signs for the log with `blocks`, to be used for the first `length` blocks.
pub(crate) async fn part(
    log: &Hypercore,
    signer: &KeyPair,
    blocks: &[Vec<u8>],
    length: u64,
) -> Result<Value, Failure> {
    let batch = begin(log).await?;
    batch.append_batch(blocks).await?;
    let options = PartialOptions::new().common_length(length);
    let part = batch.sign_partial_with(signer, batch.length(), options).await?;
    batch.discard().await?;
    let nodes = part.nodes.iter();
    let nodes: Vec<Value> =
        nodes.map(|node| json!([node.index, node.size, node.hash.to_string()])).collect();
    Ok(json!({
        "signer": part.signer,
        "length": part.length,
        "signature": hex(part.signature.as_bytes()),
        "nodes": nodes,
    }))
}

fn decode(part: &Value) -> Result<PartialSignature, Failure> {
    let signature = unhex(text(part, "signature")?)?;
    let signature = signature.try_into().map_err(|_| "not 64 bytes")?;
    let nodes = part["nodes"].as_array().ok_or("`nodes` is not an array")?;
    let node = |node: &Value| {
        let [index, size] = [0, 1].map(|at| node[at].as_u64().ok_or("not a number"));
        let hash = node[2].as_str().ok_or("not a string")?;
        Ok(SignatureNode { index: index?, size: size?, hash: Hash::from_bytes(bytes(hash)?) })
    };
    Ok(PartialSignature {
        signer: number(part, "signer")?,
        signature: Signature::from_bytes(signature),
        length: number(part, "length")?,
        nodes: nodes.iter().map(node).collect::<Result<_, Failure>>()?,
    })
}

async fn begin(log: &Hypercore) -> Result<NamedBatch, Failure> {
    Ok(log.batch(PROPOSAL).create(Create::Overwrite).open().await?)
}

/// Opens the batch that stays, as it was left or as the log is.
pub(crate) async fn kept(log: &Hypercore) -> Result<NamedBatch, Failure> {
    Ok(log.batch(KEPT).open().await?)
}
