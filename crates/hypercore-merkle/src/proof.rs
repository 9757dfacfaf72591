//! What a prover answers, and how the answer is written.
//!
//! A decoded proof is only well formed; nothing in it is true before
//! [`Tree::verify`](crate::Tree::verify) says so. Decoding allocates no more than the message holds.

use bytes::Bytes;
use compact_encoding::{
    Decode, DecodeError, DecodeErrorKind, Decoder, Encode, Encoder, buffer_len, uint_len,
};
use flat_tree::Index;
use hypercore_crypto::Manifest;

use crate::node::{NODE_LEN_MIN, Node};

/// Nodes that one list of a proof may have; a longer one is refused when it is decoded. A way to a root has at most 52
/// siblings and a tree at most 53 roots, so no honest list has as many.
const NODES_MAX: usize = 256;

const BLOCK: u64 = 1;
const HASH: u64 = 2;
const SEEK: u64 = 4;
const UPGRADE: u64 = 8;
const MANIFEST: u64 = 16;

/// Nodes, perhaps a block, perhaps a signature.
///
/// # Source
/// formats.md sections 7.1 and 7.3.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proof {
    /// The fork of the prover's tree.
    pub fork: u64,
    /// A block with the nodes that lead to a known one.
    pub block: Option<BlockProof>,
    /// A node with the nodes that lead to a known one.
    pub hash: Option<HashProof>,
    /// The nodes that tell which block holds a byte.
    pub seek: Option<SeekProof>,
    /// The nodes of a longer tree and its signature.
    pub upgrade: Option<UpgradeProof>,
    /// Who may sign.
    pub manifest: Option<Manifest>,
}

/// A block and the siblings on the way up from it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BlockProof {
    /// The block.
    pub index: u64,
    /// Its bytes as stored. Cloning does not copy them; out of [`Data::decode_frame`] they are a part of the frame.
    pub value: Bytes,
    /// The siblings; the block's own leaf is not among them.
    pub nodes: Vec<Node>,
}

/// A node and the siblings on the way up from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashProof {
    /// The node.
    pub index: Index,
    /// The node itself, unless the seek part leads to it, then the siblings.
    pub nodes: Vec<Node>,
}

/// A node that begins at, or contains, the byte sought, and the siblings on the way up from it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SeekProof {
    /// The position, repeated from the request. Not verified and without effect.
    pub bytes: u64,
    /// The node, then the siblings.
    pub nodes: Vec<Node>,
}

/// What a longer tree needs beyond a shorter one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UpgradeProof {
    /// Blocks of the shorter tree.
    pub start: u64,
    /// Blocks beyond them.
    pub length: u64,
    /// Nodes that lead from `start` to `start + length` blocks.
    pub nodes: Vec<Node>,
    /// Nodes that lead on to the length that is signed.
    pub additional_nodes: Vec<Node>,
    /// The signature of the tree with all of these; `None` where a prologue vouches for it.
    pub signature: Option<Vec<u8>>,
}

/// A proof as the answer to a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Data {
    /// The [`id`](crate::Request::id) of the request.
    pub request_id: u64,
    /// The answer.
    pub proof: Proof,
}

impl Proof {
    fn flags(&self) -> u64 {
        let flag = |set: bool, bit: u64| if set { bit } else { 0 };
        flag(self.block.is_some(), BLOCK)
            | flag(self.hash.is_some(), HASH)
            | flag(self.seek.is_some(), SEEK)
            | flag(self.upgrade.is_some(), UPGRADE)
            | flag(self.manifest.is_some(), MANIFEST)
    }
}

impl Encode for Data {
    fn encoded_len(&self) -> usize {
        let proof = &self.proof;
        let numbers = [proof.flags(), self.request_id, proof.fork];
        let mut len = sum(&numbers.map(uint_len));
        if let Some(block) = &proof.block {
            let value = buffer_len(block.value.len());
            len = sum(&[len, uint_len(block.index), value, nodes_len(&block.nodes)]);
        }
        if let Some(hash) = &proof.hash {
            len = sum(&[len, uint_len(hash.index.get()), nodes_len(&hash.nodes)]);
        }
        if let Some(seek) = &proof.seek {
            len = sum(&[len, uint_len(seek.bytes), nodes_len(&seek.nodes)]);
        }
        if let Some(upgrade) = &proof.upgrade {
            len = sum(&[
                len,
                uint_len(upgrade.start),
                uint_len(upgrade.length),
                nodes_len(&upgrade.nodes),
                nodes_len(&upgrade.additional_nodes),
                buffer_len(upgrade.signature.as_ref().map_or(0, Vec::len)),
            ]);
        }
        let manifest = proof.manifest.as_ref().map_or(0, Encode::encoded_len);
        len.saturating_add(manifest)
    }

