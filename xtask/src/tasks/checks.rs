//! `fmt`, `lint` and `doc`: the checks that cargo itself knows.

use crate::process::{Echo, capture, cargo};
use crate::report::{Figures, Outcome};
use crate::tree;

/// Lints that hold in libraries and binaries, but not in tests and examples.
const ALLOWED_IN_TESTS: [&str; 11] = [
    "clippy::arithmetic_side_effects",
    "clippy::indexing_slicing",
    "clippy::cast_possible_truncation",
    "clippy::expect_used",
    "clippy::unwrap_used",
    "missing_docs",
    "clippy::disallowed_methods",
    "clippy::print_stdout",
    "clippy::print_stderr",
    "clippy::missing_panics_doc",
    "unreachable_pub",
];

/// rustfmt would change nothing.
pub(crate) fn fmt() -> Outcome {
    capture(&mut cargo(["fmt", "--all", "--check"]), Echo::OnFailure)?;
    let files = tree::files()?;
    let rust = files.iter().filter(|path| path.extension().is_some_and(|ext| ext == "rs"));
    Ok(Figures::new(format!("{} files", rust.count())))
}

/// clippy over what ships, then over everything with the tests' exceptions.
pub(crate) fn lint() -> Outcome {
    let ships = ["clippy", "--workspace", "--lib", "--bins", "--", "-D", "warnings"];
    capture(&mut cargo(ships), Echo::OnFailure)?;

    let all = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    let mut command = cargo(all);
    for lint in ALLOWED_IN_TESTS {
        command.args(["-A", lint]);
    }
    capture(&mut command, Echo::OnFailure)?;
    Ok(Figures::new("2 passes, 0 warnings"))
}

/// rustdoc without warnings.
pub(crate) fn doc() -> Outcome {
    let mut command = cargo(["doc", "--workspace", "--no-deps"]);
    capture(command.env("RUSTDOCFLAGS", "-D warnings"), Echo::OnFailure)?;
    let metadata = tree::metadata(&["--no-deps"])?;
    let crates = metadata["packages"].as_array().map_or(0, Vec::len);
    Ok(Figures::new(format!("{crates} crates, 0 warnings")))
}
