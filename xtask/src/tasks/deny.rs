//! `deny`: bans, licences and sources of everything we build on, by cargo-deny.

use std::path::PathBuf;

use crate::process::{Echo, capture, is_present, program};
use crate::report::{Figures, Miss, Outcome};
use crate::{process, tree};

/// The version that is installed where there is none.
const CARGO_DENY_VERSION: &str = "0.20.2";

/// Checks the dependency graph. Advisories need a database from the network,
/// so they are never part of this check, and it says so.
pub(crate) fn run_deny() -> Result<String, Miss> {
    let binary = cargo_deny()?;
    let check = ["--offline", "check", "bans", "licenses", "sources"];
    capture(&mut program(binary, check), Echo::OnFailure)
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

/// cargo-deny on the path or among our own tools; installed there when it is nowhere.
fn cargo_deny() -> Result<PathBuf, Miss> {
    if is_present("cargo-deny") {
        return Ok("cargo-deny".into());
    }
    let tools = tree::target_dir()?.join("tools");
    let binary = tools.join("bin").join("cargo-deny");
    if !is_present(&binary) {
        println!("deny: cargo-deny is missing: building {CARGO_DENY_VERSION}, some minutes, once");
        let mut install = process::cargo(["install", "--locked", "--quiet", "cargo-deny"]);
        install.args(["--version", CARGO_DENY_VERSION, "--root"]).arg(&tools);
        // A release build of a tool that runs for a second: compile time is what counts.
        install.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1");
        install.env("CARGO_PROFILE_RELEASE_LTO", "off");
        install.env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
        capture(&mut install, Echo::OnFailure)?;
    }
    Ok(binary)
}
