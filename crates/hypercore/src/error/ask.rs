//! What callers ask of an error: what they commonly treat apart, and where it was.

use std::io;

use hypercore_log::{Corruption, LogError, OpenError};
use paged::WriteError;
use random_access_storage::Error as StoreError;

use super::{Error, ErrorKind, Repr};

impl Error {
    /// Whether a signature did not hold for what was to be stored with it.
    pub(crate) fn is_bad_signature(&self) -> bool {
        matches!(self.log_error(), Some(LogError::Signature(_)))
    }

    /// Whether somebody else wrote first.
    pub(crate) fn is_head_moved(&self) -> bool {
        matches!(self.log_error(), Some(LogError::HeadMoved { .. }))
    }

    /// Whether another handle, in this or another process, has the log open; or the batch that was to be deleted,
    /// begun anew or truncated while it is opened.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        matches!(*self.0, Repr::Locked | Repr::BatchIsOpen)
            || matches!(self.store_error(), Some(StoreError::Locked))
    }

    /// Whether no log is stored there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(
            *self.0,
            Repr::NotFound
                | Repr::Strangers { .. }
                | Repr::Unfinished { .. }
                | Repr::Open(OpenError::NotFound)
        ) || matches!(self.store_error(), Some(StoreError::NotFound))
    }

    /// Whether a new log was asked for where one is stored, or a backup where something is.
    #[must_use]
    pub fn is_already_exists(&self) -> bool {
        matches!(
            *self.0,
            Repr::Open(OpenError::AlreadyExists) | Repr::NotEmpty { .. } | Repr::Occupied { .. }
        ) || matches!(self.log_error(), Some(LogError::TargetNotEmpty { .. }))
    }

    /// Whether this is a backup of which it is not known that it is the newest copy of its log, so that it signs nothing. See
    /// [`Hypercore::needs_confirmation`](crate::Hypercore::needs_confirmation).
    #[must_use]
    pub fn is_unconfirmed_backup(&self) -> bool {
        matches!(*self.0, Repr::Doubt(_))
            || matches!(self.log_error(), Some(LogError::MaybeNotNewest))
    }

    /// Whether this handle may not write: it is open for reading only, a snapshot, or a session without that right, has
    /// no key that may sign, or the system refuses writes to the files.
    #[must_use]
    pub fn is_not_writable(&self) -> bool {
        matches!(*self.0, Repr::NotWritable | Repr::PackedForWriting { .. })
            || matches!(self.log_error(), Some(LogError::ReadOnly | LogError::NotWritable))
            || matches!(self.store_error(), Some(StoreError::ReadOnly { .. }))
            || self.is_permission_denied()
    }

    /// Whether the system refused access: permissions, or a file system mounted read-only.
    #[must_use]
    pub fn is_permission_denied(&self) -> bool {
        match self.io_error() {
            Some(source) => matches!(
                source.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
            ),
            None => self.store_error().is_some_and(StoreError::is_permission_denied),
        }
    }

    /// Whether the medium (or the user's share of it) is full. What was acknowledged before stays.
    #[must_use]
    pub fn is_storage_full(&self) -> bool {
        match self.io_error() {
            Some(source) => {
                matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            None => self.store_error().is_some_and(StoreError::is_storage_full),
        }
    }

    /// Whether the block asked for lies at or past the end of the log.
    #[must_use]
    pub fn is_out_of_bounds(&self) -> bool {
        matches!(self.log_error(), Some(LogError::OutOfBounds { .. }))
    }

    /// Whether something is not stored here and was not waited for: the handle is open for reading and gets
    /// nothing from peers, or the session does not wait.
    #[must_use]
    pub fn is_not_stored(&self) -> bool {
        matches!(*self.0, Repr::NotStored)
    }

    /// Whether what was waited for did not come in time.
    #[must_use]
    pub fn is_timed_out(&self) -> bool {
        matches!(*self.0, Repr::TimedOut)
    }

    /// Whether a [codec](crate::Codec) could not make a block of a value, or a value of a block; why not is the
    /// [source](std::error::Error::source).
    #[must_use]
    pub fn is_codec(&self) -> bool {
        matches!(*self.0, Repr::Encode(_) | Repr::Decode { .. })
    }

    /// Whether a sink takes nothing more: it was closed, or one of its appends failed, which is the
    /// [source](std::error::Error::source).
    #[must_use]
    pub fn is_sink_ended(&self) -> bool {
        matches!(*self.0, Repr::SinkClosed | Repr::SinkFailed(_))
    }

    /// Whether what was asked for was rewritten: a snapshot, or a batch, was of an older log and could not keep
    /// it, or waited for a block that was truncated before it came; or a stream had read past where the log was
    /// truncated.
    #[must_use]
    pub fn is_rewritten(&self) -> bool {
        matches!(self.log_error(), Some(LogError::BaseRewritten { .. }))
    }

    /// Whether a batch could not be committed, as the log has other blocks than it by now: nothing was changed.
    #[must_use]
    pub fn is_batch_conflict(&self) -> bool {
        matches!(self.log_error(), Some(LogError::BranchConflict { .. }))
    }

    /// Whether two histories of the log were signed, so that nothing more is added to it before it has
    /// another fork. See [`Hypercore::conflict`](crate::Hypercore::conflict).
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self.log_error(), Some(LogError::Frozen))
    }

    /// The tree node that would have to be stored here.
    pub(crate) fn missing_node(&self) -> Option<u64> {
        match self.log_error() {
            Some(LogError::NodeMissing { index }) => Some(*index),
            _ => None,
        }
    }

    /// Whether a block was larger than a log takes.
    #[must_use]
    pub fn is_block_too_large(&self) -> bool {
        matches!(self.log_error(), Some(LogError::BlockTooLarge { .. }))
    }

    /// Whether a signer or an encryption of one's own failed, or gave what does not hold.
    #[must_use]
    pub fn is_outside(&self) -> bool {
        self.kind() == ErrorKind::Outside
    }

    /// Whether an earlier write or sync failed, so that the log must be reopened.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        matches!(self.log_error(), Some(LogError::Poisoned))
    }

    /// Whether a newer program, or another one, wrote what is stored.
    #[must_use]
    pub fn is_unsupported(&self) -> bool {
        matches!(*self.0, Repr::Open(OpenError::Unsupported { .. }))
    }

    /// The name of the file that is damaged, failed or foreign, where it is known.
    #[must_use]
    pub fn file(&self) -> Option<&'static str> {
        match &*self.0 {
            Repr::File { file, .. } => Some(file),
            Repr::Open(OpenError::Unsupported { file, .. }) => Some(file.as_str()),
            Repr::Open(OpenError::Storage(error)) => Some(error.file.as_str()),
            _ => match self.log_error() {
                Some(LogError::Storage(error) | LogError::Target(error)) => {
                    Some(error.file.as_str())
                }
                _ => self.corruption().map(|found| found.file.as_str()),
            },
        }
    }

    /// The byte offset in [`file`](Self::file) of what is damaged or foreign.
    #[must_use]
    pub fn offset(&self) -> Option<u64> {
        match &*self.0 {
            Repr::Open(OpenError::Unsupported { offset, .. }) => Some(*offset),
            _ => self.corruption().map(|found| found.offset),
        }
    }

    /// Where the damage is, when what is stored is damaged.
    #[must_use]
    pub fn corruption(&self) -> Option<&Corruption> {
        if let Repr::Open(OpenError::Corrupt(found)) = &*self.0 {
            return Some(found);
        }
        match self.log_error()? {
            LogError::Corrupt(found) | LogError::CorruptBlock { corruption: found, .. } => {
                Some(found)
            }
            _ => None,
        }
    }

    /// What the storage said, when it failed.
    #[must_use]
    pub fn store_error(&self) -> Option<&StoreError> {
        match &*self.0 {
            Repr::File { source, .. } => Some(source),
            Repr::Open(OpenError::Storage(error)) => Some(&error.source),
            _ => match self.log_error()? {
                LogError::Storage(error) | LogError::Target(error) => Some(&error.source),
                _ => None,
            },
        }
    }

    /// What the system said of a directory, or of a packed log that was to be written.
    fn io_error(&self) -> Option<&io::Error> {
        match &*self.0 {
            Repr::Directory { source, .. }
            | Repr::Packing {
                source: WriteError::Io(source) | WriteError::Value(source), ..
            } => Some(source),
            _ => None,
        }
    }

    /// What the log itself said, to this call or while it was replicated.
    fn log_error(&self) -> Option<&LogError> {
        match &*self.0 {
            Repr::Log(error) => Some(error),
            Repr::Replicated(error) => Some(error),
            _ => None,
        }
    }
}
