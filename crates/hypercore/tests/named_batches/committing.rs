//! What a commit makes of a batch, of its log, and of those who follow the log.

use hypercore::{
    AppendOptions, CommitOptions, Create, Durability, Event, Hypercore, KeyPair, Role, Storage,
};

use crate::common::{blocks, in_memory};

#[tokio::test]
async fn a_commit_appends_what_the_batch_has_alone() {
    let directory = tempfile::tempdir().unwrap();
    for durability in [Durability::Immediate, Durability::Eventual] {
        let path = directory.path().join(format!("{durability:?}"));
        let open = || Hypercore::builder(&path).durability(durability).open();
        let log = open().await.unwrap();
        log.append_batch(["a", "b"]).await.unwrap();
        let batch = log.batch("draft").open().await.unwrap();
        batch.append_batch(["c", "de"]).await.unwrap();
        let hash = batch.tree_hash(4).await.unwrap();

        let committed = batch.commit().await.unwrap();
        assert_eq!((committed.first, committed.length, committed.byte_length), (2, 4, 5));
        assert_eq!(blocks(&log).await, ["a", "b", "c", "de"]);
        assert_eq!(log.tree_hash(4).await.unwrap(), hash);
        // The batch stays, has nothing alone, and goes on.
        assert_eq!(batch.ancestors().unwrap(), 4);
        assert_eq!(blocks(&batch).await, ["a", "b", "c", "de"]);
        let again = batch.commit().await.unwrap();
        assert_eq!((again.first, again.length), (4, 4));
        batch.append("f").await.unwrap();
        batch.commit().await.unwrap();
        batch.append("g").await.unwrap();
        log.close().await.unwrap();
        batch.close().await.unwrap();

        let log = open().await.unwrap();
        assert_eq!(blocks(&log).await, ["a", "b", "c", "de", "f"]);
        assert!(log.verify().await.unwrap().is_ok());
        let batch = log.batch("draft").create(Create::Never).open().await.unwrap();
        assert_eq!(blocks(&batch).await, ["a", "b", "c", "de", "f", "g"]);
        batch.commit().await.unwrap();
        assert_eq!(log.length(), 6);
    }
}

#[tokio::test]
async fn a_commit_is_refused_when_the_log_took_other_data_and_accepted_when_it_took_the_same() {
    let log = in_memory().await;
    log.append("a").await.unwrap();
    let batch = log.batch("draft").open().await.unwrap();
    batch.append_batch(["b", "c", "d"]).await.unwrap();

    log.append_batch(["b", "c"]).await.unwrap();
    let committed = batch.commit().await.unwrap();
    assert_eq!((committed.first, committed.length), (3, 4));
    assert_eq!(blocks(&log).await, ["a", "b", "c", "d"]);

    batch.append("e").await.unwrap();
    log.append("other").await.unwrap();
    let error = batch.commit().await.unwrap_err();
    assert!(error.is_batch_conflict(), "{error}");
    assert_eq!(error.kind(), hypercore::ErrorKind::Caller);
    assert_eq!(blocks(&log).await, ["a", "b", "c", "d", "other"]);
    assert_eq!(blocks(&batch).await, ["a", "b", "c", "d", "e"]);
    // Both go on: who wants it in the log all the same begins anew.
    log.append("more").await.unwrap();
    batch.append("f").await.unwrap();
    assert!(batch.commit().await.unwrap_err().is_batch_conflict());

    // A log that gave up what the batch began with.
    let log = in_memory().await;
    log.append_batch(["a", "b"]).await.unwrap();
    let batch = log.batch("draft").open().await.unwrap();
    batch.append("c").await.unwrap();
    log.truncate(1, None).await.unwrap();
    assert!(batch.commit().await.unwrap_err().is_batch_conflict());
    log.append("b").await.unwrap();
    batch.commit().await.unwrap();
    assert_eq!(blocks(&log).await, ["a", "b", "c"]);
    assert_eq!(log.fork(), 1);
}

#[tokio::test]
async fn commit_in_part_then_the_rest() {
    let log = in_memory().await;
    let batch = log.batch("draft").open().await.unwrap();
    batch.append_batch(["a", "b", "c", "d", "e"]).await.unwrap();
    for (length, committed) in [(2, 2), (2, 2), (3, 3)] {
        let appended = batch.commit_with(CommitOptions::new().length(length)).await.unwrap();
        assert_eq!(appended.length, committed);
        assert_eq!(log.length(), committed);
        assert_eq!(batch.length(), 5);
        assert_eq!(batch.ancestors().unwrap(), committed);
    }
    assert!(
        batch.commit_with(CommitOptions::new().length(6)).await.unwrap_err().is_out_of_bounds()
    );
    batch.truncate(4, None).await.unwrap();
    batch.append("E").await.unwrap();
    batch.commit().await.unwrap();
    assert_eq!(blocks(&log).await, ["a", "b", "c", "d", "E"]);
    assert_eq!(log.fork(), 0);
}

