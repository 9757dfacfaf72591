//! The one error of the facade: whose fault, and what now.
//!
//! Wraps what the layers below say without hiding it: `source()` leads down to the disk's own
//! error. Cheap to clone, so that everyone who waits for one close hears the same answer.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hypercore_crypto::id::IdError;
use hypercore_crypto::{DecryptError, VerifyError};
use hypercore_log::{Corruption, LogError, OpenError};
use random_access_storage::Error as StoreError;

use crate::backup::Doubt;
use crate::encryption::{BoxError, PADDING_LEN_MAX};
use crate::named_batch::BATCH_NAME_LEN_MAX;

/// What the facade says, or why not.
pub type Result<T> = std::result::Result<T, Error>;

/// Whose fault it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The call asked for what can not be; nothing was changed. Ask differently.
    Caller,
    /// Somebody else sent what does not hold; nothing of it was stored.
    Peer,
    /// What is stored is damaged, or is not a log this version reads. Restore it, or fetch it again.
    Corrupt,
    /// The disk or the system failed. After a failed write, reopen the log: opening verifies.
    Io,
    /// The log was closed, or this session of it.
    Closed,
    /// Nobody brought it in time. Ask again, or wait longer.
    TimedOut,
    /// A signer or an encryption of one's own failed, or gave what does not hold; nothing was changed. The
    /// source says more. Try again when it is well.
    Outside,
}

/// Why a call on a log failed.
///
/// [`kind`](Self::kind) says whose fault it was; the `is_` methods tell apart what callers commonly
/// treat apart. The text is one sentence; [`source`](std::error::Error::source) has the rest.
#[derive(Clone)]
pub struct Error(Arc<Repr>);

