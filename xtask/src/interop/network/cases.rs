//! The table of scenarios: each has a name by which it is run alone.

use std::rc::Rc;

use super::actor::Kind;
use super::courses::{self, Ended, Pair};
use super::stage::Stage;
use super::{batches, encryption, signers};

use Kind::{Command, Facade, Js10, Js11};

/// What happens in a scenario.
pub(super) type Course = dyn Fn(&Rc<Stage>) -> Ended + Send + Sync;

/// A scenario.
pub(super) struct Case {
    pub(super) name: String,
    /// Left out of a run unless it is asked for, by `--deep` or by name.
    pub(super) is_deep: bool,
    pub(super) course: Box<Course>,
}

/// Every scenario.
pub(super) fn all() -> Vec<Case> {
    let mut cases = Cases::default();
    for js in [Js10, Js11] {
        for ours in [Command, Facade] {
            for pair in [Pair { writer: js, reader: ours }, Pair { writer: ours, reader: js }] {
                cases.one_pair(pair, ours == Command);
            }
            cases.through(Pair { writer: js, reader: js }, ours);
        }
    }
    for pair in [Pair { writer: Js10, reader: Js11 }, Pair { writer: Js11, reader: Js10 }] {
        cases.through(pair, Command);
    }
    for kinds in
        [[Js10, Facade, Js11, Facade], [Js11, Facade, Js10, Facade], [Facade, Js11, Facade, Js10]]
    {
        let name = format!("mesh-{}-leaves", kinds[0].name());
        cases.add(name, false, move |stage| courses::mesh(stage, kinds));
    }
    for js in [Js10, Js11] {
        for pair in [Pair { writer: js, reader: Facade }, Pair { writer: Facade, reader: js }] {
            cases.local(pair);
        }
        let name = format!("backup-confirmed-by-{}", js.name());
        cases.add(name, false, move |stage| batches::confirmed(stage, js));
    }
    cases.add("batch-kept-js10".to_owned(), false, batches::kept);
    // The longest first, so that none is left for the end.
    cases.0.sort_by_key(|case| !case.name.contains("00000"));
    cases.0
}

#[derive(Default)]
struct Cases(Vec<Case>);

impl Cases {
    fn add(
        &mut self,
        name: String,
        is_deep: bool,
        course: impl Fn(&Rc<Stage>) -> Ended + Send + Sync + 'static,
    ) {
        self.0.push(Case { name, is_deep, course: Box::new(course) });
    }

    fn pair(&mut self, name: &str, pair: Pair, course: fn(&Rc<Stage>, Pair) -> Ended) {
        self.add(named(name, pair), false, move |stage| course(stage, pair));
    }

    /// One who writes and one who reads, of whom one is JavaScript.
    fn one_pair(&mut self, pair: Pair, is_command: bool) {
        for count in [0, 1, 33, 1_000, 100_000, 300_000] {
            // Once over the command, where both have been tried with what differs between them.
            let is_deep = count > 100_000 || (count != 33 && !is_command);
            let name = named(&format!("full-{count}"), pair);
            self.add(name, is_deep, move |stage| courses::full(stage, pair, count));
        }
        self.pair("sizes", pair, courses::sizes);
        self.pair("cleared", pair, courses::cleared);
        self.pair("missing", pair, courses::missing);
        self.pair("sparse", pair, courses::sparse);
        self.pair("forked", pair, courses::forked);
        self.pair("wrong-key", pair, courses::wrong_key);
        self.pair("killed-writer", pair, courses::killed_writer);
        self.pair("killed-reader", pair, courses::killed_reader);
        self.pair("two-halves", pair, courses::two_halves);
        self.pair("cores", pair, courses::cores);
        if pair.reader != Command {
            self.pair("seek", pair, courses::seek);
        }
        // `serve` holds the log: nobody else changes it meanwhile.
        if pair.writer != Command {
            self.pair("live", pair, courses::live);
            self.pair("forked-live", pair, courses::forked_live);
            self.pair("forked-midway", pair, courses::forked_midway);
        }
        if !is_command {
            self.pair("dialled", pair, courses::dialled);
        }
    }

    /// What one machine makes of its log, and the other is to understand.
    fn local(&mut self, pair: Pair) {
        for kind in ["compat", "v1"] {
            for (what, is_block_key) in [("encryption-key", false), ("block-key", true)] {
                let name = named(&format!("{what}-{kind}"), pair);
                self.add(name, false, move |stage| {
                    encryption::keys(stage, pair, kind, is_block_key)
                });
            }
        }
        let js = if pair.writer == Facade { pair.reader } else { pair.writer };
        for kind in ["v0", "quorum0", "patch0", "quorum", "patch", "v2"] {
            // Version 10 knows no version 2.
            if kind != "v2" || js == Js11 {
                let name = named(&format!("signed-{kind}"), pair);
                self.add(name, false, move |stage| {
                    let pair = Pair { writer: pair.writer, reader: js };
                    let through = if pair.writer == Facade { js } else { Facade };
                    signers::signed(stage, pair, through, kind)
                });
            }
        }
        self.pair("signed-together", pair, signers::together);
        for kind in if js == Js11 { &["static", "v1", "v2"][..] } else { &["static", "v1"] } {
            let name = named(&format!("prologue-{kind}"), pair);
            self.add(name, false, move |stage| signers::prologue(stage, pair, kind));
        }
        if js == Js11 {
            for kind in ["compat", "v1", "quorum", "patch"] {
                let name = named(&format!("proven-{kind}"), pair);
                self.add(name, false, move |stage| signers::proven(stage, pair, kind));
            }
        }
        self.add(named("batch-5000", pair), false, move |stage| {
            batches::committed(stage, pair, 5_000)
        });
    }

    /// From JavaScript through us to JavaScript.
    fn through(&mut self, pair: Pair, ours: Kind) {
        let is_same = pair.writer == pair.reader;
        let route = format!("{}-{}-{}", pair.writer.name(), ours.name(), pair.reader.name());
        for kind in ["compat", "v0", "v1", "quorum", "patch", "v2"] {
            if kind != "v2" || (pair.writer == Js11 && is_same) {
                let name = format!("manifest-{kind}-{route}");
                self.add(name, false, move |stage| courses::manifest(stage, pair, ours, kind));
            }
        }
        for kind in ["compat", "v1"] {
            let name = format!("encrypted-{kind}-{route}");
            self.add(name, false, move |stage| encryption::encrypted(stage, pair, ours, kind));
            if is_same {
                let pair = Pair { writer: ours, reader: pair.reader };
                let name = named(&format!("encrypted-{kind}"), pair);
                self.add(name, false, move |stage| encryption::encrypted(stage, pair, ours, kind));
            }
        }
    }
}

fn named(name: &str, pair: Pair) -> String {
    format!("{name}-{}-to-{}", pair.writer.name(), pair.reader.name())
}
