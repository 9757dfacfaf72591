//! Headers: what a core is, and its state at the last checkpoint, as bytes.
//!
//! Pure: a header does not know which slot or file it came from, and reading one does not check that
//! the manifest hashes to the key or that the signature holds. Headers carry the secret key: it is
//! never printed, and buffers with it are wiped.

use compact_encoding::{
    ARRAY_LEN_MAX, Decode, DecodeError, DecodeErrorKind, Decoder, Encode, Encoder, uint_len,
};
use hypercore_crypto::{
    CoreKey, Hash, KeyPair, MANIFEST_VERSION_MAX, Manifest, ManifestSigner, PublicKey,
};
use zeroize::Zeroizing;

use crate::frame::FRAME_HEADER_LEN;
use crate::oplog::SLOT_LEN;
use crate::seal::{Counts, SEAL_LEN};
use crate::user_data::UserData;

#[cfg(test)]
mod tests;

/// The version written. Version 0 is read too; above this is [`HeaderError::Version`].
pub(crate) const HEADER_VERSION: u64 = 1;

/// Bytes an encoded header may have: 64 MiB.
///
/// User data of another program can reach it (this one takes 16 MiB), as can a manifest of a million
/// signers; a damaged slot can name any length. Longer ones are neither written nor read.
pub(crate) const HEADER_LEN_MAX: usize = 64 * 1024 * 1024;

const EXTERNAL: u64 = 1;
const MANIFEST: u64 = 2;
const KEY_PAIR: u64 = 4;

/// What a version 0 header says its tree, bitfield and signer are.
const VERSION_0_TYPES: [&str; 3] = ["blake2b", "raw", "ed25519"];

/// The state of a core at a checkpoint.
///
/// # Source
/// formats.md section 8.5.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    /// The core's key.
    pub(crate) key: CoreKey,
    /// Who may sign. A reader that only knows the key has none.
    pub(crate) manifest: Option<Manifest>,
    /// The key pair this core signs with here.
    pub(crate) key_pair: Option<StoredKeyPair>,
    /// Values of the application, in order of insertion.
    pub(crate) user_data: UserData,
    /// The head.
    pub(crate) tree: HeaderTree,
    /// The last few forks: a hint.
    pub(crate) reorg_hints: Vec<ReorgHint>,
    /// Blocks stored without a gap from the first: a hint, which may exceed the length.
    pub(crate) contiguous_length: u64,
    /// What it counts on, where it is sealed.
    pub(crate) counts: Option<Counts>,
}

/// A key pair as it is stored: the secret half may be missing.
#[derive(Clone, Debug)]
pub(crate) struct StoredKeyPair {
    /// The public key.
    pub(crate) public: PublicKey,
    /// The pair, if the secret key is stored too. Its public key is `public`.
    pub(crate) secret: Option<KeyPair>,
}

impl From<KeyPair> for StoredKeyPair {
    fn from(pair: KeyPair) -> Self {
        Self { public: pair.public(), secret: Some(pair) }
    }
}

/// The head in a header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeaderTree {
    /// Fork number.
    pub(crate) fork: u64,
    /// Blocks.
    pub(crate) length: u64,
    /// Tree hash; absent in a core that never had a block.
    pub(crate) root_hash: Option<Hash>,
    /// Signature; absent without a block.
    pub(crate) signature: Option<Vec<u8>>,
}

/// One change of fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReorgHint {
    /// The fork before.
    pub(crate) from: u64,
    /// The fork after.
    pub(crate) to: u64,
    /// Blocks that both share.
    pub(crate) ancestors: u64,
}

impl Encode for HeaderTree {
    fn encoded_len(&self) -> usize {
        let root_hash = self.root_hash.map_or(0, |hash| hash.as_bytes().len());
        let signature = self.signature.as_ref().map_or(0, Vec::len);
        [uint_len(self.fork), uint_len(self.length), buffer_len(root_hash), buffer_len(signature)]
            .into_iter()
            .fold(0, usize::saturating_add)
    }

    fn encode(&self, out: &mut Encoder) {
        out.uint(self.fork);
        out.uint(self.length);
        out.optional_buffer(self.root_hash.as_ref().map(AsRef::as_ref));
        out.optional_buffer(self.signature.as_deref());
    }
}

impl Decode<'_> for HeaderTree {
    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let (fork, length) = (input.uint()?, input.uint()?);
        let offset = input.position();
        let root_hash = input.optional_buffer()?.map(Hash::try_from).transpose();
        let root_hash = root_hash.map_err(|_| invalid(offset, "length of a root hash"))?;
        let signature = input.optional_buffer()?.map(<[u8]>::to_vec);
        Ok(Self { fork, length, root_hash, signature })
    }
}

