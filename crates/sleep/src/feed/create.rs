//! Making a new feed.
//!
//! `key` is written last: a feed without one was never made, and making it starts over. A secret key
//! that is found is never overwritten. A crash may leave a file's length without its bytes, or without
//! some of them, which then are zeros: such a header or key counts as not there.

use hypercore_crypto::{KeyPair, PublicKey};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::feed::change::with_header;
use crate::files::{FileName, Files};
use crate::header::{HEADER_LEN, Header, PageSize, StoredHeader};
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
        let len = len.map_err(Error::in_file(name))?;
        let is_lost = name == FileName::Key && is_zero::<KEY_LEN>(files, name)?;
        if len >= limit as u64 && !is_lost {
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
    check_leftovers(files, key)?;
    // First of all the lock.
    let bitfield = Header::bitfield(PageSize::default());
    write_header(files, FileName::Bitfield, &bitfield)?;
    if let Some(pair) = stored_key_pair {
        write_key_pair(files, pair)?;
    }
    write_header(files, FileName::Tree, &Header::tree())?;
    write_header(files, FileName::Signatures, &Header::signatures())?;
    for name in [FileName::Tree, FileName::Signatures, FileName::Bitfield] {
        files.sync(name)?;
    }
    let store = files.create(FileName::Key)?;
    keys::write_key(&store, key)?;
    files.sync(FileName::Key)
}

/// Refuses to make a feed among files that are none of an attempt to make this one.
fn check_leftovers(files: &Files, key: &PublicKey) -> Result<()> {
    let headers = [
        (FileName::Bitfield, Header::bitfield(PageSize::default())),
        (FileName::Tree, Header::tree()),
        (FileName::Signatures, Header::signatures()),
    ];
    for (name, header) in headers {
        if let Some(store) = files.get(name)
            && !is_torn(files, name, &header)?
        {
            Header::read(name, store)?;
        }
    }
    match files.get(FileName::SecretKey) {
        Some(store) if !is_zero::<SECRET_KEY_LEN>(files, FileName::SecretKey)? => {
            keys::read_key_pair(store, key).map(drop)
        }
        _ => Ok(()),
    }
}

fn write_header(files: &mut Files, name: FileName, header: &Header) -> Result<()> {
    let store = with_header(files, name, header)?;
    // One that is there is written once more: where a sync of it failed, another sync alone keeps nothing.
    match Header::read(name, &store) {
        Ok(StoredHeader::Present(found)) if !is_torn(files, name, header)? => found.write(&*store),
        _ => header.write(&*store),
    }
}

/// Whether a file begins with what a crash left of this header: some of its bytes, and zeros.
fn is_torn(files: &Files, name: FileName, header: &Header) -> Result<bool> {
    let Some(bytes) = first_bytes::<HEADER_LEN>(files, name)? else { return Ok(false) };
    let whole = header.encode();
    let is_part = bytes.iter().zip(&whole).all(|(byte, whole)| byte == whole || *byte == 0);
    Ok(is_part && *bytes != whole)
}

/// Whether the first `N` bytes of a file are there and zero.
fn is_zero<const N: usize>(files: &Files, name: FileName) -> Result<bool> {
    Ok(first_bytes::<N>(files, name)?.is_some_and(|bytes| *bytes == [0; N]))
}

/// The first bytes of a file, which may be a secret; `None` where it is shorter.
fn first_bytes<const N: usize>(
    files: &Files,
    name: FileName,
) -> Result<Option<Zeroizing<[u8; N]>>> {
    let Some(store) = files.get(name) else { return Ok(None) };
    let failed = Error::in_file(name);
    if store.len().map_err(&failed)? < N as u64 {
        return Ok(None);
    }
    let mut bytes = Zeroizing::new([0; N]);
    store.read_at(0, bytes.as_mut_slice()).map_err(&failed)?;
    Ok(Some(bytes))
}

fn write_key_pair(files: &mut Files, pair: &KeyPair) -> Result<()> {
    let store = files.create(FileName::SecretKey)?;
    let len = store.len().map_err(Error::in_file(FileName::SecretKey))?;
    let is_lost = is_zero::<SECRET_KEY_LEN>(files, FileName::SecretKey)?;
    if len >= SECRET_KEY_LEN as u64 && !is_lost {
        // Its own, of an earlier attempt that may not have synced it; or the caller has another feed in mind.
        let found = keys::read_key_pair(&store, &pair.public())?;
        keys::write_key_pair(&store, found.as_ref().unwrap_or(pair))?;
        return files.sync(FileName::SecretKey);
    }
    keys::write_key_pair(&store, pair)?;
    files.sync(FileName::SecretKey)
}
