//! Named batches: appends that are drafted first, because several must sign them, or because a command says so.

use hypercore::{CommitOptions, Create, Hypercore, NamedBatch, PartialOptions};

use crate::keys::Quorum;
use crate::protocol::Failure;

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

async fn begin(log: &Hypercore) -> Result<NamedBatch, Failure> {
    Ok(log.batch(PROPOSAL).create(Create::Overwrite).open().await?)
}

/// Opens the batch that stays, as it was left or as the log is.
pub(crate) async fn kept(log: &Hypercore) -> Result<NamedBatch, Failure> {
    Ok(log.batch(KEPT).open().await?)
}
