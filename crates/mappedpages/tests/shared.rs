//! A pager for many threads: shared commits, rollbacks, closing.

mod support;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use mappedpages::{Durability, Format, MappedPageError, Medium, Pager, SharedPager};
use support::medium::Watched;
use support::{P, assert_fails, in_all_cases, leak, listed};

fn on_watched(format: Format) -> (Arc<Watched>, SharedPager<P>) {
    let medium = Watched::new();
    let builder = Pager::<P>::builder().format(format);
    let pager = builder.create_on(Arc::clone(&medium) as Arc<dyn Medium>).unwrap();
    (medium, SharedPager::new(pager))
}

#[test]
fn many_threads_lose_nothing() {
    in_all_cases(|case| {
        let pager = SharedPager::new(case.create());
        std::thread::scope(|scope| {
            for byte in 1..=8 {
                let pager = pager.clone();
                scope.spawn(move || {
                    for _ in 0..10 {
                        let id = pager
                            .write(|transaction| {
                                let id = transaction.alloc_protected()?;
                                transaction.protected_mut(id)?.as_bytes_mut().fill(byte);
                                Ok::<_, MappedPageError>(id)
                            })
                            .unwrap();
                        let seen = pager.read(|pager| id.get(pager).unwrap().as_bytes()[9]);
                        assert_eq!(seen.unwrap(), byte);
                    }
                });
            }
        });
        pager.close().unwrap();
        let pager = case.open();
        let mut counts = [0; 9];
        for id in pager.iter_allocated_protected_pages() {
            let bytes = id.get(&pager).unwrap().as_bytes();
            assert_eq!(bytes, [bytes[0]; P]);
            counts[usize::from(bytes[0])] += 1;
        }
        assert_eq!(counts, [0, 10, 10, 10, 10, 10, 10, 10, 10]);
    });
}

/// A gate that a sync waits at.
#[derive(Default)]
struct Gate {
    is_open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn pass(&self) {
        let mut is_open = self.is_open.lock().unwrap();
        while !*is_open {
            is_open = self.opened.wait(is_open).unwrap();
        }
    }

