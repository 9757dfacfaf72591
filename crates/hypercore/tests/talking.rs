//! What a log tells of its peers: events, statistics, switches, extensions, conflicts, surveys.

mod common;

use std::time::Duration;

use common::{connect, reader, writer};
use hypercore::{EVENTS_MAX, EndReason, Event, Hypercore, KeyPair, MemoryStorage, Proof, Storage};

#[tokio::test]
async fn events_tell_what_happened() {
    let log = writer(3).await;
    let copy = reader(&log).await;
    let (mut told, mut served) = (copy.events(), log.events());
    let (there, here) = connect(&copy, &log);
    copy.get(1).await.unwrap();
    let mut seen = Vec::new();
    while !matches!(seen.last(), Some(Event::Downloaded { .. })) {
        seen.push(told.next().await.unwrap());
    }
    assert!(matches!(seen[0], Event::Ready { length: 0, .. }));
    let Event::PeerAdded { peer, remote_public_key: Some(_) } = seen[1] else { panic!("{seen:?}") };
    assert!(seen.iter().any(|event| matches!(event, Event::PeerChanged { length: 3, fork: 0, peer: who } if *who == peer)));
    let grown = |event: &Event| matches!(event, Event::Appended { length: 3, byte_length: 21 });
    assert!(seen.iter().any(grown));
    assert!(
        matches!(seen.last(), Some(Event::Downloaded { index: 1, bytes: 7, peer: who }) if *who == peer)
    );
    let info = copy.peers().await.unwrap()[0].info().clone();
    assert_eq!((info.id, info.remote_length, info.blocks_downloaded), (peer, 3, 1));
    assert_eq!((info.bytes_downloaded, info.remote_contiguous_length), (7, 3));
    drop(there);
    here.await;
    let (got, gave) = (copy.traffic(), log.traffic());
    assert_eq!((got.blocks_downloaded, got.bytes_downloaded, got.blocks_uploaded), (1, 7, 0));
    assert_eq!((gave.blocks_uploaded, gave.bytes_uploaded, gave.blocks_downloaded), (1, 7, 0));
    loop {
        match served.next().await.unwrap() {
            Event::Uploaded { index, bytes, .. } => assert_eq!((index, bytes), (1, 7)),
            Event::PeerRemoved { .. } => break,
            _ => {}
        }
    }
}

#[tokio::test]
async fn who_does_not_listen_is_told_what_was_missed() {
    let log = writer(EVENTS_MAX * 2).await;
    let copy = reader(&log).await;
    let mut events = copy.events();
    let _both = connect(&copy, &log);
    copy.update().await.unwrap();
    copy.download(..EVENTS_MAX as u64 * 2).unwrap().done().await.unwrap();
    let Some(Event::Lagged { missed }) = events.next().await else { panic!("nothing was missed") };
    assert!(missed >= EVENTS_MAX as u64 / 2, "{missed}");
}

#[tokio::test]
async fn extensions_reach_those_who_know_the_name() {
    let log = writer(1).await;
    let copy = reader(&log).await;
    let (mut here, mut there) = (log.extension("chat"), copy.extension("chat"));
    let mut other = copy.extension("other");
    let _both = connect(&copy, &log);
    copy.get(0).await.unwrap();
    here.broadcast("hello").await.unwrap();
    here.broadcast("again").await.unwrap();
    log.extension("other").broadcast("elsewhere").await.unwrap();
    let (peer, message) = there.next().await.unwrap();
    assert_eq!(message, "hello");
    assert_eq!(there.next().await.unwrap().1, "again");
    assert_eq!(other.next().await.unwrap().1, "elsewhere");
    there.send(peer, "hello yourself");
    assert_eq!(here.next().await.unwrap().1, "hello yourself");
}

#[tokio::test]
async fn a_survey_tells_who_answered() {
    let log = writer(5).await;
    let copy = reader(&log).await;
    let nobody = copy.ask_peers(Duration::from_secs(60)).await.unwrap();
    assert!(nobody.answered.is_empty() && nobody.silent.is_empty() && nobody.caught_up);
    let _both = connect(&copy, &log);
    copy.update().await.unwrap();
    let survey = copy.ask_peers(Duration::from_secs(60)).await.unwrap();
    assert!(survey.caught_up && survey.silent.is_empty());
    assert_eq!((survey.answered[0].length, survey.answered[0].fork), (5, 0));
    assert_eq!(copy.length(), 5);
}

