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

#[cfg(test)]
mod tests {
    use random_access_memory::RandomAccessMemory;

    use super::*;

    fn store(bytes: &[u8]) -> RandomAccessMemory {
        let store = RandomAccessMemory::new();
        store.write_at(0, bytes).unwrap();
        store
    }

    #[test]
    fn a_key_is_its_first_32_bytes() {
        let key = PublicKey::from_bytes([7; 32]);
        for len in [0, 1, 31] {
            assert_eq!(read_key(&store(&vec![7; len])).unwrap(), None);
        }
        for len in [32, 33, 64] {
            assert_eq!(read_key(&store(&vec![7; len])).unwrap(), Some(key));
        }
        let written = store(&[]);
        write_key(&written, &key).unwrap();
        assert_eq!(written.read_vec_at(0, 32).unwrap(), [7; 32]);
    }

    #[test]
    fn a_secret_key_is_both_halves_of_the_right_pair() {
        let pair = KeyPair::from_seed(&[3; 32]);
        let written = store(&[]);
        write_key_pair(&written, &pair).unwrap();
        let bytes = written.read_vec_at(0, SECRET_KEY_LEN).unwrap();
        assert_eq!(bytes, [[3; 32], *pair.public().as_bytes()].concat());
        let read = read_key_pair(&written, &pair.public()).unwrap().expect("a pair");
        assert_eq!(read.public(), pair.public());

        let other = KeyPair::from_seed(&[4; 32]).public();
        assert!(matches!(
            read_key_pair(&written, &other),
            Err(Error::SecretKeyMismatch { found, wanted }) if found == pair.public() && wanted == other
        ));
        assert!(read_any_key_pair(&written).unwrap().is_some());
        // Shorter is none, whatever it holds.
        assert!(read_key_pair(&store(&bytes[..63]), &pair.public()).unwrap().is_none());
        // Another seed with the right public half signs what nobody can verify.
        let forged = [[4; 32], *pair.public().as_bytes()].concat();
        for refused in
            [read_any_key_pair(&store(&forged)), read_key_pair(&store(&forged), &pair.public())]
        {
            assert!(matches!(refused, Err(Error::SecretKeyDamaged)));
        }
    }

    #[test]
    fn no_error_shows_the_seed() {
        let pair = KeyPair::from_seed(&[0x5e; 32]);
        let written = store(&[]);
        write_key_pair(&written, &pair).unwrap();
        let refused = read_key_pair(&written, &PublicKey::from_bytes([0; 32])).unwrap_err();
        assert!(!format!("{refused} {refused:?}").contains("5e5e5e5e"));
    }
}
