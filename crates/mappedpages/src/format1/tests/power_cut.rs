//! Whatever part of a commit a power cut lets through, the file opens with the state before or after it.

use super::harness::{Event, Random, Recorder, Session, State, torn_images};
use crate::engine::{Content, Engine, Result};
use crate::error::MappedPageError;
use crate::protected::parts_of;

/// An operation of a workload, which picks what it works on by itself.
type Operation<const P: usize> = fn(&mut Session<P>, &mut Random) -> Result<()>;

fn some_protected<const P: usize>(session: &Session<P>, random: &mut Random) -> Option<u64> {
    let state = session.state().unwrap();
    let ids: Vec<_> = state.protected.keys().copied().collect();
    (!ids.is_empty()).then(|| ids[random.below(ids.len() as u64) as usize])
}

fn some_regular<const P: usize>(session: &Session<P>, random: &mut Random) -> Option<u64> {
    let state = session.state().unwrap();
    let pages: Vec<_> = state.regular.keys().copied().collect();
    (!pages.is_empty()).then(|| pages[random.below(pages.len() as u64) as usize])
}

fn alloc<const P: usize>(session: &mut Session<P>, _: &mut Random) -> Result<()> {
    session.engine.alloc(&mut session.pages, Content::Zeroed).map(|_| ())
}

fn alloc_many<const P: usize>(session: &mut Session<P>, random: &mut Random) -> Result<()> {
    let count = random.below(30) as usize;
    session.engine.alloc_bulk(&mut session.pages, count, Content::Zeroed, &mut Vec::new())
}

fn free<const P: usize>(session: &mut Session<P>, random: &mut Random) -> Result<()> {
    match some_regular(session, random) {
        Some(page) => session.engine.free(&mut session.pages, page),
        None => Ok(()),
    }
}

fn alloc_protected<const P: usize>(session: &mut Session<P>, _: &mut Random) -> Result<()> {
    session.engine.alloc_protected(&mut session.pages).map(|_| ())
}

fn free_protected<const P: usize>(session: &mut Session<P>, random: &mut Random) -> Result<()> {
    match some_protected(session, random) {
        Some(id) => session.engine.free_protected(&mut session.pages, id),
        None => Ok(()),
    }
}

fn write_protected<const P: usize>(session: &mut Session<P>, random: &mut Random) -> Result<()> {
    if let Some(id) = some_protected(session, random) {
        let fill = random.below(256) as u8;
        session.engine.stage_protected(&mut session.pages, id)?.fill(fill);
    }
    Ok(())
}

/// Many things in one commit.
fn mixture<const P: usize>(session: &mut Session<P>, random: &mut Random) -> Result<()> {
    for _ in 0..1 + random.below(6) {
        let operation = [
            alloc,
            alloc_many,
            free,
            alloc_protected,
            free_protected,
            write_protected,
            write_protected,
        ][random.below(7) as usize];
        operation(session, random)?;
    }
    // A page that the transaction itself made can be written in it.
    let page = session.engine.alloc(&mut session.pages, Content::Uninit)?;
    let fill = random.below(256) as u8;
    session.engine.stage_page(&mut session.pages, page)?.fill(fill);
    Ok(())
}

/// Frees and takes so many protected pages in one commit that several blocks change.
fn many_protected<const P: usize>(session: &mut Session<P>, random: &mut Random) -> Result<()> {
    for _ in 0..1 + random.below(9) {
        free_protected(session, random)?;
    }
    let count = random.below(40) as usize;
    session.engine.alloc_protected_bulk(&mut session.pages, count, &mut Vec::new())
}

/// Takes so many protected pages that the directory gets another block soon.
fn more_protected<const P: usize>(session: &mut Session<P>, random: &mut Random) -> Result<()> {
    let count = 10 + random.below(30) as usize;
    session.engine.alloc_protected_bulk(&mut session.pages, count, &mut Vec::new())
}

/// Opens an image and demands one of two states of it; then uses it, which must make it whole for good.
fn judge<const P: usize>(image: Vec<u8>, before: &State, after: &State, what: &str) {
    let medium = Recorder::over(image);
    let mut session = Session::<P>::open(medium.clone())
        .unwrap_or_else(|error| panic!("{what}: does not open: {error}"));
    let state = session.state().unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(
        state == *before || state == *after,
        "{what}: neither before nor after: {before:?} {after:?} {state:?} {:?}",
        session.recovery
    );
    let id = session.alloc_protected();
    session.write_protected(id, 7).unwrap();
    session.commit(|session| session.engine.free_protected(&mut session.pages, id)).unwrap();
    let again = Session::<P>::open_image(medium.image()).unwrap();
    assert_eq!(again.state().unwrap(), state, "{what}: a later commit changed it");
    assert!(!again.recovery.unclean && !again.recovery.repaired, "{what}: {:?}", again.recovery);
}

