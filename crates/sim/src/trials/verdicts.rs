//! What is known of images that were looked at: each is looked at once, however often it is met.

use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

/// How many images were met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Images, each time they were met.
    pub enumerated: u64,
    /// Different ones.
    pub distinct: u64,
}

impl Counts {
    /// Adds what else was met.
    pub const fn add(&mut self, other: Self) {
        self.enumerated += other.enumerated;
        self.distinct += other.distinct;
    }
}

/// What is known of an image.
#[derive(Debug)]
struct Verdict<O> {
    observed: Result<Rc<O>, String>,
    /// Whether crashes of what comes next were tried.
    is_deep: bool,
}

/// What images show, by their digests.
#[derive(Debug)]
pub(crate) struct Verdicts<O> {
    known: HashMap<u128, Verdict<O>>,
    counts: Counts,
}

impl<O> Verdicts<O> {
    /// Nothing is known yet.
    pub(crate) fn new() -> Self {
        Self { known: HashMap::new(), counts: Counts::default() }
    }

    pub(crate) const fn counts(&self) -> Counts {
        self.counts
    }

    /// Counts an image, and gives what is known of it, if it was looked at as deeply as is wanted.
    pub(crate) fn meet(&mut self, digest: u128, is_deep: bool) -> Option<Result<Rc<O>, String>> {
        self.counts.enumerated += 1;
        let known = self.known.get(&digest);
        self.counts.distinct += u64::from(known.is_none());
        known.filter(|known| known.is_deep || !is_deep).map(|known| known.observed.clone())
    }

    /// Notes what an image shows.
    pub(crate) fn note(
        &mut self,
        digest: u128,
        is_deep: bool,
        looked: Result<O, String>,
    ) -> Result<Rc<O>, String> {
        let observed = looked.map(Rc::new);
        self.known.insert(digest, Verdict { observed: observed.clone(), is_deep });
        observed
    }
}

/// A panic is something wrong, too.
pub(crate) fn caught<T>(tried: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(tried)).unwrap_or_else(|panic| Err(panicked(&*panic)))
}

pub(crate) fn panicked(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panicked: {}", text.unwrap_or("for no reason"))
}
