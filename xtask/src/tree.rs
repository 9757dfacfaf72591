//! The project's files: where the root is, and what lies below it.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::process;
use crate::report::Miss;

/// Folders that hold nothing a person wrote.
const SKIPPED_DIRS: [&str; 7] =
    [".git", "target", "node_modules", "fixtures", "corpus", "artifacts", "coverage"];

/// The project's root: the folder above this package.
pub(crate) fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let package = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        package.parent().map_or(package.clone(), Path::to_path_buf)
    })
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> Result<PathBuf, Miss> {
    let metadata = metadata(&["--no-deps"])?;
    metadata["target_directory"]
        .as_str()
        .map(PathBuf::from)
        .ok_or_else(|| Miss("cargo metadata names no target directory".into()))
}

/// The output of `cargo metadata`.
pub(crate) fn metadata(arguments: &[&str]) -> Result<serde_json::Value, Miss> {
    let mut command = process::cargo(["metadata", "--format-version", "1"]);
    let text = process::output(command.args(arguments))?;
    serde_json::from_str(&text).map_err(|error| Miss(format!("cargo metadata: {error}")))
}

/// Every file a person wrote, sorted, by its path below the root.
pub(crate) fn files() -> Result<Vec<PathBuf>, Miss> {
    let mut found = Vec::new();
    walk(root(), &mut found)?;
    found.sort();
    Ok(found)
}

fn walk(dir: &Path, found: &mut Vec<PathBuf>) -> Result<(), Miss> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if !SKIPPED_DIRS.iter().any(|skipped| entry.file_name() == *skipped) {
                walk(&entry.path(), found)?;
            }
        } else if kind.is_file() {
            let path = entry.path();
            found.push(path.strip_prefix(root()).map(Path::to_path_buf).unwrap_or(path));
        }
    }
    Ok(())
}

/// The text of a file below the root; `None` when it is not UTF-8.
pub(crate) fn read(path: &Path) -> Result<Option<String>, Miss> {
    let bytes = std::fs::read(root().join(path))
        .map_err(|error| Miss(format!("{}: {error}", path.display())))?;
    Ok(String::from_utf8(bytes).ok())
}
