//! Signers that keep their key to themselves: asked, waited for, checked, and asked again when the log went on.

mod common;

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Waker};

use common::{connect, reader};
use hypercore::{
    Access, AppendOptions, BoxError, BoxFuture, CoreKey, Create, Durability, Error, ErrorKind,
    Event, Hypercore, KeyPair, Manifest, ManifestSigner, MemoryStorage, Prologue, PublicKey,
    Signature, Signer, ToSign,
};
use tokio::sync::Semaphore;

/// An agent that does what the test wants.
#[derive(Debug)]
struct Agent {
    key: KeyPair,
    asked: Mutex<Vec<ToSign>>,
    manner: Mutex<Manner>,
    /// Signatures that it may give while it is held.
    gate: Semaphore,
}

#[derive(Clone, Copy, Debug)]
enum Manner {
    Honest,
    Failing,
    /// Waits at the gate.
    Held,
    /// Signs with another key.
    Lying,
    /// Signs something else.
    Mistaken,
}

impl Agent {
    fn new(manner: Manner) -> Arc<Self> {
        Arc::new(Self {
            key: KeyPair::from_seed(&[1; 32]),
            asked: Mutex::default(),
            manner: Mutex::new(manner),
            gate: Semaphore::new(0),
        })
    }

    fn be(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    fn asked(&self) -> Vec<ToSign> {
        self.asked.lock().unwrap().clone()
    }
}

impl Signer for Agent {
    fn public_key(&self) -> PublicKey {
        self.key.public()
    }

