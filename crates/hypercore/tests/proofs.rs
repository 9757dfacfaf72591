//! Proofs as values: made, written, read, checked, applied; and those that stand alone.

mod common;

use hypercore::{
    Access, CoreKey, Durability, ErrorKind, Hypercore, MemoryStorage, Proof, ProofRequest,
    RemoteProof, Storage,
};

const BLOCKS: [&str; 9] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight"];

async fn writer() -> Hypercore {
    let log = Hypercore::open(Storage::memory()).await.unwrap();
    log.append_batch(BLOCKS).await.unwrap();
    log
}

async fn reader(key: CoreKey) -> Hypercore {
    Hypercore::builder(Storage::memory()).key(key).open().await.unwrap()
}

/// A proof through its bytes.
async fn sent(log: &Hypercore, request: ProofRequest) -> Proof {
    let proof = log.create_proof(&request).await.unwrap().unwrap();
    let decoded = Proof::decode(proof.encode()).unwrap();
    assert_eq!(decoded, proof);
    decoded
}

#[tokio::test]
async fn a_proof_is_made_checked_and_applied() {
    let writer = writer().await;
    let reader = reader(writer.key()).await;
    let whole = sent(&writer, ProofRequest::new().upgrade(0..9).block(4).manifest()).await;
    assert_eq!((whole.fork(), whole.upgrade()), (0, Some(0..9)));
    assert_eq!(whole.block(), Some((4, "four".into())));
    assert_eq!(whole.manifest().cloned(), writer.info().await.unwrap().manifest);

    let proven = reader.verify_proof(&whole).await.unwrap();
    assert_eq!((proven.fork, proven.length), (0, 9));
    assert_eq!(proven.tree_hash, writer.info().await.unwrap().tree_hash);
    assert_eq!(proven.block, Some((4, "four".into())));
    assert!(!proven.contradicts);
    assert_eq!((reader.length(), reader.has(4).await.unwrap()), (0, false));

    let applied = reader.apply_proof(&whole).await.unwrap();
    assert_eq!((applied.length, applied.block, applied.upgraded), (9, Some(4), true));
    assert_eq!(reader.get_local(4).await.unwrap().unwrap(), "four");

    // A block more, as far up as is missing; then what was appended.
    let levels = reader.missing_levels(7).await.unwrap();
    assert!(levels > 0);
    let block = sent(&writer, ProofRequest::new().block(7).levels(levels)).await;
    assert_eq!(reader.apply_proof(&block).await.unwrap().block, Some(7));
    writer.append("nine").await.unwrap();
    let more = sent(&writer, ProofRequest::new().block(9).upgrade(9..10)).await;
    assert_eq!(reader.apply_proof(&more).await.unwrap().length, 10);
    assert_eq!(reader.get_local(9).await.unwrap().unwrap(), "nine");
    assert!(reader.verify().await.unwrap().is_ok());
}

#[tokio::test]
async fn who_waits_for_a_block_gets_it_from_a_proof() {
    let writer = writer().await;
    let reader = reader(writer.key()).await;
    let waiting = tokio::spawn({
        let reader = reader.clone();
        async move { reader.get(4).await }
    });
    tokio::task::yield_now().await;
    let proof = sent(&writer, ProofRequest::new().upgrade(0..9).block(4).manifest()).await;
    reader.apply_proof(&proof).await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), "four");
}

#[tokio::test]
async fn a_proof_that_does_not_hold_changes_nothing() {
    let writer = writer().await;
    let reader = reader(writer.key()).await;
    let honest = sent(&writer, ProofRequest::new().upgrade(0..9).block(4).manifest()).await;
    let mut forged = honest.encode();
    let at = forged.windows(4).position(|bytes| bytes == b"four").unwrap();
    forged[at] ^= 1;
    let forged = Proof::decode(forged).unwrap();
    for error in [
        reader.verify_proof(&forged).await.unwrap_err(),
        reader.apply_proof(&forged).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Peer, "{error}");
    }
    assert_eq!((reader.length(), reader.has(4).await.unwrap()), (0, false));

    // It holds, but leads to nothing that is here.
    let alone = sent(&writer, ProofRequest::new().block(4)).await;
    assert_eq!(reader.apply_proof(&alone).await.unwrap_err().kind(), ErrorKind::Peer);
}

