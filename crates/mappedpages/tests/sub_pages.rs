//! Pages divided into smaller ones.

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use mappedpages::{
    BulkPageAllocator, Format, MappedPageError, Medium, PageAllocator, PageHandle, Pager,
    SubPageAllocator, SubPageId,
};
use support::medium::Watched;
use support::{P, assert_fails, in_all_cases, listed};

type Sub = SubPageAllocator<P, 256>;

fn pages_in_use<const S: usize>(sub: &SubPageAllocator<P, S>) -> usize {
    listed(sub.pager()).0.len()
}

#[test]
fn sub_pages_fill_a_page_before_the_next_is_taken() {
    in_all_cases(|case| {
        let mut sub = Sub::new(case.create());
        let ids: Vec<_> = (0..9).map(|_| sub.alloc().unwrap()).collect();
        assert_eq!(pages_in_use(&sub), 3);
        for (byte, id) in (1..).zip(&ids) {
            id.get_mut(&mut sub).unwrap().as_bytes_mut().fill(byte);
        }
        for (byte, id) in (1..).zip(&ids) {
            assert_eq!(id.get(&sub).unwrap().as_bytes(), [byte; 256]);
        }
        // A hole is filled first, and holds nothing of what was there.
        sub.free(ids[1]).unwrap();
        let again = sub.alloc().unwrap();
        assert_eq!(sub.locate(again).unwrap().1, 1);
        assert_eq!(again.get(&sub).unwrap().as_bytes(), [0; 256]);
        assert_eq!(pages_in_use(&sub), 3);
        // The last of a page gives it back.
        sub.free(ids[8]).unwrap();
        assert_eq!(pages_in_use(&sub), 2);
    });
}

#[test]
fn as_many_as_sixty_four_fill_a_page() {
    in_all_cases(|case| {
        let mut sub = SubPageAllocator::<P, 16>::new(case.create());
        let ids = sub.alloc_bulk(64).unwrap();
        assert_eq!(pages_in_use(&sub), 1);
        let places: BTreeSet<_> = ids.iter().map(|id| sub.locate(*id).unwrap()).collect();
        assert_eq!(places.len(), 64);
        let one_more = sub.alloc().unwrap();
        assert_eq!(pages_in_use(&sub), 2);
        sub.free_bulk(ids).unwrap();
        assert_eq!(pages_in_use(&sub), 1);
        sub.free(one_more).unwrap();
        assert_eq!(pages_in_use(&sub), 0);
        let pager = sub.into_pager();
        assert!(listed(&pager).0.is_empty());
    });
}

#[test]
fn an_id_that_was_given_back_leads_nowhere() {
    in_all_cases(|case| {
        let mut sub = Sub::new(case.create());
        let neighbour = sub.alloc().unwrap();
        let mut seen = BTreeSet::new();
        let mut before = Vec::new();
        for _ in 0..20 {
            let id = sub.alloc().unwrap();
            assert!(seen.insert(id), "given out twice");
            sub.free(id).unwrap();
            before.push(id);
        }
        // Also when the page went back and another took its place.
        sub.free(neighbour).unwrap();
        before.push(neighbour);
        let now = sub.alloc_bulk(4).unwrap();
        assert!(now.iter().all(|id| seen.insert(*id)));
        for id in before {
            assert_fails!(id.get(&sub), MappedPageError::Stale);
            assert_fails!(id.get_mut(&mut sub), MappedPageError::Stale);
            assert_fails!(sub.locate(id), MappedPageError::Stale);
            assert_fails!(sub.free(id), MappedPageError::DoubleFree);
            assert_fails!(sub.free_bulk(vec![now[0], id]), MappedPageError::DoubleFree);
        }
        assert_eq!(now.iter().filter(|id| id.get(&sub).is_ok()).count(), 4);
    });
}

#[test]
fn an_id_of_another_allocator_is_out_of_bounds() {
    in_all_cases(|case| {
        let ids = Sub::new(case.create()).alloc_bulk(9).unwrap();
        let mut sub = Sub::new(case.open());
        assert_fails!(ids[8].get(&sub), MappedPageError::OutOfBounds);
        assert_fails!(sub.free(ids[8]), MappedPageError::OutOfBounds);
        let mine = sub.alloc().unwrap();
        assert_fails!(sub.free_bulk(vec![mine, ids[8]]), MappedPageError::OutOfBounds);
        mine.get(&sub).unwrap();
    });
}

#[test]
fn bulk_calls_look_at_everything_first() {
    in_all_cases(|case| {
        let mut sub = Sub::new(case.create());
        assert_eq!(sub.alloc_bulk(0).unwrap(), []);
        sub.free_bulk(vec![]).unwrap();
        let ids = sub.alloc_bulk(11).unwrap();
        assert_eq!(pages_in_use(&sub), 3);
        let mut twice = ids.clone();
        twice.push(ids[5]);
        assert_fails!(sub.free_bulk(twice), MappedPageError::DoubleFree);
        assert!(ids.iter().all(|id| id.get(&sub).is_ok()));
        sub.free_bulk(ids[..8].to_vec()).unwrap();
        assert_eq!(pages_in_use(&sub), 1);
        assert!(ids[8..].iter().all(|id| id.get(&sub).is_ok()));
        let more = sub.alloc_bulk(6).unwrap();
        assert_eq!(pages_in_use(&sub), 3);
        sub.free_bulk(more.into_iter().chain(ids[8..].iter().copied()).collect()).unwrap();
        assert_eq!(pages_in_use(&sub), 0);
    });
}

