//! What random scripts share, whatever they run on: whose turn it is, every command so far, a kill in the middle of
//! appends, and a folder that is kept when one fails.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::report::{Miss, miss};
use crate::rng::Rng;

use super::driver::{Side, Sides, hashes};
use super::model::Spec;

/// The longest pause before a kill.
const KILL_MICROS_MAX: u64 = 3_000;

/// What went wrong, after which steps.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) what: String,
    pub(super) log: String,
}

/// The side that has the log open, and every command so far.
#[derive(Debug)]
pub(super) struct Turns {
    pub(super) side: Side,
    log: String,
}

/// Blocks that are appended together, and their hashes.
pub(super) type Batch = (Vec<Spec>, Vec<String>);

/// What a side was appending when it was killed.
#[derive(Debug)]
pub(super) struct Killed {
    pub(super) batches: Vec<Batch>,
    /// So many of them, the first ones, were acknowledged.
    pub(super) acknowledged: usize,
}

impl Turns {
    pub(super) fn new(side: Side) -> Self {
        Self { side, log: String::new() }
    }

    /// The end of a script, named `script`, in which this went wrong.
    pub(super) fn failure(self, script: &str, what: &str) -> Failure {
        Failure { what: format!("{script}: {}: {what}", self.side), log: self.log }
    }

    /// Tells of something that is no command of this side.
    pub(super) fn note(&mut self, line: &str) {
        self.log.push_str(line);
        self.log.push('\n');
    }

    /// A command for the side whose turn it is.
    pub(super) fn call(&mut self, sides: &mut Sides, command: &Value) -> Result<Value, String> {
        self.note(&format!("{} {command}", self.side));
        sides.of(self.side).call(command).map_err(|what| format!("{}: {what}", command["op"]))
    }

    /// Appends a batch to a log of `length` blocks, and gives the hashes of its own.
    pub(super) fn append(
        &mut self,
        sides: &mut Sides,
        batch: &[Spec],
        length: u64,
    ) -> Result<Vec<String>, String> {
        let answer = self.call(sides, &json!({ "op": "append", "blocks": batch }))?;
        let wanted = length + batch.len() as u64;
        if answer["length"] == wanted {
            return hashes(&answer);
        }
        Err(format!("length is {} after an append to {wanted}", answer["length"]))
    }

    /// Kills this side in the middle of its appends; then it is the turn of the other one.
    pub(super) fn kill(
        &mut self,
        sides: &mut Sides,
        rng: &mut Rng,
        batches: Vec<Vec<Spec>>,
    ) -> Result<Killed, String> {
        // The other side says what was meant: the one that dies may not come to it.
        let other = self.side.other();
        let mut meant = Vec::new();
        for batch in &batches {
            let answer = sides.of(other).call(&json!({ "op": "hash", "blocks": batch }))?;
            meant.push(hashes(&answer)?);
        }
        let waited = rng.below(batches.len() as u64);
        let pause = rng.below(KILL_MICROS_MAX);
        let told = json!({ "op": "append, then kill", "waited": waited, "batches": batches });
        self.note(&format!("{} {told}", self.side));
        let driver = sides.of(self.side);
        for batch in &batches {
            driver.send(&json!({ "op": "append", "blocks": batch }))?;
        }
        for _ in 0..waited {
            driver.answer()?;
        }
        // Anywhere in what follows: whatever is checked afterwards holds wherever the kill falls.
        std::thread::sleep(Duration::from_micros(pause));
        let acknowledged = waited as usize + driver.kill()?.len();
        self.note(&format!("  {acknowledged} batches were acknowledged"));
        self.side = other;
        Ok(Killed { batches: batches.into_iter().zip(meant).collect(), acknowledged })
    }
}

/// A range of a log that is not empty: mostly short, now and then up to all of it.
pub(super) fn some_blocks(rng: &mut Rng, length: u64) -> Range<u64> {
    let start = rng.below(length);
    let span = if rng.chance(20) { length } else { 20 };
    start..(start + 1 + rng.below(span)).min(length)
}

/// Runs something in a new folder. When it fails the folder is kept, and all that was said is told with the arguments
/// of this task that run it again.
pub(super) fn in_folder(
    sides: &mut Sides,
    folder: &Path,
    again: &str,
    run: impl FnOnce(&mut Sides) -> Result<(), Failure>,
) -> Result<(), Miss> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    std::fs::create_dir_all(folder)?;
    if let Err(Failure { what, log }) = run(sides) {
        eprint!("{log}{}", sides.said());
        eprintln!("  the files are kept in {}", folder.display());
        return miss(format!("{what}; replay with `cargo xtask interop {again}`"));
    }
    Ok(std::fs::remove_dir_all(folder)?)
}
