//! What is written to a batch, and what the log does meanwhile.

use hypercore::{Create, Durability, Hypercore, Storage};

use crate::common::{blocks, in_memory};

#[tokio::test]
async fn a_batch_shows_what_the_log_would_be() {
    for durability in [Durability::Immediate, Durability::Eventual] {
        let builder = Hypercore::builder(Storage::memory()).durability(durability);
        let log = builder.open().await.unwrap();
        log.append_batch(["a", "bc"]).await.unwrap();
        let batch = log.batch("draft").open().await.unwrap();
        assert_eq!(batch.name(), "draft");
        let appended = batch.append("def").await.unwrap();
        assert_eq!((appended.first, appended.length, appended.byte_length), (2, 3, 6));
        let large = vec![7; 100_000];
        let appended = batch.append_owned(vec![large.clone().into()]).await.unwrap();
        assert_eq!((appended.first, appended.length, appended.byte_length), (3, 4, 100_006));

        assert_eq!((batch.length(), batch.byte_length()), (4, 100_006));
        assert_eq!(batch.ancestors().unwrap(), 2);
        assert_eq!((log.length(), log.byte_length()), (2, 3));
        assert_eq!(batch.get(0).await.unwrap(), "a");
        assert_eq!(batch.get(2).await.unwrap(), "def");
        assert_eq!(batch.get(3).await.unwrap(), large);
        assert_eq!(batch.seek(2).await.unwrap(), (1, 1));
        assert_eq!(batch.seek(5).await.unwrap(), (2, 2));
        assert!(batch.has_range(0..4).await.unwrap());
        assert!(!batch.has(4).await.unwrap());
        assert_eq!(batch.tree_hash(2).await.unwrap(), log.tree_hash(2).await.unwrap());
        let info = batch.info().await.unwrap();
        assert_eq!((info.length, info.contiguous_length), (4, 4));
        assert_eq!(info.tree_hash, batch.tree_hash(4).await.unwrap());

        let twin = in_memory().await;
        twin.append_batch([&b"a"[..], b"bc", b"def", &large]).await.unwrap();
        assert_eq!(batch.tree_hash(4).await.unwrap(), twin.tree_hash(4).await.unwrap());
    }
}

#[tokio::test]
async fn a_batch_keeps_what_it_has_of_the_log_while_that_is_rewritten() {
    let log = in_memory().await;
    log.append_batch(["a", "b", "c"]).await.unwrap();
    let batch = log.batch("draft").open().await.unwrap();
    batch.append("d").await.unwrap();
    log.truncate(1, None).await.unwrap();
    log.append_batch(["other", "blocks", "here"]).await.unwrap();
    log.clear(0..1).await.unwrap();
    assert_eq!(blocks(&batch).await, ["a", "b", "c", "d"]);
    batch.append("e").await.unwrap();
    assert_eq!(batch.length(), 5);
    assert_eq!(log.length(), 4);
}

#[tokio::test]
async fn a_batch_is_truncated_and_cleared_alone() {
    let log = in_memory().await;
    log.append_batch(["a", "b"]).await.unwrap();
    let batch = log.batch("draft").open().await.unwrap();
    batch.append_batch(["c", "d", "e"]).await.unwrap();

    batch.truncate(3, None).await.unwrap();
    assert_eq!(blocks(&batch).await, ["a", "b", "c"]);
    batch.append("D").await.unwrap();
    batch.clear(2..3).await.unwrap();
    assert_eq!(blocks(&batch).await, ["a", "b", "D"]);
    assert!(batch.get(2).await.unwrap_err().is_not_stored());
    // Below what is the log's as well.
    batch.truncate(1, None).await.unwrap();
    batch.append("B").await.unwrap();
    assert_eq!(blocks(&batch).await, ["a", "B"]);
    assert_eq!(batch.ancestors().unwrap(), 1);
    batch.clear(0..2).await.unwrap();
    assert_eq!(blocks(&batch).await, ["a"]);
    assert_eq!(blocks(&log).await, ["a", "b"]);
    assert_eq!(log.fork(), 0);
    assert!(batch.truncate(1, Some(9)).await.is_err());
    assert!(batch.truncate(7, None).await.is_err());
    assert!(batch.get(2).await.unwrap_err().is_out_of_bounds());
}

