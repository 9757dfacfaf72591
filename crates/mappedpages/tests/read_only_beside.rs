//! Readers beside a writer: all that they see is of one commit, whatever the writer does meanwhile.

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use mappedpages::{
    Format, MappedPageError, Medium, MemoryMedium, PageId, Pager, ProtectedPageId, ReadOnlyPager,
};
use support::{P, in_all_cases};

type Pages = BTreeMap<u64, Vec<u8>>;

/// Everything that a reader shows, or that it cannot any more.
fn read(reader: &ReadOnlyPager<P>) -> Result<(Pages, Pages), MappedPageError> {
    let (mut regular, mut protected) = (Pages::new(), Pages::new());
    for id in reader.iter_allocated_pages() {
        let id = id?;
        regular.insert(id.0, reader.get_page(id)?.as_bytes().to_vec());
    }
    for id in reader.iter_allocated_protected_pages() {
        let id = id?;
        protected.insert(id.0, reader.get_protected_page(id)?.as_bytes().to_vec());
    }
    Ok((regular, protected))
}

/// Pages of each kind that the commits of [`write_step`] write. In format 2 the regular ones are the first
/// that there are, and beside them others come and go.
const WRITTEN: u64 = 12;
/// A regular page is written by one of so many commits, so that most lie in their places.
const PERIOD: u64 = 3;
/// The first page of a new file that is given out.
const FIRST_PAGE: u64 = 3;
/// The file, for a process that is to write.
const FILE: &str = "MAPPEDPAGES_READ_ONLY_FILE";

/// Begins a file whose commits all carry their number.
fn begin(pager: &mut Pager<P>) {
    if pager.format() == Format::Two {
        let ids = pager.alloc_bulk(WRITTEN as usize).unwrap();
        assert_eq!(ids[0].0, FIRST_PAGE);
    }
    pager.alloc_protected_bulk(WRITTEN as usize).unwrap();
    write_step(pager, 1);
}

/// One commit, of which all that it writes carries the number.
fn write_step(pager: &mut Pager<P>, step: u64) {
    let coming_and_going: Vec<_> = pager.iter_allocated_pages().skip(WRITTEN as usize).collect();
    let is_two = pager.format() == Format::Two;
    let mut transaction = pager.transaction().unwrap();
    for slot in 0..WRITTEN {
        let page = transaction.protected_mut(ProtectedPageId(slot)).unwrap();
        mark(page.as_bytes_mut(), step);
    }
    if is_two {
        for index in (0..WRITTEN).filter(|index| written_last(*index, step) == step) {
            let page = transaction.page_mut(PageId(FIRST_PAGE + index)).unwrap();
            mark(page.as_bytes_mut(), step);
        }
        if coming_and_going.len() > 8 {
            let gone = coming_and_going[(step % 8) as usize];
            transaction.free(gone).unwrap();
        }
        let id = transaction.alloc().unwrap();
        mark(transaction.page_mut(id).unwrap().as_bytes_mut(), step);
    }
    transaction.commit().unwrap();
    if is_two && step.is_multiple_of(25) {
        pager.compact().unwrap();
    }
}

/// Which step up to `step` wrote a regular page last.
fn written_last(index: u64, step: u64) -> u64 {
    step.saturating_sub((step + index) % PERIOD).max(1)
}

fn mark(page: &mut [u8], step: u64) {
    for word in page.chunks_exact_mut(8) {
        word.copy_from_slice(&step.to_le_bytes());
    }
}

/// The number that all of a page carries.
fn marked(page: &[u8]) -> u64 {
    let first = u64::from_le_bytes(page[..8].try_into().unwrap());
    for word in page.chunks_exact(8) {
        assert_eq!(u64::from_le_bytes(word.try_into().unwrap()), first, "a page is mixed");
    }
    first
}

/// The number of the commit that a reader sees; all pages must be as that commit left them.
fn step_of(reader: &ReadOnlyPager<P>) -> Result<u64, MappedPageError> {
    let (regular, protected) = read(reader)?;
    assert_eq!(protected.len() as u64, WRITTEN);
    let step = marked(&protected[&0]);
    assert!(protected.values().all(|page| marked(page) == step), "commits are mixed");
    for (id, page) in &regular {
        match id.checked_sub(FIRST_PAGE).filter(|index| *index < WRITTEN) {
            Some(index) => {
                assert_eq!(marked(page), written_last(index, step), "page {id} of {step}")
            }
            None => assert!((1..=step).contains(&marked(page)), "page {id} of {step}"),
        }
    }
    if reader.format() == Format::Two {
        let newest = regular.values().map(|page| marked(page)).max();
        assert_eq!(newest, Some(step));
    }
    Ok(step)
}

