//! Writes whose signature is made elsewhere: prepared, shown to the signers, stored with what they give back.
//!
//! Preparing changes nothing and holds no lock, so a signer may take as long as it likes. What is prepared is for one head:
//! when the log has another one meanwhile, it is refused and has to be prepared again.

use std::ops::Range;

use bytes::Bytes;
use hypercore_crypto::{
    CoreKey, Hash, KeyPair, Manifest, ManifestSigner, PartialSignature, PublicKey, SignatureNode,
    ToSign, Verifier,
};
use hypercore_merkle::{Leaf, Node, Tree};

use crate::append::{Appended, Grown, check_lens};
use crate::branch::Branch;
use crate::commit::Announced;
use crate::error::LogError;
use crate::log::Log;
use crate::proofs::upgrade_of;
use crate::signing::{AppendOptions, Signing};
use crate::state::{Head, State, tree_error};
use crate::writer::Writer;

/// A tree that is to be signed, and by whom.
#[derive(Clone, Debug)]
pub struct Unsigned {
    key: CoreKey,
    manifest: Manifest,
    head: Head,
}

impl Unsigned {
    pub(crate) fn new(key: CoreKey, manifest: &Manifest, tree: &Tree, tree_hash: Hash) -> Self {
        let head = Head {
            fork: tree.fork(),
            length: tree.length(),
            byte_length: tree.byte_length(),
            tree_hash,
        };
        Self { key, manifest: manifest.clone(), head }
    }

    /// The head that the log has with it.
    #[must_use]
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// Who may sign.
    #[must_use]
    pub fn signers(&self) -> &[ManifestSigner] {
        self.manifest.signers()
    }

    /// How many of them have to sign.
    #[must_use]
    pub const fn quorum(&self) -> u64 {
        self.manifest.quorum()
    }

    /// What the signer with this public key has to sign.
    ///
    /// # Errors
    /// [`LogError::KeyPair`] when it is no signer.
    pub fn to_sign(&self, signer: &PublicKey) -> Result<ToSign, LogError> {
        let Head { tree_hash, length, fork, .. } = &self.head;
        to_sign(&self.manifest, &self.key, signer, (tree_hash, *length, *fork))
    }

    /// The signature to store, from those of the signers: as many as have to sign.
    ///
    /// The signatures themselves are checked when it is stored.
    ///
    /// # Errors
    /// [`LogError::Assemble`] when the parts do not serve together.
    pub fn assemble(&self, parts: &[PartialSignature]) -> Result<Vec<u8>, LogError> {
        let verifier = Verifier::new(&self.manifest, &self.key).map_err(LogError::Signature)?;
        verifier.assemble(self.head.length, parts).map_err(LogError::Assemble)
    }
}

fn to_sign(
    manifest: &Manifest,
    key: &CoreKey,
    signer: &PublicKey,
    (tree_hash, length, fork): (&Hash, u64, u64),
) -> Result<ToSign, LogError> {
    let verifier = Verifier::new(manifest, key).map_err(LogError::Signature)?;
    verifier.to_sign(signer, tree_hash, length, fork).map_err(LogError::KeyPair)
}

/// A batch that is hashed and waits for its signature: see [`Log::prepare_append`].
#[derive(Clone, Debug)]
pub struct PreparedAppend {
    from: Tree,
    blocks: Vec<Bytes>,
    grown: Grown,
    unsigned: Unsigned,
}

impl PreparedAppend {
    /// The tree with the batch, to be signed.
    #[must_use]
    pub const fn unsigned(&self) -> &Unsigned {
        &self.unsigned
    }
}

/// A truncation that waits for its signature: see [`Log::prepare_truncate`].
#[derive(Clone, Debug)]
pub struct PreparedTruncate {
    from: Tree,
    tree: Tree,
    unsigned: Unsigned,
}

impl PreparedTruncate {
    /// The shorter tree, to be signed.
    #[must_use]
    pub const fn unsigned(&self) -> &Unsigned {
        &self.unsigned
    }
}

