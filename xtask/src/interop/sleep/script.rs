//! A random script on one SLEEP feed: who begins, what is done in turn, who dies when.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::interop::driver::{Side, Sides};
use crate::interop::model::Spec;
use crate::rng::Rng;

use super::files;
use super::model::Model;
use super::reader::Reader;
use super::tally::Tally;

/// Every so many scripts a side is killed.
const KILL_EVERY: u64 = 5;

/// Every so many scripts a feed with the pages of old releases is made.
const OLD_PAGES_EVERY: u64 = 4;

/// Length at which a script clears and looks rather than appends.
const LENGTH_HIGH: u64 = 400;

/// The script that begins with a batch of so many blocks, which need two pages of the bitfield.
const BULK_AT: u64 = 10;
const BULK_BATCH: u64 = 8_200;

/// What a script begins with.
#[derive(Debug, Clone)]
pub(super) enum Start {
    /// Nothing: the first side makes the feed.
    Nothing,
    /// Nothing; JavaScript makes the feed with pages of 3328 bytes.
    OldPages,
    /// A copy of a directory that some release has left.
    Copy(PathBuf),
}

impl Start {
    /// What the script of this number begins with: each of the directories that are `kept` in turn, between new feeds.
    pub(super) fn of(index: u64, kept: &[PathBuf]) -> Self {
        if index % OLD_PAGES_EVERY == OLD_PAGES_EVERY - 1 {
            return Self::OldPages;
        }
        let turn = (index / 2) as usize;
        if index.is_multiple_of(2) && !kept.is_empty() {
            return Self::Copy(kept[turn % kept.len()].clone());
        }
        Self::Nothing
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
    start: Start,
    /// Where everything of this script lies.
    folder: &'a Path,
    side: Side,
    model: Model,
    reader: Option<Reader>,
    readers: u64,
    /// Batches that were not there when somebody first looked after a kill, with their hashes. Ours may find the
    /// first of them later: JavaScript takes no notice of a signature whose bits were not written.
    lost: Vec<(Vec<Spec>, Vec<String>)>,
    log: String,
}

impl<'a> Script<'a> {
    pub(super) fn new(index: u64, seed: u64, start: Start, folder: &'a Path) -> Self {
        let mut rng = Rng::new(seed);
        let is_javascript = matches!(start, Start::OldPages) || rng.chance(50);
        let side = if is_javascript { Side::JavaScript } else { Side::Rust };
        let model = Model::default();
        let log = format!("{start:?}\n");
        Self {
            index,
            rng,
            start,
            folder,
            side,
            model,
            reader: None,
            readers: 0,
            lost: Vec::new(),
            log,
        }
    }

    /// Runs it to its end, which is always a hand-over.
    pub(super) fn run(mut self, sides: &mut Sides, tally: &mut Tally) -> Result<(), Failure> {
        match self.steps(sides, tally) {
            Ok(()) => {
                tally.scripts += 1;
                Ok(())
            }
            Err(what) => {
                let what = format!("SLEEP script {}: {}: {what}", self.index, self.side);
                Err(Failure { what, log: self.log })
            }
        }
    }

    fn steps(&mut self, sides: &mut Sides, tally: &mut Tally) -> Result<(), String> {
        self.begin(sides, tally)?;
        let mut steps = 6 + self.rng.below(12);
        if self.index == BULK_AT {
            let batch = bulk_batch(&mut self.rng);
            self.append_batch(&batch, sides, tally)?;
            steps = 3;
        }
        let kill_at = (self.index % KILL_EVERY == KILL_EVERY - 1).then(|| self.rng.below(steps));
        for step in 0..steps {
            if kill_at == Some(step) {
                self.kill(sides, tally)?;
                continue;
            }
            let length = self.model.length();
            match self.rng.below(100) {
                0..40 if length < LENGTH_HIGH || self.rng.chance(20) => {
                    self.append(sides, tally)?
                }
                40..50 if length > 0 => self.clear(sides, tally)?,
                50..55 if length > 0 => self.truncate(sides, tally)?,
                0..62 if length > 0 => self.seek(sides, tally)?,
                62..72 => self.visit(sides, tally)?,
                72..78 => self.locked(sides)?,
                78.. => self.hand_over(sides, tally)?,
                _ => self.append(sides, tally)?,
            }
        }
        self.hand_over(sides, tally)?;
        self.visit(sides, tally)?;
        self.call(sides, &json!({ "op": "close" })).map(drop)
    }

    fn dir(&self) -> String {
        self.folder.join("feed").to_string_lossy().into_owned()
    }

