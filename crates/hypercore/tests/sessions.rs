//! Sessions: what they inherit and override, how they end, and which one closes the log.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::{block, connect, reader, writer};
use hypercore::{
    EndReason, ErrorKind, GetOptions, Hypercore, KeyPair, Manifest, ManifestSigner, MemoryStorage,
    SeekOptions, Storage,
};

const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(3600);

async fn memory() -> Hypercore {
    Hypercore::open(Storage::memory()).await.unwrap()
}

/// A call times out after a time of a clock that stands still but for what is waited for.
async fn assert_times_out(
    call: impl Future<Output = hypercore::Result<impl Sized>>,
    after: Duration,
) {
    let began = tokio::time::Instant::now();
    let error = call.await.map(drop).unwrap_err();
    assert!(error.is_timed_out() && error.kind() == ErrorKind::TimedOut, "{error}");
    let (waited, tick) = (began.elapsed(), Duration::from_millis(2));
    assert!(after <= waited && waited <= after + tick, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn timeouts_are_inherited_disabled_and_extended() {
    let log = Hypercore::builder(Storage::memory()).timeout(SHORT).open().await.unwrap();
    assert_times_out(log.get(0), SHORT).await;

    let inherits = log.session().open().await.unwrap();
    let again = inherits.session().writable(false).open().await.unwrap();
    for session in [&inherits, &again] {
        assert_times_out(session.get(0), SHORT).await;
        assert_times_out(session.seek(1), SHORT).await;
        assert_times_out(session.wait_for_length(1), SHORT).await;
    }

    let extended = log.session().timeout(LONG).open().await.unwrap();
    assert_times_out(extended.get(0), LONG).await;
    assert_times_out(log.get_with(0, GetOptions::new().timeout(LONG)), LONG).await;
    assert_times_out(extended.get_with(0, GetOptions::new().timeout(SHORT)), SHORT).await;
    assert_times_out(extended.seek_with(1, SeekOptions::new().timeout(SHORT)), SHORT).await;

    let disabled = log.session().timeout(None).open().await.unwrap();
    let by_session = disabled.get(0);
    let by_call = log.get_with(0, GetOptions::new().timeout(None));
    let by_seek = log.seek_with(1, SeekOptions::new().timeout(None));
    let later = async {
        tokio::time::sleep(LONG * 24).await;
        log.append("late").await.unwrap();
    };
    let (by_session, by_call, by_seek, ()) = tokio::join!(by_session, by_call, by_seek, later);
    assert_eq!(by_session.unwrap(), "late");
    assert_eq!(by_call.unwrap().unwrap(), "late");
    assert_eq!(by_seek.unwrap().unwrap(), (0, 1));
}

#[tokio::test]
async fn who_does_not_wait_is_told_at_once() {
    let log = Hypercore::builder(Storage::memory()).wait(false).open().await.unwrap();
    log.append_batch(["a", "b"]).await.unwrap();
    log.clear(0..1).await.unwrap();
    let error = log.get(0).await.unwrap_err();
    assert!(error.is_not_stored() && error.kind() == ErrorKind::Caller);
    assert!(log.get(2).await.unwrap_err().is_not_stored());
    assert!(log.seek(3).await.unwrap_err().is_not_stored());
    assert!(log.wait_for_length(3).await.unwrap_err().is_not_stored());
    assert_eq!(log.get_with(0, GetOptions::new()).await.unwrap(), None);
    assert_eq!(log.seek_with(3, SeekOptions::new()).await.unwrap(), None);
    assert_eq!(log.get(1).await.unwrap(), "b");

    // A session, or one call, may wait all the same.
    let waits = log.session().wait(true).open().await.unwrap();
    let (by_session, by_call, appended) =
        tokio::join!(waits.get(2), log.get_with(2, GetOptions::new().wait(true)), log.append("c"));
    appended.unwrap();
    assert_eq!((by_session.unwrap(), by_call.unwrap().unwrap()), ("c".into(), "c".into()));
}

#[tokio::test]
async fn hooks_hear_of_each_wait_and_of_nothing_else() {
    let counted = || {
        let count = Arc::new(AtomicU64::new(0));
        let hook = Arc::clone(&count);
        (count, move |index| {
            hook.fetch_add(100 + index, Ordering::Relaxed);
        })
    };
    let ((of_log, log_hook), (of_session, session_hook), (of_call, call_hook)) =
        (counted(), counted(), counted());
    let log = Hypercore::builder(Storage::memory()).on_wait(log_hook).open().await.unwrap();
    log.append("a").await.unwrap();
    log.get(0).await.unwrap();
    let counts = || [&of_log, &of_session, &of_call].map(|count| count.load(Ordering::Relaxed));
    assert_eq!(counts(), [0, 0, 0]);

    let inherits = log.session().timeout(Duration::ZERO).open().await.unwrap();
    inherits.get(1).await.unwrap_err();
    assert_eq!(counts(), [101, 0, 0]);
    let overrides = inherits.session().on_wait(session_hook).open().await.unwrap();
    overrides.get(2).await.unwrap_err();
    assert_eq!(counts(), [101, 102, 0]);
    overrides.get_with(3, GetOptions::new().on_wait(call_hook)).await.unwrap_err();
    assert_eq!(counts(), [101, 205, 103]);
    assert!(log.get_with(4, GetOptions::new().wait(false)).await.unwrap_err().is_out_of_bounds());
    assert_eq!(counts(), [101, 205, 103]);
}

#[tokio::test]
async fn raw_blocks_are_as_they_are_stored() {
    let memory = MemoryStorage::new();
    let open = || Hypercore::builder(memory.clone());
    let log = open().encryption_key([7; 32]).open().await.unwrap();
    log.append("secret").await.unwrap();
    let raw = log.get_with(0, GetOptions::new().raw(true)).await.unwrap().unwrap();
    assert_eq!(raw.len(), "secret".len() + 8);
    assert_eq!(log.get_with(0, GetOptions::new()).await.unwrap().unwrap(), "secret");

    // A session has a key of its own, or none.
    log.close().await.unwrap();
    let log = open().open().await.unwrap();
    assert_eq!((log.get(0).await.unwrap(), log.byte_length()), (raw.clone(), 14));
    let decrypts = log.session().encryption_key([7; 32]).open().await.unwrap();
    assert_eq!((decrypts.get(0).await.unwrap(), decrypts.byte_length()), ("secret".into(), 6));
    assert_eq!(decrypts.session().open().await.unwrap().get(0).await.unwrap(), "secret");
    assert_eq!(log.get(0).await.unwrap(), raw);
}

/// Appends of sessions that encrypt differently are never made one batch, though they wait in one queue.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sessions_with_other_keys_append_at_the_same_time() {
    let log = memory().await;
    let mut sessions = vec![log.clone()];
    for key in 1..4 {
        sessions.push(log.session().encryption_key([key; 32]).open().await.unwrap());
    }
    let mut appends = Vec::new();
    for round in 0..50 {
        for (number, session) in sessions.iter().enumerate() {
            let session = session.clone();
            appends.push(tokio::spawn(async move {
                let block = format!("{number} in round {round}");
                (number, session.append(&block).await.unwrap().first, block)
            }));
        }
    }
    for append in appends {
        let (number, first, block) = append.await.unwrap();
        assert_eq!(sessions[number].get(first).await.unwrap(), block);
    }
}

#[tokio::test]
async fn closing_one_session_leaves_the_others() {
    let log = memory().await;
    let session = log.session().open().await.unwrap();
    assert_eq!(log.active_sessions(), 2);
    log.append("a").await.unwrap();

    // What waits in it, however it waits, hears so at once.
    let mut download = session.download(0..9).unwrap();
    let waiting = async {
        let outcomes = tokio::join!(
            session.get(5),
            session.seek(100),
            session.wait_for_length(9),
            download.done()
        );
        [
            outcomes.0.unwrap_err(),
            outcomes.1.unwrap_err(),
            outcomes.2.unwrap_err(),
            outcomes.3.unwrap_err(),
        ]
    };
    let clone = session.clone();
    let (errors, closed) = tokio::join!(waiting, async {
        tokio::task::yield_now().await;
        clone.close().await
    });
    closed.unwrap();
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Closed);
    }

    assert!(session.is_closed() && clone.is_closed() && !log.is_closed());
    assert_eq!(log.active_sessions(), 1);
    let errors = [
        session.get(0).await.unwrap_err(),
        session.get_local(0).await.unwrap_err(),
        session.append("x").await.unwrap_err(),
        session.append_batch(vec!["x"; 1000]).await.unwrap_err(),
        session.truncate(0, None).await.unwrap_err(),
        session.clear(0..1).await.unwrap_err(),
        session.update().await.unwrap_err(),
        session.flush().await.unwrap_err(),
        session.info().await.unwrap_err(),
        session.session().open().await.unwrap_err(),
        session.download(..).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Closed);
    }
    session.close().await.unwrap();
    assert_eq!(log.append("b").await.unwrap().first, 1);
    assert_eq!(log.get(1).await.unwrap(), "b");
}

