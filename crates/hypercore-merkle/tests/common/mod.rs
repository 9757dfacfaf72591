//! What the tests share: fixtures, a writer that keeps everything, a reader that keeps what it
//! verified, and a slow recursive twin of the tree.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part of this")]

use std::collections::{BTreeMap, BTreeSet, HashMap};

use compact_encoding::{Decode, Encode};
use flat_tree::Index;
use hypercore_crypto::{CoreKey, Hash, KeyPair, Manifest, leaf_hash, parent_hash, tree_hash};
use hypercore_merkle::{
    Authority, Data, Leaf, Node, NodeLookup, Overlay, Proof, ProveError, Reorg, Request, Tree,
    TreeError, Verified, VerifyError, removed_parents,
};
use serde_json::Value;

pub type Nodes = HashMap<Index, Node>;
pub type Never = std::convert::Infallible;

pub fn merkle_json() -> Value {
    serde_json::from_str(include_str!("../fixtures/merkle.json")).unwrap()
}

pub fn bytes(value: &Value) -> Vec<u8> {
    from_hex(value.as_str().unwrap())
}

pub fn from_hex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2));
    let digits: Vec<u8> =
        text.chars().map(|digit| u8::try_from(digit.to_digit(16).unwrap()).unwrap()).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

pub fn hash(value: &Value) -> Hash {
    Hash::try_from(&bytes(value)[..]).unwrap()
}

pub fn node(value: &Value) -> Node {
    Node::new(Index::new(number(&value["index"])), number(&value["size"]), hash(&value["hash"]))
}

pub fn core_key(value: &Value) -> CoreKey {
    CoreKey::try_from(&bytes(value)[..]).unwrap()
}

pub fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

pub fn blocks(value: &Value) -> Vec<Vec<u8>> {
    list(value).iter().map(bytes).collect()
}

pub fn decode(message: &[u8]) -> Proof {
    Data::from_slice(message).unwrap().proof
}

pub fn leaves(blocks: &[Vec<u8>]) -> Vec<Leaf> {
    let slices: Vec<&[u8]> = blocks.iter().map(Vec::as_slice).collect();
    Leaf::hash_all(&slices)
}

/// A tree with all of its nodes.
pub fn full(blocks: &[Vec<u8>], fork: u64) -> (Tree, Nodes) {
    let mut tree = Tree::empty(fork);
    let nodes = tree.append(&leaves(blocks)).unwrap();
    (tree, nodes.into_iter().map(|node| (node.index, node)).collect())
}

/// The dullest tree there can be: every node from its blocks, from the top down.
pub mod twin {
    use super::*;

    pub fn node(blocks: &[Vec<u8>], index: u64) -> Option<Node> {
        let leaf_count = 1_u64 << index.trailing_ones();
        let first = (index + 1 - leaf_count) / 2;
        if first + leaf_count > blocks.len() as u64 {
            return None;
        }
        if leaf_count == 1 {
            let block = &blocks[first as usize];
            return Some(Node::new(Index::new(index), block.len() as u64, leaf_hash(block)));
        }
        let left = node(blocks, index - leaf_count / 2)?;
        let right = node(blocks, index + leaf_count / 2)?;
        let size = left.size + right.size;
        Some(Node::new(Index::new(index), size, parent_hash(size, &left.hash, &right.hash)))
    }

    /// Root numbers by taking the largest power of two that fits, again and again.
    pub fn roots(length: u64) -> Vec<u64> {
        let (mut roots, mut at, mut rest) = (Vec::new(), 0, length);
        while rest > 0 {
            let mut leaf_count = 1;
            while leaf_count * 2 <= rest {
                leaf_count *= 2;
            }
            roots.push(2 * at + leaf_count - 1);
            at += leaf_count;
            rest -= leaf_count;
        }
        roots
    }

    pub fn hash(blocks: &[Vec<u8>]) -> Hash {
        let roots = roots(blocks.len() as u64);
        tree_hash(roots.into_iter().map(|index| {
            let node = node(blocks, index).unwrap();
            (node.hash, index, node.size)
        }))
    }

    /// Every node of the tree.
    pub fn nodes(blocks: &[Vec<u8>]) -> Nodes {
        let end = 2 * blocks.len() as u64;
        (0..end).filter_map(|index| node(blocks, index)).map(|node| (node.index, node)).collect()
    }
}

/// A core with all blocks, one signer and its signature.
pub struct Writer {
    pub key: CoreKey,
    pub manifest: Manifest,
    pub pair: KeyPair,
    pub blocks: Vec<Vec<u8>>,
    pub tree: Tree,
    pub nodes: Nodes,
    pub signature: Vec<u8>,
}

impl Writer {
    pub fn new(seed: &[u8; 32], fork: u64, blocks: Vec<Vec<u8>>) -> Self {
        let pair = KeyPair::from_seed(seed);
        let manifest = Manifest::single(pair.public());
        let key = manifest.key();
        let (tree, nodes) = full(&blocks, fork);
        let signature = manifest.sign(&key, &pair, &tree.hash(), tree.length(), fork).unwrap();
        Self { key, manifest, pair, blocks, tree, nodes, signature }
    }