#[derive(Debug, thiserror::Error)]
enum Repr {
    #[error(transparent)]
    Open(OpenError),
    #[error(transparent)]
    Log(LogError),
    #[error("the {file} file could not be used")]
    File { file: &'static str, source: StoreError },
    #[error("the log is open elsewhere: another handle or process holds its lock")]
    Locked,
    #[error("nothing is stored there")]
    NotFound,
    #[error("the directory holds {} but no oplog: it is not a log of this format, or lost its oplog", path.display())]
    Strangers { path: PathBuf },
    #[error("{} holds a backup that was cut short: delete it", path.display())]
    Unfinished { path: PathBuf },
    #[error("{} is not empty, so no backup goes there", path.display())]
    NotEmpty { path: PathBuf },
    #[error(transparent)]
    Doubt(Doubt),
    #[error("{} {what}", path.display())]
    Directory { what: &'static str, path: PathBuf, source: io::Error },
    #[error("{} is not a directory", path.display())]
    NotADirectory { path: PathBuf, source: io::Error },
    #[error("the name of a batch has {found} bytes, not 1 to {max}")]
    BatchName { found: usize, max: usize },
    #[error("the batch is open: close it first, or ask for nothing but what it is")]
    BatchIsOpen,
    #[error("only the log itself can do that, not a batch of it")]
    LiveOnly,
    #[error("these stores have no place for named batches: see Storage::side_stores")]
    NoSideStores,
    #[error("a key has 32 bytes, not {found}")]
    KeyLen { found: usize },
    #[error("the text is not the key of a log")]
    KeyText(#[source] IdError),
    #[error("the options could not be completed")]
    Prepare(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the log was closed")]
    Closed,
    #[error("it did not come in time")]
    TimedOut,
    #[error("there is no tokio runtime here: open the log inside one")]
    NoRuntime,
    #[error("the tokio runtime shut down before the call was done")]
    RuntimeGone,
    #[error("the system gave no randomness for a key pair")]
    Entropy(#[source] getrandom::Error),
    #[error("the value can not be encoded")]
    Encode(#[source] BoxError),
    #[error("block {index} can not be decoded: it was not written by this codec")]
    Decode { index: u64, source: BoxError },
    #[cfg(feature = "blocking")]
    #[error("the system gave no thread for the runtime")]
    NoThread(#[source] io::Error),
    #[error("nothing more can be sent: the sink was closed")]
    SinkClosed,
    #[error("nothing more can be sent: an earlier append of the sink failed")]
    SinkFailed(#[source] Error),
    #[error("the connection has ended")]
    StreamEnded,
    #[error("it is not stored here, and this handle does not wait for peers to bring it")]
    NotStored,
    #[error(transparent)]
    Replicated(Arc<LogError>),
    #[error(transparent)]
    Peer(Box<dyn std::error::Error + Send + Sync>),
    #[error("block {index} could not be decrypted: the log is not encrypted in this way")]
    Decrypt { index: u64, source: DecryptError },
    #[error(
        "the blocks of this session go through an encryption provider, which can not be waited for here"
    )]
    NeedsProvider,
    #[error("the manifest of the log, on which this depends, is not known yet")]
    ManifestUnknown,
    #[error("a padding of {len} bytes is more than the {max} a stored block may have")]
    PaddingTooLong { len: usize, max: usize },
    #[error("{what}")]
    Outside { what: Cow<'static, str>, source: BoxError },
}

impl Error {
    fn new(repr: Repr) -> Self {
        Self(Arc::new(repr))
    }

    pub(crate) fn storage(file: &'static str, source: StoreError) -> Self {
        Self::new(match source {
            StoreError::Locked => Repr::Locked,
            source => Repr::File { file, source },
        })
    }

    pub(crate) fn directory(what: &'static str, path: &Path, source: io::Error) -> Self {
        Self::new(Repr::Directory { what, path: path.to_path_buf(), source })
    }

    pub(crate) fn not_a_directory(path: &Path, source: io::Error) -> Self {
        Self::new(Repr::NotADirectory { path: path.to_path_buf(), source })
    }

    pub(crate) fn strangers(path: PathBuf) -> Self {
        Self::new(Repr::Strangers { path })
    }

    pub(crate) fn unfinished(path: &Path) -> Self {
        Self::new(Repr::Unfinished { path: path.to_path_buf() })
    }

    pub(crate) fn not_empty(path: &Path) -> Self {
        Self::new(Repr::NotEmpty { path: path.to_path_buf() })
    }

    pub(crate) fn not_found() -> Self {
        Self::new(Repr::NotFound)
    }

    pub(crate) fn batch_name(found: usize) -> Self {
        Self::new(Repr::BatchName { found, max: BATCH_NAME_LEN_MAX })
    }

    pub(crate) fn batch_is_open() -> Self {
        Self::new(Repr::BatchIsOpen)
    }

    pub(crate) fn live_only() -> Self {
        Self::new(Repr::LiveOnly)
    }

    /// Named batches on stores without a place for them.
    pub(crate) fn no_side_stores() -> Self {
        Self::new(Repr::NoSideStores)
    }

    pub(crate) fn key_len(found: usize) -> Self {
        Self::new(Repr::KeyLen { found })
    }

    pub(crate) fn key_text(source: IdError) -> Self {
        Self::new(Repr::KeyText(source))
    }

    /// What completing the options said; an error of a log as it is.
    pub(crate) fn prepare(source: Box<dyn std::error::Error + Send + Sync>) -> Self {
        source.downcast().map_or_else(|source| Self::new(Repr::Prepare(source)), |error| *error)
    }

    pub(crate) fn closed() -> Self {
        Self::new(Repr::Closed)
    }

    pub(crate) fn timed_out() -> Self {
        Self::new(Repr::TimedOut)
    }

    pub(crate) fn no_runtime() -> Self {
        Self::new(Repr::NoRuntime)
    }

    pub(crate) fn runtime_gone() -> Self {
        Self::new(Repr::RuntimeGone)
    }

    pub(crate) fn entropy(source: getrandom::Error) -> Self {
        Self::new(Repr::Entropy(source))
    }

    #[cfg(feature = "blocking")]
    pub(crate) fn no_thread(source: io::Error) -> Self {
        Self::new(Repr::NoThread(source))
    }

    pub(crate) fn stream_ended() -> Self {
        Self::new(Repr::StreamEnded)
    }

    pub(crate) fn encode(source: BoxError) -> Self {
        Self::new(Repr::Encode(source))
    }

    pub(crate) fn decode(index: u64, source: BoxError) -> Self {
        Self::new(Repr::Decode { index, source })
    }

    /// Nothing more can be sent to a sink: it was closed, or an append failed.
    pub(crate) fn sink_ended(why: Option<Self>) -> Self {
        Self::new(why.map_or(Repr::SinkClosed, Repr::SinkFailed))
    }

    /// The log was truncated below what a stream has read.
    pub(crate) fn rewritten(kept: u64) -> Self {
        LogError::BaseRewritten { shared: kept }.into()
    }

    pub(crate) fn not_stored() -> Self {
        Self::new(Repr::NotStored)
    }

    /// What the log said while it was replicated: many hear of it.
    pub(crate) fn stores_failed(error: Arc<LogError>) -> Self {
        Self::new(Repr::Replicated(error))
    }

    pub(crate) fn not_writable() -> Self {
        LogError::ReadOnly.into()
    }

    pub(crate) fn conflict() -> Self {
        LogError::Frozen.into()
    }

    /// A peer broke the rules.
    pub(crate) fn peer(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::new(Repr::Peer(Box::new(source)))
    }

    pub(crate) fn decrypt(index: u64, source: DecryptError) -> Self {
        Self::new(Repr::Decrypt { index, source })
    }

    pub(crate) fn needs_provider() -> Self {
        Self::new(Repr::NeedsProvider)
    }

    pub(crate) fn manifest_unknown() -> Self {
        Self::new(Repr::ManifestUnknown)
    }

    pub(crate) fn padding_too_long(len: usize) -> Self {
        Self::new(Repr::PaddingTooLong { len, max: PADDING_LEN_MAX })
    }

    pub(crate) fn not_signed(source: BoxError) -> Self {
        Self::outside("the signer did not sign", source)
    }

    pub(crate) fn signed_otherwise(source: VerifyError) -> Self {
        Self::outside(
            "what the signer gave is not its signature of what it was asked for",
            source.into(),
        )
    }

    /// Whether a signature did not hold for what was to be stored with it.
    pub(crate) fn is_bad_signature(&self) -> bool {
        matches!(self.log_error(), Some(LogError::Signature(_)))
    }

    /// Whether somebody else wrote first.
    pub(crate) fn is_head_moved(&self) -> bool {
        matches!(self.log_error(), Some(LogError::HeadMoved { .. }))
    }

    /// Somebody outside did not do what was asked of it.
    pub(crate) fn outside(what: impl Into<Cow<'static, str>>, source: BoxError) -> Self {
        Self::new(Repr::Outside { what: what.into(), source })
    }

    /// Whose fault it was.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match &*self.0 {
            Repr::Open(error) => match error {
                OpenError::Unsupported { .. } | OpenError::Corrupt(_) => ErrorKind::Corrupt,
                OpenError::Storage(_) => ErrorKind::Io,
                _ => ErrorKind::Caller,
            },
            Repr::Log(error) => kind_of(error),
            Repr::Replicated(error) => kind_of(error),
            Repr::File { .. }
            | Repr::Directory { .. }
            | Repr::NotADirectory { .. }
            | Repr::Entropy(_) => ErrorKind::Io,
            #[cfg(feature = "blocking")]
            Repr::NoThread(_) => ErrorKind::Io,
            Repr::Locked
            | Repr::KeyLen { .. }
            | Repr::KeyText(_)
            | Repr::Prepare(_)
            | Repr::NotFound
            | Repr::Strangers { .. }
            | Repr::Unfinished { .. }
            | Repr::NotEmpty { .. }
            | Repr::Doubt(_)
            | Repr::BatchName { .. }
            | Repr::NoSideStores
            | Repr::BatchIsOpen
            | Repr::LiveOnly
            | Repr::NoRuntime
            | Repr::NotStored
            | Repr::NeedsProvider
            | Repr::ManifestUnknown
            | Repr::PaddingTooLong { .. }
            | Repr::Decrypt { .. } => ErrorKind::Caller,
            Repr::Peer(_) => ErrorKind::Peer,
            Repr::Outside { .. } => ErrorKind::Outside,
            Repr::SinkClosed | Repr::Encode(_) | Repr::Decode { .. } => ErrorKind::Caller,
            Repr::SinkFailed(error) => error.kind(),
            Repr::TimedOut => ErrorKind::TimedOut,
            Repr::Closed | Repr::StreamEnded | Repr::RuntimeGone => ErrorKind::Closed,
        }
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
        matches!(*self.0, Repr::Open(OpenError::AlreadyExists) | Repr::NotEmpty { .. })
            || matches!(self.log_error(), Some(LogError::TargetNotEmpty { .. }))
    }

    /// Whether this is a backup of which it is not known that it is the newest copy of its log, so that it signs nothing. See
    /// [`Hypercore::needs_confirmation`](crate::Hypercore::needs_confirmation).
    #[must_use]
    pub fn is_unconfirmed_backup(&self) -> bool {
        matches!(*self.0, Repr::Doubt(_))
            || matches!(self.log_error(), Some(LogError::MaybeNotNewest))
    }

    /// Whether this handle may not write: it is open for reading only, has no key that may sign,
    /// or the system refuses writes to the files.
    #[must_use]
    pub fn is_not_writable(&self) -> bool {
        matches!(self.log_error(), Some(LogError::ReadOnly | LogError::NotWritable))
            || matches!(self.store_error(), Some(StoreError::ReadOnly { .. }))
            || self.is_permission_denied()
    }

    /// Whether the system refused access: permissions, or a file system mounted read-only.
    #[must_use]
    pub fn is_permission_denied(&self) -> bool {
        match &*self.0 {
            Repr::Directory { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
            ),
            _ => self.store_error().is_some_and(StoreError::is_permission_denied),
        }
    }

    /// Whether the medium (or the user's share of it) is full. What was acknowledged before stays.
    #[must_use]
    pub fn is_storage_full(&self) -> bool {
        match &*self.0 {
            Repr::Directory { source, .. } => {
                matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            _ => self.store_error().is_some_and(StoreError::is_storage_full),
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

    /// What the log itself said, to this call or while it was replicated.
    fn log_error(&self) -> Option<&LogError> {
        match &*self.0 {
            Repr::Log(error) => Some(error),
            Repr::Replicated(error) => Some(error),
            _ => None,
        }
    }
}

const fn kind_of(error: &LogError) -> ErrorKind {
    match error {
        LogError::Proof(_) => ErrorKind::Peer,
        LogError::CorruptBlock { .. } | LogError::Corrupt(_) | LogError::HeaderLost => {
            ErrorKind::Corrupt
        }
        LogError::Storage(_) | LogError::Target(_) | LogError::Poisoned => ErrorKind::Io,
        _ => ErrorKind::Caller,
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

impl From<Doubt> for Error {
    fn from(doubt: Doubt) -> Self {
        Self::new(Repr::Doubt(doubt))
    }
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        Self::new(Repr::Open(error))
    }
}

impl From<LogError> for Error {
    fn from(error: LogError) -> Self {
        Self::new(Repr::Log(error))
    }
}
