//! `sim sleep crash` and `sim sleep faults`: the workloads of SLEEP feeds on all cores, a table, and a line for each that
//! shows how to see it again.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sim::log::crash::Report;
use sim::sleep::crash::{Case, Settings};
use sim::sleep::faults::{self, Options, Point};

use crate::crash::number;

/// Images that a run without arguments goes on to.
const IMAGES: u64 = 5_000;

/// Images that `--deep` goes on to.
const DEEP_IMAGES: u64 = 500_000;

/// Failures that are told; the rest is counted.
const TOLD_MAX: usize = 10;

/// What is asked for.
#[derive(Debug)]
pub(crate) enum Arguments {
    /// Power cuts and kills.
    Crash(Crash),
    /// Calls that fail.
    Faults(Faults),
}

#[derive(Debug)]
pub(crate) struct Crash {
    seed: u64,
    images: u64,
    deep: bool,
    workload: Option<String>,
    image: Option<u64>,
}

#[derive(Debug)]
pub(crate) struct Faults {
    options: Options,
    point: Option<Point>,
}

impl Arguments {
    pub(crate) fn parse(arguments: &[String]) -> Option<Self> {
        match arguments.split_first() {
            Some((task, rest)) if task == "crash" => Crash::parse(rest).map(Self::Crash),
            Some((task, rest)) if task == "faults" => Faults::parse(rest).map(Self::Faults),
            _ => None,
        }
    }
}

impl Crash {
    fn parse(arguments: &[String]) -> Option<Self> {
        let mut parsed = Self { seed: 1, images: IMAGES, deep: false, workload: None, image: None };
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
                "--workload" => {
                    parsed.workload = Some(rest.next()?.clone());
                    parsed.images = 0;
                }
                _ => return None,
            }
        }
        let cases = parsed.cases().len();
        (cases == 1 || (cases > 0 && parsed.image.is_none())).then_some(parsed)
    }

    fn cases(&self) -> Vec<Case> {
        let wanted = |case: &Case| {
            let name = self.workload.as_ref();
            name.is_none_or(|name| *name == case.name() || *name == workload(case))
        };
        Case::all().filter(wanted).collect()
    }
}

impl Faults {
    fn parse(arguments: &[String]) -> Option<Self> {
        let options = Options { seed: 1, limit: u64::MAX, stop_at_first: false };
        let mut parsed = Self { options, point: None };
        let mut rest = arguments.iter();
        while let Some(name) = rest.next() {
            match name.as_str() {
                "--seed" => parsed.options.seed = number(rest.next()?)?,
                "--limit" => parsed.options.limit = number(rest.next()?)?.max(1),
                "--point" => parsed.point = Some(rest.next()?.parse().ok()?),
                _ => return None,
            }
        }
        Some(parsed)
    }
}

fn workload(case: &Case) -> String {
    format!("sleep/{}", case.workload.name)
}

/// What became of a case, or of several, over all seeds.
#[derive(Clone, Debug, Default)]
struct Row {
    enumerated: u64,
    distinct: u64,
    bad: u64,
    elapsed: Duration,
}

impl Row {
    fn add(&mut self, other: &Self) {
        self.enumerated += other.enumerated;
        self.distinct += other.distinct;
        self.bad += other.bad;
        self.elapsed += other.elapsed;
    }
}

/// By the name of the case.
type Rows = BTreeMap<String, Row>;

/// Runs what is asked for; false when something is wrong.
pub(crate) fn run(arguments: Arguments) -> bool {
    match arguments {
        Arguments::Crash(crash) => run_crash(&crash),
        Arguments::Faults(faults) => run_faults(&faults),
    }
}

fn run_crash(arguments: &Crash) -> bool {
    let cases = arguments.cases();
    let rows = Mutex::new(Rows::new());
    let start = Instant::now();
    let mut seed = arguments.seed;
    loop {
        round(&cases, arguments, seed, &rows);
        let judged = total(&rows.lock().expect("no panic")).enumerated;
        if judged >= arguments.images || arguments.image.is_some() || judged == 0 {
            break;
        }
        seed += 1;
    }
    let rows = rows.into_inner().expect("no panic");
    println!("{:<34} {:>10} {:>10} {:>5} {:>8}", "workload", "images", "distinct", "bad", "time");
    for (case, row) in &rows {
        println!(
            "{case:<34} {:>10} {:>10} {:>5} {:>6.1} s",
            row.enumerated,
            row.distinct,
            row.bad,
            row.elapsed.as_secs_f64()
        );
    }
    let seeds = match seed - arguments.seed {
        0 => format!("seed {seed}"),
        _ => format!("seeds {} to {seed}", arguments.seed),
    };
    let Row { enumerated, distinct, bad, .. } = total(&rows);
    println!(
        "{enumerated} images of SLEEP feeds, {distinct} distinct, {bad} bad; {} cases, {seeds}, {:.1} s",
        cases.len(),
        start.elapsed().as_secs_f64(),
    );
    bad == 0
}

fn total(rows: &Rows) -> Row {
    let mut total = Row::default();
    rows.values().for_each(|row| total.add(row));
    total
}

/// Every case with one seed, on all cores.
fn round(cases: &[Case], arguments: &Crash, seed: u64, rows: &Mutex<Rows>) {
    let settings = if arguments.deep { Settings::deep(seed) } else { Settings::new(seed) };
    let settings = Settings { image: arguments.image, ..settings };
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads.min(cases.len()) {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let start = Instant::now();
                    let report = case.run(&settings);
                    tell(case, arguments.deep, seed, &report);
                    let row = Row {
                        enumerated: report.counts.enumerated,
                        distinct: report.counts.distinct,
                        bad: report.bad,
                        elapsed: start.elapsed(),
                    };
                    rows.lock().expect("no panic").entry(case.name()).or_default().add(&row);
                }
            });
        }
    });
}

fn tell(case: &Case, deep: bool, seed: u64, report: &Report) {
    if let Some(bad) = &report.first_bad {
        println!("BAD: {}", bad.what);
        println!(
            "  cargo xtask crash --seed {seed} --workload {} --image {}{}\n",
            case.name(),
            bad.image,
            if deep { " --deep" } else { "" },
        );
    }
}

fn run_faults(arguments: &Faults) -> bool {
    let Faults { options, point } = arguments;
    if let Some(point) = point {
        let result = faults::run_point(point, options);
        match &result {
            Ok(()) => println!("{point}: held"),
            Err(what) => println!("{point}: {what}"),
        }
        return result.is_ok();
    }
    let start = Instant::now();
    let cases: Vec<Case> = Case::all().collect();
    let report = faults::run(&cases, options);
    for wrong in report.wrong.iter().take(TOLD_MAX) {
        println!("BAD: {}: {}", wrong.point, wrong.what);
        println!("  cargo xtask faults --seed {} --point {}\n", options.seed, wrong.point);
    }
    println!(
        "{} failed calls in {} cases of SLEEP feeds, {} wrong, {} images after them ({} distinct), seed {}, {:.1} s",
        report.trials,
        report.cases,
        report.wrong.len(),
        report.images.enumerated,
        report.images.distinct,
        options.seed,
        start.elapsed().as_secs_f64(),
    );
    report.wrong.is_empty()
}
