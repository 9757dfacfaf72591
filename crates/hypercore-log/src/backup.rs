//! Backups: a copy of a log that goes on meanwhile, and the mark by which a restored writer knows what it is.
//! And copies for readers, made in the same way but without the secret key.
//!
//! The copy follows the log in rounds. Each looks at the log in short steps, under the lock of a reader, and takes over what the
//! copy does not have; only the last, short one holds writers up, so that the copy is one moment of the log: the newest. Nothing of the
//! log is kept for it. Where the log was cut meanwhile, equal nodes tell what of the copy still counts.
//! The header is written last, when all that it speaks of is on stable storage: before that there is no core in the copy.

use std::sync::MutexGuard;

use random_access_storage::SyncScope;

use crate::backup::copying::Copying;
use crate::bitfield::Bitfield;
use crate::error::{LogError, StorageError};
use crate::header::Header;
use crate::log::Log;
use crate::nodes::{NODE_LEN, encode, stored_len};
use crate::oplog::{ENTRIES_START, OplogPosition};
use crate::state::Head;
use crate::stores::{FileName, Stores};
use crate::user_data::BACKUP;
use crate::writer::Writer;

mod copying;
#[cfg(test)]
mod tests;

/// Rounds that go on beside writers at most: one that writes faster than is copied waits for the rest in the end.
const ROUNDS_MAX: usize = 8;

/// Bytes that are few enough to be copied while writers wait.
const LAST_ROUND_LEN: u64 = 1024 * 1024;

/// What a copy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// To be the log one day.
    Backup,
    /// To be read, by anyone.
    Readers,
}

/// How far a backup is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackupProgress {
    /// Blocks copied so far, those with them that were looked at and left out.
    pub blocks_copied: u64,
    /// Stored blocks there are. A log that goes on has more after a while, and may have fewer.
    pub blocks_stored: u64,
}

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackupReport {
    /// The head of the copy: that of the log when the backup ended.
    pub head: Head,
    /// Blocks that are stored in the copy.
    pub blocks: u64,
    /// Bytes that the copy takes up.
    pub bytes: u64,
    /// Blocks that are damaged in the log, or that a damaged bitfield does not list any more, and that are left out.
    pub blocks_damaged: u64,
}

impl Log {
    /// Copies the log to `target`, while it goes on.
    ///
    /// The copy is the log as it is when this ends, with its blocks, its tree, its user data and, where it is stored, its secret key: a
    /// directory that JavaScript Hypercore 10 opens as well. It is marked as a backup: opened by this engine it signs nothing before
    /// [`confirm_newest`](Self::confirm_newest), since the log may have gone on elsewhere. Blocks that are damaged are left out, so that
    /// they can be fetched again.
    ///
    /// `target` is five empty stores. Appends wait for the end of the copying only.
    ///
    /// # Durability
    /// The copy is on stable storage on return, and so is all of the log that it holds. What a crash, or an error, leaves in `target` is
    /// no core, or all of it.
    ///
    /// # Errors
    /// [`LogError::TargetNotEmpty`]; [`LogError::Target`] when a store of `target` failed; [`LogError::HeaderLost`], as a copy would forget
    /// that; [`LogError::Corrupt`], [`LogError::NodeMissing`] when the tree is damaged; [`LogError::Storage`], [`LogError::Poisoned`].
    pub fn backup(&self, target: Stores) -> Result<BackupReport, LogError> {
        self.backup_with(target, &mut |_| {})
    }

    /// Copies the log as [`backup`](Self::backup) does, and tells `progress` about it on the way. Not at the end, where writers wait.
    ///
    /// # Durability
    /// As [`backup`](Self::backup).
    ///
    /// # Errors
    /// Those of [`backup`](Self::backup).
    pub fn backup_with(
        &self,
        target: Stores,
        progress: &mut dyn FnMut(BackupProgress),
    ) -> Result<BackupReport, LogError> {
        self.copy(Purpose::Backup, target, progress)
    }

    /// Copies the log as [`backup_with`](Self::backup_with) does, but without its secret key: what may be given to anyone. Opened with
    /// a key pair it still is a backup, which signs nothing before it is confirmed.
    ///
    /// # Durability
    /// As [`backup`](Self::backup).
    ///
    /// # Errors
    /// Those of [`backup`](Self::backup).
    pub fn copy_for_readers(
        &self,
        target: Stores,
        progress: &mut dyn FnMut(BackupProgress),
    ) -> Result<BackupReport, LogError> {
        self.copy(Purpose::Readers, target, progress)
    }

    fn copy(
        &self,
        purpose: Purpose,
        target: Stores,
        progress: &mut dyn FnMut(BackupProgress),
    ) -> Result<BackupReport, LogError> {
        for name in FILES {
            if !target.file(name).is_empty().map_err(in_target(name))? {
                return Err(LogError::TargetNotEmpty { file: name });
            }
        }
        // Nor does one begin that a truncation would make whole in the middle: that may cut one fork twice.
        if self.lock_to_back_up()?.header_lost {
            return Err(LogError::HeaderLost);
        }
        let mut copying = Copying::new(self, &target);
        for _ in 0..ROUNDS_MAX {
            if copying.round(progress)? <= LAST_ROUND_LEN {
                break;
            }
        }
        self.finish_copy(purpose, copying, &target)
    }

