//! The group commit under every interleaving that loom finds with a bounded number of preemptions.
//!
//! Only built with `--cfg loom`: see `cargo xtask loom`. The pager is a few numbers: what was accepted, what
//! was written, what a sync made durable. A thread that waits for ever is a deadlock, which loom reports.

use loom::sync::{Arc, Mutex};
use loom::thread;

use super::{Group, Ticket, Wish};

#[derive(Debug, Default)]
struct Pager {
    accepted: u64,
    /// What the commit in flight holds.
    in_flight: Option<u64>,
    durable: u64,
    rounds: u64,
    closed: bool,
}

#[derive(Debug, Default)]
struct Model {
    group: Group,
    pager: Mutex<Pager>,
    /// The round that fails, counted from 1. 0: none.
    failing: u64,
}

impl Model {
    fn new(failing: u64) -> Arc<Self> {
        Arc::new(Self { failing, ..Self::default() })
    }

    /// One change, as `SharedPager::write` makes it. The error is `Some` for who did the round that failed.
    fn change(&self) -> Result<(), Option<()>> {
        let (change, ticket) = {
            let mut pager = self.pager.lock().unwrap();
            if pager.closed {
                return Err(None);
            }
            pager.accepted += 1;
            (pager.accepted, self.group.accepted(Wish::default()))
        };
        let result = self.group.settle(ticket, || self.round());
        if result.is_ok() {
            let durable = self.pager.lock().unwrap().durable;
            assert!(durable >= change, "acknowledged before it is durable");
        }
        result
    }

    fn round(&self) -> Result<Ticket, ()> {
        let ticket = {
            let mut pager = self.pager.lock().unwrap();
            if pager.closed {
                return Err(());
            }
            assert_eq!(pager.in_flight, None, "two commits in flight");
            pager.rounds += 1;
            assert!(
                self.failing == 0 || pager.rounds <= self.failing,
                "a round after a failed one"
            );
            if pager.rounds == self.failing {
                return Err(());
            }
            pager.in_flight = Some(pager.accepted);
            self.group.take().0
        };
        // The lock is free here, as while the medium syncs.
        let mut pager = self.pager.lock().unwrap();
        pager.durable = pager.in_flight.take().unwrap();
        Ok(ticket)
    }

    /// As `SharedPager::close`.
    fn close(&self) {
        self.group.alone(|| {
            let mut pager = self.pager.lock().unwrap();
            assert_eq!(pager.in_flight, None, "closed with a commit in flight");
            pager.durable = pager.accepted;
            pager.closed = true;
            (self.group.take().0, ())
        });
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

fn all_changes_become_durable(threads: usize) {
    let model = Model::new(0);
    for result in in_threads(threads, &model, Model::change) {
        assert_eq!(result, Ok(()));
    }
    let pager = model.pager.lock().unwrap();
    assert_eq!(pager.durable, threads as u64);
    assert!(pager.rounds <= threads as u64, "{} rounds", pager.rounds);
}

#[test]
fn two_writers() {
    explore(2, all_changes_become_durable);
}

#[test]
fn three_writers() {
    explore(3, all_changes_become_durable);
}

#[test]
fn two_changes_each() {
    explore(2, |threads| {
        let model = Model::new(0);
        in_threads(threads, &model, |model| {
            assert_eq!(model.change(), Ok(()));
            assert_eq!(model.change(), Ok(()));
        });
        assert_eq!(model.pager.lock().unwrap().durable, 4);
    });
}

/// The first round fails: nobody hears that a change is durable, one has the error, no round follows.
fn all_hear_of_a_failed_round(threads: usize) {
    let model = Model::new(1);
    let results = in_threads(threads, &model, Model::change);
    assert!(results.iter().all(Result::is_err), "{results:?}");
    assert_eq!(results.iter().filter(|result| **result == Err(Some(()))).count(), 1);
    assert_eq!(model.pager.lock().unwrap().rounds, 1);
}

#[test]
fn a_failed_round_of_two() {
    explore(2, all_hear_of_a_failed_round);
}

#[test]
fn a_failed_round_of_three() {
    explore(3, all_hear_of_a_failed_round);
}

/// Whoever was accepted before the close hears that it is durable; whoever came later is refused.
#[test]
fn a_close_beside_two_writers() {
    explore(3, |threads| {
        let model = Model::new(0);
        let closing = Arc::clone(&model);
        let closer = thread::spawn(move || closing.close());
        let results = in_threads(threads - 1, &model, Model::change);
        closer.join().unwrap();
        let accepted = results.iter().filter(|result| result.is_ok()).count();
        let pager = model.pager.lock().unwrap();
        assert_eq!((pager.accepted, pager.durable), (accepted as u64, accepted as u64));
    });
}