impl Log {
    /// Hashes a batch, so that it can be signed elsewhere and then be [appended](Self::append_prepared).
    ///
    /// Of the options the limit, the expected head and the padding count.
    ///
    /// # Errors
    /// As [`append_with_options`](Self::append_with_options); [`LogError::NotWritable`] while the manifest is not known.
    pub fn prepare_append(
        &self,
        blocks: Vec<Bytes>,
        options: &AppendOptions,
    ) -> Result<PreparedAppend, LogError> {
        // What signs comes later.
        self.check_may_sign(Signing::Ready(&[]))?;
        let (grown, from) = {
            let slices: Vec<&[u8]> = blocks.iter().map(AsRef::as_ref).collect();
            check_lens(&slices, options.block_len_max())?;
            let leaves = Leaf::hash_all(&slices);
            let writer = self.lock_writer()?;
            let grown = self.grow(&leaves, options)?;
            let from = self.read_state().tree.clone();
            drop(writer);
            (grown, from)
        };
        let state = self.read_state();
        let manifest = state.signing_manifest()?;
        let unsigned = Unsigned::new(self.key, manifest, &grown.tree, grown.tree_hash);
        Ok(PreparedAppend { from, blocks, grown, unsigned })
    }

    /// Appends a prepared batch with the signature that was made for it, in the form that the manifest asks for.
    ///
    /// # Durability
    /// As [`append`](Self::append).
    ///
    /// # Errors
    /// [`LogError::HeadMoved`] when the log is not what it was: prepare it again. [`LogError::OtherLog`]. [`LogError::Signature`] when the
    /// signature does not hold. And those of [`append`](Self::append): nothing was changed but for [`LogError::Storage`].
    pub fn append_prepared(
        &self,
        prepared: &PreparedAppend,
        signature: &[u8],
    ) -> Result<Appended, LogError> {
        let signing = Signing::Ready(signature);
        self.check_may_sign(signing)?;
        let writer = self.lock_writer()?;
        self.check_unmoved(&prepared.unsigned, &prepared.from)?;
        if self.is_frozen() {
            return Err(LogError::Frozen);
        }
        let blocks: Vec<&[u8]> = prepared.blocks.iter().map(AsRef::as_ref).collect();
        self.append_grown(writer, &blocks, prepared.grown.clone(), signing)
    }

    /// Makes the shorter tree of a truncation, so that it can be signed elsewhere and then be
    /// [stored](Self::truncate_prepared).
    ///
    /// # Errors
    /// As [`truncate`](Self::truncate); [`LogError::NotWritable`] while the manifest is not known.
    pub fn prepare_truncate(
        &self,
        length: u64,
        fork: Option<u64>,
    ) -> Result<PreparedTruncate, LogError> {
        self.check_may_sign(Signing::Ready(&[]))?;
        let writer = self.lock_to_truncate()?;
        let (tree, old) = self.shortened(&writer, length, fork)?;
        self.check_one_signature_does(&writer, length, old)?;
        let state = self.read_state();
        let from = state.tree.clone();
        let manifest = state.signing_manifest()?;
        let unsigned = Unsigned::new(self.key, manifest, &tree, tree.hash());
        Ok(PreparedTruncate { from, tree, unsigned })
    }

    /// Truncates as prepared, with the signature that was made for it. A log that is cut to nothing has none: any serves then.
    ///
    /// # Durability
    /// As [`truncate`](Self::truncate).
    ///
    /// # Errors
    /// [`LogError::HeadMoved`] when the log is not what it was: prepare it again. [`LogError::OtherLog`]. [`LogError::Signature`] when the
    /// signature does not hold. And those of [`truncate`](Self::truncate): nothing was changed but for [`LogError::Storage`].
    pub fn truncate_prepared(
        &self,
        prepared: &PreparedTruncate,
        signature: &[u8],
    ) -> Result<Head, LogError> {
        let signing = Signing::Ready(signature);
        self.check_may_sign(signing)?;
        let writer = self.lock_to_truncate()?;
        let old = self.check_unmoved(&prepared.unsigned, &prepared.from)?;
        self.shorten(writer, prepared.tree.clone(), old, signing)
    }

