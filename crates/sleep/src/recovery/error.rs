//! Why a directory is not opened: what can not be decided without losing something.

use flat_tree::Index;
use hypercore_crypto::PublicKey;

use crate::files::FileName;

/// What keeps a damaged feed from being opened. Nothing was written; `repair` says what helps.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecoveryError {
    /// There are signatures, and none of them is by this key: it is the key of another feed.
    #[error("{key} signed none of the {tried} newest signatures: it is not the key of this feed")]
    KeyMismatch {
        /// The key in the file, or that of the caller.
        key: PublicKey,
        /// Number of signatures that were tried.
        tried: u64,
    },
    /// A root is not in `tree`, so the blocks below it can be neither found nor proven.
    #[error(
        "tree: root {} of {length} blocks is not there; {proven_length} blocks are proven without \
         it; a repair makes it again from what is below it, or from the blocks",
        index.get()
    )]
    RootMissing {
        /// The root.
        index: Index,
        /// Blocks there are by the bitfield.
        length: u64,
        /// Blocks that are proven by an older signature.
        proven_length: u64,
    },
    /// The newest signature is not of the tree that is stored: one of them was changed.
    #[error(
        "signatures: the one in slot {slot} is not of the tree that is stored; {proven_length} \
         blocks are proven by an older one; a repair can sign again"
    )]
    SignatureWrong {
        /// Its slot.
        slot: u64,
        /// Blocks that are proven by an older signature.
        proven_length: u64,
    },
    /// There are nodes or blocks, and nothing says how many of them are the feed: no bit is set and
    /// no signature holds.
    #[error(
        "bitfield: lost, and no signature holds: {nodes} nodes and {bytes} bytes of data belong to \
         nothing; put back bitfield or signatures, or have a repair sign again"
    )]
    NothingProven {
        /// Room for nodes, past the header of `tree`.
        nodes: u64,
        /// Bytes in `data`.
        bytes: u64,
    },
    /// A feed that was made has these files, and they are not there or without a header; in what is left
    /// of it there is nothing. So the feed was empty, or all of it is lost.
    #[error(
        "{}: not there, and nothing else tells whether the feed had blocks; put them back, or have a \
         repair that accepts loss make an empty feed",
        names(files)
    )]
    FilesMissing {
        /// Those of `tree`, `signatures` and `bitfield` that are missing or too short for a header.
        files: Vec<FileName>,
    },
    /// A root says more bytes than there can be.
    #[error("tree: the roots of {length} blocks hold 2^64 bytes and more")]
    TooManyBytes {
        /// Blocks of the feed.
        length: u64,
    },
}

fn names(files: &[FileName]) -> String {
    files.iter().map(|file| file.as_str()).collect::<Vec<_>>().join(", ")
}
