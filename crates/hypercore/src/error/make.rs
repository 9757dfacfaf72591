//! The errors that the facade itself makes.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hypercore_crypto::id::IdError;
use hypercore_crypto::{DecryptError, VerifyError};
use hypercore_log::LogError;
use paged::WriteError;
use paged::container::{FormatError, OpenError};
use random_access_storage::Error as StoreError;

use super::{Error, Repr};
use crate::encryption::{BoxError, PADDING_LEN_MAX};
use crate::named_batch::BATCH_NAME_LEN_MAX;

impl Error {
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

    /// A packed log could not be written.
    pub(crate) fn packing(path: &Path, source: WriteError) -> Self {
        let path = path.to_path_buf();
        Self::new(match source {
            WriteError::Io(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Repr::Occupied { path }
            }
            source => Repr::Packing { path, source },
        })
    }

    /// A packed log could not be opened.
    pub(crate) fn unpacking(path: &Path, source: OpenError) -> Self {
        let path = path.to_path_buf();
        Self::new(match source {
            OpenError::Format(FormatError::NoContainer)
            | OpenError::NoSection { .. }
            | OpenError::NoHeap { .. }
            | OpenError::WrongType { .. } => Repr::NotPacked { path, source },
            source => Repr::Unpacking { path, source },
        })
    }

    pub(crate) fn packed_for_writing(path: &Path) -> Self {
        Self::new(Repr::PackedForWriting { path: path.to_path_buf() })
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
        Self::new(Repr::NotWritable)
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

    /// Somebody outside did not do what was asked of it.
    pub(crate) fn outside(what: impl Into<Cow<'static, str>>, source: BoxError) -> Self {
        Self::new(Repr::Outside { what: what.into(), source })
    }
}
