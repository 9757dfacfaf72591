//! What serde makes of nodes and proofs (feature `serde`): their fields, with bytes as hex digits where people read them.
//!
//! Whatever is read may be hostile: it has to be what a message can hold, with the limits that messages have. Whether a proof holds
//! is still for a tree to say.

use compact_encoding::{Decode as _, Encode as _};
use flat_tree::Index;
use hypercore_crypto::{Hash, HexBytes, Manifest};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::node::Node;
use crate::proof::{BlockProof, Data, HashProof, Proof, SeekProof, UpgradeProof};

/// Passes on a proof that a message can hold.
fn checked<E: serde::de::Error>(proof: Proof) -> Result<Proof, E> {
    let message = Data { request_id: 0, proof };
    match Data::from_slice(&message.to_vec()) {
        Ok(again) if again == message => Ok(message.proof),
        Ok(_) => Err(E::custom("no message holds such a proof")),
        Err(error) => Err(E::custom(error)),
    }
}

/// Has serde read and write a type by its form, checking it as a part of a proof.
macro_rules! part {
    ($name:ident, $form:ident, $field:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $form::from(self).serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let part = Self::from($form::deserialize(deserializer)?);
                let proof = checked(Proof { $field: Some(part), ..Proof::default() })?;
                proof.$field.ok_or_else(|| D::Error::custom("no message holds such a part"))
            }
        }
    };
}

part!(BlockProof, BlockForm, block);
part!(HashProof, HashForm, hash);
part!(SeekProof, SeekForm, seek);
part!(UpgradeProof, UpgradeForm, upgrade);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeForm {
    index: u64,
    size: u64,
    hash: Hash,
}

impl From<&Node> for NodeForm {
    fn from(node: &Node) -> Self {
        Self { index: node.index.get(), size: node.size, hash: node.hash }
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        NodeForm::from(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let NodeForm { index, size, hash } = NodeForm::deserialize(deserializer)?;
        let node = Self::new(Index::new(index), size, hash);
        Self::from_slice(&node.to_vec()).map_err(D::Error::custom)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BlockForm {
    index: u64,
    value: HexBytes,
    nodes: Vec<Node>,
}

impl From<&BlockProof> for BlockForm {
    fn from(part: &BlockProof) -> Self {
        let BlockProof { index, value, nodes } = part;
        Self { index: *index, value: HexBytes(value.to_vec()), nodes: nodes.clone() }
    }
}

impl From<BlockForm> for BlockProof {
    fn from(form: BlockForm) -> Self {
        let BlockForm { index, value: HexBytes(value), nodes } = form;
        Self { index, value: value.into(), nodes }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HashForm {
    index: u64,
    nodes: Vec<Node>,
}

impl From<&HashProof> for HashForm {
    fn from(part: &HashProof) -> Self {
        Self { index: part.index.get(), nodes: part.nodes.clone() }
    }
}

impl From<HashForm> for HashProof {
    fn from(form: HashForm) -> Self {
        Self { index: Index::new(form.index), nodes: form.nodes }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeekForm {
    bytes: u64,
    nodes: Vec<Node>,
}

impl From<&SeekProof> for SeekForm {
    fn from(part: &SeekProof) -> Self {
        Self { bytes: part.bytes, nodes: part.nodes.clone() }
    }
}

impl From<SeekForm> for SeekProof {
    fn from(form: SeekForm) -> Self {
        Self { bytes: form.bytes, nodes: form.nodes }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UpgradeForm {
    start: u64,
    length: u64,
    nodes: Vec<Node>,
    additional_nodes: Vec<Node>,
    signature: Option<HexBytes>,
}

impl From<&UpgradeProof> for UpgradeForm {
    fn from(part: &UpgradeProof) -> Self {
        Self {
            start: part.start,
            length: part.length,
            nodes: part.nodes.clone(),
            additional_nodes: part.additional_nodes.clone(),
            signature: part.signature.clone().map(HexBytes),
        }
    }
}

impl From<UpgradeForm> for UpgradeProof {
    fn from(form: UpgradeForm) -> Self {
        Self {
            start: form.start,
            length: form.length,
            nodes: form.nodes,
            additional_nodes: form.additional_nodes,
            signature: form.signature.map(|HexBytes(bytes)| bytes),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProofForm {
    fork: u64,
    block: Option<BlockForm>,
    hash: Option<HashForm>,
    seek: Option<SeekForm>,
    upgrade: Option<UpgradeForm>,
    manifest: Option<Manifest>,
}

impl Serialize for Proof {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let form = ProofForm {
            fork: self.fork,
            block: self.block.as_ref().map(BlockForm::from),
            hash: self.hash.as_ref().map(HashForm::from),
            seek: self.seek.as_ref().map(SeekForm::from),
            upgrade: self.upgrade.as_ref().map(UpgradeForm::from),
            manifest: self.manifest.clone(),
        };
        form.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Proof {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = ProofForm::deserialize(deserializer)?;
        checked(Self {
            fork: form.fork,
            block: form.block.map(BlockProof::from),
            hash: form.hash.map(HashProof::from),
            seek: form.seek.map(SeekProof::from),
            upgrade: form.upgrade.map(UpgradeProof::from),
            manifest: form.manifest,
        })
    }
}