    /// Makes the feed, or takes over what is there.
    fn begin(&mut self, sides: &mut Sides, tally: &mut Tally) -> Result<(), String> {
        let seed = format!("{:02x}", self.index % 251).repeat(32);
        let dir = self.dir();
        match &self.start {
            Start::Nothing => {
                self.call(sides, &json!({ "op": "open", "dir": dir, "seed": seed }))?;
            }
            Start::OldPages => {
                self.call(
                    sides,
                    &json!({ "op": "open", "dir": dir, "seed": seed, "pageSize": 3328 }),
                )?;
                tally.old += 1;
            }
            Start::Copy(from) => {
                files::copy(from, Path::new(&dir)).map_err(|error| error.to_string())?;
                // What was there before, as JavaScript sees it in a copy that nobody else uses.
                let other = self.folder.join("seen");
                files::copy(from, &other).map_err(|error| error.to_string())?;
                let javascript = sides.of(Side::JavaScript);
                javascript.call(&json!({ "op": "open", "dir": other.to_string_lossy() }))?;
                let state = javascript.call(&json!({ "op": "state", "blocks": true }))?;
                let lengths = javascript.call(&json!({ "op": "lengths" }))?;
                javascript.call(&json!({ "op": "close" }))?;
                self.model = Model::adopted(&state, &lengths)?;
                self.call(sides, &json!({ "op": "open", "dir": dir }))?;
                tally.old += 1;
            }
        }
        self.check(sides, tally, true)
    }

    /// Opens on the current side and compares everything.
    fn open(&mut self, sides: &mut Sides, tally: &mut Tally) -> Result<(), String> {
        let open = json!({ "op": "open", "dir": self.dir() });
        let opened = self.call(sides, &open)?;
        while opened["length"].as_u64() > Some(self.model.length()) && !self.lost.is_empty() {
            let (batch, hashes) = self.lost.remove(0);
            self.model.append(&batch, &hashes);
            tally.operations += 1;
        }
        self.check(sides, tally, true)
    }

    /// Closes here, opens on the other side, or now and then on this one again.
    fn hand_over(&mut self, sides: &mut Sides, tally: &mut Tally) -> Result<(), String> {
        // So that this side has told what it sees before the other one does.
        self.check(sides, tally, false)?;
        self.call(sides, &json!({ "op": "close" }))?;
        if self.rng.chance(80) {
            self.side = self.side.other();
        }
        tally.openings += 1;
        self.open(sides, tally)
    }

    fn check(&mut self, sides: &mut Sides, tally: &mut Tally, all: bool) -> Result<(), String> {
        let state = self.call(sides, &json!({ "op": "state", "blocks": all }))?;
        tally.blocks += self.model.compare(&state)?;
        if all {
            let audit = self.call(sides, &json!({ "op": "audit" }))?;
            self.model.compare_audit(&audit)?;
        }
        Ok(())
    }

    fn append(&mut self, sides: &mut Sides, tally: &mut Tally) -> Result<(), String> {
        let batch = batch(&mut self.rng);
        self.append_batch(&batch, sides, tally)
    }

    fn append_batch(
        &mut self,
        batch: &[Spec],
        sides: &mut Sides,
        tally: &mut Tally,
    ) -> Result<(), String> {
        let answer = self.call(sides, &json!({ "op": "append", "blocks": batch }))?;
        self.model.append(batch, &hashes(&answer)?);
        self.lost.clear();
        tally.operations += 1;
        if answer["length"] == self.model.length() {
            return Ok(());
        }
        Err(format!("length is {} after an append to {}", answer["length"], self.model.length()))
    }

    fn clear(&mut self, sides: &mut Sides, tally: &mut Tally) -> Result<(), String> {
        let length = self.model.length();
        let start = self.rng.below(length);
        let span = if self.rng.chance(20) { length } else { 20 };
        let end = (start + 1 + self.rng.below(span)).min(length);
        self.call(sides, &json!({ "op": "clear", "start": start, "end": end }))?;
        self.model.clear(start, end);
        tally.operations += 1;
        Ok(())
    }

