//! One random script: chosen step by step from its seed and the model.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::rng::Rng;

use super::driver::{Side, Sides};
use super::model::{Model, Spec};

/// Every so many scripts, one in which processes are killed.
const KILL_EVERY: u64 = 8;
/// Blocks of a core from which on a script prefers to truncate: reading all
/// of them after each opening is what a run spends its time on.
const LENGTH_HIGH: u64 = 400;
const BATCH_MAX: u64 = 200;
/// Batches so large that the engine here puts their nodes into the tree file and not into the oplog:
/// the other side must be able to open the log all the same.
const BULK_BATCH: std::ops::Range<u64> = 257..600;
const BULK_BLOCK_LEN: u64 = 60;
const BLOCK_LEN_TYPICAL: u64 = 5_000;
const BLOCK_LEN_LARGE: u64 = 3 * 1024 * 1024;

/// Figures over all scripts of a run.
#[derive(Debug, Default)]
pub(super) struct Tally {
    scripts: u64,
    compat: u64,
    operations: u64,
    hand_overs: u64,
    reopens: u64,
    kills: u64,
    /// Batches found after a kill that nobody had acknowledged: the kill came in between.
    unacknowledged: u64,
    blocks: u64,
    hints_off: u64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            scripts,
            compat,
            operations,
            hand_overs,
            reopens,
            kills,
            unacknowledged,
            blocks,
            hints_off,
        } = self;
        write!(
            f,
            "{scripts} scripts ({compat} compat), {operations} operations, {hand_overs} hand-overs, \
             {reopens} reopens, {kills} kills ({unacknowledged} batches more than acknowledged), {blocks} blocks compared, \
             {hints_off} contiguous-length hints of JavaScript off"
        )
    }
}

/// What went wrong, after which steps.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) what: String,
    pub(super) log: String,
}

/// A script and where it stands.
#[derive(Debug)]
pub(super) struct Script<'a> {
    index: u64,
    rng: Rng,
    dir: &'a Path,
    compat: bool,
    side: Side,
    model: Model,
    log: String,
}

impl<'a> Script<'a> {
    pub(super) fn new(index: u64, seed: u64, dir: &'a Path) -> Self {
        let mut rng = Rng::new(seed);
        let compat = rng.chance(40);
        let side = if rng.chance(50) { Side::JavaScript } else { Side::Rust };
        Self { index, rng, dir, compat, side, model: Model::default(), log: String::new() }
    }

    /// Runs it to its end, which is always a hand-over.
    pub(super) fn run(mut self, sides: &mut Sides, tally: &mut Tally) -> Result<(), Failure> {
        match self.steps(sides, tally) {
            Ok(()) => {
                tally.scripts += 1;
                tally.compat += u64::from(self.compat);
                Ok(())
            }
            Err(what) => {
                let what = format!("script {}: {}: {what}", self.index, self.side);
                Err(Failure { what, log: self.log })
            }
        }
    }

    fn steps(&mut self, sides: &mut Sides, tally: &mut Tally) -> Result<(), String> {
        self.open(sides, tally)?;
        let steps = 8 + self.rng.below(17);
        let kill_at = (self.index % KILL_EVERY == KILL_EVERY - 1).then(|| self.rng.below(steps));
        for step in 0..steps {
            if kill_at == Some(step) {
                self.kill(sides, tally)?;
                continue;
            }
            let length = self.model.length();
            match self.rng.below(100) {
                0..45 if length < LENGTH_HIGH => self.append(sides, tally)?,
                45..55 if length > 0 => self.clear(sides, tally)?,
                55..63 if length > 0 => self.truncate(sides, tally)?,
                0..63 if length >= LENGTH_HIGH => self.truncate(sides, tally)?,
                63..75 => {
                    self.close(sides)?;
                    tally.reopens += 1;
                    self.open(sides, tally)?;
                }
                75.. => self.hand_over(sides, tally)?,
                _ => self.append(sides, tally)?,
            }
        }
        self.hand_over(sides, tally)?;
        self.close(sides)
    }

    /// Opens on the current side and compares everything.
    fn open(&mut self, sides: &mut Sides, tally: &mut Tally) -> Result<(), String> {
        self.open_unchecked(sides)?;
        self.check(sides, tally, true)
    }

    fn open_unchecked(&mut self, sides: &mut Sides) -> Result<(), String> {
        let seed = format!("{:02x}", self.index % 251).repeat(32);
        let eventual = self.rng.chance(50);
        let dir = self.dir.to_string_lossy();
        let open = json!({
            "op": "open", "dir": dir, "seed": seed, "compat": self.compat, "eventual": eventual,
        });
        self.call(sides, &open).map(drop)
    }

    fn close(&mut self, sides: &mut Sides) -> Result<(), String> {
        let checkpoint = self.rng.chance(30);
        self.call(sides, &json!({ "op": "close", "checkpoint": checkpoint })).map(drop)
    }

    /// Closes here, opens on the other side.
    fn hand_over(&mut self, sides: &mut Sides, tally: &mut Tally) -> Result<(), String> {
        // So that this side has told its tree hash before the other one does.
        self.check(sides, tally, false)?;
        self.close(sides)?;
        self.side = self.side.other();
        tally.hand_overs += 1;
        self.open(sides, tally)
    }

    fn check(&mut self, sides: &mut Sides, tally: &mut Tally, all: bool) -> Result<(), String> {
        let state = self.call(sides, &json!({ "op": "state", "blocks": all }))?;
        let compared = self.model.compare(self.side, &state)?;
        tally.blocks += compared.blocks;
        tally.hints_off += compared.hints_off;
        Ok(())
    }