impl Encode for StoredKeyPair {
    fn encoded_len(&self) -> usize {
        let secret = if self.secret.is_some() { buffer_len(64) } else { 1 };
        secret.saturating_add(buffer_len(32))
    }

    fn encode(&self, out: &mut Encoder) {
        out.buffer(self.public.as_bytes());
        let secret = self.secret.as_ref().map(KeyPair::secret_bytes);
        out.optional_buffer(secret.as_ref().map(|bytes| bytes.as_slice()));
    }
}

impl Decode<'_> for StoredKeyPair {
    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let offset = input.position();
        let public = PublicKey::try_from(input.buffer()?)
            .map_err(|_| invalid(offset, "length of a public key"))?;
        let offset = input.position();
        let Some(secret) = input.optional_buffer()? else {
            return Ok(Self { public, secret: None });
        };
        let secret: &[u8; 64] =
            secret.try_into().map_err(|_| invalid(offset, "length of a secret key"))?;
        let pair = KeyPair::from_parts(&public, secret)
            .map_err(|_| invalid(offset, "secret key: it does not belong to the public key"))?;
        Ok(Self { public, secret: Some(pair) })
    }
}

/// A header that is not in its slot but in the header file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExternalHeader {
    /// Byte offset in the header file.
    pub(crate) start: u64,
    /// Bytes there.
    pub(crate) len: u64,
}

/// What a slot holds.
#[derive(Clone, Debug)]
pub(crate) enum SlotContent {
    /// The header itself.
    Inline(Box<Header>),
    /// Where the header is.
    External(ExternalHeader),
}

/// Why bytes are not a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeaderError {
    /// The header, or the manifest in it, has a version that is newer than what is known here.
    #[error("the header is of a newer version")]
    Version,
    /// The bytes break the format.
    #[error("the header does not decode")]
    Invalid(#[from] DecodeError),
}

impl SlotContent {
    /// Reads the content of a header slot.
    ///
    /// Unknown flags and bytes after the last field are ignored, as JavaScript does: a field was added at
    /// the end of version 1 before, and may be again.
    ///
    /// # Errors
    /// [`HeaderError`].
    ///
    /// # Source
    /// formats.md section 8.5.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, HeaderError> {
        let input = &mut Decoder::new(bytes);
        match input.uint()? {
            0 => return Ok(Self::Inline(Box::new(decode_version_0(input)?))),
            HEADER_VERSION => (),
            _ => return Err(HeaderError::Version),
        }
        let flags = input.uint()?;
        if flags & EXTERNAL != 0 {
            let (start, len) = (input.uint()?, input.uint()?);
            return Ok(Self::External(ExternalHeader { start, len }));
        }
        Ok(Self::Inline(Box::new(decode_version_1(flags, input)?)))
    }
}

impl ExternalHeader {
    /// The content of a slot that points here.
    pub(crate) fn to_slot_content(self) -> Vec<u8> {
        let mut out = Encoder::new();
        out.uint(HEADER_VERSION);
        out.uint(EXTERNAL);
        out.uint(self.start);
        out.uint(self.len);
        out.into_vec()
    }
}

fn decode_version_1(flags: u64, input: &mut Decoder<'_>) -> Result<Header, HeaderError> {
    let key = CoreKey::decode(input)?;
    let manifest = if flags & MANIFEST == 0 { None } else { Some(decode_manifest(input)?) };
    let key_pair = if flags & KEY_PAIR == 0 { None } else { Some(StoredKeyPair::decode(input)?) };
    Ok(Header {
        key,
        manifest,
        key_pair,
        user_data: UserData::decode(input)?,
        tree: HeaderTree::decode(input)?,
        reorg_hints: decode_reorg_hints(input)?,
        contiguous_length: decode_contiguous_length(input)?,
        counts: None,
    })
}

fn decode_version_0(input: &mut Decoder<'_>) -> Result<Header, HeaderError> {
    for name in VERSION_0_TYPES {
        let offset = input.position();
        if input.string()? != name {
            return Err(invalid(offset, "type in a version 0 header").into());
        }
    }
    let user_data = UserData::decode(input)?;
    let tree = HeaderTree::decode(input)?;
    let offset = input.position();
    let pair = StoredKeyPair::decode(input)?;
    let signer = ManifestSigner::new(pair.public);
    let manifest = Manifest::builder().version(0).quorum(1).signer(signer).build();
    Ok(Header {
        key: CoreKey::from_bytes(*pair.public.as_bytes()),
        manifest: Some(manifest.map_err(|_| invalid(offset, "signer of a version 0 header"))?),
        key_pair: Some(pair).filter(|pair| pair.secret.is_some()),
        user_data,
        tree,
        reorg_hints: decode_reorg_hints(input)?,
        contiguous_length: decode_contiguous_length(input)?,
        counts: None,
    })
}

