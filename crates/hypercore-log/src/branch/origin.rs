//! What a branch is a branch of: the record in its user data, beside the key in its header.
//!
//! It changes in one entry with what it speaks of: the seed of a new branch, and a truncation below it.

use compact_encoding::{Decode, DecodeError, DecodeErrorKind, Decoder, Encode, Encoder, uint_len};
use hypercore_crypto::Hash;

/// The key of the user data that holds the record.
pub(crate) const ORIGIN: &str = "hypercore-log/branch";

/// The version that is written, and the only one that is read.
const VERSION: u64 = 0;

/// What a branch has of the log it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The fork that the log had.
    pub(crate) fork: u64,
    /// The blocks of the log that the branch begins with.
    pub(crate) length: u64,
    /// The tree hash of those.
    pub(crate) tree_hash: Hash,
}

impl Encode for Origin {
    fn encoded_len(&self) -> usize {
        [VERSION, self.fork, self.length]
            .into_iter()
            .map(uint_len)
            .fold(self.tree_hash.as_bytes().len(), usize::saturating_add)
    }

    fn encode(&self, out: &mut Encoder) {
        out.uint(VERSION);
        out.uint(self.fork);
        out.uint(self.length);
        out.fixed(self.tree_hash.as_bytes());
    }
}

impl Decode<'_> for Origin {
    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        if input.uint()? != VERSION {
            return Err(input.error(DecodeErrorKind::Invalid("version of the record of a branch")));
        }
        let (fork, length) = (input.uint()?, input.uint()?);
        Ok(Self { fork, length, tree_hash: Hash::from_bytes(*input.fixed()?) })
    }
}
