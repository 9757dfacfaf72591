//! The judge of images: what opens, what it shows, and whether the feed goes on from there.
//!
//! An image is looked at once, however often it is met: what it shows does not depend on what was promised, and
//! that is compared each time. What comes after the recovery is tried once for each different content.

use std::rc::Rc;

use random_access_storage::testing::Faults;
use sleep::{
    Access, Durability, Error, Feed, FileName, Finding, HEADER_LEN, PageSize, RepairOptions,
};

use super::begin::Cast;
use super::crash::next_crash;
use super::observe::{Observed, Shown};
use super::play::{act, create, open};
use super::script::{Role, Step};
use super::storage::FeedFiles;
use super::timeline::{Found, Promise};
use super::workloads::Workload;
use crate::disk::{Disk, Image};
use crate::trials::crash::Judge;
use crate::trials::{Counts, Verdicts, caught};

/// So many images are judged for each one that is followed to a second crash.
const DEEP_STRIDE: u128 = 16;

/// The same of a long feed's.
const LONG_DEEP_STRIDE: u128 = 256;

/// So many images of a long feed are judged for each one that is audited.
const LONG_AUDIT_STRIDE: u128 = 4;

/// Blocks for which one page of the bitfield has bits.
const BLOCKS_PER_PAGE: u64 = 8192;

/// What the next process appends.
const ONE_MORE: &[u8] = b"one more";

/// Judges the images of one workload.
#[derive(Debug)]
pub struct Oracle {
    role: Role,
    durability: Durability,
    cast: Rc<Cast>,
    /// Whether the feed is long: it is audited once then, and for some of the images.
    is_long: bool,
    /// Of how many images one is followed to a second crash.
    deep_stride: u128,
    verdicts: Verdicts<Observed>,
}

impl Oracle {
    /// Has seen nothing yet.
    #[must_use]
    pub fn new(workload: &Workload, durability: Durability, cast: &Rc<Cast>) -> Self {
        Self {
            role: workload.role,
            durability,
            cast: Rc::clone(cast),
            is_long: !workload.wide,
            deep_stride: if workload.wide { DEEP_STRIDE } else { LONG_DEEP_STRIDE },
            verdicts: Verdicts::new(),
        }
    }

    /// What `image` shows, once it is known that the feed goes on from there.
    fn observe(&mut self, image: &Image, is_deep: bool) -> Result<Rc<Observed>, String> {
        let digest = image.digest();
        // What a lazy writer leaves promises nothing about the next crash.
        let is_deep = is_deep
            && self.durability != Durability::Lazy
            && digest.is_multiple_of(self.deep_stride);
        if let Some(known) = self.verdicts.meet(digest, is_deep) {
            return known;
        }
        let looked = caught(|| self.look(image, is_deep));
        self.verdicts.note(digest, is_deep, looked)
    }

    fn look(&mut self, image: &Image, is_deep: bool) -> Result<Observed, String> {
        let disk = Disk::of(image.clone());
        if self.durability == Durability::Lazy {
            repair_what_needs_it(&disk)?;
        }
        let opened = disk.position();
        let options = Feed::options().access(Access::Read);
        let read = match options.open(FeedFiles::on(&disk)) {
            Ok(feed) => Some(shown(&feed, "opened for reading")?),
            Err(Error::NotFound) => None,
            Err(error) => return Err(format!("does not open for reading: {error:?}")),
        };
        let feed = match &read {
            None => create(&disk, self.role, self.durability, &Faults::none())
                .map_err(|error| format!("no feed can be made where none is: {error:?}"))?,
            Some(read) => {
                let feed = self.open(&disk, "for writing")?;
                same(&feed, read, "opened for writing")?;
                if disk.position() != opened {
                    return Err("opening wrote".to_owned());
                }
                feed
            }
        };
        let first = shown(&feed, "opened for writing")?;
        if !self.is_long {
            clean(&feed, "of what a crash left")?;
        }
        let is_recovered = !feed.recovery().is_clean();
        let observed = Observed { feed: read, is_recovered };
        let begun = disk.position();
        let is_audited = !self.is_long || image.digest().is_multiple_of(LONG_AUDIT_STRIDE);
        let last = self.go_on(&disk, feed, &first, is_audited)?;
        if is_deep {
            self.crash_again(&disk, image, begun, &observed, &first, &last)?;
        }
        Ok(observed)
    }

