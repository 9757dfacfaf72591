//! Taking blocks away: their content alone, or from the end of the log.

use std::ops::Range;

use hypercore_log::Cleared;
use hypercore_replication::LogChange;

use super::Hypercore;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;

/// Taking blocks away.
impl Hypercore {
    /// Drops the content of blocks and gives their space back. The log keeps its length and its
    /// hash; the blocks can be fetched again from whoever has them.
    ///
    /// # Durability
    /// Survives a power cut on return, with either durability: space is only given back then.
    ///
    /// # Errors
    /// `Caller` when this handle may not write; `Io`, `Closed`. A part of the range past the end, or
    /// that is not stored, is no error.
    pub async fn clear(&self, blocks: Range<u64>) -> Result<Cleared> {
        let change = LogChange::Cleared(blocks.clone());
        let cleared = self.session.blocking_write(move |log, _| Ok(log.clear(blocks)?)).await?;
        self.tell(change);
        Ok(cleared)
    }

    /// Shortens the log to `length` blocks. Its fork number rises by one, or to `fork`, which must be
    /// higher than the present one: readers see that history was rewritten.
    ///
    /// # Durability
    /// Survives a power cut on return, with either durability.
    ///
    /// # Errors
    /// `Caller` when the log is shorter than `length`, `fork` is not above the present fork, or this
    /// handle may not write; `Io`, `Closed`.
    pub async fn truncate(&self, length: u64, fork: Option<u64>) -> Result<()> {
        self.session.blocking_write(move |log, _| Ok(log.truncate(length, fork)?)).await?;
        self.tell(LogChange::Truncated { length });
        Ok(())
    }
}
