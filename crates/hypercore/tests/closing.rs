//! Closing: idempotent, for all clones, after what is running; later calls say so.

use hypercore::{ErrorKind, Hypercore, MemoryStorage, Storage};

#[tokio::test]
async fn closed_says_closed() {
    let log = Hypercore::open(Storage::memory()).await.unwrap();
    let clone = log.clone();
    log.append_batch(["a", "bc"]).await.unwrap();
    log.close().await.unwrap();
    log.close().await.unwrap();
    assert!(clone.is_closed());
    let errors = [
        clone.append("x").await.unwrap_err(),
        clone.append_batch(["x"]).await.unwrap_err(),
        clone.get_local(0).await.unwrap_err(),
        clone.has(0).await.unwrap_err(),
        clone.seek_local(0).await.unwrap_err(),
        clone.clear(0..1).await.unwrap_err(),
        clone.truncate(0, None).await.unwrap_err(),
        clone.tree_hash_local(0).await.unwrap_err(),
        clone.info().await.unwrap_err(),
        clone.verify().await.unwrap_err(),
        clone.flush().await.unwrap_err(),
        clone.recovery().unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Closed);
        assert_eq!(error.to_string(), "the log was closed");
    }
    // The last numbers stay.
    assert_eq!((clone.length(), clone.byte_length(), clone.contiguous_length()), (2, 3, 2));
    clone.close().await.unwrap();
}

#[tokio::test]
async fn a_download_that_closing_has_ended_says_so_each_time() {
    let log = Hypercore::open(Storage::memory()).await.unwrap();
    let mut download = log.download(0..5).unwrap();
    log.close().await.unwrap();
    for _ in 0..2 {
        assert_eq!(download.done().await.unwrap_err().kind(), ErrorKind::Closed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn closing_waits_for_what_runs_and_all_closers_hear() {
    let scratch = tempfile::tempdir().unwrap();
    let log = Hypercore::open(scratch.path()).await.unwrap();
    let appends: Vec<_> = (0..64)
        .map(|index| {
            let log = log.clone();
            tokio::spawn(async move { log.append(format!("{index}")).await })
        })
        .collect();
    tokio::task::yield_now().await;
    let closers: Vec<_> = (0..8)
        .map(|_| {
            let log = log.clone();
            tokio::spawn(async move { log.close().await })
        })
        .collect();
    for closer in closers {
        closer.await.unwrap().unwrap();
    }
    let mut acknowledged = Vec::new();
    for (index, append) in appends.into_iter().enumerate() {
        match append.await.unwrap() {
            Ok(appended) => acknowledged.push((appended.first, index)),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Closed),
        }
    }
    let log = Hypercore::open(scratch.path()).await.unwrap();
    assert_eq!(log.length(), acknowledged.len() as u64);
    for (first, index) in acknowledged {
        assert_eq!(log.get_local(first).await.unwrap().unwrap(), format!("{index}"));
    }
}

#[tokio::test]
async fn a_dropped_close_closes_all_the_same() {
    use std::future::Future as _;
    use std::task::{Context, Waker};
    let memory = MemoryStorage::new();
    let log = Hypercore::open(memory.clone()).await.unwrap();
    log.append("x").await.unwrap();
    {
        let mut close = Box::pin(log.close());
        let _ = close.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
    assert!(log.is_closed());
    log.close().await.unwrap();
    assert_eq!(Hypercore::open(memory).await.unwrap().length(), 1);
}

#[test]
fn without_a_runtime_opening_fails_and_says_so() {
    use std::future::Future as _;
    use std::task::{Context, Poll, Waker};
    let mut open = Box::pin(Hypercore::open(Storage::memory()));
    let Poll::Ready(result) = open.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("it waits");
    };
    assert!(result.unwrap_err().to_string().contains("tokio"));
}

#[test]
fn a_runtime_that_is_gone_closes_the_log() {
    let scratch = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let log = runtime.block_on(Hypercore::open(scratch.path())).unwrap();
    drop(runtime);
    let other = tokio::runtime::Runtime::new().unwrap();
    let error = other.block_on(log.append("x")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    other.block_on(log.close()).unwrap();
    other.block_on(Hypercore::open(scratch.path())).unwrap();
}

/// The numbers of a log that is being closed are there at once, also while a long call runs.
#[tokio::test]
async fn nobody_waits_for_the_numbers_of_a_closing_log() {
    use std::sync::mpsc::channel;
    let log = Hypercore::open(Storage::memory()).await.unwrap();
    log.append_batch(["a", "bc"]).await.unwrap();
    let (begun, has_begun) = channel();
    let (go_on, may_go_on) = channel::<()>();
    let audited = log.clone();
    let audit = tokio::spawn(async move {
        let wait = move |_| {
            let _ = begun.send(());
            let _ = may_go_on.recv();
        };
        audited.verify_with(wait).await
    });
    tokio::task::spawn_blocking(move || has_begun.recv().unwrap()).await.unwrap();
    let closing = tokio::spawn({
        let log = log.clone();
        async move { log.close().await }
    });
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert!(log.is_closed());
    assert_eq!((log.length(), log.byte_length()), (2, 3));
    assert_eq!(log.get_local(0).await.unwrap_err().kind(), ErrorKind::Closed);
    drop(go_on);
    closing.await.unwrap().unwrap();
    assert!(audit.await.unwrap().unwrap().is_ok());
}
