//! The bytes of a manifest.
//!
//! Decoding takes whatever JavaScript takes: unknown flags and bytes left over are ignored, and a
//! quorum may be larger than the list of signers.

use compact_encoding::{
    Decode, DecodeError, DecodeErrorKind, Decoder, Encode, Encoder, buffer_len, uint_len,
};

use crate::fixed::{CoreKey, Hash, Namespace, PublicKey};
use crate::manifest::{MANIFEST_VERSION_MAX, Manifest, ManifestSigner, Prologue};

const ALLOW_PATCH: u64 = 1;
const PROLOGUE: u64 = 2;
const LINKED: u64 = 4;
const USER_DATA: u64 = 8;

/// The number of BLAKE2b, the only hash.
const HASH_BLAKE2B: u64 = 0;
/// The number of Ed25519, the only signature.
const SIGNATURE_ED25519: u64 = 0;

/// Fewest bytes of a signer: algorithm, namespace, public key.
const SIGNER_LEN: usize = 65;

/// Kinds of version 0 manifest.
const V0_STATIC: u64 = 0;
const V0_SINGLE: u64 = 1;
const V0_MULTI: u64 = 2;

impl Manifest {
    /// The kind that a version 0 manifest is written as.
    fn v0_kind(&self) -> u64 {
        if self.prologue.is_some() && self.signers.is_empty() {
            V0_STATIC
        } else if self.quorum == 1 && self.signers.len() == 1 && !self.allow_patch {
            V0_SINGLE
        } else {
            V0_MULTI
        }
    }

    fn flags(&self) -> u64 {
        [
            (self.allow_patch, ALLOW_PATCH),
            (self.prologue.is_some(), PROLOGUE),
            (self.linked.is_some(), LINKED),
            (self.user_data.is_some(), USER_DATA),
        ]
        .into_iter()
        .fold(0, |flags, (set, flag)| if set { flags | flag } else { flags })
    }

    fn encode_v0(&self, out: &mut Encoder) {
        let kind = self.v0_kind();
        out.uint(HASH_BLAKE2B);
        out.uint(kind);
        match (kind, &self.prologue, self.signers.as_slice()) {
            (V0_STATIC, Some(prologue), _) => prologue.hash.encode(out),
            (V0_SINGLE, _, [signer]) => signer.encode(out),
            _ => {
                out.uint(if self.allow_patch { ALLOW_PATCH } else { 0 });
                out.uint(self.quorum);
                out.array(&self.signers, |out, signer| signer.encode(out));
            }
        }
    }

    fn decode_v0(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decode_hash(input)?;
        let mut manifest = Self {
            version: 0,
            allow_patch: false,
            quorum: 0,
            signers: Vec::new(),
            prologue: None,
            linked: None,
            user_data: None,
        };
        let at = input.position();
        match input.uint()? {
            V0_STATIC => {
                manifest.prologue = Some(Prologue { hash: Hash::decode(input)?, length: 0 });
            }
            V0_SINGLE => {
                manifest.quorum = 1;
                manifest.signers.push(ManifestSigner::decode(input)?);
            }
            V0_MULTI => {
                manifest.allow_patch = input.uint()? & ALLOW_PATCH != 0;
                manifest.quorum = input.uint()?;
                manifest.signers = input.array(SIGNER_LEN, ManifestSigner::decode)?;
            }
            _ => return Err(invalid(at, "kind of version 0 manifest")),
        }
        Ok(manifest)
    }
}

impl Encode for Manifest {
    fn encoded_len(&self) -> usize {
        let signers = self.signers.len().saturating_mul(SIGNER_LEN);
        let list = uint_len(self.signers.len() as u64).saturating_add(signers);
        if self.version == 0 {
            // Version, hash and kind; then what the kind holds.
            let rest = match self.v0_kind() {
                V0_STATIC => 32,
                V0_SINGLE => SIGNER_LEN,
                _ => 1_usize.saturating_add(uint_len(self.quorum)).saturating_add(list),
            };
            return 3_usize.saturating_add(rest);
        }
        let prologue = self
            .prologue
            .as_ref()
            .map_or(0, |prologue| uint_len(prologue.length).saturating_add(32));
        let linked = self.linked.as_ref().map_or(0, |linked| {
            uint_len(linked.len() as u64).saturating_add(linked.len().saturating_mul(32))
        });
        let user_data = self.user_data.as_ref().map_or(0, |data| buffer_len(data.len()));
        [3, uint_len(self.quorum), list, prologue, linked, user_data]
            .into_iter()
            .fold(0, usize::saturating_add)
    }

    fn encode(&self, out: &mut Encoder) {
        out.uint(u64::from(self.version));
        if self.version == 0 {
            return self.encode_v0(out);
        }
        out.uint(self.flags());
        out.uint(HASH_BLAKE2B);
        out.uint(self.quorum);
        out.array(&self.signers, |out, signer| signer.encode(out));
        if let Some(prologue) = &self.prologue {
            prologue.hash.encode(out);
            out.uint(prologue.length);
        }
        if let Some(linked) = &self.linked {
            out.array(linked, |out, key| key.encode(out));
        }
        if let Some(user_data) = &self.user_data {
            out.buffer(user_data);
        }
    }
}

impl<'a> Decode<'a> for Manifest {
    fn decode(input: &mut Decoder<'a>) -> Result<Self, DecodeError> {
        let at = input.position();
        let version = match u8::try_from(input.uint()?) {
            Ok(0) => return Self::decode_v0(input),
            Ok(version) if version <= MANIFEST_VERSION_MAX => version,
            _ => return Err(invalid(at, "manifest version")),
        };
        let flags = input.uint()?;
        decode_hash(input)?;
        Ok(Self {
            version,
            allow_patch: flags & ALLOW_PATCH != 0,
            quorum: input.uint()?,
            signers: input.array(SIGNER_LEN, ManifestSigner::decode)?,
            prologue: if flags & PROLOGUE == 0 {
                None
            } else {
                Some(Prologue { hash: Hash::decode(input)?, length: input.uint()? })
            },
            linked: if flags & LINKED == 0 {
                None
            } else {
                Some(input.array(32, CoreKey::decode)?)
            },
            user_data: if flags & USER_DATA == 0 { None } else { Some(input.buffer()?.to_vec()) },
        })
    }
}

impl Encode for ManifestSigner {
    fn encoded_len(&self) -> usize {
        SIGNER_LEN
    }

    fn encode(&self, out: &mut Encoder) {
        out.uint(SIGNATURE_ED25519);
        self.namespace.encode(out);
        self.public_key.encode(out);
    }
}

impl<'a> Decode<'a> for ManifestSigner {
    fn decode(input: &mut Decoder<'a>) -> Result<Self, DecodeError> {
        let at = input.position();
        if input.uint()? != SIGNATURE_ED25519 {
            return Err(invalid(at, "signature algorithm of a signer"));
        }
        Ok(Self { namespace: Namespace::decode(input)?, public_key: PublicKey::decode(input)? })
    }
}

fn decode_hash(input: &mut Decoder<'_>) -> Result<(), DecodeError> {
    let at = input.position();
    if input.uint()? == HASH_BLAKE2B { Ok(()) } else { Err(invalid(at, "hash of a manifest")) }
}

fn invalid(offset: usize, what: &'static str) -> DecodeError {
    DecodeError::new(offset, DecodeErrorKind::Invalid(what))
}
