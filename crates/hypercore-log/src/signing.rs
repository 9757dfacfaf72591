//! Who signs a write: the log's own key pair, that of another signer, or a signature that comes ready.
//!
//! Whatever signs, nothing is stored before it is known to hold. This module decides who may; it knows no stores.

use hypercore_crypto::{Hash, KeyPair, Manifest};
use hypercore_merkle::Tree;

use crate::branch::seal;
use crate::change::OPLOG;
use crate::entry::Entry;
use crate::error::LogError;
use crate::log::Log;
use crate::options::{Access, Rhythm};
use crate::state::{Head, State};
use crate::user_data::{BACKUP, SIGNED_HERE};
use crate::writer::Writer;

/// How one append is made, where it is not just the next blocks of a log that has its key pair.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct AppendOptions {
    pub(crate) length_max: Option<u64>,
    pub(crate) key_pair: Option<KeyPair>,
    pub(crate) signature: Option<Vec<u8>>,
    pub(crate) expected: Option<(u64, u64)>,
    pub(crate) padded: bool,
}

impl AppendOptions {
    /// The next blocks, signed by the log's own key pair.
    pub const fn new() -> Self {
        Self { length_max: None, key_pair: None, signature: None, expected: None, padded: false }
    }

    /// Refuses the batch where the log would have more than `length` blocks with it.
    pub const fn length_max(mut self, length: u64) -> Self {
        self.length_max = Some(length);
        self
    }

    /// Signs with this pair, which must be one that may sign alone.
    pub fn key_pair(mut self, key_pair: KeyPair) -> Self {
        self.key_pair = Some(key_pair);
        self
    }

    /// Takes a ready signature of the tree with the batch, in the form that the manifest asks for. It comes before a key pair.
    pub fn signature(mut self, signature: Vec<u8>) -> Self {
        self.signature = Some(signature);
        self
    }

    /// Refuses the batch unless the log has the fork and the length of `head`.
    pub const fn expected(mut self, head: &Head) -> Self {
        self.expected = Some((head.fork, head.length));
        self
    }

    /// Lets blocks have 64 bytes more than [`BLOCK_LEN_MAX`](crate::BLOCK_LEN_MAX), for the padding of their encryption.
    pub const fn padded(mut self) -> Self {
        self.padded = true;
        self
    }

    /// The same for a branch, which nobody signs.
    pub(crate) fn unsigned(&self) -> Self {
        Self { key_pair: None, signature: None, ..self.clone() }
    }

    pub(crate) fn signing(&self) -> Signing<'_> {
        Signing::of(self.key_pair.as_ref(), self.signature.as_deref())
    }
}

/// How one truncation is signed, where it is not by the log's own key pair.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct TruncateOptions {
    key_pair: Option<KeyPair>,
    signature: Option<Vec<u8>>,
}

impl TruncateOptions {
    /// Signed by the log's own key pair.
    pub const fn new() -> Self {
        Self { key_pair: None, signature: None }
    }

    /// Signs with this pair, which must be one that may sign alone.
    pub fn key_pair(mut self, key_pair: KeyPair) -> Self {
        self.key_pair = Some(key_pair);
        self
    }

    /// Takes a ready signature of the shorter tree under its new fork. It comes before a key pair.
    pub fn signature(mut self, signature: Vec<u8>) -> Self {
        self.signature = Some(signature);
        self
    }

    pub(crate) fn signing(&self) -> Signing<'_> {
        Signing::of(self.key_pair.as_ref(), self.signature.as_deref())
    }
}

/// Where the signature of a write comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signing<'a> {
    /// The log's own key pair.
    Own,
    /// The key pair of another signer.
    KeyPair(&'a KeyPair),
    /// It is made already.
    Ready(&'a [u8]),
}

impl<'a> Signing<'a> {
    pub(crate) fn of(key_pair: Option<&'a KeyPair>, signature: Option<&'a [u8]>) -> Self {
        match (signature, key_pair) {
            (Some(signature), _) => Self::Ready(signature),
            (None, Some(pair)) => Self::KeyPair(pair),
            (None, None) => Self::Own,
        }
    }
}

impl Log {
    /// Refuses to sign where this handle can not, or a backup is not known to be the newest.
    pub(crate) fn check_may_sign(&self, signing: Signing<'_>) -> Result<(), LogError> {
        let able = match signing {
            Signing::Own => self.is_writable(),
            Signing::KeyPair(_) | Signing::Ready(_) => self.options.access == Access::ReadWrite,
        };
        if !able {
            return Err(self.not_writable());
        }
        if self.needs_confirmation() { Err(LogError::MaybeNotNewest) } else { Ok(()) }
    }

    /// The signature of a tree, whose hash is `hash`, that holds under the manifest.
    pub(crate) fn sign_tree(
        &self,
        writer: &Writer,
        tree: &Tree,
        hash: &Hash,
        signing: Signing<'_>,
    ) -> Result<Vec<u8>, LogError> {
        if self.options.unsigned {
            return Ok(seal(hash));
        }
        let state = self.read_state();
        let manifest = state.manifest.as_ref().ok_or(LogError::NotWritable)?;
        let sign = |pair: &KeyPair| {
            manifest
                .sign(&self.key, pair, hash, tree.length(), tree.fork())
                .map_err(LogError::KeyPair)
        };
        match signing {
            Signing::Own => {
                let pair = writer.signer.as_ref().ok_or(LogError::NotWritable)?;
                sign(pair).map_err(|_| LogError::NotWritable)
            }
            Signing::KeyPair(pair) => sign(pair),
            Signing::Ready(signature) => {
                manifest.verify(&self.key, tree, signature).map_err(LogError::Signature)?;
                Ok(signature.to_vec())
            }
        }
    }

    /// Notes, once, that a log which stores no key pair is signed from here all the same: from then on it is as
    /// careful as one that does, also when its newest header is lost, and whoever opens it then has no key.
    pub(crate) fn note_signed_here(&self, writer: &mut Writer) -> Result<(), LogError> {
        if writer.stored_key_pair.is_some()
            || self.options.unsigned
            || self.options.rhythm != Rhythm::Bounded
        {
            return Ok(());
        }
        let old = {
            let state = self.read_state();
            if state.is_signed_here() {
                return Ok(());
            }
            state.announced()
        };
        let entry =
            Entry { user_data: Some((SIGNED_HERE.to_owned(), Some(vec![1]))), ..Entry::default() };
        self.write_entry(writer, &entry)?;
        {
            let mut state = self.publish();
            self.apply(&mut state, entry, old)?;
            self.commit.wrote(OPLOG, old);
        }
        // In both slots, so that whichever of them is lost the other one tells.
        self.write_checkpoint(writer)?;
        self.write_checkpoint(writer)
    }

    /// Whether what this log shows may have been signed from here.
    pub(crate) fn signs(&self, state: &State) -> bool {
        self.is_writable() || (self.options.access == Access::ReadWrite && state.is_signed_here())
    }
}

impl State {
    /// Whether signatures were put to what was written here, by a key pair that is not stored, or elsewhere.
    pub(crate) fn is_signed_here(&self) -> bool {
        self.user_data.get(SIGNED_HERE).is_some()
    }

    /// Whether this is a backup that nobody confirmed to be the newest.
    pub(crate) fn is_unconfirmed_backup(&self) -> bool {
        self.user_data.get(BACKUP).is_some()
    }

    /// The manifest, which whoever signs must know.
    pub(crate) fn signing_manifest(&self) -> Result<&Manifest, LogError> {
        self.manifest.as_ref().ok_or(LogError::NotWritable)
    }
}
