//! Proofs: made here, looked at, and taken over.

use hypercore::{Hypercore, ProofRequest, Storage};

use crate::dropping::Case;
use crate::stage::{BLOCKS, Scene, Stage};

pub(crate) fn table() -> Vec<Case> {
    let covers = &[
        "Hypercore::create_proof",
        "Hypercore::missing_levels",
        "Hypercore::verify_proof",
        "Hypercore::remote_proof",
    ];
    vec![
        Case::new(covers, Scene::Writer, |stage: &Stage| {
            let log = stage.log();
            async move {
                let request = ProofRequest::new().block(2).upgrade(0..BLOCKS as u64);
                let proof = log.create_proof(&request).await?.unwrap();
                assert_eq!(log.missing_levels(2).await?, 0);
                log.verify_proof(&proof).await?;
                assert!(log.remote_proof(Some(1)).await?.is_some());
                Ok(())
            }
        }),
        Case::new(&["Hypercore::apply_proof"], Scene::Reader, |stage: &Stage| {
            let (log, source) = (stage.log(), stage.source());
            async move {
                let levels = log.missing_levels(2).await?;
                let request = ProofRequest::new().block(2).levels(levels);
                let proof = source.create_proof(&request).await?.unwrap();
                log.apply_proof(&proof).await?;
                assert!(log.has(2).await?);
                Ok(())
            }
        }),
        Case::new(&["Hypercore::apply_proof"], Scene::Reader, |stage: &Stage| {
            let (key, source) = (stage.log().key(), stage.source());
            async move {
                let log = Hypercore::builder(Storage::memory()).key(key).open().await?;
                let request = ProofRequest::new().block(2).upgrade(0..BLOCKS as u64).manifest();
                let proof = source.create_proof(&request).await?.unwrap();
                log.apply_proof(&proof).await?;
                log.close().await
            }
        }),
    ]
}

#[test]
fn proofs_are_taken_over_or_not() {
    crate::drop_all(&table());
}
