//! Packages from the npm registry, as a lock file in the project says.

use std::path::Path;

use crate::process::{Echo, capture, program};
use crate::report::Miss;

/// `npm ci` in `folder`, when what is installed there is not what the lock file says.
pub(crate) fn install(folder: &Path) -> Result<(), Miss> {
    let wanted = std::fs::read(folder.join("package-lock.json"))?;
    let stamp = folder.join("node_modules").join(".xtask-lock.json");
    if std::fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let mut npm = program("npm", ["ci", "--no-audit", "--no-fund"]);
    capture(npm.current_dir(folder), Echo::OnFailure)?;
    std::fs::write(&stamp, wanted)?;
    Ok(())
}
