//! Encryption of one's own: asynchronous, with a padding of its own, asked while the log is free.

mod common;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use common::{connect, reader};
use futures_util::{SinkExt as _, StreamExt as _};
use hypercore::{
    BLOCK_LEN_MAX, BoxError, BoxFuture, ByteStreamOptions, Create, Durability, Encryption,
    EncryptionProvider, ErrorKind, GetOptions, Hypercore, KeyPair, MemoryStorage, PADDING_LEN_MAX,
    ReadStreamOptions, Storage, WriteSinkOptions,
};
use tokio::sync::Semaphore;

/// Adds its padding (index and fork, then zeros) behind the content, and turns all bits over.
#[derive(Debug)]
struct Mirror {
    padding_len: usize,
    asked: AtomicUsize,
    /// How many blocks may still be asked for.
    gate: Semaphore,
    fails_at: AtomicU64,
    longer: bool,
}

impl Mirror {
    fn new(padding_len: usize) -> Arc<Self> {
        Arc::new(Self {
            padding_len,
            asked: AtomicUsize::new(0),
            gate: Semaphore::new(1_000_000),
            fails_at: AtomicU64::new(u64::MAX),
            longer: false,
        })
    }

    async fn ask(&self, index: u64) -> Result<(), BoxError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.gate.acquire().await?.forget();
        tokio::task::yield_now().await;
        if self.fails_at.load(Ordering::Relaxed) == index {
            return Err("the key server is away".into());
        }
        Ok(())
    }
}

impl EncryptionProvider for Mirror {
    fn padding_len(&self) -> usize {
        self.padding_len
    }

    fn encrypt<'a>(
        &'a self,
        index: u64,
        fork: u64,
        content: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, BoxError>> {
        Box::pin(async move {
            self.ask(index).await?;
            let mut stored: Vec<u8> = content.iter().map(|byte| !byte).collect();
            let mut padding = [index.to_le_bytes(), fork.to_le_bytes()].concat();
            padding.resize(self.padding_len + usize::from(self.longer), 0);
            stored.extend(padding);
            Ok(stored)
        })
    }

    fn decrypt<'a>(
        &'a self,
        index: u64,
        stored: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, BoxError>> {
        Box::pin(async move {
            self.ask(index).await?;
            let len = stored.len().checked_sub(self.padding_len).ok_or("too short")?;
            let (content, padding) = stored.split_at(len);
            if self.padding_len >= 8 && padding[..8] != index.to_le_bytes() {
                return Err("another block".into());
            }
            Ok(content.iter().map(|byte| !byte).collect())
        })
    }
}

async fn log_of(provider: &Arc<Mirror>) -> Hypercore {
    let builder = Hypercore::builder(Storage::memory()).encryption(Arc::clone(provider));
    builder.open().await.unwrap()
}

fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

