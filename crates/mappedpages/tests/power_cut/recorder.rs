//! What a file held at each moment, and what of it was durable.
//!
//! Before and after each call that changes or syncs the file, and whenever it is asked, the recorder
//! reads the whole file: so it sees stores through a map, too, which may reach the disk at any time.
//! Between two syncs it collects each content that each sector had.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

/// Bytes that a disk writes wholly or not at all: those of a sector, and of a block of a newer disk.
pub(crate) const ATOMIC_LENS: [usize; 2] = [512, 4096];

/// Bytes that the system keeps, and writes back, together.
const CACHED_LEN: usize = 4096;

/// What was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Write { offset: u64, len: usize },
    SetLen,
    Sync,
}

/// Contents that sectors had, by their number, oldest first and without what is durable.
pub(crate) type Versions = BTreeMap<usize, Vec<Vec<u8>>>;

/// What may be on the disk when the power goes between two syncs.
#[derive(Clone, Debug)]
pub(crate) struct Interval {
    /// States that an open may show: from what was acknowledged to what was in flight.
    pub(crate) states: std::ops::RangeInclusive<usize>,
    /// What the last sync made durable.
    pub(crate) durable: Vec<u8>,
    /// What sectors of each of [`ATOMIC_LENS`] held since.
    pub(crate) versions: [Versions; 2],
    /// Lengths that the file had since.
    pub(crate) lens: Vec<usize>,
}

/// What happens instead of one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    /// Calls that are passed on before it.
    pub(crate) after: usize,
    /// Whether all later calls fail, too.
    pub(crate) stays: bool,
}

struct Recorder {
    file: File,
    identity: (u64, u64),
    seen: Vec<u8>,
    current: Interval,
    intervals: Vec<Interval>,
    /// Pages of the cache that a failed sync gave up: they are taken for written, and no later sync writes
    /// them, unless they are changed again.
    given_up: BTreeSet<usize>,
    fault: Option<Fault>,
    calls: usize,
    syncs: usize,
}

/// What was recorded.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(crate) intervals: Vec<Interval>,
    pub(crate) calls: usize,
    pub(crate) syncs: usize,
}

static RECORDER: Mutex<Option<Recorder>> = Mutex::new(None);

fn recorder() -> MutexGuard<'static, Option<Recorder>> {
    RECORDER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins with the file at `path`, all of which is durable.
pub(crate) fn start(path: &Path, fault: Option<Fault>) {
    let file = File::open(path).unwrap();
    let identity = identity(file.as_fd());
    let durable = content(&file);
    let current = Interval {
        states: 0..=0,
        lens: vec![durable.len()],
        durable: durable.clone(),
        versions: Default::default(),
    };
    *recorder() = Some(Recorder {
        file,
        identity,
        seen: durable,
        current,
        intervals: Vec::new(),
        given_up: BTreeSet::new(),
        fault,
        calls: 0,
        syncs: 0,
    });
}

/// Passes every call on from now on, and forgets the intervals so far. Gives the states that an open may show.
pub(crate) fn heal() -> std::ops::RangeInclusive<usize> {
    let mut recorder = recorder();
    let recorder = recorder.as_mut().unwrap();
    recorder.fault = None;
    recorder.intervals.clear();
    recorder.current.states.clone()
}

/// Ends, with the power going at last.
pub(crate) fn stop() -> Recording {
    let mut recorder = recorder().take().unwrap();
    recorder.look();
    recorder.intervals.push(recorder.current);
    let Recorder { intervals, calls, syncs, .. } = recorder;
    Recording { intervals, calls, syncs }
}

/// From now on an open may show state `state`, or an earlier one that may still be shown.
pub(crate) fn may_show(state: usize) {
    if let Some(recorder) = &mut *recorder() {
        recorder.look();
        recorder.current.states = *recorder.current.states.start()..=state;
    }
}

/// From now on an open must show `state` or a later one.
pub(crate) fn must_show(state: usize) {
    if let Some(recorder) = &mut *recorder() {
        recorder.look();
        recorder.current.states = state..=*recorder.current.states.end();
    }
}

/// Stops the test: `call` is not followed here.
pub(crate) fn unexpected(call: &str) {
    assert!(recorder().is_none(), "{call} of a file that is recorded");
}

