//! What serde makes of public values (feature `serde`).
//!
//! Where people read it (JSON), bytes are lower-case hex digits and a manifest has its fields; elsewhere both are bytes. Whatever is
//! read may be hostile: it passes the same checks as the encoding of the formats does, and allocates no more than a small multiple
//! of its own length. Secrets have no form here.

use std::fmt;

use compact_encoding::{Decode, Encode};
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fixed::{CoreKey, DiscoveryKey, Hash, Namespace, PublicKey, Signature};
use crate::hex;
use crate::sign::PartialSignature;
use crate::signature::SignatureNode;

/// Bytes that serde writes as hex digits where people read them, and as bytes elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct HexBytes(pub Vec<u8>);

struct Digits<'a>(&'a [u8]);

impl fmt::Display for Digits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(f, self.0)
    }
}

fn serialize_bytes<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        serializer.collect_str(&Digits(bytes))
    } else {
        serializer.serialize_bytes(bytes)
    }
}

impl Serialize for HexBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_bytes(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for HexBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_str(BytesVisitor)
        } else {
            deserializer.deserialize_byte_buf(BytesVisitor)
        }
    }
}

struct BytesVisitor;

impl<'de> Visitor<'de> for BytesVisitor {
    type Value = HexBytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes, or hex digits")
    }

    fn visit_str<E: serde::de::Error>(self, digits: &str) -> Result<HexBytes, E> {
        let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let byte = |[high, low]: &[u8; 2]| {
            let value = digit(*high)?.checked_mul(16)?.checked_add(digit(*low)?)?;
            u8::try_from(value).ok()
        };
        let bytes = pairs.iter().map(byte).collect::<Option<Vec<u8>>>();
        let bytes = bytes.filter(|_| rest.is_empty());
        bytes.map(HexBytes).ok_or_else(|| E::custom("expected pairs of hex digits"))
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<HexBytes, E> {
        Ok(HexBytes(bytes.to_vec()))
    }

    fn visit_byte_buf<E: serde::de::Error>(self, bytes: Vec<u8>) -> Result<HexBytes, E> {
        Ok(HexBytes(bytes))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut bytes: A) -> Result<HexBytes, A::Error> {
        let mut all = Vec::new();
        while let Some(byte) = bytes.next_element()? {
            all.push(byte);
        }
        Ok(HexBytes(all))
    }
}

macro_rules! fixed_bytes {
    ($($name:ident),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serialize_bytes(self.as_bytes(), serializer)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let HexBytes(bytes) = HexBytes::deserialize(deserializer)?;
                Self::try_from(bytes.as_slice()).map_err(D::Error::custom)
            }
        }
    )*};
}

fixed_bytes!(CoreKey, DiscoveryKey, Hash, Namespace, PublicKey, Signature);

/// Passes on what keeps its value through its own encoding: nothing else could be stored or sent.
pub(crate) fn checked<T, E>(value: T) -> Result<T, E>
where
    T: Encode + for<'a> Decode<'a> + PartialEq,
    E: serde::de::Error,
{
    match T::from_slice(&value.to_vec()) {
        Ok(again) if again == value => Ok(value),
        Ok(_) => Err(E::custom("has fields that do not go together")),
        Err(error) => Err(E::custom(error)),
    }
}

/// A part of a signature as it goes from a signer to whoever assembles it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PartForm {
    signer: u64,
    signature: Signature,
    length: u64,
    nodes: Vec<NodeForm>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeForm {
    index: u64,
    size: u64,
    hash: Hash,
}

impl Serialize for PartialSignature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { signer, signature, length, nodes } = self;
        let node = |SignatureNode { index, size, hash }: &SignatureNode| NodeForm {
            index: *index,
            size: *size,
            hash: *hash,
        };
        let nodes = nodes.iter().map(node).collect();
        PartForm { signer: *signer, signature: *signature, length: *length, nodes }
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PartialSignature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let PartForm { signer, signature, length, nodes } = PartForm::deserialize(deserializer)?;
        let node = |NodeForm { index, size, hash }| SignatureNode { index, size, hash };
        let nodes = nodes.into_iter().map(node).collect();
        checked(Self { signer, signature, length, nodes })
    }
}
