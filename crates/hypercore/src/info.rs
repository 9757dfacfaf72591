//! What a log says about itself.

use compact_encoding::{Decode as _, DecodeError, Decoder, Encode as _};
use hypercore_crypto::{CoreKey, DiscoveryKey, Hash, Manifest, PublicKey};
use hypercore_log::StorageInfo;

/// A log at one moment; see [`Hypercore::info`](crate::Hypercore::info).
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Info {
    /// The public name of the log: what a reader needs to verify it.
    pub key: CoreKey,
    /// A hash of the key by which peers find each other without telling it.
    pub discovery_key: DiscoveryKey,
    /// Whether this handle may append, once it needs no confirmation.
    pub writable: bool,
    /// Whether this is a backup that must be [confirmed](crate::Hypercore::confirm_newest) before it is written to.
    pub needs_confirmation: bool,
    /// The public key of the key pair kept here that may sign alone; with it a handle opened for writing
    /// may append.
    pub signer: Option<PublicKey>,
    /// Blocks in the log.
    pub length: u64,
    /// Content bytes in the log, without the padding of encrypted blocks.
    pub byte_length: u64,
    /// Blocks stored here without a gap, from block 0 on.
    pub contiguous_length: u64,
    /// Blocks that a power cut can not take back, which are those that peers are told of; 0 while a new
    /// fork is not durable yet.
    pub durable_length: u64,
    /// How often the log was truncated and rewritten.
    pub fork: u64,
    /// The hash of the whole log: what the writer signs.
    pub tree_hash: Hash,
    /// Whether the key is the bare public key of the writer, as JavaScript Hypercore 10 has it.
    pub compat: bool,
    /// Who may sign; `None` while a reader has not learnt it.
    pub manifest: Option<Manifest>,
    /// Whether this handle decrypts.
    pub encrypted: bool,
    /// Bytes that the encryption puts in front of every stored block.
    pub padding: u64,
    /// Sessions that keep the log open.
    pub active_sessions: usize,
    /// Bytes that each file takes in its storage (on disk: allocated blocks).
    #[cfg_attr(feature = "serde", serde(with = "crate::serialize"))]
    pub storage: StorageInfo,
}

/// What an append did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Appended {
    /// Index of the first block appended; the blocks are `first..length`.
    pub first: u64,
    /// Blocks in the log right after it.
    pub length: u64,
    /// Content bytes in the log right after it.
    pub byte_length: u64,
}

/// What a [purge](crate::Hypercore::purge) deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Purged {
    /// Bytes given back, of the log and of its named batches (on disk: allocated blocks).
    pub bytes_freed: u64,
}

/// Encodes a manifest as other implementations read it; [`decode_manifest`] reads it back.
///
/// # Source
/// formats.md section 5.1.
#[must_use]
pub fn encode_manifest(manifest: &Manifest) -> Vec<u8> {
    manifest.to_vec()
}

/// Decodes a manifest from the bytes that other implementations write; nothing may follow it.
///
/// # Errors
/// Where in the bytes it stops being one, and why.
///
/// # Source
/// formats.md section 5.1.
pub fn decode_manifest(bytes: &[u8]) -> Result<Manifest, DecodeError> {
    let mut input = Decoder::new(bytes);
    let manifest = Manifest::decode(&mut input)?;
    input.finish()?;
    Ok(manifest)
}
