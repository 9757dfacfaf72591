//! Streams over logs whose blocks are elsewhere.

use hypercore::{ByteStreamOptions, Hypercore, ReadStreamOptions};

use super::{in_flight, poll_and_drop, rest, rest_of_bytes, settle};
use crate::common::{block, connect, reader, writer};

#[tokio::test]
async fn a_read_stream_of_a_sparse_log_waits_for_its_blocks() {
    let log = writer(500).await;
    let copy = reader(&log).await;
    let _both = connect(&copy, &log);
    copy.get(100).await.unwrap();
    let blocks = rest(&mut copy.read_stream(..)).await.unwrap();
    assert_eq!(blocks, (0..500).map(block).collect::<Vec<_>>());
    assert_eq!(copy.contiguous_length(), 500);
}

/// Without an end, a stream asks peers how long the log is.
#[tokio::test]
async fn a_stream_over_an_empty_reader_gives_what_its_peers_have() {
    let log = writer(20).await;
    for prefetch in [0, 1, 1 << 20] {
        let copy = reader(&log).await;
        let finding = copy.finding_peers();
        let _both = connect(&copy, &log);
        let options = ReadStreamOptions::new().prefetch(prefetch);
        assert_eq!(rest(&mut copy.read_stream(options)).await.unwrap().len(), 20);
        drop(finding);
        let copy = reader(&log).await;
        let finding = copy.finding_peers();
        let _both = connect(&copy, &log);
        let options = ByteStreamOptions::new().offset(3).prefetch(prefetch);
        let bytes = rest_of_bytes(&mut copy.byte_stream(options)).await.unwrap();
        let content: String = (0..20).map(block).collect();
        assert_eq!(bytes, content.as_bytes()[3..]);
        drop(finding);
    }
}

#[tokio::test]
async fn a_byte_stream_finds_its_place_in_a_sparse_log() {
    let log = writer(1000).await;
    let content: String = (0..1000).map(block).collect();
    let copy = reader(&log).await;
    let _both = connect(&copy, &log);
    let mut stream = copy.byte_stream(4000..4100);
    assert_eq!(rest_of_bytes(&mut stream).await.unwrap(), &content.as_bytes()[4000..4100]);
    // Not much more than what was read.
    let stored = copy.stored_ranges(0..1000, 1000).await.unwrap();
    let stored: u64 = stored.iter().map(|range| range.end - range.start).sum();
    assert!(stored < 40, "{stored}");
}

#[tokio::test]
async fn a_live_stream_follows_the_writer_elsewhere() {
    let log = writer(2).await;
    let copy = reader(&log).await;
    let _both = connect(&copy, &log);
    let mut stream = copy.read_stream(ReadStreamOptions::new().live(true));
    for index in 0..50 {
        if index >= 2 {
            log.append(block(index)).await.unwrap();
        }
        assert_eq!(stream.next().await.unwrap().unwrap(), block(index));
    }
    log.truncate(10, None).await.unwrap();
    log.append("another").await.unwrap();
    assert!(stream.next().await.unwrap().unwrap_err().is_rewritten());
}

/// No further than the prefetch says, whatever the reader does not take.
#[tokio::test]
async fn peers_are_asked_for_what_is_soon_read_and_no_more() {
    let log = Hypercore::open(hypercore::Storage::memory()).await.unwrap();
    log.append_batch(vec![vec![7; 1000]; 2000]).await.unwrap();
    let copy = reader(&log).await;
    let _both = connect(&copy, &log);
    copy.wait_for_length(2000).await.unwrap();
    let mut stream = copy.read_stream(ReadStreamOptions::new().prefetch(100_000));
    for index in 0..300_u64 {
        stream.next().await.unwrap().unwrap();
        settle().await;
        let stored = copy.contiguous_length();
        assert!(stored <= index + 64 + 110, "{stored} blocks are here when {index} were read");
    }
    for _ in 0..1000 {
        settle().await;
    }
    assert!(copy.contiguous_length() >= 350);
    let mut stream = copy.read_stream(ReadStreamOptions::new().start(1000).prefetch(0));
    stream.next().await.unwrap().unwrap();
    settle().await;
    assert!(!copy.has(1001).await.unwrap());
}

#[tokio::test]
async fn a_stream_that_is_dropped_asks_for_nothing_more() {
    let log = writer(2000).await;
    for polls in 0..40 {
        let copy = reader(&log).await;
        let _both = connect(&copy, &log);
        copy.wait_for_length(2000).await.unwrap();
        let mut stream = copy.read_stream(..);
        let mut bytes = copy.byte_stream(1000..);
        for _ in 0..polls {
            poll_and_drop(stream.next(), 1).await;
            poll_and_drop(bytes.next(), 1).await;
        }
        drop((stream, bytes));
        // One more request and its answer: what was under way before has come by then.
        assert_eq!(copy.get(1999).await.unwrap(), block(1999));
        while in_flight(&copy).await > 0 {
            tokio::task::yield_now().await;
        }
    }
}

/// A poll that is dropped loses no block.
#[tokio::test]
async fn a_poll_that_is_dropped_loses_nothing() {
    let log = writer(400).await;
    let copy = reader(&log).await;
    let _both = connect(&copy, &log);
    copy.wait_for_length(400).await.unwrap();
    let mut stream = copy.read_stream(..);
    let mut blocks = Vec::new();
    loop {
        let next = tokio::select! {
            biased;
            next = stream.next() => next,
            () = tokio::task::yield_now() => continue,
        };
        let Some(next) = next else { break };
        blocks.push(String::from_utf8(next.unwrap().to_vec()).unwrap());
    }
    assert_eq!(blocks, (0..400).map(block).collect::<Vec<_>>());
}
