//! Doing a script's steps on a real pager, comparing it with the model after each, and keeping the timeline.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use mappedpages::{
    Builder, Durability, Format, MappedPageError, PageId, Pager, ProtectedPageId, SharedPager,
    Transaction,
};
use random_access_storage::testing::Faults;

use super::medium::{Life, PageFile};
use super::model::{Content, Model};
use super::observe::Observed;
use super::script::{Change, End, Step, Write};
use super::timeline::{Promise, Timeline};
use crate::disk::Disk;

/// How a page file is made and opened.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The layout.
    pub format: Format,
    /// When single changes are durable.
    pub durability: Durability,
}

impl Setting {
    fn builder<const P: usize>(self) -> Builder<P> {
        Pager::builder().format(self.format).durability(self.durability)
    }

    /// What a commit that a script wants so is asked for: one that is to be durable on return is, with as many
    /// flushes as everything here.
    fn durability_of(self, wanted: Durability) -> Durability {
        match (wanted, self.durability) {
            (Durability::Immediate, Durability::Barriers) => Durability::Barriers,
            _ => wanted,
        }
    }
}

/// Why a step did not end well.
#[derive(Debug)]
pub enum Failure {
    /// The pager refused, or its disk failed.
    Refused(MappedPageError),
    /// The pager did it and shows something else than the model: a bug, whatever the disk did.
    Wrong(String),
}

impl Failure {
    /// The same, with the step in which it came.
    #[must_use]
    pub fn at(self, number: usize, step: &Step) -> Self {
        match self {
            Self::Wrong(what) => Self::Wrong(format!("step {number}, {}: {what}", step.name())),
            refused @ Self::Refused(_) => {
                Self::Wrong(format!("step {number}, {}: {refused}", step.name()))
            }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => write!(formatter, "{error:?}"),
            Self::Wrong(what) => formatter.write_str(what),
        }
    }
}

impl From<MappedPageError> for Failure {
    fn from(error: MappedPageError) -> Self {
        Self::Refused(error)
    }
}

impl From<String> for Failure {
    fn from(what: String) -> Self {
        Self::Wrong(what)
    }
}

type Result<T> = std::result::Result<T, Failure>;

/// Opens the page file of `disk` for the process `life`.
///
/// # Errors
/// What the pager says.
pub fn open<const P: usize>(
    disk: &Disk,
    setting: Setting,
    life: &Life,
    faults: &Faults,
) -> std::result::Result<Pager<P>, MappedPageError> {
    setting.builder().open_on(Arc::new(PageFile::new(disk, life, faults)))
}

/// Plays steps on a pager.
#[derive(Debug)]
pub struct Player<const P: usize> {
    disk: Disk,
    setting: Setting,
    faults: Faults,
    life: Life,
    /// Absent after a step failed that ends the pager.
    pager: Option<Pager<P>>,
    model: Model,
    timeline: Timeline,
    clock: u64,
}