/// Runs operations and judges what power cuts during each of them leave; returns how many images there
/// were.
fn enumerate<const P: usize>(
    image: Vec<u8>,
    operations: &[Operation<P>],
    seed: u64,
    images_max: usize,
) -> usize {
    let mut random = Random(seed);
    let medium = Recorder::over(image);
    let mut session = Session::<P>::open(medium.clone()).unwrap();
    let mut images = 0;
    for (number, operation) in operations.iter().enumerate() {
        medium.events.lock().unwrap().clear();
        let mut durable = medium.image();
        let before = session.state().unwrap();
        match session.commit(|session| operation(session, &mut random)) {
            Ok(()) => {}
            // What a long index can not do at once.
            Err(MappedPageError::Unsupported { .. }) => continue,
            Err(error) => panic!("seed {seed:#x}, operation {number}: {error}"),
        }
        let after = session.state().unwrap();
        let events = std::mem::take(&mut *medium.events.lock().unwrap());
        let mut window: Vec<Event> = Vec::new();
        for event in events {
            if !matches!(event, Event::Sync) {
                window.push(event);
                continue;
            }
            for image in torn_images(&durable, &window, &mut random, images_max) {
                images += 1;
                judge::<P>(image, &before, &after, &format!("seed {seed:#x}, operation {number}"));
            }
            for event in window.drain(..) {
                match event {
                    Event::Write { offset, bytes } => {
                        durable[offset..offset + bytes.len()].copy_from_slice(&bytes);
                    }
                    Event::Grow(len) => durable.resize(durable.len().max(len), 0),
                    Event::Sync => {}
                }
            }
        }
        assert!(window.is_empty(), "a commit ends with a sync");
        assert_eq!(durable, medium.image());
        judge::<P>(durable, &after, &after, &format!("seed {seed:#x}, after operation {number}"));
    }
    images
}

fn new_image<const P: usize>() -> Vec<u8> {
    let medium = Recorder::over(Vec::new());
    Session::<P>::create(medium.clone());
    medium.image()
}

fn workload<const P: usize>(random: &mut Random, len: usize) -> Vec<Operation<P>> {
    let all: [Operation<P>; 9] = [
        alloc,
        alloc_many,
        free,
        alloc_protected,
        alloc_protected,
        free_protected,
        write_protected,
        mixture,
        many_protected,
    ];
    (0..len).map(|_| all[random.below(9) as usize]).collect()
}

#[test]
fn every_torn_state_is_the_one_before_or_after_the_operation() {
    for seed in 0..3 {
        let operations = workload::<1024>(&mut Random(seed), 30);
        let images = enumerate(new_image::<1024>(), &operations, seed, 24);
        assert!(images > 300, "seed {seed}: {images} images");
        let operations = workload::<4096>(&mut Random(seed + 100), 10);
        enumerate(new_image::<4096>(), &operations, seed + 100, 16);
    }
}

/// A file with so many blocks of protected pages that the index fills more than a sector.
fn wide_image<const P: usize>(blocks: u64) -> Vec<u8> {
    let medium = Recorder::over(new_image::<P>());
    let mut session = Session::<P>::open(medium.clone()).unwrap();
    let count = (blocks * ((P as u64 - 12) / 30) - 2) as usize;
    session
        .commit(|session| {
            session.engine.alloc_protected_bulk(&mut session.pages, count, &mut Vec::new())
        })
        .unwrap();
    medium.image()
}

#[test]
fn every_torn_state_of_a_long_index_is_one_of_the_two_as_well() {
    let operations: [Operation<1024>; 10] = [
        more_protected,
        write_protected,
        alloc,
        many_protected,
        free_protected,
        more_protected,
        free,
        write_protected,
        alloc_many,
        many_protected,
    ];
    for (seed, blocks) in [(1, 28), (2, 31), (3, 27)] {
        let images = enumerate(wide_image::<1024>(blocks), &operations, seed, 12);
        assert!(images > 100, "{images} images");
    }
}

#[test]
fn the_index_of_a_full_directory_is_read_back() {
    let medium = Recorder::over(Vec::new());
    let mut session = Session::<1024>::create(medium.clone());
    let mut taken = Vec::new();
    while let Ok(id) = session.commit(|session| session.engine.alloc_protected(&mut session.pages))
    {
        assert_eq!(parts_of(id), (taken.len() as u64, 0));
        taken.push(id);
    }
    assert_eq!(taken.len(), 1914);
    let again = Session::<1024>::open_image(medium.image()).unwrap();
    assert_eq!(again.state().unwrap(), session.state().unwrap());
    assert!(!again.recovery.unclean);
}
