//! Named batches with encryption and with signers: proposals that several sign, and drafts that nobody may read.

mod common;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use common::{connect, reader};
use hypercore::{
    AppendOptions, BoxError, BoxFuture, CommitOptions, EncryptionProvider, ErrorKind, GetOptions,
    Hypercore, KeyPair, Manifest, ManifestSigner, MemoryStorage, PublicKey, Signature, Signer,
    Storage, ToSign,
};
use tokio::sync::Semaphore;

const KEY: [u8; 32] = [7; 32];

fn pair(seed: u8) -> KeyPair {
    KeyPair::from_seed(&[seed; 32])
}

fn two_of_three() -> Manifest {
    let signers = [1, 2, 3].map(|seed| ManifestSigner::new(pair(seed).public()));
    Manifest::builder().signers(signers).allow_patch().build().unwrap()
}

/// The log as one of its signers has it.
async fn replica(manifest: &Manifest, encrypted: bool) -> Hypercore {
    let builder = Hypercore::builder(Storage::memory()).manifest(manifest.clone());
    let builder = if encrypted { builder.encryption_key(KEY) } else { builder };
    builder.open().await.unwrap()
}

#[tokio::test]
async fn two_of_three_sign_a_proposal() {
    for encrypted in [false, true] {
        let manifest = two_of_three();
        let logs = [
            replica(&manifest, encrypted).await,
            replica(&manifest, encrypted).await,
            replica(&manifest, encrypted).await,
        ];
        let _connected = [connect(&logs[0], &logs[1]), connect(&logs[1], &logs[2])];
        for (round, blocks) in [["one", "two"], ["three", "four"]].into_iter().enumerate() {
            let length = 2 * round as u64 + 2;
            let mut parts = Vec::new();
            for (seed, log) in [(1, &logs[0]), (3, &logs[2])] {
                log.wait_for_length(length - 2).await.unwrap();
                let proposal = log.batch("proposal").open().await.unwrap();
                proposal.append_batch(blocks).await.unwrap();
                parts.push(proposal.sign_partial(&pair(seed), length).await.unwrap());
                // Not the fork or the length that the batch counts by itself, but the log's.
                assert_eq!((proposal.length(), log.length()), (length, length - 2));
            }
            let proposal = logs[0].batch("proposal").open().await.unwrap();
            let alone = proposal.assemble(length, &parts[..1]).await.unwrap_err();
            assert_eq!(alone.kind(), ErrorKind::Caller);
            assert!(proposal.commit().await.unwrap_err().is_not_writable());
            let signature = proposal.assemble(length, &parts).await.unwrap();
            let committed = proposal.commit_with(CommitOptions::new().signature(signature)).await;
            assert_eq!(committed.unwrap().length, length);
            for log in &logs {
                assert_eq!(log.get(length - 1).await.unwrap(), blocks[1]);
            }
            // The log took what the third one has in its own proposal.
            logs[2].batch("proposal").open().await.unwrap().discard().await.unwrap();
            proposal.discard().await.unwrap();
        }
        assert_eq!(logs[1].byte_length(), 15);
        assert!(logs[0].verify().await.unwrap().is_ok());
    }
}

/// One signer has proposed more than the other: the log takes what both have.
#[tokio::test]
async fn signers_of_proposals_that_are_ahead_of_each_other() {
    let manifest = two_of_three();
    let (one, other) = (replica(&manifest, true).await, replica(&manifest, true).await);
    let long = one.batch("proposal").open().await.unwrap();
    long.append_batch(["0", "1", "2", "3", "4"]).await.unwrap();
    let short = other.batch("proposal").open().await.unwrap();
    short.append_batch(["0", "1", "2"]).await.unwrap();
    let parts = [
        long.sign_partial(&pair(1), 5).await.unwrap(),
        short.sign_partial(&pair(2), 3).await.unwrap(),
    ];
    // The batch that is longer knows what leads from one to the other.
    let signature = long.assemble(3, &parts).await.unwrap();
    let options = CommitOptions::new().length(3).signature(signature.clone());
    long.commit_with(options).await.unwrap();
    assert_eq!((one.length(), one.get(2).await.unwrap()), (3, "2".into()));
    short.commit_with(CommitOptions::new().signature(signature)).await.unwrap();
    assert_eq!(other.tree_hash(3).await.unwrap(), one.tree_hash(3).await.unwrap());
}

/// What is stored for a block of a draft depends on nothing but its place and its content, and never shares a
/// stream with another block.
#[tokio::test]
async fn a_draft_is_encrypted_for_what_it_says() {
    let log = Hypercore::builder(Storage::memory()).encryption_key(KEY).open().await.unwrap();
    let raw = || GetOptions::new().raw(true);
    let mut stored = BTreeMap::new();
    for (name, content) in [("a", "one version"), ("b", "two version"), ("c", "one version")] {
        let draft = log.batch(name).open().await.unwrap();
        draft.append(content).await.unwrap();
        assert_eq!(draft.get(0).await.unwrap(), content);
        stored.insert(name, draft.get_with(0, raw()).await.unwrap().unwrap());
    }
    assert_eq!(stored["a"], stored["c"]);
    log.append("one version").await.unwrap();
    stored.insert("log", log.get_with(0, raw()).await.unwrap().unwrap());
    for (one, other) in [("a", "b"), ("a", "log"), ("b", "log")] {
        let (one, other) = (&stored[one], &stored[other]);
        assert_ne!(one[..8], other[..8], "the padding is part of the nonce");
        assert_ne!(one[11..], other[11..], "the same content under another stream");
    }
    // What it had was written by another way, so the tree is another one.
    let draft = log.batch("a").open().await.unwrap();
    assert!(draft.commit().await.unwrap_err().is_batch_conflict());
}

