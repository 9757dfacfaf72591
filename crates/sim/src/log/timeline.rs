//! What a log went through by the positions of its disk, and what a crash at a position may leave of it.

use std::sync::Arc;

use hypercore_crypto::CoreKey;

use super::model::{Fingerprint, Model};
use crate::trials::{Returned, possible};

/// The fingerprint of no log at all.
pub const NOTHING: Fingerprint = 0;

/// A state, from the moment on that it was attempted.
#[derive(Clone, Debug)]
pub struct Moment {
    /// What the log is then; `None` before it is made.
    pub model: Option<Arc<Model>>,
    /// What stands for it.
    pub fingerprint: Fingerprint,
    begun: usize,
}

/// What somebody was told may be announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Of which log.
    pub key: CoreKey,
    /// In which fork.
    pub fork: u64,
    /// Blocks.
    pub length: u64,
}

/// What a log went through.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    moments: Vec<Moment>,
    returned: Vec<Returned>,
    claims: Vec<(usize, Claim)>,
    /// Whether something was lost before: a recovery may then tell of it although nothing more is.
    torn: bool,
}

/// What a crash at one position may leave.
#[derive(Clone, Debug)]
pub struct Promise {
    /// The states, oldest first.
    pub states: Vec<Moment>,
    /// What nobody may fall behind.
    pub claims: Vec<Claim>,
    torn: bool,
}

/// What an image shows.
#[derive(Clone, Debug)]
pub struct Observed {
    /// What stands for the state.
    pub fingerprint: Fingerprint,
    /// The key; `None` where no log is.
    pub key: Option<CoreKey>,
    /// The fork.
    pub fork: u64,
    /// Blocks.
    pub length: u64,
    /// Whether the recovery says that something is lost or damaged.
    pub tells_loss: bool,
}

impl Timeline {
    /// Nothing is there at first.
    #[must_use]
    pub fn new() -> Self {
        let nothing = Moment { model: None, fingerprint: NOTHING, begun: 0 };
        Self { moments: vec![nothing], returned: vec![(0, 0, true)], ..Self::default() }
    }

    /// Notes that at `position` the log set out to become `model`, or nothing.
    pub fn attempt(&mut self, position: usize, model: Option<&Model>) {
        let fingerprint = model.map_or(NOTHING, Model::fingerprint);
        if self.moments.last().is_none_or(|last| last.fingerprint != fingerprint) {
            let model = model.cloned().map(Arc::new);
            self.moments.push(Moment { model, fingerprint, begun: position });
        }
    }

    /// Notes that by `position` all that was attempted had returned.
    pub fn returned(&mut self, position: usize, settled: bool) {
        self.returned.push((position, self.moments.len() - 1, settled));
    }

    /// Notes what was said by `position`.
    pub fn claim(&mut self, position: usize, claim: Claim) {
        if claim.length > 0 && self.claims.last().is_none_or(|(_, last)| *last != claim) {
            self.claims.push((position, claim));
        }
    }

    /// Notes that a step failed, with who knows what lost.
    pub const fn failed(&mut self) {
        self.torn = true;
    }

    /// All states so far.
    #[must_use]
    pub fn moments(&self) -> &[Moment] {
        &self.moments
    }

    /// What a power cut after `position` operations may leave.
    #[must_use]
    pub fn after_power_cut(&self, position: usize) -> Promise {
        self.promise(position, |settled| settled)
    }

    /// What a kill after `position` operations may leave.
    #[must_use]
    pub fn after_kill(&self, position: usize) -> Promise {
        self.promise(position, |_| true)
    }

    fn promise(&self, position: usize, counts: impl Fn(bool) -> bool) -> Promise {
        let begun = self.moments.iter().map(|moment| moment.begun);
        let possible = possible(&self.returned, begun, position, counts);
        let claims = self.claims.iter().filter(|(from, _)| *from <= position);
        Promise {
            states: self.moments[possible].to_vec(),
            claims: claims.map(|(_, claim)| *claim).collect(),
            torn: self.torn,
        }
    }
}

impl Promise {
    /// The timeline that goes on from here on a disk of its own, once `found` was seen.
    #[must_use]
    pub fn resumed(&self, found: Fingerprint) -> Timeline {
        let last = self.states.iter().rposition(|state| state.fingerprint == found);
        let states = self.states.iter().take(last.map_or(self.states.len(), |last| last + 1));
        Timeline {
            moments: states.map(|state| Moment { begun: 0, ..state.clone() }).collect(),
            returned: vec![(0, 0, true)],
            claims: self.claims.iter().map(|claim| (0, *claim)).collect(),
            torn: true,
        }
    }

    /// Whether `observed` is one of the states, and nobody was told more.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self, observed: &Observed) -> Result<(), String> {
        let allowed = |state: &Moment| state.fingerprint == observed.fingerprint;
        if !self.states.iter().any(allowed) {
            let states: Vec<String> = self.states.iter().map(Moment::describe).collect();
            let (fork, length) = (observed.fork, observed.length);
            return Err(format!(
                "recovered fork {fork}, length {length}; allowed is one of: {}",
                states.join("; ")
            ));
        }
        for claim in self.claims.iter().filter(|claim| Some(claim.key) == observed.key) {
            let (fork, length) = (observed.fork, observed.length);
            if fork < claim.fork || (fork == claim.fork && length < claim.length) {
                return Err(format!(
                    "recovered fork {fork}, length {length}, but durable_length() had said fork {}, length {}",
                    claim.fork, claim.length
                ));
            }
        }
        if observed.tells_loss && self.states.len() == 1 && !self.torn {
            return Err("the recovery reports a loss where nothing was lost".to_owned());
        }
        Ok(())
    }
}

impl Moment {
    fn describe(&self) -> String {
        match &self.model {
            None => "no log".to_owned(),
            Some(model) => {
                let here = model.here.iter().filter(|here| **here).count();
                format!(
                    "fork {}, length {}, {here} here, {} values",
                    model.fork,
                    model.length(),
                    model.user_data.len()
                )
            }
        }
    }
}
