//! Logs that several sign, and logs that begin with what nobody signs.

mod common;

use common::{connect, reader, writer};
use hypercore::{
    AppendOptions, Durability, ErrorKind, Hypercore, KeyPair, Manifest, ManifestBuilder,
    ManifestSigner, MemoryStorage, PartialOptions, PartialSignature, Prologue, Storage,
    TruncateOptions, decode_partial_signature, encode_partial_signature,
};

fn pair(seed: u8) -> KeyPair {
    KeyPair::from_seed(&[seed; 32])
}

fn signers(seeds: impl IntoIterator<Item = u8>) -> ManifestBuilder {
    let signer = |seed| ManifestSigner::new(pair(seed).public());
    Manifest::builder().signers(seeds.into_iter().map(signer))
}

/// A log of the manifest without a key of its own.
async fn log_of(manifest: &Manifest) -> Hypercore {
    let builder = Hypercore::builder(Storage::memory()).manifest(manifest.clone());
    builder.open().await.unwrap()
}

/// A signer's own log with these blocks.
async fn own_log(seed: u8, blocks: &[&str]) -> Hypercore {
    let log = Hypercore::builder(Storage::memory()).key_pair(pair(seed)).open().await.unwrap();
    log.append_batch(blocks).await.unwrap();
    log
}

/// What a signer with a log of its own gives for the common one.
async fn part(
    manifest: &Manifest,
    seed: u8,
    blocks: &[&str],
    common_length: u64,
) -> PartialSignature {
    let own = own_log(seed, blocks).await;
    let options = PartialOptions::new().manifest(manifest.clone()).common_length(common_length);
    own.sign_partial_with(&pair(seed), blocks.len() as u64, options).await.unwrap()
}

#[tokio::test]
async fn two_of_three_sign() {
    let manifest = signers(1..=3).build().unwrap();
    assert_eq!(manifest.quorum(), 2);
    let log = log_of(&manifest).await;
    assert!(!log.writable());
    let blocks = ["agreed", "by", "two"];
    let parts = [part(&manifest, 1, &blocks, 3).await, part(&manifest, 3, &blocks, 3).await];
    assert_eq!([parts[0].signer, parts[1].signer], [0, 2]);
    // They come from two machines.
    let parts = parts.map(|part| {
        let bytes = encode_partial_signature(&part);
        assert!(decode_partial_signature(&[&bytes[..], &[0]].concat()).is_err());
        decode_partial_signature(&bytes).unwrap()
    });
    let signature = log.assemble(3, &parts).await.unwrap();

    let options = || AppendOptions::new().signature(signature.clone());
    for refused in [&["agreed", "by", "one"][..], &["agreed", "by"], &["agreed", "by", "two", "!"]]
    {
        let error = log.append_with(refused, options()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Caller);
        assert_eq!(log.length(), 0);
    }
    log.append_with(blocks, options()).await.unwrap();
    assert_eq!(log.length(), 3);
    assert!(log.verify().await.unwrap().is_ok());

    let copy = reader(&log).await;
    let _both = connect(&copy, &log);
    assert_eq!(copy.get(2).await.unwrap(), "two");
    assert_eq!(copy.info().await.unwrap().manifest, Some(manifest));
}

#[tokio::test]
async fn one_of_three_is_not_enough() {
    let manifest = signers(1..=3).build().unwrap();
    let log = log_of(&manifest).await;
    let one = part(&manifest, 2, &["alone"], 1).await;
    for parts in [&[][..], std::slice::from_ref(&one), &[one.clone(), one.clone()]] {
        assert_eq!(log.assemble(1, parts).await.unwrap_err().kind(), ErrorKind::Caller);
    }
    // A part that says it is another signer's.
    let forged = PartialSignature { signer: 0, ..one.clone() };
    let signature = log.assemble(1, &[one, forged]).await.unwrap();
    let error = log.append_with(["alone"], AppendOptions::new().signature(signature)).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Caller);
    let stranger = own_log(9, &["alone"]).await;
    let options = PartialOptions::new().manifest(manifest.clone());
    let error = stranger.sign_partial_with(&pair(9), 1, options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Caller);
    assert_eq!(log.length(), 0);
}