    /// Brings the copy up to the newest head while nobody writes, and makes it a core.
    fn finish_copy(
        &self,
        purpose: Purpose,
        mut copying: Copying<'_>,
        target: &Stores,
    ) -> Result<BackupReport, LogError> {
        let (mut header, bitfield, mut report) = {
            let writer = self.lock_to_back_up()?;
            // What the log could still lose to a power cut, the copy must not have.
            self.flush()?;
            copying.round(&mut |_| {})?;
            let state = self.read_state();
            let header = writer.header(self.key, &state);
            let (bitfield, report) = copying.end(&state)?;
            (header, bitfield, report)
        };
        if purpose == Purpose::Readers {
            header.key_pair = None;
        }
        self.end_copy(target, header, &bitfield, &report)?;
        for name in FILES {
            let len = target.file(name).stored_len().map_err(in_target(name))?;
            report.bytes = report.bytes.saturating_add(len);
        }
        Ok(report)
    }

    /// The right to keep writers out; also of a log that is open for reading.
    fn lock_to_back_up(&self) -> Result<MutexGuard<'_, Writer>, LogError> {
        let writer = self.writer.lock().map_err(|_| LogError::Poisoned)?;
        if self.commit.has_failed() { Err(LogError::Poisoned) } else { Ok(writer) }
    }

    /// Writes what makes the copy a core.
    fn end_copy(
        &self,
        target: &Stores,
        mut header: Header,
        bitfield: &Bitfield,
        report: &BackupReport,
    ) -> Result<(), LogError> {
        let length = report.head.length;
        if target.tree.len().map_err(in_target(FileName::Tree))? > stored_len(length) {
            target.tree.truncate(stored_len(length)).map_err(in_target(FileName::Tree))?;
        }
        for index in hypercore_merkle::removed_parents(length) {
            let blank = target.tree.write_at(index.get().saturating_mul(NODE_LEN), &encode(None));
            blank.map_err(in_target(FileName::Tree))?;
        }
        for (offset, bytes) in bitfield.dirty_pages() {
            let written = target.bitfield.write_at(offset, &bytes);
            written.map_err(in_target(FileName::Bitfield))?;
        }
        header.user_data.set(BACKUP, Some(vec![1]));
        header.contiguous_length = bitfield.contiguous_from(0);
        if let Some(counts) = &mut header.counts {
            counts.stored = report.blocks;
            counts.tree_len = target.tree.len().map_err(in_target(FileName::Tree))?;
        }
        header.check_len()?;
        for name in [FileName::Data, FileName::Tree, FileName::Bitfield] {
            target.file(name).sync(SyncScope::All).map_err(in_target(name))?;
        }
        // Both slots: only one says that the other one was lost, where there are blocks.
        let mut position = OplogPosition::fresh();
        for _ in 0..2 {
            let slot = position.prepare_header(&header)?;
            if let Some((offset, bytes)) = &slot.external {
                let written = target.header.write_at(*offset, bytes);
                written
                    .and_then(|()| target.header.sync(SyncScope::All))
                    .map_err(in_target(FileName::Header))?;
            }
            target
                .oplog
                .write_at(slot.offset, &slot.bytes)
                .and_then(|()| target.oplog.sync(SyncScope::All))
                .map_err(in_target(FileName::Oplog))?;
            position.header_written(&slot);
        }
        target
            .oplog
            .truncate(ENTRIES_START)
            .and_then(|()| target.oplog.sync(SyncScope::All))
            .map_err(in_target(FileName::Oplog))
    }

    /// Whether this is a backup that nobody [confirmed](Self::confirm_newest) to be the newest: it signs nothing until then.
    #[must_use]
    pub fn needs_confirmation(&self) -> bool {
        self.read_state().is_unconfirmed_backup()
    }

    /// Takes it that no other copy of this log is longer than this one, so that a backup may be written to.
    ///
    /// Two writers that go on from one backup sign two histories, and everyone who sees both stops trusting the log. So
    /// ask whoever may have a newer copy first: the machine the backup was taken on, and all peers.
    ///
    /// # Durability
    /// On stable storage on return, in either mode. Where the newest header is lost ([`LogError::HeaderLost`]), with the truncation that
    /// has to come first then.
    ///
    /// # Errors
    /// [`LogError::ReadOnly`], [`LogError::Poisoned`]: nothing was changed. [`LogError::Storage`]: the log is poisoned.
    pub fn confirm_newest(&self) -> Result<(), LogError> {
        if self.lock_to_truncate()?.header_lost {
            // The truncation writes a header without the mark, and nothing may be written before it.
            self.publish().user_data.set(BACKUP, None);
            return Ok(());
        }
        self.put_user_data(BACKUP, None)?;
        self.flush()
    }
}

const FILES: [FileName; 5] =
    [FileName::Oplog, FileName::Header, FileName::Tree, FileName::Bitfield, FileName::Data];

/// A store of the copy failed, which says nothing of the log.
fn in_target(file: FileName) -> impl Fn(random_access_storage::Error) -> LogError {
    move |source| LogError::Target(StorageError { file, source })
}
