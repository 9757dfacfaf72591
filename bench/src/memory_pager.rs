//! The pager against memory-pager 0.9, over 64 MiB of pages of 1 KiB; processor time.

use std::hint::black_box;

use memory_pager::Pager;
use published_memory_pager::Pager as Published;

use crate::measure::{Contender, Table, Target, cpu_per_operation, resident, shuffled};

const PAGES: usize = 64 * 1024;
const TURNS: usize = 31;

/// Calls `$call` with a page number for every number in `$order`.
macro_rules! each {
    ($order:expr, |$number:ident| $call:expr) => {
        cpu_per_operation($order.len(), || {
            for $number in $order.iter().copied() {
                black_box($call);
            }
        })
    };
}

pub fn table() -> Table {
    let mut table = Table::default();
    let in_order: Vec<usize> = (0..PAGES).collect();
    let random = shuffled(PAGES);
    table.race(
        "first touch of a page",
        15,
        vec![
            Contender::new("memory-pager", || {
                let mut pager = Pager::new(1024);
                each!(in_order, |number| pager.get_mut_or_alloc(number)[0] = 1)
            })
            .target(Target::Nanoseconds(300.0)),
            Contender::new("0.9", || {
                let mut pager = Published::new(1024);
                each!(in_order, |number| pager.get_mut_or_alloc(number)[0] = 1)
            }),
            Contender::new("one vector of 64 MiB", || {
                let mut all: Vec<u8> = vec![0; PAGES * 1024];
                each!(in_order, |number| *black_box(&mut all[number * 1024]) = 1)
            }),
        ],
    );
    let mut ours = Pager::new(1024);
    let mut theirs = Published::new(1024);
    for number in 0..PAGES {
        ours.get_mut_or_alloc(number)[0] = 1;
        theirs.get_mut_or_alloc(number)[0] = 1;
    }
    for (case, order, most) in [("get, in order", &in_order, 3.0), ("get, random", &random, 9.0)] {
        let contenders = vec![
            Contender::new("memory-pager", || each!(order, |number| ours.get(number)))
                .target(Target::Nanoseconds(most)),
            Contender::new("0.9", || each!(order, |number| theirs.get(number))),
        ];
        table.race(case, TURNS, contenders);
    }
    for (case, order) in
        [("get and read a byte, in order", &in_order), ("get and read a byte, random", &random)]
    {
        let contenders = vec![
            Contender::new("memory-pager", || {
                each!(order, |number| ours.get(number).map(|page| page[7]))
            }),
            Contender::new("0.9", || each!(order, |number| theirs.get(number).map(|page| page[7]))),
        ];
        table.race(case, TURNS, contenders);
    }
    let contenders = vec![
        Contender::new("memory-pager", || {
            each!(random, |number| ours.get_mut_or_alloc(number)[0] = 2)
        }),
        Contender::new("0.9", || each!(random, |number| theirs.get_mut_or_alloc(number)[0] = 2)),
    ];
    table.race("get_mut_or_alloc of what is there, random", TURNS, contenders);

    // Many at once, so that what the allocator keeps does not count.
    const LONELY: u64 = 1000;
    let before = resident();
    let pagers: Vec<Pager> = (0..LONELY)
        .map(|_| {
            let mut pager = Pager::new(1024);
            pager.get_mut_or_alloc(1 << 40)[0] = 1;
            pager
        })
        .collect();
    let each = resident().saturating_sub(before) / LONELY;
    drop(black_box(pagers));
    let held = Some(each <= 100 * 1024);
    table.fact("memory of one page at 2^40", "memory-pager", bytes(each), "at most 100 KiB", held);
    let before = resident();
    let mut pager = Published::new(1024);
    pager.get_mut_or_alloc(1 << 20)[0] = 1;
    let taken = resident().saturating_sub(before);
    drop(black_box(pager));
    table.fact("memory of one page at 2^20", "0.9", bytes(taken), "", None);
    table.note(
        "0.9 keeps 32 bytes for every number below the highest page: 2^40 would take 32 TiB.",
    );
    table.note(
        "Nearly all of a first touch is the kernel's page fault, as the vector shows: it has no \
         table and no pages of its own.",
    );
    table
}

fn bytes(count: u64) -> String {
    format!("{:.1} KiB", count as f64 / 1024.0)
}
