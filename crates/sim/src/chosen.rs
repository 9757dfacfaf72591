//! A few of the images that a crash may leave, for those who go on from them to a second crash.

use crate::disk::{Crash, Image};
use crate::random::Random;

/// Images, and what each promises, chosen while they come by; all have the same chance.
#[derive(Debug)]
pub(crate) struct Chosen<P> {
    random: Random,
    pub(crate) images: Vec<(Image, P)>,
    max: usize,
    offered: u64,
}

impl<P: Clone> Chosen<P> {
    /// At most `max` of them.
    pub(crate) fn new(seed: u64, max: usize) -> Self {
        let random = Random::along(seed, &[2]);
        Self { random, images: Vec::new(), max, offered: 0 }
    }

    /// None of them.
    pub(crate) fn none() -> Self {
        Self { random: Random::new(0), images: Vec::new(), max: 0, offered: 0 }
    }

    /// Keeps each image that was offered with the same probability.
    pub(crate) fn offer(&mut self, crash: &Crash<'_>, promise: &P) {
        if self.max == 0 {
            return;
        }
        self.offered += 1;
        if self.images.len() < self.max {
            self.images.push((crash.image.clone(), promise.clone()));
            return;
        }
        let place = self.random.below(self.offered) as usize;
        if let Some(slot) = self.images.get_mut(place) {
            *slot = (crash.image.clone(), promise.clone());
        }
    }
}
