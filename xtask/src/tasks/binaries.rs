//! Test binaries: every file in a `tests/` folder must be part of one.
//!
//! Where a crate names its test binaries, most of its files are modules of `tests/all.rs`, and cargo would pass over a
//! new file in silence.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::report::Miss;
use crate::tree;

/// Checks all packages of the workspace and gives the number of their test binaries.
pub(crate) fn check(problems: &mut Vec<String>) -> Result<usize, Miss> {
    let metadata = tree::metadata(&["--no-deps"])?;
    let mut binaries = 0;
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let roots = roots(package);
        binaries += roots.len();
        let mut run = roots.clone();
        for root in &roots {
            run.extend(modules(root, &std::fs::read_to_string(root)?));
        }
        let manifest = Path::new(package["manifest_path"].as_str().unwrap_or_default());
        for file in files(&manifest.with_file_name("tests"))? {
            if !run.contains(&file) {
                let file = file.strip_prefix(tree::root()).unwrap_or(&file);
                problems.push(format!("{}: no test binary has it", file.display()));
            }
        }
    }
    Ok(binaries)
}

/// The files that cargo gives the compiler as tests of a package.
fn roots(package: &Value) -> BTreeSet<PathBuf> {
    let targets = package["targets"].as_array().into_iter().flatten();
    let tests = targets.filter(|target| target["kind"][0] == "test");
    tests.filter_map(|target| target["src_path"].as_str()).map(PathBuf::from).collect()
}

/// The files beside `root` that it names with `#[path]`.
fn modules(root: &Path, text: &str) -> Vec<PathBuf> {
    let paths =
        text.lines().filter_map(|line| line.strip_prefix("#[path = \"")?.strip_suffix("\"]"));
    paths.map(|path| root.with_file_name(path)).collect()
}

/// What cargo would find by itself: the files of a folder, and the main files of the folders in it.
fn files(tests: &Path) -> Result<Vec<PathBuf>, Miss> {
    if !tests.exists() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(tests)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        } else if path.join("main.rs").exists() {
            found.push(path.join("main.rs"));
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_lie_beside_the_file_that_names_them() {
        let text = "//! `#[path = \"no.rs\"]`\n#[path = \"one.rs\"]\nmod one;\nmod support;\n";
        let found = modules(Path::new("a/tests/all.rs"), text);
        assert_eq!(found, [PathBuf::from("a/tests/one.rs")]);
    }
}
