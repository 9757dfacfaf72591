//! Calls that read what is here.

use std::future::Future;

use hypercore::{Hypercore, KeyPair, PartialOptions, Result};

use crate::dropping::Case;
use crate::stage::{BLOCKS, SEED, Scene, block};

fn reads<F: Future<Output = Result<()>> + 'static>(
    covers: &'static [&'static str],
    call: impl Fn(Hypercore) -> F + 'static,
) -> Case {
    Case::new(covers, Scene::Writer, move |stage| call(stage.log()))
}

pub(crate) fn table() -> Vec<Case> {
    vec![
        reads(
            &["Hypercore::get_local", "Hypercore::has", "Hypercore::has_range"],
            |log| async move {
                assert_eq!(log.get_local(1).await?.unwrap(), block(1));
                assert!(log.has(1).await? && log.has_range(0..BLOCKS as u64).await?);
                Ok(())
            },
        ),
        reads(&["Hypercore::stored_ranges"], |log| async move {
            let stored = log.stored_ranges(0..100, 10).await?;
            assert_eq!(stored, vec![0..BLOCKS as u64]);
            Ok(())
        }),
        reads(&["Hypercore::seek_local", "Hypercore::tree_hash_local"], |log| async move {
            let byte = block(0).len() as u64;
            assert_eq!(log.seek_local(byte).await?, Some((1, 0)));
            log.tree_hash_local(3).await.map(drop)
        }),
        reads(&["Hypercore::info"], |log| async move {
            assert_eq!(log.info().await?.length, BLOCKS as u64);
            Ok(())
        }),
        reads(&["Hypercore::snapshot"], |log| async move {
            let snapshot = log.snapshot().await?;
            assert_eq!(snapshot.get(1).await?, block(1));
            snapshot.close().await
        }),
        reads(&["Hypercore::batches", "Hypercore::delete_batch"], |log| async move {
            assert!(log.batches().await?.is_empty());
            log.delete_batch("none").await
        }),
        reads(&["Hypercore::backup", "Hypercore::backup_with"], |log| async move {
            let scratch = tempfile::tempdir().unwrap();
            log.backup(scratch.path().join("copy")).await?;
            let report = log.backup_with(scratch.path().join("another"), |_| {}).await?;
            assert_eq!(report.length, BLOCKS as u64);
            Ok(())
        }),
        reads(&["Hypercore::pack", "Hypercore::pack_with"], |log| async move {
            let scratch = tempfile::tempdir().unwrap();
            log.pack(scratch.path().join("one")).await?;
            let report = log.pack_with(scratch.path().join("another"), |_| {}).await?;
            assert_eq!(report.length, BLOCKS as u64);
            Ok(())
        }),
        reads(
            &["Hypercore::sign_partial", "Hypercore::sign_partial_with", "Hypercore::assemble"],
            |log| async move {
                let signer = KeyPair::from_seed(&SEED);
                log.sign_partial_with(&signer, 4, PartialOptions::new()).await?;
                let part = log.sign_partial(&signer, 3).await?;
                log.assemble(3, &[part]).await.map(drop)
            },
        ),
        reads(&["Hypercore::verify", "Hypercore::verify_with"], |log| async move {
            assert!(log.verify().await?.is_ok());
            Ok(())
        }),
    ]
}

#[test]
fn reads_change_nothing() {
    crate::drop_all(&table());
}
