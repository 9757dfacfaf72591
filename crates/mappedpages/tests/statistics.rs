//! The figures of a file are those of what was done to it.

mod support;

use mappedpages::{Durability, Format, MappedPageError};
use support::{P, in_all_cases};

#[test]
fn pages_are_counted_by_kind_and_commits_and_syncs_by_what_was_done() {
    in_all_cases(|case| {
        let mut pager = case.create();
        let new = pager.statistics().unwrap();
        assert_eq!((new.pages, new.pages_free, new.pages_internal), (4, 1, 3));
        assert_eq!((new.commits, new.syncs, new.format), (0, 0, case.format));
        assert_eq!(new.file_len, 4 * P as u64);

        let ids = pager.alloc_bulk(100).unwrap();
        let protected = pager.alloc_protected_bulk(10).unwrap();
        pager.free_bulk(ids[90..].to_vec()).unwrap();
        pager.free_protected(protected[3]).unwrap();
        let now = pager.statistics().unwrap();
        assert_eq!((now.pages_regular, now.protected), (90, 9));
        assert_eq!(now.pages_free, pager.free_page_count());
        // Reserved pages, pairs, and one pair for the directory.
        assert_eq!(now.pages_internal, 3 + 2 * 9 + 2);
        assert_eq!(now.pages, now.pages_free + now.pages_regular + now.pages_internal);
        assert_eq!(now.directory_levels, 1);
        assert_eq!(now.commits, 4);
        let syncs = match case.format {
            Format::One => 2 * now.commits,
            _ => now.commits,
        };
        assert_eq!(now.syncs, syncs);

        let report = pager.check().unwrap();
        assert_eq!(report.figures.pages_regular, now.pages_regular);
        assert_eq!(report.figures.pages_internal, now.pages_internal);
        assert_eq!(report.figures.pages_free, now.pages_free);

        let before = pager.statistics().unwrap().syncs;
        pager.flush().unwrap();
        let flushed = pager.statistics().unwrap();
        assert_eq!((flushed.commits, flushed.syncs), (now.commits, before + 1));
        let pager = case.reopen(pager);
        let opened = pager.statistics().unwrap();
        assert_eq!((opened.commits, opened.syncs), (0, 0));
        assert_eq!((opened.pages_regular, opened.protected), (90, 9));
    });
}

#[test]
fn what_waits_for_a_commit_is_told() {
    in_all_cases(|case| {
        if case.format == Format::One {
            return;
        }
        let mut pager = case.create_with(Durability::Eventual);
        let id = pager.alloc_protected().unwrap();
        let page = pager.alloc().unwrap();
        pager.flush().unwrap();
        let mut transaction = pager.transaction().unwrap();
        transaction.protected_mut(id).unwrap().as_bytes_mut().fill(1);
        transaction.page_mut(page).unwrap().as_bytes_mut().fill(1);
        transaction.commit().unwrap();
        assert_eq!(pager.statistics().unwrap().contents_waiting, 2);
        pager.flush().unwrap();
        let now = pager.statistics().unwrap();
        assert_eq!(now.contents_waiting, 0);
        // The list, and the content.
        assert_eq!(now.journal_pages, 2);
    });
}

#[test]
fn levels_are_told_of_a_file_that_needs_them() {
    in_all_cases(|case| {
        if case.format == Format::One {
            return;
        }
        let mut pager = case.create();
        assert_eq!(pager.statistics().unwrap().allocation_levels, 0);
        pager.alloc_bulk(3000).unwrap();
        assert_eq!(pager.statistics().unwrap().allocation_levels, 1);
        pager.alloc_bulk(5000).unwrap();
        pager.alloc_protected_bulk(50).unwrap();
        let now = pager.statistics().unwrap();
        assert_eq!((now.allocation_levels, now.directory_levels), (2, 2));
        assert_eq!((now.pages_regular, now.protected), (8000, 50));
    });
}

#[test]
fn a_pager_that_failed_has_no_figures() {
    let medium = support::medium::Watched::new();
    let mut pager = mappedpages::Pager::<P>::builder()
        .create_on(medium.clone() as std::sync::Arc<dyn mappedpages::Medium>)
        .unwrap();
    medium.fail_syncs(true);
    pager.alloc().unwrap_err();
    assert!(matches!(pager.statistics(), Err(MappedPageError::Unavailable)));
    assert!(matches!(pager.check(), Err(MappedPageError::Unavailable)));
    assert!(matches!(pager.shrink(), Err(MappedPageError::Unavailable)));
}