/// Each has come as far as it has; the log takes what enough of them have.
#[tokio::test]
async fn signers_that_are_ahead_of_each_other() {
    let manifest = signers(1..=3).allow_patch().build().unwrap();
    let log = log_of(&manifest).await;
    let blocks = ["0", "1", "2", "3", "4", "5", "6"];
    let lengths = [3, 7, 5];
    let common = hypercore::signable_length(&lengths, manifest.quorum());
    assert_eq!(common, 5);
    let parts =
        [part(&manifest, 2, &blocks, common).await, part(&manifest, 3, &blocks[..5], common).await];
    assert!(!parts[0].nodes.is_empty() && parts[1].nodes.is_empty());
    let signature = log.assemble(common, &parts).await.unwrap();
    let options = AppendOptions::new().signature(signature);
    log.append_with(&blocks[..5], options).await.unwrap();
    assert_eq!(log.length(), 5);
    let copy = reader(&log).await;
    let _both = connect(&copy, &log);
    assert_eq!(copy.get(4).await.unwrap(), "4");

    let own = own_log(1, &blocks).await;
    let beyond = PartialOptions::new().manifest(manifest).common_length(8);
    assert_eq!(
        own.sign_partial_with(&pair(1), 7, beyond).await.unwrap_err().kind(),
        ErrorKind::Caller
    );
}

/// Signers of a log that is there already sign what it has.
#[tokio::test]
async fn parts_of_the_log_itself() {
    let manifest = signers(1..=2).quorum(1).allow_patch().build().unwrap();
    for durability in [Durability::Immediate, Durability::Eventual] {
        let builder = Hypercore::builder(MemoryStorage::new()).manifest(manifest.clone());
        let log = builder.key_pair(pair(1)).durability(durability).open().await.unwrap();
        log.append_batch(["0", "1", "2", "3", "4"]).await.unwrap();
        let ahead = log.sign_partial(&pair(2), 5).await.unwrap();
        assert!(ahead.nodes.is_empty());
        // The log has the nodes that the part lacks.
        let signature = log.assemble(3, &[ahead]).await.unwrap();
        let copy = log_of(&manifest).await;
        let options = AppendOptions::new().signature(signature);
        copy.append_with(["0", "1", "2"], options).await.unwrap();
        assert_eq!(copy.tree_hash(3).await.unwrap(), log.tree_hash(3).await.unwrap());
        let error = log.sign_partial(&pair(2), 6).await.unwrap_err();
        assert!(error.is_out_of_bounds());
    }
}

/// A truncation that two of three agree on.
#[tokio::test]
async fn several_sign_a_truncation() {
    let manifest = signers(1..=3).build().unwrap();
    assert_eq!(manifest.quorum(), 2);
    let log = log_of(&manifest).await;
    let blocks = ["0", "1", "2", "3"];
    let parts = [part(&manifest, 1, &blocks, 4).await, part(&manifest, 2, &blocks, 4).await];
    let signature = log.assemble(4, &parts).await.unwrap();
    log.append_with(blocks, AppendOptions::new().signature(signature)).await.unwrap();

    let signature = async |fork| {
        let options = PartialOptions::new().fork(fork);
        let parts = [
            log.sign_partial_with(&pair(2), 2, options.clone()).await.unwrap(),
            log.sign_partial_with(&pair(3), 2, options).await.unwrap(),
        ];
        log.assemble(2, &parts).await.unwrap()
    };
    let signature = signature(5).await;
    let signed = TruncateOptions::new().signature(signature);
    let error = log.truncate_with(2, signed.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Caller, "it is of another fork: {error}");
    let alone = TruncateOptions::new().key_pair(pair(1));
    assert_eq!(log.truncate_with(2, alone).await.unwrap_err().kind(), ErrorKind::Caller);
    assert_eq!((log.length(), log.fork()), (4, 0));
    log.truncate_with(2, signed.fork(5)).await.unwrap();
    assert_eq!((log.length(), log.fork()), (2, 5));
    let copy = reader(&log).await;
    let _both = connect(&copy, &log);
    assert_eq!(copy.get(1).await.unwrap(), "1");
    assert_eq!((copy.length(), copy.fork()), (2, 5));
}