#[tokio::test]
async fn of_two_batches_the_first_commit_wins() {
    let log = in_memory().await;
    log.append("a").await.unwrap();
    let one = log.batch("one").open().await.unwrap();
    let two = log.batch("two").open().await.unwrap();
    let same = log.batch("same").open().await.unwrap();
    one.append_batch(["b", "c"]).await.unwrap();
    two.append("B").await.unwrap();
    same.append_batch(["b", "c", "d"]).await.unwrap();
    one.commit().await.unwrap();
    assert!(two.commit().await.unwrap_err().is_batch_conflict());
    same.commit().await.unwrap();
    assert_eq!(blocks(&log).await, ["a", "b", "c", "d"]);
}

#[tokio::test]
async fn two_encrypted_batches_with_the_same_content_are_the_same() {
    let log = Hypercore::builder(Storage::memory()).encryption_key([3; 32]).open().await.unwrap();
    log.append("hello").await.unwrap();
    let one = log.batch("one").open().await.unwrap();
    let two = log.batch("two").open().await.unwrap();
    one.append("world").await.unwrap();
    two.append_batch(["world", "!"]).await.unwrap();
    one.commit().await.unwrap();
    let committed = two.commit().await.unwrap();
    assert_eq!(committed.byte_length, 11);
    assert_eq!(blocks(&log).await, ["hello", "world", "!"]);
    assert_eq!(log.seek(6).await.unwrap(), (1, 1));
}

#[tokio::test]
async fn a_commit_after_a_checkout_needs_the_log_at_that_length() {
    let log = in_memory().await;
    log.append_batch(["a", "b", "c"]).await.unwrap();
    let old = log.batch("old").checkout(1).open().await.unwrap();
    old.append_batch(["B", "C"]).await.unwrap();
    assert!(old.commit().await.unwrap_err().is_batch_conflict());
    log.truncate(1, None).await.unwrap();
    old.commit().await.unwrap();
    assert_eq!(blocks(&log).await, ["a", "B", "C"]);
    assert_eq!(log.fork(), 1);
}

/// The batch keeps a copy of what the log took away, and commits something else in its place.
#[tokio::test]
async fn what_a_batch_kept_does_not_come_back_where_it_committed_other_blocks() {
    let log = in_memory().await;
    log.append_batch(["a", "b", "c"]).await.unwrap();
    let batch = log.batch("draft").open().await.unwrap();
    log.truncate(1, None).await.unwrap();
    assert_eq!(blocks(&batch).await, ["a", "b", "c"]);
    batch.truncate(1, None).await.unwrap();
    batch.append_batch(["B", "C"]).await.unwrap();
    batch.commit().await.unwrap();
    assert_eq!(blocks(&log).await, ["a", "B", "C"]);
    assert_eq!(blocks(&batch).await, ["a", "B", "C"]);
}

#[tokio::test]
async fn huge_batch_of_200_000() {
    const BLOCKS: u64 = 200_000;
    let directory = tempfile::tempdir().unwrap();
    let log = Hypercore::open(directory.path()).await.unwrap();
    log.append("first").await.unwrap();
    let batch = log.batch("huge").open().await.unwrap();
    let content = |index: u64| index.to_le_bytes();
    for start in (0..BLOCKS).step_by(50_000) {
        batch.append_batch((start..start + 50_000).map(content)).await.unwrap();
    }
    let hash = batch.tree_hash(BLOCKS + 1).await.unwrap();
    let committed = batch.commit().await.unwrap();
    assert_eq!((committed.first, committed.length), (1, BLOCKS + 1));
    assert_eq!(log.tree_hash(BLOCKS + 1).await.unwrap(), hash);
    for index in [1, 2, 77_777, BLOCKS] {
        assert_eq!(log.get(index).await.unwrap(), &content(index - 1)[..]);
        assert_eq!(batch.get(index).await.unwrap(), &content(index - 1)[..]);
    }
    assert_eq!(log.contiguous_length(), BLOCKS + 1);
    // What is in the log is not kept twice.
    let kept = std::fs::metadata(directory.path().join("batches/huge/data")).unwrap();
    assert!(std::os::unix::fs::MetadataExt::blocks(&kept) * 512 < 64 * 1024);
    drop(batch);
    log.close().await.unwrap();
    let log = Hypercore::open(directory.path()).await.unwrap();
    assert_eq!(log.length(), BLOCKS + 1);
    assert!(log.verify().await.unwrap().is_ok());
}

