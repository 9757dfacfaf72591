//! `canaries`: planted bugs, each of which the crash, fault and damage checks must catch.
//!
//! Builds `sim` with `--cfg canary`, which no other build has. Only this workspace's crates are built with it: this
//! program stands before the compiler as cargo's workspace wrapper, so what they stand on is built once for all.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::process::{Echo, cargo, try_capture};
use crate::report::{Figures, Miss, Outcome, miss};
use crate::tree;

/// Set for the compiler's stand-in, and for nothing else.
const WRAPPER: &str = "XTASK_CANARY_COMPILER";

/// Plants the bugs one by one; each must be caught, and nothing where none is planted.
pub(crate) fn run() -> Outcome {
    let mut command = cargo(["run", "--quiet", "--profile", "checked", "--package", "sim"]);
    command.args(["--", "canaries"]).env(WRAPPER, "1");
    command.env("RUSTC_WORKSPACE_WRAPPER", copy_of_this_program()?);
    let (status, text) = try_capture(&mut command, Echo::Always)?;
    let closing = text.lines().rev().find(|line| line.contains(" planted bugs caught"));
    match closing {
        Some(closing) if status.success() => Ok(Figures::new(closing)),
        _ => miss(closing.unwrap_or("no bug was planted")),
    }
}

/// This program under a name that no build replaces while cargo calls it.
///
/// A task that ran before may have built this program anew, and then its own path names nothing any more.
fn copy_of_this_program() -> Result<PathBuf, Miss> {
    let folder = tree::target_dir()?.join("canaries");
    std::fs::create_dir_all(&folder)?;
    let copy = folder.join("compiler");
    let open_file = Path::new("/proc/self/exe");
    let this = if open_file.exists() { open_file.to_owned() } else { std::env::current_exe()? };
    std::fs::copy(this, &copy)?;
    Ok(copy)
}

/// When cargo called this program in the compiler's place: runs the compiler and gives its exit code.
pub(crate) fn compiler() -> Option<ExitCode> {
    std::env::var_os(WRAPPER)?;
    let mut arguments = std::env::args_os().skip(1);
    let compiler: OsString = arguments.next()?;
    let mut command = Command::new(compiler);
    command.args(arguments).args(["--cfg", "canary", "-D", "warnings"]);
    let code = command.status().ok().and_then(|status| status.code());
    Some(code.and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}
