//! The group commit under every interleaving that loom finds with a bounded number of preemptions.
//!
//! Only built with `--cfg loom`: see `cargo xtask loom`. The file is three numbers: what was written,
//! what a sync made durable, and how often it was synced. A thread that waits for ever is a deadlock,
//! which loom reports.

use loom::sync::atomic::{AtomicU64, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread;

use super::{Announced, GroupCommit, Unsynced};

const OPLOG: Unsynced = Unsynced { data: false, tree: false, oplog: true };

/// A log that consists of its length.
struct Model {
    commit: GroupCommit,
    /// What the writer's lock guards: the length.
    writer: Mutex<u64>,
    written: AtomicU64,
    synced: AtomicU64,
    rounds: AtomicU64,
    /// The round that fails, counted from 1, and what it had to sync is gone. 0: none.
    failing: u64,
}

impl Model {
    fn new(failing: u64) -> Arc<Self> {
        Arc::new(Self {
            commit: GroupCommit::new(Announced { fork: 0, length: 0 }),
            writer: Mutex::new(0),
            written: AtomicU64::new(0),
            synced: AtomicU64::new(0),
            rounds: AtomicU64::new(0),
            failing,
        })
    }

    /// One block more; gives the length and whether the caller heard that it is durable. The error is
    /// `Some` for the one who ran the round that failed.
    fn append(&self) -> (u64, Result<(), Option<()>>) {
        let mut writer = self.writer.lock().unwrap();
        *writer += 1;
        let length = *writer;
        self.written.store(length, Ordering::SeqCst);
        let sequence = self.commit.wrote(OPLOG, Announced { fork: 0, length });
        drop(writer);
        let result = self.commit.settle(sequence, |unsynced| self.sync(unsynced));
        if result.is_ok() {
            assert!(
                self.synced.load(Ordering::SeqCst) >= length,
                "acknowledged before it is synced"
            );
            assert!(self.commit.durable().length >= length, "acknowledged and not announced");
        }
        (length, result)
    }

    fn sync(&self, unsynced: Unsynced) -> Result<(), ()> {
        let round = self.rounds.fetch_add(1, Ordering::SeqCst) + 1;
        let written = self.written.load(Ordering::SeqCst);
        assert!(self.failing == 0 || round <= self.failing, "a round after one that failed");
        if round == self.failing {
            return Err(());
        }
        if unsynced.oplog {
            self.synced.store(written, Ordering::SeqCst);
        }
        Ok(())
    }

    /// What everybody may look at, at any time.
    fn look(&self) {
        let durable = self.commit.durable().length;
        assert!(durable <= self.synced.load(Ordering::SeqCst), "announced before it is synced");
    }
}

fn explore(threads: usize, model: impl Fn(usize) + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(if threads > 2 { 2 } else { 3 });
    builder.check(move || model(threads));
}

fn in_threads<T: 'static>(
    threads: usize,
    model: &Arc<Model>,
    run: impl Fn(&Model) -> T + Copy + Send + 'static,
) -> Vec<T> {
    let others: Vec<_> = (1..threads)
        .map(|_| {
            let model = Arc::clone(model);
            thread::spawn(move || run(&model))
        })
        .collect();
    let mut results = vec![run(model)];
    results.extend(others.into_iter().map(|thread| thread.join().unwrap()));
    results
}

fn all_appends_are_acknowledged_once_synced(threads: usize) {
    let model = Model::new(0);
    for (_, result) in in_threads(threads, &model, Model::append) {
        assert_eq!(result, Ok(()));
    }
    let rounds = model.rounds.load(Ordering::SeqCst);
    assert!(rounds <= threads as u64, "{rounds} rounds");
    assert!(model.commit.is_settled());
    assert_eq!(model.commit.durable().length, threads as u64);
    model.look();
}

#[test]
fn two_writers() {
    explore(2, all_appends_are_acknowledged_once_synced);
}

#[test]
fn three_writers() {
    explore(3, all_appends_are_acknowledged_once_synced);
}

#[test]
fn two_appends_each() {
    explore(2, |threads| {
        let model = Model::new(0);
        in_threads(threads, &model, |model| {
            let (first, result) = model.append();
            assert_eq!(result, Ok(()));
            let (second, result) = model.append();
            assert_eq!(result, Ok(()));
            assert!(second > first);
        });
        assert_eq!(model.commit.durable().length, 4);
    });
}

#[test]
fn nothing_is_announced_before_it_is_synced() {
    explore(3, |threads| {
        let model = Model::new(0);
        let looking = Arc::clone(&model);
        let looker = thread::spawn(move || {
            looking.look();
            looking.look();
        });
        in_threads(threads - 1, &model, |model| assert_eq!(model.append().1, Ok(())));
        looker.join().unwrap();
    });
}

/// The first round fails: nobody's append is acknowledged, one caller has the disk's error, and no
/// round follows.
fn all_hear_of_a_failed_round(threads: usize) {
    let model = Model::new(1);
    let results = in_threads(threads, &model, Model::append);
    assert!(results.iter().all(|(_, result)| result.is_err()), "{results:?}");
    assert_eq!(results.iter().filter(|(_, result)| *result == Err(Some(()))).count(), 1);
    assert_eq!(model.rounds.load(Ordering::SeqCst), 1);
    assert!(model.commit.has_failed());
    assert_eq!(model.commit.durable().length, 0);
}

#[test]
fn a_failed_round_of_two() {
    explore(2, all_hear_of_a_failed_round);
}

#[test]
fn a_failed_round_of_three() {
    explore(3, all_hear_of_a_failed_round);
}

/// The second round fails, if there is one: what the first made durable stays announced.
#[test]
fn a_failed_round_takes_nothing_back() {
    explore(3, |threads| {
        let model = Model::new(2);
        let results = in_threads(threads, &model, Model::append);
        let rounds = model.rounds.load(Ordering::SeqCst);
        assert_eq!(model.commit.has_failed(), rounds == 2, "{results:?}");
        model.look();
        let synced = model.synced.load(Ordering::SeqCst);
        assert!(model.commit.durable().length >= 1, "the first round");
        for (length, result) in results {
            assert!(result.is_err() || length <= synced);
            assert!(rounds == 2 || result.is_ok());
        }
    });
}

/// A write fails while others wait for a sync: they all return.
#[test]
fn a_failed_write_lets_the_waiters_go() {
    explore(3, |threads| {
        let model = Model::new(0);
        let failing = Arc::clone(&model);
        let writer = thread::spawn(move || failing.commit.fail());
        in_threads(threads - 1, &model, |model| {
            model.append();
        });
        writer.join().unwrap();
        assert_eq!(model.append().1, Err(None));
        model.look();
    });
}
