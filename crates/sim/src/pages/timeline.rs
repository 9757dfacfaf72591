//! What a page file went through by the positions of its disk, and what a crash at a position may leave of it.
//!
//! A commit is there as a whole or not at all, and none is there without those before it. What is stored in a regular
//! page outside of commits may be there or not, sector by sector, until a flush returns; no sector holds anything else
//! than it held at some time since the page was taken.

use std::rc::Rc;

use super::model::{Model, Store};
use super::observe::Observed;
use crate::trials::{Returned, newest, possible};

/// A state, from the moment on that it was attempted.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    pub(crate) model: Rc<Model>,
    begun: usize,
    /// The position at which it was given up, if it was.
    given_up: Option<usize>,
}

/// What a page file went through.
#[derive(Clone, Debug)]
pub struct Timeline {
    moments: Vec<Moment>,
    returned: Vec<Returned>,
    /// Stores outside of commits, and the position at which each was made.
    stores: Vec<(usize, Store)>,
    /// From a position on: all stores until then, on the model's clock, are durable.
    flushes: Vec<(usize, u64)>,
    /// Whether a write failed, of which any bytes may be there: then a store that is not durable may be there by half in
    /// a sector.
    tears: bool,
}

/// What a crash at one position may leave.
#[derive(Clone, Debug)]
pub struct Promise {
    /// The states, oldest first.
    states: Vec<Moment>,
    /// Stores, and whether each is durable.
    stores: Vec<(bool, Store)>,
    tears: bool,
}

impl Timeline {
    /// Begins with what is durable.
    #[must_use]
    pub fn new(model: Model) -> Self {
        Self {
            moments: vec![Moment { model: Rc::new(model), begun: 0, given_up: None }],
            returned: vec![(0, 0, true)],
            stores: Vec::new(),
            flushes: Vec::new(),
            tears: false,
        }
    }

    /// Notes that from `position` on the file was to become `model`.
    pub(crate) fn attempt(&mut self, position: usize, model: &Model) {
        let model = Rc::new(model.clone());
        self.moments.push(Moment { model, begun: position, given_up: None });
    }

    /// Notes that by `position` all that was attempted had returned.
    pub(crate) fn returned(&mut self, position: usize, is_durable: bool) {
        self.returned.push((position, self.moments.len() - 1, is_durable));
    }

    pub(crate) fn store(&mut self, position: usize, stores: Vec<Store>) {
        self.stores.extend(stores.into_iter().map(|store| (position, store)));
    }

    /// Notes that by `position` all stores until `time` were durable.
    pub(crate) fn flushed(&mut self, position: usize, time: u64) {
        self.flushes.push((position, time));
    }

    /// Notes that a write failed.
    pub(crate) const fn tear_stores(&mut self) {
        self.tears = true;
    }

    /// Notes that a process that was opened at `position` found the moment `found`, and went on from there: what had
    /// come after it never will be.
    pub(crate) fn go_back(&mut self, position: usize, found: &Rc<Model>) {
        let last = self.moments.iter().rposition(|moment| Rc::ptr_eq(&moment.model, found));
        for moment in &mut self.moments[last.expect("a moment of this timeline") + 1..] {
            moment.given_up.get_or_insert(position);
        }
        self.moments.push(Moment { model: Rc::clone(found), begun: position, given_up: None });
    }

    /// All states so far, in the order in which they were attempted.
    pub(crate) fn states(&self) -> impl ExactSizeIterator<Item = &Rc<Model>> {
        self.moments.iter().map(|moment| &moment.model)
    }

    /// What a crash after `position` operations may leave.
    #[must_use]
    pub fn after(&self, position: usize) -> Promise {
        let begun = self.moments.iter().map(|moment| moment.begun);
        let possible = possible(&self.returned, begun, position, |is_durable| is_durable);
        let flushes = self.flushes.iter().filter(|(from, _)| *from <= position);
        let flushed = flushes.map(|(_, time)| *time).max().unwrap_or(0);
        let stores = self.stores.iter().filter(|(begun, _)| *begun <= position);
        let is_possible = |moment: &&Moment| moment.given_up.is_none_or(|end| position <= end);
        Promise {
            states: self.moments[possible].iter().filter(is_possible).cloned().collect(),
            stores: stores.map(|(_, store)| (store.time <= flushed, store.clone())).collect(),
            tears: self.tears,
        }
    }
}

impl Moment {
    fn at_the_start(&self) -> Self {
        Self { model: Rc::clone(&self.model), begun: 0, given_up: None }
    }
}

impl Promise {
    /// The timeline that goes on from here on a disk of its own, once `found` was seen.
    #[must_use]
    pub fn resumed(&self, found: &Rc<Model>) -> Timeline {
        let last = self.states.iter().rposition(|state| Rc::ptr_eq(&state.model, found));
        let states = &self.states[..=last.expect("a state of this promise")];
        let flushed = self.stores.iter().filter(|(is_durable, _)| *is_durable);
        Timeline {
            moments: states.iter().map(Moment::at_the_start).collect(),
            returned: vec![(0, 0, true)],
            stores: self.stores.iter().map(|(_, store)| (0, store.clone())).collect(),
            flushes: flushed.map(|(_, store)| (0, store.time)).collect(),
            tears: self.tears,
        }
    }

    /// A time on the model's clock after all that is known.
    pub(crate) fn clock(&self) -> u64 {
        let owners = self.states.iter().flat_map(|state| state.model.regular.values());
        let stores = self.stores.iter().map(|(_, store)| store.time);
        let times = owners.map(|regular| regular.owner.max(regular.since)).chain(stores);
        times.max().unwrap_or(0) + 1
    }

    /// The newest of the states that `observed` is.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self, observed: &Observed) -> Result<Rc<Model>, String> {
        newest(&self.states, |_, state| {
            self.compare(&state.model, observed).map(|()| Rc::clone(&state.model))
        })
    }

    fn compare(&self, model: &Model, observed: &Observed) -> Result<(), String> {
        let (wanted, found) = (model.regular.keys(), observed.regular.keys());
        if !wanted.clone().eq(found.clone()) {
            let (wanted, found): (Vec<_>, Vec<_>) = (wanted.collect(), found.collect());
            return Err(format!("the regular pages are {found:?}, not {wanted:?}"));
        }
        let (wanted, found) = (model.protected.keys(), observed.protected.keys());
        if !wanted.clone().eq(found.clone()) {
            let (wanted, found): (Vec<_>, Vec<_>) = (wanted.collect(), found.collect());
            return Err(format!("the protected pages are {found:x?}, not {wanted:x?}"));
        }
        for ((id, wanted), found) in model.protected.iter().zip(observed.protected.values()) {
            if let Some(sector) = (0..found.len()).find(|at| found[*at] != wanted.sectors()[*at]) {
                return Err(format!("protected page {id:#x} differs in sector {sector}"));
            }
        }
        for ((page, regular), found) in model.regular.iter().zip(observed.regular.values()) {
            for (sector, found) in found.iter().enumerate() {
                let mut allowed = vec![regular.base.sectors()[sector]];
                let mut is_torn = false;
                for (is_durable, store) in &self.stores {
                    if store.page == *page
                        && store.owner == regular.owner
                        && store.sector == sector
                        && store.time > regular.since
                    {
                        if *is_durable {
                            allowed.clear();
                        }
                        is_torn = self.tears && !is_durable;
                        allowed.push(store.hash);
                    }
                }
                if !is_torn && !allowed.contains(found) {
                    let of = allowed.len();
                    return Err(format!("page {page}, sector {sector}: none of {of} contents"));
                }
            }
        }
        Ok(())
    }
}
