//! `sim canaries`: hunts where no bug is planted, with everything; then plants each bug in turn and hunts it.

use std::time::Instant;

use sim::trials::canaries::Bag;
use sim::{log, pages, sleep};

const SEED: u64 = 1;

/// Characters of what was found that are shown.
const TOLD_LEN: usize = 160;

/// False when a bug gets away, or one is caught where none is.
pub(crate) fn run() -> bool {
    let start = Instant::now();
    // What planted bugs make the log panic with is in the table.
    std::panic::set_hook(Box::new(|_| {}));
    println!("{:<28} {:<7} {:>7}  {:<26} what was found", "bug", "by", "after", "workload");
    let mut tally = Tally::default();
    for hunt in log::canaries::HUNTS {
        tally.none(hunt.name(), log::canaries::run(hunt, SEED));
    }
    for hunt in pages::canaries::HUNTS {
        tally.none(hunt.name(), pages::canaries::run(hunt, SEED));
    }
    for hunt in sleep::canaries::HUNTS {
        tally.none(hunt.name(), sleep::canaries::run(hunt, SEED));
    }
    for bug in hypercore_log::canary::Bug::ALL {
        let hunt = log::canaries::hunt_of(bug);
        hypercore_log::canary::plant(Some(bug));
        tally.one(&format!("{bug:?}"), hunt.name(), log::canaries::run(hunt, SEED));
        hypercore_log::canary::plant(None);
    }
    for bug in mappedpages::canary::Bug::ALL {
        let hunt = pages::canaries::hunt_of(bug);
        mappedpages::canary::plant(Some(bug));
        tally.one(&format!("{bug:?}"), hunt.name(), pages::canaries::run(hunt, SEED));
        mappedpages::canary::plant(None);
    }
    for bug in ::sleep::canary::Bug::ALL {
        let hunt = sleep::canaries::hunt_of(bug);
        ::sleep::canary::plant(Some(bug));
        tally.one(&format!("{bug:?}"), hunt.name(), sleep::canaries::run(hunt, SEED));
        ::sleep::canary::plant(None);
    }
    let Tally { planted, escaped, false_alarms } = tally;
    println!(
        "{} of {planted} planted bugs caught, {false_alarms} caught where none was, {:.1} s",
        planted - escaped,
        start.elapsed().as_secs_f64()
    );
    escaped == 0 && false_alarms == 0
}

/// What became of the bugs.
#[derive(Default)]
struct Tally {
    planted: usize,
    escaped: usize,
    false_alarms: usize,
}

impl Tally {
    /// No bug is planted.
    fn none(&mut self, check: &str, bag: Bag) {
        let (workload, what) = bag.caught.map_or_else(
            || ("all of them".to_owned(), "nothing, as it must be".to_owned()),
            |caught| {
                self.false_alarms += 1;
                caught
            },
        );
        row("none", check, bag.looked_at, &workload, &what);
    }

    /// This bug is planted.
    fn one(&mut self, bug: &str, check: &str, bag: Bag) {
        self.planted += 1;
        let (workload, what) = bag.caught.unwrap_or_else(|| {
            self.escaped += 1;
            ("all of them".to_owned(), "NOT CAUGHT".to_owned())
        });
        row(bug, check, bag.looked_at, &workload, &what);
    }
}

fn row(bug: &str, check: &str, looked_at: u64, workload: &str, what: &str) {
    let what = what.lines().next().unwrap_or_default();
    let what = what.char_indices().nth(TOLD_LEN).map_or(what, |(end, _)| &what[..end]);
    println!("{bug:<28} {check:<7} {looked_at:>7}  {workload:<26} {what}");
}
