//! The log without async: the same calls, from threads without a runtime, and inside of one.
#![cfg(feature = "blocking")]

use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::time::Duration;

use hypercore::blocking::Hypercore;
use hypercore::{
    AppendOptions, CommitOptions, Create, Durability, ErrorKind, Event, GetOptions, KeyPair,
    Manifest, ManifestSigner, MemoryStorage, ProofRequest, RemoteProof, Storage, Utf8,
    WriteSinkOptions,
};

#[test]
fn a_log_is_written_read_and_reopened() {
    let scratch = tempfile::tempdir().unwrap();
    let directory = scratch.path().join("log");
    let log = Hypercore::open(&directory).unwrap();
    assert!(log.is_empty() && log.writable());
    assert_eq!(log.append("zero").unwrap().first, 0);
    log.append_batch(["one", "two"]).unwrap();
    log.append_owned(vec!["three".into()]).unwrap();
    assert_eq!((log.length(), log.byte_length()), (4, 15));
    assert_eq!(log.get(2).unwrap(), "two");
    assert_eq!(log.seek(5).unwrap(), (1, 1));
    assert!(log.has_range(0..4).unwrap());
    log.clear(1..2).unwrap();
    assert!(!log.has(1).unwrap());
    log.truncate(3, Some(7)).unwrap();
    let info = log.info().unwrap();
    assert_eq!((info.length, info.fork, log.fork()), (3, 7, 7));
    assert!(log.verify().unwrap().is_ok());
    log.close().unwrap();
    assert_eq!(log.append("no").unwrap_err().kind(), ErrorKind::Closed);

    let log = Hypercore::builder(&directory).create(Create::Never).open_blocking().unwrap();
    assert_eq!((log.key(), log.length()), (info.key, 3));
    assert_eq!(log.get_local(2).unwrap().unwrap(), "two");
}

#[test]
fn errors_are_those_of_the_async_calls() {
    let scratch = tempfile::tempdir().unwrap();
    let missing = Hypercore::builder(scratch.path()).create(Create::Never).open_blocking();
    assert!(missing.unwrap_err().is_not_found());
    let log = Hypercore::open(scratch.path()).unwrap();
    assert!(Hypercore::open(scratch.path()).unwrap_err().is_locked());
    assert!(log.get_local(0).unwrap_err().is_out_of_bounds());
    let started = GetOptions::new().timeout(Duration::from_millis(1));
    assert!(log.get_with(0, started).unwrap_err().is_timed_out());
}

#[test]
fn streams_are_iterators_and_readers() {
    let log = Hypercore::open(Storage::memory()).unwrap();
    log.append_batch(["hello", "", "world", "!"]).unwrap();
    let blocks: Vec<_> = log.read_stream(..).map(Result::unwrap).collect();
    assert_eq!(blocks, ["hello", "", "world", "!"]);
    assert_eq!(log.read_stream(2..3).count(), 1);

    let mut bytes = log.byte_stream(..);
    let mut text = String::new();
    bytes.read_to_string(&mut text).unwrap();
    assert_eq!(text, "helloworld!");
    assert_eq!(bytes.seek(SeekFrom::End(-3)).unwrap(), 8);
    let mut end = Vec::new();
    bytes.read_to_end(&mut end).unwrap();
    assert_eq!(end, b"ld!");
    bytes.seek(SeekFrom::Start(4)).unwrap();
    let mut two = [0; 2];
    bytes.read_exact(&mut two).unwrap();
    assert_eq!(&two, b"ow");
    assert_eq!(bytes.seek(SeekFrom::Current(-1)).unwrap(), 5);
    assert!(bytes.seek(SeekFrom::Current(-6)).is_err());
}

#[test]
fn values_and_sinks() {
    let log = Hypercore::open(Storage::memory()).unwrap();
    let words = log.typed(Utf8);
    words.append("one").unwrap();
    words.append_batch(["two", "three"]).unwrap();
    let longer = AppendOptions::new().length_max(3);
    assert_eq!(words.append_with(["four"], longer).unwrap_err().kind(), ErrorKind::Caller);
    assert_eq!(words.get(1).unwrap(), "two");
    assert_eq!(words.get_local(2).unwrap().as_deref(), Some("three"));
    assert_eq!(words.get_with(0, GetOptions::new()).unwrap().as_deref(), Some("one"));

    let mut sink = log.write_sink(WriteSinkOptions::new());
    sink.feed("four").unwrap();
    assert!(sink.appended().is_none() && log.length() == 3);
    sink.flush().unwrap();
    assert_eq!(sink.appended().unwrap().length, 4);
    sink.feed([0xff]).unwrap();
    sink.close().unwrap();
    assert!(sink.feed("no").unwrap_err().is_sink_ended());

    let mut all = words.clone().read_stream(2..);
    assert_eq!(all.next().unwrap().unwrap(), "three");
    assert_eq!(all.next().unwrap().unwrap(), "four");
    assert!(all.next().unwrap().unwrap_err().is_codec());
    assert!(all.next().is_none());
}

