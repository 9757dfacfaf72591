//! Transactional writes of regular pages, beside direct stores to them.

use super::disk::Random;
use super::session::Session;
use crate::engine::{Barrier, Engine as _, Progress};
use crate::error::MappedPageError;

type Small = Session<1024>;

fn with_pages(count: usize) -> (Small, Vec<u64>) {
    let mut session = Small::create();
    let pages = session.alloc_bulk(count);
    session.commit();
    (session, pages)
}

fn content<const P: usize>(session: &Session<P>, page: u64) -> Vec<u8> {
    session.engine.page(&session.pages, page).unwrap().to_vec()
}

#[test]
fn an_accepted_write_is_seen_before_it_is_in_its_place() {
    let (mut session, pages) = with_pages(3);
    session.fill_page(pages[0], 1);
    session.engine.accept();
    assert_eq!(content(&session, pages[0]), [1; 1024]);
    assert_eq!(session.pages.page(pages[0]).unwrap(), [0; 1024]);
    assert!(session.engine.write_commit(&mut session.pages, Barrier::OneFlush).unwrap());
    assert_eq!(content(&session, pages[0]), [1; 1024]);
    // The next one starts from there.
    session.engine.stage_page(&mut session.pages, pages[0]).unwrap()[0] = 2;
    session.engine.accept();
    assert_eq!(content(&session, pages[0])[..2], [2, 1]);
    session.sync();
    assert_eq!(session.engine.after_sync(&mut session.pages).unwrap(), Progress::Durable);
    assert_eq!(content(&session, pages[0])[..2], [2, 1]);
    assert_eq!(session.pages.page(pages[0]).unwrap(), [1; 1024]);
    session.commit();
    assert_eq!(session.pages.page(pages[0]).unwrap()[..2], [2, 1]);
    session.check();
}

#[test]
fn many_writes_are_replayed_after_a_power_cut() {
    // Several pages of list.
    let (mut session, pages) = with_pages(150);
    for (&page, fill) in pages.iter().zip(1..) {
        session.fill_page(page, fill);
    }
    session.commit();
    let expected = session.holdings().unwrap();
    let mut random = Random(7);
    let mut replayed = 0;
    for _ in 0..50 {
        let again = Small::open(session.disk.power_cut(&mut random)).unwrap();
        assert_eq!(again.holdings().unwrap(), expected);
        replayed = replayed.max(again.recovery.replayed_pages);
        let third = again.reopen().unwrap();
        assert_eq!(third.recovery.replayed_pages, 0);
    }
    assert!(replayed > 100, "{replayed} pages were replayed");
}

#[test]
fn journal_pages_are_given_out_when_two_more_commits_are_durable() {
    let (mut session, pages) = with_pages(3);
    session.fill_page(pages[0], 1);
    session.commit();
    let journal = session.engine.journal_pages[0].clone();
    assert_eq!(journal.len(), 2, "the content and the list");
    // The record of the next commit still names them, and its open may need them.
    session.fill_page(pages[1], 2);
    session.commit();
    let taken = session.alloc_bulk(20);
    assert!(journal.iter().all(|page| !taken.contains(page)), "{journal:?} in {taken:?}");
    session.commit();
    let taken = session.alloc_bulk(20);
    assert!(journal.iter().all(|page| taken.contains(page)), "{journal:?} not in {taken:?}");
}

#[test]
fn a_direct_store_outlives_the_replay_of_an_older_write() {
    let (mut session, pages) = with_pages(3);
    session.fill_page(pages[0], 1);
    session.fill_page(pages[1], 1);
    session.commit();
    let syncs = session.disk.syncs();
    session.page_mut(pages[2]).fill(5);
    assert_eq!(session.disk.syncs(), syncs, "no write of it waits");
    session.page_mut(pages[0]).fill(2);
    assert_eq!(session.disk.syncs(), syncs + 1);
    session.page_mut(pages[1]).fill(3);
    assert_eq!(session.disk.syncs(), syncs + 1, "all are settled");
    session.sync();
    let again = Small::open(session.disk.power_cut(&mut Random(1))).unwrap();
    assert_eq!(content(&again, pages[0]), [2; 1024]);
    assert_eq!(content(&again, pages[1]), [3; 1024]);
}

#[test]
fn a_direct_store_to_a_page_with_an_accepted_write_commits_that_first() {
    let (mut session, pages) = with_pages(3);
    session.fill_page(pages[0], 1);
    session.engine.accept();
    let bytes = session.page_mut(pages[0]);
    assert_eq!(bytes, [1; 1024]);
    bytes[0] = 2;
    session.commit();
    session.sync();
    let again = Small::open(session.disk.power_cut(&mut Random(1))).unwrap();
    assert_eq!(content(&again, pages[0])[..2], [2, 1]);
}

