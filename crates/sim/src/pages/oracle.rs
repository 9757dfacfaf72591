//! The judge of images: what opens, what it shows, and whether the pager goes on from there.
//!
//! An image is looked at once, however often it is met: what it shows does not depend on what was promised, and
//! that is compared each time. What comes after the recovery is tried once for each different content that a
//! recovery leaves.

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

use mappedpages::{MappedPageError, Pager, ReadOnlyPager, check_on};
use random_access_storage::testing::Faults;

use super::medium::{Life, PageFile};
use super::model::Model;
use super::observe::Observed;
use super::play::{Setting, open, refuses_what_is_gone};
use super::timeline::Promise;
use crate::disk::{Disk, Image, Plan, Recording};
use crate::trials::crash::Judge;
use crate::trials::{Counts, Verdicts, caught};

/// Pages that are taken after a recovery, at most: nearly all that are free, for the files of the workloads.
const TAKEN_MAX: u64 = 64;

/// Judges the images of one workload.
#[derive(Debug)]
pub struct Oracle<const P: usize> {
    setting: Setting,
    verdicts: Verdicts<Observed>,
    /// What recoveries left, as far as it was tried to go on from there.
    continued: HashSet<u128>,
}

impl<const P: usize> Oracle<P> {
    /// Has seen nothing yet.
    #[must_use]
    pub fn new(setting: Setting) -> Self {
        Self { setting, verdicts: Verdicts::new(), continued: HashSet::new() }
    }

    /// What `image` shows, once it is known that the pager goes on from there.
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
        let life = Life::new();
        let read = read_only::<P>(&disk, &life)?;
        let mut pager = self.open(&disk, &life, "")?;
        let observed = shown(&pager, "after the recovery")?;
        if let Some(difference) = read.difference(&observed) {
            return Err(format!("a reader shows something else than a recovery: {difference}"));
        }
        clean(&mut pager, "after the recovery")?;
        life.end();
        drop(pager);
        let (recovery, left) = (disk.recording(), disk.shown());

