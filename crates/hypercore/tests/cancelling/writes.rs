//! Calls that write.

use std::future::Future;

use hypercore::{AppendOptions, Hypercore, Manifest, Prologue, Result, TruncateOptions};

use crate::dropping::Case;
use crate::stage::{BLOCKS, Scene, blocks, holds};

/// More blocks than an executor thread writes itself.
const MANY: usize = 100;

fn writes<F: Future<Output = Result<()>> + 'static>(
    covers: &'static [&'static str],
    call: impl Fn(Hypercore) -> F + 'static,
) -> Case {
    Case::new(covers, Scene::Writer, move |stage| call(stage.log()))
}

pub(crate) fn table() -> Vec<Case> {
    vec![
        writes(&["Hypercore::append"], |log| async move {
            log.append(crate::stage::block(BLOCKS)).await.map(drop)
        })
        .leaves([holds(0..BLOCKS + 1)]),
        writes(&["Hypercore::append_batch"], |log| async move {
            log.append_batch(blocks(BLOCKS..BLOCKS + MANY)).await.map(drop)
        })
        .leaves([holds(0..BLOCKS + MANY)]),
        writes(&["Hypercore::append_owned"], |log| async move {
            let owned = blocks(BLOCKS..BLOCKS + MANY).into_iter().map(Into::into).collect();
            log.append_owned(owned).await.map(drop)
        })
        .leaves([holds(0..BLOCKS + MANY)]),
        writes(&["Hypercore::append_with"], |log| async move {
            let options = AppendOptions::new().length_max(100);
            log.append_with(blocks(BLOCKS..BLOCKS + 3), options).await.map(drop)
        })
        .leaves([holds(0..BLOCKS + 3)]),
        writes(
            &[
                "Hypercore::set_user_data",
                "Hypercore::remove_user_data",
                "Hypercore::user_data",
                "Hypercore::user_data_range",
            ],
            |log| async move {
                log.set_user_data("a", [1]).await?;
                log.set_user_data("b", [2]).await?;
                log.remove_user_data("a").await?;
                assert_eq!(log.user_data("a").await?, None);
                assert_eq!(log.user_data_range(.., 9).await?.len(), 1);
                Ok(())
            },
        ),
        Case::new(&["Hypercore::copy_prologue"], Scene::Writer, |stage| {
            let (source, disk) = (stage.log(), stage.disk.emptied());
            async move {
                let prologue = Prologue { hash: source.tree_hash(3).await?, length: 3 };
                let manifest = Manifest::builder().prologue(prologue).build().unwrap();
                let log = Hypercore::builder(disk.storage()).manifest(manifest).open().await?;
                assert_eq!(log.copy_prologue(&source).await?, 3);
                assert_eq!(log.get(2).await?, crate::stage::block(2));
                log.close().await
            }
        }),
        // Two that are written together, one after the other.
        writes(&["Hypercore::append"], |log| async move {
            log.append_batch(blocks(BLOCKS..BLOCKS + MANY)).await?;
            log.append_batch(blocks(BLOCKS + MANY..BLOCKS + 2 * MANY)).await.map(drop)
        })
        .leaves([holds(0..BLOCKS + MANY), holds(0..BLOCKS + 2 * MANY)]),
        writes(&["Hypercore::truncate"], |log| async move { log.truncate(2, None).await })
            .leaves([holds(0..2)]),
        writes(&["Hypercore::truncate_with"], |log| async move {
            log.truncate_with(2, TruncateOptions::new().fork(7)).await
        })
        .leaves([holds(0..2)]),
        writes(&["Hypercore::clear"], |log| async move { log.clear(1..3).await.map(drop) })
            .leaves([cleared(1..3)]),
        writes(&["Hypercore::flush"], |log| async move {
            log.append("a line").await?;
            log.flush().await
        })
        .leaves([appended("a line")]),
        writes(&["Hypercore::repair_with"], |log| async move {
            log.repair_with(|_| {}).await.map(drop)
        }),
        writes(&["Hypercore::compact"], |log| async move { log.compact().await.map(drop) }),
    ]
}

fn cleared(range: std::ops::Range<usize>) -> crate::stage::Contents {
    let mut contents = holds(0..BLOCKS);
    contents[range].fill(None);
    contents
}

fn appended(block: &str) -> crate::stage::Contents {
    let mut contents = holds(0..BLOCKS);
    contents.push(Some(block.as_bytes().to_vec()));
    contents
}

#[test]
fn writes_are_whole_or_absent() {
    crate::drop_all(&table());
}
