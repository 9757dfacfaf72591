//! Proofs, as the two sides hand them to each other.

use flat_tree::Index;
use hypercore_crypto::{Hash, Signature};
use serde_json::{Value, json};
use sleep::{Feed, Node, Proof};

use crate::protocol::{Failure, bytes, number, text, unhex};

/// The proof of a block, or of its hash alone.
pub(crate) fn give(feed: &Feed, command: &Value) -> Result<Value, Failure> {
    let index = number(command, "index")?;
    let is_hash = command["isHash"] == true;
    let proof = if is_hash { feed.hash_proof(index)? } else { feed.proof(index)? };
    let block = if is_hash { None } else { Some(hex(&feed.get(index)?)) };
    let node = |node: &Node| json!([node.index.get(), node.size, node.hash.to_string()]);
    Ok(json!({
        "block": block,
        "nodes": proof.nodes.iter().map(node).collect::<Vec<_>>(),
        "signature": proof.signature.map(|signature| hex(signature.as_bytes())),
    }))
}

/// Stores what a proof brings.
pub(crate) fn take(feed: &mut Feed, command: &Value) -> Result<Value, Failure> {
    let index = number(command, "index")?;
    let nodes = command["nodes"].as_array().ok_or("`nodes` is not an array")?;
    let nodes = nodes.iter().map(node).collect::<Result<Vec<_>, Failure>>()?;
    let signature = match &command["signature"] {
        Value::Null => None,
        _ => Some(signature(text(command, "signature")?)?),
    };
    let proof = Proof { nodes, signature };
    match &command["block"] {
        Value::Null => feed.put_hash(index, &proof)?,
        _ => feed.put(index, &unhex(text(command, "block")?)?, &proof)?,
    }
    Ok(json!({ "length": feed.length() }))
}

fn node(node: &Value) -> Result<Node, Failure> {
    let index = Index::new(node[0].as_u64().ok_or("a node has no index")?);
    let size = node[1].as_u64().ok_or("a node has no size")?;
    let hash = Hash::from_bytes(bytes(node[2].as_str().ok_or("a node has no hash")?)?);
    Ok(Node { index, hash, size })
}

fn signature(digits: &str) -> Result<Signature, Failure> {
    let bytes = unhex(digits)?.try_into().map_err(|_| "a signature is not 64 bytes")?;
    Ok(Signature::from_bytes(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
