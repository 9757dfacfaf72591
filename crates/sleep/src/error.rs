//! What can go wrong, by whose fault it was and what to do now.

use crate::files::FileName;
use crate::header::HeaderError;
use crate::recovery::RecoveryError;

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
    /// The files do not agree, and what the feed is can not be decided without losing something. Nothing
    /// was written.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
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
    /// No feed is stored here, and none was to be made.
    #[error("no feed is stored here")]
    NotFound,
    /// A new feed needs a key pair, or a key when it is a copy to be filled.
    #[error("a new feed needs a key pair or a key")]
    KeyRequired,
    /// The file `key` is missing or short, and the other files are not. Give the key when opening; if
    /// it is lost, repair can make it from a secret key.
    #[error("key: missing, so nothing stored here can be verified; open with the key, or repair")]
    KeyMissing,
    /// Another feed is stored here than the one that was asked for. Nothing was written.
    #[error("key: the feed {stored} is stored here, not {wanted}")]
    AnotherFeed {
        /// The key that is stored.
        stored: hypercore_crypto::PublicKey,
        /// The key that was asked for.
        wanted: hypercore_crypto::PublicKey,
    },
    /// The block lies past the end of the feed. The caller's mistake.
    #[error("block {block} is past the end: the feed has {length} blocks")]
    OutOfBounds {
        /// The block, or the end of the range, that was asked for.
        block: u64,
        /// Blocks in the feed.
        length: u64,
    },
    /// The byte lies past the end of the feed. The caller's mistake.
    #[error("byte {byte} is past the end: the feed has {byte_length} bytes")]
    BytesOutOfBounds {
        /// The byte that was asked for.
        byte: u64,
        /// Bytes in the feed.
        byte_length: u64,
    },
    /// The block is not stored here: it was never downloaded, or it was cleared.
    #[error("block {block} is not stored here")]
    NotStored {
        /// The block.
        block: u64,
    },
    /// The block should be stored, but the file ends before it. Repair can say what else is lost.
    #[error("data: ends before the end of block {block}")]
    BytesMissing {
        /// The block.
        block: u64,
    },
    /// The bytes of the block are not those that were signed, or its node is not. Nothing of it was
    /// returned.
    #[error("data: block {block} is not the one that was signed")]
    BlockDamaged {
        /// The block.
        block: u64,
    },
    /// A stored size says that the block is longer than any that this crate reads.
    #[error("tree: block {block} is said to have {size} bytes, more than are read at once")]
    BlockTooLong {
        /// The block.
        block: u64,
        /// The size in its node.
        size: u64,
    },
    /// Nothing that is stored leads from the node to a signature, so nothing below it can be verified.
    #[error("tree: node {index}, or what leads from it to a signature, is not stored")]
    NodeMissing {
        /// The node.
        index: flat_tree::Index,
    },
    /// The nodes from this one upwards do not hash to what was signed. One of them is damaged; an audit
    /// tells which.
    #[error("tree: the nodes from {index} upwards are not those that were signed")]
    TreeDamaged {
        /// The node that was to be verified.
        index: flat_tree::Index,
    },
    /// The signature in a slot is not one of the roots that are stored for it.
    #[error("signatures: slot {slot} does not sign the roots that are stored")]
    SignatureInvalid {
        /// The slot: one less than the length it should sign.
        slot: u64,
    },
    /// The slot should hold the signature of the feed, and is blank.
    #[error("signatures: slot {slot} is blank, and should hold the newest signature")]
    SignatureMissing {
        /// The slot.
        slot: u64,
    },
    /// The feed was opened for reading. Nothing was written.
    #[error("the feed was opened for reading only")]
    ReadOnly,
    /// Only the owner of the secret key can append, and a static feed nobody. Nothing was written.
    #[error("secret_key: missing, so nothing can be appended")]
    SecretKeyMissing,
    /// The block has more bytes than other programs read. Nothing was written.
    #[error("a block of {len} bytes is longer than {max}")]
    BlockTooLarge {
        /// Its length in bytes.
        len: u64,
        /// Bytes that a block may have.
        max: u64,
    },
    /// The file `data` is missing while blocks are marked as stored: it was lost, or the feed keeps its
    /// blocks elsewhere. Put the file back, or clear these blocks first. Nothing was written.
    #[error("data: missing, while blocks are marked as stored; nothing is written beside them")]
    DataMissing,
    /// A proof was refused: whoever gave it is at fault. Nothing was written.
    #[error("the proof of block {block} was refused: {fault}")]
    ProofRefused {
        /// The block.
        block: u64,
        /// What is wrong with it.
        fault: crate::feed::ProofFault,
    },
    /// Something that may have been handed out is not proven any more, and a change could put another
    /// thing in its place. Repair first. Nothing was written.
    #[error("{finding}; nothing is changed before a repair")]
    NeedsRepair {
        /// What stands in the way.
        finding: crate::audit::Finding,
    },
    /// A write or sync failed earlier, and what is stored is not known since. Open the feed again.
    #[error("a write failed earlier; open the feed again")]
    Poisoned,
}

impl Error {
    /// Names the store that failed.
    pub(crate) fn in_file(file: FileName) -> impl Fn(random_access_storage::Error) -> Self {
        move |source| Self::Storage { file, source }
    }
}
