//! `interop`: random scripts on one directory, in turn with JavaScript.
//!
//! One node process and one process of the Rust driver stay alive and take
//! turns on the same directories: each step runs on the side that has the core
//! open, a hand-over closes it here and opens it there, and a kill ends a side
//! in the middle of its appends. After each opening the whole state is compared
//! with a model that knows only what was asked for.
//!
//! Then the `hypercore` command and JavaScript take turns on directories of
//! every kind that the command can make; then they replicate over TCP. Last come feeds of older releases, in turn with
//! hypercore 9. Before all that, the page for those who come from JavaScript is held against its source.

mod api;
mod command;
mod directory;
mod driver;
mod model;
mod network;
mod program;
mod script;
mod sleep;
mod turns;

use std::path::{Path, PathBuf};

use crate::process::{BUILD_BINARIES, Echo, capture, cargo, is_present};
use crate::report::{Figures, Miss, Outcome};
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
    parts: Vec<Part>,
    scripts: std::ops::Range<u64>,
    seed: u64,
    dir: Option<String>,
    network: network::Choice,
    sleep: std::ops::Range<u64>,
}

/// A part of the task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Page,
    Scripts,
    Directories,
    Network,
    Sleep,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            parts: vec![Part::Page, Part::Scripts, Part::Directories, Part::Network, Part::Sleep],
            scripts: 0..SCRIPTS,
            seed: SEED,
            dir: None,
            network: network::Choice::default(),
            sleep: 0..sleep::SCRIPTS,
        }
    }
}

impl Options {
    /// `--part NAME` (one of `page`, `scripts`, `directories`, `network`, `sleep`), `--scripts N`, `--seed S`,
    /// `--dir NAME` (one directory of the command), `--only WHAT` (one script by its number, or scenarios by
    /// name), `--sleep N` (one script on a SLEEP feed), `--deep`, `--stand-in js10|js11`.
    pub(crate) fn parse(arguments: &[String]) -> Option<Self> {
        let mut options = Self::default();
        let mut rest = arguments.iter();
        while let Some(name) = rest.next() {
            if name == "--deep" {
                options.network.is_deep = true;
                continue;
            }
            let value = rest.next()?;
            match name.as_str() {
                "--part" => options.parts = vec![part(value)?],
                "--scripts" => {
                    options.scripts = 0..value.parse().ok()?;
                    options.sleep = options.scripts.clone();
                }
                "--seed" => options.seed = value.parse().ok()?,
                "--dir" => {
                    options.dir = Some(value.clone());
                    options.parts = vec![Part::Directories];
                }
                "--sleep" => {
                    let number: u64 = value.parse().ok()?;
                    options.sleep = number..number.checked_add(1)?;
                    options.parts = vec![Part::Sleep];
                }
                "--only" => {
                    if let Ok(number) = value.parse::<u64>() {
                        options.scripts = number..number.checked_add(1)?;
                        options.parts = vec![Part::Scripts];
                    } else {
                        options.network.only.push(value.clone());
                        options.parts = vec![Part::Network];
                    }
                }
                "--stand-in" => {
                    options.network.stand_in = Some(match value.as_str() {
                        "js10" => network::Kind::Js10,
                        "js11" => network::Kind::Js11,
                        _ => return None,
                    });
                }
                _ => return None,
            }
        }
        Some(options)
    }
}

fn part(name: &str) -> Option<Part> {
    Some(match name {
        "page" => Part::Page,
        "scripts" => Part::Scripts,
        "directories" => Part::Directories,
        "network" => Part::Network,
        "sleep" => Part::Sleep,
        _ => return None,
    })
}

/// Runs the parts; the first thing that goes wrong in one ends the run and is printed.
pub(crate) fn run(options: &Options) -> Outcome {
    for tool in ["node", "npm"] {
        if !is_present(tool) {
            return Ok(Figures::new("nothing was run")
                .skip(format!("{tool} is missing here: nothing was compared with JavaScript")));
        }
    }
    let folder = tree::root().join("interop");
    npm::install(&folder)?;
    let has = |part| options.parts.contains(&part);
    let mut figures = Vec::new();
    if has(Part::Page) {
        figures.push(format!(
            "{} rows of the page for others",
            api::check(&folder.join("node_modules"))?
        ));
    }
    if options.parts == [Part::Page] {
        return Ok(Figures::new(figures.join("; ")));
    }
    let built = build()?;
    let work = tree::target_dir()?.join("interop");
    let hypercore = built.join("hypercore");

    if has(Part::Scripts) || has(Part::Directories) {
        let mut sides = Sides::start(&folder.join("driver.js"), &built.join("interop-driver"))?;
        if has(Part::Scripts) {
            let tally = run_scripts(options, &mut sides, &work)?;
            figures.push(format!("{tally}, seed {}", options.seed));
        }
        if has(Part::Directories) {
            let tally = command::run(&mut sides, &hypercore, &work, options.dir.as_deref())?;
            figures.push(tally.to_string());
        }
        sides.stop()?;
    }
    if has(Part::Network) {
        let programs = network::Programs {
            script: folder.join("peer.js"),
            peer: built.join("interop-peer"),
            hypercore,
            work: work.clone(),
        };
        figures.push(network::run(&programs, &options.network)?);
    }
    if has(Part::Sleep) {
        let binary = built.join("interop-sleep");
        let tally = sleep::run(&binary, &work, options.seed, options.sleep.clone())?;
        figures.push(tally.to_string());
    }
    Ok(Figures::new(figures.join("; ")))
}

fn run_scripts(options: &Options, sides: &mut Sides, work: &Path) -> Result<Tally, Miss> {
    let mut tally = Tally::default();
    for index in options.scripts.clone() {
        let dir = work.join(format!("script-{index}"));
        let again = format!("--seed {} --only {index}", options.seed);
        turns::in_folder(sides, &dir, &again, |sides| {
            Script::new(index, mix(options.seed, index), &dir).run(sides, &mut tally)
        })?;
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
    capture(&mut cargo(BUILD_BINARIES), Echo::OnFailure)?;
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
