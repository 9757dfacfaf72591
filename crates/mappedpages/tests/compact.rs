//! Giving space back: what goes, what stays, and that every id stays valid.

mod support;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mappedpages::{
    Durability, Format, MappedPageError, Medium, MemoryMedium, Pager, ProtectedPageId,
};
use support::{P, in_all_cases};

type Shown = BTreeMap<(bool, u64), Vec<u8>>;

/// Everything that a pager shows.
fn shown<const N: usize>(pager: &Pager<N>) -> Shown {
    let mut shown = Shown::new();
    for id in pager.iter_allocated_pages() {
        shown.insert((false, id.0), id.get(pager).unwrap().as_bytes().to_vec());
    }
    for id in pager.iter_allocated_protected_pages() {
        shown.insert((true, id.0), id.get(pager).unwrap().as_bytes().to_vec());
    }
    shown
}

fn fill_protected<const N: usize>(pager: &mut Pager<N>, id: ProtectedPageId<N>, with: u8) {
    let mut writer = id.get_mut(pager).unwrap();
    writer.page_mut().as_bytes_mut().fill(with);
    writer.commit().unwrap();
}

fn is_clean<const N: usize>(pager: &mut Pager<N>) {
    let report = pager.check().unwrap();
    assert!(report.is_clean(), "{report}");
}

fn of_format_two(test: impl Fn(&support::Case)) {
    in_all_cases(|case| {
        if case.format == Format::Two {
            test(case);
        }
    });
}

#[test]
fn a_file_of_format_1_says_that_it_cannot() {
    in_all_cases(|case| {
        let mut pager = case.create();
        let ids = pager.alloc_bulk(40).unwrap();
        pager.free_bulk(ids).unwrap();
        let count = pager.page_count();
        for done in [pager.shrink(), pager.compact()] {
            match (case.format, done) {
                (Format::One, Err(MappedPageError::Unsupported { .. })) | (Format::Two, Ok(_)) => {}
                (format, other) => panic!("{format:?}: {other:?}"),
            }
        }
        assert_eq!(pager.page_count() == count, case.format == Format::One);
        pager.alloc().unwrap();
    });
}

#[test]
fn free_pages_at_the_end_go_back_to_the_file_system() {
    of_format_two(|case| {
        let mut pager = case.create();
        let ids = pager.alloc_bulk(5000).unwrap();
        let protected = pager.alloc_protected().unwrap();
        fill_protected(&mut pager, protected, 3);
        ids[100].get_mut(&mut pager).unwrap().as_bytes_mut().fill(9);
        let count = pager.page_count();
        let given_back = pager.shrink().unwrap();
        assert!(given_back > 0);
        assert_eq!(pager.page_count(), count - given_back);
        let last = ids[4999].0;
        assert!((last + 1..last + 40).contains(&pager.page_count()));
        pager.free_bulk(ids[101..].to_vec()).unwrap();
        let before = shown(&pager);
        pager.compact().unwrap();
        assert_eq!(shown(&pager), before);
        is_clean(&mut pager);
        assert!(pager.page_count() < 120, "{}", pager.page_count());
        let len = std::fs::metadata(case.path()).unwrap().len();
        assert_eq!(len, pager.page_count() * P as u64);
        assert_eq!(pager.shrink().unwrap(), 0);
        let mut pager = case.reopen(pager);
        assert_eq!(shown(&pager), before);
        // What was cut comes back as zeros.
        for id in pager.alloc_bulk(6000).unwrap() {
            assert_eq!(id.get(&pager).unwrap().as_bytes(), [0; P]);
        }
        is_clean(&mut pager);
    });
}

#[test]
fn protected_pages_and_nodes_move_and_their_ids_stay() {
    of_format_two(|case| {
        let mut pager = case.create();
        let regular = pager.alloc_bulk(3000).unwrap();
        let protected = pager.alloc_protected_bulk(200).unwrap();
        for (index, id) in protected.iter().enumerate().skip(50) {
            fill_protected(&mut pager, *id, index as u8);
        }
        let gone = protected[60];
        pager.free_protected(gone).unwrap();
        pager.free_bulk(regular[10..].to_vec()).unwrap();
        let before = shown(&pager);
        assert!(pager.compact().unwrap() > 2500);
        assert_eq!(shown(&pager), before);
        is_clean(&mut pager);
        // Regular pages, pairs, and a few nodes.
        assert!(pager.page_count() < 3 + 10 + 2 * 199 + 60, "{}", pager.page_count());
        assert!(matches!(gone.get(&pager), Err(MappedPageError::Stale)));
        let mut pager = case.reopen(pager);
        assert_eq!(shown(&pager), before);
        for id in protected.iter().filter(|id| **id != gone) {
            fill_protected(&mut pager, *id, 7);
        }
        is_clean(&mut pager);
    });
}

