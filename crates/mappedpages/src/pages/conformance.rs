//! What both forms of the pages must do alike, each check run over all of them.

use std::path::Path;
use std::sync::Arc;

use super::Pages;
use crate::error::MappedPageError;
use crate::medium::{FileMedium, Medium as _, MemoryMedium, Space};

const P: usize = 1024;

/// Runs `check` over an empty medium in each form, then over what is left after it is opened again.
fn check(check: impl Fn(&mut Pages<P>), again: impl Fn(&Pages<P>)) {
    for space in [Space::Reserved, Space::Sparse] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let open = |path: &Path| FileMedium::open(path, space).unwrap();

        let made = FileMedium::create(&path, space, |_| Ok(())).unwrap();
        let mut pages = Pages::mapped(made).unwrap();
        check(&mut pages);
        pages.flush_dirty().unwrap();
        drop(pages);
        again(&Pages::mapped(open(&path)).unwrap());
        again(&Pages::positioned(Arc::new(open(&path))).unwrap());

        let path = folder.path().join("another");
        let made = FileMedium::create(&path, space, |_| Ok(())).unwrap();
        let mut pages = Pages::positioned(Arc::new(made)).unwrap();
        check(&mut pages);
        pages.flush_dirty().unwrap();
        drop(pages);
        again(&Pages::mapped(open(&path)).unwrap());
        again(&Pages::positioned(Arc::new(open(&path))).unwrap());
    }
    let memory = Arc::new(MemoryMedium::new());
    let mut pages = Pages::positioned(Arc::<MemoryMedium>::clone(&memory)).unwrap();
    check(&mut pages);
    pages.flush_dirty().unwrap();
    again(&Pages::positioned(memory).unwrap());
}

fn is_out<T: std::fmt::Debug>(result: Result<T, MappedPageError>) {
    assert!(matches!(result, Err(MappedPageError::OutOfBounds)), "{result:?}");
}

/// The bytes of a page, read in both ways, which must agree.
fn content(pages: &Pages<P>, page: u64) -> Vec<u8> {
    let mut read = vec![0xee; P];
    pages.read_bytes(page * P as u64, &mut read).unwrap();
    assert_eq!(pages.page(page).unwrap(), read, "page {page}");
    read
}

#[test]
fn nothing_is_in_an_empty_medium() {
    check(
        |pages| {
            assert_eq!(pages.count(), 0);
            is_out(pages.page(0).map(|_| ()));
            is_out(pages.page_mut(0).map(|_| ()));
            is_out(pages.write(0, &[1]));
            is_out(pages.read_bytes(0, &mut [0]));
            pages.read_bytes(0, &mut []).unwrap();
            pages.cut(0).unwrap();
            pages.sync_handle().sync().unwrap();
        },
        |pages| assert_eq!(pages.count(), 0),
    );
}

#[test]
fn new_pages_are_zeros_and_growing_never_shortens() {
    check(
        |pages| {
            pages.grow(3).unwrap();
            pages.grow(2).unwrap();
            assert_eq!(pages.count(), 3);
            for page in 0..3 {
                assert_eq!(content(pages, page), [0; P]);
            }
            pages.write(2, &[7; P]).unwrap();
            pages.grow(3000).unwrap();
            assert_eq!(content(pages, 2), [7; P]);
            assert_eq!(content(pages, 2999), [0; P]);
        },
        |pages| {
            assert_eq!(pages.count(), 3000);
            assert_eq!(content(pages, 2), [7; P]);
            assert_eq!(content(pages, 2999), [0; P]);
        },
    );
}

#[test]
fn what_is_written_is_seen_in_every_way() {
    let expected = || {
        let mut expected = vec![0; 4 * P];
        expected[1000..3000].fill(1);
        expected[P] = 9;
        expected[P + 10..P + 20].fill(2);
        expected[3 * P - 5..3 * P + 5].fill(3);
        expected
    };
    let compare = move |pages: &Pages<P>| {
        let mut all = vec![0xee; 4 * P];
        pages.read_bytes(0, &mut all).unwrap();
        assert!(all == expected());
        for page in 0..4 {
            let at = page * P;
            assert_eq!(content(pages, page as u64), expected()[at..at + P]);
        }
    };
    check(
        |pages| {
            pages.grow(4).unwrap();
            // Page 0 is looked at before and kept; the others are not.
            assert_eq!(pages.page(0).unwrap(), [0; P]);
            pages.write_bytes(1000, &[1; 2000]).unwrap();
            pages.page_mut(1).unwrap()[0] = 9;
            // Over a page that was stored to and not handed over.
            pages.write_bytes(P as u64 + 10, &[2; 10]).unwrap();
            pages.write_bytes(3 * P as u64 - 5, &[3; 10]).unwrap();
            compare(pages);
            pages.flush_dirty().unwrap();
            compare(pages);
            pages.sync_handle().sync().unwrap();
        },
        compare,
    );
}

