//! How often each waits for the disk.

use std::path::Path;

use super::{OURS, Ours, THEIRS, Theirs};
use crate::flushes::{self, CALLS};
use crate::measure::Table;

/// Kinds of calls, and how often ours may wait where 0.2.0 does once.
const CASES: [(&str, f64); 4] =
    [("alloc", 0.5), ("free", 0.5), ("alloc_protected", 0.5), ("protected", 0.5)];

pub fn facts(table: &mut Table) {
    for (case, share) in CASES {
        let case_name = format!("flushes of {case}");
        let of = |who| flushes::of_a_call(&["flushes", who, case]);
        let (Some(ours), Some(theirs)) = (of("ours"), of("theirs")) else {
            flushes::not_counted(table, &case_name, OURS);
            continue;
        };
        let target = format!("at most {share} x those of 0.2.0: {:.2} x", ours / theirs);
        table.fact(&case_name, OURS, format!("{ours}"), &target, Some(ours <= share * theirs));
        table.fact("", THEIRS, format!("{theirs}"), "", None);
    }
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