/// Another signer who may sign alone.
#[tokio::test]
async fn a_truncation_by_another_key_pair() {
    let manifest = signers(1..=2).quorum(1).build().unwrap();
    let builder = Hypercore::builder(Storage::memory()).manifest(manifest);
    let log = builder.key_pair(pair(1)).open().await.unwrap();
    log.append_batch(["0", "1", "2"]).await.unwrap();
    let by = |seed| TruncateOptions::new().key_pair(pair(seed));
    assert_eq!(log.truncate_with(1, by(3)).await.unwrap_err().kind(), ErrorKind::Caller);
    log.truncate_with(1, by(2)).await.unwrap();
    assert_eq!((log.length(), log.fork()), (1, 1));

    let batch = log.batch("draft").open().await.unwrap();
    batch.truncate_with(0, by(2)).await.unwrap();
    let error = batch.truncate_with(0, by(2).fork(9)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Caller);
    assert_eq!(batch.length(), 0);
}

#[tokio::test]
async fn an_append_below_the_prologue_is_refused() {
    let source = writer(5).await;
    let prologue = Prologue { hash: source.tree_hash(3).await.unwrap(), length: 3 };
    let manifest = signers([1]).prologue(prologue).build().unwrap();
    let builder = Hypercore::builder(Storage::memory()).manifest(manifest.clone());
    let log = builder.key_pair(pair(1)).open().await.unwrap();
    for blocks in 1..=4 {
        let error = log.append_batch((0..blocks).map(common::block)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Caller);
    }
    assert_eq!(log.length(), 0);

    assert_eq!(log.copy_prologue(&source).await.unwrap(), 3);
    assert_eq!(log.length(), 3);
    assert_eq!(log.get(2).await.unwrap(), common::block(2));
    assert_eq!(log.copy_prologue(&source).await.unwrap(), 0, "it is there");
    assert_eq!(log.truncate(2, None).await.unwrap_err().kind(), ErrorKind::Caller);
    log.append("signed").await.unwrap();
    assert!(log.verify().await.unwrap().is_ok());
    let copy = reader(&log).await;
    let _both = connect(&copy, &log);
    assert_eq!(copy.get(0).await.unwrap(), common::block(0));
    assert_eq!(copy.get(3).await.unwrap(), "signed");
}

#[tokio::test]
async fn a_prologue_comes_from_a_log_that_begins_with_it() {
    let source = writer(5).await;
    let prologue = Prologue { hash: source.tree_hash(3).await.unwrap(), length: 3 };
    let manifest = signers([1]).prologue(prologue).build().unwrap();
    let log = log_of(&manifest).await;
    let short = writer(2).await;
    assert_eq!(log.copy_prologue(&short).await.unwrap_err().kind(), ErrorKind::Caller);
    let other = Hypercore::open(Storage::memory()).await.unwrap();
    other.append_batch(["block 0", "block 1", "another"]).await.unwrap();
    assert_eq!(log.copy_prologue(&other).await.unwrap_err().kind(), ErrorKind::Peer);
    assert_eq!(source.copy_prologue(&log).await.unwrap_err().kind(), ErrorKind::Caller);
    assert_eq!(log.length(), 0);
    // A sparse source gives what it has; the rest comes later.
    source.clear(1..2).await.unwrap();
    assert_eq!(log.copy_prologue(&source).await.unwrap(), 2);
    assert_eq!(log.get_local(1).await.unwrap(), None);
    assert_eq!(log.copy_prologue(&writer(5).await).await.unwrap(), 1);
    assert_eq!(log.get(1).await.unwrap(), common::block(1));
    source.close().await.unwrap();
    assert_eq!(log.copy_prologue(&source).await.unwrap_err().kind(), ErrorKind::Closed);
}

/// A log that nobody signs: all of it is its prologue.
#[tokio::test]
async fn a_static_log() {
    let source = writer(4).await;
    let prologue = Prologue { hash: source.tree_hash(4).await.unwrap(), length: 4 };
    let manifest = Manifest::builder().prologue(prologue).build().unwrap();
    let log = log_of(&manifest).await;
    log.copy_prologue(&source).await.unwrap();
    assert_eq!(log.get(3).await.unwrap(), common::block(3));
    assert!(!log.writable());
    let copy = reader(&log).await;
    let _both = connect(&copy, &log);
    assert_eq!(copy.get(3).await.unwrap(), common::block(3));
    assert_eq!(copy.length(), 4);
}