#[test]
fn stores_last_until_the_medium_has_them() {
    check(
        |pages| {
            pages.grow(2000).unwrap();
            for page in [1999, 0, 1024, 1023, 5] {
                pages.page_mut(page).unwrap().fill(page as u8 | 1);
            }
            pages.flush_dirty().unwrap();
            // A second round: the mark of a page that was handed over is gone and comes again.
            pages.page_mut(5).unwrap()[1] = 77;
            pages.flush_dirty().unwrap();
            pages.page_mut(1024).unwrap()[2] = 78;
        },
        |pages| {
            assert_eq!(content(pages, 5)[..3], [5, 77, 5]);
            assert_eq!(content(pages, 1024)[..3], [1, 1, 78]);
            assert_eq!(content(pages, 1999), [0xcf; P]);
            assert_eq!(content(pages, 1023), [0xff; P]);
            assert_eq!(content(pages, 6), [0; P]);
        },
    );
}

#[test]
fn no_number_passes_the_end() {
    check(
        |pages| {
            pages.grow(2).unwrap();
            let end = 2 * P as u64;
            for page in [2, 3, u64::MAX / P as u64, u64::MAX / P as u64 + 1, u64::MAX] {
                is_out(pages.page(page).map(|_| ()));
                is_out(pages.page_mut(page).map(|_| ()));
                is_out(pages.write(page, &[1]));
                is_out(pages.zero(page, 1));
            }
            for (offset, len) in
                [(end, 1), (end - 1, 2), (end + 1, 0), (u64::MAX, 0), (u64::MAX, 1), (u64::MAX, 2)]
            {
                is_out(pages.read_bytes(offset, &mut vec![0; len]));
                is_out(pages.write_bytes(offset, &vec![1; len]));
            }
            pages.write_bytes(end - 1, &[5]).unwrap();
            pages.write_bytes(end, &[]).unwrap();
        },
        |pages| {
            assert_eq!(pages.count(), 2);
            assert_eq!(content(pages, 0), [0; P]);
            assert_eq!(content(pages, 1)[P - 2..], [0, 5]);
        },
    );
}

#[test]
fn a_page_becomes_zeros_again() {
    check(
        |pages| {
            pages.grow(3).unwrap();
            for page in 0..3 {
                pages.write(page, &[8; P]).unwrap();
            }
            pages.page_mut(1).unwrap()[0] = 1;
            pages.zero(1, 2).unwrap();
            assert_eq!(content(pages, 1), [0; P]);
            pages.page_mut(2).unwrap()[3] = 1;
        },
        |pages| {
            assert_eq!(content(pages, 0), [8; P]);
            assert_eq!(content(pages, 1), [0; P]);
            assert_eq!(content(pages, 2)[..5], [0, 0, 0, 1, 0]);
        },
    );
}

/// More than is written at once.
#[test]
fn a_long_run_of_pages_becomes_zeros_and_its_neighbours_do_not() {
    const LAST: u64 = 150;
    check(
        |pages| {
            pages.grow(LAST + 1).unwrap();
            for page in 0..=LAST {
                pages.write(page, &[8; P]).unwrap();
            }
            pages.zero(1, LAST - 1).unwrap();
            pages.zero(LAST, 0).unwrap();
            is_out(pages.zero(LAST, 2));
            is_out(pages.zero(0, u64::MAX));
            pages.write(LAST, &[8; P]).unwrap();
            pages.write(0, &[8; P]).unwrap();
        },
        |pages| {
            assert_eq!(content(pages, 0), [8; P]);
            assert!((1..LAST).all(|page| content(pages, page) == [0; P]));
            assert_eq!(content(pages, LAST), [8; P]);
        },
    );
}

