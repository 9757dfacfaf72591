//! How often each waits for the disk, as strace counts it.

use std::path::Path;
use std::process::{Command, Stdio};

use super::{OURS, Ours, THEIRS, Theirs};
use crate::logs::folder;
use crate::measure::Table;

/// Calls of each kind that are made, and subtracted from: what it takes to make the file is not counted.
const CALLS: usize = 50;

/// System calls that wait for the disk.
const FLUSHES: [&str; 4] = ["msync", "fdatasync", "fsync", "sync_file_range"];

/// Kinds of calls, and how often ours may wait where 0.2.0 does once.
const CASES: [(&str, f64); 4] =
    [("alloc", 0.5), ("free", 0.5), ("alloc_protected", 0.5), ("protected", 0.5)];

pub fn facts(table: &mut Table) {
    for (case, share) in CASES {
        let case_name = format!("flushes of {case}");
        let (Some(ours), Some(theirs)) = (flushes("ours", case), flushes("theirs", case)) else {
            table.fact(&case_name, OURS, "n/a: strace is missing here".to_owned(), "", None);
            table.not_compared();
            continue;
        };
        let target = format!("at most {share} x those of 0.2.0: {:.2} x", ours / theirs);
        table.fact(&case_name, OURS, format!("{ours}"), &target, Some(ours <= share * theirs));
        table.fact("", THEIRS, format!("{theirs}"), "", None);
    }
}

/// Flushes of a call.
fn flushes(who: &str, case: &str) -> Option<f64> {
    let many = counted(who, case, 2 * CALLS)?;
    let few = counted(who, case, CALLS)?;
    Some((many - few) / CALLS as f64)
}

/// Flushes of a process that makes so many calls.
fn counted(who: &str, case: &str, calls: usize) -> Option<f64> {
    let folder = folder();
    let trace = folder.path().join("trace");
    let own = std::env::current_exe().expect("a path");
    let mut command = Command::new("strace");
    command.arg("-f").arg("-e").arg(format!("trace={}", FLUSHES.join(","))).arg("-o").arg(&trace);
    command.arg(own).args(["child", "flushes", who, case, &calls.to_string()]).arg(folder.path());
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?;
    assert!(status.success(), "{who} {case} under strace: {status}");
    let text = std::fs::read_to_string(&trace).expect("a trace");
    let begun = |line: &&str| {
        FLUSHES.iter().any(|call| line.contains(&format!(" {call}("))) && !line.contains("resumed")
    };
    Some(text.lines().filter(begun).count() as f64)
}

/// Makes so many calls of a kind on a new file, in a process of its own.
pub fn child(who: &str, case: &str, calls: usize, folder: &Path) {
    macro_rules! calls {
        ($pager:expr) => {{
            let mut pager = $pager.expect("a new file");
            // Room for all of them, so that no growth is in the way.
            let most = pager.alloc_bulk(8 * CALLS).expect("room");
            pager.free_bulk(most).expect("pages");
            let pages = pager.alloc_bulk(calls).expect("room");
            let protected = pager.alloc_protected().expect("room");
            for turn in 0..calls {
                match case {
                    "alloc" => _ = pager.alloc().expect("room"),
                    "free" => pager.free(pages[turn]).expect("a page"),
                    "alloc_protected" => _ = pager.alloc_protected().expect("room"),
                    _ => {
                        let mut writer = protected.get_mut(&mut pager).expect("a page");
                        writer.page_mut().as_bytes_mut().fill(turn as u8);
                        writer.commit().expect("a commit");
                    }
                }
            }
            // What ends a process is not counted.
            std::mem::forget(pager);
        }};
    }
    match who {
        "ours" => calls!(Ours::create(folder.join("pages"))),
        _ => calls!(Theirs::create(folder.join("pages"))),
    }
}
