//! SLEEP feeds, in turn with hypercore 9.12, the last release that writes them.
//!
//! Random scripts on one directory, as those on logs: each step on the side that has the feed open, everything
//! compared after each opening, a kill now and then. Some begin with what older releases have left. Readers
//! of the feed are filled with blocks and proofs, by either side. Then both sides write the same feeds, which must
//! be the same files.

mod files;
mod model;
mod reader;
mod script;
mod tally;

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::report::Miss;
use crate::{npm, tree};

use super::driver::Sides;
use super::turns::{self, Failure};
use script::{Script, Start};
pub(super) use tally::Tally;

/// Scripts in a run, unless told otherwise.
pub(super) const SCRIPTS: u64 = 40;

/// Feeds that both sides write.
const TWINS: u64 = 10;

/// Starts the drivers and runs the scripts, and the twins of the same numbers.
pub(super) fn run(
    binary: &Path,
    work: &Path,
    seed: u64,
    scripts: Range<u64>,
) -> Result<Tally, Miss> {
    let folder = tree::root().join("interop").join("sleep");
    npm::install(&folder)?;
    let vectors = tree::root().join("crates").join("sleep").join("tests").join("vectors");
    let kept = files::kept(&vectors)?;
    let mut sides = Sides::start(&folder.join("driver.js"), binary)?;
    let mut tally = Tally::default();
    for index in scripts {
        let dir = work.join(format!("sleep-{index}"));
        let again = format!("--seed {seed} --sleep {index}");
        turns::in_folder(&mut sides, &dir, &again, |sides| {
            one(sides, index, seed, &kept, &dir, &mut tally)
        })?;
    }
    sides.stop()?;
    Ok(tally)
}

fn one(
    sides: &mut Sides,
    index: u64,
    seed: u64,
    kept: &[PathBuf],
    dir: &Path,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let (seed, start) = (super::mix(seed, index), Start::of(index, kept));
    if index < TWINS {
        files::twins(sides, seed, &start, &dir.join("twins"), tally).map_err(|what| Failure {
            what: format!("SLEEP twins {index}: {what}"),
            log: format!("{start:?}\n"),
        })?;
    }
    Script::new(index, seed, start, dir).run(sides, tally)
}
