//! Streams over named batches.

use std::time::Duration;

use hypercore::{
    ByteStreamOptions, Create, Durability, ErrorKind, Hypercore, ReadStreamOptions, Storage, Utf8,
};

use super::{assert_waits, rest, rest_of_bytes, settle};
use crate::common::{block, writer};

fn live() -> ReadStreamOptions {
    ReadStreamOptions::new().live(true)
}

#[tokio::test]
async fn the_blocks_of_a_named_batch_are_streamed_as_well() {
    let log = writer(40).await;
    let batch = log.batch("draft").open().await.unwrap();
    batch.append_batch(["more", "and more"]).await.unwrap();
    let mut expected = (0..40).map(block).collect::<Vec<_>>();
    expected.extend(["more".to_owned(), "and more".to_owned()]);
    assert_eq!(rest(&mut batch.read_stream(..)).await.unwrap(), expected);
    let bytes = rest_of_bytes(&mut batch.byte_stream(5..)).await.unwrap();
    assert_eq!(bytes, &expected.concat().into_bytes()[5..]);
    let mut stream = batch.read_stream(..);
    for block in &expected[..41] {
        assert_eq!(stream.next().await.unwrap().unwrap(), *block);
    }
    let mut values = batch.typed(Utf8).read_stream(41..);
    assert_eq!(values.next().await.unwrap().unwrap(), "and more");
}

/// Whatever becomes of the batch and of its log.
#[tokio::test]
async fn a_stream_reads_a_batch_as_it_was() {
    let log = writer(100).await;
    let batch = log.batch("draft").open().await.unwrap();
    batch.append_batch((100..200).map(block)).await.unwrap();
    let mut blocks = batch.read_stream(..);
    let mut bytes = batch.byte_stream(..);
    assert_eq!(blocks.next().await.unwrap().unwrap(), block(0));
    let first = bytes.next().await.unwrap().unwrap();
    batch.truncate(50, None).await.unwrap();
    batch.append_batch(vec!["other"; 100]).await.unwrap();
    log.truncate(20, None).await.unwrap();
    log.append_batch(vec!["and another"; 100]).await.unwrap();
    assert_eq!(rest(&mut blocks).await.unwrap(), (1..200).map(block).collect::<Vec<_>>());
    let content = [&first[..], &rest_of_bytes(&mut bytes).await.unwrap()].concat();
    assert_eq!(content, (0..200).map(block).collect::<String>().into_bytes());

    // Turned off, it hears of it.
    let mut stream = batch.read_stream(ReadStreamOptions::new().snapshot(false));
    assert_eq!(stream.next().await.unwrap().unwrap(), block(0));
    batch.truncate(0, None).await.unwrap();
    let error = loop {
        // What was read with the first block comes.
        match stream.next().await.transpose() {
            Ok(Some(_)) => {}
            Ok(None) => return,
            Err(error) => break error,
        }
    };
    assert!(error.is_rewritten(), "{error}");
}

#[tokio::test]
async fn a_stream_keeps_no_batch_open() {
    let log = writer(100).await;
    let batch = log.batch("draft").open().await.unwrap();
    batch.append("more").await.unwrap();
    let mut stream = batch.read_stream(..);
    assert!(stream.next().await.unwrap().is_ok());
    batch.close().await.unwrap();
    // One that is open can not be begun anew.
    let anew = log.batch("draft").create(Create::Overwrite).open().await.unwrap();
    assert_eq!(anew.length(), 100);
    let error = rest(&mut stream).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn a_live_stream_of_a_batch_goes_on_with_what_is_appended_to_the_batch() {
    for durability in [Durability::Eventual, Durability::Immediate] {
        let builder = Hypercore::builder(Storage::memory()).durability(durability);
        let log = builder.open().await.unwrap();
        log.append("of the log").await.unwrap();
        let batch = log.batch("draft").open().await.unwrap();
        let mut stream = batch.read_stream(live());
        assert_eq!(stream.next().await.unwrap().unwrap(), "of the log");
        assert_waits(&mut stream).await;
        // It is not of the batch.
        log.append("later").await.unwrap();
        assert_waits(&mut stream).await;
        for index in 0..20 {
            let waiting = async { stream.next().await.unwrap().unwrap() };
            let appending = async {
                settle().await;
                batch.append(block(index)).await.unwrap();
            };
            assert_eq!(tokio::join!(waiting, appending).0, block(index));
        }
        assert_waits(&mut stream).await;
        batch.truncate(5, None).await.unwrap();
        let error = stream.next().await.unwrap().unwrap_err();
        assert!(error.is_rewritten(), "{error}");
    }
}

#[tokio::test]
async fn a_stream_waits_for_what_a_batch_does_not_have_yet() {
    let log = writer(2).await;
    let batch = log.batch("draft").open().await.unwrap();
    let mut blocks = batch.read_stream(1..4);
    let mut bytes = batch.byte_stream(ByteStreamOptions::new().offset(20).length(4));
    assert_eq!(blocks.next().await.unwrap().unwrap(), block(1));
    let appending = async {
        settle().await;
        batch.append("two").await.unwrap();
        settle().await;
        batch.append("three and more").await.unwrap();
    };
    let (blocks, bytes, ()) = tokio::join!(rest(&mut blocks), rest_of_bytes(&mut bytes), appending);
    assert_eq!(blocks.unwrap(), ["two", "three and more"]);
    assert_eq!(bytes.unwrap(), b"ee a");
}

/// As long as the session says, and no longer than there is a batch.
#[tokio::test(start_paused = true)]
async fn what_waits_for_a_batch_ends_with_it() {
    let log = writer(1).await;
    let batch = log.batch("draft").open().await.unwrap();
    let impatient = batch.session().timeout(Duration::from_secs(3)).open().await.unwrap();
    let mut stream = impatient.read_stream(live().start(1));
    assert!(stream.next().await.unwrap().unwrap_err().is_timed_out());
    let hasty = batch.session().wait(false).open().await.unwrap();
    let mut stream = hasty.read_stream(live().start(1));
    assert!(stream.next().await.unwrap().unwrap_err().is_not_stored());

    let mut blocks = batch.read_stream(live().start(1));
    let mut bytes = batch.byte_stream(ByteStreamOptions::new().offset(100).live(true));
    let discarding = async {
        settle().await;
        batch.clone().discard().await.unwrap();
    };
    let (block, piece, ()) = tokio::join!(blocks.next(), bytes.next(), discarding);
    assert_eq!(block.unwrap().unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(piece.unwrap().unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn a_weak_session_of_a_batch_lets_it_close() {
    let log = writer(1).await;
    log.clear(0..1).await.unwrap();
    let batch = log.batch("draft").open().await.unwrap();
    let weak = batch.session().weak(true).open().await.unwrap();
    let closing = async {
        settle().await;
        batch.close().await.unwrap();
    };
    let (got, ()) = tokio::join!(weak.get(0), closing);
    assert_eq!(got.unwrap_err().kind(), ErrorKind::Closed);
    log.delete_batch("draft").await.unwrap();
}
