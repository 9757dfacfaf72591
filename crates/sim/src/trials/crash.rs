//! Crashes of one case: how widely they are searched, how their images are numbered and judged, and what came of it.

use std::ops::RangeInclusive;
use std::rc::Rc;

use super::Counts;
use crate::chosen::Chosen;
use crate::disk::{Image, Plan, Recording};

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Chooses sizes, contents and subsets.
    pub seed: u64,
    /// Judge this image only.
    pub image: Option<u64>,
    /// Kills, second power cuts and failed syncs that are tried, each.
    pub interruptions_max: usize,
    /// How widely power cuts of the workload itself are searched.
    pub plan: Plan,
    /// Bad images after which the workload is given up.
    pub bad_max: u64,
}

impl Settings {
    /// So many interruptions and power cuts of that plan.
    #[must_use]
    pub const fn new(plan: Plan, interruptions_max: usize) -> Self {
        Self { seed: plan.seed, image: None, interruptions_max, plan, bad_max: 100 }
    }
}

/// An image that is not right.
#[derive(Clone, Debug)]
pub struct Bad {
    /// Its number.
    pub image: u64,
    /// What is wrong with it, and how it came to be.
    pub what: String,
}

/// What became of a case.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Images that were judged.
    pub counts: Counts,
    /// How many are bad.
    pub bad: u64,
    /// The first bad one.
    pub first_bad: Option<Bad>,
}

/// Who says whether an image is right.
pub trait Judge {
    /// What a crash may leave.
    type Promise: Clone;
    /// What it did leave.
    type Found;

    /// Judges an image that a crash may have left, and everything that follows from it.
    ///
    /// # Errors
    /// What is wrong with it.
    fn judge(&mut self, image: &Image, promise: &Self::Promise) -> Result<Self::Found, String>;

    /// How many images were judged.
    fn counts(&self) -> Counts;
}

/// The images of one case, as they come by.
#[derive(Debug)]
pub(crate) struct Run<J> {
    pub(crate) settings: Settings,
    pub(crate) judge: J,
    next_image: u64,
    bad: u64,
    first_bad: Option<Bad>,
}

impl<J: Judge> Run<J> {
    pub(crate) const fn new(settings: Settings, judge: J) -> Self {
        Self { settings, judge, next_image: 0, bad: 0, first_bad: None }
    }

    /// What became of them.
    pub(crate) fn report(self) -> Report {
        Report { counts: self.judge.counts(), bad: self.bad, first_bad: self.first_bad }
    }

    /// Whether so much is bad that nobody wants to know more.
    pub(crate) const fn is_over(&self) -> bool {
        self.bad >= self.settings.bad_max
    }

    /// Whether another image is asked for than the next one.
    pub(crate) fn skips_next(&self) -> bool {
        self.settings.image.is_some_and(|only| only != self.next_image)
    }

    /// Cuts the power after each operation of `positions`, and offers each image that is left to `chosen`.
    pub(crate) fn cut_power(
        &mut self,
        recording: &Recording,
        positions: RangeInclusive<usize>,
        plan: &Plan,
        promise_at: impl Fn(usize) -> J::Promise,
        chosen: &mut Chosen<J::Promise>,
    ) {
        let mut promised: Option<(usize, Rc<J::Promise>)> = None;
        recording.crashes(positions, plan, &mut |crash| {
            let promise = match &promised {
                Some((position, promise)) if *position == crash.position => Rc::clone(promise),
                _ => {
                    let promise = Rc::new(promise_at(crash.position));
                    promised = Some((crash.position, Rc::clone(&promise)));
                    promise
                }
            };
            chosen.offer(&crash, &promise);
            let _found = self.judge(&crash.image, &promise, || crash.describe());
        });
    }

    /// Judges an image, unless another one is asked for.
    pub(crate) fn judge(
        &mut self,
        image: &Image,
        promise: &J::Promise,
        describe: impl FnOnce() -> String,
    ) -> Option<J::Found> {
        let is_skipped = self.is_over() || self.skips_next();
        let number = self.next_image;
        self.next_image += 1;
        if is_skipped {
            return None;
        }
        let judged = self.judge.judge(image, promise);
        judged.map_err(|what| self.note_bad(number, format!("{what}\n  {}", describe()))).ok()
    }

    /// Something that is wrong and is no image: it has a number as if it were one.
    pub(crate) fn bad(&mut self, what: String) {
        let is_skipped = self.skips_next();
        let number = self.next_image;
        self.next_image += 1;
        if !is_skipped {
            self.note_bad(number, what);
        }
    }

    fn note_bad(&mut self, image: u64, what: String) {
        self.bad += 1;
        self.first_bad.get_or_insert(Bad { image, what });
    }
}

/// At most `max` numbers from `from` to below `end`, evenly spread.
pub(crate) fn some(from: usize, end: usize, max: usize) -> impl Iterator<Item = usize> {
    let count = end - from;
    (0..count.min(max)).map(move |at| from + at * count / count.min(max))
}