#[test]
fn bulk_calls_are_one_commit() {
    let medium = Watched::new();
    let pager = Pager::builder().create_on(Arc::clone(&medium) as Arc<dyn Medium>).unwrap();
    let mut sub = Sub::new(pager);
    let generation = sub.pager().generation();
    let ids = sub.alloc_bulk(4000).unwrap();
    assert_eq!(sub.pager().generation(), generation + 1);
    sub.free_bulk(ids).unwrap();
    assert_eq!(sub.pager().generation(), generation + 2);
    assert_eq!(pages_in_use(&sub), 0);
}

#[test]
fn a_pager_that_refuses_leaves_everything_as_it_was() {
    for format in [Format::One, Format::Two] {
        let medium = Watched::new();
        let builder = Pager::<P>::builder().format(format);
        let pager = builder.create_on(Arc::clone(&medium) as Arc<dyn Medium>).unwrap();
        let mut sub = Sub::new(pager);
        medium.limit(16 * P as u64);
        let mut ids = Vec::new();
        while let Ok(id) = sub.alloc() {
            ids.push(id);
        }
        assert_eq!(ids.len() % 4, 0);
        let taken = pages_in_use(&sub);
        sub.free(ids.pop().unwrap()).unwrap();
        assert_fails!(sub.alloc_bulk(2), MappedPageError::Full);
        assert_eq!(pages_in_use(&sub), taken);
        ids.push(sub.alloc().unwrap());
        assert!(ids.iter().all(|id| id.get(&sub).is_ok()));

        // The last sub-page of a page stays when the page cannot go back.
        sub.free_bulk(ids[..3].to_vec()).unwrap();
        medium.fail_syncs(true);
        assert_fails!(sub.free(ids[3]), MappedPageError::Io(_));
        medium.fail_syncs(false);
        sub.locate(ids[3]).unwrap();
        assert_fails!(sub.free(ids[3]), MappedPageError::Unavailable);
        // The others can be given back without the pager.
        sub.free(ids[4]).unwrap();
    }
}

#[test]
fn what_was_divided_before_a_restart_can_be_adopted() {
    in_all_cases(|case| {
        let mut sub = Sub::new(case.create());
        let ids = sub.alloc_bulk(4).unwrap();
        for (byte, id) in (1..).zip(&ids) {
            id.get_mut(&mut sub).unwrap().as_bytes_mut().fill(byte);
        }
        let (page, _) = sub.locate(ids[0]).unwrap();
        sub.into_pager().close().unwrap();

        let mut sub = Sub::new(case.open());
        assert_fails!(sub.adopt(page, 0), MappedPageError::OutOfBounds);
        assert_fails!(sub.adopt(page, 1 << 4), MappedPageError::OutOfBounds);
        assert_fails!(sub.adopt(mappedpages::PageId(1), 1), MappedPageError::ReservedPage);
        let ids = sub.adopt(page, 0b1010).unwrap();
        assert_fails!(sub.adopt(page, 1), MappedPageError::DoubleFree);
        assert_eq!(ids[0].get(&sub).unwrap().as_bytes(), [2; 256]);
        assert_eq!(ids[1].get(&sub).unwrap().as_bytes(), [4; 256]);
        let more = sub.alloc_bulk(2).unwrap();
        assert_eq!(pages_in_use(&sub), 1);
        for id in &more {
            assert_eq!(id.get(&sub).unwrap().as_bytes(), [0; 256]);
        }
        sub.free_bulk(more.into_iter().chain(ids).collect()).unwrap();
        assert_eq!(pages_in_use(&sub), 0);
    });
}

/// The dullest possible allocator.
#[test]
fn any_order_of_calls_gives_what_a_list_would() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % below as u64).unwrap()
    };
    let case = support::Case::new(Format::Two, mappedpages::Backing::Positioned);
    let pager = case.create_with(mappedpages::Durability::Eventual);
    let mut sub = SubPageAllocator::<P, 64>::new(pager);
    let mut model: Vec<(SubPageId<P, 64>, u8)> = Vec::new();
    for step in 0..3000_u32 {
        let byte = u8::try_from(step % 255 + 1).unwrap();
        match next(6) {
            0 | 1 => {
                let id = sub.alloc().unwrap();
                assert_eq!(id.get(&sub).unwrap().as_bytes(), [0; 64]);
                id.get_mut(&mut sub).unwrap().as_bytes_mut().fill(byte);
                model.push((id, byte));
            }
            2 => {
                for id in sub.alloc_bulk(next(40)).unwrap() {
                    id.get_mut(&mut sub).unwrap().as_bytes_mut().fill(byte);
                    model.push((id, byte));
                }
            }
            3 if !model.is_empty() => {
                let (id, _) = model.swap_remove(next(model.len()));
                sub.free(id).unwrap();
                assert_fails!(sub.free(id), MappedPageError::DoubleFree);
            }
            4 if !model.is_empty() => {
                let count = next(model.len().min(60));
                let ids = model.drain(..count).map(|(id, _)| id).collect();
                sub.free_bulk(ids).unwrap();
            }
            _ => {
                let places: BTreeSet<_> =
                    model.iter().map(|(id, _)| sub.locate(*id).unwrap()).collect();
                assert_eq!(places.len(), model.len(), "two at one place");
                let pages: BTreeSet<_> = places.iter().map(|(page, _)| *page).collect();
                assert_eq!(pages.len(), pages_in_use(&sub));
            }
        }
        for (id, byte) in model.iter().take(5) {
            assert_eq!(id.get(&sub).unwrap().as_bytes(), [*byte; 64]);
        }
    }
}
