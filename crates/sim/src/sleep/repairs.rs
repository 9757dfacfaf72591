//! Every crash of a repair.
//!
//! A feed is damaged and repaired. The power fails, or the process is killed, after each operation of the repair; a
//! second repair, which the power may end too, must come to the same as one that nothing stops, and a third has nothing
//! to do. No byte of `data` changes, and where no loss is accepted the feed is what it was before the damage.
#![expect(
    clippy::ptr_arg,
    reason = "harms are functions of one type, and some make a file shorter"
)]

use std::collections::BTreeSet;
use std::rc::Rc;

use random_access_storage::RandomAccess;
use random_access_storage::testing::Faults;
use sleep::{
    Access, Durability, Feed, FileName, Finding, HEADER_LEN, NODE_LEN, RepairOptions, SIGNATURE_LEN,
};

use super::begin::Cast;
use super::crash::{next_crash, whole};
use super::model::Model;
use super::observe::Shown;
use super::play::{act, create, open};
use super::script::{Role, Step};
use super::storage::FeedFiles;
use crate::chosen::Chosen;
use crate::disk::{Disk, Image};
use crate::random::Random;
use crate::trials::crash::{Judge, Report, Run, Settings, some};
use crate::trials::{Case, Counts, Verdicts, caught};

/// The batches of the feed that is damaged: some are long, so that parents are made of them.
const BATCHES: [usize; 6] = [1, 3, 8, 1, 2, 5];

/// Something that is done to a feed, and what mends it.
#[derive(Clone, Copy, Debug)]
struct Damage {
    name: &'static str,
    /// Changes the bytes of a file; whether it is there afterwards.
    harm: fn(FileName, &mut Vec<u8>) -> bool,
    options: fn() -> RepairOptions,
    /// Whether all comes back.
    mends: bool,
}

/// All of them.
const DAMAGES: &[Damage] = &[
    Damage { name: "key", harm: no_key, options: RepairOptions::new, mends: true },
    Damage { name: "headers", harm: no_headers, options: replacing, mends: true },
    Damage { name: "parents", harm: no_parents, options: RepairOptions::new, mends: true },
    Damage { name: "bits", harm: no_bits, options: finding, mends: true },
    Damage { name: "signature", harm: no_signature, options: signing, mends: true },
    Damage { name: "most", harm: hardly_anything, options: all_but_loss, mends: true },
    Damage { name: "end-of-data", harm: short_data, options: losing, mends: false },
    Damage { name: "leaves", harm: no_leaves, options: losing, mends: false },
    Damage { name: "most-and-leaves", harm: worst, options: losing, mends: false },
];

fn no_key(file: FileName, _: &mut Vec<u8>) -> bool {
    file != FileName::Key
}

fn no_headers(file: FileName, bytes: &mut Vec<u8>) -> bool {
    if matches!(file, FileName::Tree | FileName::Signatures | FileName::Bitfield) {
        bytes[..HEADER_LEN].fill(0);
    }
    true
}

fn no_parents(file: FileName, bytes: &mut Vec<u8>) -> bool {
    if file == FileName::Tree {
        let nodes = bytes[HEADER_LEN..].chunks_mut(NODE_LEN);
        nodes.skip(1).step_by(2).for_each(|parent| parent.fill(0));
    }
    true
}

fn no_bits(file: FileName, _: &mut Vec<u8>) -> bool {
    file != FileName::Bitfield
}

fn no_signature(file: FileName, bytes: &mut Vec<u8>) -> bool {
    if file == FileName::Signatures {
        bytes.truncate(bytes.len() - SIGNATURE_LEN);
    }
    true
}

fn hardly_anything(file: FileName, bytes: &mut Vec<u8>) -> bool {
    no_headers(file, bytes) && no_parents(file, bytes) && no_key(file, bytes)
}

fn short_data(file: FileName, bytes: &mut Vec<u8>) -> bool {
    if file == FileName::Data {
        bytes.truncate(bytes.len() / 2);
    }
    true
}

fn no_leaves(file: FileName, bytes: &mut Vec<u8>) -> bool {
    if file == FileName::Tree {
        // Of the blocks 15 to 17, with their parents: a short end of the feed is left unproven.
        bytes[HEADER_LEN + 30 * NODE_LEN..][..5 * NODE_LEN].fill(0);
    }
    true
}

fn worst(file: FileName, bytes: &mut Vec<u8>) -> bool {
    no_leaves(file, bytes) && no_bits(file, bytes) && no_signature(file, bytes)
}

fn replacing() -> RepairOptions {
    RepairOptions::new().replace_headers()
}

fn finding() -> RepairOptions {
    RepairOptions::new().find_blocks()
}

fn signing() -> RepairOptions {
    RepairOptions::new().sign()
}

fn all_but_loss() -> RepairOptions {
    RepairOptions::new().replace_headers().sign().find_blocks()
}

fn losing() -> RepairOptions {
    all_but_loss().accept_loss()
}

/// A repair of a damage.
#[derive(Clone, Copy, Debug)]
pub struct RepairCase {
    damage: &'static Damage,
}

impl RepairCase {
    /// All there are.
    pub fn all() -> impl Iterator<Item = Self> {
        DAMAGES.iter().map(|damage| Self { damage })
    }

