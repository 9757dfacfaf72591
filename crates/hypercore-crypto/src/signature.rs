//! The encodings of signatures by several signers.
//!
//! A multi signature is a list of proofs (who signed, the signature, how many blocks ahead that
//! signer was) and the tree nodes that lead from the signed length to the ones ahead. Whether it
//! convinces anyone is for [`Verifier`](crate::Verifier) to say.

use compact_encoding::{Decode, DecodeError, Decoder, Encode, Encoder, uint_len};

use crate::fixed::{Hash, Signature};
use crate::sign::PartialSignature;

/// Fewest bytes of a version 1 proof: signer, signature, patch.
const PROOF_LEN_MIN: usize = 66;
/// Fewest bytes of a version 0 proof: flags, signer, signature.
const PROOF_V0_LEN_MIN: usize = 66;
/// Fewest bytes of a node: index, size, hash.
const NODE_LEN_MIN: usize = 34;
/// The flag of a version 0 proof with a patch.
const PATCH_FLAG: u64 = 1;

/// A tree node that a signature carries, so that the tree can be grown to what a signer signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SignatureNode {
    /// Its place in the tree.
    pub index: u64,
    /// Bytes of the blocks below it.
    pub size: u64,
    /// Its hash.
    pub hash: Hash,
}

/// The signature of one of several signers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SignatureProof {
    /// Which signer of the manifest signed.
    pub signer: u64,
    /// The signature.
    pub signature: Signature,
    /// How many blocks longer the tree was that this signer signed.
    pub patch: u64,
}

/// A signature by several signers, or by one in the same form.
///
/// [`Encode`] and [`Decode`] are the form of manifests of version 1 and up.
///
/// # Source
/// formats.md section 5.4.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MultiSignature {
    /// Who signed.
    pub proofs: Vec<SignatureProof>,
    /// The nodes of all patches, each index once.
    pub nodes: Vec<SignatureNode>,
}

impl MultiSignature {
    /// Decodes the form of version 0 manifests.
    ///
    /// Of a patch only its length is kept: its start and its list of node positions say nothing
    /// that verification relies on.
    ///
    /// # Errors
    /// [`DecodeError`] when the input ends early or holds a number that is too large. Bytes left
    /// over are not an error.
    ///
    /// # Source
    /// formats.md section 5.4.
    pub fn decode_v0(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let proofs = input.array(PROOF_V0_LEN_MIN, |input| {
            let flags = input.uint()?;
            let signer = input.uint()?;
            let signature = Signature::decode(input)?;
            let patch = if flags & PATCH_FLAG == 0 { 0 } else { decode_v0_patch(input)? };
            Ok(SignatureProof { signer, signature, patch })
        })?;
        Ok(Self { proofs, nodes: decode_nodes(input)? })
    }

    /// Encodes the form of version 0 manifests for a tree of `length` blocks.
    ///
    /// Every patch is written as using `positions`, one list of places in the node array a proof.
    pub(crate) fn to_vec_v0(&self, length: u64, positions: &[Vec<u64>]) -> Vec<u8> {
        let mut out = Encoder::new();
        out.array_len(self.proofs.len());
        let none = Vec::new();
        for (number, proof) in self.proofs.iter().enumerate() {
            out.uint(if proof.patch == 0 { 0 } else { PATCH_FLAG });
            out.uint(proof.signer);
            proof.signature.encode(&mut out);
            if proof.patch != 0 {
                out.uint(length.saturating_add(proof.patch));
                out.uint(proof.patch);
                let positions = positions.get(number).unwrap_or(&none);
                out.array(positions, |out, position| out.uint(*position));
            }
        }
        encode_nodes(&self.nodes, &mut out);
        out.into_vec()
    }

    /// The nodes in the order of their index, each once.
    ///
    /// Of two nodes with one index the later one counts, as in JavaScript.
    #[must_use]
    pub fn sorted_nodes(&self) -> Vec<SignatureNode> {
        let mut nodes: Vec<_> = self.nodes.iter().rev().copied().collect();
        nodes.sort_by_key(|node| node.index);
        nodes.dedup_by_key(|node| node.index);
        nodes
    }
}

fn decode_v0_patch(input: &mut Decoder<'_>) -> Result<u64, DecodeError> {
    let _start = input.uint()?;
    let length = input.uint()?;
    for _ in 0..input.array_len(1)? {
        let _position = input.uint()?;
    }
    Ok(length)
}

fn decode_nodes(input: &mut Decoder<'_>) -> Result<Vec<SignatureNode>, DecodeError> {
    input.array(NODE_LEN_MIN, |input| {
        let index = input.uint()?;
        let size = input.uint()?;
        Ok(SignatureNode { index, size, hash: Hash::decode(input)? })
    })
}

fn encode_nodes(nodes: &[SignatureNode], out: &mut Encoder) {
    out.array(nodes, |out, node| {
        out.uint(node.index);
        out.uint(node.size);
        node.hash.encode(out);
    });
}

fn node_len(node: &SignatureNode) -> usize {
    let numbers = uint_len(node.index).saturating_add(uint_len(node.size));
    numbers.saturating_add(node.hash.encoded_len())
}

impl Encode for MultiSignature {
    fn encoded_len(&self) -> usize {
        let proofs = self.proofs.iter().map(|proof| {
            [uint_len(proof.signer), proof.signature.encoded_len(), uint_len(proof.patch)]
        });
        let counts = [uint_len(self.proofs.len() as u64), uint_len(self.nodes.len() as u64), 0];
        let nodes = self.nodes.iter().map(node_len);
        proofs.chain([counts]).flatten().chain(nodes).fold(0, usize::saturating_add)
    }

    fn encode(&self, out: &mut Encoder) {
        out.array(&self.proofs, |out, proof| {
            out.uint(proof.signer);
            proof.signature.encode(out);
            out.uint(proof.patch);
        });
        encode_nodes(&self.nodes, out);
    }
}

impl<'a> Decode<'a> for MultiSignature {
    fn decode(input: &mut Decoder<'a>) -> Result<Self, DecodeError> {
        let proofs = input.array(PROOF_LEN_MIN, |input| {
            let signer = input.uint()?;
            let signature = Signature::decode(input)?;
            Ok(SignatureProof { signer, signature, patch: input.uint()? })
        })?;
        Ok(Self { proofs, nodes: decode_nodes(input)? })
    }
}

/// The form in which signers pass their parts to whoever assembles them: signer, signature, length
/// signed, nodes. JavaScript has none.
impl Encode for PartialSignature {
    fn encoded_len(&self) -> usize {
        let nodes = self.nodes.iter().map(node_len);
        let own = [uint_len(self.signer), self.signature.encoded_len(), uint_len(self.length)];
        let own = own.into_iter().chain([uint_len(self.nodes.len() as u64)]);
        own.chain(nodes).fold(0, usize::saturating_add)
    }

    fn encode(&self, out: &mut Encoder) {
        out.uint(self.signer);
        self.signature.encode(out);
        out.uint(self.length);
        encode_nodes(&self.nodes, out);
    }
}

impl<'a> Decode<'a> for PartialSignature {
    fn decode(input: &mut Decoder<'a>) -> Result<Self, DecodeError> {
        let signer = input.uint()?;
        let signature = Signature::decode(input)?;
        Ok(Self { signer, signature, length: input.uint()?, nodes: decode_nodes(input)? })
    }
}
