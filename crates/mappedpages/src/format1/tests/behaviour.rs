//! What the engine does that the suite over both formats does not see: stamps, syncs, limits, ids.

use std::sync::Arc;

use super::harness::{Event, Recorder, Session};
use crate::engine::{Barrier, Content, Engine};
use crate::error::MappedPageError;
use crate::medium::MemoryMedium;
use crate::protected::{REUSE_MAX, id_of, parts_of};

fn syncs(medium: &Recorder) -> usize {
    let events = std::mem::take(&mut *medium.events.lock().unwrap());
    events.iter().filter(|event| matches!(event, Event::Sync)).count()
}

#[test]
fn every_commit_takes_two_syncs_however_much_is_in_it() {
    let medium = Recorder::over(Vec::new());
    let mut session = Session::<1024>::create(medium.clone());
    assert_eq!(syncs(&medium), 1);
    let id = session.alloc_protected();
    assert_eq!(syncs(&medium), 2);
    session.write_protected(id, 1).unwrap();
    assert_eq!(syncs(&medium), 2);
    session
        .commit(|session| {
            let (engine, pages) = (&mut session.engine, &mut session.pages);
            engine.free_protected(pages, id)?;
            engine.alloc_protected_bulk(pages, 100, &mut Vec::new())?;
            engine.alloc_bulk(pages, 100, Content::Zeroed, &mut Vec::new())
        })
        .unwrap();
    assert_eq!(syncs(&medium), 2);
    assert_eq!(session.flush(Barrier::OneFlush).unwrap(), 0);
}

/// What a killed process left in the caches of the system could still be lost, and pages that it freed
/// are handed out.
#[test]
fn an_open_makes_durable_what_it_found_before_anything_is_written() {
    let medium = Recorder::over(Vec::new());
    Session::<1024>::create(medium.clone());
    let image = medium.image();
    medium.events.lock().unwrap().clear();
    let _session = Session::<1024>::open(medium.clone()).unwrap();
    let events = medium.events.lock().unwrap();
    // A failed sync of page 0 is made good only when it is written again.
    let written = |event: &Event| matches!(event, Event::Write { offset: 0, .. });
    assert!(events.iter().any(written) && matches!(events.last(), Some(Event::Sync)));
    assert_eq!(medium.image(), image);
}

#[test]
fn a_page_of_an_old_owner_reads_as_zeros_and_a_freed_page_waits_for_its_commit() {
    let mut session = Session::<1024>::create(Arc::new(MemoryMedium::new()));
    let page = session.commit(|s| s.engine.alloc(&mut s.pages, Content::Zeroed)).unwrap();
    session.engine.page_mut(&mut session.pages, page).unwrap().fill(0x33);
    let again = session
        .commit(|s| {
            s.engine.free(&mut s.pages, page)?;
            s.engine.alloc(&mut s.pages, Content::Zeroed)
        })
        .unwrap();
    assert_ne!(again, page, "the durable state still uses it");
    let next = session.commit(|s| s.engine.alloc(&mut s.pages, Content::Zeroed)).unwrap();
    assert_eq!(next, page);
    assert_eq!(session.engine.page(&session.pages, page).unwrap(), [0; 1024]);
}

#[test]
fn a_slot_that_is_taken_again_gets_another_id_and_the_old_one_is_refused() {
    let mut session = Session::<1024>::create(Arc::new(MemoryMedium::new()));
    let old = session.alloc_protected();
    session.write_protected(old, 5).unwrap();
    session.commit(|s| s.engine.free_protected(&mut s.pages, old)).unwrap();
    let new = session.alloc_protected();
    assert_eq!(parts_of(new), (parts_of(old).0, 1));
    assert_eq!(session.engine.protected(&session.pages, new).unwrap(), [0; 1024]);
    let engine = &mut session.engine;
    assert!(matches!(engine.protected(&session.pages, old), Err(MappedPageError::Stale)));
    let freed = engine.free_protected(&mut session.pages, old);
    assert!(matches!(freed, Err(MappedPageError::DoubleFree)));
    let staged = engine.stage_protected(&mut session.pages, old).map(|_| ());
    assert!(matches!(staged, Err(MappedPageError::Stale)));
}

#[test]
fn a_slot_whose_reuse_count_is_at_its_end_is_not_taken_again() {
    let mut session = Session::<1024>::create(Arc::new(MemoryMedium::new()));
    session.alloc_protected();
    let entry = &mut session.engine.blocks[0].entries[0];
    entry.generation = u64::from(REUSE_MAX) << 40;
    let last = id_of(0, REUSE_MAX);
    session.commit(|s| s.engine.free_protected(&mut s.pages, last)).unwrap();
    assert_eq!(session.alloc_protected(), 1);
}

#[test]
fn the_format_ends_at_four_times_the_page_length_and_refusing_changes_nothing() {
    let medium = Recorder::over(Vec::new());
    let mut session = Session::<1024>::create(medium.clone());
    let mut out = Vec::new();
    let too_many = |count| {
        move |s: &mut Session<1024>| {
            s.engine.alloc_bulk(&mut s.pages, count, Content::Uninit, &mut Vec::new())
        }
    };
    for count in [4094, usize::MAX] {
        let refused = session.commit(too_many(count));
        assert!(matches!(refused, Err(MappedPageError::Full)), "{count}");
        assert_eq!(session.engine.page_count(), 4);
    }
    session.commit(|s| s.engine.alloc_bulk(&mut s.pages, 4093, Content::Uninit, &mut out)).unwrap();
    assert_eq!((out[0], out[4092], session.engine.page_count()), (3, 4095, 4096));
    for _ in 0..2 {
        let refused = session.commit(|s| s.engine.alloc(&mut s.pages, Content::Zeroed));
        assert!(matches!(refused, Err(MappedPageError::Full)));
        let refused = session.commit(|s| s.engine.alloc_protected(&mut s.pages));
        assert!(matches!(refused, Err(MappedPageError::Full)));
    }
    assert_eq!(medium.image().len(), 4096 * 1024);
    session.commit(|s| s.engine.free_bulk(&mut s.pages, &out[7..9])).unwrap();
    let page = session.commit(|s| s.engine.alloc(&mut s.pages, Content::Zeroed)).unwrap();
    assert_eq!(page, 10);
}

