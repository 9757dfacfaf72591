//! What all actors of a scenario share: where they work, the programs they run, what was said.

use std::cell::{Cell, RefCell};
use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use crate::interop::driver::{Driver, Said};

use super::actor::Kind;
use super::courses::Ended;

/// The place of a scenario.
#[derive(Debug)]
pub(super) struct Stage {
    /// The driver of JavaScript.
    pub(super) script: PathBuf,
    /// The driver of the facade.
    pub(super) peer: PathBuf,
    /// The command.
    pub(super) hypercore: PathBuf,
    /// The folder of this scenario.
    pub(super) work: PathBuf,
    /// Commands, answers and all stderr of this scenario.
    pub(super) said: Said,
    /// Who plays our parts instead, to see that the scenarios themselves are right.
    pub(super) stand_in: Option<Kind>,
    /// Drivers with nothing open.
    pub(super) idle: Rc<RefCell<Vec<(Kind, Driver)>>>,
    pub(super) blocks: Cell<u64>,
}

impl Stage {
    /// Runs a scenario in an empty folder, which is kept when it fails.
    pub(super) fn run(self: &Rc<Self>, course: &dyn Fn(&Rc<Self>) -> Ended) -> Ended {
        let text = |error: io::Error| format!("{}: {error}", self.work.display());
        if self.work.exists() {
            std::fs::remove_dir_all(&self.work).map_err(text)?;
        }
        std::fs::create_dir_all(&self.work).map_err(text)?;
        course(self)?;
        std::fs::remove_dir_all(&self.work).map_err(text)
    }

    pub(super) fn stand_in(&self, kind: Kind) -> Kind {
        if kind.is_ours() { self.stand_in.unwrap_or(kind) } else { kind }
    }

    pub(super) fn note(&self, text: &str) {
        let mut said = self.said.lock().expect("no reader panicked");
        said.push_str(text);
        said.push('\n');
    }

    pub(super) fn count(&self, blocks: u64) {
        self.blocks.set(self.blocks.get() + blocks);
    }

    /// A driver for this kind: one that is idle, or a new one.
    pub(super) fn driver(&self, kind: Kind) -> Result<Driver, String> {
        let kind = driven_by(kind);
        let mut idle = self.idle.borrow_mut();
        if let Some(at) = idle.iter().position(|(known, _)| *known == kind) {
            return Ok(idle.swap_remove(at).1);
        }
        let (program, arguments) = match kind {
            Kind::Js10 => ("node".into(), vec![self.script.clone(), "10".into()]),
            Kind::Js11 => ("node".into(), vec![self.script.clone(), "11".into()]),
            Kind::Facade | Kind::Command => (self.peer.clone(), Vec::new()),
        };
        Driver::start(program, arguments, Said::clone(&self.said)).map_err(|miss| miss.0)
    }

    pub(super) fn keep(&self, kind: Kind, driver: Driver) {
        self.idle.borrow_mut().push((driven_by(kind), driver));
    }
}

/// The command's directories are written by the facade.
const fn driven_by(kind: Kind) -> Kind {
    match kind {
        Kind::Command => Kind::Facade,
        kind => kind,
    }
}
