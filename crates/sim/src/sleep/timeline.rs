//! What a feed went through by the positions of its disk, and what a crash at a position may leave of it.
//!
//! A batch is there as a whole or not at all, and none is there without those before it. Single blocks that are cleared
//! or downloaded have bits of their own: of a change in flight any of its bits may be there.

use std::rc::Rc;

use super::model::Model;
use super::observe::Observed;
use crate::trials::{Returned, newest, possible};

/// A state, from the moment on that it was attempted.
#[derive(Clone, Debug)]
struct Moment {
    /// Its place in the timeline.
    number: usize,
    /// `None` is no feed at all.
    model: Option<Rc<Model>>,
    begun: usize,
    /// Blocks that the change to this state sets or clears one by one.
    loose: Rc<[u64]>,
}

/// What a feed went through.
#[derive(Clone, Debug)]
pub struct Timeline {
    moments: Vec<Moment>,
    returned: Vec<Returned>,
    /// The position from which on a change that returned leaves files that agree with each other.
    agrees_from: Option<usize>,
}

/// What a crash at one position may leave.
#[derive(Clone, Debug)]
pub struct Promise {
    /// The states, oldest first. What leads to the first one is settled.
    states: Vec<Moment>,
    /// Whether the files agree with each other, as any other program wants them to.
    agrees: bool,
}

/// A state that was seen.
#[derive(Clone, Debug)]
pub struct Found {
    number: usize,
    /// What the feed holds, with the blocks that it shows to be here.
    pub model: Rc<Model>,
}

impl Timeline {
    /// Begins with what is durable: a feed, or nothing.
    #[must_use]
    pub fn new(model: Option<Rc<Model>>) -> Self {
        let moment = Moment { number: 0, model, begun: 0, loose: Rc::default() };
        Self { moments: vec![moment], returned: vec![(0, 0, true)], agrees_from: None }
    }

    /// Notes that from `position` on the feed was to become `model`, by setting or clearing the blocks `loose`.
    pub(crate) fn attempt(&mut self, position: usize, model: Rc<Model>, loose: Vec<u64>) {
        let (number, model, loose) = (self.moments.len(), Some(model), loose.into());
        self.moments.push(Moment { number, model, begun: position, loose });
    }

    /// Notes that by `position` all that was attempted had returned.
    pub(crate) fn returned(&mut self, position: usize, is_durable: bool) {
        self.returned.push((position, self.moments.len() - 1, is_durable));
    }

    /// Notes that from `position` on the files agree with each other whenever nothing is in flight.
    pub(crate) fn agrees(&mut self, position: usize) {
        self.agrees_from.get_or_insert(position);
    }

    /// What a power cut after `position` operations may leave.
    #[must_use]
    pub fn after_power_cut(&self, position: usize) -> Promise {
        self.promise(position, |is_durable| is_durable)
    }

    /// What a kill after `position` operations may leave.
    #[must_use]
    pub fn after_kill(&self, position: usize) -> Promise {
        self.promise(position, |_| true)
    }

    fn promise(&self, position: usize, counts: impl Fn(bool) -> bool) -> Promise {
        let begun = self.moments.iter().map(|moment| moment.begun);
        let states = self.moments[possible(&self.returned, begun, position, counts)].to_vec();
        let is_settled = self.agrees_from.is_some_and(|from| from <= position);
        Promise { agrees: is_settled && states.len() == 1, states }
    }
}

impl Promise {
    /// The timeline that goes on from here on a disk of its own, once `found` was seen: what comes after that will never
    /// be.
    #[must_use]
    pub fn resumed(&self, found: &Found) -> Timeline {
        let before = self.states.iter().filter(|state| state.number <= found.number);
        let loose = before.clone().skip(1).flat_map(|state| state.loose.iter().copied());
        let (model, loose) = (Some(Rc::clone(&found.model)), loose.collect());
        let last = Moment { number: 0, model, begun: 0, loose };
        let moments = before.cloned().chain([last]).enumerate();
        let moments = moments.map(|(number, state)| Moment { number, begun: 0, ..state }).collect();
        Timeline { moments, returned: vec![(0, 0, true)], agrees_from: None }
    }

    /// Whether there may be no feed.
    pub(crate) fn may_be_nothing(&self) -> bool {
        self.states.iter().any(|state| state.model.is_none())
    }

    /// The newest of the states that `observed` is; `None` is no feed.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self, observed: &Observed) -> Result<Option<Found>, String> {
        let found = newest(&self.states, |at, state| match (&state.model, &observed.feed) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err("there is a feed".to_owned()),
            (Some(_), None) => Err("there is no feed".to_owned()),
            (Some(model), Some(shown)) => {
                let loose = self.states[1..=at].iter().flat_map(|state| state.loose.iter());
                let model = shown.compare(model, &loose.copied().collect())?;
                Ok(Some(Found { number: state.number, model }))
            }
        })?;
        if found.is_some() && self.agrees && observed.is_recovered {
            return Err("there is something to recover, and nothing was lost".to_owned());
        }
        Ok(found)
    }
}
