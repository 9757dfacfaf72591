//! `sim crash`, `sim pages crash`, `sim sleep crash`: all cases on all cores, a table, and a line for each that shows
//! how to see it again.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use sim::trials::crash::{Report, Settings};
use sim::trials::{Case, Cases, Counts, on_all_cores};

use crate::subjects::Subject;

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Arguments {
    subject: &'static Subject,
    seed: u64,
    images: u64,
    deep: bool,
    workload: Option<String>,
    image: Option<u64>,
}

impl Arguments {
    pub(crate) fn parse(subject: &'static Subject, arguments: &[String]) -> Option<Self> {
        let images = subject.images;
        let mut parsed =
            Self { subject, seed: 1, images, deep: false, workload: None, image: None };
        let mut rest = arguments.iter();
        while let Some(name) = rest.next() {
            match name.as_str() {
                "--deep" => {
                    parsed.deep = true;
                    parsed.images = parsed.images.max(subject.deep_images);
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

    fn cases(&self) -> Cases {
        let mut cases = (self.subject.cases)();
        if let Some(name) = &self.workload {
            cases.retain(|case| *name == case.name() || *name == case.workload());
        }
        cases
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

/// What became of a case, or of several, over all seeds.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    counts: Counts,
    bad: u64,
    elapsed: Duration,
}

impl Sum {
    fn add(&mut self, report: &Report, elapsed: Duration) {
        self.counts.add(report.counts);
        self.bad += report.bad;
        self.elapsed += elapsed;
    }
}

/// What became of all cases, by the rows of a table, and by what is crashed.
#[derive(Debug, Default)]
struct Sums {
    rows: BTreeMap<String, Sum>,
    subjects: BTreeMap<&'static str, Sum>,
}

/// Runs what is asked for; false when an image is bad.
pub(crate) fn run(arguments: Arguments) -> bool {
    let cases = arguments.cases();
    let sums = Mutex::new(Sums::default());
    let start = Instant::now();
    let mut seed = arguments.seed;
    loop {
        round(&cases, &arguments, seed, &sums);
        let judged =
            sums.lock().expect("no panic").subjects.get(arguments.subject.counted).copied();
        let judged = judged.unwrap_or_default().counts.enumerated;
        if judged >= arguments.images || arguments.image.is_some() || judged == 0 {
            break;
        }
        seed += 1;
    }
    let Sums { rows, subjects } = sums.into_inner().expect("no panic");
    println!("{:<34} {:>10} {:>10} {:>5} {:>8}", "workload", "images", "distinct", "bad", "time");
    for (row, Sum { counts: Counts { enumerated, distinct }, bad, elapsed }) in &rows {
        let seconds = elapsed.as_secs_f64();
        println!("{row:<34} {enumerated:>10} {distinct:>10} {bad:>5} {seconds:>6.1} s");
    }
    let told = subjects.iter().map(|(subject, sum)| {
        let Sum { counts: Counts { enumerated, distinct }, bad, .. } = sum;
        format!("{enumerated} images of {subject}, {distinct} distinct, {bad} bad")
    });
    println!(
        "{}; {} cases, {}, {:.1} s{}",
        told.collect::<Vec<_>>().join("; "),
        cases.len(),
        seeds(arguments.seed, seed),
        start.elapsed().as_secs_f64(),
        arguments.subject.beside,
    );
    subjects.values().all(|sum| sum.bad == 0)
}

/// The seeds of a run, in words.
pub(crate) fn seeds(first: u64, last: u64) -> String {
    if first == last { format!("seed {last}") } else { format!("seeds {first} to {last}") }
}

/// Every case with one seed, on all cores.
fn round(cases: &Cases, arguments: &Arguments, seed: u64, sums: &Mutex<Sums>) {
    on_all_cores(cases, |case| {
        let start = Instant::now();
        let settings = case.settings(seed, arguments.deep);
        let report = case.crash(&Settings { image: arguments.image, ..settings });
        tell(case, arguments.deep, seed, &report);
        let elapsed = start.elapsed();
        let Sums { rows, subjects } = &mut *sums.lock().expect("no panic");
        rows.entry(case.row()).or_default().add(&report, elapsed);
        subjects.entry(case.subject()).or_default().add(&report, elapsed);
        false
    });
}

fn tell(case: &dyn Case, deep: bool, seed: u64, report: &Report) {
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
