//! What a commit costs, and what a medium that fails does to a pager.

mod support;

use std::sync::Arc;

use mappedpages::{Durability, Format, MappedPageError, Medium, Pager};
use support::medium::Watched;
use support::{P, assert_fails, listed};

fn on(medium: &Arc<Watched>) -> Arc<dyn Medium> {
    Arc::clone(medium) as Arc<dyn Medium>
}

fn create(format: Format, durability: Durability) -> (Arc<Watched>, Pager<P>) {
    let medium = Watched::new();
    let builder = Pager::builder().format(format).durability(durability);
    let pager = builder.create_on(on(&medium)).unwrap();
    (medium, pager)
}

/// Syncs that `act` costs.
fn syncs<T>(medium: &Watched, act: impl FnOnce() -> T) -> u64 {
    let before = medium.syncs();
    act();
    medium.syncs() - before
}

#[test]
fn a_change_in_format_two_costs_one_flush() {
    let (medium, mut pager) = create(Format::Two, Durability::Immediate);
    let page = pager.alloc().unwrap();
    let protected = pager.alloc_protected().unwrap();
    assert_eq!(syncs(&medium, || pager.alloc().unwrap()), 1);
    assert_eq!(syncs(&medium, || pager.free(page).unwrap()), 1);
    let pages = pager.alloc_bulk(500).unwrap();
    assert_eq!(syncs(&medium, || pager.alloc_bulk(500).unwrap()), 1);
    assert_eq!(syncs(&medium, || pager.free_bulk(pages).unwrap()), 1);
    assert_eq!(syncs(&medium, || pager.alloc_protected().unwrap()), 1);
    assert_eq!(syncs(&medium, || pager.alloc_protected_bulk(50).unwrap()), 1);
    let mut writer = protected.get_mut(&mut pager).unwrap();
    writer.page_mut().as_bytes_mut().fill(1);
    assert_eq!(syncs(&medium, || writer.commit().unwrap()), 1);
    assert_eq!(syncs(&medium, || pager.free_protected(protected).unwrap()), 1);
    assert_eq!(syncs(&medium, || pager.flush().unwrap()), 1);
    assert_eq!(syncs(&medium, || pager.alloc_bulk(0).unwrap()), 0, "nothing to commit");
}

#[test]
fn a_change_in_format_two_with_barriers_costs_two() {
    let (medium, mut pager) = create(Format::Two, Durability::Barriers);
    pager.alloc().unwrap();
    assert_eq!(syncs(&medium, || pager.alloc().unwrap()), 2);
    assert_eq!(syncs(&medium, || pager.alloc_protected_bulk(9).unwrap()), 2);
}

#[test]
fn what_is_eventual_costs_none() {
    for format in [Format::One, Format::Two] {
        let (medium, mut pager) = create(format, Durability::Eventual);
        assert_eq!(syncs(&medium, || pager.alloc_bulk(9).unwrap()), 0);
        assert_eq!(syncs(&medium, || pager.alloc_protected().unwrap()), 0);
        assert!(syncs(&medium, || pager.flush().unwrap()) >= 1);
    }
}

#[test]
fn a_failed_sync_ends_the_pager_and_is_not_repeated() {
    for format in [Format::One, Format::Two] {
        for durability in [Durability::Immediate, Durability::Barriers] {
            let (medium, mut pager) = create(format, durability);
            let kept = pager.alloc().unwrap();
            let protected = pager.alloc_protected().unwrap();
            medium.fail_syncs(true);
            assert_fails!(pager.alloc(), MappedPageError::Io(_));
            medium.fail_syncs(false);
            let (syncs, writes) = (medium.syncs(), medium.writes());
            assert_fails!(pager.alloc(), MappedPageError::Unavailable);
            assert_fails!(pager.free(kept), MappedPageError::Unavailable);
            assert_fails!(kept.get(&pager), MappedPageError::Unavailable);
            assert_fails!(kept.get_mut(&mut pager), MappedPageError::Unavailable);
            assert_fails!(protected.get(&pager), MappedPageError::Unavailable);
            assert_fails!(protected.get_mut(&mut pager), MappedPageError::Unavailable);
            assert_fails!(pager.transaction(), MappedPageError::Unavailable);
            let (mut pages, mut ids) =
                (pager.iter_allocated_pages(), pager.iter_allocated_protected_pages());
            assert_eq!((pages.next(), ids.next()), (None, None));
            for error in [pages.error(), ids.error()] {
                assert!(matches!(error, Some(MappedPageError::Unavailable)), "{error:?}");
            }
            assert_fails!(pager.flush(), MappedPageError::Unavailable);
            assert_fails!(pager.close(), MappedPageError::Unavailable);
            assert_eq!((medium.syncs(), medium.writes()), (syncs, writes), "it was tried again");

            let pager = Pager::<P>::builder().open_on(on(&medium)).unwrap();
            assert!(listed(&pager).0.starts_with(&[kept.0]));
            assert_eq!(listed(&pager).1, [protected.0]);
        }
    }
}

#[test]
fn a_failed_sync_before_direct_stores_ends_the_pager() {
    let (medium, mut pager) = create(Format::Two, Durability::Eventual);
    let page = pager.alloc().unwrap();
    pager.flush().unwrap();
    let mut transaction = pager.transaction().unwrap();
    transaction.page_mut(page).unwrap().as_bytes_mut().fill(1);
    transaction.commit().unwrap();
    // What was accepted for the page has to be durable before it is stored to beside it.
    medium.fail_syncs(true);
    assert_fails!(page.get_mut(&mut pager), MappedPageError::Io(_));
    medium.fail_syncs(false);
    assert_fails!(page.get_mut(&mut pager), MappedPageError::Unavailable);
    assert_fails!(page.get(&pager), MappedPageError::Unavailable);
}

