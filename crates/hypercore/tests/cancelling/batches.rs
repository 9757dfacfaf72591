//! Named batches: opened, written, committed and discarded.

use std::future::Future;

use hypercore::{CommitOptions, Hypercore, NamedBatch, Result};

use crate::dropping::Case;
use crate::stage::{BLOCKS, Scene, Stage, blocks, holds};

/// A call on the log, which may have a batch afterwards.
fn opens<F: Future<Output = Result<()>> + 'static>(
    covers: &'static [&'static str],
    call: impl Fn(Hypercore) -> F + 'static,
) -> Case {
    Case::new(covers, Scene::Writer, move |stage: &Stage| call(stage.log()))
}

/// A call on a batch of the log that has three blocks more.
fn drafted<F: Future<Output = Result<()>> + 'static>(
    covers: &'static [&'static str],
    call: impl Fn(NamedBatch) -> F + 'static,
) -> Case {
    Case::new(covers, Scene::Drafted, move |stage: &Stage| call(stage.draft()))
}

pub(crate) fn table() -> Vec<Case> {
    vec![
        opens(&["BatchBuilder::open"], |log| async move {
            let batch = log.batch("new").open().await?;
            assert_eq!(batch.length(), BLOCKS as u64);
            batch.close().await
        }),
        opens(&["BatchBuilder::open"], |log| async move {
            let batch = log.batch("new").open().await?;
            batch.append_batch(blocks(BLOCKS..BLOCKS + 3)).await?;
            batch.close().await?;
            let batch = log.batch("new").checkout(BLOCKS as u64 + 1).open().await?;
            assert_eq!(batch.length(), BLOCKS as u64 + 1);
            batch.flush().await?;
            batch.close().await
        }),
        drafted(&["Hypercore::truncate", "Hypercore::append_batch"], |batch| async move {
            batch.truncate(BLOCKS as u64 + 1, None).await?;
            batch.append_batch(blocks(BLOCKS + 1..BLOCKS + 3)).await.map(drop)
        }),
        drafted(&["NamedBatch::commit", "NamedBatch::commit_with"], |batch| async move {
            batch.commit().await.map(drop)
        })
        .leaves([holds(0..BLOCKS + 3)]),
        drafted(&["NamedBatch::commit_with"], |batch| async move {
            let part = CommitOptions::new().length(BLOCKS as u64 + 2);
            batch.commit_with(part).await?;
            batch.commit().await.map(drop)
        })
        .leaves([holds(0..BLOCKS + 2), holds(0..BLOCKS + 3)]),
        drafted(&["NamedBatch::discard"], |batch| async move { batch.discard().await }),
    ]
}

#[test]
fn batches_are_whole_wherever_they_are_left() {
    crate::drop_all(&table());
}
