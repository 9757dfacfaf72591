//! A disk in memory that keeps what is durable apart from what is not, and remembers everything done to it.
//!
//! It knows nothing of what its files hold. A [`Disk`] gives [`DiskFile`]s, which are
//! [`RandomAccess`] stores; its [`Recording`] gives the images that a crash may leave.

mod crash;
mod faulty;
mod image;
mod medium;
mod recording;

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use random_access_storage::{Error, Operation, RandomAccess, Result, SyncScope};

pub use crash::{Crash, Fill, Plan};
pub use faulty::FaultyFile;
pub use image::{Image, SECTOR_LEN};
pub use medium::SyncFault;
pub use recording::Recording;

use image::parts;
use medium::{Change, Item, Medium, Op};

/// Files a disk has at most. One more is a panic: this is a test's own doing.
pub const FILES_MAX: usize = 64;

/// Bytes of a file at most. A longer one is [`Error::TooLarge`].
pub const FILE_LEN_MAX: u64 = 1 << 32;

/// Told of each operation before it is done, by its position.
type Observer = Arc<dyn Fn(usize) + Send + Sync>;

/// A simulated disk; clones share it.
#[derive(Clone, Default)]
pub struct Disk(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    observer: Mutex<Option<Observer>>,
}

/// What a disk shows, what it has, and what was done.
#[derive(Clone, Debug, Default)]
struct State {
    start: Start,
    now: Start,
    ops: Vec<Op>,
    syncs: u64,
    fail: Option<(u64, SyncFault)>,
}

/// What reads show, and what is on the medium.
#[derive(Clone, Debug, Default)]
pub(crate) struct Start {
    shown: Image,
    medium: Medium,
    /// By file: whether reads may show bytes that the medium has lost.
    lingers: Vec<bool>,
}

impl Start {
    fn apply(&mut self, op: &Op) {
        match op {
            Op::Change(items) => medium::apply_all(&mut self.shown, items, |_| true),
            Op::Sync(_) => {}
            Op::FailedSync(file, SyncFault::Lingers) => {
                self.lingers.resize(FILES_MAX, false);
                self.lingers[*file] = true;
            }
            Op::FailedSync(..) => {}
        }
        self.medium.apply(op);
        if let Op::FailedSync(file, SyncFault::Reverts) = op {
            let settled = self.medium.settled();
            *self.shown.file_mut(*file) = settled.file(*file).cloned().unwrap_or_default();
        }
    }
}

impl State {
    fn apply(&mut self, op: Op) {
        self.now.apply(&op);
        self.ops.push(op);
    }

    /// The pieces that putting `data` at `offset` consists of.
    fn write(&mut self, at: usize, offset: u64, data: &[u8]) {
        let file = self.now.shown.file_mut(at);
        let mut items = Vec::new();
        let mut add = |change| items.push(Item { file: at, change });
        if !file.exists {
            add(Change::Create);
        }
        let end = offset + data.len() as u64;
        if end > file.len {
            add(Change::Grow(end));
        }
        let lingers = self.now.lingers.get(at).copied().unwrap_or(false);
        let mut done = 0;
        for (_, _, count) in parts(offset, data.len()) {
            let piece = &data[done..done + count];
            let place = offset + done as u64;
            let mut there = [0; SECTOR_LEN];
            file.read(place, &mut there[..count]);
            // Writing what is there already changes nothing, unless it is not really there.
            if there[..count] != *piece || lingers {
                add(Change::Write { offset: place, bytes: piece.into() });
            }
            done += count;
        }
        self.apply(Op::Change(items));
    }

    fn set_len(&mut self, at: usize, len: u64) {
        let file = self.now.shown.file_mut(at);
        let mut changes = Vec::new();
        if !file.exists {
            changes.push(Change::Create);
        }
        if len < file.len {
            changes.push(Change::Cut(len));
        } else if len > file.len {
            changes.push(Change::Grow(len));
        }
        let items = changes.into_iter().map(|change| Item { file: at, change });
        self.apply(Op::Change(items.collect()));
    }
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = hold(&self.0.state);
        formatter
            .debug_struct("Disk")
            .field("files", &state.now.shown.names)
            .field("operations", &state.ops.len())
            .finish()
    }
}

impl Disk {
    /// A disk without files.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A disk that holds `image`, all of it durable.
    #[must_use]
    pub fn of(image: Image) -> Self {
        let medium = Medium { durable: image.clone(), pending: Vec::new() };
        Self::starting(Start { shown: image, medium, lingers: Vec::new() })
    }

    fn starting(start: Start) -> Self {
        let state = State { now: start.clone(), start, ..State::default() };
        let shared = Shared { state: Mutex::new(state), observer: Mutex::new(None) };
        Self(Arc::new(shared))
    }

    /// The file of that name, which is made by the first write to it. Handles of one name share the file.
    ///
    /// # Panics
    /// When there are [`FILES_MAX`] others.
    #[must_use]
    pub fn file(&self, name: &str) -> DiskFile {
        let mut state = hold(&self.0.state);
        let names = &mut state.now.shown.names;
        let at = names.iter().position(|known| known == name).unwrap_or_else(|| {
            Arc::make_mut(names).push(name.to_owned());
            names.len() - 1
        });
        assert!(at < FILES_MAX, "too many files");
        let names = Arc::clone(names);
        state.now.medium.durable.names = Arc::clone(&names);
        state.start.shown.names = Arc::clone(&names);
        state.start.medium.durable.names = names;
        drop(state);
        DiskFile { disk: self.clone(), file: at }
    }