#[tokio::test]
async fn finding_peers_is_waited_for() {
    let log = writer(5).await;
    let copy = reader(&log).await;
    assert!(!copy.update().await.unwrap(), "nobody is there");
    let finding = copy.finding_peers();
    let updating = tokio::spawn({
        let copy = copy.clone();
        async move { copy.update().await }
    });
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!updating.is_finished());
    let _both = connect(&copy, &log);
    assert!(updating.await.unwrap().unwrap());
    drop(finding);
    assert!(!copy.update().await.unwrap());
    assert!(!log.update().await.unwrap(), "a writer knows best");
}

#[tokio::test]
async fn two_histories_freeze_the_log_and_prove_it() {
    let open = async || {
        let builder = Hypercore::builder(Storage::memory()).key_pair(KeyPair::from_seed(&[3; 32]));
        builder.open().await.unwrap()
    };
    let (log, twin) = (open().await, open().await);
    log.append_batch(["one", "two", "three"]).await.unwrap();
    twin.append_batch(["one", "another", "three"]).await.unwrap();
    let memory = MemoryStorage::new();
    let copy = Hypercore::builder(memory.clone()).key(log.key()).open().await.unwrap();
    {
        let _both = connect(&copy, &log);
        copy.download(..3).unwrap().done().await.unwrap();
    }
    assert!(copy.conflict().unwrap().is_none());
    let mut events = copy.events();
    let waiting = tokio::spawn({
        let copy = copy.clone();
        async move { copy.get(9).await }
    });
    tokio::task::yield_now().await;
    twin.append("four").await.unwrap();
    let (there, here) = connect(&copy, &twin);
    loop {
        if let Event::Conflict { .. } = events.next().await.unwrap() {
            break;
        }
    }
    let evidence = copy.conflict().unwrap().unwrap();
    assert_eq!((evidence.own.fork(), evidence.other.fork()), (0, 0));
    // It convinces who has nothing but the key.
    let judge = reader(&log).await;
    let mut histories = Vec::new();
    for proof in [&evidence.own, &evidence.other] {
        let sent = Proof::decode(proof.encode()).unwrap();
        histories.push(judge.verify_proof(&sent).await.unwrap());
    }
    assert_eq!((histories[0].length, histories[1].length), (3, 4));
    assert_eq!(histories[0].tree_hash, log.tree_hash(3).await.unwrap());
    assert_eq!(histories[1].tree_hash, twin.tree_hash(4).await.unwrap());
    let end = there.await;
    assert!(matches!(end, EndReason::Conflict), "{end:?}");
    here.await;
    // Nobody waits in vain.
    assert!(waiting.await.unwrap().unwrap_err().is_conflict());
    assert!(copy.get(8).await.unwrap_err().is_conflict());
    assert_eq!(copy.get(1).await.unwrap(), "two");
    assert_eq!(copy.length(), 3);
    copy.close().await.unwrap();

    // It is still so when the log is opened again, and who connects then is shown the evidence.
    let copy = Hypercore::open(memory).await.unwrap();
    assert_eq!(copy.conflict().unwrap().unwrap(), evidence);
    assert!(log.conflict().unwrap().is_none());
    let mut events = log.events();
    let (there, _here) = connect(&copy, &log);
    while !matches!(events.next().await.unwrap(), Event::Conflict { .. }) {}
    assert!(log.conflict().unwrap().is_some());
    let end = there.await;
    assert!(matches!(end, EndReason::Conflict), "{end:?}");
    assert_eq!(copy.length(), 3);
}

/// The writer can leave a history behind by a new fork.
#[tokio::test]
async fn a_new_fork_thaws_the_log() {
    let open = async || {
        let builder = Hypercore::builder(Storage::memory()).key_pair(KeyPair::from_seed(&[4; 32]));
        builder.open().await.unwrap()
    };
    let (log, twin) = (open().await, open().await);
    log.append_batch(["one", "two"]).await.unwrap();
    twin.append_batch(["one", "another", "three"]).await.unwrap();
    let mut events = log.events();
    let (there, _here) = connect(&log, &twin);
    loop {
        if let Event::Conflict { .. } = events.next().await.unwrap() {
            break;
        }
    }
    there.await;
    assert!(log.append("three").await.unwrap_err().is_conflict());
    log.truncate(1, None).await.unwrap();
    log.append("again").await.unwrap();
    let copy = reader(&log).await;
    let _both = connect(&copy, &log);
    assert_eq!(copy.get(1).await.unwrap(), "again");
    assert_eq!(copy.fork(), 1);
}