    /// Whether the log is the one that something was prepared for. Length and fork alone do not tell: it may have been opened
    /// again meanwhile, and have lost what was not durable and got other blocks.
    fn check_unmoved(&self, unsigned: &Unsigned, from: &Tree) -> Result<Announced, LogError> {
        if unsigned.key != self.key {
            return Err(LogError::OtherLog);
        }
        let state = self.read_state();
        let now = state.announced();
        if state.tree == *from {
            Ok(now)
        } else {
            Err(LogError::HeadMoved { fork: now.fork, length: now.length })
        }
    }

    /// Refuses what nobody should sign who goes by this log: a history that goes on from it (`length` is above its length, or `fork` above
    /// its fork) where what comes next may be signed already, and a tree with a size in it that is only a peer's word.
    ///
    /// # Errors
    /// [`LogError::MaybeNotNewest`]; [`LogError::HeaderLost`], but for a new fork; [`LogError::NodeMissing`] until a block below the node is
    /// fetched; [`LogError::Corrupt`], [`LogError::Storage`], [`LogError::Poisoned`].
    pub fn check_signable(&self, length: u64, fork: u64) -> Result<(), LogError> {
        let writer = self.writer.lock().map_err(|_| LogError::Poisoned)?;
        let state = self.read_state();
        let present = state.announced();
        if length > present.length || fork > present.fork {
            if state.is_unconfirmed_backup() {
                return Err(LogError::MaybeNotNewest);
            }
            if writer.header_lost && fork <= present.fork {
                return Err(LogError::HeaderLost);
            }
        }
        if length >= present.length {
            return Ok(());
        }
        let tree = state.tree.truncated(&state.nodes, length, fork).map_err(tree_error)?;
        state.check_sizes(&writer, &tree)
    }

    /// What a signer of this log signs for its first `length` blocks, which are on stable storage then.
    ///
    /// # Errors
    /// [`LogError::KeyPair`] when `signer` is no signer; [`LogError::NotWritable`] while the manifest is not known; those of
    /// [`tree_hash_at`](Self::tree_hash_at), [`check_signable`](Self::check_signable) and [`flush`](Self::flush).
    pub fn to_sign_at(&self, signer: &PublicKey, length: u64) -> Result<ToSign, LogError> {
        self.check_signable(length, 0)?;
        let state = self.durable_state()?;
        let hash = state.tree_hash_at(length)?;
        let manifest = state.signing_manifest()?;
        to_sign(manifest, &self.key, signer, (&hash, length, state.tree.fork()))
    }

    /// The nodes that lead from the tree of `common_length` blocks to that of `signed_length`, as a signature carries them. None when
    /// they are equal.
    ///
    /// # Errors
    /// [`LogError::OutOfBounds`] when the log is shorter than one of them, or `common_length` is the longer one;
    /// [`LogError::NodeMissing`] in a sparse log; [`LogError::Corrupt`]; [`LogError::Storage`].
    ///
    /// # Source
    /// formats.md section 5.6.
    pub fn patch_nodes(
        &self,
        common_length: u64,
        signed_length: u64,
    ) -> Result<Vec<SignatureNode>, LogError> {
        self.patch_nodes_in(&self.read_state(), common_length, signed_length)
    }

    fn patch_nodes_in(
        &self,
        state: &State,
        common_length: u64,
        signed_length: u64,
    ) -> Result<Vec<SignatureNode>, LogError> {
        let range = patched(common_length, signed_length, state.tree.length())?;
        Ok(patch(self.upgrade_nodes(state, range)?))
    }