#[tokio::test]
async fn what_is_not_here_is_not_proven() {
    let writer = writer().await;
    writer.clear(4..5).await.unwrap();
    assert_eq!(writer.create_proof(&ProofRequest::new().block(4)).await.unwrap(), None);
    assert_eq!(writer.remote_proof(Some(4)).await.unwrap(), None);
    assert!(writer.remote_proof(Some(9)).await.unwrap_err().is_out_of_bounds());
    for request in [
        ProofRequest::new().upgrade(0..10),
        ProofRequest::new().upgrade(9..9),
        ProofRequest::new().block(3).levels(9),
        ProofRequest::new().upgrade(0..9).fork(1),
    ] {
        let error = writer.create_proof(&request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Caller, "{request:?}: {error}");
    }
    let empty = Hypercore::open(Storage::memory()).await.unwrap();
    assert_eq!(empty.remote_proof(None).await.unwrap(), None);
    empty.close().await.unwrap();
    let error = empty.create_proof(&ProofRequest::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn a_reader_may_verify_and_not_apply() {
    let memory = MemoryStorage::new();
    let writer = Hypercore::open(memory.clone()).await.unwrap();
    writer.append("zero").await.unwrap();
    let read = Hypercore::builder(memory).access(Access::Follow).open().await.unwrap();
    writer.append("one").await.unwrap();
    let proof = sent(&writer, ProofRequest::new().upgrade(1..2)).await;
    assert_eq!(read.verify_proof(&proof).await.unwrap().length, 2);
    assert!(read.apply_proof(&proof).await.unwrap_err().is_not_writable());
}

#[tokio::test]
async fn a_proof_of_another_fork_stands_on_its_own() {
    let writer = writer().await;
    let reader = reader(writer.key()).await;
    let whole = ProofRequest::new().upgrade(0..9).manifest();
    let first = sent(&writer, whole).await;
    reader.apply_proof(&first).await.unwrap();
    writer.truncate(5, Some(7)).await.unwrap();
    let proof = sent(&writer, ProofRequest::new().upgrade(0..5).block(1).fork(7)).await;
    let proven = reader.verify_proof(&proof).await.unwrap();
    assert_eq!((proven.fork, proven.length), (7, 5));
    assert_eq!(reader.apply_proof(&proof).await.unwrap_err().kind(), ErrorKind::Peer);
    assert_eq!(reader.fork(), 0);
    // The old one of the writer holds as well, and contradicts nothing: it is another fork.
    assert!(!writer.verify_proof(&first).await.unwrap().contradicts);
}

#[tokio::test]
async fn a_remote_proof_is_verified_with_the_key_alone() {
    let log = writer().await;
    let info = log.info().await.unwrap();
    for index in [None, Some(0), Some(8)] {
        let bytes = log.remote_proof(index).await.unwrap().unwrap().encode();
        let proof = RemoteProof::decode(bytes).unwrap();
        assert_eq!(proof.discovery_key(), log.discovery_key());
        let proven = proof.verify(&log.key(), None).unwrap();
        assert_eq!((proven.length, proven.fork), (9, 0));
        assert_eq!((proven.tree_hash, proven.byte_length), (info.tree_hash, info.byte_length));
        let block = index.map(|index| (index, BLOCKS[index as usize].into()));
        assert_eq!(proven.block, block);
        assert_eq!(proof.verify(&log.key(), info.manifest.as_ref()).unwrap(), proven);

        let other = Hypercore::open(Storage::memory()).await.unwrap();
        assert_eq!(proof.verify(&other.key(), None).unwrap_err().kind(), ErrorKind::Peer);

        // And an empty log takes it as it is.
        let reader = reader(log.key()).await;
        reader.apply_proof(&proof.into_proof()).await.unwrap();
        assert_eq!(reader.length(), 9);
    }
}

#[tokio::test]
async fn an_encrypted_log_proves_what_it_stores() {
    let log = Hypercore::builder(Storage::memory()).encryption_key([5; 32]).open().await.unwrap();
    log.append("secret").await.unwrap();
    let proof = log.remote_proof(Some(0)).await.unwrap().unwrap();
    let (_, stored) = proof.verify(&log.key(), None).unwrap().block.unwrap();
    assert_ne!(stored, "secret");
    assert!(stored.len() > 6);
    let copy = Hypercore::builder(Storage::memory())
        .key(log.key())
        .encryption_key([5; 32])
        .open()
        .await
        .unwrap();
    copy.apply_proof(&proof.into_proof()).await.unwrap();
    assert_eq!(copy.get(0).await.unwrap(), "secret");
}

#[test]
fn bytes_that_are_no_proof_are_refused() {
    for bytes in [&[][..], &[1], &[1, 0, 0, 200], &[255; 9], &[9; 40]] {
        assert!(Proof::decode(bytes.to_vec()).is_err(), "{bytes:?}");
        assert!(RemoteProof::decode([&[7; 32], bytes].concat()).is_err(), "{bytes:?}");
    }
    assert!(RemoteProof::decode(vec![7; 31]).is_err());
}

/// Under `Eventual` durability nobody waits for the flush, and it comes all the same.
#[tokio::test]
async fn what_a_proof_brought_becomes_durable() {
    let log = writer().await;
    let request = ProofRequest::new().upgrade(0..9).block(4).manifest();
    let storage = Storage::memory();
    let copy = Hypercore::builder(storage).key(log.key()).durability(Durability::Eventual);
    let copy = copy.open().await.unwrap();
    copy.apply_proof(&sent(&log, request).await).await.unwrap();
    while copy.info().await.unwrap().durable_length < 9 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(copy.get(4).await.unwrap(), BLOCKS[4]);
}
