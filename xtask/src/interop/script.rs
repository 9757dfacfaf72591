//! One random script: chosen step by step from its seed and the model.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use serde_json::json;

use crate::rng::Rng;

use super::driver::{Side, Sides};
use super::model::{Model, Spec};
use super::turns::{Failure, Killed, Turns, some_blocks};

/// Every so many scripts, one in which processes are killed.
const KILL_EVERY: u64 = 8;
/// Blocks of a core from which on a script prefers to truncate: reading all
/// of them after each opening is what a run spends its time on.
const LENGTH_HIGH: u64 = 400;
const BATCH_MAX: u64 = 200;
/// Batches so large that the engine here puts their nodes into the tree file and not into the oplog:
/// the other side must be able to open the log all the same.
const BULK_BATCH: Range<u64> = 257..600;
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

/// A script and where it stands.
#[derive(Debug)]
pub(super) struct Script<'a> {
    index: u64,
    rng: Rng,
    dir: &'a Path,
    compat: bool,
    turns: Turns,
    model: Model,
}

impl<'a> Script<'a> {
    pub(super) fn new(index: u64, seed: u64, dir: &'a Path) -> Self {
        let mut rng = Rng::new(seed);
        let compat = rng.chance(40);
        let side = if rng.chance(50) { Side::JavaScript } else { Side::Rust };
        Self { index, rng, dir, compat, turns: Turns::new(side), model: Model::default() }
    }

    /// Runs it to its end, which is always a hand-over.
    pub(super) fn run(mut self, sides: &mut Sides, tally: &mut Tally) -> Result<(), Failure> {
        match self.steps(sides, tally) {
            Ok(()) => {
                tally.scripts += 1;
                tally.compat += u64::from(self.compat);
                Ok(())
            }
            Err(what) => Err(self.turns.failure(&format!("script {}", self.index), &what)),
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
        self.turns.call(sides, &open).map(drop)
    }

    fn close(&mut self, sides: &mut Sides) -> Result<(), String> {
        let checkpoint = self.rng.chance(30);
        self.turns.call(sides, &json!({ "op": "close", "checkpoint": checkpoint })).map(drop)
    }

    /// Closes here, opens on the other side.
    fn hand_over(&mut self, sides: &mut Sides, tally: &mut Tally) -> Result<(), String> {
        // So that this side has told its tree hash before the other one does.
        self.check(sides, tally, false)?;
        self.close(sides)?;
        self.turns.side = self.turns.side.other();
        tally.hand_overs += 1;
        self.open(sides, tally)
    }

    fn check(&mut self, sides: &mut Sides, tally: &mut Tally, all: bool) -> Result<(), String> {
        let state = self.turns.call(sides, &json!({ "op": "state", "blocks": all }))?;
        let compared = self.model.compare(self.turns.side, &state)?;
        tally.blocks += compared.blocks;
        tally.hints_off += compared.hints_off;
        Ok(())
    }

    fn append(&mut self, sides: &mut Sides, tally: &mut Tally) -> Result<(), String> {
        let batch = self.batch(BATCH_MAX);
        let hashes = self.turns.append(sides, &batch, self.model.length())?;
        self.model.append(&batch, &hashes);
        tally.operations += 1;
        Ok(())
    }

    fn truncate(&mut self, sides: &mut Sides, tally: &mut Tally) -> Result<(), String> {
        let length = if self.rng.chance(15) { 0 } else { self.rng.below(self.model.length()) };
        let fork = self.model.fork + 1 + if self.rng.chance(20) { self.rng.below(5) } else { 0 };
        self.turns.call(sides, &json!({ "op": "truncate", "length": length, "fork": fork }))?;
        self.model.truncate(length, fork);
        tally.operations += 1;
        Ok(())
    }

    fn clear(&mut self, sides: &mut Sides, tally: &mut Tally) -> Result<(), String> {
        let Range { start, end } = some_blocks(&mut self.rng, self.model.length());
        if self.turns.side == Side::JavaScript && self.model.hole_len(start, end) == 0 {
            // The package fails with EINVAL: it asks the kernel for a hole of 0 bytes.
            return self.append(sides, tally);
        }
        self.turns.call(sides, &json!({ "op": "clear", "start": start, "end": end }))?;
        self.model.clear(start, end);
        tally.operations += 1;
        Ok(())
    }

    /// Kills this side in the middle of its appends; the other one opens.
    fn kill(&mut self, sides: &mut Sides, tally: &mut Tally) -> Result<(), String> {
        let batches: Vec<Vec<Spec>> = (0..4 + self.rng.below(16)).map(|_| self.batch(12)).collect();
        let Killed { batches, acknowledged } = self.turns.kill(sides, &mut self.rng, batches)?;
        tally.kills += 1;
        self.open_unchecked(sides)?;
        let head = self.turns.call(sides, &json!({ "op": "state", "blocks": false }))?;
        let seen = head["length"].as_u64().ok_or("no length")?;
        let mut taken = 0;
        for (batch, hashes) in &batches {
            if self.model.length() >= seen {
                break;
            }
            self.model.append(batch, hashes);
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
