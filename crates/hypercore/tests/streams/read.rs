//! Blocks one after the other: where a stream begins and ends.

use hypercore::{ErrorKind, Hypercore, MemoryStorage, ReadStreamOptions, Storage};

use super::{assert_waits, rest};
use crate::common::{block, writer};

fn blocks(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(block).collect()
}

#[tokio::test]
async fn a_stream_gives_all_blocks_or_a_range_of_them() {
    // More than one run.
    let log = writer(300).await;
    assert_eq!(rest(&mut log.read_stream(..)).await.unwrap(), blocks(0..300));
    assert_eq!(rest(&mut log.read_stream(3..7)).await.unwrap(), blocks(3..7));
    assert_eq!(rest(&mut log.read_stream(290..)).await.unwrap(), blocks(290..300));
    assert_eq!(rest(&mut log.read_stream(..2)).await.unwrap(), blocks(0..2));
    assert_eq!(rest(&mut log.read_stream(3..=7)).await.unwrap(), blocks(3..8));
    assert_eq!(rest(&mut log.read_stream(..=2)).await.unwrap(), blocks(0..3));
    for empty in [7..7, 300..300, std::ops::Range { start: 900, end: 3 }] {
        assert!(rest(&mut log.read_stream(empty)).await.unwrap().is_empty());
    }
    let mut past = log.read_stream(301..);
    assert!(past.next().await.is_none() && past.next().await.is_none());
    assert!(rest(&mut writer(0).await.read_stream(..)).await.unwrap().is_empty());
}

#[tokio::test]
async fn large_and_empty_blocks_come_as_they_are() {
    let log = Hypercore::open(Storage::memory()).await.unwrap();
    let blocks = [vec![1; 200_000], vec![], vec![2; 70_000], vec![], vec![], vec![3]];
    log.append_batch(&blocks).await.unwrap();
    let mut stream = log.read_stream(..);
    for block in &blocks {
        assert_eq!(&stream.next().await.unwrap().unwrap()[..], block);
    }
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn a_stream_tells_where_it_is() {
    let log = writer(100).await;
    let mut stream = log.read_stream(90..);
    assert_eq!(stream.position(), 90);
    for index in 90..100 {
        assert_eq!(stream.next().await.unwrap().unwrap(), block(index));
        assert_eq!(stream.position(), index as u64 + 1);
    }
    assert!(stream.next().await.is_none());
    assert_eq!(stream.position(), 100);
}

#[tokio::test]
async fn a_stream_without_an_end_gives_the_log_as_it_was_at_the_first_poll() {
    let log = writer(3).await;
    let mut stream = log.read_stream(..);
    log.append("counts").await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap(), block(0));
    log.append("does not").await.unwrap();
    log.truncate(1, None).await.unwrap();
    log.append_batch(["other", "blocks", "now", "here"]).await.unwrap();
    assert_eq!(rest(&mut stream).await.unwrap(), [&block(1), &block(2), "counts"]);
}

#[tokio::test]
async fn a_range_that_is_there_is_frozen_as_well() {
    let log = writer(200).await;
    let mut stream = log.read_stream(100..200);
    assert_eq!(stream.next().await.unwrap().unwrap(), block(100));
    log.truncate(50, None).await.unwrap();
    log.clear(0..50).await.unwrap();
    assert_eq!(rest(&mut stream).await.unwrap(), blocks(101..200));
}

#[tokio::test]
async fn without_a_snapshot_a_stream_goes_on_until_it_has_caught_up() {
    let log = writer(2).await;
    let mut stream = log.read_stream(ReadStreamOptions::new().snapshot(false));
    assert_eq!(stream.next().await.unwrap().unwrap(), block(0));
    log.append("more").await.unwrap();
    assert_eq!(rest(&mut stream).await.unwrap(), [&block(1), "more"]);
    log.append("too late").await.unwrap();
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn an_end_past_the_length_is_waited_for() {
    let log = writer(2).await;
    let mut stream = log.read_stream(1..4);
    assert_eq!(stream.next().await.unwrap().unwrap(), block(1));
    assert_waits(&mut stream).await;
    log.append_batch(["two", "three", "four"]).await.unwrap();
    assert_eq!(rest(&mut stream).await.unwrap(), ["two", "three"]);
}

#[tokio::test]
async fn a_stream_ends_with_its_session() {
    let log = writer(300).await;
    for options in [ReadStreamOptions::new(), ReadStreamOptions::new().live(true)] {
        let session = log.session().open().await.unwrap();
        let mut stream = session.read_stream(options.clone());
        assert!(stream.next().await.unwrap().is_ok());
        session.close().await.unwrap();
        let error = loop {
            // What was read before may still come.
            match stream.next().await.unwrap() {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::Closed);
        assert!(stream.next().await.is_none());
        assert!(!log.is_closed());

        // Also one that waits.
        let session = log.session().open().await.unwrap();
        let mut stream = session.read_stream(300..301);
        let waiting = tokio::spawn(async move { stream.next().await });
        super::settle().await;
        session.close().await.unwrap();
        let error = waiting.await.unwrap().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed);
    }
}

#[tokio::test]
async fn a_stream_keeps_the_log_open_but_not_from_being_closed() {
    let memory = MemoryStorage::new();
    let log = Hypercore::open(memory.clone()).await.unwrap();
    log.append_batch(["a", "b"]).await.unwrap();
    let mut stream = log.read_stream(..);
    assert_eq!(stream.next().await.unwrap().unwrap(), "a");
    drop(log);
    assert_eq!(stream.next().await.unwrap().unwrap(), "b");
    drop(stream);
    let log = Hypercore::open(memory.clone()).await.unwrap();
    let mut stream = log.read_stream(..);
    assert_eq!(stream.next().await.unwrap().unwrap(), "a");
    assert_eq!(log.active_sessions(), 1);
    log.close().await.unwrap();
    drop(Hypercore::open(memory).await.unwrap());
}

#[tokio::test]
async fn damage_is_told_once_and_the_blocks_before_it_are_given() {
    let scratch = tempfile::tempdir().unwrap();
    let log = Hypercore::open(scratch.path()).await.unwrap();
    log.append_batch(&blocks(0..20)).await.unwrap();
    log.close().await.unwrap();
    let data = scratch.path().join("data");
    let mut bytes = std::fs::read(&data).unwrap();
    bytes[blocks(0..10).concat().len()] ^= 1;
    std::fs::write(&data, bytes).unwrap();
    let log = Hypercore::open(scratch.path()).await.unwrap();
    let mut stream = log.read_stream(..);
    for index in 0..10 {
        assert_eq!(stream.next().await.unwrap().unwrap(), block(index));
    }
    assert_eq!(stream.next().await.unwrap().unwrap_err().kind(), ErrorKind::Corrupt);
    assert!(stream.next().await.is_none());
    assert_eq!(stream.position(), 10);
    assert_eq!(rest(&mut log.read_stream(11..)).await.unwrap(), blocks(11..20));
}
