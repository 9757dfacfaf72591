//! Many pages at once: what each costs must not depend on how many there are.

use std::hint::black_box;

use super::{OURS, THEIRS, ours, theirs};
use crate::logs::folder;
use crate::measure::{
    Contender, Nanoseconds, Table, Target, cpu_per_operation, per_operation, spaced,
};

const TURNS: usize = 5;

/// Pages that 0.2.0 has room for.
const ROOM_OF_THEIRS: usize = 10_000;

/// How many pages there are at each point of the curves: more than the maps in the metadata pages describe.
const POINTS: [usize; 3] = [10_000, 100_000, 1_000_000];

/// Bytes of the pages of the curves: a million of these fit on any disk.
const SMALL: usize = 1024;

/// How much longer a page may take among ten times as many.
const SAME: f64 = 2.0;

pub fn races(table: &mut Table) {
    let contenders = vec![
        Contender::new(OURS, || {
            let folder = folder();
            let mut pager = ours(&folder);
            per_operation(ROOM_OF_THEIRS, || {
                _ = black_box(pager.alloc_bulk(ROOM_OF_THEIRS).expect("room"));
            })
        }),
        Contender::new(THEIRS, || {
            let folder = folder();
            let mut pager = theirs(&folder);
            per_operation(ROOM_OF_THEIRS, || {
                _ = black_box(pager.alloc_bulk(ROOM_OF_THEIRS).expect("room"));
            })
        })
        .target(Target::Faster(1.0)),
    ];
    table.race(&format!("a page of alloc_bulk({})", spaced(ROOM_OF_THEIRS)), TURNS, contenders);
    iteration(table);
    curves(table);
}

fn iteration(table: &mut Table) {
    let folder = folder();
    let (mut ours, mut theirs) = (ours(&folder), theirs(&folder));
    ours.alloc_bulk(ROOM_OF_THEIRS).expect("room");
    theirs.alloc_bulk(ROOM_OF_THEIRS).expect("room");
    ours.alloc_protected_bulk(200).expect("room");
    theirs.alloc_protected_bulk(200).expect("room");
    let contenders = vec![
        Contender::new(OURS, || {
            cpu_per_operation(ROOM_OF_THEIRS, || _ = black_box(ours.iter_allocated_pages().count()))
        }),
        Contender::new(THEIRS, || {
            cpu_per_operation(ROOM_OF_THEIRS, || {
                _ = black_box(theirs.iter_allocated_pages().count())
            })
        })
        .target(Target::Faster(1.0)),
    ];
    let case = format!("a page of iter_allocated_pages, {} pages", spaced(ROOM_OF_THEIRS));
    table.race(&case, TURNS, contenders);
}

/// What a page costs at each point, least of a few times.
struct Point {
    pages: usize,
    alloc: f64,
    iterate: f64,
    free: f64,
}

fn curves(table: &mut Table) {
    let points: Vec<Point> = POINTS.iter().map(|pages| point(*pages)).collect();
    for (case, of) in [
        ("a page of alloc_bulk", (|point| point.alloc) as fn(&Point) -> f64),
        ("a page of iter_allocated_pages", |point| point.iterate),
        ("a page of free_bulk", |point| point.free),
    ] {
        for (before, at) in points.iter().zip(&points[1..]) {
            let (less, more) = (of(before), of(at));
            let target = format!(
                "at most {SAME} x one among {}: {:.2} x",
                spaced(before.pages),
                more / less
            );
            let value = Nanoseconds(more).to_string();
            let name = format!("{OURS}, {} pages", spaced(at.pages));
            table.fact(case, &name, value, &target, Some(more <= SAME * less));
        }
    }
}

fn point(pages: usize) -> Point {
    let mut least = Point { pages, alloc: f64::MAX, iterate: f64::MAX, free: f64::MAX };
    for _ in 0..3 {
        let folder = folder();
        let path = folder.path().join("pages");
        let mut pager = ::mappedpages::Pager::<SMALL>::create(path).expect("a new file");
        let mut ids = Vec::new();
        let alloc = per_operation(pages, || ids = pager.alloc_bulk(pages).expect("room"));
        // Of few pages a walk is over before a clock can tell.
        let rounds = POINTS[1].div_ceil(pages);
        let mut found = 0;
        let iterate = cpu_per_operation(pages * rounds, || {
            (0..rounds).for_each(|_| found += pager.iter_allocated_pages().count());
        });
        assert_eq!(found, pages * rounds);
        let free = per_operation(pages, || pager.free_bulk(ids).expect("pages"));
        least.alloc = least.alloc.min(alloc);
        least.iterate = least.iterate.min(iterate);
        least.free = least.free.min(free);
    }
    least
}
