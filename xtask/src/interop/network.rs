//! The third part: replication over TCP with JavaScript 10 and 11, in every role.
//!
//! Named scenarios, each on directories of its own, each to be run alone by its name. What a writer was
//! asked to append is known by its hashes, and every block that a reader holds is compared with them.

mod actor;
mod batches;
mod cases;
mod courses;
mod encryption;
mod model;
mod proxy;
mod running;
mod signers;
mod stage;

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::report::{Miss, fail_on, miss, seconds};

use super::driver::Said;

pub(super) use actor::Kind;
use cases::Case;
use stage::Stage;

/// The programs that take part, and where they work.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) script: PathBuf,
    pub(super) peer: PathBuf,
    pub(super) hypercore: PathBuf,
    pub(super) work: PathBuf,
}

/// Which scenarios to run.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// Names, or parts of names. All when there is none.
    pub(super) only: Vec<String>,
    pub(super) is_deep: bool,
    pub(super) stand_in: Option<Kind>,
}

impl Choice {
    fn takes(&self, case: &Case) -> bool {
        if self.only.contains(&case.name) {
            return true;
        }
        let is_named =
            self.only.is_empty() || self.only.iter().any(|only| case.name.contains(only));
        is_named && (self.is_deep || !case.is_deep)
    }
}

/// Scenarios that run at the same time: most of them wait more than they work.
const AT_ONCE: usize = 3;

/// Runs the scenarios; all of them, whatever goes wrong in one.
pub(super) fn run(programs: &Programs, choice: &Choice) -> Result<String, Miss> {
    let cases: Vec<Case> = cases::all().into_iter().filter(|case| choice.takes(case)).collect();
    if cases.is_empty() {
        return miss("no scenario has such a name");
    }
    let next = AtomicUsize::new(0);
    let take = || cases.get(next.fetch_add(1, Ordering::Relaxed));
    let tallies: Vec<Tally> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE.min(cases.len()))
            .map(|_| scope.spawn(|| Tally::of(programs, choice, &take)))
            .collect();
        workers.into_iter().map(|worker| worker.join().expect("no scenario panics")).collect()
    });
    let blocks: u64 = tallies.iter().map(|tally| tally.blocks).sum();
    let mut problems: Vec<String> = tallies.into_iter().flat_map(|tally| tally.problems).collect();
    problems.sort();
    fail_on(&problems, "scenarios of the network")?;
    Ok(format!("{} scenarios of the network, {blocks} blocks compared", cases.len()))
}

/// What one worker found.
#[derive(Default)]
struct Tally {
    blocks: u64,
    problems: Vec<String>,
}

impl Tally {
    /// Runs what `take` gives, one after the other; drivers stay for the next.
    fn of<'a>(programs: &Programs, choice: &Choice, take: &impl Fn() -> Option<&'a Case>) -> Self {
        let idle = Rc::new(RefCell::new(Vec::new()));
        let said = Said::default();
        let mut tally = Self::default();
        while let Some(case) = take() {
            said.lock().expect("no reader panicked").clear();
            let stage = Rc::new(Stage {
                script: programs.script.clone(),
                peer: programs.peer.clone(),
                hypercore: programs.hypercore.clone(),
                work: programs.work.join(&case.name),
                said: Said::clone(&said),
                stand_in: choice.stand_in,
                idle: Rc::clone(&idle),
                blocks: Cell::new(0),
            });
            let started = Instant::now();
            let ended = stage.run(&*case.course);
            let took = seconds(started.elapsed());
            tally.blocks += stage.blocks.get();
            match ended {
                Ok(()) => eprintln!("  {}: {took}", case.name),
                Err(what) => {
                    eprintln!(
                        "  {}: FAILED after {took}: {what}\n{}  the files are kept in {}",
                        case.name,
                        said.lock().expect("no reader panicked"),
                        stage.work.display()
                    );
                    tally.problems.push(format!(
                        "{}: {what}; replay with `cargo xtask interop --only {}`",
                        case.name, case.name
                    ));
                }
            }
        }
        tally
    }
}