    fn encode(&self, out: &mut Encoder) {
        let proof = &self.proof;
        out.uint(proof.flags());
        out.uint(self.request_id);
        out.uint(proof.fork);
        if let Some(block) = &proof.block {
            out.uint(block.index);
            out.buffer(&block.value);
            encode_nodes(&block.nodes, out);
        }
        if let Some(hash) = &proof.hash {
            out.uint(hash.index.get());
            encode_nodes(&hash.nodes, out);
        }
        if let Some(seek) = &proof.seek {
            out.uint(seek.bytes);
            encode_nodes(&seek.nodes, out);
        }
        if let Some(upgrade) = &proof.upgrade {
            out.uint(upgrade.start);
            out.uint(upgrade.length);
            encode_nodes(&upgrade.nodes, out);
            encode_nodes(&upgrade.additional_nodes, out);
            out.optional_buffer(upgrade.signature.as_deref());
        }
        if let Some(manifest) = &proof.manifest {
            manifest.encode(out);
        }
    }
}

impl Data {
    /// Decodes a message that came in `frame`: the block is a part of it and is not copied, so the frame is kept as long
    /// as the block is.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    pub fn decode_frame(frame: &Bytes) -> Result<Self, DecodeError> {
        Self::decode_with(&mut Decoder::new(frame), |value| frame.slice_ref(value))
    }

    fn decode_with(
        input: &mut Decoder<'_>,
        keep: impl FnOnce(&[u8]) -> Bytes,
    ) -> Result<Self, DecodeError> {
        let flags = input.uint()?;
        let request_id = input.uint()?;
        let mut proof = Proof { fork: input.uint()?, ..Proof::default() };
        if flags & BLOCK != 0 {
            let index = input.uint()?;
            let value = input.buffer()?;
            let nodes = decode_nodes(input)?;
            proof.block = Some(BlockProof { index, value: keep(value), nodes });
        }
        if flags & HASH != 0 {
            let index = Index::new(input.uint()?);
            proof.hash = Some(HashProof { index, nodes: decode_nodes(input)? });
        }
        if flags & SEEK != 0 {
            proof.seek = Some(SeekProof { bytes: input.uint()?, nodes: decode_nodes(input)? });
        }
        if flags & UPGRADE != 0 {
            proof.upgrade = Some(UpgradeProof {
                start: input.uint()?,
                length: input.uint()?,
                nodes: decode_nodes(input)?,
                additional_nodes: decode_nodes(input)?,
                signature: input.optional_buffer()?.map(<[u8]>::to_vec),
            });
        }
        if flags & MANIFEST != 0 {
            proof.manifest = Some(Manifest::decode(input)?);
        }
        Ok(Self { request_id, proof })
    }
}

/// Unknown flags are ignored, as JavaScript does; what follows the known parts is the caller's.
impl Decode<'_> for Data {
    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Self::decode_with(input, Bytes::copy_from_slice)
    }
}

fn sum(lens: &[usize]) -> usize {
    lens.iter().fold(0, |sum, len| sum.saturating_add(*len))
}

fn nodes_len(nodes: &[Node]) -> usize {
    let len: usize = nodes.iter().map(Encode::encoded_len).sum();
    len.saturating_add(uint_len(nodes.len() as u64))
}

fn encode_nodes(nodes: &[Node], out: &mut Encoder) {
    out.array_len(nodes.len());
    for node in nodes {
        node.encode(out);
    }
}

fn decode_nodes(input: &mut Decoder<'_>) -> Result<Vec<Node>, DecodeError> {
    let start = input.position();
    let count = input.array_len(NODE_LEN_MIN)?;
    if count > NODES_MAX {
        return Err(DecodeError::new(start, DecodeErrorKind::TooManyElements));
    }
    let mut nodes = Vec::with_capacity(count);
    for _ in 0..count {
        nodes.push(Node::decode(input)?);
    }
    Ok(nodes)
}
