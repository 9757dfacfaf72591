//! Sets of units under every interleaving that loom finds with a bounded number of preemptions.
//!
//! Only built with `--cfg loom`. A unit is two words, so that a copy can be torn.

use loom::sync::Arc;
use loom::thread;

use super::sets::{Sets, WAYS};

const UNIT_SHIFT: u32 = 4;
const UNIT_LEN: usize = 1 << UNIT_SHIFT;

fn bytes(unit: u64) -> [u8; UNIT_LEN] {
    [unit as u8 + 1; UNIT_LEN]
}

fn put(cache: &Sets, unit: u64) {
    cache.put(unit << UNIT_SHIFT, &bytes(unit));
}

/// One full set of a file with more units.
fn full() -> Arc<Sets> {
    let cache = Sets::new((WAYS * UNIT_LEN) as u64, UNIT_SHIFT);
    for unit in 0..WAYS as u64 {
        put(&cache, unit);
    }
    Arc::new(cache)
}

/// What is copied is what was put, or nothing.
fn read(cache: &Sets, unit: u64) -> bool {
    let mut into = [0; UNIT_LEN];
    let is_here = cache.copy(unit << UNIT_SHIFT, &mut into);
    assert!(!is_here || into == bytes(unit), "unit {unit} is {into:?}");
    is_here
}

fn explore(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

#[test]
fn a_copy_is_never_torn() {
    explore(|| {
        let cache = full();
        let writer = {
            let cache = Arc::clone(&cache);
            thread::spawn(move || put(&cache, 5))
        };
        read(&cache, 0);
        read(&cache, 5);
        writer.join().expect("puts");
        assert!(read(&cache, 5));
    });
}

#[test]
fn of_two_at_work_one_gives_way() {
    explore(|| {
        let cache = full();
        let writer = {
            let cache = Arc::clone(&cache);
            thread::spawn(move || put(&cache, 5))
        };
        put(&cache, 6);
        read(&cache, 5);
        read(&cache, 6);
        writer.join().expect("puts");
        assert!(read(&cache, 5) || read(&cache, 6));
        assert_eq!(
            (0..WAYS as u64).filter(|unit| read(&cache, *unit)).count()
                + [5, 6].into_iter().filter(|unit| read(&cache, *unit)).count(),
            WAYS
        );
    });
}
