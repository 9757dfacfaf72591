//! What `sim` crashes and lets fail: logs, page files, SLEEP feeds.

use sim::trials::Cases;

/// One of them.
#[derive(Debug)]
pub(crate) struct Subject {
    /// The word after `sim`; the log has none.
    word: &'static str,
    /// What it is called.
    pub(crate) name: &'static str,
    /// Everything that is done with it.
    pub(crate) cases: fn() -> Cases,
    /// The images that are counted where a number of them is wanted: those of cases that name this as their subject.
    pub(crate) counted: &'static str,
    /// Images that a run without arguments goes on to.
    pub(crate) images: u64,
    /// Images that `--deep` goes on to.
    pub(crate) deep_images: u64,
    /// Calls of each case and fault that fail at most without arguments.
    pub(crate) calls_limit: u64,
    /// What its results are to be compared with.
    pub(crate) beside: &'static str,
}

const ALL: [Subject; 3] = [
    Subject {
        word: "",
        name: "logs",
        cases: sim::log::cases,
        counted: "logs",
        images: 0,
        deep_images: 2_000_000,
        calls_limit: u64::MAX,
        beside: " (crates.io hypercore: 21 % of 1,274 such states fail)",
    },
    Subject {
        word: "pages",
        name: "pages",
        cases: sim::pages::cases,
        counted: "pages in format 2",
        images: 20_000,
        deep_images: 1_000_000,
        calls_limit: u64::MAX,
        beside: " (mappedpages 0.2.0: 29 of 2,514 such states do not open)",
    },
    Subject {
        word: "sleep",
        name: "SLEEP feeds",
        cases: sim::sleep::cases,
        counted: "SLEEP feeds",
        images: 5_000,
        deep_images: 500_000,
        calls_limit: 3,
        beside: "",
    },
];

impl Subject {
    /// The one that `arguments` begin with, and the others of them.
    pub(crate) fn of(arguments: &[String]) -> (&'static Self, &[String]) {
        const { &ALL }
            .iter()
            .find_map(|subject| match arguments.split_first() {
                Some((word, rest)) if *word == *subject.word => Some((subject, rest)),
                _ => None,
            })
            .unwrap_or((const { &ALL[0] }, arguments))
    }

    /// Whether its stores can be made to move one byte a call.
    pub(crate) const fn has_one_byte_stores(&self) -> bool {
        self.word.is_empty()
    }
}
