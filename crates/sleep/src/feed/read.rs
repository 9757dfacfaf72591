//! Reading blocks, finding bytes, and the signatures that are stored.

use flat_tree::full_roots;
use hypercore_crypto::Signature;
use random_access_storage::Error as StorageError;

use crate::error::{Error, Result};
use crate::feed::Feed;
use crate::feed::proven::{Proven, tree_hash, with_offsets};
use crate::files::FileName;
use crate::hashes::{self, SignatureForm};

/// Bytes that are read as one block at most. Hypercore 8 and older take longer blocks than
/// [`BLOCK_LEN_MAX`](crate::BLOCK_LEN_MAX), but a damaged size must not decide how much memory is
/// asked for.
const READ_LEN_MAX: u64 = 256 * 1024 * 1024;

impl Feed {
    /// Reads a block and verifies it: its bytes against its leaf, and the leaf against the roots of the
    /// feed or of an older length of it. Roots are signed, unless [`recovery`](Self::recovery) says that
    /// the newest signature is missing or wrong.
    ///
    /// # Errors
    /// [`Error::OutOfBounds`], [`Error::NotStored`]; [`Error::BlockDamaged`], [`Error::BytesMissing`],
    /// [`Error::BlockTooLong`], [`Error::NodeMissing`], [`Error::TreeDamaged`] when what is stored is
    /// not what was signed; [`Error::Storage`].
    pub fn get(&self, block: u64) -> Result<Vec<u8>> {
        self.check_bounds(block)?;
        if !self.bitfield.has_block(block) {
            return Err(Error::NotStored { block });
        }
        let leaf = self.prove_leaf(block)?;
        self.read_block(block, &leaf)
    }

    /// The block that holds a byte, and where in the block it is. For the end of the feed the length,
    /// and 0. Empty blocks hold no byte.
    ///
    /// The block itself need not be stored, only the nodes that lead to it.
    ///
    /// # Errors
    /// [`Error::BytesOutOfBounds`] past the end; [`Error::NodeMissing`] when a sparse feed does not have
    /// the nodes, [`Error::TreeDamaged`], [`Error::Storage`].
    pub fn seek(&self, byte: u64) -> Result<(u64, u64)> {
        let byte_length = self.byte_length();
        if byte == byte_length {
            return Ok((self.length, 0));
        }
        let holds = |proven: &&Proven| byte < proven.end();
        let root = self.roots.iter().find(holds).copied();
        let mut at = root.ok_or(Error::BytesOutOfBounds { byte, byte_length })?;
        while let Some((left, right)) = at.node.index.children() {
            let missing = |index| Error::NodeMissing { index };
            let left = self.prove(left)?.ok_or_else(|| missing(left))?;
            at = if byte < left.end() {
                left
            } else {
                self.prove(right)?.ok_or_else(|| missing(right))?
            };
        }
        Ok((at.node.index.first_block(), byte.saturating_sub(at.offset)))
    }

    /// The signature that covers a block: the first in its slot or a later one, with that slot. It
    /// signs the tree of one block more than the number of its slot. `None` in a static feed.
    ///
    /// # Errors
    /// [`Error::OutOfBounds`], [`Error::Storage`].
    ///
    /// # Source
    /// "SLEEP storage", section 7.
    pub fn signature(&self, block: u64) -> Result<Option<(u64, Signature)>> {
        self.check_bounds(block)?;
        let Some(signatures) = &self.signatures else { return Ok(None) };
        Ok(signatures.at_or_after(block)?.filter(|(slot, _)| *slot < self.length))
    }

    /// Verifies the signature in a slot over the roots that are stored for its length; `None` when the
    /// slot is blank.
    ///
    /// # Errors
    /// [`Error::OutOfBounds`]; [`Error::SignatureInvalid`] when it does not hold, [`Error::NodeMissing`]
    /// when a root is not stored; [`Error::Storage`].
    pub fn verify_signature(&self, slot: u64) -> Result<Option<SignatureForm>> {
        self.check_bounds(slot)?;
        let stored = match &self.signatures {
            Some(signatures) => signatures.slot(slot)?,
            None => None,
        };
        let (Some(signature), Some(tree)) = (stored, &self.tree) else { return Ok(None) };
        let length = slot.saturating_add(1);
        let mut roots = Vec::new();
        for index in full_roots(length) {
            roots.push(tree.node(index)?.ok_or(Error::NodeMissing { index })?);
        }
        let invalid = Error::SignatureInvalid { slot };
        let Some(roots) = with_offsets(roots) else { return Err(invalid) };
        hashes::verify_tree(&self.key, &tree_hash(&roots), length, &signature)
            .map(Some)
            .ok_or(invalid)
    }

    pub(super) const fn check_bounds(&self, block: u64) -> Result<()> {
        if block < self.length {
            return Ok(());
        }
        Err(Error::OutOfBounds { block, length: self.length })
    }

    /// Reads the bytes of a block and compares their hash with its proven leaf.
    fn read_block(&self, block: u64, leaf: &Proven) -> Result<Vec<u8>> {
        let size = leaf.node.size;
        let len = usize::try_from(size).ok().filter(|_| size <= READ_LEN_MAX);
        let len = len.ok_or(Error::BlockTooLong { block, size })?;
        let bytes = self.read_bytes(leaf.offset, len)?.ok_or(Error::BytesMissing { block })?;
        if hashes::leaf(leaf.node.index, &bytes) != leaf.node {
            return Err(Error::BlockDamaged { block });
        }
        Ok(bytes)
    }

    /// Bytes of `data`; `None` when it ends before them.
    pub(super) fn read_bytes(&self, offset: u64, len: usize) -> Result<Option<Vec<u8>>> {
        if len == 0 {
            return Ok(Some(Vec::new()));
        }
        let Some(data) = self.files.get(FileName::Data) else { return Ok(None) };
        match data.read_vec_at(offset, len) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(StorageError::OutOfBounds { .. }) => Ok(None),
            Err(source) => Err(Error::in_file(FileName::Data)(source)),
        }
    }
}