async fn poll_until<F: Future>(mut future: std::pin::Pin<&mut F>, done: impl Fn() -> bool) {
    while !done() {
        assert!(poll(future.as_mut()).is_pending());
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_asynchronous_provider_with_a_padding_of_its_own() {
    for padding_len in [0, 1, 16, PADDING_LEN_MAX] {
        for durability in [Durability::Immediate, Durability::Eventual] {
            let (memory, provider) = (MemoryStorage::new(), Mirror::new(padding_len));
            let builder = Hypercore::builder(memory.clone()).durability(durability);
            let log = builder.encryption(Arc::clone(&provider)).open().await.unwrap();
            let appended = log.append("hello").await.unwrap();
            assert_eq!((appended.first, appended.length, appended.byte_length), (0, 1, 5));
            let appended = log.append_batch(["", "world", "!"]).await.unwrap();
            assert_eq!((appended.first, appended.length, appended.byte_length), (1, 4, 11));
            log.append_owned(vec![vec![7; 100_000].into()]).await.unwrap();
            assert_eq!(log.get(2).await.unwrap(), "world");
            assert_eq!(log.get_local(4).await.unwrap().unwrap(), vec![7; 100_000]);
            assert_eq!(log.byte_length(), 100_011);
            let info = log.info().await.unwrap();
            assert_eq!((info.byte_length, info.encrypted), (100_011, true));
            assert_eq!(log.seek(9).await.unwrap(), (2, 4));
            assert_eq!(log.seek(11).await.unwrap(), (4, 0));
            assert_eq!(log.seek(100_011).await.unwrap(), (5, 0));

            let raw = log.get_with(0, GetOptions::new().raw(true)).await.unwrap().unwrap();
            assert_eq!(raw.len(), 5 + padding_len);
            assert_eq!(raw[0], !b'h');
            let blind = log.session().without_encryption().open().await.unwrap();
            assert_eq!(blind.get(0).await.unwrap(), raw);
            assert_eq!(blind.byte_length(), 100_011 + 5 * padding_len as u64);

            log.truncate(1, None).await.unwrap();
            log.append("again").await.unwrap();
            let raw = log.get_with(1, GetOptions::new().raw(true)).await.unwrap().unwrap();
            if padding_len >= 16 {
                assert_eq!(raw[5..21], [1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
            }
            log.close().await.unwrap();

            let builder = Hypercore::builder(memory).encryption(provider);
            let log = builder.open().await.unwrap();
            assert_eq!(log.get(1).await.unwrap(), "again");
            assert!(log.verify().await.unwrap().is_ok());
        }
    }
}

#[tokio::test]
async fn a_reader_with_a_provider() {
    let provider = Mirror::new(12);
    let log = log_of(&provider).await;
    log.append_batch(["hello", "world", "!"]).await.unwrap();
    let copy = Hypercore::builder(Storage::memory()).key(log.key()).encryption(provider);
    let copy = copy.open().await.unwrap();
    let _both = connect(&copy, &log);
    assert_eq!(copy.seek(7).await.unwrap(), (1, 2));
    assert_eq!(copy.get(2).await.unwrap(), "!");
    let blind = reader(&log).await;
    let _both = connect(&blind, &log);
    assert_eq!(blind.get(2).await.unwrap().len(), 13);
}

/// One that is chosen at run time, and other ways of saying what is meant.
#[tokio::test]
async fn what_converts_is_an_encryption() {
    let key = hypercore::BlockKey::from_bytes(&[5; 32]);
    let chosen: Arc<dyn EncryptionProvider> = Mirror::new(3);
    for encryption in [Encryption::from(chosen), key.into(), [5; 32].into()] {
        let builder = Hypercore::builder(Storage::memory()).encryption(encryption);
        let log = builder.open().await.unwrap();
        log.append("hello").await.unwrap();
        assert_eq!(log.get(0).await.unwrap(), "hello");
        let plain = log.session().without_encryption().open().await.unwrap();
        assert_ne!(plain.get(0).await.unwrap(), "hello");
    }
}

#[tokio::test]
async fn streams_through_a_provider() {
    let provider = Mirror::new(12);
    let log = log_of(&provider).await;
    let mut sink = log.write_sink(WriteSinkOptions::new());
    let blocks: Vec<String> = (0..100).map(|number| format!("block {number} ")).collect();
    for block in &blocks {
        sink.send(block.clone()).await.unwrap();
    }
    sink.close().await.unwrap();
    let read = log.read_stream(ReadStreamOptions::new());
    let read: Vec<_> = read.map(Result::unwrap).collect().await;
    assert_eq!(read, blocks);
    let content = blocks.concat();
    let bytes = log.byte_stream(ByteStreamOptions::new().offset(13).length(500));
    let bytes: Vec<_> = bytes.map(Result::unwrap).collect().await;
    assert_eq!(bytes.concat(), content.as_bytes()[13..513]);
}

#[tokio::test]
async fn a_block_of_the_largest_size_has_room_for_the_padding() {
    let log = log_of(&Mirror::new(PADDING_LEN_MAX)).await;
    log.append(vec![0; BLOCK_LEN_MAX]).await.unwrap();
    let error = log.append(vec![0; BLOCK_LEN_MAX + 1]).await.unwrap_err();
    assert!(error.is_block_too_large());
    assert_eq!((log.length(), log.byte_length()), (1, BLOCK_LEN_MAX as u64));
}

#[tokio::test]
async fn a_padding_that_no_reader_would_take_is_refused_before_anything_is_made() {
    let (memory, provider) = (MemoryStorage::new(), Mirror::new(PADDING_LEN_MAX + 1));
    let open = || Hypercore::builder(memory.clone()).create(Create::IfMissing);
    let error = open().encryption(Arc::clone(&provider)).open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Caller);
    let again = Hypercore::builder(memory.clone()).create(Create::Never).open().await;
    assert!(again.unwrap_err().is_not_found());
    let log = open().open().await.unwrap();
    let session = log.session().encryption(provider).open().await;
    assert_eq!(session.unwrap_err().kind(), ErrorKind::Caller);
}

#[tokio::test]
async fn a_provider_that_fails_changes_nothing() {
    let provider = Mirror::new(8);
    let log = log_of(&provider).await;
    log.append_batch(["zero", "one"]).await.unwrap();
    provider.fails_at.store(3, Ordering::Relaxed);
    let error = log.append_batch(["two", "three", "four"]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Outside);
    let said = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(said, "the key server is away");
    assert_eq!(log.length(), 2);
    provider.fails_at.store(1, Ordering::Relaxed);
    assert!(log.get(1).await.unwrap_err().is_outside());
    assert_eq!(log.get(0).await.unwrap(), "zero");
    log.append_batch(["two", "three", "four"]).await.unwrap();
    assert_eq!(log.get(4).await.unwrap(), "four");
}

#[tokio::test]
async fn a_provider_that_does_not_keep_to_its_padding_changes_nothing() {
    let mut provider = Mirror::new(8);
    Arc::get_mut(&mut provider).unwrap().longer = true;
    let log = log_of(&provider).await;
    assert!(log.append("one").await.unwrap_err().is_outside());
    assert_eq!(log.length(), 0);

    // Nor is the content of a block believed to be what would put all offsets wrong.
    let honest = Mirror::new(8);
    let memory = MemoryStorage::new();
    let log = Hypercore::builder(memory.clone()).encryption(honest).open().await.unwrap();
    log.append("one").await.unwrap();
    let other = log.session().encryption(Arc::new(Forgetful)).open().await.unwrap();
    assert!(other.get(0).await.unwrap_err().is_outside());
}

/// Gives back what is stored, padding and all.
#[derive(Debug)]
struct Forgetful;

impl EncryptionProvider for Forgetful {
    fn padding_len(&self) -> usize {
        8
    }

    fn encrypt<'a>(
        &'a self,
        _: u64,
        _: u64,
        content: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, BoxError>> {
        Box::pin(async { Ok(content.to_vec()) })
    }

    fn decrypt<'a>(&'a self, _: u64, stored: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, BoxError>> {
        Box::pin(async { Ok(stored.to_vec()) })
    }
}

#[tokio::test]
async fn the_log_is_free_while_a_provider_is_asked() {
    let provider = Mirror::new(8);
    let log = log_of(&provider).await;
    log.append("zero").await.unwrap();
    let plain = log.session().without_encryption().open().await.unwrap();
    provider.gate.forget_permits(1_000_000);
    let (read, appended) = {
        let (mut reading, mut appending) = (pin!(log.get(0)), pin!(log.append("slow")));
        let asked = provider.asked.load(Ordering::Relaxed);
        poll_until(reading.as_mut(), || provider.asked.load(Ordering::Relaxed) == asked + 1).await;
        poll_until(appending.as_mut(), || provider.asked.load(Ordering::Relaxed) == asked + 2)
            .await;
        plain.append("as it is").await.unwrap();
        assert_eq!(plain.get(1).await.unwrap(), "as it is");
        provider.gate.add_permits(1_000_000);
        (reading.await.unwrap(), appending.await.unwrap())
    };
    assert_eq!((&read[..], appended.first), (&b"zero"[..], 2));
    // Encrypted again, for the place that it has.
    let raw = plain.get(2).await.unwrap();
    assert_eq!(raw[4..], [2, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(log.get(2).await.unwrap(), "slow");
}

#[tokio::test]
async fn a_provider_that_hangs_is_dropped_and_the_next_calls_work() {
    let provider = Mirror::new(8);
    let log = log_of(&provider).await;
    log.append("zero").await.unwrap();
    provider.gate.forget_permits(1_000_000);
    {
        let (mut reading, mut appending) = (pin!(log.get(0)), pin!(log.append("never")));
        let asked = provider.asked.load(Ordering::Relaxed);
        poll_until(reading.as_mut(), || provider.asked.load(Ordering::Relaxed) == asked + 1).await;
        poll_until(appending.as_mut(), || provider.asked.load(Ordering::Relaxed) == asked + 2)
            .await;
    }
    provider.gate.add_permits(1_000_000);
    assert_eq!(log.append("one").await.unwrap().first, 1);
    assert_eq!(log.get(1).await.unwrap(), "one");
    assert_eq!(log.get(0).await.unwrap(), "zero");

    provider.gate.forget_permits(1_000_000);
    let (mut reading, mut appending) = (pin!(log.get(0)), pin!(log.append("never")));
    let asked = provider.asked.load(Ordering::Relaxed);
    poll_until(reading.as_mut(), || provider.asked.load(Ordering::Relaxed) == asked + 1).await;
    poll_until(appending.as_mut(), || provider.asked.load(Ordering::Relaxed) == asked + 2).await;
    log.close().await.unwrap();
    assert_eq!(reading.await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(appending.await.unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn a_signer_and_a_provider_together() {
    let provider = Mirror::new(5);
    let builder = Hypercore::builder(Storage::memory()).encryption(provider);
    let log = builder.signer(Arc::new(KeyPair::from_seed(&[1; 32]))).open().await.unwrap();
    log.append_batch(["hello", "world"]).await.unwrap();
    log.truncate(1, None).await.unwrap();
    log.append("!").await.unwrap();
    assert_eq!(log.get(1).await.unwrap(), "!");
    assert_eq!((log.length(), log.byte_length()), (2, 6));
    assert!(log.verify().await.unwrap().is_ok());
}

#[test]
fn what_is_printed_tells_no_secrets() {
    let secret = [0xab; 32];
    for encryption in [
        Encryption::key(secret),
        Encryption::from(secret),
        Encryption::block_key(hypercore::BlockKey::from_bytes(&secret)),
        Encryption::key_ids(hypercore::KeyIdEncryption::new(3, &secret)),
    ] {
        let builder = Hypercore::builder(Storage::memory()).encryption(encryption.clone());
        for shown in [format!("{encryption:?}"), format!("{encryption:#?}"), format!("{builder:?}")]
        {
            let shown = shown.to_lowercase();
            assert!(!shown.contains("171") && !shown.contains("abab"), "{shown}");
        }
    }
}
