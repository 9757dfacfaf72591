//! Ed25519 key pairs, signing, and verification as libsodium does it.
//!
//! A secret key is wiped from memory when dropped and never printed. Nothing here draws
//! randomness: seeds are arguments.

use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use crate::fixed::{PublicKey, Signature};

/// A secret key does not belong to its public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret key does not belong to the public key")]
pub struct KeyPairMismatch;

/// An Ed25519 key pair: what a writer signs with.
///
/// Wiped when dropped; `Debug` shows the public half only.
#[derive(Clone)]
pub struct KeyPair {
    // Boxed, so that moving a key pair does not leave copies of the secret behind.
    signing: Box<SigningKey>,
}

impl KeyPair {
    /// Derives the pair of a 32-byte seed.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self { signing: Box::new(SigningKey::from_bytes(seed)) }
    }

    /// Takes a secret key as libsodium and JavaScript store it: the seed, then the public key.
    ///
    /// # Errors
    /// [`KeyPairMismatch`] when the second half is not the public key of the first. libsodium
    /// would sign with such a key, and two signatures of that kind can reveal it.
    pub fn from_secret_bytes(secret: &[u8; 64]) -> Result<Self, KeyPairMismatch> {
        SigningKey::from_keypair_bytes(secret)
            .map(|signing| Self { signing: Box::new(signing) })
            .map_err(|_| KeyPairMismatch)
    }

    /// Takes both halves as a storage header holds them, and checks that they belong together.
    ///
    /// # Errors
    /// [`KeyPairMismatch`] when they do not.
    ///
    /// # Source
    /// formats.md section 3.2 (a pair is consistent).
    pub fn from_parts(public: &PublicKey, secret: &[u8; 64]) -> Result<Self, KeyPairMismatch> {
        let pair = Self::from_secret_bytes(secret)?;
        if pair.public() == *public { Ok(pair) } else { Err(KeyPairMismatch) }
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey::from_bytes(self.signing.verifying_key().to_bytes())
    }

    /// Signs `message`; the same message always gets the same signature.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature::from_bytes(self.signing.sign(message).to_bytes())
    }

    /// The secret key as libsodium and JavaScript store it: the seed, then the public key.
    #[must_use]
    pub fn secret_bytes(&self) -> Zeroizing<[u8; 64]> {
        Zeroizing::new(self.signing.to_keypair_bytes())
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("public", &self.public()).finish_non_exhaustive()
    }
}

/// Whether `signature` is `public`'s signature of `message`, by libsodium's rules.
///
/// Refused are: another length than 64 bytes, an unreduced S, a public key that is not canonical
/// or of small order, an R of small order; then the plain equation without the cofactor decides.
///
/// # Source
/// formats.md section 3.2.
#[must_use]
pub fn verify(public: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    let Ok(signature) = ed25519_dalek::Signature::from_slice(signature) else { return false };
    // The library decodes a y coordinate of p or more as y - p; libsodium refuses it.
    if !is_canonical(public) {
        return false;
    }
    let Ok(key) = VerifyingKey::from_bytes(public.as_bytes()) else { return false };
    key.verify_strict(message, &signature).is_ok()
}

/// Whether the y coordinate is below the field's prime, 2^255 - 19.
fn is_canonical(public: &PublicKey) -> bool {
    let [low, middle @ .., high] = public.as_bytes();
    let all_ones = (high & 0x7f) == 0x7f && middle.iter().all(|byte| *byte == 0xff);
    !all_ones || *low < 0xed
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No signature can show this rule at work: nobody knows the secret of such a point, unless
    /// it is of small order, and then it is refused for that.
    #[test]
    fn a_key_is_canonical_below_the_prime() {
        let check = |low, middle, high, expected| {
            let mut key = [middle; 32];
            (key[0], key[31]) = (low, high);
            assert_eq!(is_canonical(&PublicKey::from_bytes(key)), expected, "{low:x} {high:x}");
        };
        for high in [0x7f, 0xff] {
            check(0xec, 0xff, high, true);
            check(0xed, 0xff, high, false);
            check(0xff, 0xff, high, false);
            check(0xff, 0xfe, high, true);
        }
        check(0xff, 0xff, 0x7e, true);
        check(0, 0, 0, true);
    }
}
