//! Taking blocks away: their content alone, or from the end of the log.

use std::ops::Range;

use hypercore_crypto::KeyPair;
use hypercore_log::{Cleared, TruncateOptions};
use hypercore_replication::LogChange;

use super::Hypercore;
use crate::encryption::Cipher;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::view::Viewed;

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
        self.session.check_writable()?;
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
        self.session.check_writable()?;
        let mut signing = TruncateOptions::new();
        if let Some(key_pair) = &self.session.settings().key_pair {
            signing = signing.key_pair(KeyPair::clone(key_pair));
        }
        let truncate = move |log: Viewed<'_>, _: &Cipher| log.truncate(length, fork, &signing);
        self.session.blocking_write(truncate).await?;
        self.tell(LogChange::Truncated { length });
        Ok(())
    }
}
