//! What pages say and keep when the medium fails.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use super::Pages;
use crate::error::MappedPageError;
use crate::medium::faulty::FaultyMedium;
use crate::medium::{FileMedium, Medium, Space};

const P: usize = 1024;

fn faulty(count: u64) -> (Arc<FaultyMedium>, Pages<P>) {
    let medium = Arc::new(FaultyMedium::new());
    let mut pages = Pages::positioned(Arc::<FaultyMedium>::clone(&medium)).unwrap();
    pages.grow(count).unwrap();
    (medium, pages)
}

fn failed<T: std::fmt::Debug>(result: Result<T, MappedPageError>) {
    assert!(matches!(result, Err(MappedPageError::Io(_))), "{result:?}");
}

#[test]
fn a_full_medium_is_full_and_nothing_has_changed() {
    let (medium, mut pages) = faulty(4);
    medium.room.store(6 * P as u64, SeqCst);
    pages.write(3, &[1; P]).unwrap();
    for count in [7, 100, u64::MAX / P as u64, u64::MAX / P as u64 + 1, u64::MAX] {
        assert!(matches!(pages.grow(count), Err(MappedPageError::Full)), "{count}");
        assert_eq!(pages.count(), 4);
        assert_eq!(medium.len().unwrap(), 4 * P as u64);
    }
    assert_eq!(pages.page(3).unwrap(), [1; P]);
    pages.grow(6).unwrap();
    assert_eq!(pages.page(5).unwrap(), [0; P]);
}

#[test]
fn every_failing_call_is_an_error() {
    let (medium, mut pages) = faulty(4);
    pages.page_mut(2).unwrap()[0] = 3;
    medium.calls.store(0, SeqCst);
    failed(pages.write(1, &[1; P]));
    failed(pages.write_bytes(1, &[1]));
    failed(pages.grow(5));
    failed(pages.flush_dirty());
    assert!(pages.sync_handle().sync().is_err());
    assert_eq!(pages.count(), 4);
    failed(pages.cut(3));
    medium.reads.store(0, SeqCst);
    failed(pages.page(0).map(|_| ()));
    failed(pages.page_mut(0).map(|_| ()));
    failed(pages.read_bytes(0, &mut [0]));
}

#[test]
fn a_failed_read_is_tried_again() {
    let (medium, pages) = faulty(1);
    medium.reads.store(0, SeqCst);
    failed(pages.page(0).map(|_| ()));
    medium.reads.store(1, SeqCst);
    assert_eq!(pages.page(0).unwrap(), [0; P]);
    assert_eq!(pages.page(0).unwrap(), [0; P], "kept, so not read again");
}

#[test]
fn what_could_not_be_handed_over_is_handed_over_the_next_time() {
    let (medium, mut pages) = faulty(4);
    for page in 0..4 {
        pages.page_mut(page).unwrap().fill(9);
    }
    medium.calls.store(2, SeqCst);
    failed(pages.flush_dirty());
    assert_eq!(medium.to_vec()[..2 * P], [9; 2 * P]);
    assert_eq!(medium.to_vec()[2 * P..], [0; 2 * P]);
    medium.calls.store(u64::MAX, SeqCst);
    pages.flush_dirty().unwrap();
    assert_eq!(medium.to_vec(), [9; 4 * P]);
    // Nothing is left to be handed over.
    medium.calls.store(0, SeqCst);
    pages.flush_dirty().unwrap();
}

