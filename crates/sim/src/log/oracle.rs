//! The judge of images: what opens, what it shows, and whether the log goes on from there.
//!
//! An image is looked at once, however often it is met: what it shows does not depend on what was promised, and
//! that is compared each time. What comes after the recovery is tried once for each different content that a
//! recovery leaves.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use hypercore_crypto::PublicKey;
use hypercore_log::{Access, Create, Durability, Log, LogError, OpenError, OpenOptions};
use hypercore_merkle::Tree;

use super::crash::quick;
use super::model::{Fingerprint, Model, fingerprint_of};
use super::play::change;
use super::script::{OWNER, Role, Step, key_pair, options, stores_on};
use super::timeline::{NOTHING, Observed, Promise, Timeline};
use crate::disk::{Disk, Image};
use crate::trials::crash::Judge;
use crate::trials::{Counts, Verdicts, caught};

/// A state, and what a log in it must show besides its blocks.
#[derive(Debug)]
struct Expected {
    model: Model,
    fingerprint: Fingerprint,
    /// Computed from the blocks alone.
    tree: Tree,
    contiguous_length: u64,
    signer: Option<PublicKey>,
    /// A signature that was verified. Ed25519 gives the same one each time.
    signature: OnceCell<Vec<u8>>,
    /// The state after one more change.
    after: OnceCell<Rc<Self>>,
}

impl Expected {
    fn of(model: &Model) -> Self {
        let writer = model.role == Role::Writer;
        Self {
            fingerprint: model.fingerprint(),
            tree: model.tree(),
            contiguous_length: model.here.iter().take_while(|here| **here).count() as u64,
            signer: writer.then(|| key_pair(model.owner).public()),
            signature: OnceCell::new(),
            after: OnceCell::new(),
            model: model.clone(),
        }
    }

    fn after(&self) -> &Rc<Self> {
        self.after.get_or_init(|| {
            let mut model = self.model.clone();
            model.apply(&change(model.role, ONE_MORE), &[]);
            Rc::new(Self::of(&model))
        })
    }

    /// Compares everything but the blocks and the user data, which the fingerprint stands for.
    fn check(&self, log: &Log) -> Result<(), String> {
        let head = log.head();
        let right = head.fork == self.tree.fork()
            && head.length == self.tree.length()
            && head.byte_length == self.tree.byte_length()
            && head.tree_hash == self.tree.hash();
        if !right {
            return Err(format!("the head is {head:?}, not that of {:?}", self.tree));
        }
        if log.signer() != self.signer {
            return Err(format!("the key pair is {:?}, not {:?}", log.signer(), self.signer));
        }
        if log.contiguous_length() != self.contiguous_length {
            let (found, wanted) = (log.contiguous_length(), self.contiguous_length);
            return Err(format!("the contiguous length is {found}, not {wanted}"));
        }
        if log.durable_length() > head.length {
            return Err(format!("durable are {} blocks of {}", log.durable_length(), head.length));
        }
        if head.length == 0 {
            return Ok(());
        }
        let signature = log.signature().unwrap_or_default();
        if self.signature.get() != Some(&signature) {
            let manifest = log.manifest().ok_or("no manifest is known")?;
            let verified = manifest.verify(&self.model.key(), &self.tree, &signature);
            verified.map_err(|error| format!("the signature: {error}"))?;
            let _ = self.signature.set(signature);
        }
        Ok(())
    }
}

const ONE_MORE: &str = "one more";

/// Judges the images of one workload.
#[derive(Debug)]
pub struct Oracle {
    durability: Durability,
    states: HashMap<Fingerprint, Rc<Expected>>,
    verdicts: Verdicts<Observed>,
    /// What recoveries left, as far as it was tried to go on from there.
    continued: HashSet<u128>,
}

impl Oracle {
    /// Knows no state yet.
    #[must_use]
    pub fn new(durability: Durability) -> Self {
        Self {
            durability,
            states: HashMap::new(),
            verdicts: Verdicts::new(),
            continued: HashSet::new(),
        }
    }

    /// Gets to know the states of `timeline`: what no timeline has is never right.
    pub fn learn(&mut self, timeline: &Timeline) {
        for model in timeline.moments().iter().filter_map(|moment| moment.model.as_deref()) {
            let expected = || Rc::new(Expected::of(model));
            self.states.entry(model.fingerprint()).or_insert_with(expected);
        }
    }

    /// What `image` shows, once it is known that it is a state that was and that the log goes on from there.
    fn observe(&mut self, image: &Image, recoveries: bool) -> Result<Rc<Observed>, String> {
        let digest = image.digest();
        if let Some(known) = self.verdicts.meet(digest, recoveries) {
            return known;
        }
        let looked = caught(|| self.look(image, recoveries));
        self.verdicts.note(digest, recoveries, looked)
    }

