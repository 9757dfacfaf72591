//! Openers of one directory at the same moment: at most one of them writes, all others are told that
//! it is locked, and what is stored afterwards is a whole log with the winner's blocks.

use std::path::Path;
use std::sync::{Arc, Barrier};

use hypercore::{Access, Create, Durability, Hypercore, Result};

const RACES: usize = 50;

/// How one of the racers opens.
#[derive(Clone, Copy, Debug)]
struct Opener {
    access: Access,
    create: Create,
    durability: Durability,
}

const fn writer(create: Create) -> Opener {
    Opener { access: Access::ReadWrite, create, durability: Durability::Immediate }
}

const READER: Opener = Opener { access: Access::ReadOnly, ..writer(Create::Never) };
const FOLLOWER: Opener = Opener { access: Access::Follow, ..writer(Create::Never) };

/// A racer with a runtime of its own, as another program would have: opens, and appends its name where
/// it may. Only then does anybody close, so that nobody can come after another.
fn race(path: &Path, openers: &[Opener]) -> Vec<Result<Hypercore>> {
    let start = Arc::new(Barrier::new(openers.len()));
    let threads: Vec<_> = openers
        .iter()
        .enumerate()
        .map(|(name, opener)| {
            let (path, start, opener) = (path.to_path_buf(), Arc::clone(&start), *opener);
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                let builder = Hypercore::builder(path)
                    .access(opener.access)
                    .create(opener.create)
                    .durability(opener.durability);
                start.wait();
                let opened = runtime.block_on(async {
                    let log = builder.open().await?;
                    if log.writable() {
                        log.append(name.to_string()).await.unwrap();
                    }
                    Ok(log)
                });
                (runtime, opened)
            })
        })
        .collect();
    let results: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    // The runtimes end only now: what a log owes is then written before its directory is looked at.
    results.into_iter().map(|(_, opened)| opened).collect()
}

/// Looks at what is stored once all racers have closed.
fn stored(path: &Path) -> (String, Vec<String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let log = Hypercore::builder(path).create(Create::Never).open().await.unwrap();
        assert!(log.verify().await.unwrap().is_ok());
        let mut blocks = Vec::new();
        for index in 0..log.length() {
            let block = log.get_local(index).await.unwrap().unwrap();
            blocks.push(String::from_utf8(block.to_vec()).unwrap());
        }
        // And it can be written to.
        log.append("afterwards").await.unwrap();
        let key = log.key().to_string();
        log.close().await.unwrap();
        (key, blocks)
    })
}

fn store(path: &Path, blocks: &[&str]) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let log = Hypercore::open(path).await.unwrap();
        log.append_batch(blocks).await.unwrap();
        log.close().await.unwrap();
    });
}

/// The one that may write, or read; asserts that all others were told of a lock.
#[track_caller]
fn only_winner(results: Vec<Result<Hypercore>>) -> (usize, Hypercore) {
    let mut winners = Vec::new();
    for (name, result) in results.into_iter().enumerate() {
        match result {
            Ok(log) => winners.push((name, log)),
            Err(error) => assert!(error.is_locked(), "racer {name}: {error:?}"),
        }
    }
    assert_eq!(winners.len(), 1, "{winners:?}");
    winners.remove(0)
}

#[test]
fn two_that_create() {
    let scratch = tempfile::tempdir().unwrap();
    for round in 0..RACES {
        let path = scratch.path().join(round.to_string());
        let eventual = Opener { durability: Durability::Eventual, ..writer(Create::IfMissing) };
        let openers = match round % 4 {
            0 => [writer(Create::IfMissing), writer(Create::IfMissing)],
            1 => [writer(Create::New), writer(Create::New)],
            2 => [writer(Create::Overwrite), writer(Create::IfMissing)],
            _ => [eventual, eventual],
        };
        let (winner, log) = only_winner(race(&path, &openers));
        let key = log.key().to_string();
        drop(log);
        assert_eq!(stored(&path), (key, vec![winner.to_string()]), "round {round}");
    }
}

#[test]
fn two_that_open_what_is_there() {
    let scratch = tempfile::tempdir().unwrap();
    for round in 0..RACES {
        let path = scratch.path().join(round.to_string());
        store(&path, &["before"]);
        let (winner, log) =
            only_winner(race(&path, &[writer(Create::Never), writer(Create::IfMissing)]));
        drop(log);
        assert_eq!(stored(&path).1, ["before", &winner.to_string()], "round {round}");
    }
}

#[test]
fn one_that_opens_and_one_that_overwrites() {
    let scratch = tempfile::tempdir().unwrap();
    for round in 0..RACES {
        let path = scratch.path().join(round.to_string());
        store(&path, &["before"]);
        let (winner, log) =
            only_winner(race(&path, &[writer(Create::Never), writer(Create::Overwrite)]));
        let key = log.key().to_string();
        drop(log);
        let expected: &[&str] = if winner == 0 { &["before", "0"] } else { &["1"] };
        let (stored_key, blocks) = stored(&path);
        assert_eq!(stored_key, key);
        assert_eq!(blocks, expected, "round {round}");
    }
}

#[test]
fn a_reader_and_a_writer() {
    let scratch = tempfile::tempdir().unwrap();
    for round in 0..RACES {
        let path = scratch.path().join(round.to_string());
        store(&path, &["before"]);
        let (winner, log) = only_winner(race(&path, &[writer(Create::Never), READER]));
        drop(log);
        let expected: &[&str] = if winner == 0 { &["before", "0"] } else { &["before"] };
        assert_eq!(stored(&path).1, expected, "round {round}");
    }
}

/// Readers share; a follower is in nobody's way, and sees the log before or after the append.
#[test]
fn readers_and_a_follower() {
    let scratch = tempfile::tempdir().unwrap();
    for round in 0..RACES {
        let path = scratch.path().join(round.to_string());
        store(&path, &["before"]);
        for result in race(&path, &[READER, FOLLOWER, READER]) {
            assert_eq!(result.unwrap().length(), 1);
        }
        let results = race(&path, &[writer(Create::Never), FOLLOWER]);
        for (length, result) in [2..=2, 1..=2].into_iter().zip(results) {
            assert!(length.contains(&result.unwrap().length()), "round {round}");
        }
        assert_eq!(stored(&path).1, ["before", "0"]);
    }
}

/// Beside one that creates, readers find nothing yet, find a lock, or find a whole log.
#[test]
fn readers_beside_one_that_creates() {
    let scratch = tempfile::tempdir().unwrap();
    for round in 0..RACES {
        let path = scratch.path().join(round.to_string());
        let mut results = race(&path, &[FOLLOWER, READER, writer(Create::IfMissing)]);
        // The reader may be there first: it holds the lock for as long as it looks.
        let written = match results.remove(2) {
            Ok(log) => log.length(),
            Err(error) => {
                assert!(error.is_locked(), "round {round}: {error:?}");
                0
            }
        };
        for result in results {
            match result {
                Ok(log) => assert!(log.length() <= written, "round {round}"),
                Err(error) => {
                    assert!(error.is_locked() || error.is_not_found(), "round {round}: {error:?}");
                }
            }
        }
        if written > 0 {
            assert_eq!(stored(&path).1, ["2"]);
        }
    }
}
