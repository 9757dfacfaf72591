//! `sim faults`, `sim pages faults`, `sim sleep faults`: every call of all cases fails, on all cores; what goes wrong is
//! told with the command that shows it again.

use std::time::Instant;

use sim::trials::faults::{self, Options, Point, Report};

use crate::crash::{number, seeds};
use crate::subjects::Subject;

/// Failures that are told; the rest is counted.
const TOLD_MAX: usize = 10;

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Arguments {
    subject: &'static Subject,
    options: Options,
    calls: u64,
    point: Option<Point>,
}

impl Arguments {
    pub(crate) fn parse(subject: &'static Subject, arguments: &[String]) -> Option<Self> {
        let options = Options { limit: subject.calls_limit, ..Options::new(1) };
        let mut parsed = Self { subject, options, calls: 0, point: None };
        let mut rest = arguments.iter();
        while let Some(name) = rest.next() {
            match name.as_str() {
                "--seed" => parsed.options.seed = number(rest.next()?)?,
                "--calls" => parsed.calls = number(rest.next()?)?,
                "--limit" => parsed.options.limit = number(rest.next()?)?.max(1),
                "--one-byte" if subject.has_one_byte_stores() => parsed.options.one_byte = true,
                "--point" => parsed.point = Some(rest.next()?.parse().ok()?),
                _ => return None,
            }
        }
        Some(parsed)
    }
}

/// Runs what is asked for; false when something goes wrong.
pub(crate) fn run(arguments: Arguments) -> bool {
    let Arguments { subject, mut options, calls, point } = arguments;
    let cases = (subject.cases)();
    if let Some(point) = point {
        let result = faults::run_point(&cases, &point, &options);
        match &result {
            Ok(()) => println!("{point}: held"),
            Err(what) => println!("{point}: {what}"),
        }
        return result.is_ok();
    }
    let start = Instant::now();
    let first_seed = options.seed;
    let mut total = Report::default();
    loop {
        let report = faults::run(&cases, &options);
        tell(&report, &options);
        total.add(report);
        if total.trials >= calls || !total.wrong.is_empty() {
            break;
        }
        options.seed += 1;
    }
    println!(
        "{} failed calls in {} cases of {}{}, {} wrong, {} images after them ({} distinct), {}, {:.1} s",
        total.trials,
        total.cases,
        subject.name,
        if options.one_byte { " on one-byte stores" } else { "" },
        total.wrong.len(),
        total.images.enumerated,
        total.images.distinct,
        seeds(first_seed, options.seed),
        start.elapsed().as_secs_f64(),
    );
    total.wrong.is_empty()
}

fn tell(report: &Report, options: &Options) {
    let (seed, one_byte) = (options.seed, if options.one_byte { " --one-byte" } else { "" });
    for wrong in report.wrong.iter().take(TOLD_MAX) {
        println!("BAD: {}: {}", wrong.point, wrong.what);
        println!("  cargo xtask faults --seed {seed}{one_byte} --point {}\n", wrong.point);
    }
}
