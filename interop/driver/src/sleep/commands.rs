//! What each command does to the one open feed.

use std::path::PathBuf;

use hypercore_crypto::{KeyPair, PublicKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sleep::{Access, Durability, Error, Feed, Finding, PageSize, SignatureForm, hashes};

use crate::proofs;
use crate::protocol::{Failure, blocks, bytes, number, text};
use crate::storage::directory;

/// Runs one command and gives its answer, without the `ok`.
pub(crate) fn run(open: &mut Option<Feed>, command: &Value) -> Result<Value, Failure> {
    let op = text(command, "op")?;
    match op {
        "open" => {
            if open.is_some() {
                return Err("a feed is open already".into());
            }
            let feed = open_feed(command)?;
            let answer = json!({
                "length": feed.length(),
                "key": feed.key().to_string(),
                "isWritable": feed.is_writable(),
            });
            *open = Some(feed);
            return Ok(answer);
        }
        "hash" => return Ok(json!({ "hashes": block_hashes(&blocks(command)?) })),
        "close" => {
            let mut feed = open.take().ok_or("no feed is open")?;
            feed.sync()?;
            return Ok(json!({}));
        }
        _ => {}
    }

    let feed = open.as_mut().ok_or("no feed is open")?;
    match op {
        "append" => {
            let blocks = blocks(command)?;
            let appended = feed.append(&blocks)?;
            Ok(json!({ "length": appended.length, "hashes": block_hashes(&blocks) }))
        }
        "clear" => {
            feed.clear(number(command, "start")?..number(command, "end")?)?;
            Ok(json!({}))
        }
        "audit" => audit(feed),
        "seek" => {
            let (index, offset) = feed.seek(number(command, "byte")?)?;
            Ok(json!({ "index": index, "offset": offset }))
        }
        // Nothing is known: the proof is to be a whole one.
        "digest" => Ok(json!({ "digest": 0 })),
        "proof" => proofs::give(feed, command),
        "put" => proofs::take(feed, command),
        "state" => state(feed, command["blocks"] == true),
        _ => Err(format!("no such command: {op}").into()),
    }
}

/// Opens what is stored, or makes it. All feeds are opened to be changed, without syncs: what is tested
/// here are the bytes.
fn open_feed(command: &Value) -> Result<Feed, Failure> {
    let options = Feed::options().durability(Durability::Lazy);
    let options = if command["seed"].is_string() {
        let key_pair = KeyPair::from_seed(&bytes(text(command, "seed")?)?);
        options.access(Access::Create).key_pair(key_pair)
    } else if command["key"].is_string() {
        let key = PublicKey::from_bytes(bytes(text(command, "key")?)?);
        options.access(Access::Create).key(key)
    } else {
        options.access(Access::Write)
    };
    Ok(options.open(directory(PathBuf::from(text(command, "dir")?)))?)
}

/// Looks at everything, and wants nothing but what a killed or another program may leave behind.
fn audit(feed: &Feed) -> Result<Value, Failure> {
    let report = feed.audit(&mut |_| ())?;
    // The bits of a batch may be missing whose writer was killed after it had signed it.
    let is_mended = |finding: &Finding| matches!(finding, Finding::LengthByBits { bits, length } if bits < length);
    let damage = report.findings.iter().find(|finding| finding.is_damage() && !is_mended(finding));
    if let Some(damage) = damage {
        return Err(format!("the audit found: {damage}").into());
    }
    let invalid = report.blocks_checked.saturating_sub(report.blocks_valid);
    Ok(json!({ "valid": report.blocks_valid, "invalid": invalid }))
}

fn state(feed: &Feed, all: bool) -> Result<Value, Failure> {
    let read =
        |block| feed.has(block).then(|| feed.get(block).map(|block| sha256(&block))).transpose();
    let blocks =
        if all { Some((0..feed.length()).map(read).collect::<Result<Vec<_>, _>>()?) } else { None };
    let page_size = match feed.page_size() {
        PageSize::Bytes3328 => 3328,
        PageSize::Bytes3584 => 3584,
    };
    Ok(json!({
        "length": feed.length(),
        "byteLength": feed.byte_length(),
        "treeHash": feed.tree_hash().unwrap_or_else(|| hashes::tree(&[])).to_string(),
        "key": feed.key().to_string(),
        "isWritable": feed.is_writable(),
        "pageSize": page_size,
        "signatures": signatures(feed)?,
        "blocks": blocks,
    }))
}

/// Every good signature of the feed: its slot, and how many bytes it signs.
fn signatures(feed: &Feed) -> Result<Vec<(u64, u64)>, Failure> {
    let mut found = Vec::new();
    for slot in 0..feed.length() {
        match feed.verify_signature(slot) {
            Ok(Some(SignatureForm::WithLength)) => found.push((slot, 40)),
            Ok(Some(SignatureForm::TreeOnly)) => found.push((slot, 32)),
            // Blank; left behind by a writer that was killed; or without the roots to check it with.
            Ok(None) | Err(Error::SignatureInvalid { .. } | Error::NodeMissing { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

fn block_hashes(blocks: &[Vec<u8>]) -> Vec<String> {
    blocks.iter().map(|block| sha256(block)).collect()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