    pub fn prove(&self, request: &Request) -> Result<Proof, ProveError<Never>> {
        let (signature, manifest) = (Some(&self.signature[..]), Some(&self.manifest));
        let mut proof = self.tree.prove(&self.nodes, request, signature, manifest)?;
        if let Some(block) = &mut proof.block {
            block.value = self.blocks[usize::try_from(block.index).unwrap()].clone().into();
        }
        Ok(proof)
    }
}

/// What a reader has.
struct Known<'a> {
    nodes: &'a Nodes,
    blocks: &'a BTreeMap<u64, Vec<u8>>,
}

impl NodeLookup for Known<'_> {
    type Error = Never;

    fn node(&self, index: Index) -> Result<Option<Node>, Never> {
        self.nodes.node(index)
    }

    fn has_block(&self, block: u64) -> Result<bool, Never> {
        Ok(self.blocks.contains_key(&block))
    }
}

/// A sparse core in memory that applies what it verifies, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    pub key: CoreKey,
    pub manifest: Option<Manifest>,
    pub tree: Tree,
    pub nodes: Nodes,
    pub blocks: BTreeMap<u64, Vec<u8>>,
    pub signature: Option<Vec<u8>>,
    /// Nodes stored although only a sum covers their size.
    pub unconfirmed: BTreeSet<Index>,
}

impl Reader {
    pub fn new(key: CoreKey, fork: u64) -> Self {
        Self {
            key,
            manifest: None,
            tree: Tree::empty(fork),
            nodes: Nodes::new(),
            blocks: BTreeMap::new(),
            signature: None,
            unconfirmed: BTreeSet::new(),
        }
    }

    pub fn verify(&self, proof: &Proof) -> Result<Verified, VerifyError<Never>> {
        let authority = Authority { key: &self.key, manifest: self.manifest.as_ref() };
        self.tree.verify(&self.known(), proof, &authority)
    }

    pub fn start_reorg(&self, proof: &Proof) -> Result<Reorg, VerifyError<Never>> {
        let authority = Authority { key: &self.key, manifest: self.manifest.as_ref() };
        Reorg::start(&self.tree, &self.known(), proof, &authority)
    }

    fn known(&self) -> Known<'_> {
        Known { nodes: &self.nodes, blocks: &self.blocks }
    }

    pub fn take(&mut self, proof: &Proof) -> Result<(), VerifyError<Never>> {
        let verified = self.verify(proof)?;
        if let Some(block) = verified.block {
            // The place of the block must be known from what is stored afterwards.
            let lookup = Overlay::new(&verified.nodes, &self.nodes);
            let range = verified.tree.byte_range(&lookup, block).unwrap();
            let value = proof.block.as_ref().unwrap().value.to_vec();
            assert_eq!(range.end - range.start, value.len() as u64);
            self.blocks.insert(block, value);
        }
        self.store(verified);
        Ok(())
    }

    pub fn store(&mut self, verified: Verified) {
        if verified.ancestors < self.tree.length() {
            let cut = verified.ancestors;
            self.nodes.retain(|index, _| index.get() + 1 < 2 * cut);
            for index in removed_parents(cut) {
                self.nodes.remove(&index);
            }
            self.blocks.retain(|block, _| *block < cut);
        }
        for node in verified.nodes {
            self.nodes.insert(node.index, node);
        }
        self.unconfirmed.extend(verified.unconfirmed);
        if verified.upgraded {
            self.tree = verified.tree;
            self.signature = verified.signature;
            self.manifest = self.manifest.take().or(verified.manifest);
        }
        let loaded = Tree::load(&self.nodes, self.tree.fork(), self.tree.length());
        assert_eq!(loaded.unwrap(), self.tree, "the stored roots are those of the head");
    }

    pub fn contiguous_length(&self) -> u64 {
        let mut length = 0;
        while self.blocks.contains_key(&length) {
            length += 1;
        }
        length
    }

    /// Runs of blocks as the vectors write them.
    pub fn has(&self) -> Vec<(u64, u64)> {
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for block in self.blocks.keys() {
            match runs.last_mut() {
                Some(run) if run.1 == *block => run.1 += 1,
                _ => runs.push((*block, *block + 1)),
            }
        }
        runs
    }

    pub fn check(&self, expected: &Value, what: &str) {
        assert_eq!(self.tree.length(), number(&expected["length"]), "{what}");
        assert_eq!(self.tree.byte_length(), number(&expected["byte_length"]), "{what}");
        assert_eq!(self.tree.fork(), number(&expected["fork"]), "{what}");
        assert_eq!(self.tree.hash(), hash(&expected["tree_hash"]), "{what}");
        assert_eq!(self.contiguous_length(), number(&expected["contiguous_length"]), "{what}");
        let runs: Vec<(u64, u64)> =
            list(&expected["has"]).iter().map(|run| (number(&run[0]), number(&run[1]))).collect();
        assert_eq!(self.has(), runs, "{what}");
        assert_eq!(self.manifest.is_some(), expected["has_manifest"].as_bool().unwrap(), "{what}");
    }
}

pub fn encode(proof: Proof) -> Vec<u8> {
    let data = Data { request_id: 0, proof };
    let message = data.to_vec();
    assert_eq!(message.len(), data.encoded_len());
    message
}

pub fn missing(error: &TreeError<Never>) -> Option<Index> {
    match error {
        TreeError::MissingNode(index) => Some(*index),
        _ => None,
    }
}
