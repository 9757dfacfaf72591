//! A disk in memory that fails the N-th call, and that knows what a power cut would leave.
//!
//! Invariant: `durable` changes only in a sync that succeeds, and by a power cut not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use super::hold;
use crate::{Error, Operation, RandomAccess, Result, SyncScope};

const SECTOR_LEN: usize = 4096;

/// Longest disk; enough for every position that a test of sparseness takes.
const LEN_MAX: u64 = i64::MAX as u64;

/// A way for a call to fail. Each says which calls it fits; only those are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Any call: fails with `EIO`; nothing was done. A sync keeps the data, as
    /// [`SyncKeeps`](Self::SyncKeeps).
    Io,
    /// Writes and truncations: fail with `ENOSPC`; nothing was done.
    StorageFull,
    /// Reads: the first half of the buffer is filled, then `UnexpectedEof`.
    ShortRead,
    /// Writes: at most the first `kept` bytes are written, then `ENOSPC`.
    ShortWrite {
        /// Bytes that arrive.
        kept: usize,
    },
    /// Syncs: fail with `EIO`; what was written can still be read, but is not durable.
    SyncKeeps,
    /// Syncs: fail with `EIO`; what was written since the last sync is gone, the length stays.
    /// This is what Linux does: the pages are marked clean and then dropped.
    SyncLoses,
    /// Syncs: fail with `EIO`; what was written since the last sync can be read as long as the power
    /// stays, and never gets to the medium unless it is written again. This is Linux before it
    /// drops the pages: the next sync finds nothing to do and succeeds.
    SyncLingers,
}

impl Fault {
    fn fits(self, operation: Operation) -> bool {
        match self {
            Self::Io => true,
            Self::StorageFull => matches!(operation, Operation::Write | Operation::Truncate),
            Self::ShortRead => operation == Operation::Read,
            Self::ShortWrite { .. } => operation == Operation::Write,
            Self::SyncKeeps | Self::SyncLoses | Self::SyncLingers => operation == Operation::Sync,
        }
    }

    /// The error of a call that fails so.
    #[must_use]
    pub fn error(self, operation: Operation, offset: u64, len: u64) -> Error {
        Error::io(operation, offset, len, self.source())
    }

    fn source(self) -> io::Error {
        match self {
            Self::StorageFull | Self::ShortWrite { .. } => io::ErrorKind::StorageFull.into(),
            Self::ShortRead => io::ErrorKind::UnexpectedEof.into(),
            // EIO, for which the standard library has no kind that can be named.
            Self::Io | Self::SyncKeeps | Self::SyncLoses | Self::SyncLingers => {
                io::Error::from_raw_os_error(5)
            }
        }
    }
}

/// Which call on a group of [`FaultyDisk`]s fails, and how; clones share it.
///
/// ```
/// use random_access_storage::RandomAccess;
/// use random_access_storage::testing::{Fault, Faults, FaultyDisk};
///
/// for nth in 1.. {
///     let faults = Faults::fail(nth, Fault::Io);
///     let disk = FaultyDisk::new(&faults);
///     let done = disk.write_at(0, b"one").and_then(|()| disk.write_at(3, b"two"));
///     assert_eq!(done.is_err(), faults.fired());
///     if !faults.fired() {
///         break; // every call has had its turn
///     }
/// }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Plan>>);

#[derive(Debug, Default)]
struct Plan {
    fault: Option<Fault>,
    /// Calls that fit to be let through before the fault.
    before: u64,
    /// Calls that fit and were let through.
    passed: u64,
    /// Whether later calls that fit fail as well.
    lasting: bool,
    fired: bool,
}

impl Faults {
    /// No fault.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// The `nth` call that `fault` fits fails, counted from 1 over all disks of the group.
    #[must_use]
    pub fn fail(nth: u64, fault: Fault) -> Self {
        let faults = Self::none();
        faults.set(nth, fault);
        faults
    }

    /// As [`fail`](Self::fail), and all later ones fail too.
    #[must_use]
    pub fn fail_from(nth: u64, fault: Fault) -> Self {
        let faults = Self::none();
        faults.set_from(nth, fault);
        faults
    }

    /// Plans anew: the `nth` call that `fault` fits, from now, fails.
    pub fn set(&self, nth: u64, fault: Fault) {
        let before = nth.saturating_sub(1);
        *hold(&self.0) = Plan { fault: Some(fault), before, ..Plan::default() };
    }

    /// As [`set`](Self::set), and all later ones fail too.
    pub fn set_from(&self, nth: u64, fault: Fault) {
        self.set(nth, fault);
        hold(&self.0).lasting = true;
    }

    /// Lets every call through from now on. [`fired`](Self::fired) stays as it is.
    pub fn clear(&self) {
        hold(&self.0).fault = None;
    }

    /// Whether a call has failed.
    #[must_use]
    pub fn fired(&self) -> bool {
        hold(&self.0).fired
    }

