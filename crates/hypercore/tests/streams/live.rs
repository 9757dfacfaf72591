//! Streams that follow the log, also where it is truncated.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hypercore::{
    BoxError, BoxFuture, ByteStreamOptions, Durability, EncryptionProvider, Hypercore,
    ReadStreamOptions, Storage,
};
use tokio::sync::Semaphore;

use super::{assert_waits, rest_of_bytes};
use crate::common::{block, writer};

fn live() -> ReadStreamOptions {
    ReadStreamOptions::new().live(true)
}

#[tokio::test]
async fn a_live_stream_goes_on_with_what_is_appended() {
    let log = writer(2).await;
    let mut stream = log.read_stream(live().start(1));
    assert_eq!(stream.next().await.unwrap().unwrap(), block(1));
    for index in 2..40 {
        assert_waits(&mut stream).await;
        log.append(block(index)).await.unwrap();
        assert_eq!(stream.next().await.unwrap().unwrap(), block(index));
    }
    assert_waits(&mut stream).await;
}

#[tokio::test]
async fn a_live_stream_may_have_an_end() {
    let log = writer(1).await;
    let mut stream = log.read_stream(live().end(2));
    assert_eq!(stream.next().await.unwrap().unwrap(), block(0));
    assert_waits(&mut stream).await;
    log.append_batch(["last", "not any more"]).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap(), "last");
    assert!(stream.next().await.is_none());
}

/// What was truncated and not given yet is never seen; what comes in its place is.
#[tokio::test]
async fn a_truncation_ahead_of_a_live_stream_is_followed() {
    let log = writer(2).await;
    let mut stream = log.read_stream(live());
    assert_eq!(stream.next().await.unwrap().unwrap(), block(0));
    assert_eq!(stream.next().await.unwrap().unwrap(), block(1));
    log.append_batch(["old", "old"]).await.unwrap();
    log.truncate(2, None).await.unwrap();
    assert_waits(&mut stream).await;
    log.append("new").await.unwrap();
    log.truncate(2, Some(9)).await.unwrap();
    log.append("newer").await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap(), "newer");
}

#[tokio::test]
async fn a_truncation_below_what_a_live_stream_gave_ends_it_with_an_error() {
    for waits in [false, true] {
        let log = writer(3).await;
        let mut stream = log.read_stream(live());
        for index in 0..3 {
            assert_eq!(stream.next().await.unwrap().unwrap(), block(index));
        }
        if waits {
            assert_waits(&mut stream).await;
        }
        log.truncate(1, None).await.unwrap();
        if !waits {
            // By now there is a block where it would go on.
            log.append_batch(["one", "two", "three"]).await.unwrap();
        }
        let error = stream.next().await.unwrap().unwrap_err();
        assert!(error.is_rewritten(), "{error}");
        assert_eq!(stream.position(), 3);
        assert!(stream.next().await.is_none());
    }
}

#[tokio::test]
async fn a_truncation_before_anything_was_given_does_not_matter() {
    let log = writer(5).await;
    let mut stream = log.read_stream(live().start(5));
    assert_waits(&mut stream).await;
    log.truncate(1, None).await.unwrap();
    log.append_batch(&(1..6).map(|index| format!("new {index}")).collect::<Vec<_>>())
        .await
        .unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap(), "new 5");
}

#[tokio::test]
async fn a_live_byte_stream_follows_and_never_mixes_histories() {
    let log = writer(0).await;
    let mut stream = log.byte_stream(ByteStreamOptions::new().live(true));
    log.append_batch(["ab", "cd"]).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap(), "ab");
    assert_eq!(stream.next().await.unwrap().unwrap(), "cd");
    log.append("ef").await.unwrap();
    log.truncate(2, None).await.unwrap();
    log.append_batch(["", "gh"]).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap(), "gh");
    log.truncate(0, None).await.unwrap();
    log.append("a longer block").await.unwrap();
    let error = stream.next().await.unwrap().unwrap_err();
    assert!(error.is_rewritten(), "{error}");
    assert!(stream.next().await.is_none());
    let mut stream = log.byte_stream(..);
    assert_eq!(rest_of_bytes(&mut stream).await.unwrap(), b"a longer block");
}