/// Its owner is gone, and what it stored must not come over what the next one writes.
#[test]
fn a_page_that_was_written_whole_is_not_handed_over_again() {
    let (medium, mut pages) = faulty(3);
    pages.page_mut(1).unwrap().fill(1);
    pages.page_mut(2).unwrap().fill(1);
    pages.write_bytes(P as u64 - 1, &[2; P + 2]).unwrap();
    medium.calls.store(1, SeqCst);
    pages.flush_dirty().unwrap();
    assert_eq!(medium.calls.load(SeqCst), 0);
    assert_eq!(medium.to_vec()[P - 2..2 * P + 2], [&[0][..], &[2; P + 2], &[1]].concat());
    // Stored to again, it is handed over again.
    pages.page_mut(1).unwrap()[0] = 3;
    medium.calls.store(1, SeqCst);
    pages.flush_dirty().unwrap();
    assert_eq!(medium.to_vec()[P], 3);
}

/// Pages that were only looked at are forgotten when there are too many, and read again.
#[test]
fn the_twin_keeps_a_bounded_number_of_pages() {
    let count = 70 * 1024;
    let (medium, mut pages) = faulty(count);
    pages.write(5, &[1; P]).unwrap();
    for page in 0..count {
        let _ = pages.page(page).unwrap();
    }
    pages.page_mut(6).unwrap().fill(2);
    medium.reads.store(0, SeqCst);
    assert_eq!(pages.page(5).unwrap(), [1; P]);
    pages.flush_dirty().unwrap();
    failed(pages.page(5).map(|_| ()));
    medium.reads.store(2, SeqCst);
    assert_eq!(pages.page(5).unwrap(), [1; P]);
    assert_eq!(pages.page(6).unwrap(), [2; P]);
}

#[test]
fn a_file_that_can_not_grow_is_full_and_keeps_its_map() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for space in [Space::Reserved, Space::Sparse] {
        let _ = std::fs::remove_file(&path);
        let file = FileMedium::create(&path, space, |file| Ok(file.grow(P as u64)?)).unwrap();
        let mut pages = Pages::<P>::mapped(file).unwrap();
        pages.page_mut(0).unwrap()[0] = 4;
        // Longer than any file may be.
        for count in [u64::MAX / P as u64, u64::MAX] {
            assert!(matches!(pages.grow(count), Err(MappedPageError::Full)), "{space:?}");
            assert_eq!(pages.count(), 1);
            assert_eq!(std::fs::metadata(&path).unwrap().len(), P as u64);
            assert_eq!(pages.page(0).unwrap()[0], 4);
        }
    }
}

/// Whoever cuts the file without asking for the lock; positioned pages notice without harm.
#[test]
fn a_file_that_another_cut_short_is_an_error_by_position() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let file = FileMedium::create(&path, Space::Reserved, |file| Ok(file.grow(4096)?)).unwrap();
    let pages = Pages::<P>::positioned(Arc::new(file)).unwrap();
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(1500).unwrap();
    assert_eq!(pages.page(0).unwrap(), [0; P]);
    failed(pages.page(1).map(|_| ()));
    failed(pages.read_bytes(1400, &mut [0; 200]));
}

/// As long as a file can say that it is, and all zeros.
#[derive(Debug)]
struct Vast;

impl Medium for Vast {
    fn len(&self) -> io::Result<u64> {
        Ok(1 << 62)
    }

    fn read_at(&self, _: u64, into: &mut [u8]) -> io::Result<()> {
        into.fill(0);
        Ok(())
    }

    fn write_at(&self, _: u64, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn grow(&self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn cut(&self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// A table with a place for each of its pages would end the process.
#[test]
fn the_twin_takes_no_memory_by_the_length_of_its_medium() {
    let mut pages = Pages::<P>::positioned(Arc::new(Vast)).unwrap();
    let last = (1 << 62) / P as u64 - 1;
    assert_eq!(pages.count(), last + 1);
    pages.page_mut(last).unwrap()[7] = 1;
    assert_eq!(pages.page(last).unwrap()[7], 1);
    assert!(matches!(pages.page(last + 1), Err(MappedPageError::OutOfBounds)));
    pages.flush_dirty().unwrap();
    pages.cut(last).unwrap();
    assert!(matches!(pages.page(last), Err(MappedPageError::OutOfBounds)));
}
