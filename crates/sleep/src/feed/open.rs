//! From six files to a feed.
//!
//! Reads the headers, the keys and the bits; what length follows from them, and which signature says
//! so, is settled by `recovery`, also where nothing is wrong. Nothing is written here.

use std::sync::Arc;

use hypercore_crypto::{KeyPair, PublicKey};
use random_access_storage::RandomAccess;

use crate::bitfield::Bitfield;
use crate::error::{Error, Result};
use crate::feed::proven::{ProvenNodes, with_offsets};
use crate::feed::{Feed, FeedOptions, Stage, create};
use crate::files::{Access, FileName, Files, Storage};
use crate::header::{Header, PageSize, StoredHeader};
use crate::keys;
use crate::recovery::{self, Found, RecoveryError};
use crate::signatures::SignatureFile;
use crate::tree::TreeFile;

/// Opens a feed, or makes one.
pub(super) fn open(options: FeedOptions, storage: impl Storage + 'static) -> Result<Feed> {
    let wanted = wanted_key(&options)?;
    let mut files = Files::open(storage, options.access)?;
    if create::is_blank(&files)? {
        if options.access != Access::Create {
            return Err(Error::NotFound);
        }
        let key = wanted.ok_or(Error::KeyRequired)?;
        let stored = options.key_pair.as_ref().filter(|_| options.stores_secret_key);
        create::create(&mut files, &key, stored)?;
    }

    let key = stored_key(&files, wanted)?;
    let key_pair = key_pair(&files, &key, &options)?;
    let tree = with_header(&files, FileName::Tree)?.map(|(store, _)| TreeFile::new(store));
    let signatures = with_header(&files, FileName::Signatures)?;
    let signatures = signatures.map(|(store, _)| SignatureFile::new(store));
    let bitfield = match with_header(&files, FileName::Bitfield)? {
        Some((store, header)) => Bitfield::load(&store, header.page_size().unwrap_or_default())?,
        None => Bitfield::new(PageSize::default()),
    };
    let found = recovery::recover(Found {
        files: &files,
        key,
        has_secret_key: key_pair.is_some(),
        tree: tree.as_ref(),
        signatures: signatures.as_ref(),
        bitfield,
        is_lenient: options.is_lenient,
        accepts_loss: false,
    })?;
    let length = found.length;
    Ok(Feed {
        key,
        key_pair: key_pair.filter(|_| options.access != Access::Read),
        durability: options.durability,
        tree,
        signatures,
        bitfield: found.bitfield,
        length,
        roots: with_offsets(found.roots).ok_or(RecoveryError::TooManyBytes { length })?,
        is_live: found.is_live,
        proven: ProvenNodes::default(),
        recovery: found.report,
        stage: Stage::Untouched,
        files,
    })
}

/// The key that the caller asks for.
fn wanted_key(options: &FeedOptions) -> Result<Option<PublicKey>> {
    let of_pair = options.key_pair.as_ref().map(KeyPair::public);
    match (options.key, of_pair) {
        (Some(wanted), Some(found)) if wanted != found => {
            Err(Error::SecretKeyMismatch { found, wanted })
        }
        (key, of_pair) => Ok(key.or(of_pair)),
    }
}

/// The key of what is stored, which must be the one that is wanted.
fn stored_key(files: &Files, wanted: Option<PublicKey>) -> Result<PublicKey> {
    let stored = files.get(FileName::Key).map(|store| keys::read_key(store)).transpose()?;
    match (stored.flatten(), wanted) {
        (Some(stored), Some(wanted)) if stored != wanted => {
            Err(Error::AnotherFeed { stored, wanted })
        }
        (stored, wanted) => stored.or(wanted).ok_or(Error::KeyMissing),
    }
}

/// The key pair of the feed: given, or stored. The stored one is checked in any case.
fn key_pair(files: &Files, key: &PublicKey, options: &FeedOptions) -> Result<Option<KeyPair>> {
    let stored = files.get(FileName::SecretKey);
    let stored = stored.map(|store| keys::read_key_pair(store, key)).transpose()?;
    Ok(stored.flatten().or_else(|| options.key_pair.clone()))
}

/// A store that begins with a right header; `None` where it is missing or too short for one.
fn with_header(files: &Files, name: FileName) -> Result<Option<(Arc<dyn RandomAccess>, Header)>> {
    let Some(store) = files.get(name) else { return Ok(None) };
    match Header::read(name, store)? {
        StoredHeader::Present(header) => Ok(Some((Arc::clone(store), header))),
        StoredHeader::Missing { .. } => Ok(None),
    }
}
