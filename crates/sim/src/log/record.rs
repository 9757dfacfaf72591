//! Playing a script on a simulated disk while keeping its timeline.

use std::sync::{Arc, Mutex, PoisonError};

use hypercore_log::{Durability, Stores};

use super::model::Model;
use super::play::{Failure, Player, Watch};
use super::script::{Cast, Role, Step};
use super::timeline::{Claim, Timeline};
use crate::disk::Disk;

/// A player on a disk, and what is known of the log by the disk's positions.
#[derive(Debug)]
pub struct Recorder<'a> {
    disk: &'a Disk,
    player: Player<'a>,
    timeline: Timeline,
    durability: Durability,
    claims: Arc<Mutex<Vec<(usize, Claim)>>>,
}

impl<'a> Recorder<'a> {
    /// Over a log that is not there yet.
    #[must_use]
    pub fn new(
        disk: &'a Disk,
        role: Role,
        durability: Durability,
        cast: &'a Cast,
        open: &'a dyn Fn() -> Stores,
    ) -> Self {
        let player = Player::absent(Model::new(role), durability, cast, open);
        Self::over(disk, player, durability, Timeline::new())
    }

    /// Over a log that is not open: what `timeline` says it went through ends with `model`.
    #[must_use]
    pub fn resumed(
        disk: &'a Disk,
        model: Model,
        durability: Durability,
        timeline: Timeline,
        cast: &'a Cast,
        open: &'a dyn Fn() -> Stores,
    ) -> Self {
        let player = Player::absent(model, durability, cast, open);
        Self::over(disk, player, durability, timeline)
    }

    fn over(
        disk: &'a Disk,
        player: Player<'a>,
        durability: Durability,
        timeline: Timeline,
    ) -> Self {
        let claims = Arc::new(Mutex::new(Vec::new()));
        // Whoever asks while something is being written must not be told too much either.
        let (watch, said) = (player.watch(), Arc::clone(&claims));
        disk.observe(move |position| note(&watch, position, &said));
        Self { disk, player, timeline, durability, claims }
    }

    /// Makes the log.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn create(&mut self) -> Result<(), Failure> {
        self.timeline.attempt(self.disk.position(), Some(&self.player.model().clone()));
        let made = self.player.make_new();
        self.end(made, true)
    }

    /// Does `step`.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn step(&mut self, step: &Step) -> Result<(), Failure> {
        self.attempt(step)?;
        self.player.compare()
    }

    /// As [`step`](Self::step), without the comparison, which reads from the disk.
    ///
    /// # Errors
    /// [`Failure::Open`], [`Failure::Log`].
    pub fn attempt(&mut self, step: &Step) -> Result<(), Failure> {
        let begun = self.disk.position();
        if matches!(step, Step::Overwrite) {
            self.timeline.attempt(begun, None);
        }
        self.timeline.attempt(begun, Some(&self.player.after(step)));
        let done = self.player.attempt(step);
        self.end(done, step.settles(self.durability))
    }

    /// Does `step` once more, which failed and changed nothing.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn again(&mut self, step: &Step) -> Result<(), Failure> {
        let done = self.player.act(step);
        self.end(done, step.settles(self.durability))?;
        self.player.compare()
    }

    /// What the log went through.
    #[must_use]
    pub const fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// The player.
    pub const fn player(&mut self) -> &mut Player<'a> {
        &mut self.player
    }

    fn end(&mut self, done: Result<(), Failure>, settled: bool) -> Result<(), Failure> {
        let position = self.disk.position();
        note(&self.player.watch(), position, &self.claims);
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        for (position, claim) in claims.drain(..) {
            self.timeline.claim(position, claim);
        }
        drop(claims);
        match &done {
            Ok(()) => self.timeline.returned(position, settled),
            Err(_) => self.timeline.failed(),
        }
        done
    }
}

fn note(watch: &Watch, position: usize, claims: &Mutex<Vec<(usize, Claim)>>) {
    if let Some(claim) = watch.announced() {
        claims.lock().unwrap_or_else(PoisonError::into_inner).push((position, claim));
    }
}
