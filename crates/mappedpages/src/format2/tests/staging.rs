//! What is staged is seen at once, and is gone after a rollback; what is freed waits for its commit.

use std::sync::Arc;

use super::disk::Disk;
use super::session::Session;
use crate::engine::{Barrier, Content, Engine as _, Kind, Progress};
use crate::error::MappedPageError;
use crate::protected::id_of;

type Small = Session<1024>;

#[test]
fn a_new_file_has_four_pages_and_gives_out_the_lowest() {
    let mut session = Small::create();
    assert_eq!((session.engine.page_count(), session.engine.free_page_count()), (4, 1));
    assert_eq!(session.alloc(), 3);
    assert_eq!(session.alloc(), 4);
    assert_eq!([session.alloc_protected(), session.alloc_protected()], [0, 1]);
    session.commit();
    session.check();
    for page in 0..3 {
        assert_eq!(session.engine.kind(&session.pages, page).unwrap(), Kind::Internal);
        let error = session.engine.free(&mut session.pages, page).unwrap_err();
        assert!(matches!(error, MappedPageError::ReservedPage));
    }
    let end = session.engine.page_count();
    let error = session.engine.page(&session.pages, end).unwrap_err();
    assert!(matches!(error, MappedPageError::OutOfBounds));
}

#[test]
fn a_freed_page_is_given_out_once_its_commit_is_durable() {
    let mut session = Small::create();
    let pages = session.alloc_bulk(20);
    session.commit();
    session.free(pages[4]);
    assert!(session.alloc() > pages[19], "freed and not committed");
    session.engine.accept();
    assert!(session.alloc() > pages[19], "freed and not written");
    session.engine.accept();
    assert!(session.engine.write_commit(&mut session.pages, Barrier::OneFlush).unwrap());
    // What is freed while the commit is in flight belongs to the next one.
    session.free(pages[3]);
    assert!(session.alloc() > pages[19], "freed and not durable");
    session.sync();
    assert_eq!(session.engine.after_sync(&mut session.pages).unwrap(), Progress::Durable);
    assert_eq!(session.alloc(), pages[4]);
    assert!(session.alloc() > pages[19], "freed by the commit after");
    session.commit();
    assert_eq!(session.alloc(), pages[3]);
    session.check();
}

#[test]
fn with_two_barriers_the_record_waits_for_the_first_sync() {
    let mut session = Small::create();
    let page = session.alloc();
    session.commit();
    session.free(page);
    session.engine.accept();
    assert!(session.engine.write_commit(&mut session.pages, Barrier::TwoBarriers).unwrap());
    let again = session.reopen().unwrap();
    assert_eq!(again.engine.kind(&again.pages, page).unwrap(), Kind::Regular);
    session.sync();
    assert_eq!(session.engine.after_sync(&mut session.pages).unwrap(), Progress::SyncAgain);
    assert_ne!(session.alloc(), page, "the record is not durable");
    session.sync();
    assert_eq!(session.engine.after_sync(&mut session.pages).unwrap(), Progress::Durable);
    assert_eq!(session.alloc(), page);
}

#[test]
fn a_rollback_undoes_everything_since_the_last_accept() {
    let mut session = Small::create();
    let pages = session.alloc_bulk(10);
    let ids: Vec<u64> = (0..5).map(|_| session.alloc_protected()).collect();
    session.fill_protected(ids[2], 2);
    session.engine.accept();
    let before = session.holdings().unwrap();
    let free = session.engine.free_page_count();

    // Enough for new leaves and levels of both trees.
    session.alloc_bulk(9000);
    session.engine.alloc_protected_bulk(&mut session.pages, 2000, &mut Vec::new()).unwrap();
    session.free(pages[7]);
    session.engine.free_protected(&mut session.pages, ids[2]).unwrap();
    session.fill_protected(ids[1], 9);
    session.fill_page(pages[1], 9);
    assert_ne!(session.holdings().unwrap(), before);
    let grown = session.engine.page_count();
    session.engine.rollback(&mut session.pages);
    assert_eq!(session.holdings().unwrap(), before);
    let used = session.engine.page_count() - session.engine.free_page_count();
    assert_eq!(used, 3 + 10 + 10 + 2, "pages of {grown} are used");
    assert!(free < session.engine.free_page_count());
    session.check();
    session.commit();
    assert_eq!(session.reopen().unwrap().holdings().unwrap(), before);
}

#[test]
fn pages_that_were_written_and_rolled_back_are_zeros_when_they_are_given_out() {
    let mut session = Small::create();
    let page = session.alloc();
    session.page_mut(page).fill(7);
    session.engine.rollback(&mut session.pages);
    assert_eq!(session.alloc(), page);
    assert_eq!(session.engine.page(&session.pages, page).unwrap(), [0; 1024]);
    session.commit();
    session.free(page);
    session.commit();
    session.engine.page(&session.pages, page).unwrap_err();
    let again = session.engine.alloc(&mut session.pages, Content::Uninit).unwrap();
    assert_eq!(again, page);
}