#[tokio::test]
async fn a_snapshot_of_a_batch_shows_what_the_batch_was() {
    let log = in_memory().await;
    log.append_batch(["a", "b"]).await.unwrap();
    let batch = log.batch("draft").open().await.unwrap();
    batch.append_batch(["c", "d"]).await.unwrap();
    let snapshot = batch.snapshot().await.unwrap();
    let hash = snapshot.tree_hash(4).await.unwrap();
    let again = snapshot.snapshot().await.unwrap();

    batch.truncate(1, None).await.unwrap();
    log.truncate(1, None).await.unwrap();
    batch.append_batch(["B", "C"]).await.unwrap();
    batch.commit().await.unwrap();
    batch.clear(0..3).await.unwrap();
    for snapshot in [&snapshot, &again] {
        assert_eq!(blocks(snapshot).await, ["a", "b", "c", "d"]);
        assert_eq!(snapshot.tree_hash(4).await.unwrap(), hash);
        assert_eq!(snapshot.seek(2).await.unwrap(), (2, 0));
        assert_eq!((snapshot.length(), snapshot.contiguous_length()), (4, 4));
        assert!(snapshot.append("e").await.unwrap_err().is_not_writable());
        assert!(snapshot.get(4).await.unwrap_err().is_out_of_bounds());
    }
    // It keeps the batch open.
    batch.close().await.unwrap();
    assert_eq!(blocks(&again).await, ["a", "b", "c", "d"]);
    assert!(log.delete_batch("draft").await.unwrap_err().is_locked());
    again.close().await.unwrap();
    snapshot.close().await.unwrap();
    log.delete_batch("draft").await.unwrap();
}

#[tokio::test]
async fn checkout() {
    let log = in_memory().await;
    log.append_batch(["a", "b", "c"]).await.unwrap();
    let old = log.batch("old").checkout(1).open().await.unwrap();
    assert_eq!(blocks(&old).await, ["a"]);
    old.append("B").await.unwrap();
    assert_eq!(blocks(&old).await, ["a", "B"]);
    assert!(log.batch("none").checkout(4).open().await.is_err());
    assert_eq!(log.batches().await.unwrap(), ["old"]);

    // One that is open can not be truncated while it is opened, one that is stored can.
    assert!(log.batch("old").checkout(1).open().await.unwrap_err().is_locked());
    log.batch("old").checkout(2).open().await.unwrap();
    old.append("C").await.unwrap();
    old.close().await.unwrap();
    assert!(log.batch("old").checkout(4).open().await.is_err());
    let old = log.batch("old").checkout(2).open().await.unwrap();
    assert_eq!(blocks(&old).await, ["a", "B"]);

    let empty = log.batch("empty").checkout(0).open().await.unwrap();
    assert!(empty.is_empty());
}

#[tokio::test]
async fn two_batches_at_once() {
    let log = in_memory().await;
    log.append("a").await.unwrap();
    let one = log.batch("one").open().await.unwrap();
    let two = log.batch("two").open().await.unwrap();
    let (first, second) = tokio::join!(one.append("1"), two.append("2"));
    assert_eq!((first.unwrap().length, second.unwrap().length), (2, 2));
    assert_eq!(blocks(&one).await, ["a", "1"]);
    assert_eq!(blocks(&two).await, ["a", "2"]);
    assert_eq!(blocks(&log).await, ["a"]);
}