    fn sign<'a>(&'a self, to_sign: &'a ToSign) -> BoxFuture<'a, Result<Signature, BoxError>> {
        Box::pin(async move {
            self.asked.lock().unwrap().push(to_sign.clone());
            let manner = *self.manner.lock().unwrap();
            match manner {
                Manner::Honest => Ok(self.key.sign(to_sign.message())),
                Manner::Failing => Err("the card is not in its slot".into()),
                Manner::Held => {
                    self.gate.acquire().await?.forget();
                    Ok(self.key.sign(to_sign.message()))
                }
                Manner::Lying => Ok(KeyPair::from_seed(&[9; 32]).sign(to_sign.message())),
                Manner::Mistaken => Ok(self.key.sign(b"something else")),
            }
        })
    }
}

async fn log_of(agent: &Arc<Agent>) -> Hypercore {
    let signer: Arc<dyn Signer> = agent.clone();
    Hypercore::builder(MemoryStorage::new()).signer(signer).open().await.unwrap()
}

/// Polls once.
fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Polls a future now and then until `done`.
async fn poll_until<F: Future>(mut future: std::pin::Pin<&mut F>, done: impl Fn() -> bool) {
    while !done() {
        assert!(poll(future.as_mut()).is_pending());
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_log_whose_key_is_kept_elsewhere() {
    for compat in [false, true] {
        for durability in [Durability::Immediate, Durability::Eventual] {
            for encrypted in [false, true] {
                let (memory, agent) = (MemoryStorage::new(), Agent::new(Manner::Honest));
                let open = || {
                    let signer: Arc<dyn Signer> = agent.clone();
                    let builder = Hypercore::builder(memory.clone()).signer(signer);
                    let builder = builder.compat(compat).durability(durability);
                    if encrypted { builder.encryption_key([7; 32]) } else { builder }.open()
                };
                let log = open().await.unwrap();
                let bare = CoreKey::from_bytes(*agent.public_key().as_bytes());
                assert_eq!(log.key() == bare, compat);
                assert!(log.writable());
                assert_eq!(log.info().await.unwrap().signer, None, "no key is kept here");
                let appended = log.append("one").await.unwrap();
                assert_eq!((appended.first, appended.length, appended.byte_length), (0, 1, 3));
                let appended = log.append_batch(["two", "", "three"]).await.unwrap();
                assert_eq!((appended.first, appended.length, appended.byte_length), (1, 4, 11));
                assert_eq!(log.append_batch::<&str>([]).await.unwrap().length, 4);
                log.truncate(2, Some(7)).await.unwrap();
                log.append_owned(vec!["last".into()]).await.unwrap();
                assert!(log.verify().await.unwrap().is_ok());
                log.close().await.unwrap();

                let asked = agent.asked();
                let said: Vec<_> = asked.iter().map(|asked| (asked.length, asked.fork)).collect();
                assert_eq!(
                    said,
                    [(1, 0), (4, 0), (2, 7), (3, 7)],
                    "once each, and nothing for nothing"
                );
                assert!(asked.iter().all(|asked| asked.key == log.key()));

                let log = open().await.unwrap();
                assert_eq!((log.length(), log.fork()), (3, 7));
                for (index, content) in (0..).zip(["one", "two", "last"]) {
                    assert_eq!(log.get(index).await.unwrap(), content);
                }
                let copy = reader(&log).await;
                let _both = connect(&copy, &log);
                copy.get(2).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn an_empty_log_needs_no_signature() {
    let agent = Agent::new(Manner::Honest);
    let log = log_of(&agent).await;
    log.append("one").await.unwrap();
    agent.be(Manner::Failing);
    log.truncate(0, None).await.unwrap();
    assert_eq!((log.length(), log.fork()), (0, 1));
}

#[tokio::test]
async fn a_signer_that_fails_or_lies_changes_nothing() {
    let agent = Agent::new(Manner::Honest);
    let log = log_of(&agent).await;
    log.append_batch(["one", "two"]).await.unwrap();
    let before = log.info().await.unwrap();
    for manner in [Manner::Failing, Manner::Lying, Manner::Mistaken] {
        agent.be(manner);
        let check = |error: Error| {
            assert_eq!(error.kind(), ErrorKind::Outside, "{manner:?}");
            assert!(error.is_outside());
            std::error::Error::source(&error).expect("what it said").to_string()
        };
        let said = check(log.append("three").await.unwrap_err());
        if matches!(manner, Manner::Failing) {
            assert_eq!(said, "the card is not in its slot");
        }
        check(log.append_batch(["three", "four"]).await.unwrap_err());
        check(log.truncate(1, None).await.unwrap_err());
        check(log.sign_partial(&*agent, 2).await.unwrap_err());
        let after = log.info().await.unwrap();
        assert_eq!((after.length, after.fork), (before.length, before.fork));
        assert_eq!(after.tree_hash, before.tree_hash);
    }
    agent.be(Manner::Honest);
    assert_eq!(log.append("three").await.unwrap().length, 3);
    assert!(log.verify().await.unwrap().is_ok());
}

#[tokio::test]
async fn a_signer_that_hangs_is_dropped_and_the_next_append_works() {
    let agent = Agent::new(Manner::Held);
    let log = log_of(&agent).await;
    {
        let mut hanging = pin!(log.append("never"));
        poll_until(hanging.as_mut(), || agent.asked().len() == 1).await;
        // Reading goes on, and so does what needs no signature.
        assert_eq!(log.info().await.unwrap().length, 0);
        assert!(poll(hanging.as_mut()).is_pending());
        let mut behind = pin!(log.append("behind"));
        assert!(poll(behind.as_mut()).is_pending());
        assert_eq!(agent.asked().len(), 1, "one after the other");
    }
    agent.be(Manner::Honest);
    assert_eq!(log.append("first").await.unwrap().first, 0);
    assert_eq!(log.get(0).await.unwrap(), "first");
    assert_eq!(log.length(), 1);
}

#[tokio::test]
async fn closing_ends_the_wait_for_a_signer() {
    let agent = Agent::new(Manner::Held);
    let log = log_of(&agent).await;
    let mut hanging = pin!(log.append("never"));
    poll_until(hanging.as_mut(), || agent.asked().len() == 1).await;
    log.close().await.unwrap();
    assert_eq!(hanging.await.unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn what_a_signer_signed_is_told_like_all_else() {
    for durability in [Durability::Immediate, Durability::Eventual] {
        let signer: Arc<dyn Signer> = Agent::new(Manner::Honest);
        let builder = Hypercore::builder(MemoryStorage::new()).signer(signer);
        let builder = builder.durability(durability).encryption_key([7; 32]);
        let log = builder.open().await.unwrap();
        let mut events = log.events();
        log.append_batch(["one", "two"]).await.unwrap();
        log.truncate(1, None).await.unwrap();
        let mut told = Vec::new();
        while told.len() < 2 {
            match events.next().await.unwrap() {
                Event::Appended { length, byte_length, .. } => told.push((length, byte_length)),
                Event::Truncated { length, fork, .. } => told.push((length, fork)),
                _ => {}
            }
        }
        assert_eq!(told, [(2, 6), (1, 1)]);
    }
}

/// Others write while a signer thinks: it is asked again, for what the log is then.
#[tokio::test]
async fn a_write_of_somebody_else_is_signed_around() {
    let agent = Agent::new(Manner::Held);
    let log = log_of(&agent).await;
    let pair = agent.key.clone();
    let other = log.session().key_pair(pair).open().await.unwrap();
    let mut waiting = pin!(log.append("slow"));
    poll_until(waiting.as_mut(), || agent.asked().len() == 1).await;
    other.append_batch(["quick", "quicker"]).await.unwrap();
    agent.gate.add_permits(2);
    let appended = waiting.await.unwrap();
    assert_eq!((appended.first, appended.length), (2, 3));
    let lengths: Vec<_> = agent.asked().iter().map(|asked| asked.length).collect();
    assert_eq!(lengths, [1, 3]);
    assert_eq!(log.get(2).await.unwrap(), "slow");
    assert!(log.verify().await.unwrap().is_ok());
}

/// Has another session write whenever it is asked, if that can be done at once.
#[derive(Debug)]
struct Overtaken {
    key: KeyPair,
    other: OnceLock<Hypercore>,
    asked: AtomicUsize,
}

impl Signer for Overtaken {
    fn public_key(&self) -> PublicKey {
        self.key.public()
    }

    fn sign<'a>(&'a self, to_sign: &'a ToSign) -> BoxFuture<'a, Result<Signature, BoxError>> {
        Box::pin(async move {
            if self.asked.fetch_add(1, Ordering::Relaxed) > 10 {
                return Err("asked for ever".into());
            }
            let quick = pin!(self.other.get().unwrap().append("quick"));
            if let Poll::Ready(appended) = poll(quick) {
                appended.unwrap();
            }
            Ok(self.key.sign(to_sign.message()))
        })
    }
}

/// A writer that asks nobody is always faster than one that does. It can not keep the other one from
/// writing for ever.
#[tokio::test]
async fn two_sessions_that_race_both_get_on() {
    let (key, other, asked) = (KeyPair::from_seed(&[1; 32]), OnceLock::new(), AtomicUsize::new(0));
    let signer = Arc::new(Overtaken { key: key.clone(), other, asked });
    let as_signer: Arc<dyn Signer> = signer.clone();
    let log = Hypercore::builder(MemoryStorage::new()).signer(as_signer);
    let log = log.durability(Durability::Eventual).open().await.unwrap();
    signer.other.set(log.session().key_pair(key).open().await.unwrap()).unwrap();
    let appended = log.append("slow").await.unwrap();
    assert_eq!((appended.first, signer.asked.load(Ordering::Relaxed)), (3, 4));
    // It has passed: the others are not held up any more.
    for _ in 0..50 {
        assert!(poll(pin!(signer.other.get().unwrap().append("quick"))).is_ready());
    }
    assert_eq!(log.length(), 54);
    assert!(log.verify().await.unwrap().is_ok());
}

/// Signs when a write to the same log that it asked for did not come to an end.
#[derive(Debug)]
struct Writing {
    key: KeyPair,
    log: OnceLock<Hypercore>,
    asked: AtomicUsize,
}

impl Signer for Writing {
    fn public_key(&self) -> PublicKey {
        self.key.public()
    }

    fn sign<'a>(&'a self, to_sign: &'a ToSign) -> BoxFuture<'a, Result<Signature, BoxError>> {
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::Relaxed);
            let log = self.log.get().unwrap();
            assert_eq!(log.get_local(0).await.ok().flatten().is_some(), !log.is_empty());
            {
                let mut writing = pin!(log.append("within"));
                for _ in 0..200 {
                    assert!(poll(writing.as_mut()).is_pending());
                    tokio::task::yield_now().await;
                }
            }
            Ok(self.key.sign(to_sign.message()))
        })
    }
}

#[tokio::test]
async fn a_write_that_its_own_signer_waits_for_waits_as_well_and_can_be_given_up() {
    let (key, log, asked) = (KeyPair::from_seed(&[1; 32]), OnceLock::new(), AtomicUsize::new(0));
    let signer = Arc::new(Writing { key, log, asked });
    let as_signer: Arc<dyn Signer> = signer.clone();
    let builder = Hypercore::builder(MemoryStorage::new()).signer(as_signer);
    let log = builder.open().await.unwrap();
    signer.log.set(log.session().weak(true).open().await.unwrap()).unwrap();
    log.append("one").await.unwrap();
    log.append("two").await.unwrap();
    assert_eq!((log.length(), signer.asked.load(Ordering::Relaxed)), (2, 2));
    assert_eq!(log.get(1).await.unwrap(), "two");
}

#[tokio::test]
async fn appends_at_the_same_time_keep_their_order() {
    let agent = Agent::new(Manner::Honest);
    let log = log_of(&agent).await;
    let other = log.session().open().await.unwrap();
    let mut appends = tokio::task::JoinSet::new();
    for number in 0..20_u8 {
        let log = if number % 2 == 0 { log.clone() } else { other.clone() };
        appends.spawn(async move { log.append([number]).await.map(|appended| (number, appended)) });
    }
    while let Some(appended) = appends.join_next().await {
        let (number, appended) = appended.unwrap().unwrap();
        assert_eq!(log.get(appended.first).await.unwrap(), [number][..]);
    }
    assert_eq!((log.length(), agent.asked().len()), (20, 20));
}

#[tokio::test]
async fn a_signer_that_may_not_sign_alone_is_refused_before_anything_is_made() {
    let agent = Agent::new(Manner::Honest);
    let signer = |seed: u8| ManifestSigner::new(KeyPair::from_seed(&[seed; 32]).public());
    let both = Manifest::builder().signers([signer(1), signer(2)]).build().unwrap();
    let stranger = Manifest::builder().signer(signer(2)).build().unwrap();
    for manifest in [both, stranger] {
        let memory = MemoryStorage::new();
        let as_signer: Arc<dyn Signer> = agent.clone();
        let open = Hypercore::builder(memory.clone()).signer(as_signer).manifest(manifest.clone());
        assert_eq!(open.open().await.unwrap_err().kind(), ErrorKind::Caller);
        let again = Hypercore::builder(memory).create(Create::Never).open().await;
        assert!(again.unwrap_err().is_not_found());

        let log = Hypercore::builder(MemoryStorage::new()).manifest(manifest).open().await.unwrap();
        let refused = log.session().signer(agent.clone()).open().await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Caller);
    }
    assert!(agent.asked().is_empty());
}

#[tokio::test]
async fn a_session_with_a_signer_writes_to_a_log_without_a_key() {
    let agent = Agent::new(Manner::Honest);
    let manifest = Manifest::single(agent.public_key());
    let log = Hypercore::builder(MemoryStorage::new()).manifest(manifest).open().await.unwrap();
    assert!(!log.writable());
    assert!(log.append("no").await.unwrap_err().is_not_writable());
    let session = log.session().signer(agent.clone()).open().await.unwrap();
    assert!(session.writable());
    session.append("yes").await.unwrap();
    // What comes with a call goes before the signer of the session.
    let options = AppendOptions::new().key_pair(agent.key.clone());
    session.append_with(["mine"], options).await.unwrap();
    assert_eq!((log.length(), agent.asked().len()), (2, 1));
    let read_only = session.session().writable(false).open().await.unwrap();
    assert!(read_only.append("no").await.unwrap_err().is_not_writable());
    session.append_with(["limit"], AppendOptions::new().length_max(2)).await.unwrap_err();
    assert_eq!(agent.asked().len(), 1, "not for what is refused anyway");
}

#[tokio::test]
async fn nobody_is_asked_for_an_append_below_the_prologue() {
    let source = common::writer(3).await;
    let hash = source.tree_hash(2).await.unwrap();
    let agent = Agent::new(Manner::Honest);
    let signer = ManifestSigner::new(agent.public_key());
    let prologue = Prologue { hash, length: 2 };
    let manifest = Manifest::builder().signer(signer).prologue(prologue).build().unwrap();
    for asks in [false, true] {
        let builder = Hypercore::builder(MemoryStorage::new()).manifest(manifest.clone());
        let log =
            if asks { builder.signer(agent.clone()) } else { builder.key_pair(agent.key.clone()) };
        let log = log.open().await.unwrap();
        for blocks in [1, 2, 3] {
            let error = log.append_batch(vec!["block"; blocks]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Caller);
            assert_eq!(log.length(), 0);
        }
        assert!(agent.asked().is_empty());
    }
}

#[tokio::test]
async fn a_log_open_for_reading_asks_nobody() {
    let (memory, agent) = (MemoryStorage::new(), Agent::new(Manner::Honest));
    Hypercore::builder(memory.clone()).signer(agent.clone()).open().await.unwrap();
    let log = Hypercore::builder(memory).signer(agent.clone()).access(Access::ReadOnly);
    let log = log.open().await.unwrap();
    assert!(!log.writable());
    assert!(log.append("no").await.unwrap_err().is_not_writable());
    assert!(agent.asked().is_empty());
}
