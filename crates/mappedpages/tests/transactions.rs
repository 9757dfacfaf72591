//! Transactions: one commit, all or nothing, taken back when dropped.

mod support;

use std::sync::Arc;

use mappedpages::{Durability, Format, MappedPageError, Medium, PageId, Pager};
use support::medium::Watched;
use support::{Case, P, assert_fails, in_all_cases, leak, listed};

fn in_format_two(test: impl Fn(&Case)) {
    in_all_cases(|case| {
        if case.format == Format::Two {
            test(case);
        }
    });
}

/// Pages by id.
type Contents = Vec<(u64, Vec<u8>)>;

/// Everything that the pager shows: how many are free, regular pages, protected pages.
fn state(pager: &Pager<P>) -> (u64, Contents, Contents) {
    let regular = pager.iter_allocated_pages();
    let regular = regular.map(|id| (id.0, id.get(pager).unwrap().as_bytes().to_vec())).collect();
    let protected = pager.iter_allocated_protected_pages();
    let protected =
        protected.map(|id| (id.0, id.get(pager).unwrap().as_bytes().to_vec())).collect();
    (pager.free_page_count(), regular, protected)
}

#[test]
fn many_changes_are_one_commit() {
    in_format_two(|case| {
        let mut pager = case.create();
        let kept = pager.alloc_bulk(3).unwrap();
        let old = pager.alloc_protected().unwrap();
        let generation = pager.generation();

        let mut transaction = pager.transaction().unwrap();
        let page = transaction.alloc().unwrap();
        let more = transaction.alloc_bulk(20).unwrap();
        transaction.free(kept[0]).unwrap();
        transaction.free_bulk(&more[..4]).unwrap();
        let protected = transaction.alloc_protected_bulk(5).unwrap();
        transaction.free_protected(old).unwrap();
        transaction.page_mut(page).unwrap().as_bytes_mut().fill(1);
        transaction.page_mut(kept[1]).unwrap().as_bytes_mut().fill(2);
        for id in &protected {
            transaction.protected_mut(*id).unwrap().as_bytes_mut().fill(3);
        }
        assert_eq!(transaction.page(kept[1]).unwrap().as_bytes(), [2; P]);
        assert_eq!(transaction.protected(protected[4]).unwrap().as_bytes(), [3; P]);
        assert_fails!(transaction.page(kept[0]), MappedPageError::Stale);
        transaction.commit().unwrap();

        let check = |pager: &Pager<P>| {
            assert_eq!(pager.generation(), generation + 1);
            assert_eq!(page.get(pager).unwrap().as_bytes(), [1; P]);
            assert_eq!(kept[1].get(pager).unwrap().as_bytes(), [2; P]);
            assert_eq!(kept[2].get(pager).unwrap().as_bytes(), [0; P]);
            assert_eq!(listed(pager).0.len(), 2 + 1 + 16);
            assert_eq!(listed(pager).1.len(), 5);
            assert_fails!(old.get(pager), MappedPageError::Stale);
            for id in &protected {
                assert_eq!(id.get(pager).unwrap().as_bytes(), [3; P]);
            }
        };
        check(&pager);
        check(&case.reopen(pager));
    });
}

#[test]
fn a_transaction_that_is_dropped_changes_nothing() {
    in_format_two(|case| {
        let mut pager = case.create();
        let page = pager.alloc().unwrap();
        page.get_mut(&mut pager).unwrap().as_bytes_mut().fill(1);
        let protected = pager.alloc_protected().unwrap();
        let before = state(&pager);
        let change = |pager: &mut Pager<P>, leaks: bool| {
            let mut transaction = pager.transaction().unwrap();
            transaction.alloc_bulk(40).unwrap();
            let id = transaction.alloc_protected().unwrap();
            transaction.protected_mut(id).unwrap().as_bytes_mut().fill(8);
            transaction.protected_mut(protected).unwrap().as_bytes_mut().fill(8);
            transaction.page_mut(page).unwrap().as_bytes_mut().fill(8);
            transaction.free(page).unwrap();
            if leaks {
                leak(transaction);
            } else {
                transaction.rollback();
            }
        };
        let compare = |pager: &Pager<P>| {
            let (free, regular, protected) = state(pager);
            assert_eq!((&regular, &protected), (&before.1, &before.2));
            assert!(free >= before.0, "a growth may stay, a page may not be lost");
        };
        change(&mut pager, false);
        compare(&pager);
        change(&mut pager, true);
        pager.flush().unwrap();
        compare(&pager);
        change(&mut pager, true);
        let mut pager = case.reopen(pager);
        compare(&pager);
        change(&mut pager, true);
        drop(pager);
        let mut pager = case.open();
        compare(&pager);
        // What was taken back can be taken again.
        let free = pager.free_page_count();
        assert_eq!(pager.alloc_bulk(usize::try_from(free).unwrap()).unwrap().len() as u64, free);
    });
}

#[test]
fn a_call_that_fails_leaves_the_transaction_as_it_was() {
    in_format_two(|case| {
        let mut pager = case.create();
        let pages = pager.alloc_bulk(3).unwrap();
        let mut transaction = pager.transaction().unwrap();
        let page = transaction.alloc().unwrap();
        assert_fails!(transaction.free(PageId(0)), MappedPageError::ReservedPage);
        assert_fails!(
            transaction.free_bulk(&[pages[0], pages[1], pages[0]]),
            MappedPageError::DoubleFree
        );
        assert_fails!(transaction.page_mut(PageId(9999)), MappedPageError::OutOfBounds);
        transaction.free(pages[2]).unwrap();
        assert_fails!(transaction.free(pages[2]), MappedPageError::DoubleFree);
        assert_fails!(transaction.page_mut(pages[2]), MappedPageError::Stale);
        transaction.commit().unwrap();
        assert_eq!(listed(&pager).0, [pages[0].0, pages[1].0, page.0]);
    });
}