#[test]
fn what_was_cut_off_does_not_come_back() {
    check(
        |pages| {
            pages.grow(5).unwrap();
            for page in 0..5 {
                pages.write(page, &[8; P]).unwrap();
            }
            pages.page_mut(4).unwrap()[0] = 1;
            pages.page_mut(1).unwrap()[0] = 1;
            let _ = pages.page(3).unwrap();
            pages.cut(7).unwrap();
            assert_eq!(pages.count(), 5);
            pages.cut(2).unwrap();
            assert_eq!(pages.count(), 2);
            is_out(pages.page(2).map(|_| ()));
            pages.grow(5).unwrap();
            assert_eq!(content(pages, 3), [0; P]);
        },
        |pages| {
            assert_eq!(pages.count(), 5);
            assert_eq!(content(pages, 1)[..2], [1, 8]);
            for page in 2..5 {
                assert_eq!(content(pages, page), [0; P]);
            }
        },
    );
}

#[test]
fn pages_may_be_looked_at_by_many_threads() {
    check(
        |pages| {
            pages.grow(64).unwrap();
            for page in 0..64 {
                pages.write(page, &[page as u8; P]).unwrap();
            }
            let pages = &*pages;
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        (0..64).for_each(|page| assert_eq!(content(pages, page), [page as u8; P]));
                    });
                }
            });
        },
        |_| {},
    );
}

/// A growth or a crash may have left a part of a page, or bytes that nothing counts.
#[test]
fn a_part_of_a_page_is_none_and_does_not_come_back_when_it_grows() {
    let bytes = vec![6; 3 * P + 100];
    let through = |mut pages: Pages<P>| {
        assert_eq!(pages.count(), 3);
        is_out(pages.page(3).map(|_| ()));
        is_out(pages.read_bytes(3 * P as u64, &mut [0]));
        pages.grow(4).unwrap();
        assert_eq!(content(&pages, 2), [6; P]);
        assert_eq!(content(&pages, 3), [0; P]);
    };
    through(Pages::positioned(Arc::new(MemoryMedium::from(bytes.clone()))).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let open = || {
        std::fs::write(&path, &bytes).unwrap();
        FileMedium::open(&path, Space::Reserved).unwrap()
    };
    through(Pages::mapped(open()).unwrap());
    through(Pages::positioned(Arc::new(open())).unwrap());
}

/// The table of the twin grows with what is used: a file of a tebibyte needs neither time nor memory.
#[test]
fn whole_pages_are_written_in_any_order_and_only_they() {
    let written = [2, 3, 4, 7, 6, 9, 10, 99];
    check(
        |pages| {
            pages.grow(100).unwrap();
            let contents: Vec<_> = written.iter().map(|page| (*page, [*page as u8; P])).collect();
            pages.write_all(&contents).unwrap();
            is_out(pages.write_all(&[(99, [1; P]), (100, [1; P])]));
            let many: Vec<_> = (11..99).map(|page| (page, vec![page as u8; P])).collect();
            pages.write_all(&many).unwrap();
        },
        |pages| {
            for page in 0..100 {
                let is_written = page > 10 || written.contains(&page);
                let fill = if is_written { page as u8 } else { 0 };
                assert_eq!(content(pages, page), [fill; P]);
            }
        },
    );
}

#[test]
fn a_medium_larger_than_the_disk_can_be_used_where_nothing_is_reserved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let count = (1_u64 << 40) / P as u64;
    let made = FileMedium::create(&path, Space::Sparse, |file| Ok(file.grow(1 << 40)?)).unwrap();
    let mut pages = Pages::<P>::mapped(made).unwrap();
    assert_eq!(pages.count(), count);
    pages.page_mut(count - 1).unwrap()[0] = 5;
    drop(pages);
    let file = Arc::new(FileMedium::open(&path, Space::Sparse).unwrap());
    let mut pages = Pages::<P>::positioned(file).unwrap();
    assert_eq!(content(&pages, count - 1)[..2], [5, 0]);
    pages.page_mut(count / 2).unwrap()[0] = 6;
    pages.flush_dirty().unwrap();
    assert_eq!(content(&pages, count / 2)[..2], [6, 0]);
}
