//! The files `key` and `secret_key`.
//!
//! The secret is wiped from memory as soon as the pair is made. This module must not know where the
//! other files are, nor whether a missing key can be found again.

use hypercore_crypto::{KeyPair, PublicKey};
use random_access_storage::RandomAccess;
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::files::FileName;

/// Bytes of `key`.
pub const KEY_LEN: usize = 32;
/// Bytes of `secret_key`: the seed, then the public key.
pub const SECRET_KEY_LEN: usize = 64;

/// Reads `key`; `None` when it has fewer than 32 bytes. More than 32 are ignored.
///
/// # Errors
/// [`Error::Storage`].
///
/// # Source
/// "SLEEP storage", section 8.
pub fn read_key(store: &dyn RandomAccess) -> Result<Option<PublicKey>> {
    let bytes = read::<KEY_LEN>(FileName::Key, store)?;
    Ok(bytes.map(|bytes| PublicKey::from_bytes(*bytes)))
}

/// Reads `secret_key`; `None` when it has fewer than 64 bytes, and the feed can only be read.
///
/// # Errors
/// [`Error::SecretKeyDamaged`] when it signs for no key, [`Error::SecretKeyMismatch`] when for
/// another one than `key`; [`Error::Storage`].
///
/// # Source
/// "SLEEP storage", section 8.
pub fn read_key_pair(store: &dyn RandomAccess, key: &PublicKey) -> Result<Option<KeyPair>> {
    let Some(pair) = read_any_key_pair(store)? else { return Ok(None) };
    if pair.public() != *key {
        return Err(Error::SecretKeyMismatch { found: pair.public(), wanted: *key });
    }
    Ok(Some(pair))
}

/// As [`read_key_pair`], of whatever feed it is: so that a lost `key` is found again.
///
/// # Errors
/// [`Error::SecretKeyDamaged`], [`Error::Storage`].
pub fn read_any_key_pair(store: &dyn RandomAccess) -> Result<Option<KeyPair>> {
    let Some(bytes) = read::<SECRET_KEY_LEN>(FileName::SecretKey, store)? else { return Ok(None) };
    KeyPair::from_secret_bytes(&bytes).map(Some).map_err(|_| Error::SecretKeyDamaged)
}

/// Writes `key`.
///
/// # Durability
/// None until the store is synced.
///
/// # Errors
/// [`Error::Storage`].
pub fn write_key(store: &dyn RandomAccess, key: &PublicKey) -> Result<()> {
    store.write_at(0, key.as_bytes()).map_err(Error::in_file(FileName::Key))
}

/// Writes `secret_key`, which nobody but its owner should be able to read.
///
/// # Durability
/// None until the store is synced.
///
/// # Errors
/// [`Error::Storage`].
pub fn write_key_pair(store: &dyn RandomAccess, pair: &KeyPair) -> Result<()> {
    let bytes = pair.secret_bytes();
    store.write_at(0, bytes.as_slice()).map_err(Error::in_file(FileName::SecretKey))
}

fn read<const N: usize>(
    file: FileName,
    store: &dyn RandomAccess,
) -> Result<Option<Zeroizing<[u8; N]>>> {
    let failed = Error::in_file(file);
    if store.len().map_err(&failed)? < N as u64 {
        return Ok(None);
    }
    let mut bytes = Zeroizing::new([0; N]);
    store.read_at(0, bytes.as_mut_slice()).map_err(&failed)?;
    Ok(Some(bytes))
}