/// Reads beside a writer until it is done. Gives how many states were read whole, and how many
/// times the writer was faster.
fn read_beside(path: &Path, lowest: &dyn Fn() -> u64, is_done: &dyn Fn() -> bool) -> (u64, u64) {
    let (mut whole, mut stale, mut last) = (0, 0, 0);
    let mut reader: Option<ReadOnlyPager<P>> = None;
    loop {
        let is_last = is_done();
        let acknowledged = lowest();
        let seen = match &mut reader {
            Some(reader) => reader.refresh().and_then(|_| step_of(reader)),
            None => ReadOnlyPager::open(path).and_then(|opened| step_of(reader.insert(opened))),
        };
        match seen {
            Ok(step) => {
                assert!(step >= acknowledged, "{step} seen after {acknowledged} was durable");
                assert!(step >= last, "{step} seen after {last}");
                (whole, last) = (whole + 1, step);
                if whole % 16 == 0 {
                    reader = None;
                }
                if is_last {
                    return (whole, stale);
                }
            }
            Err(MappedPageError::Stale) => stale += 1,
            Err(error) => panic!("after {whole} states: {error:?}"),
        }
    }
}

#[test]
fn beside_a_writer_in_a_thread_every_state_is_that_of_one_commit() {
    const STEPS: u64 = 600;
    in_all_cases(|case| {
        begin(&mut case.create());
        let (acknowledged, is_done) = (AtomicU64::new(1), AtomicBool::new(false));
        let (whole, stale) = std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut pager = case.open();
                for step in 2..=STEPS {
                    write_step(&mut pager, step);
                    acknowledged.store(step, Ordering::SeqCst);
                }
                drop(pager);
                is_done.store(true, Ordering::SeqCst);
            });
            let lowest = || acknowledged.load(Ordering::SeqCst);
            read_beside(&case.path(), &lowest, &|| is_done.load(Ordering::SeqCst))
        });
        println!("{:?} {:?}: {whole} states, {stale} times stale", case.format, case.backing);
        assert!(whole > 1);
    });
}

/// On a medium without a disk the writer is as fast as it can be, so that readers meet it at every point.
#[test]
fn beside_a_writer_that_never_waits_every_state_is_that_of_one_commit() {
    const STEPS: u64 = 3000;
    for format in [Format::One, Format::Two] {
        let medium: Arc<dyn Medium> = Arc::new(MemoryMedium::new());
        let mut pager =
            Pager::<P>::builder().format(format).create_on(Arc::clone(&medium)).unwrap();
        begin(&mut pager);
        let is_done = AtomicBool::new(false);
        let (mut whole, mut stale, mut last) = (0_u64, 0_u64, 0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for step in 2..=STEPS {
                    write_step(&mut pager, step);
                }
                is_done.store(true, Ordering::SeqCst);
            });
            loop {
                let is_last = is_done.load(Ordering::SeqCst);
                let reader = ReadOnlyPager::<P>::open_on(Arc::clone(&medium));
                match reader.and_then(|reader| step_of(&reader)) {
                    Ok(step) => {
                        assert!(step >= last, "{step} seen after {last}");
                        (whole, last) = (whole + 1, step);
                    }
                    Err(MappedPageError::Stale) => stale += 1,
                    Err(error) => panic!("{format:?} after {whole} states: {error:?}"),
                }
                if is_last {
                    break;
                }
            }
        });
        println!("{format:?}: {whole} states, {stale} times stale");
        assert_eq!(last, STEPS);
    }
}

/// Writes steps until its input ends; says each that is durable.
#[test]
fn writer() {
    let Some(path) = std::env::var_os(FILE) else { return };
    let mut pager = Pager::<P>::open(path).unwrap();
    for step in 2..=400 {
        write_step(&mut pager, step);
        println!("step {step}");
    }
    pager.close().unwrap();
}

#[test]
fn beside_a_writer_in_a_process_every_state_is_that_of_one_commit() {
    in_all_cases(|case| {
        begin(&mut case.create());
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "writer", "--nocapture"])
            .env(FILE, case.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (acknowledged, is_done) = (AtomicU64::new(1), AtomicBool::new(false));
        let output = BufReader::new(child.stdout.take().unwrap());
        let (whole, stale) = std::thread::scope(|scope| {
            scope.spawn(|| {
                for line in output.lines() {
                    let line = line.unwrap();
                    if let Some(step) = line.split("step ").nth(1) {
                        acknowledged.store(step.parse().unwrap(), Ordering::SeqCst);
                    }
                }
                is_done.store(true, Ordering::SeqCst);
            });
            let lowest = || acknowledged.load(Ordering::SeqCst);
            read_beside(&case.path(), &lowest, &|| is_done.load(Ordering::SeqCst))
        });
        assert!(child.wait().unwrap().success());
        assert_eq!(acknowledged.load(Ordering::SeqCst), 400);
        println!("{:?} {:?}: {whole} states, {stale} times stale", case.format, case.backing);
    });
}