#[tokio::test]
async fn a_log_opened_by_key_takes_a_commit_with_a_ready_signature() {
    let key_pair = KeyPair::from_seed(&[7; 32]);
    let writer =
        Hypercore::builder(Storage::memory()).key_pair(key_pair.clone()).open().await.unwrap();
    let manifest = writer.info().await.unwrap().manifest.unwrap();
    let builder = Hypercore::builder(Storage::memory()).manifest(manifest);
    let log = builder.open().await.unwrap();
    assert_eq!(log.key(), writer.key());
    assert!(!log.writable());
    let batch = log.batch("draft").open().await.unwrap();
    batch.append_batch(["a", "b", "c"]).await.unwrap();
    assert!(batch.commit().await.unwrap_err().is_not_writable());

    // Whoever has the key signs what a batch with the same blocks would be.
    let proposed = writer.batch("proposed").open().await.unwrap();
    proposed.append_batch(["a", "b"]).await.unwrap();
    let part = proposed.sign_partial(&key_pair, 2).await.unwrap();
    let signature = batch.assemble(2, &[part]).await.unwrap();
    let signed = |length| CommitOptions::new().length(length).signature(signature.clone());
    assert!(batch.commit_with(signed(3)).await.is_err());
    assert_eq!(log.length(), 0);
    batch.commit_with(signed(2)).await.unwrap();
    assert_eq!(blocks(&log).await, ["a", "b"]);
    let options = CommitOptions::new().key_pair(key_pair);
    batch.commit_with(options).await.unwrap();
    assert_eq!(blocks(&log).await, ["a", "b", "c"]);
    let stranger = CommitOptions::new().key_pair(KeyPair::from_seed(&[8; 32]));
    batch.append_with(["d"], AppendOptions::new()).await.unwrap();
    assert!(batch.commit_with(stranger).await.is_err());
}

#[tokio::test]
async fn a_commit_is_told_to_peers_and_to_who_listens() {
    let log = in_memory().await;
    let copy = Hypercore::builder(Storage::memory()).key(log.key()).open().await.unwrap();
    let (here, there) = tokio::io::duplex(64 * 1024);
    let _serving = log.replicate(here, Role::Responder);
    let _reading = copy.replicate(there, Role::Initiator);
    let mut events = log.events();
    let batch = log.batch("draft").open().await.unwrap();
    batch.append_batch(["a", "b"]).await.unwrap();
    let waiting = log.get(1);
    let (committed, waited) = tokio::join!(batch.commit(), waiting);
    committed.unwrap();
    assert_eq!(waited.unwrap(), "b");
    copy.wait_for_length(2).await.unwrap();
    assert_eq!(copy.get(1).await.unwrap(), "b");
    loop {
        match events.next().await {
            Some(Event::Appended { length, .. }) => break assert_eq!(length, 2),
            Some(_) => {}
            None => panic!("no event of the commit"),
        }
    }
}

/// A batch beside a log that peers fill.
#[tokio::test]
async fn blocks_that_peers_bring_are_seen_in_a_batch() {
    let writer = in_memory().await;
    writer.append_batch(["a", "b", "c"]).await.unwrap();
    let log = Hypercore::builder(Storage::memory()).key(writer.key()).open().await.unwrap();
    let (here, there) = tokio::io::duplex(64 * 1024);
    let _serving = writer.replicate(here, Role::Responder);
    let _reading = log.replicate(there, Role::Initiator);
    log.wait_for_length(3).await.unwrap();
    let batch = log.batch("draft").open().await.unwrap();
    batch.append("d").await.unwrap();
    assert_eq!(batch.get_local(1).await.unwrap(), None);
    assert_eq!(batch.get(1).await.unwrap(), "b");
    assert_eq!(log.get_local(1).await.unwrap().unwrap(), "b");
    // The log takes more meanwhile: the same, and then something else.
    writer.append("d").await.unwrap();
    log.wait_for_length(4).await.unwrap();
    batch.append("e").await.unwrap();
    writer.append("other").await.unwrap();
    log.wait_for_length(5).await.unwrap();
    assert!(
        batch
            .commit_with(CommitOptions::new().signature([0; 64]))
            .await
            .unwrap_err()
            .is_batch_conflict()
    );
    assert_eq!(batch.length(), 5);
}
