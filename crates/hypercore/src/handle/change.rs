//! Taking blocks away: their content alone, or from the end of the log.

use std::ops::Range;

use hypercore_log::Cleared;
use hypercore_replication::LogChange;

use super::Hypercore;
use crate::encryption::Cipher;
use crate::error::{Error, Result};
use crate::info::Purged;
use crate::options::TruncateOptions;
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
        self.session.blocking_change(change, move |log, _| log.clear(blocks)).await
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
        let mut options = TruncateOptions::new();
        options.fork = fork;
        self.truncate_with(length, options).await
    }

    /// Truncates as [`truncate`](Self::truncate) does, signed by another key pair or by a ready signature, for
    /// which several [sign in parts](crate::PartialOptions::fork). Nobody signs a batch: there they are not looked at.
    ///
    /// # Durability
    /// As for [`truncate`](Self::truncate).
    ///
    /// # Errors
    /// Those of [`truncate`](Self::truncate); `Caller` when the key pair may not sign, or the signature does not
    /// hold: nothing was changed.
    pub async fn truncate_with(&self, length: u64, options: TruncateOptions) -> Result<()> {
        self.session.check_writable()?;
        let (fork, settings) = (options.fork, self.session.settings());
        let signer = settings.signer.as_ref().filter(|_| !options.signs());
        if let (Some(signer), true) = (signer, self.session.view().is_live()) {
            return self.session.truncate_outside(length, fork, &**signer).await;
        }
        let signing = options.for_log(settings.key_pair.as_deref());
        let truncate = move |log: Viewed<'_>, _: &Cipher| log.truncate(length, fork, &signing);
        self.session.blocking_change(LogChange::Truncated { length }, truncate).await
    }

    /// Deletes the log for good, with its secret key and its named batches, and closes it for all
    /// sessions: calls that wait, and later ones, say `Closed`. In a directory its files go, and those of
    /// others stay; memory and stores of one's own are emptied.
    ///
    /// Other handles and processes can not have the log open, those that [follow](crate::Access::Follow) it
    /// aside. Once begun it runs to its end, also when the future is dropped.
    ///
    /// # Durability
    /// On return nothing is left, also after a power cut. A crash before leaves the log, with some or none
    /// of its batches, or rests of it without a key, in the place of which
    /// [`Create::Overwrite`](crate::Create::Overwrite) makes a new one.
    ///
    /// # Errors
    /// `Caller` when the handle is open for reading, may not write, or is a batch; `Io` when the disk failed: something
    /// may be left, and the log is closed all the same; `Closed`, also when somebody else has begun to close
    /// it.
    pub async fn purge(&self) -> Result<Purged> {
        self.session.check_writable()?;
        if !self.session.view().is_live() {
            return Err(Error::live_only());
        }
        if !self.shared().identity.stores {
            return Err(Error::not_writable());
        }
        self.shared().purge().await
    }
}
