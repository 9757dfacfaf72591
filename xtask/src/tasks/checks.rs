//! `fmt`, `lint` and `doc`: the checks that cargo itself knows.

use std::process::Command;

use crate::process::{Echo, capture, cargo};
use crate::report::{Figures, Miss, Outcome};
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

/// clippy over what ships, with all features and without any, then over everything with the tests' exceptions.
pub(crate) fn lint() -> Outcome {
    let ships = ["clippy", "--workspace", "--all-features", "--lib", "--bins"];
    capture(cargo(ships).args(["--", "-D", "warnings"]), Echo::OnFailure)?;

    let mut command = cargo(["clippy", "--lib"]);
    let featured = with_features(&mut command)?;
    capture(command.args(["--", "-D", "warnings"]), Echo::OnFailure)?;

    let all = ["clippy", "--workspace", "--all-features", "--all-targets"];
    let mut command = cargo(all);
    command.args(["--", "-D", "warnings"]);
    for lint in ALLOWED_IN_TESTS {
        command.args(["-A", lint]);
    }
    capture(&mut command, Echo::OnFailure)?;
    Ok(Figures::new(format!("3 passes, one of {featured} crates without features, 0 warnings")))
}

/// rustdoc without warnings, with all features and, where a crate has some, without.
pub(crate) fn doc() -> Outcome {
    let mut plain = cargo(["doc", "--no-deps"]);
    let featured = with_features(&mut plain)?;
    let mut full = cargo(["doc", "--no-deps", "--workspace", "--all-features"]);
    // The full pages last: they are the ones that stay.
    for command in [&mut plain, &mut full] {
        capture(command.env("RUSTDOCFLAGS", "-D warnings"), Echo::OnFailure)?;
    }
    let metadata = tree::metadata(&["--no-deps"])?;
    let crates = metadata["packages"].as_array().map_or(0, Vec::len);
    Ok(Figures::new(format!("{crates} crates, {featured} also without features, 0 warnings")))
}

/// Names the crates that have features to `command`, and gives their number. Features only add, so that without them a
/// crate is compiled, and tested with all.
fn with_features(command: &mut Command) -> Result<usize, Miss> {
    let metadata = tree::metadata(&["--no-deps"])?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let featured = packages
        .filter(|package| package["features"].as_object().is_some_and(|all| !all.is_empty()))
        .filter_map(|package| package["name"].as_str());
    let mut count = 0;
    for name in featured {
        command.args(["--package", name]);
        count += 1;
    }
    Ok(count)
}
