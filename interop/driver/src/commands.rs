//! What each command does to the one open log.

use std::path::Path;

use hypercore_crypto::{KeyPair, hash};
use hypercore_log::{Create, Durability, Log, OpenOptions, Stores};
use random_access_disk::{Create as CreateFile, Lock, RandomAccessDisk};
use serde_json::{Value, json};

use crate::protocol::{Failure, blocks, bytes, number, text};

/// Runs one command and gives its answer, without the `ok`.
pub(crate) fn run(open: &mut Option<Log>, command: &Value) -> Result<Value, Failure> {
    let op = text(command, "op")?;
    match op {
        "open" => {
            if open.is_some() {
                return Err("a core is open already".into());
            }
            let log = open_log(command)?;
            let answer = json!({ "length": log.length(), "fork": log.fork() });
            *open = Some(log);
            return Ok(answer);
        }
        "hash" => return Ok(json!({ "hashes": hashes(&blocks(command)?) })),
        _ => {}
    }

    let log = open.as_ref().ok_or("no core is open")?;
    match op {
        "append" => {
            let blocks = blocks(command)?;
            let appended = log.append(&blocks)?;
            Ok(json!({ "length": appended.length, "hashes": hashes(&blocks) }))
        }
        "truncate" => {
            let head = log.truncate(number(command, "length")?, Some(number(command, "fork")?))?;
            Ok(json!({ "length": head.length, "fork": head.fork }))
        }
        "clear" => {
            log.clear(number(command, "start")?..number(command, "end")?)?;
            Ok(json!({}))
        }
        "state" => state(log, command["blocks"] == true),
        "close" => {
            let log = open.take().ok_or("no core is open")?;
            // Otherwise what was appended stays in the oplog, as after a kill.
            if command["checkpoint"] == true {
                log.close()?;
            }
            Ok(json!({}))
        }
        _ => Err(format!("no such command: {op}").into()),
    }
}

fn open_log(command: &Value) -> Result<Log, Failure> {
    let dir = Path::new(text(command, "dir")?);
    let store = |name: &str, lock| {
        RandomAccessDisk::builder(dir.join(name)).create(CreateFile::OnFirstWrite).lock(lock).open()
    };
    let stores = Stores {
        oplog: Box::new(RandomAccessDisk::builder(dir.join("oplog")).lock(Lock::Exclusive).open()?),
        header: Box::new(store("header", Lock::None)?),
        tree: Box::new(store("tree", Lock::None)?),
        bitfield: Box::new(store("bitfield", Lock::None)?),
        data: Box::new(store("data", Lock::None)?),
    };
    let durability =
        if command["eventual"] == true { Durability::Eventual } else { Durability::Immediate };
    let options = OpenOptions::new()
        .create(Create::IfMissing)
        .key_pair(KeyPair::from_seed(&bytes(text(command, "seed")?)?))
        .compat(command["compat"] == true)
        .durability(durability);
    Ok(Log::open(stores, options)?)
}

/// The head; with `all` every block as well, after an audit of everything.
fn state(log: &Log, all: bool) -> Result<Value, Failure> {
    let head = log.head();
    let blocks = if all {
        let report = log.audit(&mut |_| ())?;
        if !report.is_ok() {
            return Err(format!("the audit found {:?}", report.findings).into());
        }
        let read = |index| Ok(log.get(index)?.map(|block| hash(&block).to_string()));
        Some((0..head.length).map(read).collect::<Result<Vec<_>, Failure>>()?)
    } else {
        None
    };
    Ok(json!({
        "length": head.length,
        "byteLength": head.byte_length,
        "fork": head.fork,
        "treeHash": head.tree_hash.to_string(),
        "contiguousLength": log.contiguous_length(),
        "key": log.key().to_string(),
        "blocks": blocks,
    }))
}

fn hashes(blocks: &[Vec<u8>]) -> Vec<String> {
    blocks.iter().map(|block| hash(block).to_string()).collect()
}