    fn look(&mut self, image: &Image, recoveries: bool) -> Result<Observed, String> {
        let disk = Disk::of(image.clone());
        let read_only = OpenOptions::new().access(Access::ReadOnly);
        let log = match Log::open(stores_on(&disk), read_only) {
            Ok(log) => log,
            Err(OpenError::NotFound) => return self.begin_anew(image),
            Err(error) => return Err(format!("does not open for reading: {error:?}")),
        };
        let expected = self.recognise(&log)?;
        let report = log.recovery();
        if report.newer_header_lost || report.entry_bit_flipped || report.bitfield_damaged {
            return Err(format!("damage is reported after a mere power cut: {report:?}"));
        }
        let observed = Observed {
            fingerprint: expected.fingerprint,
            key: Some(log.key()),
            fork: log.fork(),
            length: log.length(),
            tells_loss: report.lost_something(),
        };
        drop(log);
        if disk.position() != 0 {
            return Err("opening for reading wrote".to_owned());
        }

        let log = self.open(&disk, "for writing")?;
        same(&log, &expected, "opened for writing")?;
        let recovery = disk.recording();
        if self.continued.insert(disk.shown().digest()) {
            self.go_on(&disk, log, &expected)?;
        }
        if recoveries && !recovery.is_empty() {
            // The power fails again at each operation of the recovery.
            let plan = quick(recovery.len() as u64);
            recovery.try_crashes(1..=recovery.len(), &plan, &mut |crash| {
                let told = |error| format!("a second crash, in the recovery: {error}");
                let found = self.observe(&crash.image, false).map_err(told)?;
                if found.fingerprint == observed.fingerprint {
                    return Ok(());
                }
                Err(told(format!(
                    "it gives fork {}, length {}, and not fork {}, length {}",
                    found.fork, found.length, observed.fork, observed.length
                )))
            })?;
        }
        Ok(observed)
    }

    /// The state that `log` is in.
    fn recognise(&self, log: &Log) -> Result<Rc<Expected>, String> {
        let shown = fingerprint_of(log).map_err(|error| unreadable(&error))?;
        let expected = self.states.get(&shown).ok_or_else(|| {
            let (head, report) = (log.head(), log.recovery());
            format!("shows a state that never was: {head:?} after {report:?}")
        })?;
        expected.check(log)?;
        Ok(Rc::clone(expected))
    }

    fn open(&self, disk: &Disk, when: &str) -> Result<Log, String> {
        let options = OpenOptions::new().durability(self.durability);
        Log::open(stores_on(disk), options)
            .map_err(|error| format!("does not open {when}: {error:?}"))
    }

    /// Audits, changes one thing, ends as a kill does, opens, closes, opens: all there each time.
    fn go_on(&self, disk: &Disk, log: Log, expected: &Expected) -> Result<(), String> {
        clean(&log, "after the recovery")?;
        make_change(&log, expected.model.role)
            .map_err(|error| format!("takes no change after the recovery: {error:?}"))?;
        let after = expected.after();
        same(&log, after, "after one more change")?;
        drop(log);
        let log = self.open(disk, "after one more change")?;
        same(&log, after, "opened after one more change")?;
        log.close().map_err(|error| format!("does not close: {error:?}"))?;
        let log = self.open(disk, "after it was closed")?;
        same(&log, after, "opened after it was closed")?;
        clean(&log, "after it was closed")
    }

    /// Where no log is one can be made.
    fn begin_anew(&self, image: &Image) -> Result<Observed, String> {
        let disk = Disk::of(image.clone());
        let options = options(Role::Writer, OWNER, self.durability).create(Create::Overwrite);
        let log = Log::open(stores_on(&disk), options)
            .map_err(|error| format!("nothing can be made where nothing is: {error:?}"))?;
        self.go_on(&disk, log, &Expected::of(&Model::new(Role::Writer)))?;
        Ok(Observed { fingerprint: NOTHING, key: None, fork: 0, length: 0, tells_loss: false })
    }
}

impl Judge for Oracle {
    type Promise = Promise;
    type Found = Rc<Observed>;

    fn judge(&mut self, image: &Image, promise: &Promise) -> Result<Rc<Observed>, String> {
        let observed = self.observe(image, true)?;
        promise.check(&observed)?;
        Ok(observed)
    }

    fn counts(&self) -> Counts {
        self.verdicts.counts()
    }
}

pub(super) fn make_change(log: &Log, role: Role) -> Result<(), LogError> {
    match change(role, ONE_MORE) {
        Step::Append(blocks) => log.append(&blocks).map(drop),
        Step::SetUserData { key, value } => log.set_user_data(key, Some(&value)),
        _ => Ok(()),
    }
}

fn same(log: &Log, expected: &Expected, when: &str) -> Result<(), String> {
    let shown = fingerprint_of(log).map_err(|error| unreadable(&error))?;
    if shown != expected.fingerprint {
        let (head, report) = (log.head(), log.recovery());
        return Err(format!("{when} it shows something else: {head:?} after {report:?}"));
    }
    expected.check(log).map_err(|error| format!("{when}: {error}"))
}

fn clean(log: &Log, when: &str) -> Result<(), String> {
    match log.audit(&mut |_| {}) {
        Ok(report) if report.is_ok() => Ok(()),
        Ok(report) => Err(format!("the audit {when} finds {:?}", report.findings)),
        Err(error) => Err(format!("the audit {when} fails: {error:?}")),
    }
}

fn unreadable(error: &LogError) -> String {
    format!("a block can not be read: {error:?}")
}