    /// Whether there is a file of that name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        let state = hold(&self.0.state);
        let at = state.now.shown.names.iter().position(|known| known == name);
        at.and_then(|at| state.now.shown.file(at)).is_some_and(|file| file.exists)
    }

    /// Makes the file of that name, empty, where there is none: its name is a change like others.
    ///
    /// # Panics
    /// When there are [`FILES_MAX`] others.
    #[must_use]
    pub fn create(&self, name: &str) -> DiskFile {
        let file = self.file(name);
        if !self.has(name) {
            let item = Item { file: file.file, change: Change::Create };
            self.operate(|state| state.apply(Op::Change(vec![item])));
        }
        file
    }

    /// How many operations were done. Writes, length changes, discards and syncs count.
    #[must_use]
    pub fn position(&self) -> usize {
        hold(&self.0.state).ops.len()
    }

    /// How many syncs were asked for.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        hold(&self.0.state).syncs
    }

    /// Lets the `nth` sync from now fail, counted from 1.
    pub fn fail_sync(&self, nth: u64, fault: SyncFault) {
        let mut state = hold(&self.0.state);
        state.fail = Some((state.syncs.saturating_add(nth), fault));
    }

    /// Calls `observer` before each operation from now on, with its position. It may look at the disk, and at whatever
    /// uses the disk as far as that allows.
    pub fn observe(&self, observer: impl Fn(usize) + Send + Sync + 'static) {
        *hold(&self.0.observer) = Some(Arc::new(observer));
    }

    /// What reads show now.
    #[must_use]
    pub fn shown(&self) -> Image {
        hold(&self.0.state).now.shown.clone()
    }

    /// Everything done so far.
    #[must_use]
    pub fn recording(&self) -> Recording {
        let state = hold(&self.0.state);
        Recording::new(state.start.clone(), state.ops.clone())
    }

    /// Does something with the state, after telling the observer.
    fn operate<T>(&self, operation: impl FnOnce(&mut State) -> T) -> T {
        let observer = hold(&self.0.observer).clone();
        if let Some(observer) = observer {
            observer(self.position());
        }
        operation(&mut hold(&self.0.state))
    }
}

/// A file of a [`Disk`].
#[derive(Clone, Debug)]
pub struct DiskFile {
    disk: Disk,
    file: usize,
}

impl RandomAccess for DiskFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let mut state = hold(&self.disk.0.state);
        let file = state.now.shown.file_mut(self.file);
        let len = buffer.len() as u64;
        if offset.checked_add(len).is_none_or(|last| last > file.len) {
            return Err(Error::OutOfBounds { offset, len, end: file.len });
        }
        file.read(offset, buffer);
        Ok(())
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        check_fits(offset, data.len() as u64)?;
        if !data.is_empty() {
            self.disk.operate(|state| state.write(self.file, offset, data));
        }
        Ok(())
    }

    fn discard(&self, offset: u64, len: u64) -> Result<()> {
        let stored = self.len()?;
        let end = offset.saturating_add(len);
        if len == 0 || offset >= stored {
        } else if end >= stored {
            self.disk.operate(|state| state.set_len(self.file, offset));
        } else {
            let zeros = vec![0; len as usize];
            self.disk.operate(|state| state.write(self.file, offset, &zeros));
        }
        Ok(())
    }

    fn truncate(&self, len: u64) -> Result<()> {
        check_fits(0, len)?;
        let missing = !hold(&self.disk.0.state).now.shown.file_mut(self.file).exists;
        if !(missing && len == 0) {
            self.disk.operate(|state| state.set_len(self.file, len));
        }
        Ok(())
    }

    fn len(&self) -> Result<u64> {
        Ok(hold(&self.disk.0.state).now.shown.file_mut(self.file).len)
    }

    fn sync(&self, _: SyncScope) -> Result<()> {
        if !hold(&self.disk.0.state).now.shown.file_mut(self.file).exists {
            return Ok(());
        }
        self.disk.operate(|state| {
            state.syncs = state.syncs.saturating_add(1);
            match state.fail {
                Some((nth, fault)) if nth == state.syncs => {
                    state.apply(Op::FailedSync(self.file, fault));
                    // EIO, for which the standard library has no kind that can be named.
                    let source = std::io::Error::from_raw_os_error(5);
                    Err(Error::io(Operation::Sync, 0, 0, source))
                }
                _ => {
                    state.apply(Op::Sync(self.file));
                    Ok(())
                }
            }
        })
    }

    fn stored_len(&self) -> Result<u64> {
        let mut state = hold(&self.disk.0.state);
        let sectors = state.now.shown.file_mut(self.file).sectors_stored();
        Ok((sectors * SECTOR_LEN) as u64)
    }

    fn next_stored(&self, offset: u64) -> Result<Option<Range<u64>>> {
        let mut state = hold(&self.disk.0.state);
        let file = state.now.shown.file_mut(self.file);
        let sector_len = SECTOR_LEN as u64;
        let first = usize::try_from(offset / sector_len).unwrap_or(usize::MAX);
        Ok(file.next_stored(first).and_then(|sectors| {
            let start = (sectors.start as u64 * sector_len).max(offset);
            let end = (sectors.end as u64 * sector_len).min(file.len);
            (start < end).then_some(start..end)
        }))
    }
}

fn check_fits(offset: u64, len: u64) -> Result<()> {
    match offset.checked_add(len) {
        Some(last) if last <= FILE_LEN_MAX || len == 0 => Ok(()),
        _ => Err(Error::TooLarge { offset, len, max: FILE_LEN_MAX }),
    }
}

/// Nothing panics half way through a change while these locks are held, so a poisoned one is as good as any.
fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
