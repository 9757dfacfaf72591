//! More than two: chains, crossing streams, mirrors that can not read what they keep.

mod common;

use common::{block, connect, reader, writer};
use hypercore::{DownloadRange, Event, Hypercore, Role, Storage};
use tokio::net::{TcpListener, TcpStream};

/// The reader at the end of the chain has never met the writer.
#[tokio::test]
async fn a_reader_serves_what_it_has() {
    let log = writer(300).await;
    let (middle, end) = (reader(&log).await, reader(&log).await);
    let _first = connect(&middle, &log);
    let _second = connect(&end, &middle);
    let mut all = end.download(..300).unwrap();
    let mut through = middle.download(..300).unwrap();
    through.done().await.unwrap();
    all.done().await.unwrap();
    assert_eq!(end.length(), 300);
    assert!(end.verify().await.unwrap().is_ok());

    // What the writer appends goes down the chain as well.
    let live = (middle.download(300..).unwrap(), end.download(300..).unwrap());
    log.append("live").await.unwrap();
    assert_eq!(end.get(300).await.unwrap(), "live");
    drop(live);
}

#[tokio::test]
async fn a_block_comes_from_whoever_has_it() {
    let log = writer(20).await;
    let (even, odd, end) = (reader(&log).await, reader(&log).await, reader(&log).await);
    {
        let _streams = (connect(&even, &log), connect(&odd, &log));
        let halves = |first: u64| DownloadRange::blocks((first..20).step_by(2));
        even.download(halves(0)).unwrap().done().await.unwrap();
        odd.download(halves(1)).unwrap().done().await.unwrap();
    }
    // The writer is gone.
    let _streams = (connect(&end, &even), connect(&end, &odd));
    end.download(..20).unwrap().done().await.unwrap();
    for index in 0..20 {
        assert_eq!(end.get_local(index).await.unwrap().unwrap(), block(index as usize));
    }
}

#[tokio::test]
async fn a_mirror_without_the_encryption_key_serves_those_who_have_it() {
    let secret = [9; 32];
    let open = |key: Option<hypercore::CoreKey>| {
        let builder = Hypercore::builder(Storage::memory()).encryption_key(secret);
        match key {
            Some(key) => builder.key(key),
            None => builder,
        }
    };
    let log = open(None).open().await.unwrap();
    log.append_batch(["hello", "world", "!"]).await.unwrap();
    let blind = reader(&log).await;
    {
        let _both = connect(&blind, &log);
        blind.download(..3).unwrap().done().await.unwrap();
    }
    let stored = blind.get_local(0).await.unwrap().unwrap();
    assert!(stored.len() > 5 && !stored.windows(5).any(|part| part == b"hello"));
    assert!(blind.verify().await.unwrap().is_ok());

    let reader = open(Some(log.key())).open().await.unwrap();
    let _both = connect(&reader, &blind);
    assert_eq!(reader.get(1).await.unwrap(), "world");
    assert_eq!(reader.seek(7).await.unwrap(), (1, 2));
    assert_eq!(reader.get(0).await.unwrap(), "hello");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tcp() {
    let log = writer(5000).await;
    let copy = reader(&log).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn({
        let log = log.clone();
        async move {
            let (socket, _) = listener.accept().await.unwrap();
            log.replicate(socket, Role::Responder).await
        }
    });
    let replication = copy.replicate(TcpStream::connect(address).await.unwrap(), Role::Initiator);
    copy.update().await.unwrap();
    copy.download(DownloadRange::all()).unwrap().done().await.unwrap();
    assert_eq!(copy.contiguous_length(), 5000);
    assert_eq!(copy.tree_hash(5000).await.unwrap(), log.tree_hash(5000).await.unwrap());
    replication.close();
    assert!(replication.await.is_clean());
    assert!(serving.await.unwrap().is_clean());
}

/// A truncated and rewritten log reaches those who had the old blocks, connected or not.
#[tokio::test]
async fn history_that_was_rewritten_is_followed() {
    let log = writer(10).await;
    let copy = reader(&log).await;
    let _both = connect(&copy, &log);
    copy.download(..10).unwrap().done().await.unwrap();
    let mut events = copy.events();
    log.truncate(4, None).await.unwrap();
    log.append_batch(["new 4", "new 5"]).await.unwrap();
    let fork = loop {
        if let Some(Event::Truncated { length, fork }) = events.next().await {
            assert!(length <= 4, "{length}");
            break fork;
        }
    };
    assert_eq!(fork, 1);
    copy.wait_for_length(6).await.unwrap();
    let mut changes = copy.events();
    while copy.fork() < 1 || copy.length() != 6 {
        changes.next().await;
    }
    assert_eq!(copy.get(5).await.unwrap(), "new 5");
    assert_eq!(copy.get(4).await.unwrap(), "new 4");
    assert_eq!(copy.get(3).await.unwrap(), block(3));
    assert_eq!(copy.fork(), 1);
    assert!(copy.verify().await.unwrap().is_ok());
}

#[tokio::test]
async fn cleared_blocks_come_back_from_a_reader() {
    let log = writer(8).await;
    let copy = reader(&log).await;
    let _both = connect(&copy, &log);
    copy.download(..8).unwrap().done().await.unwrap();
    log.clear(2..6).await.unwrap();
    assert_eq!(log.get_local(3).await.unwrap(), None);
    assert_eq!(log.get(3).await.unwrap(), block(3));
}

#[tokio::test]
async fn tree_hashes_and_places_are_fetched() {
    let log = writer(64).await;
    let copy = reader(&log).await;
    let _both = connect(&copy, &log);
    copy.wait_for_length(64).await.unwrap();
    assert!(copy.tree_hash_local(21).await.is_err());
    assert_eq!(copy.tree_hash(21).await.unwrap(), log.tree_hash_local(21).await.unwrap());
    for byte in [0, 1, 8, 70, 300, 500] {
        assert_eq!(Some(copy.seek(byte).await.unwrap()), log.seek_local(byte).await.unwrap());
    }
    assert!(copy.tree_hash(65).await.unwrap_err().is_out_of_bounds());
    assert_eq!(copy.stored_ranges(0..64, 64).await.unwrap(), []);
}