    /// How many calls that fit were let through: with a fault that is never reached, how many there are.
    #[must_use]
    pub fn passed(&self) -> u64 {
        hold(&self.0).passed
    }

    /// Counts a call; gives the fault if this is the one. For other disks than [`FaultyDisk`], which do
    /// what the fault says themselves.
    #[must_use]
    pub fn take(&self, operation: Operation) -> Option<Fault> {
        let mut plan = hold(&self.0);
        let fault = plan.fault.filter(|fault| fault.fits(operation))?;
        if let Some(before) = plan.before.checked_sub(1) {
            plan.before = before;
            plan.passed = plan.passed.saturating_add(1);
            return None;
        }
        plan.fired = true;
        if !plan.lasting {
            plan.fault = None;
        }
        Some(fault)
    }
}

/// A disk in memory whose calls fail as [`Faults`] say; clones share the content.
///
/// Holds apart what can be read and what is durable. [`power_cut`](Self::power_cut) leaves what
/// is durable and nothing else, which is one of the many things that a real one can leave.
#[derive(Clone, Debug)]
pub struct FaultyDisk {
    faults: Faults,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    volatile: Content,
    durable: Content,
    /// Sectors that a failed sync left in memory only, and that were not written since.
    lingering: BTreeSet<u64>,
}

/// Sectors that are not all zero. A copy shares them.
#[derive(Clone, Debug, Default)]
struct Content {
    sectors: BTreeMap<u64, Arc<[u8; SECTOR_LEN]>>,
    len: u64,
}

impl FaultyDisk {
    /// An empty disk in the group of `faults`.
    #[must_use]
    pub fn new(faults: &Faults) -> Self {
        Self { faults: faults.clone(), state: Arc::default() }
    }

    /// Forgets what is not durable. Calls work again afterwards, subject to the faults planned.
    pub fn power_cut(&self) {
        let mut state = hold(&self.state);
        state.volatile = state.durable.clone();
        state.lingering.clear();
    }

    /// Another disk with what this one has on stable storage and no fault planned, for looking
    /// at what a power cut would leave now.
    #[must_use]
    pub fn after_power_cut(&self) -> Self {
        let durable = hold(&self.state).durable.clone();
        let state = State { volatile: durable.clone(), durable, lingering: BTreeSet::new() };
        Self { faults: Faults::none(), state: Arc::new(Mutex::new(state)) }
    }

    fn call(&self, operation: Operation, offset: u64, len: u64) -> Result<()> {
        match self.faults.take(operation) {
            None => Ok(()),
            Some(fault) => Err(fault.error(operation, offset, len)),
        }
    }
}

impl State {
    fn write(&mut self, offset: u64, data: &[u8]) {
        self.volatile.write(offset, data);
        for (sector, ..) in parts(offset, data.len()) {
            self.lingering.remove(&sector);
        }
    }

    /// A sync that succeeds.
    fn sync(&mut self) {
        let before = std::mem::replace(&mut self.durable, self.volatile.clone());
        for sector in
            self.lingering.iter().filter(|sector| self.volatile.sectors.contains_key(sector))
        {
            match before.sectors.get(sector) {
                Some(bytes) => self.durable.sectors.insert(*sector, Arc::clone(bytes)),
                None => self.durable.sectors.remove(sector),
            };
        }
        let len = self.volatile.len;
        self.durable.set_len(len);
    }

    fn lose(&mut self) {
        let len = self.volatile.len;
        self.volatile = self.durable.clone();
        self.volatile.set_len(len);
    }

    fn linger(&mut self) {
        let volatile = self.volatile.sectors.iter();
        let unsynced =
            volatile.filter(|(sector, bytes)| self.durable.sectors.get(sector) != Some(bytes));
        self.lingering.extend(unsynced.map(|(sector, _)| *sector));
    }
}

impl Content {
    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let len = buffer.len() as u64;
        if offset.checked_add(len).is_none_or(|last| last > self.len) {
            return Err(Error::OutOfBounds { offset, len, end: self.len });
        }
        for (sector, place, range) in parts(offset, buffer.len()) {
            let Some(part) = buffer.get_mut(range) else { continue };
            let bytes = self.sectors.get(&sector).and_then(|bytes| bytes.get(place));
            match bytes {
                Some(bytes) => part.copy_from_slice(bytes),
                None => part.fill(0),
            }
        }
        Ok(())
    }

    fn write(&mut self, offset: u64, data: &[u8]) {
        for (sector, place, range) in parts(offset, data.len()) {
            let bytes = self.sectors.entry(sector).or_insert_with(|| Arc::new([0; SECTOR_LEN]));
            if let (Some(bytes), Some(part)) =
                (Arc::make_mut(bytes).get_mut(place), data.get(range))
            {
                bytes.copy_from_slice(part);
            }
        }
        if !data.is_empty() {
            self.len = self.len.max(offset.saturating_add(data.len() as u64));
        }
    }

    fn zero(&mut self, range: Range<u64>) {
        let sector_len = SECTOR_LEN as u64;
        let first = range.start.checked_div(sector_len).unwrap_or(0);
        let touched: Vec<u64> = self.sectors.range(first..).map(|(sector, _)| *sector).collect();
        for sector in touched {
            let start = sector.saturating_mul(sector_len);
            let end = start.saturating_add(sector_len);
            if start >= range.end {
                return;
            }
            if range.start <= start && end <= range.end {
                self.sectors.remove(&sector);
            } else if let Some(bytes) = self.sectors.get_mut(&sector) {
                for (position, byte) in (start..).zip(Arc::make_mut(bytes)) {
                    if range.contains(&position) {
                        *byte = 0;
                    }
                }
            }
        }
    }

    fn set_len(&mut self, len: u64) {
        self.zero(len..u64::MAX);
        self.len = len;
    }
}

