//! Large files: the cost is that of what changes, not of what there is.

use super::disk::Disk;
use super::session::Session;
use crate::engine::{Content, Engine as _};
use crate::medium::Medium as _;

/// A file of `page_count` pages with a page in use at its very end, closed.
fn sparse(page_count: u64) -> Disk {
    let mut session = Session::<4096>::create();
    let more = page_count - session.engine.page_count();
    session.engine.state.grow_by(&mut session.pages, more).unwrap();
    session.alloc_bulk(40_000);
    session.engine.state.take_at(&mut session.pages, page_count - 1).unwrap();
    let id = session.alloc_protected();
    session.fill_protected(id, 1);
    session.commit();
    session.alloc();
    session.commit();
    session.close();
    assert_eq!(session.engine.page_count(), page_count);
    session.disk.kill()
}

/// Reads of opening; and of an alloc, a free and a protected write after it.
fn reads(page_count: u64) -> (u64, u64) {
    let disk = sparse(page_count);
    let before = disk.reads();
    let mut session = Session::<4096>::open(disk).unwrap();
    let opening = session.disk.reads() - before;
    // The inline map, three leaves and the nodes above, one protected page.
    assert!((40_003..40_030).contains(&session.alloc()));
    session.free(page_count - 1);
    session.fill_protected(0, 2);
    session.commit();
    assert_eq!(session.engine.next_regular(&session.pages, 50_000).unwrap(), None);
    (opening, session.disk.reads() - before - opening)
}

#[test]
fn a_tebibyte_costs_what_a_gibibyte_costs() {
    let (small, large) = (reads(1 << 18), reads(1 << 28));
    assert_eq!(small.0, large.0, "opening");
    // One node more for each level more, of which there are two, on two paths.
    assert!(large.1 <= small.1 + 4, "{} and {}", small.1, large.1);
}

#[test]
fn trees_of_several_levels_hold_what_they_are_told() {
    let mut session = Session::<1024>::create();
    // Beyond 31 leaves of 3968 pages, and 31 of 41 slots.
    let pages = session.alloc_bulk(140_000);
    let mut ids = Vec::new();
    session.engine.alloc_protected_bulk(&mut session.pages, 1400, &mut ids).unwrap();
    session.commit();
    assert!(pages.is_sorted() && ids.is_sorted());
    session.check();
    let every_third: Vec<u64> = pages.iter().copied().step_by(3).collect();
    session.engine.free_bulk(&mut session.pages, &every_third).unwrap();
    session.commit();
    let mut again = session.reopen().unwrap();
    again.check();
    assert_eq!(again.engine.free_page_count(), session.engine.free_page_count());
    assert_eq!(again.alloc_bulk(every_third.len()), every_third);
    let mut slots = 0;
    let mut from = 0;
    while let Some(id) = again.engine.next_protected(&again.pages, from).unwrap() {
        slots += 1;
        from = id + 1;
    }
    assert_eq!(slots, 1400);
}

#[test]
fn a_bulk_allocation_takes_pages_by_the_leaf() {
    let mut session = Session::<4096>::create();
    let reads = session.disk.reads();
    let syncs = session.disk.syncs();
    let pages = session.alloc_bulk(100_000);
    session.commit();
    assert!(pages.is_sorted() && pages.len() == 100_000);
    assert!(pages[99_999] < 100_003 + 16, "nodes take more than pages");
    assert_eq!(session.disk.syncs() - syncs, 1);
    assert!(session.disk.reads() - reads < 10);
    // Six leaves and a root of four kibibytes each, the record's page and the seal.
    assert!(session.disk.sectors_written() < 120, "{}", session.disk.sectors_written());
    assert!(session.disk.len().unwrap() < 2 * 100_000 * 4096);
}

#[test]
fn pairs_are_found_between_single_free_pages() {
    let mut session = Session::<1024>::create();
    let pages = session.alloc_bulk(20_000);
    session.commit();
    let singles: Vec<u64> = pages.iter().copied().step_by(2).collect();
    session.engine.free_bulk(&mut session.pages, &singles).unwrap();
    session.commit();
    let mut ids = Vec::new();
    session.engine.alloc_protected_bulk(&mut session.pages, 500, &mut ids).unwrap();
    session.check();
    // Regular pages go into the gaps.
    assert_eq!(session.alloc(), singles[0]);
    let two = [pages[4001], pages[4003]];
    session.engine.free_bulk(&mut session.pages, &two).unwrap();
    session.commit();
    let id = session.alloc_protected();
    let entry = session.engine.state.entry(&session.pages, id).unwrap();
    assert_eq!(entry.first, pages[4000]);
    session.check();
}

#[test]
fn growth_is_asked_for_in_steps() {
    let mut session = Session::<1024>::create();
    let mut lens = vec![session.pages.count()];
    for _ in 0..3000 {
        session.engine.alloc(&mut session.pages, Content::Zeroed).unwrap();
        lens.push(session.pages.count());
    }
    lens.dedup();
    assert_eq!(lens, [4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096]);
}