#[test]
fn a_flushed_store_to_a_page_of_the_same_commit_is_kept() {
    // Reused, so that the open would have reason to make it zeros again.
    for seed in 0..40 {
        let (mut session, pages) = with_pages(3);
        session.page_mut(pages[1]).fill(9);
        session.free(pages[1]);
        session.commit();
        let page = session.alloc();
        assert_eq!(page, pages[1]);
        session.engine.accept();
        session.page_mut(page).fill(7);
        session.commit();
        let again = Small::open(session.disk.power_cut(&mut Random(seed))).unwrap();
        assert_eq!(content(&again, page), [7; 1024], "seed {seed}");
    }
}

#[test]
fn a_page_that_was_given_out_as_zeros_is_zeros_whatever_arrived() {
    let mut seen = [false; 2];
    for seed in 0..60 {
        let (mut session, pages) = with_pages(3);
        session.page_mut(pages[1]).fill(9);
        session.free(pages[1]);
        session.commit();
        assert_eq!(session.alloc(), pages[1]);
        session.engine.accept();
        assert!(session.engine.write_commit(&mut session.pages, Barrier::OneFlush).unwrap());
        session.pages.flush_dirty().unwrap();
        let again = Small::open(session.disk.power_cut(&mut Random(seed))).unwrap();
        match again.engine.page(&again.pages, pages[1]) {
            Ok(content) => {
                assert_eq!(content, [0; 1024], "seed {seed}");
                seen[1] = true;
            }
            Err(error) => {
                assert!(matches!(error, MappedPageError::Stale), "{error}");
                seen[0] = true;
            }
        }
    }
    assert_eq!(seen, [true; 2], "the commit arrived, and did not");
}

#[test]
fn a_write_of_a_page_that_is_freed_in_the_same_commit_is_dropped() {
    let (mut session, pages) = with_pages(3);
    session.fill_page(pages[0], 1);
    session.engine.accept();
    session.free(pages[0]);
    session.commit();
    let id = session.alloc_protected();
    session.fill_protected(id, 3);
    session.commit();
    let again = Small::open(session.disk.power_cut(&mut Random(2))).unwrap();
    assert_eq!(again.engine.protected(&again.pages, id).unwrap(), [3; 1024]);
    again.check();
}

#[test]
fn journal_pages_come_back() {
    let (mut session, pages) = with_pages(30);
    let count = session.engine.page_count();
    for round in 0..40 {
        for &page in &pages {
            session.fill_page(page, round);
        }
        session.commit();
    }
    assert!(session.engine.page_count() <= count * 8, "journals pile up");
    session.alloc();
    session.commit();
    session.alloc();
    session.commit();
    session.alloc();
    session.commit();
    let free = session.engine.free_page_count();
    let end = session.engine.page_count();
    assert_eq!(session.alloc_bulk(free as usize).len() as u64, free);
    assert_eq!(session.engine.page_count(), end, "a page is withheld for good");
}

#[test]
fn one_rotten_journal_page_is_no_loss_when_its_content_is_in_place() {
    let (mut session, pages) = with_pages(3);
    session.fill_page(pages[0], 1);
    session.commit();
    session.sync();
    // Pages 3 to 5 are the regular ones; the journal lies behind them.
    let journal = (6..session.engine.page_count())
        .find(|&page| session.pages.page(page).unwrap() == [1; 1024])
        .unwrap();
    session.disk.damage(journal * 1024 + 5, |byte| *byte ^= 4);
    let again = session.reopen().unwrap();
    assert_eq!(content(&again, pages[0]), [1; 1024]);
    session.disk.damage(pages[0] * 1024, |byte| *byte ^= 1);
    let error = session.reopen().err().unwrap();
    assert!(matches!(error, MappedPageError::CorruptPage { page } if page == pages[0]), "{error}");
}

#[test]
fn a_stored_to_page_of_a_commit_in_flight_never_shows_its_old_owner() {
    for seed in 0..40 {
        let (mut session, pages) = with_pages(3);
        session.page_mut(pages[1]).fill(9);
        session.free(pages[1]);
        session.commit();
        assert_eq!(session.alloc(), pages[1]);
        session.engine.accept();
        session.page_mut(pages[1]).fill(7);
        assert!(session.engine.write_commit(&mut session.pages, Barrier::OneFlush).unwrap());
        session.pages.flush_dirty().unwrap();
        let again = Small::open(session.disk.power_cut(&mut Random(seed))).unwrap();
        if let Ok(content) = again.engine.page(&again.pages, pages[1]) {
            assert!(!content.contains(&9), "seed {seed}");
        }
    }
}

#[test]
fn the_journal_before_is_replayed_while_its_places_are_not_durable() {
    let mut is_newest = false;
    for seed in 0..40 {
        let (mut session, pages) = with_pages(8);
        pages.iter().for_each(|&page| session.fill_page(page, 1));
        session.commit();
        session.alloc();
        session.engine.accept();
        assert!(session.engine.write_commit(&mut session.pages, Barrier::OneFlush).unwrap());
        let again = Small::open(session.disk.power_cut(&mut Random(seed))).unwrap();
        is_newest |= again.engine.generation() == session.engine.generation();
        for &page in &pages {
            assert_eq!(content(&again, page), [1; 1024], "page {page}, seed {seed}");
        }
    }
    assert!(is_newest, "the second commit never arrived");
}
