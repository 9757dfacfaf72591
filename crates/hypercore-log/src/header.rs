//! Headers: what a core is, and its state at the last checkpoint, as bytes.
//!
//! Pure: a header does not know which slot or file it came from, and reading one does not check that
//! the manifest hashes to the key or that the signature holds. Headers carry the secret key: it is
//! never printed, and buffers with it are wiped.

use compact_encoding::{Decode, DecodeError, DecodeErrorKind, Decoder, Encode, Encoder};
use hypercore_crypto::{CoreKey, Hash, KeyPair, Manifest, PublicKey};
use zeroize::Zeroizing;

/// The state of a core at a checkpoint.
///
/// # Source
/// formats.md section 8.5.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    /// The core's key.
    pub(crate) key: CoreKey,
    /// Who may sign. A reader that only knows the key has none.
    pub(crate) manifest: Option<Manifest>,
    /// The key pair this core signs with here.
    pub(crate) key_pair: Option<StoredKeyPair>,
    /// Values of the application, in order of insertion.
    pub(crate) user_data: UserData,
    /// The head.
    pub(crate) tree: HeaderTree,
    /// The last few forks: a hint.
    pub(crate) reorg_hints: Vec<ReorgHint>,
    /// Blocks stored without a gap from the first: a hint.
    pub(crate) contiguous_length: u64,
}

/// A key pair as it is stored: the secret half may be missing.
#[derive(Clone, Debug)]
pub(crate) struct StoredKeyPair {
    /// The public key.
    pub(crate) public: PublicKey,
    /// The pair, if the secret key is stored too. Its public key is `public`.
    pub(crate) secret: Option<KeyPair>,
}

/// The head in a header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeaderTree {
    /// Fork number.
    pub(crate) fork: u64,
    /// Blocks.
    pub(crate) length: u64,
    /// Tree hash; absent in a core that never had a block.
    pub(crate) root_hash: Option<Hash>,
    /// Signature; absent without a block.
    pub(crate) signature: Option<Vec<u8>>,
}

/// One change of fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReorgHint {
    /// The fork before.
    pub(crate) from: u64,
    /// The fork after.
    pub(crate) to: u64,
    /// Blocks that both share.
    pub(crate) ancestors: u64,
}

/// Values of the application, in order of insertion; keys are unique when set through the methods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UserData {
    entries: Vec<(String, Vec<u8>)>,
}
