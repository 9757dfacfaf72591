//! A random script on one SLEEP feed: who begins, what is done in turn, who dies when.

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::interop::driver::{Side, Sides};
use crate::interop::model::Spec;
use crate::interop::turns::{Batch, Failure, Killed, Turns, some_blocks};
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

/// A script and where it stands.
#[derive(Debug)]
pub(super) struct Script<'a> {
    index: u64,
    rng: Rng,
    start: Start,
    /// Where everything of this script lies.
    folder: &'a Path,
    turns: Turns,
    model: Model,
    reader: Option<Reader>,
    readers: u64,
    /// Batches that were not there when somebody first looked after a kill, with their hashes. Ours may find the
    /// first of them later: JavaScript takes no notice of a signature whose bits were not written.
    lost: Vec<Batch>,
}

impl<'a> Script<'a> {
    pub(super) fn new(index: u64, seed: u64, start: Start, folder: &'a Path) -> Self {
        let mut rng = Rng::new(seed);
        let is_javascript = matches!(start, Start::OldPages) || rng.chance(50);
        let side = if is_javascript { Side::JavaScript } else { Side::Rust };
        let mut turns = Turns::new(side);
        turns.note(&format!("{start:?}"));
        let (model, lost) = (Model::default(), Vec::new());
        Self { index, rng, start, folder, turns, model, reader: None, readers: 0, lost }
    }

    /// Runs it to its end, which is always a hand-over.
    pub(super) fn run(mut self, sides: &mut Sides, tally: &mut Tally) -> Result<(), Failure> {
        match self.steps(sides, tally) {
            Ok(()) => {
                tally.scripts += 1;
                Ok(())
            }
            Err(what) => Err(self.turns.failure(&format!("SLEEP script {}", self.index), &what)),
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
        self.turns.call(sides, &json!({ "op": "close" })).map(drop)
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
                self.turns.call(sides, &json!({ "op": "open", "dir": dir, "seed": seed }))?;
            }
            Start::OldPages => {
                self.turns.call(
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
                self.turns.call(sides, &json!({ "op": "open", "dir": dir }))?;
                tally.old += 1;
            }
        }
        self.check(sides, tally, true)
    }

    /// Opens on the current side and compares everything.
    fn open(&mut self, sides: &mut Sides, tally: &mut Tally) -> Result<(), String> {
        let open = json!({ "op": "open", "dir": self.dir() });
        let opened = self.turns.call(sides, &open)?;
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
        self.turns.call(sides, &json!({ "op": "close" }))?;
        if self.rng.chance(80) {
            self.turns.side = self.turns.side.other();
        }
        tally.openings += 1;
        self.open(sides, tally)
    }

    fn check(&mut self, sides: &mut Sides, tally: &mut Tally, all: bool) -> Result<(), String> {
        let state = self.turns.call(sides, &json!({ "op": "state", "blocks": all }))?;
        tally.blocks += self.model.compare(&state)?;
        if all {
            let audit = self.turns.call(sides, &json!({ "op": "audit" }))?;
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
        let hashes = self.turns.append(sides, batch, self.model.length())?;
        self.model.append(batch, &hashes);
        self.lost.clear();
        tally.operations += 1;
        Ok(())
    }

    fn clear(&mut self, sides: &mut Sides, tally: &mut Tally) -> Result<(), String> {
        let Range { start, end } = some_blocks(&mut self.rng, self.model.length());
        self.turns.call(sides, &json!({ "op": "clear", "start": start, "end": end }))?;
        self.model.clear(start, end);
        tally.operations += 1;
        Ok(())
    }

    /// Shortens the feed to a length that was signed: JavaScript alone can, and takes a feed whose last
    /// signature is missing for one that is never signed.
    fn truncate(&mut self, sides: &mut Sides, tally: &mut Tally) -> Result<(), String> {
        let signed = self.model.signed_lengths();
        if self.turns.side == Side::Rust || signed.len() < 2 {
            return self.append(sides, tally);
        }
        let length = signed[self.rng.below(signed.len() as u64 - 1) as usize];
        self.turns.call(sides, &json!({ "op": "truncate", "length": length }))?;
        self.model.truncate(length);
        self.lost.clear();
        // Its blocks may no longer be those of the feed.
        self.reader = None;
        tally.operations += 1;
        // The package keeps nodes of the old tree in its cache until it opens the feed anew.
        self.turns.call(sides, &json!({ "op": "close" }))?;
        self.open(sides, tally)
    }

    fn seek(&mut self, sides: &mut Sides, tally: &mut Tally) -> Result<(), String> {
        let Some(byte_length) = self.model.byte_length().filter(|len| *len > 0) else {
            return self.append(sides, tally);
        };
        let byte = self.rng.below(byte_length);
        let answer = self.turns.call(sides, &json!({ "op": "seek", "byte": byte }))?;
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
        let other = self.turns.side.other();
        let open = json!({ "op": "open", "dir": self.dir() });
        self.turns.note(&format!("{other} {open}, in vain"));
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
        self.turns.call(sides, &json!({ "op": "close" }))?;
        let mut reader = self.reader.take().unwrap_or_else(|| {
            self.readers += 1;
            tally.readers += 1;
            Reader::new(self.folder, self.readers)
        });
        let writer = self.dir();
        reader
            .visit(sides, &mut self.rng, &self.model, &writer, &mut self.turns, tally)
            .map_err(|what| format!("reader {}: {what}", self.readers))?;
        self.reader = Some(reader);
        self.open(sides, tally)
    }

    /// Kills this side in the middle of its appends; the other one opens.
    fn kill(&mut self, sides: &mut Sides, tally: &mut Tally) -> Result<(), String> {
        let count = 4 + self.rng.below(16);
        let batches: Vec<Vec<Spec>> = (0..count).map(|_| batch(&mut self.rng)).collect();
        let Killed { batches, acknowledged } = self.turns.kill(sides, &mut self.rng, batches)?;
        tally.kills += 1;
        let before = self.model.signed_lengths().len();
        self.lost = batches;
        // A batch is there as a whole or not at all: the comparison says so by the length.
        self.open(sides, tally)?;
        let found = self.model.signed_lengths().len() - before;
        if found < acknowledged {
            return Err(format!("{acknowledged} batches were acknowledged, {found} are there"));
        }
        Ok(())
    }
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