#[tokio::test]
async fn appends_to_a_batch_stay_in_the_order_they_were_asked_for() {
    let log = in_memory().await;
    let batch = log.batch("draft").open().await.unwrap();
    let appends: Vec<_> = (0..40_u8).map(|number| batch.append([number])).collect();
    let mut appends: Vec<_> = appends.into_iter().map(Box::pin).collect();
    // Asked for in this order, and then driven in the other one.
    let mut poll_all = async |reversed| {
        std::future::poll_fn(|context| {
            if reversed {
                appends.reverse();
            }
            appends.retain_mut(|append| append.as_mut().poll(context).is_pending());
            if reversed {
                appends.reverse();
            }
            std::task::Poll::Ready(appends.is_empty())
        })
        .await
    };
    let mut done = poll_all(false).await;
    while !done {
        tokio::task::yield_now().await;
        done = poll_all(true).await;
    }
    let found = blocks(&batch).await;
    assert_eq!(found, (0..40_u8).map(|number| vec![number]).collect::<Vec<_>>());
}

#[tokio::test]
async fn one_name_is_one_batch() {
    let log = in_memory().await;
    let one = log.batch("draft").open().await.unwrap();
    let same = log.batch("draft").create(Create::Never).open().await.unwrap();
    one.append("a").await.unwrap();
    assert_eq!(blocks(&same).await, ["a"]);
    assert!(log.batch("draft").create(Create::New).open().await.unwrap_err().is_already_exists());
    assert!(log.batch("draft").create(Create::Overwrite).open().await.unwrap_err().is_locked());
    one.close().await.unwrap();
    assert!(one.append("b").await.is_err());
    same.append("b").await.unwrap();
    assert_eq!((one.length(), same.length()), (2, 2));
}

#[tokio::test]
async fn an_encrypted_batch_is_stored_as_ciphertext_and_read_as_content() {
    let storage = hypercore::MemoryStorage::new();
    let builder = || Hypercore::builder(storage.clone()).encryption_key([3; 32]);
    let log = builder().open().await.unwrap();
    log.append("hello").await.unwrap();
    let batch = log.batch("draft").open().await.unwrap();
    batch.append_batch(["world", "!"]).await.unwrap();
    assert_eq!(batch.byte_length(), 11);
    assert_eq!(batch.seek(6).await.unwrap(), (1, 1));
    assert_eq!(blocks(&batch).await, ["hello", "world", "!"]);
    let raw = hypercore::GetOptions::new().raw(true);
    let stored = batch.get_with(1, raw).await.unwrap().unwrap();
    assert_eq!(stored.len(), 5 + 8);
    assert_ne!(&stored[8..], b"world");

    // The log may write another block at the same place in the same fork: never under the same nonce.
    log.append("world").await.unwrap();
    let other = log.get_with(1, hypercore::GetOptions::new().raw(true)).await.unwrap().unwrap();
    assert_ne!(other[..8], stored[..8]);
}

#[tokio::test]
async fn a_log_that_can_not_be_appended_to_has_batches() {
    let writer = in_memory().await;
    let log = Hypercore::builder(Storage::memory()).key(writer.key()).open().await.unwrap();
    assert!(!log.writable());
    let batch = log.batch("draft").open().await.unwrap();
    assert!(batch.writable());
    batch.append_batch(["a", "b"]).await.unwrap();
    assert_eq!(blocks(&batch).await, ["a", "b"]);
    assert_eq!(log.length(), 0);
}

#[tokio::test]
async fn the_length_of_a_batch_is_waited_for_not_that_of_the_log() {
    let log = in_memory().await;
    log.append("a").await.unwrap();
    let batch = log.batch("draft").open().await.unwrap();
    log.append("b").await.unwrap();
    let mut waiting = std::pin::pin!(batch.wait_for_length(2));
    let begun = std::future::poll_fn(|context| {
        std::task::Poll::Ready(waiting.as_mut().poll(context).is_pending())
    });
    assert!(begun.await);
    batch.append("B").await.unwrap();
    waiting.await.unwrap();
    assert_eq!(batch.length(), 2);
}