#[test]
fn two_of_three_sign() {
    let keys = [1, 2, 3].map(|seed| KeyPair::from_seed(&[seed; 32]));
    let signers = keys.iter().map(|key| ManifestSigner::new(key.public()));
    let manifest = Manifest::builder().signers(signers).quorum(2).build().unwrap();
    let open = || {
        let log = Hypercore::builder(Storage::memory()).manifest(manifest.clone());
        log.open_blocking().unwrap().batch("proposal").open_blocking().unwrap()
    };
    let parts = [&keys[0], &keys[2]].map(|key| {
        let proposal = open();
        proposal.append("agreed").unwrap();
        proposal.sign_partial(key, 1).unwrap()
    });
    let proposal = open();
    proposal.append("agreed").unwrap();
    assert!(proposal.assemble(1, &parts[..1]).is_err());
    let signature = proposal.assemble(1, &parts).unwrap();
    let done = proposal.commit_with(CommitOptions::new().signature(signature)).unwrap();
    assert_eq!((done.first, done.length), (0, 1));
}

#[test]
fn a_live_iterator_waits_for_another_thread() {
    let log = Hypercore::open(Storage::memory()).unwrap();
    let reading = std::thread::spawn({
        let log = log.clone();
        let options = hypercore::ReadStreamOptions::new().live(true);
        move || log.read_stream(options).take(3).map(Result::unwrap).collect::<Vec<_>>()
    });
    let waiting = std::thread::spawn({
        let log = log.clone();
        move || log.get(2).unwrap()
    });
    for block in ["one", "two", "three"] {
        log.append(block).unwrap();
    }
    assert_eq!(reading.join().unwrap(), ["one", "two", "three"]);
    assert_eq!(waiting.join().unwrap(), "three");
}

#[test]
fn events_are_told_until_the_log_is_closed() {
    let log = Hypercore::open(Storage::memory()).unwrap();
    let events = log.events();
    log.append("one").unwrap();
    log.close().unwrap();
    let events: Vec<_> = events.collect();
    assert!(matches!(events.first(), Some(Event::Ready { .. })), "{events:?}");
    assert!(events.iter().any(|event| matches!(event, Event::Appended { .. })), "{events:?}");
    assert!(matches!(events.last(), Some(Event::Closed)), "{events:?}");
}

#[test]
fn user_data_is_kept() {
    let log = Hypercore::open(Storage::memory()).unwrap();
    log.set_user_data("b", "two").unwrap();
    log.set_user_data("a", "one").unwrap();
    assert_eq!(log.user_data("b").unwrap().unwrap(), "two");
    let all = log.user_data_range(.., 9).unwrap();
    assert_eq!(all, [("a".to_owned(), "one".into()), ("b".to_owned(), "two".into())]);
    log.remove_user_data("b").unwrap();
    assert_eq!(log.user_data_range("b".., 9).unwrap(), []);
}

#[test]
fn sessions_and_snapshots_are_opened() {
    let log = Hypercore::open(Storage::memory()).unwrap();
    log.append_batch(["one", "two"]).unwrap();
    let reading = log.session().writable(false).open_blocking().unwrap();
    let snapshot = log.snapshot().unwrap();
    assert_eq!(log.active_sessions(), 3);
    log.truncate(1, None).unwrap();
    assert!(reading.append("no").unwrap_err().is_not_writable());
    assert_eq!((snapshot.length(), reading.length()), (2, 1));
    assert_eq!(snapshot.get(1).unwrap(), "two");
}

#[test]
fn batches_are_committed_and_discarded() {
    let log = Hypercore::open(Storage::memory()).unwrap();
    log.append("one").unwrap();
    let batch = log.batch("draft").open_blocking().unwrap();
    batch.append_batch(["two", "three"]).unwrap();
    assert_eq!((batch.name(), batch.length(), log.length()), ("draft", 3, 1));
    assert_eq!(batch.ancestors().unwrap(), 1);
    assert_eq!(log.batches().unwrap(), ["draft"]);
    assert_eq!(batch.commit_with(CommitOptions::new().length(2)).unwrap().length, 2);
    assert_eq!(batch.commit().unwrap().length, 3);
    assert_eq!(log.get(2).unwrap(), "three");
    batch.discard().unwrap();
    assert!(log.batches().unwrap().is_empty());
}