impl<const P: usize> Player<P> {
    /// Makes a new page file on `disk`.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn create(disk: &Disk, setting: Setting) -> Result<Self> {
        Self::create_with(disk, setting, &Faults::none())
    }

    /// As [`create`](Self::create), with the calls on the disk failing that `faults` plan.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn create_with(disk: &Disk, setting: Setting, faults: &Faults) -> Result<Self> {
        let (life, model) = (Life::new(), Model::new(P));
        let file = Arc::new(PageFile::new(disk, &life, faults));
        let pager = Some(setting.builder().create_on(file)?);
        let timeline = Timeline::new(model.clone());
        let (disk, faults) = (disk.clone(), faults.clone());
        let player = Self { disk, setting, faults, life, pager, model, timeline, clock: 0 };
        player.compare()?;
        Ok(player)
    }

    /// Opens a page file that must be what `promise` says.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn resume(disk: &Disk, setting: Setting, promise: &Promise) -> Result<Self> {
        let (life, faults) = (Life::new(), Faults::none());
        let pager = open(disk, setting, &life, &faults)?;
        let found = promise.check(&Observed::of(&pager)?)?;
        let mut player = Self {
            disk: disk.clone(),
            setting,
            faults,
            life,
            pager: Some(pager),
            model: Model::clone(&found),
            timeline: promise.resumed(&found),
            clock: promise.clock(),
        };
        player.read_again()?;
        player.timeline.returned(disk.position(), true);
        Ok(player)
    }

    /// Does `step`, and compares the pager with the model.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn step(&mut self, step: &Step) -> Result<()> {
        self.attempt(step)?;
        self.compare()
    }

    /// As [`step`](Self::step), without the comparison, which reads from the disk.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn attempt(&mut self, step: &Step) -> Result<()> {
        self.clock += 1;
        match step {
            Step::One(change) => self.one(change),
            Step::Transaction { changes, end } => self.transaction(changes, *end),
            Step::DropWriter(write) => self.drop_writer(write),
            Step::Store(write) => self.store(write),
            Step::Together { first, second } => self.together(first, second),
            Step::Flush => {
                self.pager()?.flush()?;
                self.settled();
                Ok(())
            }
            Step::Shrink => self.give_back(Pager::shrink),
            Step::Compact => self.give_back(Pager::compact),
            Step::Reopen => self.reopen(),
            Step::Close => {
                let pager = self.pager.take().ok_or_else(gone)?;
                pager.close()?;
                self.settled();
                self.reopen()
            }
        }
    }

    /// Format 1 gives nothing back.
    fn give_back(
        &mut self,
        how: impl FnOnce(&mut Pager<P>) -> std::result::Result<u64, MappedPageError>,
    ) -> Result<()> {
        match (how(self.pager()?), self.setting.format) {
            (Err(MappedPageError::Unsupported { .. }), Format::One) => Ok(()),
            (given, _) => Ok(given.map(drop)?),
        }
    }

    /// Ends as a killed process does. What is left is what it went through.
    pub fn kill(mut self) -> Timeline {
        self.end();
        self.timeline
    }

    /// What it went through.
    #[must_use]
    pub const fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// The open pager.
    pub(crate) const fn open_pager(&mut self) -> Option<&mut Pager<P>> {
        self.pager.as_mut()
    }

    /// Notes that a step failed which had begun at `begun` and set out for the states `wanted`: any of them may be there.
    pub(crate) fn failed(&mut self, begun: usize, wanted: &[Rc<Model>]) {
        wanted.iter().for_each(|model| self.timeline.attempt(begun, model));
        self.timeline.tear_stores();
    }

    fn end(&mut self) {
        self.life.end();
        self.pager = None;
    }

    fn pager(&mut self) -> Result<&mut Pager<P>> {
        self.pager.as_mut().ok_or_else(gone)
    }

    /// Everything that was attempted is durable, stores included.
    fn settled(&mut self) {
        let position = self.disk.position();
        self.timeline.returned(position, true);
        self.timeline.flushed(position, self.clock);
    }

    fn one(&mut self, change: &Change) -> Result<()> {
        let begun = self.disk.position();
        let (clock, mut model) = (self.clock, self.model.clone());
        apply_alone(self.pager()?, &mut model, change, clock)?;
        self.accept(begun, model, self.setting.durability);
        Ok(())
    }

    fn transaction(&mut self, changes: &[Change], end: End) -> Result<()> {
        let begun = self.disk.position();
        let (clock, mut model) = (self.clock, self.model.clone());
        let (setting, pager) = (self.setting, self.pager()?);
        let mut transaction = pager.transaction()?;
        for change in changes {
            match apply(&mut transaction, &mut model, change, clock) {
                // Format 1 has no room for it: the transaction is given up.
                Err(Failure::Refused(MappedPageError::Unsupported { .. }))
                    if setting.format == Format::One =>
                {
                    return Ok(());
                }
                applied => applied?,
            }
        }
        let End::Commit(wanted) = end else { return Ok(()) };
        let durability = setting.durability_of(wanted);
        match transaction.commit_with(durability) {
            Err(MappedPageError::Unsupported { .. }) if setting.format == Format::One => {}
            committed => {
                committed?;
                self.accept(begun, model, durability);
            }
        }
        Ok(())
    }

    /// Notes that a commit that began at `begun` has returned.
    fn accept(&mut self, begun: usize, model: Model, durability: Durability) {
        self.timeline.attempt(begun, &model);
        self.timeline.returned(self.disk.position(), durability != Durability::Eventual);
        self.model = model;
    }

    fn drop_writer(&mut self, write: &Write) -> Result<()> {
        let Some(id) = self.model.nth_protected(write.nth) else { return Ok(()) };
        let mut writer = ProtectedPageId(id).get_mut(self.pager()?)?;
        put(writer.page_mut().as_bytes_mut(), write);
        Ok(())
    }

    fn store(&mut self, write: &Write) -> Result<()> {
        let Some(page) = self.model.nth_regular(write.nth) else { return Ok(()) };
        put(PageId(page).get_mut(self.pager()?)?.as_bytes_mut(), write);
        let stores = self.model.store(page, write.offset, &write.data, self.clock);
        self.timeline.store(self.disk.position(), stores);
        Ok(())
    }

    /// The second commit is accepted in the sync of the first.
    fn together(&mut self, first: &[Change], second: &[Change]) -> Result<()> {
        let begun = self.disk.position();
        let clock = self.clock;
        self.clock += 1;
        let durability = self.setting.durability_of(Durability::Immediate);
        let shared = SharedPager::new(self.pager.take().ok_or_else(gone)?);
        // What each commit made of the model, once it was accepted, and where the disk was then.
        let accepted: Arc<Mutex<Vec<(usize, Model)>>> = Arc::default();
        let (handle, noted) = (shared.clone(), Arc::clone(&accepted));
        let (disk, changes) = (self.disk.clone(), second.to_vec());
        let second = move || {
            let begun = disk.position();
            let Some(mut model) = hold(&noted).last().map(|(_, model)| model.clone()) else {
                return;
            };
            let done = handle.write_with(Durability::Eventual, |transaction| {
                apply_all(transaction, &mut model, &changes, clock + 1)
            });
            if done.is_ok() {
                hold(&noted).push((begun, model));
            }
        };
        // A transaction of format 1 begins only when nothing is in flight.
        let mut after = None;
        match self.setting.format {
            Format::One => after = Some(second),
            _ => self.life.in_next_sync(second),
        }
        let mut model = self.model.clone();
        let done = shared.write_with(durability, |transaction| {
            apply_all(transaction, &mut model, first, clock)?;
            hold(&accepted).push((begun, model));
            Ok(())
        });
        self.life.forget_what_waits();
        after.into_iter().for_each(|second| second());
        match (done, self.setting.format) {
            // Format 1 has no room for it.
            (Err(Failure::Refused(MappedPageError::Unsupported { .. })), Format::One) => {}
            (done, _) => {
                done?;
                for (at, (begun, model)) in hold(&accepted).drain(..).enumerate() {
                    let durability = if at == 0 { durability } else { Durability::Eventual };
                    self.accept(begun, model, durability);
                }
            }
        }
        shared.read(Observed::of)??.is(&self.model)?;
        shared.flush()?;
        self.settled();
        shared.close()?;
        self.reopen()
    }

    /// Opens the file again, which must show a state that the file may be in.
    fn reopen(&mut self) -> Result<()> {
        self.end();
        self.life = Life::new();
        let position = self.disk.position();
        let pager = open(&self.disk, self.setting, &self.life, &self.faults)?;
        let found = self.timeline.after(position).check(&Observed::of(&pager)?)?;
        self.timeline.go_back(position, &found);
        self.timeline.returned(self.disk.position(), true);
        self.pager = Some(pager);
        self.model = Rc::unwrap_or_clone(found);
        self.read_again()
    }

    /// Reads what regular pages hold, of which the model of a moment knows only what commits wrote.
    fn read_again(&mut self) -> Result<()> {
        let pager = self.pager.as_ref().ok_or_else(gone)?;
        for (page, regular) in &mut self.model.regular {
            regular.now = Content::of(PageId::<P>(*page).get(pager)?.as_bytes());
        }
        Ok(())
    }

    /// Compares the pager with the model.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn compare(&self) -> Result<()> {
        let pager = self.pager.as_ref().ok_or_else(gone)?;
        let observed = Observed::of(pager)?;
        observed.is(&self.model)?;
        refuses_what_is_gone(pager, &self.model)?;
        let (pages, free) = (pager.page_count(), pager.free_page_count());
        let regular = self.model.regular.len() as u64;
        if pages < free + regular + RESERVED {
            return Err(Failure::Wrong(format!(
                "of {pages} pages {free} are free and {regular} in use"
            )));
        }
        Ok(())
    }
}