/// Takes notes of the numbers it encrypts with, and stores them behind the content.
#[derive(Debug, Default)]
struct Notary(Mutex<Vec<u64>>);

impl EncryptionProvider for Notary {
    fn padding_len(&self) -> usize {
        8
    }

    fn encrypt<'a>(
        &'a self,
        _: u64,
        fork: u64,
        content: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, BoxError>> {
        Box::pin(async move {
            self.0.lock().unwrap().push(fork);
            tokio::task::yield_now().await;
            Ok([content, &fork.to_le_bytes()].concat())
        })
    }

    fn decrypt<'a>(&'a self, _: u64, stored: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, BoxError>> {
        Box::pin(async { Ok(stored[..stored.len() - 8].to_vec()) })
    }
}

#[tokio::test]
async fn a_provider_is_waited_for_in_a_batch_and_gets_a_number_of_no_fork() {
    let provider = Arc::new(Notary::default());
    let builder = Hypercore::builder(Storage::memory()).encryption(Arc::clone(&provider));
    let log = builder.open().await.unwrap();
    log.append("zero").await.unwrap();
    let draft = log.batch("draft").open().await.unwrap();
    let appended = draft.append_batch(["one", "two"]).await.unwrap();
    assert_eq!((appended.first, appended.length, appended.byte_length), (1, 3, 10));
    draft.truncate(2, None).await.unwrap();
    draft.append_with(["three"], AppendOptions::new()).await.unwrap();
    draft.append_owned(vec!["four".into()]).await.unwrap();
    let numbers = provider.0.lock().unwrap().clone();
    assert_eq!((numbers.len(), numbers[0]), (5, 0));
    let drafted = &numbers[1..];
    assert!(drafted.iter().all(|number| *number >= 1 << 63));
    assert!(drafted[0] == drafted[1] && drafted[1] != drafted[2] && drafted[2] != drafted[3]);
    draft.commit().await.unwrap();
    for (index, content) in (0..).zip(["zero", "one", "three", "four"]) {
        assert_eq!(log.get(index).await.unwrap(), content);
    }
    assert_eq!(log.byte_length(), 16);
}

/// A signer that waits until it may.
#[derive(Debug)]
struct Held {
    key: KeyPair,
    asked: AtomicUsize,
    gate: Semaphore,
}

impl Signer for Held {
    fn public_key(&self) -> PublicKey {
        self.key.public()
    }

    fn sign<'a>(&'a self, to_sign: &'a ToSign) -> BoxFuture<'a, Result<Signature, BoxError>> {
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::Relaxed);
            self.gate.acquire().await?.forget();
            Ok(self.key.sign(to_sign.message()))
        })
    }
}

fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn a_commit_waits_for_the_signer_and_is_signed_again_when_the_log_moved() {
    let (key, asked, gate) = (pair(1), AtomicUsize::new(0), Semaphore::new(1));
    let signer = Arc::new(Held { key: key.clone(), asked, gate });
    let as_signer: Arc<dyn Signer> = signer.clone();
    let log = Hypercore::builder(MemoryStorage::new()).signer(as_signer).open().await.unwrap();
    let other = log.session().key_pair(key).open().await.unwrap();
    log.append("zero").await.unwrap();
    assert_eq!(signer.asked.swap(0, Ordering::Relaxed), 1);

    let draft = log.batch("draft").open().await.unwrap();
    draft.append_batch(["one", "two"]).await.unwrap();
    assert_eq!(signer.asked.load(Ordering::Relaxed), 0, "nobody signs a draft");
    {
        let mut hanging = pin!(draft.commit());
        while signer.asked.load(Ordering::Relaxed) == 0 {
            assert!(poll(hanging.as_mut()).is_pending());
            tokio::task::yield_now().await;
        }
    }
    assert_eq!((log.length(), draft.length()), (1, 3), "dropped, nothing was changed");

    let mut waiting = pin!(draft.commit());
    while signer.asked.load(Ordering::Relaxed) == 1 {
        assert!(poll(waiting.as_mut()).is_pending());
        tokio::task::yield_now().await;
    }
    // The same blocks in another fork: what was signed is not what is to be stored.
    other.truncate(1, None).await.unwrap();
    signer.gate.add_permits(10);
    let committed = waiting.await.unwrap();
    assert_eq!((committed.first, committed.length), (1, 3));
    assert_eq!(signer.asked.load(Ordering::Relaxed), 3);
    assert_eq!((log.get(2).await.unwrap(), log.fork()), ("two".into(), 1));
    let copy = reader(&log).await;
    let _both = connect(&copy, &log);
    assert_eq!(copy.get(2).await.unwrap(), "two");

    // The log has it all: nobody has to sign.
    draft.commit().await.unwrap();
    assert_eq!(signer.asked.load(Ordering::Relaxed), 3);
}