    /// Changes one thing, ends as a kill does, and opens, twice: all there each time, and nothing to be mended.
    fn go_on(
        &self,
        disk: &Disk,
        mut feed: Feed,
        first: &Shown,
        is_audited: bool,
    ) -> Result<Shown, String> {
        let step = self.next_step();
        act(&mut feed, &step, &self.cast)
            .and_then(|()| feed.sync())
            .map_err(|error| format!("takes no change after the recovery: {error:?}"))?;
        let last = shown(&feed, "after one more change")?;
        if matches!(step, Step::Append(_)) {
            last.follows(first, ONE_MORE)?;
        }
        if is_audited {
            clean(&feed, "after one more change")?;
        }
        drop(feed);
        let left = disk.position();
        for when in ["after one more change", "once more"] {
            let feed = self.open(disk, when)?;
            same(&feed, &last, when)?;
            if !feed.recovery().is_clean() {
                let report = feed.recovery();
                return Err(format!("opened {when} there is something to recover: {report:?}"));
            }
        }
        if disk.position() != left {
            return Err("opening what is whole wrote".to_owned());
        }
        Ok(last)
    }

    /// The power fails again while the next process makes its first change, which is when a recovery writes.
    fn crash_again(
        &mut self,
        disk: &Disk,
        image: &Image,
        begun: usize,
        observed: &Observed,
        first: &Shown,
        last: &Shown,
    ) -> Result<(), String> {
        let recording = disk.recording();
        let mut plan = next_crash(recording.len() as u64);
        if observed.feed.is_none() {
            plan.garbage = |_| &[];
        }
        let is_reader = self.role == Role::Reader;
        let bits = image.bytes(FileName::Bitfield.as_str()).unwrap_or_default();
        let allowed = |found: &Observed, position| match &found.feed {
            None => observed.feed.is_none() && position <= begun,
            Some(found) if is_reader => {
                found.is_on_the_way(first, last, |block| has_bit(&bits, block))
            }
            Some(found) => found == first || found == last,
        };
        recording.try_crashes(1..=recording.len(), &plan, &mut |crash| {
            self.observe(&crash.image, false)
                .and_then(|found| match allowed(&found, crash.position) {
                    true => Ok(()),
                    false => Err(format!("it shows {found:?}, not {first:?} or {last:?}")),
                })
                .map_err(|error| format!("a second crash: {error}"))
        })
    }

    fn next_step(&self) -> Step {
        match self.role {
            Role::Writer => Step::Append(vec![ONE_MORE.to_vec()]),
            Role::Reader => Step::Put { source: self.cast.feeds.len() - 1, block: 2 },
        }
    }

    fn open(&self, disk: &Disk, when: &str) -> Result<Feed, String> {
        open(disk, self.durability, &Faults::none())
            .map_err(|error| format!("does not open {when}: {error:?}"))
    }
}

impl Judge for Oracle {
    type Promise = Promise;
    type Found = Option<Found>;

    fn judge(&mut self, image: &Image, promise: &Promise) -> Result<Option<Found>, String> {
        let observed = self.observe(image, true)?;
        promise.check(&observed)
    }

    fn counts(&self) -> Counts {
        self.verdicts.counts()
    }
}

/// Whether the bit of a stored block is set in the file of a feed that was made here.
fn has_bit(file: &[u8], block: u64) -> bool {
    let (page, bit) = (block / BLOCKS_PER_PAGE, block % BLOCKS_PER_PAGE);
    let at = HEADER_LEN + page as usize * PageSize::default().bytes() + bit as usize / 8;
    file.get(at).is_some_and(|byte| byte & (0x80 >> (bit % 8)) != 0)
}

fn shown(feed: &Feed, when: &str) -> Result<Shown, String> {
    Shown::of(feed).map_err(|error| format!("{when} something cannot be read: {error:?}"))
}

fn same(feed: &Feed, wanted: &Shown, when: &str) -> Result<(), String> {
    let found = shown(feed, when)?;
    match found == *wanted {
        true => Ok(()),
        false => Err(format!("{when} it shows {found:?}, not {wanted:?}")),
    }
}

/// Audits the feed: nothing may be wrong but what the open has set right, which the first change writes.
fn clean(feed: &Feed, when: &str) -> Result<(), String> {
    let report = feed.audit(&mut |_| {}).map_err(|error| format!("the audit {when}: {error:?}"))?;
    let recovered = feed.recovery().findings();
    let is_known = |finding: &Finding| !finding.is_damage() || recovered.contains(finding);
    match report.findings_omitted == 0 && report.findings.iter().all(is_known) {
        true => Ok(()),
        false => Err(format!("the audit {when} finds {report:?}")),
    }
}

/// Repairs what a lazy writer may leave: a feed that does not open, takes no changes or fails its audit, and says so.
fn repair_what_needs_it(disk: &Disk) -> Result<(), String> {
    match Feed::options().open(FeedFiles::on(disk)) {
        Err(Error::NotFound) => return Ok(()),
        Ok(feed) if feed.recovery().refusal().is_none() && clean(&feed, "").is_ok() => {
            return Ok(());
        }
        Ok(_) | Err(Error::Recovery(_)) => {}
        Err(error) => return Err(format!("is neither open nor in need of repair: {error:?}")),
    }
    let repair = RepairOptions::new().sign().accept_loss();
    let repaired = repair.repair(FeedFiles::on(disk));
    repaired.map(drop).map_err(|error| format!("is not repaired: {error:?}"))
}
