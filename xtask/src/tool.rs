//! Cargo's companions: the one on the path, or our own below the target folder.

use std::path::PathBuf;

use crate::process::{self, Echo, capture, is_present};
use crate::report::Miss;
use crate::tree;

/// `name` on the path or among our own tools; where it is nowhere, `version`
/// is built into the target folder, so that nothing outside the project changes.
pub(crate) fn cargo_tool(name: &str, version: &str) -> Result<PathBuf, Miss> {
    if is_present(name) {
        return Ok(name.into());
    }
    let tools = tree::target_dir()?.join("tools");
    let binary = tools.join("bin").join(name);
    if !is_present(&binary) {
        println!("{name} is missing: building version {version}, some minutes, once");
        let mut install = process::cargo(["install", "--locked", "--quiet", name]);
        install.args(["--version", version, "--root"]).arg(&tools);
        // A tool that runs for seconds: compile time is what counts.
        install.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1");
        install.env("CARGO_PROFILE_RELEASE_LTO", "off");
        install.env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
        capture(&mut install, Echo::OnFailure)?;
    }
    Ok(binary)
}
