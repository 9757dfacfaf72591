//! What can go wrong: with the own tree, with a request for a proof, with a proof.
//!
//! The three enums answer whose fault it was. [`TreeError`] is the caller's or the storage's,
//! [`ProveError`] the requester's unless it wraps a tree error, [`VerifyError`] the prover's unless
//! [`VerifyError::is_local`].

use std::error::Error;

use flat_tree::Index;

/// A question about the own tree that has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError<E: Error + 'static> {
    /// The lookup failed; nothing is known about the node.
    #[error("tree node {index} could not be looked up")]
    Lookup {
        /// The node that was asked for.
        index: Index,
        /// What the lookup said.
        source: E,
    },
    /// A node that the answer needs is not stored.
    #[error("tree node {0} is not stored")]
    MissingNode(Index),
    /// The lookup gave a node that cannot be the one asked for: another index, or too large.
    #[error("tree node {0} is damaged")]
    DamagedNode(Index),
    /// The node or block is not in a tree of this length.
    #[error("node {index} is outside a tree of {length} blocks")]
    OutOfTree {
        /// The node asked about.
        index: Index,
        /// Blocks of the tree.
        length: u64,
    },
    /// A tree of that many blocks is longer than this one, or than any may be.
    #[error("{wanted} blocks are more than the {length} there are")]
    TooLong {
        /// Blocks asked for.
        wanted: u64,
        /// Blocks of the tree.
        length: u64,
    },
    /// The sizes below this node add up to 2^53 bytes or more.
    #[error("the sizes below node {0} exceed 2^53 bytes")]
    SizeOverflow(Index),
}

/// A batch that would make a tree too large; the tree is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// More than [`LENGTH_MAX`](crate::LENGTH_MAX) blocks.
    #[error("appending {appended} blocks to {length} makes the tree too long")]
    TooLong {
        /// Blocks of the tree.
        length: u64,
        /// Blocks of the batch.
        appended: u64,
    },
    /// More than [`SIZE_MAX`](crate::SIZE_MAX) bytes.
    #[error("block {block} brings the tree to 2^53 bytes or more")]
    SizeOverflow {
        /// The first block that does not fit.
        block: u64,
    },
}

/// Roots that are not those of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RootsError {
    /// More than [`LENGTH_MAX`](crate::LENGTH_MAX) blocks.
    #[error("{0} blocks are more than a tree can have")]
    TooLong(u64),
    /// The roots of a tree of this length have other indexes.
    #[error("expected {}, found {}", shown(*expected), shown(*found))]
    WrongRoot {
        /// The index that the length asks for.
        expected: Option<Index>,
        /// The index that was given.
        found: Option<Index>,
    },
    /// The sizes up to this root add up to 2^53 bytes or more.
    #[error("the sizes up to root {0} exceed 2^53 bytes")]
    SizeOverflow(Index),
}

/// A request that is not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProveError<E: Error + 'static> {
    /// Looking into the own tree failed, or a node that the proof needs is not stored.
    #[error("the proof cannot be made from the own tree")]
    Tree(#[from] TreeError<E>),
    /// The request is about another fork.
    #[error("fork {requested} was asked for, the tree is at fork {own}")]
    OtherFork {
        /// The fork of the tree.
        own: u64,
        /// The fork of the request.
        requested: u64,
    },
    /// The upgrade is empty or reaches past the tree.
    #[error("no upgrade from {start} by {length} blocks to give")]
    InvalidUpgrade {
        /// Blocks the requester has.
        start: u64,
        /// Blocks it wants beyond them.
        length: u64,
    },
    /// A seek and a node inside the upgrade cannot be answered together.
    #[error("a seek beside node {0} inside the upgrade")]
    SeekInUpgrade(Index),
    /// The node, or the root of the levels asked for, is not inside the tree.
    #[error("node {0} with the levels asked for is out of bounds")]
    OutOfBounds(Index),
    /// The node is neither below the upgrade's start nor inside the upgrade as a whole.
    #[error("node {0} straddles the start of the upgrade")]
    Straddles(Index),
    /// The position sought is not below the node asked for.
    #[error("byte {bytes} is not below node {below}")]
    InvalidSeek {
        /// The position sought.
        bytes: u64,
        /// The root of the levels asked for.
        below: Index,
    },
}

/// A proof that is refused. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError<E: Error + 'static> {
    /// Looking into the own tree failed; says nothing about the proof.
    #[error("the proof cannot be compared with the own tree")]
    Tree(#[source] TreeError<E>),
    /// The proof is about another fork. Not applied, and not the prover's fault: ignore it, or
    /// start a [`Reorg`](crate::Reorg) when its fork is higher.
    #[error("the proof is of fork {proof}, the tree at fork {own}")]
    OtherFork {
        /// The fork of the tree.
        own: u64,
        /// The fork of the proof.
        proof: u64,
    },
    /// The next node is missing or not the one that must come here.
    #[error("expected node {expected}, found {}", shown(*found))]
    UnexpectedNode {
        /// The index that had to follow.
        expected: Index,
        /// The index that did; `None` when the list had ended.
        found: Option<Index>,
    },
    /// A node has no sibling or parent with a number, or comes twice.
    #[error("node {0} has no place in the proof")]
    Misplaced(Index),
    /// Sizes that add up to 2^53 bytes or more at this node.
    #[error("the sizes at node {0} exceed 2^53 bytes")]
    SizeOverflow(Index),
    /// More than [`LENGTH_MAX`](crate::LENGTH_MAX) blocks.
    #[error("an upgrade from {start} by {length} blocks is longer than a tree can be")]
    TooLong {
        /// The upgrade's start.
        start: u64,
        /// The upgrade's length.
        length: u64,
    },
    /// The proof ends at a node that is not stored, so nothing vouches for it.
    #[error("node {0}, which the proof leads to, is not known")]
    UnknownNode(Index),
    /// The node that the proof leads to is stored with another hash.
    #[error("node {0} has another hash")]
    HashMismatch(Index),
    /// The hash agrees with the stored node and the size does not, where only a claim of the
    /// prover stands against it: the prover lies, or nothing follows from its claim.
    #[error("node {index} is claimed to hold {claimed} bytes and holds {stored}")]
    SizeMismatch {
        /// The node.
        index: Index,
        /// The stored size.
        stored: u64,
        /// The size in the proof.
        claimed: u64,
    },
    /// The upgrade does not reach the end of the prologue, or has another tree there.
    #[error("the upgrade contradicts the prologue")]
    Prologue,
    /// The manifest of the proof does not belong to the key, or none is known.
    #[error("no manifest that belongs to the key")]
    Manifest,
    /// The signature is not valid for the tree that the proof makes.
    #[error("the signature is not valid")]
    Signature(#[source] hypercore_crypto::VerifyError),
    /// The proof starts no reorg: no upgrade from nothing, or not a higher fork.
    #[error("the proof does not start a reorg")]
    NotAReorg,
}

impl<E: Error + 'static> VerifyError<E> {
    /// Whether the fault is on this side: the storage failed, or is damaged.
    #[must_use]
    pub const fn is_local(&self) -> bool {
        matches!(self, Self::Tree(_))
    }

    /// Whether the proof is merely about another fork, which accuses nobody.
    #[must_use]
    pub const fn is_other_fork(&self) -> bool {
        matches!(self, Self::OtherFork { .. })
    }
}

/// A node that may be absent, in words.
fn shown(index: Option<Index>) -> String {
    index.map_or_else(|| "no node".to_owned(), |index| format!("node {index}"))
}