#[test]
fn what_fails_in_the_middle_of_many_leaves_nothing_behind() {
    let mut session = Session::<1024>::create(Arc::new(MemoryMedium::new()));
    let mut ids = Vec::new();
    session.commit(|s| s.engine.alloc_protected_bulk(&mut s.pages, 40, &mut ids)).unwrap();
    let before = session.state().unwrap();
    let free = session.engine.free_page_count();
    let twice = [ids[3], ids[38], ids[3]];
    let refused = session.engine.free_protected_bulk(&mut session.pages, &twice);
    assert!(matches!(refused, Err(MappedPageError::DoubleFree)));
    let refused = session.engine.alloc_protected_bulk(&mut session.pages, 2000, &mut Vec::new());
    assert!(matches!(refused, Err(MappedPageError::DirectoryFull)));
    let page = session.engine.alloc(&mut session.pages, Content::Zeroed).unwrap();
    let refused = session.engine.free_bulk(&mut session.pages, &[page, 0]);
    assert!(matches!(refused, Err(MappedPageError::ReservedPage)));
    session.engine.rollback(&mut session.pages);
    assert_eq!(session.state().unwrap(), before);
    let grown = session.engine.page_count() - 128;
    assert_eq!(session.engine.free_page_count(), free + grown);
    session.engine.accept();
    assert_eq!(session.flush(Barrier::OneFlush).unwrap(), 0, "there was something to commit");
}

#[test]
fn what_is_staged_while_a_commit_is_under_way_belongs_to_the_next() {
    let medium = Recorder::over(Vec::new());
    let mut session = Session::<1024>::create(medium.clone());
    let id = session.alloc_protected();
    let Session { engine, pages, .. } = &mut session;
    engine.stage_protected(pages, id).unwrap().fill(1);
    engine.accept();
    assert!(engine.write_commit(pages, Barrier::OneFlush).unwrap());
    engine.stage_protected(pages, id).unwrap().fill(2);
    let page = engine.alloc(pages, Content::Zeroed).unwrap();
    engine.accept();
    while engine.after_sync(pages).unwrap() == crate::engine::Progress::SyncAgain {}
    assert_eq!(engine.protected(pages, id).unwrap(), [2; 1024]);
    let stored = Session::<1024>::open_image(medium.image()).unwrap();
    assert_eq!(stored.engine.protected(&stored.pages, id).unwrap(), [1; 1024]);
    let kind = stored.engine.kind(&stored.pages, page);
    assert!(!matches!(kind, Ok(crate::engine::Kind::Regular)));
    session.flush(Barrier::OneFlush).unwrap();
    let stored = Session::<1024>::open_image(medium.image()).unwrap();
    assert_eq!(stored.state().unwrap(), session.state().unwrap());
}

#[test]
fn a_long_index_refuses_what_it_can_not_commit_at_once() {
    let mut session = Session::<1024>::create(Arc::new(MemoryMedium::new()));
    let mut ids = Vec::new();
    session.commit(|s| s.engine.alloc_protected_bulk(&mut s.pages, 29 * 33, &mut ids)).unwrap();
    let before = session.state().unwrap();
    let refused = |result: crate::engine::Result<()>| {
        assert!(matches!(result, Err(MappedPageError::Unsupported { .. })), "{result:?}");
    };
    // Two blocks; a content with a page; a page with a content.
    refused(session.commit(|s| {
        s.engine.stage_protected(&mut s.pages, ids[0])?.fill(1);
        s.engine.stage_protected(&mut s.pages, ids[33])?.fill(1);
        Ok(())
    }));
    refused(session.commit(|s| {
        s.engine.stage_protected(&mut s.pages, ids[0])?.fill(1);
        s.engine.alloc(&mut s.pages, Content::Zeroed).map(|_| ())
    }));
    refused(session.commit(|s| {
        s.engine.alloc(&mut s.pages, Content::Zeroed)?;
        s.engine.stage_protected(&mut s.pages, ids[0])?.fill(1);
        Ok(())
    }));
    assert_eq!(session.state().unwrap(), before);
    session
        .commit(|s| {
            for id in [ids[0], ids[32]] {
                s.engine.stage_protected(&mut s.pages, id)?.fill(1);
            }
            Ok(())
        })
        .unwrap();
    session
        .commit(|s| {
            let new = s.engine.alloc_protected(&mut s.pages)?;
            s.engine.stage_protected(&mut s.pages, new)?.fill(1);
            s.engine.free_protected_bulk(&mut s.pages, &ids[5..70])
        })
        .unwrap();
    let slot_freed_just_now = session
        .commit(|s| {
            s.engine.free_protected(&mut s.pages, ids[1])?;
            s.engine.alloc_protected(&mut s.pages)
        })
        .unwrap();
    assert_ne!(parts_of(slot_freed_just_now).0, 1);
}