/// Pages that are never handed out.
const RESERVED: u64 = 3;

/// Ids of pages that were freed open nothing.
pub(crate) fn refuses_what_is_gone<const P: usize>(
    pager: &Pager<P>,
    model: &Model,
) -> std::result::Result<(), String> {
    for id in &model.gone {
        match ProtectedPageId::<P>(*id).get(pager) {
            Err(MappedPageError::Stale) => {}
            other => return Err(format!("protected page {id:#x} is gone, and gives {other:?}")),
        }
    }
    let after = model.regular.keys().next_back().map_or(RESERVED, |last| last + 1);
    for page in (RESERVED..after).filter(|page| !model.regular.contains_key(page)) {
        match PageId::<P>(page).get(pager) {
            Err(MappedPageError::Stale | MappedPageError::ReservedPage) => {}
            other => return Err(format!("page {page} is not in use, and gives {other:?}")),
        }
    }
    Ok(())
}

/// A change on a pager by itself or on a transaction, which take lists of ids in different forms.
macro_rules! changes {
    ($on:expr, $model:expr, $change:expr, $clock:expr, |$ids:ident| $list:expr) => {{
        let (on, model, clock) = ($on, $model, $clock);
        match $change {
            Change::Alloc => model.alloc(on.alloc()?.0, clock)?,
            Change::AllocBulk(count) => {
                for page in on.alloc_bulk(*count)? {
                    model.alloc(page.0, clock)?;
                }
            }
            Change::Free(nth) => {
                if let Some(page) = model.nth_regular(*nth) {
                    on.free(PageId(page))?;
                    model.free(page);
                }
            }
            Change::FreeBulk { nth, count } => {
                let pages = run_of(&model.regular, *nth, *count);
                let $ids: Vec<PageId<P>> = pages.iter().map(|page| PageId(*page)).collect();
                on.free_bulk($list)?;
                pages.into_iter().for_each(|page| model.free(page));
            }
            Change::AllocProtected => model.alloc_protected(on.alloc_protected()?.0)?,
            Change::AllocProtectedBulk(count) => {
                for id in on.alloc_protected_bulk(*count)? {
                    model.alloc_protected(id.0)?;
                }
            }
            Change::FreeProtected(nth) => {
                if let Some(id) = model.nth_protected(*nth) {
                    on.free_protected(ProtectedPageId(id))?;
                    model.free_protected(id);
                }
            }
            Change::FreeProtectedBulk { nth, count } => {
                let pages = run_of(&model.protected, *nth, *count);
                let $ids: Vec<ProtectedPageId<P>> =
                    pages.iter().map(|id| ProtectedPageId(*id)).collect();
                on.free_protected_bulk($list)?;
                pages.into_iter().for_each(|id| model.free_protected(id));
            }
            Change::WriteProtected(_) | Change::WritePage(_) => {}
        }
    }};
}

