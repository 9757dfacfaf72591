//! What a page costs that is there: no disk, no locks, a nanosecond or two.

use std::hint::black_box;

use super::{OURS, THEIRS, ours, theirs};
use crate::logs::folder;
use crate::measure::{Contender, Table, Target, cpu_per_operation, shuffled};

const TURNS: usize = 31;

/// Pages that are looked at: all that 0.2.0 has room for, but for some.
const PAGES: usize = 12_000;

/// How often each is looked at in a sample.
const ROUNDS: usize = 20;

pub fn races(table: &mut Table) {
    let folder = folder();
    let (mut ours, mut theirs) = (ours(&folder), theirs(&folder));
    let own = ours.alloc_bulk(PAGES).expect("room");
    let other = theirs.alloc_bulk(PAGES).expect("room");
    let order = shuffled(PAGES);
    let random: (Vec<_>, Vec<_>) = order.iter().map(|at| (own[*at], other[*at])).unzip();

    /// Calls `$call` for each of `$ids`, round and round.
    macro_rules! each {
        ($ids:expr, |$id:ident| $call:expr) => {
            || {
                cpu_per_operation(PAGES * ROUNDS, || {
                    for _ in 0..ROUNDS {
                        for $id in $ids.iter().copied() {
                            let $id = black_box($id);
                            black_box($call);
                        }
                    }
                })
            }
        };
    }
    for (case, own, other) in
        [("get, in order", &own, &other), ("get, random", &random.0, &random.1)]
    {
        let contenders = vec![
            Contender::new(OURS, each!(own, |id| id.get(&ours).expect("a page"))),
            Contender::new(THEIRS, each!(other, |id| id.get(&theirs).expect("a page")))
                .target(Target::Within(1.2)),
        ];
        table.race(case, TURNS, contenders);
    }
    let contenders = vec![
        Contender::new(OURS, each!(&random.0, |id| id.get(&ours).expect("a page").as_bytes()[7])),
        Contender::new(
            THEIRS,
            each!(&random.1, |id| id.get(&theirs).expect("a page").as_bytes()[7]),
        ),
    ];
    table.race("get and read a byte, random", TURNS, contenders);
    let contenders = vec![
        Contender::new(
            OURS,
            each!(&random.0, |id| id.get_mut(&mut ours).expect("a page").as_bytes_mut()[7] = 1),
        ),
        Contender::new(
            THEIRS,
            each!(&random.1, |id| id.get_mut(&mut theirs).expect("a page").as_bytes_mut()[7] = 1),
        ),
    ];
    table.race("get_mut and write a byte, random", TURNS, contenders);

    let own = ours.alloc_protected_bulk(64).expect("room");
    let other = theirs.alloc_protected_bulk(64).expect("room");
    let contenders = vec![
        Contender::new(OURS, || {
            cpu_per_operation(own.len(), || {
                own.iter().for_each(|id| _ = black_box(id.get(&ours).expect("a page")));
            })
        }),
        Contender::new(THEIRS, || {
            cpu_per_operation(other.len(), || {
                other.iter().for_each(|id| _ = black_box(id.get(&theirs).expect("a page")));
            })
        }),
    ];
    table.race("get of a protected page", TURNS, contenders);
    table.note(
        "0.2.0 never compares the checksum of a protected page; ours does on each get, which is what it takes.",
    );
}
