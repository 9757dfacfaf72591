//! The third part: replication over TCP with JavaScript 10 and 11, in every role.
//!
//! Named scenarios, each on directories of its own, each to be run alone by its name. What a writer was
//! asked to append is known by its hashes, and every block that a reader holds is compared with them.

mod actor;
mod cases;
mod courses;
mod model;
mod proxy;
mod running;
mod stage;

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
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
        if self.only.iter().any(|only| *only == case.name) {
            return true;
        }
        let is_named =
            self.only.is_empty() || self.only.iter().any(|only| case.name.contains(only));
        is_named && (self.is_deep || !case.is_deep)
    }
}

/// Runs the scenarios; all of them, whatever goes wrong in one.
pub(super) fn run(programs: &Programs, choice: &Choice) -> Result<String, Miss> {
    let idle = Rc::new(RefCell::new(Vec::new()));
    let said = Said::default();
    let cases: Vec<Case> = cases::all().into_iter().filter(|case| choice.takes(case)).collect();
    if cases.is_empty() {
        return miss("no scenario has such a name");
    }
    let mut blocks = 0;
    let mut problems = Vec::new();
    for case in &cases {
        said.lock().expect("no reader panicked").clear();
        let work = programs.work.join(&case.name);
        if work.exists() {
            std::fs::remove_dir_all(&work)?;
        }
        std::fs::create_dir_all(&work)?;
        let stage = Rc::new(Stage {
            script: programs.script.clone(),
            peer: programs.peer.clone(),
            hypercore: programs.hypercore.clone(),
            work: work.clone(),
            said: Said::clone(&said),
            stand_in: choice.stand_in,
            idle: Rc::clone(&idle),
            blocks: Cell::new(0),
        });
        let started = Instant::now();
        let ended = (case.course)(&stage);
        blocks += stage.blocks.get();
        let took = seconds(started.elapsed());
        match ended {
            Ok(()) => {
                eprintln!("  {}: {took}", case.name);
                std::fs::remove_dir_all(&work)?;
            }
            Err(what) => {
                eprintln!("  {}: FAILED after {took}: {what}", case.name);
                eprint!("{}", said.lock().expect("no reader panicked"));
                eprintln!("  the files are kept in {}", work.display());
                problems.push(format!(
                    "{}: {what}; replay with `cargo xtask interop --only {}`",
                    case.name, case.name
                ));
            }
        }
    }
    fail_on(&problems, "scenarios of the network")?;
    Ok(format!("{} scenarios of the network, {blocks} blocks compared", cases.len()))
}