#[test]
fn proofs_and_backups_are_made() {
    let scratch = tempfile::tempdir().unwrap();
    let log = Hypercore::open(Storage::memory()).unwrap();
    log.append_batch(["one", "two"]).unwrap();
    let proof = log.create_proof(&ProofRequest::new().upgrade(0..2).manifest().block(1)).unwrap();
    let copy = Hypercore::builder(Storage::memory()).key(log.key()).open_blocking().unwrap();
    copy.apply_proof(&proof.unwrap()).unwrap();
    assert_eq!(copy.get(1).unwrap(), "two");
    let proof = log.remote_proof(None).unwrap().unwrap().encode();
    assert_eq!(RemoteProof::decode(proof).unwrap().verify(&log.key(), None).unwrap().length, 2);

    log.backup(scratch.path()).unwrap();
    let restored = Hypercore::open(scratch.path()).unwrap();
    assert!(restored.append("no").unwrap_err().is_unconfirmed_backup());
    restored.confirm_newest().unwrap();
    restored.append("yes").unwrap();
}

/// Calls of the handle that have no twin here, since they are about peers.
const ASYNC_ONLY: [&str; 2] = ["peers", "ask_peers"];

/// The names of the calls in the `impl Hypercore` blocks of the sources under `folder`.
fn calls(folder: &Path, names: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("blocking") {
                calls(&path, names);
            }
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let blocks = text.split("\nimpl Hypercore {\n").skip(1);
        for block in blocks.filter_map(|block| block.split("\n}\n").next()) {
            let found = block.lines().filter_map(|line| line.strip_prefix("    pub async fn "));
            names.extend(found.filter_map(|line| line.split(['(', '<']).next()).map(str::to_owned));
        }
    }
}

#[test]
fn every_call_has_a_twin() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let twins = fs::read_to_string(sources.join("blocking/calls.rs")).unwrap();
    let twins = twins + &fs::read_to_string(sources.join("blocking/mod.rs")).unwrap();
    let mut names = Vec::new();
    calls(&sources, &mut names);
    assert!(names.len() > 35, "{names:?}");
    names.retain(|name| {
        let here = |start: char| twins.contains(&format!("fn {name}{start}"));
        !ASYNC_ONLY.contains(&&**name) && !here('(') && !here('<')
    });
    assert!(names.is_empty(), "without a twin: {names:?}");
}

/// All kinds of threads of a runtime: a worker, one that blocks on a future, one for blocking calls.
#[test]
fn calls_inside_of_a_runtime_work() {
    fn use_it() {
        let log = Hypercore::builder(Storage::memory())
            .durability(Durability::Eventual)
            .open_blocking()
            .unwrap();
        log.append_batch((0..100).map(|index| vec![index; 1000])).unwrap();
        assert_eq!(log.read_stream(..).count(), 100);
        let late = GetOptions::new().timeout(Duration::from_millis(1));
        assert!(log.get_with(100, late).unwrap_err().is_timed_out());
        log.close().unwrap();
    }
    let current = tokio::runtime::Builder::new_current_thread().build().unwrap();
    current.block_on(async { use_it() });
    let many = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    many.block_on(async {
        use_it();
        tokio::spawn(async { use_it() }).await.unwrap();
        tokio::task::spawn_blocking(use_it).await.unwrap();
    });
}

/// Also one that is open in a runtime that has gone meanwhile is closed in order.
#[test]
fn a_log_goes_from_one_world_to_the_other() {
    let memory = MemoryStorage::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let log = runtime.block_on(async {
        let log = hypercore::Hypercore::open(memory.clone()).await.unwrap();
        log.append("async").await.unwrap();
        Hypercore::from_async(log).unwrap()
    });
    log.append("blocking").unwrap();
    assert_eq!(runtime.block_on(log.as_async().get(1)).unwrap(), "blocking");
    drop(runtime);
    let error = log.append("too late").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    drop(log);
    let log = Hypercore::open(memory).unwrap();
    assert_eq!(log.read_stream(..).count(), 2);
}

#[test]
fn threads_share_a_log() {
    let log = Hypercore::open(Storage::memory()).unwrap();
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let log = log.clone();
            std::thread::spawn(move || {
                for _ in 0..20 {
                    log.append([writer]).unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    let mut counts = [0; 8];
    for block in log.read_stream(..) {
        counts[block.unwrap()[0] as usize] += 1;
    }
    assert_eq!(counts, [20; 8]);
}

/// A runtime gives each of its tasks a share of calls, and wakes who has used his up only once the thread is free again.
#[test]
fn a_task_of_a_runtime_makes_more_calls_than_its_share() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let calls = tokio::spawn(async {
            let log = Hypercore::open(Storage::memory()).unwrap();
            log.append("zero").unwrap();
            for _ in 0..1000 {
                assert_eq!(log.get(0).unwrap(), "zero");
            }
        });
        calls.await.unwrap();
    });
}