/// The sectors that `len` bytes at `offset` touch: number, place in the sector, place in the
/// buffer.
fn parts(offset: u64, len: usize) -> impl Iterator<Item = (u64, Range<usize>, Range<usize>)> {
    let sector_len = SECTOR_LEN as u64;
    let mut done: usize = 0;
    std::iter::from_fn(move || {
        let left = len.checked_sub(done).filter(|left| *left > 0)?;
        let position = offset.saturating_add(done as u64);
        let place = usize::try_from(position.checked_rem(sector_len)?).ok()?;
        let count = SECTOR_LEN.saturating_sub(place).min(left);
        let range = done..done.saturating_add(count);
        done = range.end;
        Some((position.checked_div(sector_len)?, place..place.saturating_add(count), range))
    })
}

impl RandomAccess for FaultyDisk {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let len = buffer.len() as u64;
        match self.faults.take(Operation::Read) {
            None => hold(&self.state).volatile.read(offset, buffer),
            Some(fault) => {
                let half = buffer.len().div_ceil(2);
                if fault == Fault::ShortRead
                    && let Some(first) = buffer.get_mut(..half)
                {
                    hold(&self.state).volatile.read(offset, first)?;
                }
                Err(fault.error(Operation::Read, offset, len))
            }
        }
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        let len = data.len() as u64;
        check_fits(offset, len)?;
        match self.faults.take(Operation::Write) {
            None => hold(&self.state).write(offset, data),
            Some(fault) => {
                if let Fault::ShortWrite { kept } = fault {
                    let prefix = data.get(..kept).unwrap_or(data);
                    hold(&self.state).write(offset, prefix);
                }
                return Err(fault.error(Operation::Write, offset, len));
            }
        }
        Ok(())
    }

    fn discard(&self, offset: u64, len: u64) -> Result<()> {
        self.call(Operation::Discard, offset, len)?;
        let content = &mut hold(&self.state).volatile;
        let end = offset.saturating_add(len);
        if len == 0 || offset >= content.len {
        } else if end >= content.len {
            content.set_len(offset);
        } else {
            content.zero(offset..end);
        }
        Ok(())
    }

    fn truncate(&self, len: u64) -> Result<()> {
        check_fits(0, len)?;
        self.call(Operation::Truncate, 0, len)?;
        hold(&self.state).volatile.set_len(len);
        Ok(())
    }

    fn len(&self) -> Result<u64> {
        self.call(Operation::Stat, 0, 0)?;
        Ok(hold(&self.state).volatile.len)
    }

    fn sync(&self, _: SyncScope) -> Result<()> {
        let fault = self.faults.take(Operation::Sync);
        let mut state = hold(&self.state);
        match fault {
            None => state.sync(),
            Some(fault) => {
                match fault {
                    Fault::SyncLoses => state.lose(),
                    Fault::SyncLingers => state.linger(),
                    _ => {}
                }
                return Err(fault.error(Operation::Sync, 0, 0));
            }
        }
        Ok(())
    }

    fn stored_len(&self) -> Result<u64> {
        let sectors = hold(&self.state).volatile.sectors.len() as u64;
        Ok(sectors.saturating_mul(SECTOR_LEN as u64))
    }

    fn next_stored(&self, offset: u64) -> Result<Option<Range<u64>>> {
        let content = &hold(&self.state).volatile;
        let sector_len = SECTOR_LEN as u64;
        let first = offset.checked_div(sector_len).unwrap_or(0);
        let Some((sector, _)) = content.sectors.range(first..).next() else { return Ok(None) };
        let start = sector.saturating_mul(sector_len);
        let end = start.saturating_add(sector_len).min(content.len);
        let start = start.max(offset);
        Ok((start < end).then_some(start..end))
    }
}

fn check_fits(offset: u64, len: u64) -> Result<()> {
    match offset.checked_add(len) {
        Some(last) if last <= LEN_MAX || len == 0 => Ok(()),
        _ => Err(Error::TooLarge { offset, len, max: LEN_MAX }),
    }
}
