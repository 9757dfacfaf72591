//! `deny`: bans, licences and sources of everything we build on, by cargo-deny.

use std::path::PathBuf;

use crate::process::{Echo, capture, program};
use crate::report::{Figures, Miss, Outcome};
use crate::{tool, tree};

/// The version that is installed where there is none.
const CARGO_DENY_VERSION: &str = "0.20.2";

/// cargo-deny, built where it is missing.
pub(crate) fn tool() -> Result<PathBuf, Miss> {
    tool::cargo_tool("cargo-deny", CARGO_DENY_VERSION)
}

/// Checks the dependency graph. Advisories need a database from the network,
/// so they are never part of this check, and it says so.
pub(crate) fn run_deny() -> Result<String, Miss> {
    let check = ["--offline", "check", "bans", "licenses", "sources"];
    capture(&mut program(tool()?, check), Echo::OnFailure)
}

/// Runs the check and counts the packages it covered.
pub(crate) fn run() -> Outcome {
    // Also fetches the packages of other platforms, which cargo-deny wants to see offline.
    let metadata = tree::metadata(&["--locked"])?;
    let text = run_deny()?;
    let packages = metadata["packages"].as_array().map_or(0, Vec::len);
    let verdict = text.lines().last().unwrap_or_default().trim().to_owned();
    Ok(Figures::new(format!("{packages} packages, {verdict}")).skip(
        "advisories: their database is only on the network; run `cargo deny check advisories` there",
    ))
}