fn decode_manifest(input: &mut Decoder<'_>) -> Result<Manifest, HeaderError> {
    // A manifest of a later version is not damage: say so.
    if input.clone().uint()? > u64::from(MANIFEST_VERSION_MAX) {
        return Err(HeaderError::Version);
    }
    Ok(Manifest::decode(input)?)
}

fn decode_reorg_hints(input: &mut Decoder<'_>) -> Result<Vec<ReorgHint>, DecodeError> {
    input.array(3, |input| {
        Ok(ReorgHint { from: input.uint()?, to: input.uint()?, ancestors: input.uint()? })
    })
}

fn decode_contiguous_length(input: &mut Decoder<'_>) -> Result<u64, DecodeError> {
    if input.is_empty() { Ok(0) } else { input.uint() }
}

/// A header has more bytes, or more keys of user data, than can be read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a header of {len} bytes is too large")]
pub(crate) struct HeaderTooLarge {
    /// Its length in bytes.
    pub(crate) len: usize,
}

impl Header {
    /// Whether this can be the header that a core was made with: it had no block yet, and no fork.
    pub(crate) fn may_be_first(&self) -> bool {
        self.tree == HeaderTree::default()
    }

    fn flags(&self) -> u64 {
        let manifest = if self.manifest.is_some() { MANIFEST } else { 0 };
        let key_pair = if self.key_pair.is_some() { KEY_PAIR } else { 0 };
        manifest | key_pair
    }

    /// Refuses a header that could not be read back; to be asked before user data is accepted.
    ///
    /// # Errors
    /// [`HeaderTooLarge`] above [`HEADER_LEN_MAX`] bytes or [`ARRAY_LEN_MAX`] keys.
    pub(crate) fn check_len(&self) -> Result<(), HeaderTooLarge> {
        let len = self.encoded_len();
        let fits = len <= HEADER_LEN_MAX
            && self.user_data.len() <= ARRAY_LEN_MAX
            && self.reorg_hints.len() <= ARRAY_LEN_MAX;
        if fits { Ok(()) } else { Err(HeaderTooLarge { len }) }
    }

    /// Whether it goes into a slot, with its seal.
    pub(crate) fn fits_slot(&self) -> bool {
        let seal = if self.counts.is_some() { SEAL_LEN } else { 0 };
        let len = self.encoded_len().saturating_add(seal).saturating_add(FRAME_HEADER_LEN);
        len as u64 <= SLOT_LEN
    }

    /// The encoding, without a seal, in a buffer that is wiped and never moved while it is filled.
    pub(crate) fn to_secret_vec(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Encoder::with_capacity(self.encoded_len().saturating_add(SEAL_LEN));
        self.encode(&mut out);
        Zeroizing::new(out.into_vec())
    }
}

/// Always version 1, without the external flag.
impl Encode for Header {
    fn encoded_len(&self) -> usize {
        let hints = self
            .reorg_hints
            .iter()
            .flat_map(|hint| [hint.from, hint.to, hint.ancestors])
            .map(uint_len)
            .fold(uint_len(self.reorg_hints.len() as u64), usize::saturating_add);
        [
            uint_len(HEADER_VERSION),
            uint_len(self.flags()),
            self.key.encoded_len(),
            self.manifest.as_ref().map_or(0, Encode::encoded_len),
            self.key_pair.as_ref().map_or(0, Encode::encoded_len),
            self.user_data.encoded_len(),
            self.tree.encoded_len(),
            hints,
            uint_len(self.contiguous_length),
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
    }

    fn encode(&self, out: &mut Encoder) {
        out.uint(HEADER_VERSION);
        out.uint(self.flags());
        out.value(&self.key);
        if let Some(manifest) = &self.manifest {
            out.value(manifest);
        }
        if let Some(pair) = &self.key_pair {
            out.value(pair);
        }
        out.value(&self.user_data);
        out.value(&self.tree);
        out.array(&self.reorg_hints, |out, hint| {
            out.uint(hint.from);
            out.uint(hint.to);
            out.uint(hint.ancestors);
        });
        out.uint(self.contiguous_length);
    }
}

/// Bytes of a length and what follows it.
pub(crate) fn buffer_len(len: usize) -> usize {
    uint_len(len as u64).saturating_add(len)
}

fn invalid(offset: usize, what: &'static str) -> DecodeError {
    DecodeError::new(offset, DecodeErrorKind::Invalid(what))
}
