//! `demo`: the main job on real input. Appends the project's own files to a
//! signed log on disk with the release binary and shows what is stored.

use std::path::{Path, PathBuf};

use crate::process::{Echo, capture, cargo, program, run_in_front, show};
use crate::report::{Figures, Outcome, miss};
use crate::tree;

/// Builds the command, appends, and prints info, the blocks and the audit.
pub(crate) fn run_demo(dir: &Path) -> Result<usize, crate::report::Miss> {
    let target = tree::target_dir()?;
    println!("building the command in release: a minute or two the first time");
    capture(&mut cargo(["build", "--release", "--package", "hypercore-cli"]), Echo::OnFailure)?;
    let binary = target.join("release").join("hypercore");
    if dir.exists() {
        std::fs::remove_dir_all(dir)?;
    }

    let files = documents()?;
    let mut append = program(&binary, ["append"]);
    append.arg(dir).args(&files);
    let mut steps = vec![append];
    for verb in ["info", "ls", "verify"] {
        let mut step = program(&binary, [verb]);
        step.arg(dir);
        steps.push(step);
    }
    for step in &mut steps {
        println!("\n$ {}", show(step));
        run_in_front(step)?;
    }
    println!();
    Ok(files.len())
}

/// Runs the demonstration in `target/demo-log`.
pub(crate) fn run() -> Outcome {
    let dir = tree::target_dir()?.join("demo-log");
    let files = run_demo(&dir)?;
    let mut bytes = 0;
    for entry in std::fs::read_dir(&dir)? {
        bytes += entry?.metadata()?.len();
    }
    if files == 0 || bytes == 0 {
        return miss("nothing was stored");
    }
    Ok(Figures::new(format!(
        "{files} files appended and verified, {bytes} bytes of log files in {}",
        dir.display()
    )))
}

/// The project's own texts: README, CHANGELOG, licences, everything in docs/.
fn documents() -> Result<Vec<PathBuf>, crate::report::Miss> {
    let is_text = |path: &PathBuf| {
        let is_markdown = path.extension().is_some_and(|ext| ext == "md");
        let is_ours = path.components().count() == 1 || path.starts_with("docs");
        is_ours && (is_markdown || path.to_string_lossy().starts_with("LICENSE"))
    };
    Ok(tree::files()?.into_iter().filter(is_text).collect())
}