#[test]
fn a_medium_that_panics_ends_the_pager() {
    for format in [Format::One, Format::Two] {
        let (medium, mut pager) = create(format, Durability::Immediate);
        pager.alloc().unwrap();
        medium.on_sync(|| panic!("of the medium"));
        let panicking = std::panic::AssertUnwindSafe(|| pager.alloc());
        std::panic::catch_unwind(panicking).unwrap_err();
        medium.on_sync(|| {});
        let writes = medium.writes();
        assert_fails!(pager.alloc(), MappedPageError::Unavailable);
        drop(pager);
        assert_eq!(medium.writes(), writes);
    }
}

#[test]
fn a_failed_write_ends_the_pager_and_a_drop_writes_nothing() {
    for format in [Format::One, Format::Two] {
        let (medium, mut pager) = create(format, Durability::Immediate);
        let kept = pager.alloc_bulk(3).unwrap();
        pager.flush().unwrap();
        medium.fail_writes(true);
        assert!(pager.alloc_protected().is_err());
        medium.fail_writes(false);
        let writes = medium.writes();
        drop(pager);
        assert_eq!(medium.writes(), writes, "{format:?}");
        let pager = Pager::<P>::builder().open_on(on(&medium)).unwrap();
        assert_eq!(listed(&pager), (kept.iter().map(|id| id.0).collect(), vec![]));
    }
}

#[test]
fn no_room_is_an_error_that_changes_nothing() {
    for format in [Format::One, Format::Two] {
        let (medium, mut pager) = create(format, Durability::Immediate);
        medium.limit(64 * P as u64);
        let mut taken = 0;
        let error = loop {
            match pager.alloc() {
                Ok(_) => taken += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, MappedPageError::Full), "{error:?}");
        assert!((20..64).contains(&taken), "{taken}");
        let before = (listed(&pager), pager.page_count(), pager.free_page_count());
        assert_fails!(pager.alloc_bulk(1000), MappedPageError::Full);
        assert_fails!(pager.alloc_protected_bulk(1000), MappedPageError::Full);
        assert_eq!((listed(&pager), pager.page_count(), pager.free_page_count()), before);
        // What is freed can be taken again.
        let ids: Vec<_> = pager.iter_allocated_pages().take(2).collect();
        pager.free(ids[0]).unwrap();
        assert_eq!(pager.alloc().unwrap(), ids[0]);
        medium.limit(0);
        pager.alloc_bulk(100).unwrap();
        pager.close().unwrap();
        let pager = Pager::<P>::builder().open_on(on(&medium)).unwrap();
        assert_eq!(listed(&pager).0.len(), taken + 100);
    }
}

#[test]
fn pages_that_wait_for_a_commit_are_made_free_when_there_is_no_other_room() {
    let (medium, mut pager) = create(Format::Two, Durability::Eventual);
    medium.limit(32 * P as u64);
    while pager.alloc().is_ok() {}
    let pages: Vec<_> = pager.iter_allocated_pages().collect();
    pager.flush().unwrap();
    // Until a commit is durable nothing that it freed is given out: so the pager commits first.
    pager.free_bulk(pages.clone()).unwrap();
    let before = medium.syncs();
    let again = pager.alloc_bulk(pages.len()).unwrap();
    assert_eq!(again, pages);
    assert!(medium.syncs() > before);
}

#[test]
fn pages_that_hold_a_journal_are_made_free_when_there_is_no_other_room() {
    let (medium, mut pager) = create(Format::Two, Durability::Immediate);
    let pages = pager.alloc_bulk(20).unwrap();
    let more = pager.alloc_bulk(9).unwrap();
    pager.free_bulk(more).unwrap();
    medium.limit(pager.page_count() * P as u64);
    let mut transaction = pager.transaction().unwrap();
    for page in &pages[..5] {
        transaction.page_mut(*page).unwrap().as_bytes_mut().fill(1);
    }
    transaction.commit().unwrap();
    // The journal lies in pages that are free, and is needed until the next but one is durable.
    let free = usize::try_from(pager.free_page_count()).unwrap();
    assert_eq!(pager.alloc_bulk(free).unwrap().len(), free);
    assert_eq!(pager.free_page_count(), 0);
    assert_fails!(pager.alloc(), MappedPageError::Full);
    for page in &pages[..5] {
        assert_eq!(page.get(&pager).unwrap().as_bytes(), [1; P]);
    }
}

#[test]
fn a_medium_that_is_not_empty_is_not_made_a_page_file() {
    let medium = Watched::holding(vec![1]);
    match Pager::<P>::builder().create_on(on(&medium)) {
        Err(MappedPageError::Io(error)) => {
            assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(medium.bytes(), [1]);
}

#[test]
fn direct_stores_reach_the_medium_with_the_next_commit_or_flush() {
    for format in [Format::One, Format::Two] {
        let (medium, mut pager) = create(format, Durability::Immediate);
        let page = pager.alloc().unwrap();
        let place = usize::try_from(page.0).unwrap() * P;
        page.get_mut(&mut pager).unwrap().as_bytes_mut().fill(1);
        pager.flush().unwrap();
        assert_eq!(medium.bytes()[place..][..P], [1; P]);
        page.get_mut(&mut pager).unwrap().as_bytes_mut().fill(2);
        pager.alloc().unwrap();
        assert_eq!(medium.bytes()[place..][..P], [2; P]);
        page.get_mut(&mut pager).unwrap().as_bytes_mut().fill(3);
        drop(pager);
        assert_eq!(medium.bytes()[place..][..P], [3; P]);
    }
}
