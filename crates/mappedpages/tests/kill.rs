//! A writer that is killed at any moment leaves what it acknowledged, and at most one step more.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use mappedpages::{MappedPageError, PageId, Pager, ProtectedPageId};

/// Writers that are killed, one after the other, on one file.
const ROUNDS: u64 = 25;
/// The file, for a process that is to write until it is killed.
const FILE: &str = "MAPPEDPAGES_KILL_FILE";
/// Begins the line that acknowledges a step; the test harness prints others.
const DONE: &str = "done: ";
const P: usize = 1024;
/// Regular pages that there are after a step come and go with this period.
const PERIOD: u64 = 40;

fn content(step: u64, which: u64) -> Vec<u8> {
    let mut content = vec![(step ^ which) as u8; P];
    content[..8].copy_from_slice(&step.to_le_bytes());
    content
}

/// Regular pages after `step`, beside the one that is written each time.
fn extra(step: u64) -> u64 {
    let phase = step % PERIOD;
    phase.min(PERIOD - phase)
}

/// Writes steps from the one after what the file has, until the process is killed.
#[test]
fn writer() {
    let Some(path) = std::env::var_os(FILE) else { return };
    let mut pager = Pager::<P>::open(path).unwrap();
    let mut step = found(&pager).unwrap();
    loop {
        step += 1;
        let last = pager.iter_allocated_pages().last().unwrap();
        let mut transaction = pager.transaction().unwrap();
        for which in 0..3 {
            let page = ProtectedPageId(which);
            let page = transaction.protected_mut(page).unwrap();
            page.as_bytes_mut().copy_from_slice(&content(step, which));
        }
        let page = transaction.page_mut(PageId(FIRST)).unwrap();
        page.as_bytes_mut().copy_from_slice(&content(step, 9));
        if extra(step) > extra(step - 1) {
            let page = transaction.alloc().unwrap();
            transaction.page_mut(page).unwrap().as_bytes_mut().fill(1);
        } else {
            transaction.free(last).unwrap();
        }
        transaction.commit().unwrap();
        println!("{DONE}{step}");
    }
}

/// The regular page that each step writes.
const FIRST: u64 = 3;

/// The step that a file has, all of it.
fn found(pager: &Pager<P>) -> Result<u64, MappedPageError> {
    let first = ProtectedPageId::<P>(0).get(pager)?.as_bytes()[..8].try_into().unwrap();
    let step = u64::from_le_bytes(first);
    if step > 0 {
        for which in 0..3 {
            assert_eq!(ProtectedPageId::<P>(which).get(pager)?.as_bytes(), content(step, which));
        }
        assert_eq!(PageId::<P>(FIRST).get(pager)?.as_bytes(), content(step, 9));
    }
    let regular: Vec<_> = pager.iter_allocated_pages().collect();
    assert_eq!(regular.len() as u64, 1 + extra(step));
    for page in &regular[1..] {
        assert_eq!(page.get(pager)?.as_bytes(), [1; P]);
    }
    Ok(step)
}

fn kill_after(path: &Path, steps: u64) -> u64 {
    let mut writer = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writer", "--nocapture"])
        .env(FILE, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut done = 0;
    let lines = BufReader::new(writer.stdout.take().unwrap()).lines();
    let mut told = 0;
    for line in lines {
        let line = line.unwrap();
        if let Some((_, step)) = line.split_once(DONE) {
            done = step.parse().unwrap();
            told += 1;
            if told == steps {
                // SIGKILL. What was told before it took effect is still read.
                writer.kill().unwrap();
            }
        }
    }
    assert!(!writer.wait().unwrap().success());
    done
}

#[test]
fn a_killed_writer_leaves_what_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let mut pager = Pager::<P>::create(&path).unwrap();
    assert_eq!(pager.alloc().unwrap(), PageId(FIRST));
    assert_eq!(pager.alloc_protected_bulk(3).unwrap(), [0, 1, 2].map(ProtectedPageId));
    pager.close().unwrap();
    for round in 0..ROUNDS {
        let done = kill_after(&path, 1 + round * 7 % 20);
        let before = mappedpages::check::<P>(&path).unwrap();
        assert!(before.is_clean(), "round {round}: {before:?}");
        let mut pager = Pager::<P>::open(&path).unwrap();
        let report = pager.check().unwrap();
        assert!(report.is_clean(), "round {round}: {report:?}");
        let step = found(&pager).unwrap();
        assert!(step == done || step == done + 1, "round {round}: {step} instead of {done}");
    }
}
