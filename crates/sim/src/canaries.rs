//! `sim canaries`: hunts where no bug is planted, with everything; then plants each bug in turn and hunts it.

use std::time::Instant;

use hypercore_log::canary::{Bug, plant};
use sim::log::canaries::{Hunt, run as hunt};

const SEED: u64 = 1;

/// Characters of what was found that are shown.
const TOLD_LEN: usize = 160;

/// False when a bug gets away, or one is caught where none is.
pub(crate) fn run() -> bool {
    let start = Instant::now();
    // What planted bugs make the log panic with is in the table.
    std::panic::set_hook(Box::new(|_| {}));
    println!("{:<28} {:<7} {:>7}  {:<26} what was found", "bug", "by", "after", "workload");
    let mut false_alarms = 0_usize;
    for check in Hunt::ALL {
        let bag = hunt(check, SEED);
        let (workload, what) = bag.caught.map_or_else(
            || ("all of them".to_owned(), "nothing, as it must be".to_owned()),
            |caught| {
                false_alarms += 1;
                caught
            },
        );
        row("none", check, bag.looked_at, &workload, &what);
    }
    let mut escaped = 0_usize;
    for bug in Bug::ALL {
        let check = Hunt::of(bug);
        plant(Some(bug));
        let bag = hunt(check, SEED);
        plant(None);
        let (workload, what) = bag.caught.unwrap_or_else(|| {
            escaped += 1;
            ("all of them".to_owned(), "NOT CAUGHT".to_owned())
        });
        row(&format!("{bug:?}"), check, bag.looked_at, &workload, &what);
    }
    let caught = Bug::ALL.len() - escaped;
    println!(
        "{caught} of {} planted bugs caught, {false_alarms} caught where none was, {:.1} s",
        Bug::ALL.len(),
        start.elapsed().as_secs_f64()
    );
    escaped == 0 && false_alarms == 0
}

fn row(bug: &str, check: Hunt, looked_at: u64, workload: &str, what: &str) {
    let what = what.lines().next().unwrap_or_default();
    let what = what.char_indices().nth(TOLD_LEN).map_or(what, |(end, _)| &what[..end]);
    println!("{bug:<28} {:<7} {looked_at:>7}  {workload:<26} {what}", check.name());
}
