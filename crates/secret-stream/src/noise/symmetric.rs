//! The part of a handshake that both sides hold in common: what was said, hashed, and the keys
//! that follow from the secrets shared so far.

use bytes::{BufMut as _, BytesMut};
use zeroize::Zeroizing;

use super::NoiseError;
use crate::aead;
use crate::hash::{HASH_LEN, SecretHash, derive_pair, hash};
use crate::poly1305::TAG_LEN;

/// The symmetric state of the Noise specification, with its cipher.
pub(super) struct Symmetric {
    /// Everything said so far. Not a secret by itself.
    hash: [u8; HASH_LEN],
    /// Every secret shared so far.
    chaining: SecretHash,
    /// `None` until the first secret is shared.
    key: Option<Zeroizing<[u8; 32]>>,
    /// What was encrypted or decrypted with `key`.
    nonce: u64,
}

impl Symmetric {
    /// Starts with the name of the protocol, of at most 64 bytes.
    ///
    /// # Source
    /// wire.md section 2.2.
    pub(super) fn new(name: &[u8], prologue: &[u8]) -> Self {
        let mut start = [0; HASH_LEN];
        for (to, byte) in start.iter_mut().zip(name) {
            *to = *byte;
        }
        let chaining = Zeroizing::new(start);
        let mut symmetric = Self { hash: start, chaining, key: None, nonce: 0 };
        symmetric.mix_hash(prologue);
        symmetric
    }

    /// Takes note of bytes that both sides have seen.
    pub(super) fn mix_hash(&mut self, bytes: &[u8]) {
        self.hash = hash(&[&self.hash, bytes]);
    }

    /// Makes new keys of a shared secret.
    pub(super) fn mix_key(&mut self, secret: &[u8]) {
        let (chaining, key) = derive_pair(&self.chaining, secret);
        self.chaining = chaining;
        self.key = Some(cipher_key(&key));
        self.nonce = 0;
    }

    /// Appends `plaintext` to `output`, encrypted once there is a key.
    pub(super) fn encrypt_and_hash(&mut self, plaintext: &[u8], output: &mut BytesMut) {
        let start = output.len();
        output.put_slice(plaintext);
        let sealed = output.get_mut(start..).unwrap_or_default();
        if let Some(key) = &self.key {
            let tag = aead::seal(key, self.nonce, &self.hash, sealed);
            output.put_slice(&tag);
            self.nonce = self.nonce.wrapping_add(1);
        }
        self.mix_hash(output.get(start..).unwrap_or_default());
    }

    /// The plaintext of `sealed`, which is one already while there is no key.
    pub(super) fn decrypt_and_hash(&mut self, sealed: &[u8]) -> Result<Vec<u8>, NoiseError> {
        let plaintext = match &self.key {
            None => sealed.to_vec(),
            Some(key) => {
                let (data, tag) =
                    sealed.split_last_chunk::<TAG_LEN>().ok_or(NoiseError::Truncated)?;
                let mut data = data.to_vec();
                if !aead::open(key, self.nonce, &self.hash, &mut data, tag) {
                    return Err(NoiseError::Forged);
                }
                self.nonce = self.nonce.wrapping_add(1);
                data
            }
        };
        self.mix_hash(sealed);
        Ok(plaintext)
    }

    /// Everything said so far, hashed.
    pub(super) fn hash(&self) -> &[u8; HASH_LEN] {
        &self.hash
    }

    /// The keys of what the initiator and of what the responder sends.
    pub(super) fn split(&self) -> (Zeroizing<[u8; 32]>, Zeroizing<[u8; 32]>) {
        let (first, second) = derive_pair(&self.chaining, &[]);
        (cipher_key(&first), cipher_key(&second))
    }

    /// The chaining key and the cipher key, to compare with recorded ones.
    #[cfg(test)]
    pub(super) fn keys(&self) -> (&[u8; HASH_LEN], Option<&[u8; 32]>) {
        (&self.chaining, self.key.as_deref())
    }
}

/// The first half of an output of HKDF.
fn cipher_key(output: &SecretHash) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    for (to, byte) in key.iter_mut().zip(&**output) {
        *to = *byte;
    }
    key
}