/// A change by itself.
fn apply_alone<const P: usize>(
    pager: &mut Pager<P>,
    model: &mut Model,
    change: &Change,
    clock: u64,
) -> Result<()> {
    if let Change::WriteProtected(write) = change
        && let Some(id) = model.nth_protected(write.nth)
    {
        let mut writer = ProtectedPageId(id).get_mut(pager)?;
        put(writer.page_mut().as_bytes_mut(), write);
        writer.commit()?;
        model.write_protected(id, write.offset, &write.data);
    }
    changes!(pager, model, change, clock, |ids| ids);
    Ok(())
}

/// A change in a transaction.
fn apply<const P: usize>(
    transaction: &mut Transaction<'_, P>,
    model: &mut Model,
    change: &Change,
    clock: u64,
) -> Result<()> {
    match change {
        Change::WriteProtected(write) => {
            if let Some(id) = model.nth_protected(write.nth) {
                put(transaction.protected_mut(ProtectedPageId(id))?.as_bytes_mut(), write);
                model.write_protected(id, write.offset, &write.data);
            }
        }
        Change::WritePage(write) => {
            if let Some(page) = model.nth_regular(write.nth) {
                put(transaction.page_mut(PageId(page))?.as_bytes_mut(), write);
                model.write(page, write.offset, &write.data, clock);
            }
        }
        _ => changes!(transaction, model, change, clock, |ids| &ids),
    }
    Ok(())
}

fn apply_all<const P: usize>(
    transaction: &mut Transaction<'_, P>,
    model: &mut Model,
    changes: &[Change],
    clock: u64,
) -> Result<()> {
    changes.iter().try_for_each(|change| apply(transaction, model, change, clock))
}

fn put(bytes: &mut [u8], write: &Write) {
    bytes[write.offset..write.offset + write.data.len()].copy_from_slice(&write.data);
}

/// Up to `count` keys from the nth on, all different.
fn run_of<T>(map: &BTreeMap<u64, T>, nth: usize, count: usize) -> Vec<u64> {
    map.keys().skip(nth).take(count).copied().collect()
}

fn gone() -> Failure {
    Failure::Wrong("a step before closed the pager".to_owned())
}

fn hold<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