        let life = Life::new();
        let pager = self.open(&disk, &life, "a second time")?;
        same(&pager, &observed, "opened a second time")?;
        if disk.shown().digest() != left.digest() {
            return Err("a second recovery changes something".to_owned());
        }
        if self.continued.insert(left.digest()) {
            self.go_on(&disk, pager, &observed)?;
        } else {
            life.end();
        }
        if recoveries && !recovery.is_empty() {
            self.crash_the_recovery(&recovery, &observed)?;
        }
        Ok(observed)
    }

    /// The power fails again at each operation of the recovery.
    fn crash_the_recovery(
        &mut self,
        recovery: &Recording,
        observed: &Observed,
    ) -> Result<(), String> {
        let plan = Plan { random_subsets: 2, ..Plan::quick(recovery.len() as u64) };
        recovery.try_crashes(1..=recovery.len(), &plan, &mut |crash| {
            self.observe(&crash.image, false)
                .and_then(|found| found.difference(observed).map_or(Ok(()), Err))
                .map_err(|error| format!("a second crash, in the recovery: {error}"))
        })
    }

    fn open(&self, disk: &Disk, life: &Life, when: &str) -> Result<Pager<P>, String> {
        open(disk, self.setting, life, &Faults::none())
            .map_err(|error| format!("does not open {when}: {error:?}"))
    }

    /// Takes pages and fills them, which must be nobody's; gives them back; closes and opens.
    fn go_on(&self, disk: &Disk, mut pager: Pager<P>, observed: &Observed) -> Result<(), String> {
        let told = |error: MappedPageError| format!("does not go on after the recovery: {error:?}");
        let free = pager.free_page_count();
        let count = free.min(TAKEN_MAX) as usize;
        let pages = pager.alloc_bulk(count).map_err(told)?;
        for page in &pages {
            if observed.regular.contains_key(&page.0) {
                return Err(format!("page {} is handed out, and is in use", page.0));
            }
            let bytes = page.get_mut(&mut pager).map_err(told)?.as_bytes_mut();
            if bytes.iter().any(|byte| *byte != 0) {
                return Err(format!("page {} is handed out, and is not zeros", page.0));
            }
            bytes.fill(0xee);
        }
        let id = pager.alloc_protected().map_err(told)?;
        if observed.protected.contains_key(&id.0) {
            return Err(format!("protected page {:#x} is handed out, and is in use", id.0));
        }
        let mut writer = id.get_mut(&mut pager).map_err(told)?;
        if writer.page_mut().as_bytes().iter().any(|byte| *byte != 0) {
            return Err(format!("protected page {:#x} is handed out, and is not zeros", id.0));
        }
        writer.page_mut().as_bytes_mut().fill(0xdd);
        writer.commit().map_err(told)?;
        pager.flush().map_err(told)?;
        let mut more = observed.clone();
        let taken = shown(&pager, "with free pages filled")?;
        for page in &pages {
            more.regular.insert(page.0, taken.regular[&page.0].clone());
        }
        more.protected.insert(id.0, taken.protected[&id.0].clone());
        if let Some(difference) = taken.difference(&more) {
            return Err(format!("filling free pages changed others: {difference}"));
        }
        clean(&mut pager, "with free pages filled")?;

        pager.free_protected(id).map_err(told)?;
        pager.free_bulk(pages).map_err(told)?;
        same(&pager, observed, "with all given back")?;
        let mut gone = Model::new(P);
        gone.gone.push(id.0);
        gone.regular.clear();
        refuses_what_is_gone(&pager, &gone)?;
        pager.close().map_err(told)?;
        let mut pager = self.open(disk, &Life::new(), "after it was closed")?;
        same(&pager, observed, "opened after it was closed")?;
        clean(&mut pager, "after it was closed")
    }
}

impl<const P: usize> Judge for Oracle<P> {
    type Promise = Promise;
    type Found = Rc<Model>;

    fn judge(&mut self, image: &Image, promise: &Promise) -> Result<Rc<Model>, String> {
        let observed = self.observe(image, true)?;
        promise.check(&observed)
    }

    fn counts(&self) -> Counts {
        self.verdicts.counts()
    }
}

/// What a reader of the disk sees before anybody opens it to write.
fn read_only<const P: usize>(disk: &Disk, life: &Life) -> Result<Observed, String> {
    let file = || Arc::new(PageFile::new(disk, life, &Faults::none()));
    let told = |error| format!("a reader cannot read what a crash left: {error:?}");
    let reader = ReadOnlyPager::<P>::open_on(file()).map_err(told)?;
    let observed = Observed::of_reader(&reader).map_err(told)?;
    match check_on::<P>(file()) {
        Ok(report) if report.is_clean() => Ok(observed),
        Ok(report) => Err(format!("a check of what a crash left finds {report:?}")),
        Err(error) => Err(format!("a check of what a crash left fails: {error:?}")),
    }
}

fn shown<const P: usize>(pager: &Pager<P>, when: &str) -> Result<Observed, String> {
    Observed::of(pager).map_err(|error| format!("{when} something cannot be read: {error:?}"))
}

fn same<const P: usize>(pager: &Pager<P>, observed: &Observed, when: &str) -> Result<(), String> {
    match shown(pager, when)?.difference(observed) {
        None => Ok(()),
        Some(difference) => Err(format!("{when} it shows something else: {difference}")),
    }
}

fn clean<const P: usize>(pager: &mut Pager<P>, when: &str) -> Result<(), String> {
    match pager.check() {
        Ok(report) if report.is_clean() => Ok(()),
        Ok(report) => Err(format!("check() {when} finds {report:?}")),
        Err(error) => Err(format!("check() {when} fails: {error:?}")),
    }
}