#[tokio::test]
async fn a_closed_session_asks_peers_for_nothing_more() {
    let log = writer(100).await;
    let copy = reader(&log).await;
    let session = copy.session().open().await.unwrap();
    let mut download = session.download(0..100).unwrap();
    session.close().await.unwrap();
    let _both = connect(&copy, &log);
    for index in [99, 50, 0] {
        assert_eq!(copy.get(index).await.unwrap(), block(index as usize));
    }
    let stored = copy.stored_ranges(0..100, 9).await.unwrap();
    assert_eq!(stored, [0..1, 50..51, 99..100]);
    assert_eq!(download.done().await.unwrap_err().kind(), ErrorKind::Closed);
    // A connection that began in a session that is closed goes on, and one more does not begin.
    let session = copy.session().open().await.unwrap();
    let (one, other) = connect(&session, &log);
    session.get(1).await.unwrap();
    session.close().await.unwrap();
    copy.get(2).await.unwrap();
    let (late, _other) = connect(&session, &log);
    assert!(matches!(late.await, EndReason::LogClosed));
    drop((one, other));
}

#[tokio::test]
async fn the_log_closes_with_its_last_session() {
    let scratch = tempfile::tempdir().unwrap();
    let reopened = || Hypercore::open(scratch.path());
    let log = reopened().await.unwrap();
    let one = log.session().open().await.unwrap();
    let other = one.session().open().await.unwrap();
    log.append("x").await.unwrap();
    log.close().await.unwrap();
    drop(one);
    assert_eq!(other.get(0).await.unwrap(), "x");
    assert_eq!(other.append("y").await.unwrap().first, 1);
    assert!(reopened().await.unwrap_err().is_locked());
    other.close().await.unwrap();
    assert_eq!(reopened().await.unwrap().length(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_closes() {
    let scratch = tempfile::tempdir().unwrap();
    for round in 0..20 {
        let log = Hypercore::open(scratch.path()).await.unwrap();
        log.append(format!("{round}")).await.unwrap();
        let mut handles = vec![log.clone(), log];
        for _ in 0..3 {
            handles.push(handles[0].session().open().await.unwrap());
            handles.push(handles[2].clone());
        }
        let closes: Vec<_> = handles
            .iter()
            .cloned()
            .map(|handle| tokio::spawn(async move { handle.close().await }))
            .collect();
        for close in closes {
            close.await.unwrap().unwrap();
        }
        assert!(handles.iter().all(Hypercore::is_closed));
        assert_eq!(handles[0].active_sessions(), 0);
        // All who closed have returned, so the lock is free although the handles are still there.
        let again = Hypercore::open(scratch.path()).await.unwrap();
        assert_eq!(again.length(), round + 1);
    }
}

#[tokio::test]
async fn a_weak_session_lets_the_log_close() {
    let scratch = tempfile::tempdir().unwrap();
    for dropped in [false, true] {
        let log = Hypercore::open(scratch.path()).await.unwrap();
        log.append("x").await.unwrap();
        let weak = log.session().weak(true).open().await.unwrap();
        let inherits = weak.session().open().await.unwrap();
        assert_eq!(log.active_sessions(), 1);
        let length = log.length();
        assert_eq!(weak.get(length - 1).await.unwrap(), "x");

        let pending = weak.clone();
        let pending = tokio::spawn(async move { pending.get(1_000_000).await });
        tokio::task::yield_now().await;
        if dropped {
            drop(log);
        } else {
            log.close().await.unwrap();
        }
        assert_eq!(pending.await.unwrap().unwrap_err().kind(), ErrorKind::Closed);
        assert!(weak.is_closed() && inherits.is_closed());
        assert_eq!(weak.get(0).await.unwrap_err().kind(), ErrorKind::Closed);
        assert_eq!(weak.length(), length);
        let late = weak.session().weak(false).open().await.unwrap_err();
        assert_eq!((late.kind(), weak.active_sessions()), (ErrorKind::Closed, 0));
        weak.close().await.unwrap();
        // The weak sessions are still there, and the lock is free.
        let again = Hypercore::open(scratch.path()).await.unwrap();
        assert_eq!(again.length(), length);
        drop((again, weak, inherits));
    }
}

#[tokio::test]
async fn a_session_of_a_weak_one_may_keep_the_log_open() {
    let log = memory().await;
    let weak = log.session().weak(true).open().await.unwrap();
    let strong = weak.session().weak(false).open().await.unwrap();
    log.close().await.unwrap();
    drop(weak);
    assert_eq!(strong.append("x").await.unwrap().length, 1);
    strong.close().await.unwrap();
    assert_eq!(strong.session().open().await.unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test(start_paused = true)]
async fn one_exclusive_session_at_a_time() {
    let log = memory().await;
    let first = log.session().exclusive().open().await.unwrap();
    // Who reads needs no place, and who did not ask for one is not kept out.
    log.session().exclusive().writable(false).open().await.unwrap();
    log.append("x").await.unwrap();

    let second = tokio::time::timeout(SHORT, log.session().exclusive().open()).await;
    assert!(second.is_err(), "the place is taken");
    let (order, came) = tokio::sync::mpsc::unbounded_channel();
    let mut waiting = Vec::new();
    for number in 0..3 {
        let (log, order) = (log.clone(), order.clone());
        waiting.push(tokio::spawn(async move {
            let session = log.session().exclusive().open().await.unwrap();
            order.send(number).unwrap();
            drop(session);
        }));
        tokio::task::yield_now().await;
    }
    waiting.remove(1).abort();
    tokio::time::sleep(SHORT).await;
    let mut came = came;
    assert!(came.try_recv().is_err(), "all of them wait");
    first.close().await.unwrap();
    assert_eq!((came.recv().await, came.recv().await), (Some(0), Some(2)));

    // Closing the log ends the waiting.
    let _holder = log.session().weak(true).exclusive().open().await.unwrap();
    let waiter = log.session().weak(true).open().await.unwrap();
    let waiter = tokio::spawn(async move { waiter.session().exclusive().open().await });
    tokio::task::yield_now().await;
    log.close().await.unwrap();
    assert_eq!(waiter.await.unwrap().unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn a_session_may_be_for_reading_only() {
    let log = memory().await;
    let session = log.session().writable(false).open().await.unwrap();
    assert!(log.writable() && !session.writable() && !session.info().await.unwrap().writable);
    let inherits = session.session().open().await.unwrap();
    for session in [session.clone(), inherits] {
        let errors = [
            session.append("x").await.unwrap_err(),
            session.append_batch(vec!["x"; 1000]).await.unwrap_err(),
            session.truncate(0, None).await.unwrap_err(),
            session.clear(0..1).await.unwrap_err(),
        ];
        for error in errors {
            assert!(error.is_not_writable() && error.kind() == ErrorKind::Caller);
        }
    }
    log.append("x").await.unwrap();
    assert_eq!(session.get(0).await.unwrap(), "x");
    let writes = session.session().writable(true).open().await.unwrap();
    assert_eq!(writes.append("y").await.unwrap().first, 1);
}

#[tokio::test]
async fn a_key_pair_makes_a_session_writable() {
    let pairs = [[1; 32], [2; 32], [3; 32]].map(|seed| KeyPair::from_seed(&seed));
    let signers = pairs[..2].iter().map(|pair| ManifestSigner::new(pair.public()));
    let manifest = Manifest::builder().quorum(1).signers(signers).build().unwrap();
    let log = Hypercore::builder(Storage::memory()).manifest(manifest).open().await.unwrap();
    assert!(!log.writable());
    assert!(log.append("x").await.unwrap_err().is_not_writable());

    let stranger = log.session().key_pair(pairs[2].clone()).open().await.unwrap_err();
    assert_eq!(stranger.kind(), ErrorKind::Caller);
    for (first, pair) in pairs[..2].iter().enumerate() {
        let session = log.session().key_pair(pair.clone()).open().await.unwrap();
        assert!(session.writable());
        assert_eq!(session.append("x").await.unwrap().first, 3 * first as u64);
        assert_eq!(
            session.append_batch(["y"; 1000]).await.unwrap().length,
            3 * first as u64 + 1001
        );
        session.truncate(3 * first as u64 + 3, None).await.unwrap();
        assert!(!session.session().writable(false).open().await.unwrap().writable());
    }
    assert_eq!((log.length(), log.fork()), (6, 2));
    assert!(log.verify().await.unwrap().is_ok());

    // One of those who have to sign together can not write alone.
    let signers = pairs.iter().map(|pair| ManifestSigner::new(pair.public()));
    let together = Manifest::builder().quorum(2).signers(signers).build().unwrap();
    let log = Hypercore::builder(Storage::memory()).manifest(together).open().await.unwrap();
    let refused = log.session().key_pair(pairs[0].clone()).open().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Caller);
}

/// Handles of sessions that were closed may be kept for long: they keep neither the lock nor the files.
#[tokio::test]
async fn closed_handles_do_not_keep_the_log_open() {
    let scratch = tempfile::tempdir().unwrap();
    for kind in 0..3 {
        let log = Hypercore::open(scratch.path()).await.unwrap();
        let closed = match kind {
            0 => log.session().open().await.unwrap(),
            1 => log.session().weak(true).open().await.unwrap(),
            _ => Hypercore::clone(&*log.batch("draft").open().await.unwrap()),
        };
        closed.close().await.unwrap();
        drop(log);
        let again = Hypercore::open(scratch.path()).await.unwrap();
        again.append("more").await.unwrap();
        assert_eq!(closed.append("no").await.unwrap_err().kind(), ErrorKind::Closed);
        again.close().await.unwrap();
    }
}

/// Closing a batch waits for the batch first: the log must not depend on anybody waiting for that.
#[tokio::test]
async fn a_batch_that_is_the_last_session_closes_the_log_also_when_nobody_waits() {
    let scratch = tempfile::tempdir().unwrap();
    let log = Hypercore::open(scratch.path()).await.unwrap();
    let batch = log.batch("draft").open().await.unwrap();
    log.close().await.unwrap();
    {
        let mut closing = std::pin::pin!(batch.close());
        let begun = std::future::poll_fn(|context| {
            std::task::Poll::Ready(closing.as_mut().poll(context).is_pending())
        });
        begun.await;
    }
    assert!(batch.is_closed());
    let again = Hypercore::open(scratch.path()).await.unwrap();
    again.append("more").await.unwrap();
    drop(batch);
}