    fn append(&mut self, sides: &mut Sides, tally: &mut Tally) -> Result<(), String> {
        let batch = self.batch(BATCH_MAX);
        let answer = self.call(sides, &json!({ "op": "append", "blocks": batch }))?;
        self.model.append(&batch, &hashes(&answer)?);
        tally.operations += 1;
        if answer["length"] == self.model.length() {
            return Ok(());
        }
        Err(format!("length is {} after an append to {}", answer["length"], self.model.length()))
    }

    fn truncate(&mut self, sides: &mut Sides, tally: &mut Tally) -> Result<(), String> {
        let length = if self.rng.chance(15) { 0 } else { self.rng.below(self.model.length()) };
        let fork = self.model.fork + 1 + if self.rng.chance(20) { self.rng.below(5) } else { 0 };
        self.call(sides, &json!({ "op": "truncate", "length": length, "fork": fork }))?;
        self.model.truncate(length, fork);
        tally.operations += 1;
        Ok(())
    }

    fn clear(&mut self, sides: &mut Sides, tally: &mut Tally) -> Result<(), String> {
        let length = self.model.length();
        let start = self.rng.below(length);
        let span = if self.rng.chance(20) { length } else { 20 };
        let end = (start + 1 + self.rng.below(span)).min(length);
        if self.side == Side::JavaScript && self.model.hole_len(start, end) == 0 {
            // The package fails with EINVAL: it asks the kernel for a hole of 0 bytes.
            return self.append(sides, tally);
        }
        self.call(sides, &json!({ "op": "clear", "start": start, "end": end }))?;
        self.model.clear(start, end);
        tally.operations += 1;
        Ok(())
    }

    /// Kills this side in the middle of its appends; the other one opens.
    fn kill(&mut self, sides: &mut Sides, tally: &mut Tally) -> Result<(), String> {
        let batches: Vec<Vec<Spec>> = (0..4 + self.rng.below(16)).map(|_| self.batch(12)).collect();
        // The other side says what was meant: the one that dies may not come to it.
        let other = self.side.other();
        let mut meant = Vec::new();
        for batch in &batches {
            let answer = sides.of(other).call(&json!({ "op": "hash", "blocks": batch }))?;
            meant.push(hashes(&answer)?);
        }

        let waited = self.rng.below(batches.len() as u64);
        let pause = self.rng.below(3_000);
        let told = json!({ "op": "append, then kill", "waited": waited, "batches": batches });
        self.log.push_str(&format!("{} {told}\n", self.side));
        let driver = sides.of(self.side);
        for batch in &batches {
            driver.send(&json!({ "op": "append", "blocks": batch }))?;
        }
        for _ in 0..waited {
            driver.answer()?;
        }
        std::thread::sleep(Duration::from_micros(pause));
        let acknowledged = waited as usize + driver.kill()?.len();
        tally.kills += 1;

        self.side = other;
        self.open_unchecked(sides)?;
        let head = self.call(sides, &json!({ "op": "state", "blocks": false }))?;
        let seen = head["length"].as_u64().ok_or("no length")?;
        let mut taken = 0;
        while self.model.length() < seen && taken < batches.len() {
            self.model.append(&batches[taken], &meant[taken]);
            taken += 1;
        }
        tally.operations += taken as u64;
        if taken < acknowledged {
            return Err(format!("{acknowledged} batches were acknowledged, {taken} are there"));
        }
        tally.unacknowledged += (taken - acknowledged) as u64;
        // A batch is there as a whole or not at all: the comparison says so by the length.
        self.check(sides, tally, true)
    }

    fn call(&mut self, sides: &mut Sides, command: &Value) -> Result<Value, String> {
        self.log.push_str(&format!("{} {command}\n", self.side));
        sides.of(self.side).call(command).map_err(|what| format!("{}: {what}", command["op"]))
    }

    /// A batch of 1 to `count_max` blocks: mostly few and small, some empty, rarely huge;
    /// now and then a bulk batch.
    fn batch(&mut self, count_max: u64) -> Vec<Spec> {
        if self.rng.chance(4) {
            let count = BULK_BATCH.start + self.rng.below(BULK_BATCH.end - BULK_BATCH.start);
            let mut spec = || (self.rng.next() as u32, self.rng.below(BULK_BLOCK_LEN) as u32);
            return (0..count).map(|_| spec()).collect();
        }
        let high = match self.rng.below(10) {
            0..6 => 4,
            6..9 => 40,
            _ => count_max,
        };
        let count = 1 + self.rng.below(high.min(count_max));
        let mut batch: Vec<Spec> = (0..count)
            .map(|_| {
                let len = match self.rng.below(10) {
                    0 => 0,
                    1..7 => self.rng.below(200),
                    _ => self.rng.below(BLOCK_LEN_TYPICAL + 1),
                };
                (self.rng.next() as u32, len as u32)
            })
            .collect();
        if self.rng.chance(2) {
            batch[0].1 = self.rng.below(BLOCK_LEN_LARGE + 1) as u32;
        }
        batch
    }
}

fn hashes(answer: &Value) -> Result<Vec<String>, String> {
    let hashes = answer["hashes"].as_array().ok_or("no hashes")?;
    hashes
        .iter()
        .map(|hash| hash.as_str().map(str::to_owned).ok_or_else(|| "no hash".to_owned()))
        .collect()
}