    /// A damaged feed, all of it durable, and what it held before.
    fn damaged(self, seed: u64) -> (Image, Rc<Model>) {
        let (mut random, disk) = (Random::new(seed), Disk::new());
        let (none, cast) = (Faults::none(), Cast::default());
        let feed = create(&disk, Role::Writer, Durability::Lazy, &none);
        let (mut feed, mut model) = (feed.expect("a new feed"), Model::new(Role::Writer));
        for count in BATCHES {
            let batch = (0..count).map(|at| random.bytes(1 + at * 37)).collect();
            let step = Step::Append(batch);
            act(&mut feed, &step, &cast).expect("a disk that works");
            model.apply(&step, &[]);
        }
        let damaged = Disk::new();
        for file in FileName::ALL {
            let mut bytes = disk.shown().bytes(file.as_str()).unwrap_or_default();
            if (self.damage.harm)(file, &mut bytes) {
                let store = damaged.create(file.as_str());
                store.write_at(0, &bytes).expect("a disk that works");
            }
        }
        (damaged.shown(), Rc::new(model))
    }
}

impl Case for RepairCase {
    fn name(&self) -> String {
        format!("{}-{}", self.workload(), self.damage.name)
    }

    fn workload(&self) -> String {
        "sleep/repair".to_owned()
    }

    fn row(&self) -> String {
        self.workload()
    }

    fn subject(&self) -> &'static str {
        "SLEEP feeds"
    }

    fn settings(&self, seed: u64, deep: bool) -> Settings {
        match deep {
            true => Settings::new(whole(seed), usize::MAX),
            false => Settings::new(next_crash(seed), 4),
        }
    }

    fn crash(&self, settings: &Settings) -> Report {
        let (image, model) = self.damaged(settings.seed);
        let disk = Disk::of(image);
        let wanted = caught(|| Wanted::of(self.damage, &disk, &model));
        let recording = disk.recording();
        let oracle = Oracle { damage: self.damage, wanted, verdicts: Verdicts::new() };
        let mut run = Run::new(*settings, oracle);
        if let Err(what) = &run.judge.wanted {
            let what = format!("without any fault: {what}");
            run.bad(what);
            return run.report();
        }
        let (positions, none) = (0..=recording.len(), &mut Chosen::none());
        run.cut_power(&recording, positions, &settings.plan, |_| (), none);

        let plan = next_crash(settings.seed);
        for position in some(0, recording.len() + 1, settings.interruptions_max) {
            // What the dead process had not synced is still not synced.
            let disk = recording.at(position);
            match caught(|| repair(self.damage, &disk)) {
                Err(what) => run.bad(format!("killed after {position} operations: {what}")),
                Ok(()) => {
                    let recording = disk.recording();
                    run.cut_power(&recording, 0..=recording.len(), &plan, |_| (), none);
                }
            }
        }
        run.report()
    }
}

fn repair(damage: &Damage, disk: &Disk) -> Result<(), String> {
    let repaired = (damage.options)().repair(FeedFiles::on(disk));
    repaired.map(drop).map_err(|error| format!("is not repaired: {error:?}"))
}

/// What a repair comes to.
#[derive(Debug)]
struct Wanted {
    shown: Shown,
    data: Option<Vec<u8>>,
}

impl Wanted {
    /// Repairs what is on `disk`.
    fn of(damage: &Damage, disk: &Disk, model: &Rc<Model>) -> Result<Self, String> {
        let data = disk.shown().bytes(FileName::Data.as_str());
        repair(damage, disk)?;
        let shown = shown(disk)?;
        if damage.mends {
            shown.compare(model, &BTreeSet::new())?;
        }
        Ok(Self { shown, data })
    }

    /// Whether it is what `disk` shows, and the feed goes on from there.
    fn is_on(&self, disk: &Disk) -> Result<(), String> {
        let found = shown(disk)?;
        if found != self.shown {
            return Err(format!("it shows {found:?}, not {:?}", self.shown));
        }
        if disk.shown().bytes(FileName::Data.as_str()) != self.data {
            return Err("the repair changed blocks".to_owned());
        }
        let mut feed = open(disk, Durability::Strict, &Faults::none())
            .map_err(|error| format!("does not open for writing: {error:?}"))?;
        let one_more = Step::Append(vec![b"one more".to_vec()]);
        act(&mut feed, &one_more, &Cast::default())
            .map_err(|error| format!("takes no change: {error:?}"))?;
        let report = feed.audit(&mut |_| {}).map_err(|error| format!("the audit: {error:?}"))?;
        match report.findings.iter().any(Finding::is_damage) {
            true => Err(format!("the audit finds {report:?}")),
            false => Ok(()),
        }
    }
}

fn shown(disk: &Disk) -> Result<Shown, String> {
    let feed = Feed::options().access(Access::Read).open(FeedFiles::on(disk));
    let feed = feed.map_err(|error| format!("does not open for reading: {error:?}"))?;
    Shown::of(&feed).map_err(|error| format!("something cannot be read: {error:?}"))
}

/// Judges what is left of a repair.
#[derive(Debug)]
struct Oracle {
    damage: &'static Damage,
    wanted: Result<Wanted, String>,
    verdicts: Verdicts<()>,
}

impl Oracle {
    fn look(&self, image: &Image) -> Result<(), String> {
        let disk = Disk::of(image.clone());
        repair(self.damage, &disk)?;
        let repaired = disk.position();
        repair(self.damage, &disk)?;
        if disk.position() != repaired {
            return Err("there is something to repair once more".to_owned());
        }
        self.wanted.as_ref().map_err(String::clone)?.is_on(&disk)
    }
}

impl Judge for Oracle {
    type Promise = ();
    type Found = ();

    fn judge(&mut self, image: &Image, (): &()) -> Result<(), String> {
        let digest = image.digest();
        let known = self.verdicts.meet(digest, true);
        let known = known.unwrap_or_else(|| {
            let looked = caught(|| self.look(image));
            self.verdicts.note(digest, true, looked)
        });
        known.map(drop)
    }

    fn counts(&self) -> Counts {
        self.verdicts.counts()
    }
}
