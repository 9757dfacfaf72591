//! The named batches of an open log: where they are kept, and which are open.
//!
//! A batch is open once at a time: who opens one that is open shares it, and who opens one that is being
//! closed or deleted waits until it is. Calls here wait and touch the disk: they are for blocking threads.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

use hypercore_log::Stores;

use super::name;
use super::open::{Joined, OpenBatch};
use crate::error::{Error, Result};
use crate::side_stores::{Side, SideStores};

/// The named batches of an open log.
#[derive(Debug)]
pub(crate) struct Batches {
    side: Side,
    /// Those whose stores are open. Without a batch behind it, an entry is about to be opened or closed.
    open: Mutex<BTreeMap<String, Weak<OpenBatch>>>,
    one_less: Condvar,
}

/// A batch as [`Batches::enter`] finds it.
pub(crate) enum Entered {
    Open(Joined),
    Closed(Slot),
}

impl Batches {
    pub(crate) fn new(side: Side) -> Arc<Self> {
        Arc::new(Self { side, open: Mutex::default(), one_less: Condvar::new() })
    }

    pub(crate) fn side(&self) -> &Side {
        &self.side
    }

    /// Where batches are kept.
    ///
    /// # Errors
    /// `Caller` when there is no such place.
    pub(crate) fn stores(&self) -> Result<&dyn SideStores> {
        self.side.stores().ok_or_else(Error::no_side_stores)
    }

    /// The names of the batches that are stored, in order; of stores without a place for batches, none.
    pub(crate) fn names(&self) -> Result<Vec<String>> {
        let Some(stores) = self.side.stores() else { return Ok(Vec::new()) };
        let mut names = stores.batches().map_err(|error| Error::storage("batches", error))?;
        names.sort_unstable();
        Ok(names)
    }

    /// The batch if it is open, else the right to open it.
    pub(crate) fn enter(self: &Arc<Self>, name: &str) -> Result<Entered> {
        name::check(name)?;
        let mut open = self.lock();
        loop {
            let Some(entry) = open.get(name) else {
                open.insert(name.to_owned(), Weak::new());
                return Ok(Entered::Closed(Slot { of: Arc::clone(self), name: name.to_owned() }));
            };
            let Some(batch) = entry.upgrade() else {
                open = self.one_less.wait(open).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(open);
            if !batch.is_closing()
                && let Ok(joined) = Joined::join(&batch, false)
            {
                return Ok(Entered::Open(joined));
            }
            // It has ended. Whoever is to close it may wait for the thread that this runs on.
            if let Err(error) = batch.close_now() {
                tracing::warn!(%error, batch = batch.name(), "a batch did not close well");
            }
            drop(batch);
            open = self.lock();
        }
    }

    /// Deletes a batch.
    ///
    /// # Errors
    /// `Caller` when it is open, or there is no place for batches; `Io`.
    pub(crate) fn delete(self: &Arc<Self>, name: &str) -> Result<()> {
        self.stores()?;
        match self.enter(name)? {
            Entered::Open(_) => Err(Error::batch_is_open()),
            Entered::Closed(slot) => slot.delete(),
        }
    }

    /// Deletes all batches, for a log that is closed: whoever has one open finds it closed. Tells the bytes that
    /// they took up.
    pub(crate) fn delete_all(self: &Arc<Self>) -> Result<u64> {
        // What can not be made durable is deleted all the same.
        let _ = self.close();
        let mut freed = 0_u64;
        for name in self.names()? {
            freed = freed.saturating_add(self.stored_len(&name));
            self.delete(&name)?;
        }
        Ok(freed)
    }

    /// The bytes that a batch takes up, as far as its stores tell.
    fn stored_len(&self, name: &str) -> u64 {
        let Some(Ok(stores)) = self.side.stores().map(|side| side.open_batch(name)) else {
            return 0;
        };
        let Stores { oplog, header, tree, bitfield, data } = stores;
        let lens = [oplog, header, tree, bitfield, data].map(|store| store.stored_len());
        lens.iter().flatten().fold(0, |sum, len| sum.saturating_add(*len))
    }

    /// Makes durable what was written to open batches.
    pub(crate) fn flush(&self) -> Result<()> {
        let mut result = Ok(());
        for batch in self.all() {
            result = result.and(batch.flush_now());
        }
        result
    }

    /// Closes all batches that are open, whoever uses them.
    pub(crate) fn close(&self) -> Result<()> {
        let mut result = Ok(());
        for batch in self.all() {
            result = result.and(batch.close_now());
        }
        result
    }

    fn all(&self) -> Vec<Arc<OpenBatch>> {
        self.lock().values().filter_map(Weak::upgrade).collect()
    }

    /// Every change is one call, so a panic elsewhere spoils nothing.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Weak<OpenBatch>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to open the stores of one batch, until it is dropped: after them.
#[derive(Debug)]
pub(crate) struct Slot {
    of: Arc<Batches>,
    name: String,
}

impl Slot {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Lets others find the batch that was opened.
    pub(crate) fn fill(&self, batch: &Arc<OpenBatch>) {
        self.of.lock().insert(self.name.clone(), Arc::downgrade(batch));
    }

    /// Deletes the batch, whose stores are closed.
    pub(crate) fn delete(self) -> Result<()> {
        let stores = self.of.stores()?;
        stores.delete_batch(&self.name).map_err(|error| Error::storage("batches", error))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.of.lock().remove(&self.name);
        self.of.one_less.notify_all();
    }
}