    /// What one signer of several contributes to a signature of the first `common_length` blocks, where it signs the first
    /// `signed_length`: more, if the manifest allows patches. They are on stable storage then.
    ///
    /// # Errors
    /// Those of [`to_sign_at`](Self::to_sign_at) and [`patch_nodes`](Self::patch_nodes).
    pub fn partial_signature(
        &self,
        key_pair: &KeyPair,
        signed_length: u64,
        common_length: u64,
    ) -> Result<PartialSignature, LogError> {
        self.check_signable(signed_length, 0)?;
        let state = self.durable_state()?;
        let core = (&self.key, state.signing_manifest()?);
        self.partial_signature_in(&state, core, key_pair, (signed_length, common_length))
    }

    /// The same for another log, whose manifest is given: a signer has the blocks in a log of its own, and the common one takes
    /// what enough of them agree on. The fork is that of this log.
    ///
    /// # Errors
    /// Those of [`partial_signature`](Self::partial_signature).
    pub fn partial_signature_for(
        &self,
        manifest: &Manifest,
        key_pair: &KeyPair,
        signed_length: u64,
        common_length: u64,
    ) -> Result<PartialSignature, LogError> {
        self.check_signable(signed_length, 0)?;
        let state = self.durable_state()?;
        let core = (&manifest.key(), manifest);
        self.partial_signature_in(&state, core, key_pair, (signed_length, common_length))
    }

    fn partial_signature_in(
        &self,
        state: &State,
        (key, manifest): (&CoreKey, &Manifest),
        key_pair: &KeyPair,
        (signed_length, common_length): (u64, u64),
    ) -> Result<PartialSignature, LogError> {
        let nodes = self.patch_nodes_in(state, common_length, signed_length)?;
        let hash = state.tree_hash_at(signed_length)?;
        let head = (&hash, signed_length, state.tree.fork());
        let to_sign = to_sign(manifest, key, &key_pair.public(), head)?;
        let part = to_sign.signed(key_pair.sign(to_sign.message())).map_err(LogError::Signature)?;
        Ok(PartialSignature { nodes, ..part })
    }
}

impl State {
    /// Refuses a tree that is this one cut short, where a size in it is only a peer's word.
    pub(crate) fn check_sizes(&self, writer: &Writer, shorter: &Tree) -> Result<(), LogError> {
        if !self.has_claims(writer) {
            return Ok(());
        }
        match self.tree.claimed_root(self, shorter).map_err(tree_error)? {
            Some(root) => Err(LogError::NodeMissing { index: root.get() }),
            None => Ok(()),
        }
    }
}

impl Branch {
    /// The nodes that lead from the tree of `common_length` blocks to that of `signed_length`, as
    /// [`Log::patch_nodes`] gives them. Whoever takes the signature verifies them.
    ///
    /// # Errors
    /// As [`Log::patch_nodes`]; [`LogError::OtherLog`]; [`LogError::BaseRewritten`].
    pub fn patch_nodes(
        &self,
        base: &Log,
        common_length: u64,
        signed_length: u64,
    ) -> Result<Vec<SignatureNode>, LogError> {
        self.read(base, |both| {
            let tree = &both.state.tree;
            let range = patched(common_length, signed_length, tree.length())?;
            let nodes = upgrade_of(tree, both, range).map_err(|error| both.explain(error))?;
            Ok(patch(nodes))
        })
    }
}

/// The blocks that a signer is ahead, in a log of `length`.
fn patched(common_length: u64, signed_length: u64, length: u64) -> Result<Range<u64>, LogError> {
    if signed_length > length {
        return Err(LogError::OutOfBounds { index: signed_length, length });
    }
    if common_length > signed_length {
        return Err(LogError::OutOfBounds { index: common_length, length: signed_length });
    }
    Ok(common_length..signed_length)
}

fn patch(nodes: Vec<Node>) -> Vec<SignatureNode> {
    let node =
        |node: Node| SignatureNode { index: node.index.get(), size: node.size, hash: node.hash };
    nodes.into_iter().map(node).collect()
}