    fn open(&self) {
        *self.is_open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}

#[test]
fn those_who_come_while_the_medium_syncs_share_the_next_commit() {
    let (medium, pager) = on_watched(Format::Two);
    let gate = Arc::new(Gate::default());
    let accepted = AtomicU64::new(0);
    let before = medium.syncs();
    let waiting = Arc::clone(&gate);
    medium.on_sync(move || waiting.pass());
    std::thread::scope(|scope| {
        let write = || {
            pager
                .write(|transaction| {
                    let id = transaction.alloc()?;
                    accepted.fetch_add(1, Ordering::SeqCst);
                    Ok::<_, MappedPageError>(id)
                })
                .unwrap();
        };
        scope.spawn(write);
        while medium.syncs() == before {
            std::thread::yield_now();
        }
        // The first waits at the gate, without the lock: the others get theirs into memory.
        for _ in 0..15 {
            scope.spawn(write);
        }
        while accepted.load(Ordering::SeqCst) < 16 {
            std::thread::yield_now();
        }
        assert_eq!(medium.syncs() - before, 1);
        assert_eq!(pager.read(|pager| listed(pager).0.len()).unwrap(), 16);
        gate.open();
    });
    // The last one may have been accepted after the second commit was written.
    assert!((2..=3).contains(&(medium.syncs() - before)), "{}", medium.syncs() - before);
}

#[test]
fn a_closure_that_fails_or_panics_changes_nothing() {
    in_all_cases(|case| {
        let pager = SharedPager::new(case.create());
        let kept = pager.write(|transaction| transaction.alloc()).unwrap();
        let before = pager.read(listed).unwrap();
        let refused = pager.write(|transaction| {
            transaction.alloc_bulk(3)?;
            transaction.free(kept)?;
            Err::<(), _>(MappedPageError::Full)
        });
        assert_fails!(refused, MappedPageError::Full);
        assert_eq!(pager.read(listed).unwrap(), before);
        let panicking = std::panic::AssertUnwindSafe(|| {
            pager.write(|transaction| -> Result<(), MappedPageError> {
                transaction.free(kept)?;
                panic!("of the caller");
            })
        });
        std::panic::catch_unwind(panicking).unwrap_err();
        assert_eq!(pager.read(listed).unwrap(), before);
        pager.write(|transaction| transaction.free(kept)).unwrap();
        let leaking = pager.exclusive(|pager| {
            let mut transaction = pager.transaction().unwrap();
            transaction.alloc().unwrap();
            leak(transaction);
        });
        leaking.unwrap();
        assert!(pager.read(listed).unwrap().0.is_empty());
        let panicking =
            std::panic::AssertUnwindSafe(|| pager.exclusive(|_| -> () { panic!("of the caller") }));
        std::panic::catch_unwind(panicking).unwrap_err();
        pager.write(|transaction| transaction.alloc()).unwrap();
        pager.close().unwrap();
    });
}

#[test]
fn durability_is_that_of_the_call() {
    let (medium, pager) = on_watched(Format::Two);
    let cost = |act: &dyn Fn()| {
        let before = medium.syncs();
        act();
        medium.syncs() - before
    };
    let alloc = |durability| {
        pager.write_with(durability, |transaction| transaction.alloc()).unwrap();
    };
    alloc(Durability::Immediate);
    assert_eq!(cost(&|| alloc(Durability::Immediate)), 1);
    assert_eq!(cost(&|| alloc(Durability::Eventual)), 0);
    assert_eq!(cost(&|| alloc(Durability::Barriers)), 2);
    assert_eq!(cost(&|| pager.flush().unwrap()), 1);
    pager.exclusive(|pager| pager.set_durability(Durability::Eventual)).unwrap();
    assert_eq!(
        cost(&|| {
            pager.write(|transaction| transaction.alloc()).unwrap();
        }),
        0
    );
    pager.close().unwrap();
    let pager = Pager::<P>::builder().open_on(medium as Arc<dyn Medium>).unwrap();
    assert_eq!(listed(&pager).0.len(), 5);
}

#[test]
fn a_closed_pager_is_unavailable_to_all_handles() {
    in_all_cases(|case| {
        let pager = SharedPager::new(case.create());
        let other = pager.clone();
        pager.write_with(Durability::Eventual, |transaction| transaction.alloc()).unwrap();
        pager.close().unwrap();
        assert_fails!(other.write(|transaction| transaction.alloc()), MappedPageError::Unavailable);
        assert_fails!(other.read(|_| ()), MappedPageError::Unavailable);
        assert_fails!(other.exclusive(|_| ()), MappedPageError::Unavailable);
        assert_fails!(other.flush(), MappedPageError::Unavailable);
        let pager = case.open();
        assert_eq!(listed(&pager).0.len(), 1, "the lock is free and nothing is lost");
        assert_fails!(other.close(), MappedPageError::Unavailable);
    });
}

#[test]
fn a_failed_sync_is_heard_by_all_who_wait() {
    for format in [Format::One, Format::Two] {
        let (medium, pager) = on_watched(format);
        pager.write(|transaction| transaction.alloc()).unwrap();
        medium.fail_syncs(true);
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    let result = pager.write(|transaction| transaction.alloc());
                    assert_fails!(result, MappedPageError::Io(_) | MappedPageError::Unavailable);
                });
            }
        });
        medium.fail_syncs(false);
        assert_fails!(pager.write(|transaction| transaction.alloc()), MappedPageError::Unavailable);
        assert_fails!(pager.close(), MappedPageError::Unavailable);
    }
}

/// Who was refused has changed nothing; who was accepted before the close hears so.
#[test]
fn a_close_beside_writers_keeps_exactly_what_was_acknowledged() {
    for _ in 0..60 {
        let (medium, pager) = on_watched(Format::Two);
        medium.on_sync(std::thread::yield_now);
        let acknowledged = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        match pager.write(|transaction| transaction.alloc()) {
                            Ok(_) => acknowledged.fetch_add(1, Ordering::SeqCst),
                            Err(MappedPageError::Unavailable) => break,
                            Err(error) => panic!("{error:?}"),
                        };
                    }
                });
            }
            while acknowledged.load(Ordering::SeqCst) < 8 {
                std::thread::yield_now();
            }
            pager.clone().close().unwrap();
        });
        let pager = Pager::<P>::builder().open_on(medium as Arc<dyn Medium>).unwrap();
        assert_eq!(listed(&pager).0.len() as u64, acknowledged.into_inner());
    }
}

/// A write from inside a sync: only possible when the lock is free meanwhile.
#[test]
fn the_lock_is_free_while_the_medium_syncs() {
    let (medium, pager) = on_watched(Format::Two);
    let inner = pager.clone();
    let calls = Arc::new(AtomicU64::new(0));
    let counting = Arc::clone(&calls);
    medium.on_sync(move || {
        if counting.fetch_add(1, Ordering::SeqCst) == 0 {
            inner.write_with(Durability::Eventual, |transaction| transaction.alloc()).unwrap();
        }
    });
    let id = pager.write(|transaction| transaction.alloc()).unwrap();
    assert_eq!(pager.read(|pager| listed(pager).0).unwrap(), [id.0, id.0 + 1]);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}
