//! The sink: what it is given is in the log after a flush, in order, in batches.

use futures_util::{SinkExt, StreamExt as _, stream};
use hypercore::{
    Access, BATCH_LEN, BLOCK_LEN_MAX, Bytes, Durability, ErrorKind, Event, Hypercore,
    MemoryStorage, Storage, WriteSinkOptions,
};
use proptest::prelude::*;

use super::{poll_and_drop, rest, settle};
use crate::common::{block, writer};

fn batches_of(len: usize) -> WriteSinkOptions {
    WriteSinkOptions::new().batch_len(len)
}

/// Lengths of the log after each append.
async fn appends(events: &mut hypercore::Events) -> Vec<u64> {
    let mut lengths = Vec::new();
    while let Some(event) = events.next().await {
        if let Event::Appended { length, .. } = event {
            lengths.push(length);
        }
    }
    lengths
}

#[tokio::test]
async fn a_sink_appends_in_batches() {
    let log = writer(0).await;
    let mut events = log.events();
    // Each block counts 1000 bytes and a little.
    let mut sink = log.write_sink(batches_of(10_000));
    for index in 0..95_u8 {
        sink.feed([index; 1000]).await.unwrap();
    }
    assert!(sink.appended().is_some_and(|appended| appended.length >= 60));
    sink.close().await.unwrap();
    assert_eq!(sink.appended().unwrap().length, 95);
    for index in 0..95_u8 {
        assert_eq!(log.get(u64::from(index)).await.unwrap(), &[index; 1000][..]);
    }
    log.close().await.unwrap();
    let lengths = appends(&mut events).await;
    assert_eq!(lengths, [10, 20, 30, 40, 50, 60, 70, 80, 90, 95]);
}

#[tokio::test]
async fn a_flush_returns_when_all_before_it_is_appended() {
    for durability in [Durability::Immediate, Durability::Eventual] {
        let memory = MemoryStorage::new();
        let builder = Hypercore::builder(memory.clone()).durability(durability);
        let log = builder.open().await.unwrap();
        let mut sink = log.write_sink(WriteSinkOptions::new());
        sink.flush().await.unwrap();
        sink.feed("one").await.unwrap();
        sink.feed("two").await.unwrap();
        assert!(log.is_empty());
        sink.flush().await.unwrap();
        assert_eq!(log.length(), 2);
        sink.flush().await.unwrap();
        assert_eq!(sink.appended().unwrap().first, 0);
    }
}

#[tokio::test]
async fn empty_blocks_fill_a_batch_as_well() {
    let log = writer(0).await;
    let mut sink = log.write_sink(WriteSinkOptions::new());
    for _ in 0..3 * BATCH_LEN / 64 {
        sink.feed([]).await.unwrap();
    }
    assert!(sink.appended().is_some());
    sink.close().await.unwrap();
    assert_eq!((log.length(), log.byte_length()), (3 * BATCH_LEN as u64 / 64, 0));
}

#[tokio::test]
async fn anything_that_is_bytes_can_be_sent() {
    let log = writer(0).await;
    let mut sink = log.write_sink(WriteSinkOptions::new());
    let text = String::from("borrowed");
    SinkExt::<&str>::feed(&mut sink, &text).await.unwrap();
    SinkExt::<Vec<u8>>::feed(&mut sink, b"vector".to_vec()).await.unwrap();
    SinkExt::<Bytes>::feed(&mut sink, Bytes::from_static(b"bytes")).await.unwrap();
    SinkExt::<[u8; 5]>::send(&mut sink, *b"array").await.unwrap();
    assert_eq!(log.length(), 4);
    stream::iter(["for", "ward"]).map(Ok).forward(&mut sink).await.unwrap();
    let blocks = rest(&mut log.read_stream(..)).await.unwrap();
    assert_eq!(blocks, ["borrowed", "vector", "bytes", "array", "for", "ward"]);
    // `forward` has closed it.
    let error = sink.feed("more").await.unwrap_err();
    assert!(error.is_sink_ended() && error.kind() == ErrorKind::Caller, "{error}");
    assert!(!log.is_closed());
}

#[tokio::test]
async fn a_log_is_copied_by_forwarding_its_stream() {
    let (log, copy) = (writer(1000).await, writer(0).await);
    log.read_stream(..).forward(copy.write_sink(batches_of(5000))).await.unwrap();
    let blocks = rest(&mut copy.read_stream(..)).await.unwrap();
    assert_eq!(blocks, (0..1000).map(block).collect::<Vec<_>>());
    assert_eq!(copy.tree_hash(1000).await.unwrap(), log.tree_hash(1000).await.unwrap());
}