/// Passes a call on, or fails it, and looks at the file before and after it.
pub(crate) fn around(
    fd: BorrowedFd<'_>,
    call: Call,
    pass_on: impl FnOnce() -> Result<usize, Errno>,
) -> Result<usize, Errno> {
    let mut recorder = recorder();
    let Some(recorder) = recorder.as_mut() else {
        // Nothing that is only looked at has to be durable: images are made by the thousand.
        return if call == Call::Sync { Ok(0) } else { pass_on() };
    };
    if identity(fd) != recorder.identity {
        return pass_on();
    }
    recorder.look();
    let number = recorder.calls;
    recorder.calls += 1;
    if let Some(fault) = recorder.fault
        && (number == fault.after || fault.stays && number > fault.after)
    {
        if call == Call::Sync {
            recorder.give_up();
        }
        return Err(Errno::IO);
    }
    if call == Call::Sync {
        recorder.syncs += 1;
        recorder.synced();
        return Ok(0);
    }
    let done = pass_on();
    if let Call::Write { offset, len } = call {
        let start = usize::try_from(offset).unwrap();
        let written = start / CACHED_LEN..(start + len).div_ceil(CACHED_LEN);
        recorder.given_up.retain(|page| !written.contains(page));
    }
    recorder.look();
    done
}

impl Recorder {
    /// Takes notice of what the file holds now.
    fn look(&mut self) {
        let now = content(&self.file);
        if now == self.seen {
            return;
        }
        if !self.current.lens.contains(&now.len()) {
            self.current.lens.push(now.len());
        }
        for (len, versions) in ATOMIC_LENS.into_iter().zip(&mut self.current.versions) {
            for sector in 0..now.len().max(self.seen.len()).div_ceil(len) {
                let new = sector_of(&now, sector, len);
                if new == sector_of(&self.seen, sector, len) {
                    continue;
                }
                let of_sector = versions.entry(sector).or_default();
                if new != sector_of(&self.current.durable, sector, len) && !of_sector.contains(&new)
                {
                    of_sector.push(new);
                }
            }
        }
        for page in 0..now.len().div_ceil(CACHED_LEN) {
            if sector_of(&now, page, CACHED_LEN) != sector_of(&self.seen, page, CACHED_LEN) {
                self.given_up.remove(&page);
            }
        }
        self.seen = now;
    }

    /// Everything seen so far, unless it was given up, is durable from now on.
    fn synced(&mut self) {
        let mut next = Interval {
            states: self.current.states.clone(),
            durable: self.seen.clone(),
            versions: Default::default(),
            lens: vec![self.seen.len()],
        };
        for &page in &self.given_up {
            let start = page * CACHED_LEN;
            let old = sector_of(&self.current.durable, page, CACHED_LEN);
            for (into, from) in next.durable.iter_mut().skip(start).zip(old) {
                *into = from;
            }
        }
        for (which, len) in ATOMIC_LENS.into_iter().enumerate() {
            let mut kept = self.current.versions[which].clone();
            kept.retain(|sector, _| self.given_up.contains(&(sector * len / CACHED_LEN)));
            next.versions[which] = kept;
        }
        self.intervals.push(std::mem::replace(&mut self.current, next));
    }

    /// A sync failed: what it should have written stays in the cache and counts as written.
    fn give_up(&mut self) {
        for page in 0..self.seen.len().div_ceil(CACHED_LEN) {
            let durable = sector_of(&self.current.durable, page, CACHED_LEN);
            if sector_of(&self.seen, page, CACHED_LEN) != durable {
                self.given_up.insert(page);
            }
        }
    }
}

/// Sector `sector` of `len` bytes, with zeros where `bytes` has none.
pub(crate) fn sector_of(bytes: &[u8], sector: usize, len: usize) -> Vec<u8> {
    let start = (sector * len).min(bytes.len());
    let mut found = bytes[start..(start + len).min(bytes.len())].to_vec();
    found.resize(len, 0);
    found
}

fn identity(fd: BorrowedFd<'_>) -> (u64, u64) {
    let stat = rustix::fs::fstat(fd).unwrap();
    (stat.st_dev, stat.st_ino)
}

fn content(file: &File) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(file.metadata().unwrap().len()).unwrap()];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}
