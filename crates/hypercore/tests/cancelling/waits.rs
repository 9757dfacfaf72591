//! Calls that wait for what is not here: for an append of somebody else, or for a peer.

use std::future::Future;
use std::time::Duration;

use hypercore::{DownloadRange, Event, GetOptions, Hypercore, Result, SeekOptions};

use crate::dropping::Case;
use crate::stage::{BLOCKS, Contents, Scene, Stage, block, blocks, holds};

/// A call on a log that can be written to; an append brings what it waits for.
fn appended<F: Future<Output = Result<()>> + 'static>(
    covers: &'static [&'static str],
    call: impl Fn(Hypercore) -> F + 'static,
) -> Case {
    let case = Case::new(covers, Scene::Writer, move |stage| call(stage.log()));
    case.deliver(|stage| append_more(stage.log())).leaves([more()])
}

/// A call on a copy; the log it is of, and what that appends, bring what it waits for.
fn fetched<F: Future<Output = Result<()>> + 'static>(
    covers: &'static [&'static str],
    call: impl Fn(Hypercore) -> F + 'static,
) -> Case {
    let case = Case::new(covers, Scene::Reader, move |stage| call(stage.log()));
    case.deliver(|stage| append_more(stage.source()))
}

pub(crate) fn append_more(log: Hypercore) {
    drop(tokio::spawn(async move {
        log.append_batch(blocks(BLOCKS..BLOCKS + 3)).await.unwrap();
    }));
}

fn more() -> Contents {
    holds(0..BLOCKS + 3)
}

/// The number of a block that is yet to come.
const LATER: u64 = BLOCKS as u64 + 1;

fn len(blocks: usize) -> u64 {
    (0..blocks).map(|index| block(index).len() as u64).sum()
}

pub(crate) fn table() -> Vec<Case> {
    vec![
        appended(&["Hypercore::get"], |log| async move {
            assert_eq!(log.get(LATER).await?, block(BLOCKS + 1));
            Ok(())
        }),
        appended(&["Hypercore::get_with"], |log| async move {
            let options = GetOptions::new().timeout(Duration::from_secs(9));
            let block_later = log.get_with(LATER, options).await?;
            assert_eq!(block_later.unwrap(), block(BLOCKS + 1));
            Ok(())
        }),
        // The time runs out before the block comes.
        Case::new(&["Hypercore::get_with"], Scene::Reader, |stage: &Stage| {
            let log = stage.log();
            async move {
                let options = GetOptions::new().timeout(Duration::from_micros(500));
                assert!(log.get_with(LATER, options).await.unwrap_err().is_timed_out());
                Ok(())
            }
        }),
        appended(&["Hypercore::seek_with"], |log| async move {
            let place = log.seek_with(len(BLOCKS) + 1, SeekOptions::new()).await?;
            assert_eq!(place, Some((BLOCKS as u64, 1)));
            Ok(())
        }),
        appended(&["Events: Stream", "Events::next"], |log| async move {
            let mut events = log.events();
            while !matches!(events.next().await, Some(Event::Appended { .. })) {}
            Ok(())
        }),
        appended(&["Hypercore::seek"], |log| async move {
            assert_eq!(log.seek(len(BLOCKS) + 1).await?, (BLOCKS as u64, 1));
            Ok(())
        }),
        appended(
            &["Hypercore::wait_for_length"],
            |log| async move { log.wait_for_length(LATER).await },
        ),
        fetched(&["Hypercore::get"], |log| async move {
            assert_eq!(log.get(1).await?, block(1));
            Ok(())
        }),
        fetched(&["Hypercore::get"], |log| async move {
            assert_eq!(log.get(LATER).await?, block(BLOCKS + 1));
            Ok(())
        }),
        fetched(&["Hypercore::seek"], |log| async move {
            assert_eq!(log.seek(len(3) + 1).await?, (3, 1));
            Ok(())
        }),
        fetched(&["Hypercore::seek"], |log| async move {
            assert_eq!(log.seek(len(BLOCKS) + 1).await?, (BLOCKS as u64, 1));
            Ok(())
        }),
        fetched(&["Hypercore::tree_hash"], |log| async move { log.tree_hash(3).await.map(drop) }),
        fetched(
            &["Hypercore::wait_for_length"],
            |log| async move { log.wait_for_length(LATER).await },
        ),
        Case::new(&["Hypercore::update"], Scene::Reader, |stage: &Stage| {
            let (log, source) = (stage.log(), stage.source());
            async move {
                append_more(source);
                log.update().await.map(drop)
            }
        }),
        fetched(&["Hypercore::update"], |log| async move {
            let finding = log.finding_peers();
            assert!(log.update().await?);
            drop(finding);
            Ok(())
        }),
        fetched(&["Hypercore::ask_peers", "Hypercore::peers"], |log| async move {
            assert_eq!(log.ask_peers(Duration::from_secs(9)).await?.answered.len(), 1);
            assert_eq!(log.peers().await?.len(), 1);
            Ok(())
        }),
        Case::new(&["Extension::next", "Extension::broadcast"], Scene::Reader, |stage: &Stage| {
            let (mut here, mut there) = (stage.log().extension("x"), stage.source().extension("x"));
            async move {
                // Both ends have to know the name before a message can be heard.
                here.broadcast("hello").await?;
                there.broadcast("hello").await?;
                let (from_there, from_here) = tokio::join!(here.next(), there.next());
                assert!(from_there.is_some() && from_here.is_some());
                Ok(())
            }
        }),
        fetched(&["Download::done"], |log| async move { log.download(0..4)?.done().await }),
        fetched(&["Download::done"], |log| async move {
            log.download(DownloadRange::all())?.done().await
        }),
    ]
}

#[test]
fn what_nobody_waits_for_is_not_asked_for() {
    crate::drop_all(&table());
}
