//! Somebody else's copy of a feed: filled in parts, by the protocol of the package or by proofs from one side to the other.

use std::path::Path;

use serde_json::{Value, json};

use crate::interop::driver::{Side, Sides};
use crate::interop::model::same;
use crate::interop::turns::Turns;
use crate::rng::Rng;

use super::model::Model;
use super::tally::Tally;

/// Blocks of one range that a reader asks for.
const RANGE_MAX: u64 = 12;

/// A directory without a secret key.
#[derive(Debug)]
pub(super) struct Reader {
    dir: String,
    /// Blocks that it was given.
    given: Vec<u64>,
}

impl Reader {
    pub(super) fn new(folder: &Path, number: u64) -> Self {
        let dir = folder.join(format!("reader-{number}")).to_string_lossy().into_owned();
        Self { dir, given: Vec::new() }
    }

    /// Gets a few ranges of the feed in `writer`, which nobody has open; then both sides look at what is here.
    pub(super) fn visit(
        &mut self,
        sides: &mut Sides,
        rng: &mut Rng,
        model: &Model,
        writer: &str,
        turns: &mut Turns,
        tally: &mut Tally,
    ) -> Result<(), String> {
        // What was cleared since is of no concern here; what was cleared before is not to be had.
        let mut range = || {
            let start = rng.below(model.length());
            model.stored_from(start, (start + 1 + rng.below(RANGE_MAX)).min(model.length()))
        };
        let mut ranges = vec![range(), range()];
        ranges.retain(|(start, end)| start < end);
        let mut hashes = vec![range()];
        hashes.retain(|(start, end)| start < end);
        let giver = match rng.below(3) {
            0 => None,
            1 => Some(Side::JavaScript),
            _ => Some(Side::Rust),
        };
        turns.note(&format!("{}: {ranges:?}, hashes of {hashes:?}, by {giver:?}", self.dir));
        match giver {
            None => {
                let fill = json!({
                    "op": "fill", "from": writer, "to": self.dir, "blocks": ranges, "hashes": hashes,
                });
                sides.call(Side::JavaScript, &fill)?;
            }
            Some(giver) => self.prove(sides, giver, writer, &ranges, &hashes, tally)?,
        }
        self.given.extend(ranges.iter().flat_map(|(start, end)| *start..*end));
        if !Path::new(&self.dir).join("data").exists() {
            // The package can not read an empty block before it has stored another one.
            return Ok(());
        }
        self.compare(sides, model, tally)
    }

    /// Takes each block with its proof from `giver` to the other side, which stores it.
    fn prove(
        &self,
        sides: &mut Sides,
        giver: Side,
        writer: &str,
        ranges: &[(u64, u64)],
        hashes: &[(u64, u64)],
        tally: &mut Tally,
    ) -> Result<(), String> {
        let taker = giver.other();
        let opened = sides.call(giver, &json!({ "op": "open", "dir": writer }))?;
        sides.call(taker, &json!({ "op": "open", "dir": self.dir, "key": opened["key"] }))?;
        let of = |ranges: &[(u64, u64)], is_hash| -> Vec<(u64, bool)> {
            ranges
                .iter()
                .flat_map(|(start, end)| (*start..*end).map(move |index| (index, is_hash)))
                .collect()
        };
        for (index, is_hash) in of(hashes, true).into_iter().chain(of(ranges, false)) {
            let known = sides.call(taker, &json!({ "op": "digest", "index": index }))?;
            let ask = json!({
                "op": "proof", "index": index, "digest": known["digest"], "isHash": is_hash,
            });
            let proof = sides.call(giver, &ask)?;
            let put = json!({
                "op": "put", "index": index, "block": proof["block"], "nodes": proof["nodes"],
                "signature": proof["signature"],
            });
            sides.call(taker, &put).map_err(|what| format!("block {index}: {what}"))?;
            tally.proofs += 1;
        }
        for side in [giver, taker] {
            sides.call(side, &json!({ "op": "close" }))?;
        }
        Ok(())
    }

    /// Both sides see the same, and every block that it was given is one of the feed.
    fn compare(&self, sides: &mut Sides, model: &Model, tally: &mut Tally) -> Result<(), String> {
        let [javascript, rust] = [Side::JavaScript, Side::Rust].map(|side| -> Result<_, String> {
            sides.call(side, &json!({ "op": "open", "dir": self.dir }))?;
            let state = sides.call(side, &json!({ "op": "state", "blocks": true }))?;
            let audit = sides.call(side, &json!({ "op": "audit" }))?;
            sides.call(side, &json!({ "op": "close" }))?;
            Ok((state, audit))
        });
        let ((javascript, audited), (rust, audited_too)) = (javascript?, rust?);
        for name in
            ["length", "byteLength", "treeHash", "key", "isWritable", "signatures", "blocks"]
        {
            same(name, javascript[name].clone(), &rust)?;
        }
        same("isWritable", false, &rust)?;
        let blocks = rust["blocks"].as_array().ok_or("no blocks")?;
        for (index, hash) in blocks.iter().enumerate() {
            let is_right = match model.hash(index) {
                Some(wanted) => hash.is_null() || hash == wanted,
                None => true,
            };
            if !is_right {
                return Err(format!("block {index} is {hash}"));
            }
        }
        let is_here = |index: &u64| blocks.get(*index as usize).is_some_and(Value::is_string);
        if let Some(index) = self.given.iter().find(|index| !is_here(index)) {
            return Err(format!("block {index} was given and is not here"));
        }
        let stored = blocks.iter().filter(|block| block.is_string()).count();
        for audit in [audited, audited_too] {
            same("valid", stored, &audit)?;
            same("invalid", 0, &audit)?;
        }
        tally.blocks += blocks.len() as u64;
        Ok(())
    }
}
