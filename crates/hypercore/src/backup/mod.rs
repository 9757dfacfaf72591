//! Backups of a log, and what has to be known before one is written to.
//!
//! What goes into a backup and what the mark of one forbids is decided by the engine; here are the directory that it goes to, and
//! the question to the peers.

mod directory;
mod vouching;

pub(crate) use directory::UNFINISHED;
pub(crate) use vouching::Doubt;

use std::path::PathBuf;
use std::time::Duration;

use hypercore_crypto::Hash;
use hypercore_log::BackupProgress;
use tokio::time::{Instant, timeout};

#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::handle::Hypercore;
use crate::replication::survey::Survey;

/// What a backup, or a packed log, holds; see [`Hypercore::backup`] and [`Hypercore::pack`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct BackupReport {
    /// Blocks in the log that was copied.
    pub length: u64,
    /// Its fork.
    pub fork: u64,
    /// Its tree hash.
    pub tree_hash: Hash,
    /// Blocks that are stored in the copy: those that are stored in the log.
    pub blocks: u64,
    /// Bytes that the copy takes, in its directory or as a file.
    pub bytes: u64,
    /// Blocks that are damaged in the log and left out: readers of the copy can fetch them from peers.
    pub blocks_damaged: u64,
}

impl From<hypercore_log::BackupReport> for BackupReport {
    fn from(report: hypercore_log::BackupReport) -> Self {
        Self {
            length: report.head.length,
            fork: report.head.fork,
            tree_hash: report.head.tree_hash,
            blocks: report.blocks,
            bytes: report.bytes,
            blocks_damaged: report.blocks_damaged,
        }
    }
}

/// Backups. They are of the log itself, also where the session sees a snapshot or a batch of it.
impl Hypercore {
    /// Copies the log into `directory`, which must be missing or empty, while it goes on.
    ///
    /// The copy is the log at one moment, the one at which this ends: blocks, tree, user data and the secret key, so keep it
    /// as safe as the log. Blocks of an encrypted log are copied as they are, and the encryption key, which no
    /// log stores, is to be kept elsewhere. Named batches are not part of it. Appends go on meanwhile, but for
    /// a moment at the end. The directory is one that JavaScript Hypercore 10 opens as well.
    ///
    /// Opened again, the copy [needs confirmation](Self::needs_confirmation) before it can be written to.
    ///
    /// # Durability
    /// The copy survives a power cut on return. One that was cut short, by an error or a crash, has no file `oplog`: it opens
    /// as nothing, is refused as a place for a new log, and can be deleted.
    ///
    /// # Errors
    /// `Caller` when something is in the directory ([`Error::is_already_exists`]); `Corrupt` when the log lost what it signed last, or its
    /// tree is damaged; `Io` when one of the two disks failed or is full ([`Error::is_storage_full`]); `Closed`.
    pub async fn backup(&self, directory: impl Into<PathBuf>) -> Result<BackupReport> {
        self.backup_with(directory, |_| {}).await
    }

    /// Copies the log as [`backup`](Self::backup) does, and tells `progress` about it on the way, from a blocking
    /// thread. Appends do not wait for it.
    ///
    /// # Durability
    /// As for [`backup`](Self::backup).
    ///
    /// # Errors
    /// Those of [`backup`](Self::backup).
    pub async fn backup_with(
        &self,
        directory: impl Into<PathBuf>,
        mut progress: impl FnMut(BackupProgress) + Send + 'static,
    ) -> Result<BackupReport> {
        let directory = directory.into();
        let copy = self.session_ref().blocking_write(move |view, _| {
            Ok(directory::write(view.log(), &directory, &mut progress)?.into())
        });
        copy.await
    }

    /// Whether this is a backup that was restored and not yet confirmed: appending, truncating and committing are refused
    /// ([`Error::is_unconfirmed_backup`]).
    ///
    /// The log that it was taken of may have gone on. A writer that goes on from the backup as well signs other blocks in the place of
    /// those, and everyone who sees both stops trusting the log for good. Everything that signs nothing works: reading,
    /// serving, following peers that have more.
    ///
    /// # Errors
    /// `Closed`.
    pub fn needs_confirmation(&self) -> Result<bool> {
        self.session_ref().inline(|view, _| Ok(view.log().needs_confirmation()))
    }

    /// Takes your word that no other copy of this log has more than this one, so that it can be written to.
    ///
    /// Where others replicate the log, [`confirm_with_peers`](Self::confirm_with_peers) asks them instead.
    ///
    /// # Durability
    /// Survives a power cut on return, with either durability.
    ///
    /// # Errors
    /// `Caller` for a handle that may not write ([`Error::is_not_writable`]); `Io`, `Closed`.
    pub async fn confirm_newest(&self) -> Result<()> {
        let session = self.session_ref();
        session.check_writable()?;
        session.blocking_write(|view, _| Ok(view.log().confirm_newest()?)).await
    }

    /// Asks every peer that is connected now what it has, takes over what is newer (also a truncation), and if then nobody
    /// has more than this log, confirms it as [`confirm_newest`](Self::confirm_newest) does.
    ///
    /// What a peer told that is gone by now counts, since this log was opened: more than can be taken over is never forgotten.
    /// Where no peer is connected yet, one is waited for. Every connected peer has to answer within `deadline`, and at least one of them must have had what this backup has: who has
    /// less never saw what came after it. Only the length and its proof are taken over; the blocks are fetched as any others, with
    /// [`get`](Self::get) and [`download`](Self::download).
    ///
    /// This knows what the peers know. Blocks that never left the machine that was lost can not fork anybody; those that went to a
    /// peer that is not connected can. Nor can it tell a peer that had the blocks from the lost writer from one that got them
    /// from this copy and connects again: ask before others follow it.
    ///
    /// # Durability
    /// As for [`confirm_newest`](Self::confirm_newest).
    ///
    /// # Errors
    /// `Caller` when the peers did not settle it ([`Error::is_unconfirmed_backup`]; the text says why), and nothing but what was taken over
    /// is changed: ask again with other peers, or with more time. `Caller` also for a handle that may not write, and for a log
    /// with a [conflict](Error::is_conflict); `Io`, `Closed`.
    pub async fn confirm_with_peers(&self, deadline: Duration) -> Result<Survey> {
        let session = self.session_ref();
        session.check_writable()?;
        let head = || session.inline(|view, _| Ok(vouching::Head::of(view.log())));
        let before = head()?;
        let begin = Instant::now();
        // Without peers asking takes no time, and they may be about to come.
        let told = timeout(deadline, session.until_end(somebody_told(self)));
        told.await.unwrap_or(Ok(()))?;
        let survey = self.ask_peers(deadline.saturating_sub(begin.elapsed())).await?;
        if self.needs_confirmation()? {
            let told = vouching::Head::told(self.shared().exchange().newest_told());
            vouching::judge(&survey, told, before, head()?)?;
            self.confirm_newest().await?;
        }
        Ok(survey)
    }
}

/// Waits until a peer has told what it has.
async fn somebody_told(log: &Hypercore) -> Result<()> {
    let mut changes = log.shared().exchange().changes();
    loop {
        changes.mark_unchanged();
        if log.peers().await?.iter().any(|peer| peer.info().synced) {
            return Ok(());
        }
        // The log keeps the sender alive.
        let _ = changes.changed().await;
    }
}
