//! Stores in memory that stall until they are told to go on, one call at a time.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;

use hypercore::{RandomAccess, SideStores, Storage, StoreError, Stores};
use random_access_memory::RandomAccessMemory;
use random_access_storage::{Result, SyncScope};
use tokio::sync::Notify;

#[derive(Debug, Default)]
struct Passage {
    closed: bool,
    /// Calls that stand before the gate.
    waiting: usize,
    /// Calls that may pass all the same.
    passes: usize,
}

/// Before which calls of stores stand while it is closed. Calls of the thread that made it pass: the test itself
/// must not stall.
pub(crate) struct Gate {
    passage: Mutex<Passage>,
    moved: Condvar,
    arrived: Notify,
    of: ThreadId,
}

impl Gate {
    fn new() -> Self {
        let of = std::thread::current().id();
        Self { passage: Mutex::default(), moved: Condvar::new(), arrived: Notify::new(), of }
    }

    pub(crate) fn close(&self) {
        self.lock().closed = true;
    }

    pub(crate) fn open(&self) {
        *self.lock() = Passage::default();
        self.moved.notify_all();
    }

    /// Waits until a call stands before the gate.
    pub(crate) async fn arrived(&self) {
        while self.lock().waiting == 0 {
            self.arrived.notified().await;
        }
    }

    /// Lets one call pass that stands before the gate.
    pub(crate) fn let_one_pass(&self) {
        let mut passage = self.lock();
        // Counted off here, so that nobody takes it for another one before its thread has woken.
        passage.waiting = passage.waiting.saturating_sub(1);
        passage.passes += 1;
        self.moved.notify_all();
    }

    fn pass(&self) {
        let mut passage = self.lock();
        if !passage.closed || std::thread::current().id() == self.of {
            return;
        }
        passage.waiting += 1;
        self.arrived.notify_one();
        let mut passage = self
            .moved
            .wait_while(passage, |passage| passage.closed && passage.passes == 0)
            .unwrap_or_else(PoisonError::into_inner);
        passage.passes = passage.passes.saturating_sub(1);
    }

    fn lock(&self) -> MutexGuard<'_, Passage> {
        self.passage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The stores of one log, and of the batches beside it, behind one gate; what is in them can be opened again.
#[derive(Clone)]
pub(crate) struct Disk {
    pub(crate) gate: Arc<Gate>,
    files: [RandomAccessMemory; 5],
    batches: Arc<Mutex<BTreeMap<String, [RandomAccessMemory; 5]>>>,
}

impl Disk {
    pub(crate) fn new() -> Self {
        Self { gate: Arc::new(Gate::new()), files: Default::default(), batches: Arc::default() }
    }

    /// An empty one behind the same gate.
    pub(crate) fn emptied(&self) -> Self {
        Self { gate: Arc::clone(&self.gate), ..Self::new() }
    }

    /// Takes over what lies in a folder.
    pub(crate) fn fill_from(&self, folder: &Path) {
        for (name, file) in ["oplog", "header", "tree", "bitfield", "data"].iter().zip(&self.files)
        {
            match std::fs::read(folder.join(name)) {
                Ok(bytes) => file.write_at(0, &bytes).unwrap(),
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound),
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty() && self.files.iter().all(|file| file.is_empty().unwrap())
    }

    pub(crate) fn storage(&self) -> Storage {
        Storage::from(self.stalling(&self.files)).side_stores(self.clone())
    }

    fn stalling(&self, files: &[RandomAccessMemory; 5]) -> Stores {
        let [oplog, header, tree, bitfield, data] = files.clone().map(|file| {
            let gate = Arc::clone(&self.gate);
            Box::new(Stalling { file, gate }) as Box<dyn RandomAccess>
        });
        Stores { oplog, header, tree, bitfield, data }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, [RandomAccessMemory; 5]>> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SideStores for Disk {
    fn batches(&self) -> Result<Vec<String>> {
        self.gate.pass();
        Ok(self.lock().keys().cloned().collect())
    }

    fn open_batch(&self, name: &str) -> Result<Stores> {
        self.gate.pass();
        let files = self.lock().get(name).cloned();
        files.map(|files| self.stalling(&files)).ok_or(StoreError::NotFound)
    }

    fn create_batch(&self, name: &str) -> Result<Stores> {
        self.gate.pass();
        let files = self.lock().entry(name.to_owned()).or_default().clone();
        Ok(self.stalling(&files))
    }

    fn delete_batch(&self, name: &str) -> Result<()> {
        self.gate.pass();
        self.lock().remove(name);
        Ok(())
    }
}

struct Stalling {
    file: RandomAccessMemory,
    gate: Arc<Gate>,
}

impl fmt::Debug for Stalling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stalling")
    }
}

impl RandomAccess for Stalling {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.gate.pass();
        self.file.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        self.gate.pass();
        self.file.write_at(offset, data)
    }

    fn discard(&self, offset: u64, len: u64) -> Result<()> {
        self.gate.pass();
        self.file.discard(offset, len)
    }

    fn truncate(&self, len: u64) -> Result<()> {
        self.gate.pass();
        self.file.truncate(len)
    }

    fn sync(&self, scope: SyncScope) -> Result<()> {
        self.gate.pass();
        self.file.sync(scope)
    }

    fn len(&self) -> Result<u64> {
        self.file.len()
    }

    fn next_stored(&self, offset: u64) -> Result<Option<Range<u64>>> {
        self.file.next_stored(offset)
    }
}
