//! The calls of the published crate, in both formats and over both backings.

mod support;

use mappedpages::{
    BulkPageAllocator, MappedPageError, PageAllocator, PageHandle, PageId, Pager, ProtectedPageId,
};
use support::{P, assert_fails, in_all_cases, leak, listed};

#[test]
fn a_new_file_has_four_pages_of_which_one_is_free() {
    in_all_cases(|case| {
        let pager = case.create();
        assert_eq!((pager.page_size(), pager.page_count(), pager.free_page_count()), (P, 4, 1));
        assert_eq!(listed(&pager), (vec![], vec![]));
        assert_eq!(pager.format(), case.format);
        let pager = case.reopen(pager);
        assert_eq!((pager.page_count(), pager.free_page_count()), (4, 1));
        assert_eq!(pager.format(), case.format);
        assert!(!pager.recovery().unclean);
    });
}

#[test]
fn a_file_that_exists_is_not_made_anew() {
    in_all_cases(|case| {
        let id = {
            let mut pager = case.create();
            pager.alloc().unwrap()
        };
        match case.builder().create(case.path()) {
            Err(MappedPageError::Io(error)) => {
                assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(listed(&case.open()).0, [id.0]);
    });
}

#[test]
fn the_lowest_free_page_is_given_out_and_the_file_grows() {
    in_all_cases(|case| {
        let mut pager = case.create();
        let ids: Vec<u64> = (0..20).map(|_| pager.alloc().unwrap().0).collect();
        assert_eq!(ids[0], 3);
        assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
        assert!(pager.page_count() >= 23);
        assert_eq!(listed(&pager).0, ids);
        pager.free(PageId(ids[4])).unwrap();
        pager.free(PageId(ids[2])).unwrap();
        assert_eq!(pager.alloc().unwrap().0, ids[2]);
        assert_eq!(pager.alloc().unwrap().0, ids[4]);
        let count = pager.page_count();
        let pager = case.reopen(pager);
        assert_eq!(listed(&pager).0, ids);
        assert_eq!(pager.page_count(), count);
    });
}

#[test]
fn pages_keep_what_is_stored_and_begin_as_zeros() {
    in_all_cases(|case| {
        let mut pager = case.create();
        let first = pager.alloc().unwrap();
        let second = pager.alloc().unwrap();
        first.get_mut(&mut pager).unwrap().as_bytes_mut().fill(1);
        second.get_mut(&mut pager).unwrap().as_bytes_mut()[P - 1] = 2;
        for _ in 0..30 {
            pager.alloc().unwrap();
        }
        assert_eq!(first.get(&pager).unwrap().as_bytes(), [1; P]);
        let mut pager = case.reopen(pager);
        assert_eq!(first.get(&pager).unwrap().as_bytes(), [1; P]);
        assert_eq!(second.get(&pager).unwrap().as_bytes()[P - 2..], [0, 2]);
        assert_eq!(first.get(&pager).unwrap().len(), P);
        assert!(!first.get(&pager).unwrap().is_empty());
        pager.free(first).unwrap();
        assert_eq!(pager.alloc().unwrap(), first);
        assert_eq!(first.get(&pager).unwrap().as_bytes(), [0; P], "the content of before");
    });
}

#[test]
fn ids_that_name_no_page_of_the_caller_are_refused() {
    in_all_cases(|case| {
        let mut pager = case.create();
        let id = pager.alloc().unwrap();
        let protected = pager.alloc_protected().unwrap();
        let regular: Vec<u64> = listed(&pager).0;
        let before = (pager.page_count(), pager.free_page_count());
        for page in 0..pager.page_count() {
            if regular.contains(&page) {
                continue;
            }
            let page = PageId(page);
            match page.get(&pager) {
                Err(MappedPageError::ReservedPage) => {
                    assert_fails!(pager.free(page), MappedPageError::ReservedPage);
                    assert_fails!(page.get_mut(&mut pager), MappedPageError::ReservedPage);
                }
                Err(MappedPageError::Stale) => {
                    assert!(page.0 > 2);
                    assert_fails!(pager.free(page), MappedPageError::DoubleFree);
                    assert_fails!(page.get_mut(&mut pager), MappedPageError::Stale);
                }
                other => panic!("page {}: {other:?}", page.0),
            }
        }
        for page in [pager.page_count(), u64::MAX / P as u64, u64::MAX] {
            let page = PageId(page);
            assert_fails!(page.get(&pager), MappedPageError::OutOfBounds);
            assert_fails!(page.get_mut(&mut pager), MappedPageError::OutOfBounds);
            assert_fails!(pager.free(page), MappedPageError::OutOfBounds);
        }
        // A slot that was never used but has room.
        let slot = ProtectedPageId(1);
        assert_fails!(slot.get(&pager), MappedPageError::OutOfBounds | MappedPageError::Stale);
        assert_fails!(
            pager.free_protected(slot),
            MappedPageError::OutOfBounds | MappedPageError::DoubleFree
        );
        for slot in [40_000, (1 << 40) - 1] {
            let slot = ProtectedPageId(slot);
            assert_fails!(slot.get(&pager), MappedPageError::OutOfBounds);
            assert_fails!(slot.get_mut(&mut pager), MappedPageError::OutOfBounds);
            assert_fails!(pager.free_protected(slot), MappedPageError::OutOfBounds);
        }
        assert_eq!((pager.page_count(), pager.free_page_count()), before);
        id.get(&pager).unwrap();
        pager.free(id).unwrap();
        assert_fails!(id.get(&pager), MappedPageError::Stale);
        assert_fails!(pager.free(id), MappedPageError::DoubleFree);
        pager.free_protected(protected).unwrap();
        assert_fails!(protected.get(&pager), MappedPageError::Stale);
        assert_fails!(protected.get_mut(&mut pager), MappedPageError::Stale);
        assert_fails!(pager.free_protected(protected), MappedPageError::DoubleFree);
    });
}

#[test]
fn the_id_of_a_freed_protected_page_does_not_name_the_next_one() {
    in_all_cases(|case| {
        let mut pager = case.create();
        let mut ids = Vec::new();
        for _ in 0..5 {
            let id = pager.alloc_protected().unwrap();
            ids.push(id);
            pager.free_protected(id).unwrap();
            pager = case.reopen(pager);
        }
        let last = pager.alloc_protected().unwrap();
        for id in ids {
            assert_ne!(id, last);
            assert_fails!(id.get(&pager), MappedPageError::Stale);
            assert_fails!(pager.free_protected(id), MappedPageError::DoubleFree);
        }
        assert_eq!(listed(&pager).1, [last.0]);
    });
}

#[test]
fn protected_pages_are_written_by_commits_only() {
    in_all_cases(|case| {
        let mut pager = case.create();
        let ids = pager.alloc_protected_bulk(3).unwrap();
        assert_eq!(ids, [0, 1, 2].map(ProtectedPageId));
        let id = ids[1];
        assert_eq!(id.get(&pager).unwrap().as_bytes(), [0; P]);

        let mut writer = id.get_mut(&mut pager).unwrap();
        writer.page_mut().as_bytes_mut().fill(7);
        drop(writer);
        assert_eq!(id.get(&pager).unwrap().as_bytes(), [0; P], "dropped");

        let mut writer = id.get_mut(&mut pager).unwrap();
        writer.page_mut().as_bytes_mut().fill(7);
        leak(writer);
        assert_eq!(id.get(&pager).unwrap().as_bytes(), [0; P], "leaked");

        for byte in 1..=4 {
            let mut writer = id.get_mut(&mut pager).unwrap();
            assert_eq!(writer.page_mut().as_bytes()[1..], [byte - 1; P - 1], "where it starts");
            writer.page_mut().as_bytes_mut().fill(byte);
            writer.commit().unwrap();
            let mut writer = id.get_mut(&mut pager).unwrap();
            writer.page_mut().as_bytes_mut()[0] = 0;
            writer.commit().unwrap();
        }
        let pager = case.reopen(pager);
        assert_eq!(id.get(&pager).unwrap().as_bytes()[..2], [0, 4]);
        assert_eq!(ids[0].get(&pager).unwrap().as_bytes(), [0; P]);
        assert_eq!(ids[2].get(&pager).unwrap().as_bytes(), [0; P]);
    });
}

#[test]
fn a_reused_protected_page_reads_as_zeros() {
    in_all_cases(|case| {
        let mut pager = case.create();
        let id = pager.alloc_protected().unwrap();
        for byte in [1, 2] {
            let mut writer = id.get_mut(&mut pager).unwrap();
            writer.page_mut().as_bytes_mut().fill(byte);
            writer.commit().unwrap();
        }
        pager.free_protected(id).unwrap();
        let id = pager.alloc_protected().unwrap();
        assert_eq!(id.get(&pager).unwrap().as_bytes(), [0; P]);
        let mut writer = id.get_mut(&mut pager).unwrap();
        assert_eq!(writer.page_mut().as_bytes(), [0; P]);
        writer.page_mut().as_bytes_mut()[5] = 5;
        writer.commit().unwrap();
        let pager = case.reopen(pager);
        assert_eq!(id.get(&pager).unwrap().as_bytes()[4..7], [0, 5, 0]);
    });
}

#[test]
fn bulk_calls_take_all_or_nothing() {
    in_all_cases(|case| {
        let mut pager = case.create();
        assert_eq!(pager.alloc_bulk(0).unwrap(), []);
        assert_eq!(pager.alloc_protected_bulk(0).unwrap(), []);
        pager.free_bulk(vec![]).unwrap();
        pager.free_protected_bulk(vec![]).unwrap();
        let pages = pager.alloc_bulk(9).unwrap();
        let protected = pager.alloc_protected_bulk(4).unwrap();
        let before = (listed(&pager), pager.free_page_count());
        let unchanged = |pager: &Pager<P>| {
            assert_eq!((listed(pager), pager.free_page_count()), before);
        };
        for wrong in [0, 1, 2] {
            let mut ids = pages.clone();
            ids.push(PageId(wrong));
            assert_fails!(pager.free_bulk(ids), MappedPageError::ReservedPage);
        }
        let mut ids = pages.clone();
        ids.insert(3, PageId(u64::MAX));
        assert_fails!(pager.free_bulk(ids), MappedPageError::OutOfBounds);
        let mut ids = pages.clone();
        ids.push(pages[0]);
        assert_fails!(pager.free_bulk(ids), MappedPageError::DoubleFree);
        let mut ids = protected.clone();
        ids.push(protected[1]);
        assert_fails!(pager.free_protected_bulk(ids), MappedPageError::DoubleFree);
        let mut ids = protected.clone();
        ids.push(ProtectedPageId(77));
        assert_fails!(pager.free_protected_bulk(ids), MappedPageError::OutOfBounds);
        unchanged(&pager);
        let mut pager = case.reopen(pager);
        unchanged(&pager);

        pager.free(pages[8]).unwrap();
        assert_fails!(pager.free_bulk(pages.clone()), MappedPageError::DoubleFree);
        pager.free_protected(protected[0]).unwrap();
        assert_fails!(pager.free_protected_bulk(protected.clone()), MappedPageError::DoubleFree);
        assert_eq!(listed(&pager).0.len(), 8);
        pager.free_bulk(pages[..8].to_vec()).unwrap();
        pager.free_protected_bulk(protected[1..].to_vec()).unwrap();
        assert_eq!(listed(&case.reopen(pager)), (vec![], vec![]));
    });
}

#[test]
fn the_iterators_share_nothing_and_show_nothing_of_the_pager() {
    in_all_cases(|case| {
        let mut pager = case.create();
        let mut pages = Vec::new();
        let mut protected = Vec::new();
        for _ in 0..40 {
            pages.push(pager.alloc().unwrap().0);
            protected.extend(pager.alloc_protected_bulk(2).unwrap());
        }
        for id in protected.iter().step_by(3) {
            let mut writer = id.get_mut(&mut pager).unwrap();
            writer.page_mut().as_bytes_mut().fill(9);
            writer.commit().unwrap();
        }
        let protected: Vec<u64> = protected.into_iter().map(|id| id.0).collect();
        assert_eq!(listed(&pager), (pages.clone(), protected.clone()));
        let pager = case.reopen(pager);
        assert_eq!(listed(&pager), (pages, protected));
        let mut iterator = pager.iter_allocated_pages();
        assert_eq!(iterator.by_ref().count(), 40);
        assert_eq!((iterator.next(), iterator.error().is_none()), (None, true));
    });
}

#[test]
fn what_is_not_zeroed_is_still_a_page_of_its_own() {
    in_all_cases(|case| {
        let mut pager = case.create();
        let mut ids = pager.alloc_bulk_uninit(5).unwrap();
        ids.push(pager.alloc_uninit().unwrap());
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 6);
        for id in &ids {
            id.get_mut(&mut pager).unwrap().as_bytes_mut().fill(3);
        }
        assert_eq!(listed(&case.reopen(pager)).0, ids.iter().map(|id| id.0).collect::<Vec<_>>());
    });
}

/// Code that knows no kind of page.
fn fill_and_free<A, H>(allocator: &mut A) -> Vec<usize>
where
    H: PageHandle<A> + Copy,
    A: BulkPageAllocator<H>,
    <A as PageAllocator<H>>::Error: std::fmt::Debug,
    H::Error: std::fmt::Debug,
{
    let mut ids = allocator.alloc_bulk(3).unwrap();
    ids.push(allocator.alloc().unwrap());
    let lengths = ids.iter().map(|id| id.get(allocator).unwrap().len()).collect();
    for id in &ids {
        drop(id.get_mut(allocator).unwrap());
    }
    allocator.free(ids.pop().unwrap()).unwrap();
    allocator.free_bulk(ids).unwrap();
    lengths
}

#[test]
fn generic_code_works_with_every_kind_of_page() {
    in_all_cases(|case| {
        let mut pager = case.create();
        assert_eq!(fill_and_free::<_, PageId<P>>(&mut pager), [P; 4]);
        assert_eq!(fill_and_free::<_, ProtectedPageId<P>>(&mut pager), [P; 4]);
        let mut sub = mappedpages::SubPageAllocator::<P, 128>::new(pager);
        assert_eq!(fill_and_free::<_, mappedpages::SubPageId<P, 128>>(&mut sub), [128; 4]);
        assert_eq!(listed(sub.pager()), (vec![], vec![]));
    });
}
