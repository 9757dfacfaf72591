//! A feed: six files that say the same.
//!
//! Opens and makes feeds, reads blocks and proves each against a signature, appends, stores what
//! was downloaded, and gives proofs out. One owner writes (`&mut self`); reads take `&self`. What to
//! do when the files do not agree is the business of `recovery`; this module must not guess.
//!
//! # What survives a crash
//!
//! The rounds of an append (`append.rs`) each end with a sync, in [`Durability::Strict`]:
//!
//! 1. blocks, nodes, and the data bits of the new blocks;
//! 2. the signature;
//! 3. the tree bits, which are what the length is derived from.
//!
//! Data bits past the length mean nothing to any reader, so the first round is invisible: a crash in
//! it leaves the old feed and a tail that nobody signed. Once a signature is stored whole, all that
//! it covers is: a signature that holds is the commit record, and an open that finds one past the
//! length of the tree bits goes on to it. A torn third round leaves tree bits of the old length, of
//! the new, or of some length without a signature, which is then settled by the signature as well;
//! the data bits are those of the new length in each case. Tree bits that a torn page lacks below the length are
//! made again from the tree. Had they been written with the tree bits,
//! a torn page could show a signed block as cleared, and nothing stored could tell the two apart.
//!
//! Before the first change of a feed that was opened, all that lies past its length is cut off, and
//! synced: the tail of a batch that was lost, or what a truncation left. Otherwise an old signature
//! in a later slot, over old nodes, could come to be taken for one over new blocks. An empty feed gets a
//! page of zeros and a blank slot instead, before anything else: what a crash in its first change leaves
//! is then told from a feed that lost its bits and its signatures, and so must not be cut.
//!
//! A download ([`Feed::put`]) has the same rounds (nodes and block; the signature, when the proof
//! brings one; bits), but all its bits in the last, since both of its halves alone are a legal state: a
//! hash without its block, and a block whose nodes lead to a signature anyhow. A clear syncs its bits
//! before it gives the bytes back. Neither is atomic: a
//! crash in a clear may leave some of its blocks.

mod append;
mod batch;
mod blocks;
mod change;
mod clear;
mod create;
mod open;
mod options;
mod proof;
mod proven;
mod put;
mod read;

use flat_tree::Index;
use hypercore_crypto::{DiscoveryKey, Hash, KeyPair, PublicKey};

pub use self::append::{Appended, BLOCK_LEN_MAX};
pub use self::blocks::Blocks;
pub use self::options::{Durability, FeedOptions};
pub use self::proof::Proof;
use self::proven::{Proven, ProvenNodes};
pub use self::put::ProofFault;
use crate::audit::{AuditProgress, AuditReport, Audited, audit};
use crate::bitfield::{Bitfield, Ranges};
use crate::files::{FileName, Files};
use crate::hashes;
use crate::header::PageSize;
use crate::node::Node;
use crate::recovery::Recovery;
use crate::signatures::SignatureFile;
use crate::tree::TreeFile;

/// A feed that is open.
///
/// Memory: the bits of the blocks that are stored (3 KiB for 8192 of them) and about 2 MB of nodes that
/// were verified.
#[derive(Debug)]
pub struct Feed {
    files: Files,
    key: PublicKey,
    /// What signs; only when open for writing.
    key_pair: Option<KeyPair>,
    durability: Durability,
    /// `None` where the file is missing or has no header.
    tree: Option<TreeFile>,
    signatures: Option<SignatureFile>,
    /// The bits, none of them past the length.
    bitfield: Bitfield,
    length: u64,
    /// The roots of the tree, which the signature of the length covers.
    roots: Vec<Proven>,
    is_live: bool,
    proven: ProvenNodes,
    recovery: Recovery,
    stage: Stage,
}

/// How far a feed that is open for writing is from its first change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing was written yet, and what lies past the length is still there.
    Untouched,
    /// Nothing lies past the length.
    Prepared,
    /// A write failed: what is stored is not known.
    Poisoned,
}

impl Feed {
    /// Starts the options of an open.
    pub const fn options() -> FeedOptions {
        FeedOptions::new()
    }

    /// The public key; of a static feed its tree hash.
    #[must_use]
    pub const fn key(&self) -> PublicKey {
        self.key
    }

    /// What the feed is announced under.
    #[must_use]
    pub fn discovery_key(&self) -> DiscoveryKey {
        hashes::discovery_key(&self.key)
    }

    /// Blocks in the feed, stored here or not.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// Bytes of all blocks together, stored here or not.
    #[must_use]
    pub fn byte_length(&self) -> u64 {
        self.roots.last().map_or(0, Proven::end)
    }

    /// Whether the feed can be appended to: it is open for writing, and there is a key pair. It says
    /// nothing of a failure or of damage that stands in the way.
    #[must_use]
    pub const fn is_writable(&self) -> bool {
        self.key_pair.is_some()
    }

    /// Whether the feed is signed, and so may grow. One that is not is static: its key is its tree hash.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.is_live
    }

    /// How long the pages of the bitfield are.
    #[must_use]
    pub const fn page_size(&self) -> PageSize {
        self.bitfield.page_size()
    }

    /// What the open found where the files did not agree, and what it made of it.
    #[must_use]
    pub const fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Whether the block is stored here. It says nothing of damage.
    #[must_use]
    pub fn has(&self, block: u64) -> bool {
        block < self.length && self.bitfield.has_block(block)
    }

    /// The ranges of blocks that are stored here.
    #[must_use]
    pub fn present(&self) -> Ranges<'_> {
        self.bitfield.blocks(0..self.length)
    }

    /// Number of blocks that are stored here.
    #[must_use]
    pub fn present_count(&self) -> u64 {
        self.bitfield.count_blocks(0..self.length)
    }

    /// The ranges of tree nodes that are stored here, by their index.
    #[must_use]
    pub fn present_nodes(&self) -> Ranges<'_> {
        self.bitfield.nodes(0..self.length.saturating_mul(2))
    }

    /// The roots of the tree, from left to right.
    #[must_use]
    pub fn roots(&self) -> Vec<Node> {
        self.roots.iter().map(|root| root.node).collect()
    }

    /// The hash that is signed; `None` for an empty feed, which is not.
    #[must_use]
    pub fn tree_hash(&self) -> Option<Hash> {
        (self.length > 0).then(|| proven::tree_hash(&self.roots))
    }

    /// The node at `index`, verified; `None` when it is not stored here.
    ///
    /// # Errors
    /// [`Error::TreeDamaged`](crate::Error::TreeDamaged), [`Error::Storage`](crate::Error::Storage).
    pub fn node(&self, index: Index) -> crate::Result<Option<Node>> {
        if index.end_block() > self.length {
            return Ok(None);
        }
        Ok(self.prove(index)?.map(|proven| proven.node))
    }

    /// Hashes every stored block and every stored node again, up to the signatures, and says what is
    /// lost or wrong. Writes nothing.
    ///
    /// `progress` is called for every block. Memory: two more copies of the bits.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage). Damage is no error: it is in the report.
    pub fn audit(&self, progress: &mut dyn FnMut(AuditProgress)) -> crate::Result<AuditReport> {
        let feed = Audited {
            key: &self.key,
            data: self.files.get(FileName::Data),
            tree: self.tree.as_ref(),
            signatures: self.signatures.as_ref().filter(|_| self.is_live),
            bitfield: &self.bitfield,
            length: self.length,
            roots: &self.roots(),
            recovery: &self.recovery,
        };
        audit(&feed, progress)
    }
}