    /// Shortens the feed to a length that was signed: JavaScript alone can, and takes a feed whose last
    /// signature is missing for one that is never signed.
    fn truncate(&mut self, sides: &mut Sides, tally: &mut Tally) -> Result<(), String> {
        let signed = self.model.signed_lengths();
        if self.side == Side::Rust || signed.len() < 2 {
            return self.append(sides, tally);
        }
        let length = signed[self.rng.below(signed.len() as u64 - 1) as usize];
        self.call(sides, &json!({ "op": "truncate", "length": length }))?;
        self.model.truncate(length);
        self.lost.clear();
        // Its blocks may no longer be those of the feed.
        self.reader = None;
        tally.operations += 1;
        // The package keeps nodes of the old tree in its cache until it opens the feed anew.
        self.call(sides, &json!({ "op": "close" }))?;
        self.open(sides, tally)
    }

    fn seek(&mut self, sides: &mut Sides, tally: &mut Tally) -> Result<(), String> {
        let Some(byte_length) = self.model.byte_length().filter(|len| *len > 0) else {
            return self.append(sides, tally);
        };
        let byte = self.rng.below(byte_length);
        let answer = self.call(sides, &json!({ "op": "seek", "byte": byte }))?;
        let found = (answer["index"].as_u64(), answer["offset"].as_u64());
        let wanted = self.model.find(byte).map(|(index, offset)| (Some(index), Some(offset)));
        tally.operations += 1;
        if wanted == Some(found) {
            Ok(())
        } else {
            Err(format!("byte {byte} is {answer}, not {wanted:?}"))
        }
    }

    /// The other side must not open what this one has open.
    fn locked(&mut self, sides: &mut Sides) -> Result<(), String> {
        let other = self.side.other();
        let open = json!({ "op": "open", "dir": self.dir() });
        self.log.push_str(&format!("{other} {open}, in vain\n"));
        match sides.of(other).call(&open) {
            Ok(_) => Err(format!("the {other} side opened it as well")),
            Err(what) if what.contains("lock") || what.contains("LOCK") => Ok(()),
            Err(what) => Err(format!("the {other} side does not say that it is locked: {what}")),
        }
    }

    /// Somebody else's copy gets more of the feed; then both sides read it.
    fn visit(&mut self, sides: &mut Sides, tally: &mut Tally) -> Result<(), String> {
        if self.model.length() == 0 {
            return self.append(sides, tally);
        }
        self.call(sides, &json!({ "op": "close" }))?;
        let mut reader = self.reader.take().unwrap_or_else(|| {
            self.readers += 1;
            tally.readers += 1;
            Reader::new(self.folder, self.readers)
        });
        let writer = self.dir();
        reader
            .visit(sides, &mut self.rng, &self.model, &writer, &mut self.log, tally)
            .map_err(|what| format!("reader {}: {what}", self.readers))?;
        self.reader = Some(reader);
        self.open(sides, tally)
    }

    /// Kills this side in the middle of its appends; the other one opens.
    fn kill(&mut self, sides: &mut Sides, tally: &mut Tally) -> Result<(), String> {
        let count = 4 + self.rng.below(16);
        let batches: Vec<Vec<Spec>> = (0..count).map(|_| batch(&mut self.rng)).collect();
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
        let before = self.model.signed_lengths().len();
        self.lost = batches.into_iter().zip(meant).collect();
        // A batch is there as a whole or not at all: the comparison says so by the length.
        self.open(sides, tally)?;
        let found = self.model.signed_lengths().len() - before;
        if found < acknowledged {
            return Err(format!("{acknowledged} batches were acknowledged, {found} are there"));
        }
        Ok(())
    }

    fn call(&mut self, sides: &mut Sides, command: &Value) -> Result<Value, String> {
        self.log.push_str(&format!("{} {command}\n", self.side));
        sides.of(self.side).call(command).map_err(|what| format!("{}: {what}", command["op"]))
    }
}

/// What a driver says that it was asked to append.
pub(super) fn hashes(answer: &Value) -> Result<Vec<String>, String> {
    serde_json::from_value(answer["hashes"].clone()).map_err(|error| format!("hashes: {error}"))
}

/// A batch that needs a second page of the bitfield.
pub(super) fn bulk_batch(rng: &mut Rng) -> Vec<Spec> {
    (0..BULK_BATCH).map(|_| (rng.next() as u32, rng.below(12) as u32)).collect()
}

/// A batch: mostly few and small blocks, some of them empty.
pub(super) fn batch(rng: &mut Rng) -> Vec<Spec> {
    let high = match rng.below(10) {
        0..5 => 1,
        5..9 => 12,
        _ => 80,
    };
    let count = 1 + rng.below(high);
    let mut block = || {
        let len = match rng.below(10) {
            0 => 0,
            1..8 => rng.below(200),
            _ => rng.below(5_000),
        };
        (rng.next() as u32, len as u32)
    };
    (0..count).map(|_| block()).collect()
}
