//! Every bit of small files flipped, one at a time: what opens shows what was there or says what is wrong.
//!
//! Files of both formats, closed and left behind by a kill. A flipped bit of a regular page is the caller's affair and
//! must change that bit and nothing else; every other one is noticed or makes no difference. An older state may show
//! only where [`Recovery`] tells of it.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use mappedpages::{Format, MappedPageError, Medium, Pager, Recovery};

const P: usize = 1024;

/// A file in memory, which outlives the pager that has it open.
#[derive(Clone, Debug, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    fn locked<T>(&self, work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn bytes(&self) -> Vec<u8> {
        self.locked(|bytes| bytes.clone())
    }

    fn open(&self) -> Result<Pager<P>, MappedPageError> {
        Pager::builder().open_on(Arc::new(self.clone()))
    }
}

impl Medium for Memory {
    fn len(&self) -> io::Result<u64> {
        Ok(self.locked(|bytes| bytes.len() as u64))
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        self.locked(|bytes| {
            let end = start.checked_add(into.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
            into.copy_from_slice(bytes.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        })
    }

    fn write_at(&self, offset: u64, written: &[u8]) -> io::Result<()> {
        let start = offset as usize;
        self.locked(|bytes| bytes[start..start + written.len()].copy_from_slice(written));
        Ok(())
    }

    fn grow(&self, len: u64) -> io::Result<()> {
        if len > 1 << 24 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.locked(|bytes| bytes.resize(bytes.len().max(len as usize), 0));
        Ok(())
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        self.locked(|bytes| bytes.truncate(len as usize));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Pages' bytes by their ids. `None` is a page that says it is damaged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Shown {
    regular: BTreeMap<u64, Option<Vec<u8>>>,
    protected: BTreeMap<u64, Option<Vec<u8>>>,
    /// The walks over them told that they ended early.
    ends_early: [bool; 2],
}

impl Shown {
    fn of(pager: &Pager<P>) -> Self {
        let (mut pages, mut ids) =
            (pager.iter_allocated_pages(), pager.iter_allocated_protected_pages());
        let regular = pages
            .by_ref()
            .map(|id| (id.0, id.get(pager).ok().map(|page| page.as_bytes().to_vec())));
        let regular = regular.collect();
        let protected =
            ids.by_ref().map(|id| (id.0, id.get(pager).ok().map(|page| page.as_bytes().to_vec())));
        let protected = protected.collect();
        let ends_early = [pages.error().is_some(), ids.error().is_some()];
        Self { regular, protected, ends_early }
    }

    /// Whether this is `other`, but for what says that it is damaged, and for the bytes around the one at `offset` of the
    /// file if that is in a regular page.
    fn is_all_that_is_left_of(&self, other: &Self, offset: usize) -> bool {
        let (flipped, place) = ((offset / P) as u64, offset % P);
        let [fewer_pages, fewer_ids] = self.ends_early;
        let left = |found: &BTreeMap<u64, _>, wanted: &BTreeMap<u64, _>, fewer: bool| {
            found.keys().eq(wanted.keys())
                || (fewer && found.keys().all(|id| wanted.contains_key(id)))
        };
        left(&self.regular, &other.regular, fewer_pages)
            && left(&self.protected, &other.protected, fewer_ids)
            && self.regular.iter().all(|(page, found)| match (found, &other.regular[page]) {
                (Some(found), Some(wanted)) if *page == flipped => {
                    found[..place] == wanted[..place] && found[place + 1..] == wanted[place + 1..]
                }
                (Some(found), Some(wanted)) => found == wanted,
                _ => true,
            })
            && self
                .protected
                .iter()
                .all(|(id, found)| found.is_none() || *found == other.protected[id])
    }
}

/// A file, what it shows, and what it showed after each commit before.
struct File {
    name: &'static str,
    bytes: Vec<u8>,
    shown: Shown,
    before: Vec<Shown>,
}

/// Makes a small file with one of everything.
fn file(name: &'static str, format: Format, is_closed: bool) -> File {
    let memory = Memory::default();
    let mut pager: Pager<P> =
        Pager::builder().format(format).create_on(Arc::new(memory.clone())).unwrap();
    let mut before = vec![Shown::of(&pager)];
    let page = pager.alloc().unwrap();
    before.push(Shown::of(&pager));
    page.get_mut(&mut pager).unwrap().as_bytes_mut().fill(0x77);
    pager.flush().unwrap();
    before.push(Shown::of(&pager));
    let id = pager.alloc_protected().unwrap();
    before.push(Shown::of(&pager));
    for byte in [0x11, 0x22] {
        let mut writer = id.get_mut(&mut pager).unwrap();
        writer.page_mut().as_bytes_mut().fill(byte);
        writer.commit().unwrap();
        before.push(Shown::of(&pager));
    }
    if format == Format::Two {
        let mut transaction = pager.transaction().unwrap();
        transaction.page_mut(page).unwrap().as_bytes_mut()[..100].fill(0x99);
        transaction.commit().unwrap();
    }
    let shown = Shown::of(&pager);
    let killed = memory.bytes();
    pager.close().unwrap();
    let bytes = if is_closed { memory.bytes() } else { killed };
    before.retain(|older| *older != shown);
    File { name, bytes, shown, before }
}

/// Whether an open told that it shows something older, or may.
fn tells(recovery: &Recovery) -> bool {
    recovery.rolled_back.is_some() || recovery.repaired || recovery.older_blocks > 0
}

/// What became of the flipped bits.
#[derive(Debug, Default)]
struct Tally {
    refused: usize,
    noticed: usize,
    harmless: usize,
    told: usize,
    /// Bits that make it show what never was, or is no longer, and keep quiet.
    silent: Vec<String>,
}

/// Flips every bit of every `stride`th byte from `first` on.
fn flip(file: &File, first: usize, stride: usize) -> Tally {
    let mut tally = Tally::default();
    for offset in (first..file.bytes.len()).step_by(stride) {
        for bit in 0..8 {
            let mut bytes = file.bytes.clone();
            bytes[offset] ^= 1 << bit;
            let memory = Memory(Arc::new(Mutex::new(bytes)));
            let Ok(pager) = memory.open() else {
                tally.refused += 1;
                continue;
            };
            let (shown, recovery) = (Shown::of(&pager), pager.recovery());
            if shown == file.shown {
                tally.harmless += 1;
            } else if shown.is_all_that_is_left_of(&file.shown, offset) {
                tally.noticed += 1;
            } else if tells(recovery)
                && file.before.iter().any(|older| shown.is_all_that_is_left_of(older, offset))
            {
                tally.told += 1;
            } else {
                tally.silent.push(format!(
                    "bit {bit} of byte {offset} (page {}, byte {}) shows {} pages and {} \
                     protected ones, {recovery:?}",
                    offset / P,
                    offset % P,
                    shown.regular.len(),
                    shown.protected.len()
                ));
            }
        }
    }
    tally
}

fn flip_all(file: &File) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let tallies: Vec<Tally> = std::thread::scope(|scope| {
        let flipping: Vec<_> =
            (0..threads).map(|first| scope.spawn(move || flip(file, first, threads))).collect();
        flipping.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut refused = 0;
    for tally in tallies {
        let Tally { refused: closed, noticed, harmless, told, silent } = tally;
        println!(
            "{}: {closed} refused, {noticed} noticed, {harmless} harmless, {told} told",
            file.name
        );
        assert_eq!(silent, [""; 0], "{}", file.name);
        refused += closed;
    }
    assert!(refused > 0, "{}: no flipped bit keeps it from opening", file.name);
}

#[test]
fn format_two_closed() {
    flip_all(&file("format 2, closed", Format::Two, true));
}

#[test]
fn format_two_killed() {
    flip_all(&file("format 2, killed", Format::Two, false));
}

#[test]
fn format_one_closed() {
    flip_all(&file("format 1, closed", Format::One, true));
}

#[test]
fn format_one_killed() {
    flip_all(&file("format 1, killed", Format::One, false));
}
