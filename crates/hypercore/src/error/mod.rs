//! The one error of the facade: whose fault, and what now.
//!
//! Wraps what the layers below say without hiding it: `source()` leads down to the disk's own
//! error. Cheap to clone, so that everyone who waits for one close hears the same answer.

mod ask;
mod make;

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use hypercore_crypto::DecryptError;
use hypercore_crypto::id::IdError;
use hypercore_log::{LogError, OpenError};
use paged::{WriteError, container};
use random_access_storage::Error as StoreError;

use crate::backup::Doubt;
use crate::encryption::BoxError;

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
    #[error("{} is not empty, so no copy of a log goes there", path.display())]
    NotEmpty { path: PathBuf },
    #[error("{} exists already", path.display())]
    Occupied { path: PathBuf },
    #[error("{} could not be written", path.display())]
    Packing { path: PathBuf, source: WriteError },
    #[error("{} is not a packed log", path.display())]
    NotPacked { path: PathBuf, source: container::OpenError },
    #[error("{} could not be read", path.display())]
    Unpacking { path: PathBuf, source: container::OpenError },
    #[error("{} is a packed log, which nothing is written to: unpack it first", path.display())]
    PackedForWriting { path: PathBuf },
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
    #[error(
        "this handle may not write: it is open for reading, a snapshot, or a session without that right"
    )]
    NotWritable,
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

    /// Whose fault it was.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match &*self.0 {
            Repr::Open(error) => match error {
                OpenError::Unsupported { .. } | OpenError::Corrupt(_) => ErrorKind::Corrupt,
                OpenError::Storage(error) => kind_of_store(&error.source),
                _ => ErrorKind::Caller,
            },
            Repr::Unpacking { source: container::OpenError::Io(_), .. } | Repr::Packing { .. } => {
                ErrorKind::Io
            }
            Repr::Unpacking { .. } => ErrorKind::Corrupt,
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
            | Repr::Occupied { .. }
            | Repr::NotPacked { .. }
            | Repr::PackedForWriting { .. }
            | Repr::Doubt(_)
            | Repr::BatchName { .. }
            | Repr::NoSideStores
            | Repr::BatchIsOpen
            | Repr::NotWritable
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
}

fn kind_of(error: &LogError) -> ErrorKind {
    match error {
        LogError::Proof(_) => ErrorKind::Peer,
        LogError::CorruptBlock { .. } | LogError::Corrupt(_) | LogError::HeaderLost => {
            ErrorKind::Corrupt
        }
        LogError::Storage(error) => kind_of_store(&error.source),
        LogError::Target(_) | LogError::Poisoned => ErrorKind::Io,
        _ => ErrorKind::Caller,
    }
}

/// A store that verifies what it reads, as that of a packed log, tells damage from failure.
fn kind_of_store(error: &StoreError) -> ErrorKind {
    match error {
        StoreError::Io { source, .. } if source.kind() == io::ErrorKind::InvalidData => {
            ErrorKind::Corrupt
        }
        _ => ErrorKind::Io,
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