#[test]
fn regular_pages_do_not_move() {
    of_format_two(|case| {
        let mut pager = case.create();
        let regular = pager.alloc_bulk(500).unwrap();
        let last = *regular.last().unwrap();
        last.get_mut(&mut pager).unwrap().as_bytes_mut().fill(5);
        let protected = pager.alloc_protected().unwrap();
        pager.free_bulk(regular[1..499].to_vec()).unwrap();
        pager.compact().unwrap();
        assert_eq!(pager.page_count(), last.0 + 1);
        assert_eq!(last.get(&pager).unwrap().as_bytes(), [5; P]);
        protected.get(&pager).unwrap();
        is_clean(&mut pager);
    });
}

#[test]
fn journals_in_the_tail_are_put_to_rest_first() {
    of_format_two(|case| {
        let mut pager = case.create();
        let ids = pager.alloc_bulk(20).unwrap();
        let mut transaction = pager.transaction().unwrap();
        for id in &ids[..3] {
            transaction.page_mut(*id).unwrap().as_bytes_mut().fill(0x77);
        }
        transaction.commit().unwrap();
        pager.shrink().unwrap();
        assert_eq!(pager.page_count(), ids[19].0 + 1);
        for id in &ids[..3] {
            assert_eq!(id.get(&pager).unwrap().as_bytes(), [0x77; P]);
        }
        let mut pager = case.reopen(pager);
        for id in &ids[..3] {
            assert_eq!(id.get(&pager).unwrap().as_bytes(), [0x77; P]);
        }
        is_clean(&mut pager);
    });
}

#[test]
fn what_waits_for_a_later_commit_is_committed_first() {
    of_format_two(|case| {
        let mut pager = case.create_with(Durability::Eventual);
        let ids = pager.alloc_bulk(100).unwrap();
        let protected = pager.alloc_protected().unwrap();
        fill_protected(&mut pager, protected, 8);
        pager.free_bulk(ids[2..].to_vec()).unwrap();
        pager.compact().unwrap();
        assert!(pager.page_count() < 20);
        assert_eq!(protected.get(&pager).unwrap().as_bytes(), [8; P]);
        is_clean(&mut pager);
    });
}

/// Bytes in memory that no call changes any more after so many that did.
#[derive(Debug)]
struct Stopping {
    bytes: MemoryMedium,
    calls_left: AtomicU64,
}

impl Stopping {
    fn call(&self) -> io::Result<()> {
        let left = &self.calls_left;
        let taken =
            left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        taken.map(|_| ()).map_err(|_| io::Error::other("the disk stopped"))
    }
}

impl Medium for Stopping {
    fn len(&self) -> io::Result<u64> {
        self.bytes.len()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.bytes.read_at(offset, into)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.call()?;
        self.bytes.write_at(offset, bytes)
    }

    fn grow(&self, len: u64) -> io::Result<()> {
        self.call()?;
        self.bytes.grow(len)
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        self.call()?;
        self.bytes.cut(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.call()
    }
}

/// A disk that stops at any call leaves the file with the same content, before or after.
#[test]
fn a_compaction_that_is_interrupted_loses_nothing() {
    let medium = Arc::new(MemoryMedium::new());
    let mut pager =
        Pager::<P>::builder().create_on(Arc::clone(&medium) as Arc<dyn Medium>).unwrap();
    let regular = pager.alloc_bulk(300).unwrap();
    let protected = pager.alloc_protected_bulk(30).unwrap();
    for (index, id) in protected.iter().enumerate() {
        fill_protected(&mut pager, *id, index as u8);
    }
    pager.free_bulk(regular[7..].to_vec()).unwrap();
    let before = shown(&pager);
    pager.close().unwrap();
    let image = medium.to_vec();
    let mut calls = 0;
    loop {
        let bytes = MemoryMedium::from(image.clone());
        let disk = Arc::new(Stopping { bytes, calls_left: AtomicU64::new(u64::MAX) });
        let shared = Arc::clone(&disk) as Arc<dyn Medium>;
        let mut pager = Pager::<P>::builder().open_on(shared).unwrap();
        disk.calls_left.store(calls, Ordering::SeqCst);
        let done = pager.compact();
        drop(pager);
        let left = Arc::new(MemoryMedium::from(disk.bytes.to_vec())) as Arc<dyn Medium>;
        let mut pager = Pager::<P>::builder().open_on(left).unwrap();
        assert_eq!(shown(&pager), before, "after {calls} calls");
        is_clean(&mut pager);
        if done.is_ok() {
            assert!(pager.page_count() < 100);
            break;
        }
        calls += 1;
    }
    println!("{calls} calls");
    assert!(calls > 20);
}
