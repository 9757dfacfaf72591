//! Named batches without async.

use std::ops::Deref;

use super::Hypercore;
use super::wait::Waiting;
use crate::error::Result;
use crate::info::Appended;
use crate::named_batch::{BatchBuilder, CommitOptions};

/// A named batch whose calls wait for their result: a [`NamedBatch`](crate::NamedBatch), with all that a
/// [`Hypercore`] does, on the batch.
#[derive(Clone, Debug)]
pub struct NamedBatch {
    batch: crate::NamedBatch,
    handle: Hypercore,
}

impl Deref for NamedBatch {
    type Target = Hypercore;

    fn deref(&self) -> &Hypercore {
        &self.handle
    }
}

impl NamedBatch {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.batch.name()
    }

    /// Does what [`ancestors`](crate::NamedBatch::ancestors) does.
    ///
    /// # Errors
    /// Those of [`ancestors`](crate::NamedBatch::ancestors).
    pub fn ancestors(&self) -> Result<u64> {
        self.batch.ancestors()
    }

    /// Does what [`commit`](crate::NamedBatch::commit) does.
    ///
    /// # Errors
    /// Those of [`commit`](crate::NamedBatch::commit).
    pub fn commit(&self) -> Result<Appended> {
        self.handle.waiting.wait(self.batch.commit())
    }

    /// Does what [`commit_with`](crate::NamedBatch::commit_with) does.
    ///
    /// # Errors
    /// Those of [`commit_with`](crate::NamedBatch::commit_with).
    pub fn commit_with(&self, options: CommitOptions) -> Result<Appended> {
        self.handle.waiting.wait(self.batch.commit_with(options))
    }

    /// Does what [`discard`](crate::NamedBatch::discard) does.
    ///
    /// # Errors
    /// Those of [`discard`](crate::NamedBatch::discard).
    pub fn discard(self) -> Result<()> {
        let Self { batch, handle } = self;
        let waiting = handle.waiting;
        drop(handle);
        waiting.wait(batch.discard())
    }
}

impl BatchBuilder {
    /// Opens the batch as [`open`](Self::open) does, for use without async. With the feature `blocking`.
    ///
    /// # Errors
    /// Those of [`open`](Self::open); `Io` when the system gives no thread.
    pub fn open_blocking(self) -> Result<NamedBatch> {
        let waiting = Waiting::begin()?;
        let batch = waiting.wait(self.open())?;
        let handle = Hypercore { log: crate::Hypercore::clone(&batch), waiting };
        Ok(NamedBatch { batch, handle })
    }
}
