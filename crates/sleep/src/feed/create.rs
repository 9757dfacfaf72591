//! Making a new feed.
//!
//! `key` is written last: a feed without one was never made, and making it starts over. A secret key
//! that is found is never overwritten.

use hypercore_crypto::{KeyPair, PublicKey};
use random_access_storage::SyncScope;

use crate::error::{Error, Result};
use crate::feed::change::with_header;
use crate::files::{FileName, Files};
use crate::header::{HEADER_LEN, Header, PageSize};
use crate::keys::{self, KEY_LEN, SECRET_KEY_LEN};

/// Whether nothing of a feed is stored: no key, and nothing behind the headers.
pub(super) fn is_blank(files: &Files) -> Result<bool> {
    let limits = [
        (FileName::Key, KEY_LEN),
        (FileName::Data, 1),
        (FileName::Tree, HEADER_LEN + 1),
        (FileName::Signatures, HEADER_LEN + 1),
        (FileName::Bitfield, HEADER_LEN + 1),
    ];
    for (name, limit) in limits {
        let len = files.get(name).map_or(Ok(0), |store| store.len());
        if len.map_err(Error::in_file(name))? >= limit as u64 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Makes a feed where [`is_blank`] says that there is none.
///
/// # Durability
/// The feed is on stable storage on return.
pub(super) fn create(
    files: &mut Files,
    key: &PublicKey,
    stored_key_pair: Option<&KeyPair>,
) -> Result<()> {
    // First of all the lock.
    let bitfield = Header::bitfield(PageSize::default());
    with_header(files, FileName::Bitfield, &bitfield)?;
    if let Some(pair) = stored_key_pair {
        write_key_pair(files, pair)?;
    }
    with_header(files, FileName::Tree, &Header::tree())?;
    with_header(files, FileName::Signatures, &Header::signatures())?;
    for name in [FileName::Tree, FileName::Signatures, FileName::Bitfield] {
        sync(files, name)?;
    }
    let store = files.create(FileName::Key)?;
    keys::write_key(&store, key)?;
    sync(files, FileName::Key)
}

fn write_key_pair(files: &mut Files, pair: &KeyPair) -> Result<()> {
    let store = files.create(FileName::SecretKey)?;
    let len = store.len().map_err(Error::in_file(FileName::SecretKey))?;
    if len >= SECRET_KEY_LEN as u64 {
        // Its own, of an earlier attempt; or the caller has another feed in mind.
        return keys::read_key_pair(&store, &pair.public()).map(drop);
    }
    keys::write_key_pair(&store, pair)?;
    sync(files, FileName::SecretKey)
}

fn sync(files: &Files, name: FileName) -> Result<()> {
    files
        .get(name)
        .map_or(Ok(()), |store| store.sync(SyncScope::Data).map_err(Error::in_file(name)))
}
