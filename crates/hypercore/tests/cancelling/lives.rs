//! Opening, closing, and what lasts as long as a connection.

use std::time::Duration;

use hypercore::{Hypercore, Role, Storage};

use crate::common::connect;
use crate::dropping::{Case, IDLE};
use crate::stage::{Scene, Stage};

pub(crate) fn table() -> Vec<Case> {
    vec![
        Case::new(&["Builder::open", "Hypercore::open"], Scene::Closed, |stage: &Stage| {
            let builder = Hypercore::builder(stage.disk.storage()).durability(stage.durability);
            async move { builder.open().await.map(drop) }
        }),
        Case::new(&["Hypercore::close"], Scene::Writer, |stage: &Stage| {
            let log = stage.log();
            async move { log.close().await }
        })
        .closes(),
        Case::new(&["Hypercore::confirm_newest"], Scene::Restored, |stage: &Stage| {
            let log = stage.log();
            async move { log.confirm_newest().await }
        }),
        Case::new(&["Hypercore::confirm_with_peers"], Scene::Restored, |stage: &Stage| {
            let (log, copy) = (stage.log(), stage.copy());
            async move {
                let _both = connect(&copy, &log);
                let survey = log.confirm_with_peers(Duration::from_secs(9)).await?;
                assert_eq!(survey.answered.len(), 1);
                Ok(())
            }
        }),
        Case::new(&["Hypercore::purge"], Scene::Writer, |stage: &Stage| {
            let log = stage.log();
            async move { log.purge().await.map(drop) }
        })
        .deletes(),
        Case::new(
            &[
                "ProtocolStream::opened",
                "ProtocolStream::ended",
                "ProtocolStream: Future",
                "Replication::ended",
                "Replication: Future",
            ],
            Scene::Writer,
            |stage: &Stage| {
                let log = stage.log();
                async move {
                    let copy = Hypercore::builder(Storage::memory()).key(log.key()).open().await?;
                    let (here, there) = tokio::io::duplex(100);
                    let serving = log.replicate(here, Role::Responder);
                    let reading = copy.replicate(there, Role::Initiator);
                    reading.stream().opened().await.unwrap();
                    copy.get(2).await?;
                    reading.close();
                    assert!(serving.stream().ended().await.is_clean());
                    assert!(serving.ended().await.is_clean());
                    assert!(reading.await.is_clean());
                    Ok(())
                }
            },
        ),
        Case::new(&["SessionBuilder::open"], Scene::Writer, |stage: &Stage| {
            let log = stage.log();
            async move {
                let session = log.session().open().await?;
                session.close().await
            }
        }),
        // One that waits for its turn.
        Case::new(&["SessionBuilder::open"], Scene::Writer, |stage: &Stage| {
            let log = stage.log();
            async move {
                let first = log.session().exclusive().open().await?;
                let closing = tokio::spawn(async move {
                    tokio::time::sleep(IDLE).await;
                    first.close().await
                });
                let second = log.session().exclusive().open().await?;
                closing.await.expect("no panic")?;
                second.close().await
            }
        }),
    ]
}

#[test]
fn what_is_opened_or_closed_halfway_can_be_opened() {
    crate::drop_all(&table());
}
