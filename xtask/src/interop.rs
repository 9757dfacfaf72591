//! `interop`: random scripts on one directory, in turn with JavaScript.
//!
//! One node process and one process of the Rust driver stay alive and take
//! turns on the same directories: each step runs on the side that has the core
//! open, a hand-over closes it here and opens it there, and a kill ends a side
//! in the middle of its appends. After each opening the whole state is compared
//! with a model that knows only what was asked for.
//!
//! Then the `hypercore` command and JavaScript take turns on directories of
//! every kind that the command can make.

mod command;
mod directory;
mod driver;
mod model;
mod program;
mod script;

use std::path::{Path, PathBuf};

use crate::process::{Echo, capture, cargo, is_present};
use crate::report::{Figures, Miss, Outcome, miss};
use crate::{npm, rng, tree};

use driver::{Side, Sides};
use script::{Script, Tally};

/// Scripts in a run, unless told otherwise.
const SCRIPTS: u64 = 200;

/// Where to begin, unless told otherwise: the same scripts on every machine.
const SEED: u64 = 1;

/// What to run.
#[derive(Debug)]
pub(crate) struct Options {
    scripts: u64,
    seed: u64,
    only: Option<u64>,
    dir: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { scripts: SCRIPTS, seed: SEED, only: None, dir: None }
    }
}

impl Options {
    /// `--scripts N`, `--seed S`, `--only I` (one script of a run) and `--dir NAME` (one
    /// directory of the command).
    pub(crate) fn parse(arguments: &[String]) -> Option<Self> {
        let mut options = Self::default();
        let mut rest = arguments.iter();
        while let Some(name) = rest.next() {
            let value = rest.next()?;
            match name.as_str() {
                "--scripts" => options.scripts = value.parse().ok()?,
                "--seed" => options.seed = value.parse().ok()?,
                "--only" => options.only = Some(value.parse().ok()?),
                "--dir" => options.dir = Some(value.clone()),
                _ => return None,
            }
        }
        // One thing to replay at a time.
        (options.only.is_none() || options.dir.is_none()).then_some(options)
    }

    /// The numbers of the scripts to run.
    fn chosen(&self) -> std::ops::Range<u64> {
        match (self.only, &self.dir) {
            (Some(only), _) => only..only.saturating_add(1),
            (None, Some(_)) => 0..0,
            (None, None) => 0..self.scripts,
        }
    }
}

/// Runs the scripts, then the command; the first that goes wrong ends the run and is printed.
pub(crate) fn run(options: &Options) -> Outcome {
    for tool in ["node", "npm"] {
        if !is_present(tool) {
            return Ok(Figures::new("nothing was run")
                .skip(format!("{tool} is missing here: nothing was compared with JavaScript")));
        }
    }
    let folder = tree::root().join("interop");
    npm::install(&folder)?;
    let built = build()?;
    let mut sides = Sides::start(&folder.join("driver.js"), &built.join("interop-driver"))?;

    let work = tree::target_dir()?.join("interop");
    let mut figures = Vec::new();
    if !options.chosen().is_empty() {
        let tally = run_scripts(options, &mut sides, &work)?;
        figures.push(format!("{tally}, seed {}", options.seed));
    }
    if options.only.is_none() {
        let command = built.join("hypercore");
        let tally = command::run(&mut sides, &command, &work, options.dir.as_deref())?;
        figures.push(tally.to_string());
    }
    sides.stop()?;
    Ok(Figures::new(figures.join("; ")))
}

fn run_scripts(options: &Options, sides: &mut Sides, work: &Path) -> Result<Tally, Miss> {
    let mut tally = Tally::default();
    for index in options.chosen() {
        let dir = work.join(format!("script-{index}"));
        if dir.exists() {
            std::fs::remove_dir_all(&dir)?;
        }
        std::fs::create_dir_all(&dir)?;
        let script = Script::new(index, mix(options.seed, index), &dir);
        if let Err(failure) = script.run(sides, &mut tally) {
            eprint!("{}", failure.log);
            eprintln!("  the files are kept in {}", dir.display());
            return miss(format!(
                "{}; replay with `cargo xtask interop --seed {} --only {index}`",
                failure.what, options.seed
            ));
        }
        std::fs::remove_dir_all(&dir)?;
    }
    Ok(tally)
}

/// The seed of one script of a run.
fn mix(seed: u64, index: u64) -> u64 {
    let mut rng = rng::Rng::new(seed ^ index.wrapping_mul(0x2545_f491_4f6c_dd1d));
    rng.next()
}

/// Builds the Rust driver and the command, and gives the folder with both.
fn build() -> Result<PathBuf, Miss> {
    let packages = ["build", "--package", "interop-driver", "--package", "hypercore-cli"];
    capture(&mut cargo(packages), Echo::OnFailure)?;
    Ok(tree::target_dir()?.join("debug"))
}

/// A side's name in messages.
impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::JavaScript => "javascript",
            Self::Rust => "rust",
        })
    }
}
