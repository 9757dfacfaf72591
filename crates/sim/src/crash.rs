//! `sim crash`: all workloads on all cores, a table, and a line for each that shows how to see it again.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hypercore_log::Durability;
use sim::log::branches::{BRANCH_WORKLOADS, BranchWorkload};
use sim::log::crash::{Report, Settings};
use sim::log::{WORKLOADS, Workload, branches, crash};

/// Images that `--deep` judges.
const DEEP_IMAGES: u64 = 2_000_000;

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Arguments {
    seed: u64,
    images: u64,
    deep: bool,
    workload: Option<String>,
    image: Option<u64>,
}

impl Arguments {
    pub(crate) fn parse(arguments: &[String]) -> Option<Self> {
        let mut parsed = Self { seed: 1, images: 0, deep: false, workload: None, image: None };
        let mut rest = arguments.iter();
        while let Some(name) = rest.next() {
            match name.as_str() {
                "--deep" => {
                    parsed.deep = true;
                    parsed.images = parsed.images.max(DEEP_IMAGES);
                }
                "--seed" => parsed.seed = number(rest.next()?)?,
                "--images" => parsed.images = number(rest.next()?)?,
                "--image" => parsed.image = Some(number(rest.next()?)?),
                "--workload" => parsed.workload = Some(rest.next()?.clone()),
                _ => return None,
            }
        }
        let known = parsed.workload.is_none() || !parsed.tasks().is_empty();
        let whole = parsed.image.is_none() || parsed.tasks().len() == 1;
        (known && whole).then_some(parsed)
    }

    fn settings(&self, seed: u64) -> Settings {
        let settings = if self.deep { Settings::deep(seed) } else { Settings::new(seed) };
        Settings { image: self.image, ..settings }
    }

    /// The workloads, each in the modes that are asked for.
    fn tasks(&self) -> Vec<Task> {
        let logs = WORKLOADS.iter().flat_map(|workload| {
            workload.modes.iter().map(|mode| Task(Kind::Log(workload), *mode))
        });
        let modes = [Durability::Immediate, Durability::Eventual];
        let branches = BRANCH_WORKLOADS
            .iter()
            .flat_map(|workload| modes.map(|mode| Task(Kind::Branch(workload), mode)));
        let wanted = |task: &Task| {
            let name = self.workload.as_ref();
            name.is_none_or(|name| *name == task.name() || name == task.0.name())
        };
        logs.chain(branches).filter(wanted).collect()
    }
}

/// A number as people write it.
pub(crate) fn number(text: &str) -> Option<u64> {
    let text = text.replace(['_', ','], "");
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// What is crashed.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Log(&'static Workload),
    Branch(&'static BranchWorkload),
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Log(workload) => workload.name,
            Self::Branch(workload) => workload.name,
        }
    }
}

/// A workload in one mode.
#[derive(Clone, Copy, Debug)]
struct Task(Kind, Durability);

impl Task {
    fn name(&self) -> String {
        let mode = if self.1 == Durability::Immediate { "immediate" } else { "eventual" };
        format!("{}-{mode}", self.0.name())
    }

    fn run(&self, settings: &Settings) -> Report {
        match self.0 {
            Kind::Log(workload) => crash::run(workload, self.1, settings),
            Kind::Branch(workload) => branches::run(workload, self.1, settings),
        }
    }
}

/// What became of one task over all seeds.
#[derive(Clone, Debug, Default)]
struct Row {
    enumerated: u64,
    distinct: u64,
    bad: u64,
    elapsed: Duration,
}

/// Runs what is asked for; false when an image is bad.
pub(crate) fn run(arguments: Arguments) -> bool {
    let tasks = arguments.tasks();
    let rows = Mutex::new(vec![Row::default(); tasks.len()]);
    let start = Instant::now();
    let mut seed = arguments.seed;
    loop {
        round(&tasks, &arguments, seed, &rows);
        let judged: u64 = rows.lock().expect("no panic").iter().map(|row| row.enumerated).sum();
        if judged >= arguments.images || arguments.image.is_some() {
            break;
        }
        seed += 1;
    }
    let rows = rows.into_inner().expect("no panic");
    println!("{:<34} {:>10} {:>10} {:>5} {:>8}", "workload", "images", "distinct", "bad", "time");
    for (task, row) in tasks.iter().zip(&rows) {
        println!(
            "{:<34} {:>10} {:>10} {:>5} {:>6.1} s",
            task.name(),
            row.enumerated,
            row.distinct,
            row.bad,
            row.elapsed.as_secs_f64()
        );
    }
    let total = |of: fn(&Row) -> u64| rows.iter().map(of).sum::<u64>();
    let (images, bad) = (total(|row| row.enumerated), total(|row| row.bad));
    let seeds = match seed - arguments.seed {
        0 => format!("seed {seed}"),
        _ => format!("seeds {} to {seed}", arguments.seed),
    };
    println!(
        "{images} images, {} distinct, {bad} bad, {} runs of workloads, {seeds}, {:.1} s \
         (crates.io hypercore: 21 % of 1,274 such states fail)",
        total(|row| row.distinct),
        tasks.len(),
        start.elapsed().as_secs_f64(),
    );
    bad == 0
}

/// Every task with one seed, on all cores.
fn round(tasks: &[Task], arguments: &Arguments, seed: u64, rows: &Mutex<Vec<Row>>) {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads.min(tasks.len()) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(task) = tasks.get(at) else { return };
                    let start = Instant::now();
                    let report = task.run(&arguments.settings(seed));
                    tell(*task, arguments.deep, seed, &report);
                    let row = &mut rows.lock().expect("no panic")[at];
                    row.enumerated += report.counts.enumerated;
                    row.distinct += report.counts.distinct;
                    row.bad += report.bad;
                    row.elapsed += start.elapsed();
                }
            });
        }
    });
}

fn tell(task: Task, deep: bool, seed: u64, report: &Report) {
    if let Some(bad) = &report.first_bad {
        println!("BAD: {}", bad.what);
        println!(
            "  cargo xtask crash --seed {seed} --workload {} --image {}{}\n",
            task.name(),
            bad.image,
            if deep { " --deep" } else { "" },
        );
    }
}