#[test]
fn a_full_disk_changes_nothing() {
    let mut session = Small::create();
    let ids = session.alloc_bulk(40);
    session.commit();
    let before = session.holdings().unwrap();
    let counts = (session.engine.page_count(), session.engine.free_page_count());
    session.disk.set_room(300 * 1024);
    let mut out = vec![1];
    let (engine, pages) = (&mut session.engine, &mut session.pages);
    let refused = [
        engine.alloc_bulk(pages, 1000, Content::Zeroed, &mut out).unwrap_err(),
        engine.alloc_protected_bulk(pages, 200, &mut out).unwrap_err(),
    ];
    assert!(refused.iter().all(|error| matches!(error, MappedPageError::Full)));
    assert_eq!(out, [1]);
    assert_eq!(session.holdings().unwrap(), before);
    assert_eq!(counts, (session.engine.page_count(), session.engine.free_page_count()));
    session.check();

    // To the last page, and what is there can still be freed.
    let mut taken = 0;
    while let Ok(page) = session.engine.alloc(&mut session.pages, Content::Zeroed) {
        taken += 1;
        assert!(page < 300);
    }
    assert!(taken > 200, "only {taken} pages of 300");
    session.check();
    session.commit();
    session.engine.stage_page(&mut session.pages, ids[0]).unwrap_err();
    session.free(ids[0]);
    session.commit();
    assert_eq!(session.alloc(), ids[0]);
}

#[test]
fn ids_that_outlived_their_page_are_told() {
    let mut session = Small::create();
    let id = session.alloc_protected();
    session.fill_protected(id, 5);
    session.commit();
    session.engine.free_protected(&mut session.pages, id).unwrap();
    session.commit();
    let again = session.alloc_protected();
    assert_eq!(again, id_of(0, 1));
    let protected = |id| session.engine.protected(&session.pages, id);
    assert_eq!(protected(again).unwrap(), [0; 1024], "a new page reads as zeros");
    assert!(matches!(protected(id), Err(MappedPageError::Stale)));
    for never in [id_of(0, 2), id_of(1, 0), id_of(1 << 39, 0), u64::MAX] {
        assert!(matches!(protected(never), Err(MappedPageError::OutOfBounds)), "{never:#x}");
    }
    let (engine, pages) = (&mut session.engine, &mut session.pages);
    let error = engine.free_protected(pages, id).unwrap_err();
    assert!(matches!(error, MappedPageError::DoubleFree));
    let error = engine.free_protected_bulk(pages, &[again, again]).unwrap_err();
    assert!(matches!(error, MappedPageError::DoubleFree));
    assert!(engine.protected(pages, again).is_ok());
    assert!(matches!(engine.stage_protected(pages, id), Err(MappedPageError::Stale)));
}

#[test]
fn a_protected_page_is_written_from_its_current_content() {
    let mut session = Small::create();
    let id = session.alloc_protected();
    session.fill_protected(id, 1);
    session.commit();
    session.fill_protected(id, 2);
    session.engine.rollback(&mut session.pages);
    session.engine.stage_protected(&mut session.pages, id).unwrap()[0] = 9;
    session.commit();
    let content = session.engine.protected(&session.pages, id).unwrap();
    assert_eq!((content[0], &content[1..]), (9, &[1; 1023][..]));
    let again = session.reopen().unwrap();
    assert_eq!(again.engine.protected(&again.pages, id).unwrap(), content);
}

#[test]
fn a_commit_of_nothing_is_none() {
    let mut session = Small::create();
    session.engine.accept();
    let generation = session.engine.generation();
    assert!(!session.engine.write_commit(&mut session.pages, Barrier::OneFlush).unwrap());
    let page = session.alloc();
    session.engine.rollback(&mut session.pages);
    session.engine.accept();
    assert!(!session.engine.write_commit(&mut session.pages, Barrier::OneFlush).unwrap());
    assert_eq!(session.engine.generation(), generation);
    assert_eq!(session.alloc(), page);
}

#[test]
fn a_small_change_is_one_page_and_one_sync() {
    let mut session = Small::create();
    session.alloc();
    session.commit();
    let (syncs, writes) = (session.disk.syncs(), session.disk.sectors_written());
    session.alloc();
    session.commit();
    assert_eq!(session.disk.syncs() - syncs, 1);
    // The page with the record and the map, and the seal.
    assert_eq!(session.disk.sectors_written() - writes, 3);
}

#[test]
fn who_closes_in_order_is_not_recovered() {
    let mut session = Small::create();
    session.alloc_protected();
    session.commit();
    assert!(session.reopen().unwrap().recovery.unclean);
    session.close();
    let mut again = session.reopen().unwrap();
    assert!(!again.recovery.unclean);
    again.alloc();
    assert!(!again.reopen().unwrap().recovery.unclean, "nothing was committed");
    // From the moment on that a commit is written: a damaged record could be that one.
    again.engine.accept();
    assert!(again.engine.write_commit(&mut again.pages, Barrier::OneFlush).unwrap());
    assert!(Small::open(again.disk.kill()).unwrap().recovery.unclean);
    again.sync();
    assert_eq!(again.engine.after_sync(&mut again.pages).unwrap(), Progress::Durable);
    assert!(again.reopen().unwrap().recovery.unclean);
}

#[test]
fn what_lies_behind_the_last_page_is_cut() {
    let mut session = Small::create();
    session.alloc();
    session.commit();
    let count = session.engine.page_count();
    session.alloc_bulk(100);
    session.page_mut(count + 2).fill(9);
    session.sync();
    let mut again = session.reopen().unwrap();
    assert_eq!(again.pages.count(), count);
    assert!(again.alloc_bulk(100).contains(&(count + 2)));
    assert_eq!(again.engine.page(&again.pages, count + 2).unwrap(), [0; 1024]);
}

#[test]
fn a_file_that_is_cut_short_does_not_open() {
    let mut session = Small::create();
    session.alloc_bulk(100);
    session.commit();
    session.close();
    let disk: Arc<Disk> = session.disk.clone();
    crate::medium::Medium::cut(&*disk, 40 * 1024).unwrap();
    let error = session.reopen().err().unwrap();
    assert!(
        matches!(error, MappedPageError::CutShort { expected, len: 40960 } if expected > 40960)
    );
}