#[tokio::test]
async fn an_error_is_reported_once_and_later_sends_say_so() {
    let memory = MemoryStorage::new();
    drop(Hypercore::open(memory.clone()).await.unwrap());
    let log = Hypercore::builder(memory).access(Access::ReadOnly).open().await.unwrap();
    let mut sink = log.write_sink(batches_of(1));
    sink.feed("a").await.unwrap();
    // The second one may be taken while the first is being written; not the third.
    let error = match sink.feed("b").await {
        Ok(()) => sink.feed("c").await.unwrap_err(),
        Err(error) => error,
    };
    assert!(error.is_not_writable() && !error.is_sink_ended(), "{error}");
    for _ in 0..2 {
        let error = sink.feed("d").await.unwrap_err();
        assert!(error.is_sink_ended() && error.kind() == ErrorKind::Caller);
        let cause = std::error::Error::source(&error).unwrap();
        assert!(cause.downcast_ref::<hypercore::Error>().unwrap().is_not_writable());
        assert!(sink.flush().await.unwrap_err().is_sink_ended());
        assert!(sink.close().await.unwrap_err().is_sink_ended());
    }
    assert!(log.is_empty());
}

#[tokio::test]
async fn a_block_that_is_too_large_is_refused_and_the_others_are_appended() {
    let log = writer(0).await;
    let mut sink = log.write_sink(WriteSinkOptions::new());
    sink.feed("before").await.unwrap();
    let error = sink.feed(vec![0; BLOCK_LEN_MAX + 1]).await.unwrap_err();
    assert!(error.is_block_too_large());
    sink.feed("after").await.unwrap();
    sink.close().await.unwrap();
    assert_eq!(rest(&mut log.read_stream(..)).await.unwrap(), ["before", "after"]);
}

#[tokio::test]
async fn a_sink_ends_with_its_session() {
    let log = writer(0).await;
    let session = log.session().open().await.unwrap();
    let mut sink = session.write_sink(WriteSinkOptions::new());
    sink.feed("lost").await.unwrap();
    session.close().await.unwrap();
    assert_eq!(sink.flush().await.unwrap_err().kind(), ErrorKind::Closed);
    assert!(sink.flush().await.unwrap_err().is_sink_ended());
    assert!(log.is_empty());
}

/// Flushes and sends whose futures are dropped at any poll: nothing is lost and nothing comes twice.
#[tokio::test]
async fn what_is_dropped_while_it_waits_loses_no_block() {
    for polls in 0..6 {
        let log = writer(0).await;
        let mut sink = log.write_sink(batches_of(100));
        let mut fed = Vec::new();
        for index in 0..60 {
            if poll_and_drop(sink.feed(block(index)), polls).await.is_some() {
                fed.push(block(index));
            }
            drop(poll_and_drop(sink.flush(), polls).await);
        }
        sink.close().await.unwrap();
        assert_eq!(rest(&mut log.read_stream(..)).await.unwrap(), fed, "{polls}");
        settle().await;
        assert_eq!(log.length(), fed.len() as u64);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn what_is_sent_is_what_is_read_back(
        steps in proptest::collection::vec(
            prop_oneof![
                8 => (0_usize..300, any::<u8>()).prop_map(Some),
                1 => Just(None),
            ],
            0..80,
        ),
        batch_len in prop_oneof![Just(0_usize), 1_usize..2000],
        settings in (any::<bool>(), any::<bool>()),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (encrypted, eventual) = settings;
            let mut builder = Hypercore::builder(Storage::memory());
            if encrypted {
                builder = builder.encryption_key([6; 32]);
            }
            if eventual {
                builder = builder.durability(Durability::Eventual);
            }
            let log = builder.open().await.unwrap();
            let mut sink = log.write_sink(batches_of(batch_len));
            let mut sent = Vec::new();
            for step in steps {
                match step {
                    Some((len, byte)) => {
                        sink.feed(vec![byte; len]).await.unwrap();
                        sent.push(vec![byte; len]);
                    }
                    None => {
                        sink.flush().await.unwrap();
                        prop_assert_eq!(log.length(), sent.len() as u64);
                    }
                }
            }
            sink.close().await.unwrap();
            let read: Vec<_> = log.read_stream(..).map(|block| block.unwrap().to_vec()).collect().await;
            prop_assert_eq!(read, sent);
            Ok(())
        })?;
    }
}
