//! What can go wrong, by whose fault it was and what to do now.

use crate::files::FileName;
use crate::header::HeaderError;

/// What an operation on a feed gives, or why not.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an operation on a feed failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A store failed. The bytes may be right; try again when the medium is.
    #[error("{file}: the store failed")]
    Storage {
        /// The store that failed.
        file: FileName,
        /// What it said.
        #[source]
        source: random_access_storage::Error,
    },
    /// A header is not one of this file. Nothing was written.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A file is longer than one of a feed of [`FEED_LENGTH_MAX`](crate::FEED_LENGTH_MAX) blocks.
    #[error("{file}: {len} bytes are more than a feed of 2^32 blocks has")]
    TooLong {
        /// The file.
        file: FileName,
        /// Its length in bytes.
        len: u64,
    },
    /// More blocks than [`FEED_LENGTH_MAX`](crate::FEED_LENGTH_MAX) would be in the feed. Nothing was
    /// written.
    #[error("a feed has no more than 2^32 blocks")]
    TooManyBlocks,
    /// A file that was not there at open is there now and not empty: another program made it.
    /// Open the feed again.
    #[error("{file}: made by another program since the feed was opened; open it again")]
    MadeMeanwhile {
        /// The file.
        file: FileName,
    },
    /// The two halves of the stored secret key do not belong together. It signs nothing.
    #[error("secret_key: its public half is not the public key of its seed")]
    SecretKeyDamaged,
    /// The secret key is one of another feed. Nothing was written.
    #[error("secret_key: it is the secret key of {found}, and the feed is {wanted}")]
    SecretKeyMismatch {
        /// The public key of the pair that is stored.
        found: hypercore_crypto::PublicKey,
        /// The key of the feed.
        wanted: hypercore_crypto::PublicKey,
    },
}

impl Error {
    /// Names the store that failed.
    pub(crate) fn in_file(file: FileName) -> impl Fn(random_access_storage::Error) -> Self {
        move |source| Self::Storage { file, source }
    }
}