/// A writer that truncates and appends all the time, and readers that follow: what they are given is one history of the
/// log, from the first block on, or they hear that it is none.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn what_a_live_stream_gives_was_once_the_log() {
    let builder = Hypercore::builder(Storage::memory()).durability(Durability::Eventual);
    let log = builder.open().await.unwrap();
    let seen = Arc::new(AtomicU64::new(0));
    let writer = tokio::spawn({
        let (log, seen) = (log.clone(), Arc::clone(&seen));
        async move {
            // Each block names the one before it.
            let mut names: Vec<u64> = Vec::new();
            let mut name = 0;
            for round in 0..300_u64 {
                let blocks: Vec<_> = (0..7)
                    .map(|_| {
                        name += 1;
                        let before = names.last().copied().unwrap_or(0);
                        names.push(name);
                        format!("{before} {name}")
                    })
                    .collect();
                log.append_batch(&blocks).await.unwrap();
                if round % 5 == 4 {
                    // Most of the time the reader is let come near.
                    for _ in 0..round % 7 * 50 {
                        if seen.load(Ordering::Relaxed) < name {
                            tokio::task::yield_now().await;
                        }
                    }
                    let length = names.len() as u64;
                    let kept = length - length.min(round % 9 * 3);
                    log.truncate(kept, None).await.unwrap();
                    names.truncate(kept as usize);
                }
                tokio::task::yield_now().await;
            }
            // Whoever was not overtaken until now is at the end.
            let newest = names.last().copied().unwrap();
            while seen.load(Ordering::Relaxed) != newest {
                tokio::task::yield_now().await;
            }
            log.truncate(0, None).await.unwrap();
        }
    });
    let mut ends = 0;
    while !writer.is_finished() {
        let mut stream = log.read_stream(live());
        let mut last = 0_u64;
        loop {
            let next = tokio::select! {
                biased;
                next = stream.next() => next.unwrap(),
                () = ended(&writer) => break,
            };
            let Ok(block) = next else {
                assert!(next.unwrap_err().is_rewritten());
                ends += 1;
                break;
            };
            let text = String::from_utf8(block.to_vec()).unwrap();
            let (before, name) = text.split_once(' ').unwrap();
            assert_eq!(before.parse::<u64>().unwrap(), last);
            last = name.parse().unwrap();
            seen.store(last, Ordering::Relaxed);
        }
    }
    writer.await.unwrap();
    assert!(ends > 0, "no stream was overtaken by a truncation");
}

async fn ended<T>(task: &tokio::task::JoinHandle<T>) {
    while !task.is_finished() {
        tokio::task::yield_now().await;
    }
}

/// Blocks are as they are, but each takes a permit to read.
#[derive(Debug)]
struct Gate(Semaphore);

impl EncryptionProvider for Gate {
    fn padding_len(&self) -> usize {
        0
    }

    fn encrypt<'a>(
        &'a self,
        _index: u64,
        _fork: u64,
        content: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, BoxError>> {
        Box::pin(async { Ok(content.to_vec()) })
    }

    fn decrypt<'a>(
        &'a self,
        _index: u64,
        stored: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, BoxError>> {
        Box::pin(async {
            self.0.acquire().await?.forget();
            Ok(stored.to_vec())
        })
    }
}

#[tokio::test]
async fn what_is_truncated_while_it_is_read_is_read_again() {
    // So many blocks are read by the time of the truncation.
    let gate = Arc::new(Gate(Semaphore::new(5)));
    let builder = Hypercore::builder(Storage::memory()).encryption(Arc::clone(&gate));
    let log = builder.open().await.unwrap();
    log.append_batch((0..100).map(|index| format!("old {index}"))).await.unwrap();
    let mut stream = log.read_stream(live());
    assert_waits(&mut stream).await;
    log.truncate(3, None).await.unwrap();
    log.append_batch((3..100).map(|index| format!("new {index}"))).await.unwrap();
    gate.0.add_permits(1000);
    for index in 0..100 {
        let age = if index < 3 { "old" } else { "new" };
        assert_eq!(stream.next().await.unwrap().unwrap(), format!("{age} {index}"));
    }
}

/// The block with the byte was found, and is another one by the time it comes.
#[tokio::test]
async fn a_place_that_was_found_is_counted_in_the_blocks_that_are_there() {
    let log = writer(0).await;
    log.append_batch(["aaaa", "bbbb"]).await.unwrap();
    log.clear(1..2).await.unwrap();
    let mut stream = log.byte_stream(ByteStreamOptions::new().offset(6).live(true));
    tokio::select! {
        biased;
        piece = stream.next() => panic!("{piece:?}"),
        () = super::settle() => {}
    }
    log.truncate(1, None).await.unwrap();
    log.append_batch(["c", "defg"]).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap(), "efg");
}
