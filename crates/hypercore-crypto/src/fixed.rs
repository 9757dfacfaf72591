//! The named byte values of fixed length: hashes, keys, namespaces, and the 64-byte signature.
//!
//! They have one shape and many meanings; a type for each keeps a core key from being passed
//! where a discovery key belongs. All are public values and may be printed.

use std::fmt;
use std::str::FromStr;

use compact_encoding::{Decode, DecodeError, Decoder, Encode, Encoder};

use crate::hex::{self, HexError};

/// Bytes of a wrong length were given where a fixed number is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} bytes, found {found}")]
pub struct LengthError {
    /// The number of bytes needed.
    pub expected: usize,
    /// The number of bytes given.
    pub found: usize,
}

macro_rules! fixed_bytes {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Takes the bytes as they are.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl From<[u8; $len]> for $name {
            fn from(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = LengthError;

            fn try_from(bytes: &[u8]) -> Result<Self, LengthError> {
                match <[u8; $len]>::try_from(bytes) {
                    Ok(bytes) => Ok(Self(bytes)),
                    Err(_) => Err(LengthError { expected: $len, found: bytes.len() }),
                }
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                hex::write(f, &self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "("))?;
                hex::write(f, &self.0)?;
                f.write_str(")")
            }
        }

        impl Encode for $name {
            fn encoded_len(&self) -> usize {
                $len
            }

            fn encode(&self, out: &mut Encoder) {
                out.fixed(&self.0);
            }
        }

        impl<'a> Decode<'a> for $name {
            fn decode(input: &mut Decoder<'a>) -> Result<Self, DecodeError> {
                input.fixed::<$len>().map(|bytes| Self(*bytes))
            }
        }
    };
}

fixed_bytes! {
    /// A 32-byte BLAKE2b hash.
    Hash, 32
}

fixed_bytes! {
    /// An Ed25519 public key.
    ///
    /// Any 32 bytes: whether they are a usable point shows when a signature is verified.
    PublicKey, 32
}

fixed_bytes! {
    /// The key that names a core: the hash of its manifest, or for compat cores the public key of
    /// its one signer.
    CoreKey, 32
}

fixed_bytes! {
    /// What a core is announced under: derived from the [`CoreKey`], which it does not reveal.
    DiscoveryKey, 32
}

fixed_bytes! {
    /// A value that keeps hashes or signatures of one purpose apart from those of another.
    Namespace, 32
}

fixed_bytes! {
    /// An Ed25519 signature.
    Signature, 64
}

/// What `Display` writes is read back; a [`CoreKey`] reads ids as well.
macro_rules! from_hex {
    ($($name:ident),*) => {$(
        impl FromStr for $name {
            type Err = HexError;

            fn from_str(text: &str) -> Result<Self, HexError> {
                hex::read(text).map(Self)
            }
        }
    )*};
}

from_hex!(DiscoveryKey, Hash, Namespace, PublicKey, Signature);
