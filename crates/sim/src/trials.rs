//! What logs, page files and SLEEP feeds have in common where they are crashed and made to fail.
//!
//! A [`Case`] is something that is done in one way. Its crashes are judged ([`crash`]), and each call that it makes can
//! fail ([`faults`]). What is done, and what that must leave, is known to the case alone.

#[cfg(canary)]
pub mod canaries;
pub mod crash;
pub mod faults;
mod history;
mod verdicts;

use std::fmt::Debug;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) use history::{Returned, newest, possible};
pub use verdicts::Counts;
pub(crate) use verdicts::{Verdicts, caught, panicked};

/// Something that is done in one way.
pub trait Case: Debug + Send + Sync {
    /// Its name, which tells it from all others.
    fn name(&self) -> String;

    /// The name of what is done, in whatever way.
    fn workload(&self) -> String;

    /// The row of a table in which it is counted.
    fn row(&self) -> String {
        self.name()
    }

    /// What it is done with.
    fn subject(&self) -> &'static str;

    /// How its crashes are searched in seconds, or `deep`, which takes its time.
    fn settings(&self, seed: u64, deep: bool) -> crash::Settings;

    /// Crashes it in all ways.
    fn crash(&self, settings: &crash::Settings) -> crash::Report;

    /// Sets it up for calls that fail; `None` where they are not tried.
    ///
    /// # Errors
    /// What is wrong where no call fails.
    fn stage(&self, _options: &faults::Options) -> Result<Option<Box<dyn faults::Stage>>, String> {
        Ok(None)
    }
}

/// Cases of which only the name and what they do is of interest.
pub type Cases = Vec<Box<dyn Case>>;

/// Looks at each of `cases`, on as many threads as there are processors, until it `is_enough`.
pub fn on_all_cores(cases: &[Box<dyn Case>], is_enough: impl Fn(&dyn Case) -> bool + Sync) {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads.min(cases.len()) {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if is_enough(&**case) {
                        next.store(cases.len(), Ordering::Relaxed);
                    }
                }
            });
        }
    });
}
