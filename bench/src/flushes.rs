//! How often a call waits for the disk, as strace counts it.

use std::process::{Command, Stdio};

use crate::logs::folder;
use crate::measure::Table;

/// Calls that a process makes, and another one makes twice: what it takes to begin is not counted.
pub const CALLS: usize = 50;

/// System calls that wait for the disk.
const FLUSHES: [&str; 4] = ["msync", "fdatasync", "fsync", "sync_file_range"];

/// Flushes of a call of this job, which takes the number of calls and a folder as its last words. `None` without strace.
pub fn of_a_call(job: &[&str]) -> Option<f64> {
    let many = counted(job, 2 * CALLS)?;
    let few = counted(job, CALLS)?;
    Some((many - few) / CALLS as f64)
}

/// A row without strace.
pub fn not_counted(table: &mut Table, case: &str, name: &str) {
    table.fact(case, name, "n/a: strace is missing here".to_owned(), "", None);
    table.not_compared();
}

/// Flushes of a process that makes so many calls.
fn counted(job: &[&str], calls: usize) -> Option<f64> {
    let folder = folder();
    let trace = folder.path().join("trace");
    let own = std::env::current_exe().expect("a path");
    let mut command = Command::new("strace");
    command.arg("-f").arg("-e").arg(format!("trace={}", FLUSHES.join(","))).arg("-o").arg(&trace);
    command.arg(own).arg("child").args(job).arg(calls.to_string()).arg(folder.path());
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?;
    assert!(status.success(), "{job:?} under strace: {status}");
    let text = std::fs::read_to_string(&trace).expect("a trace");
    let begun = |line: &&str| {
        FLUSHES.iter().any(|call| line.contains(&format!(" {call}("))) && !line.contains("resumed")
    };
    Some(text.lines().filter(begun).count() as f64)
}