#[test]
fn a_panic_takes_a_transaction_back() {
    in_format_two(|case| {
        let mut pager = case.create();
        let before = state(&pager);
        let panicking = std::panic::AssertUnwindSafe(|| {
            let mut transaction = pager.transaction().unwrap();
            transaction.alloc().unwrap();
            panic!("of the caller");
        });
        std::panic::catch_unwind(panicking).unwrap_err();
        assert_eq!(state(&pager), before);
        pager.alloc().unwrap();
    });
}

#[test]
fn a_page_written_in_a_commit_can_be_stored_to_directly_afterwards() {
    in_format_two(|case| {
        let mut pager = case.create();
        let page = pager.alloc().unwrap();
        for round in 1..6 {
            let mut transaction = pager.transaction().unwrap();
            transaction.page_mut(page).unwrap().as_bytes_mut().fill(round);
            transaction.commit().unwrap();
            assert_eq!(page.get(&pager).unwrap().as_bytes(), [round; P]);
            page.get_mut(&mut pager).unwrap().as_bytes_mut()[0] = 100 + round;
            if round % 2 == 0 {
                pager.flush().unwrap();
            } else {
                pager = case.reopen(pager);
            }
            let bytes = page.get(&pager).unwrap().as_bytes();
            assert_eq!(bytes[..2], [100 + round, round]);
        }
    });
}

#[test]
fn what_is_eventual_is_seen_at_once_and_durable_with_the_next_commit() {
    in_format_two(|case| {
        let mut pager = case.create_with(Durability::Eventual);
        let generation = pager.generation();
        let page = pager.alloc().unwrap();
        let protected = pager.alloc_protected().unwrap();
        let mut writer = protected.get_mut(&mut pager).unwrap();
        writer.page_mut().as_bytes_mut().fill(4);
        writer.commit().unwrap();
        let mut transaction = pager.transaction().unwrap();
        transaction.page_mut(page).unwrap().as_bytes_mut().fill(5);
        transaction.commit().unwrap();
        assert_eq!(protected.get(&pager).unwrap().as_bytes(), [4; P]);
        assert_eq!(page.get(&pager).unwrap().as_bytes(), [5; P]);
        assert_eq!(pager.generation(), generation, "nothing was written");
        pager.set_durability(Durability::Barriers);
        let other = pager.alloc().unwrap();
        assert_eq!(pager.generation(), generation + 1, "one commit for all");
        let pager = case.reopen(pager);
        assert_eq!(listed(&pager), (vec![page.0, other.0], vec![protected.0]));
        assert_eq!(protected.get(&pager).unwrap().as_bytes(), [4; P]);
        assert_eq!(page.get(&pager).unwrap().as_bytes(), [5; P]);
    });
}

#[test]
fn dropping_a_pager_commits_what_was_not_durable() {
    in_all_cases(|case| {
        let mut pager = case.create_with(Durability::Eventual);
        let id = pager.alloc().unwrap();
        id.get_mut(&mut pager).unwrap().as_bytes_mut().fill(6);
        drop(pager);
        let pager = case.open();
        assert_eq!(id.get(&pager).unwrap().as_bytes(), [6; P]);
        assert!(!pager.recovery().unclean);
    });
}

#[test]
fn format_one_says_what_it_cannot_commit() {
    in_all_cases(|case| {
        if case.format == Format::Two {
            return;
        }
        let mut pager = case.create();
        let page = pager.alloc().unwrap();
        let mut transaction = pager.transaction().unwrap();
        assert_fails!(transaction.page_mut(page), MappedPageError::Unsupported { .. });
        let new = transaction.alloc().unwrap();
        let protected = transaction.alloc_protected().unwrap();
        transaction.protected_mut(protected).unwrap().as_bytes_mut().fill(2);
        transaction.commit().unwrap();
        let pager = case.reopen(pager);
        assert_eq!(listed(&pager), (vec![page.0, new.0], vec![protected.0]));
        assert_eq!(protected.get(&pager).unwrap().as_bytes(), [2; P]);
    });
}

/// What costs is the call and the place on the disk, so a commit writes what lies together at once.
#[test]
fn what_lies_together_is_written_at_once() {
    let medium = Watched::new();
    let mut pager =
        Pager::<P>::builder().create_on(Arc::clone(&medium) as Arc<dyn Medium>).unwrap();
    let protected = pager.alloc_protected_bulk(64).unwrap();
    let regular = pager.alloc_bulk(64).unwrap();
    for turn in 1..5 {
        let before = medium.writes();
        let mut transaction = pager.transaction().unwrap();
        for id in &protected {
            transaction.protected_mut(*id).unwrap().as_bytes_mut().fill(turn);
        }
        transaction.commit().unwrap();
        let writes = medium.writes() - before;
        assert!((32..=40).contains(&writes), "{writes} writes for contents in 32 places");

        let before = medium.writes();
        let mut transaction = pager.transaction().unwrap();
        for id in &regular {
            transaction.page_mut(*id).unwrap().as_bytes_mut().fill(turn);
        }
        transaction.commit().unwrap();
        let writes = medium.writes() - before;
        assert!((2..=10).contains(&writes), "{writes} writes for contents in 2 places");
    }
    pager.close().unwrap();
    let pager = Pager::<P>::builder().open_on(medium as Arc<dyn Medium>).unwrap();
    for id in &protected {
        assert_eq!(id.get(&pager).unwrap().as_bytes(), [4; P]);
    }
    for id in &regular {
        assert_eq!(id.get(&pager).unwrap().as_bytes(), [4; P]);
    }
}
