//! `sim faults`: every call of all workloads fails, on all cores; what goes wrong is told with the command that
//! shows it again.

use std::time::Instant;

use sim::log::faults::{Options, Point, Report, run as run_all, run_point};

use crate::crash::number;

/// Failures that are told; the rest is counted.
const TOLD_MAX: usize = 10;

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Arguments {
    options: Options,
    calls: u64,
    point: Option<Point>,
}

impl Arguments {
    pub(crate) fn parse(arguments: &[String]) -> Option<Self> {
        let mut parsed = Self { options: Options::new(1), calls: 0, point: None };
        let mut rest = arguments.iter();
        while let Some(name) = rest.next() {
            match name.as_str() {
                "--seed" => parsed.options.seed = number(rest.next()?)?,
                "--calls" => parsed.calls = number(rest.next()?)?,
                "--limit" => parsed.options.limit = number(rest.next()?)?.max(1),
                "--one-byte" => parsed.options.one_byte = true,
                "--point" => parsed.point = Some(rest.next()?.parse().ok()?),
                _ => return None,
            }
        }
        Some(parsed)
    }
}

/// Runs what is asked for; false when something goes wrong.
pub(crate) fn run(arguments: Arguments) -> bool {
    let Arguments { mut options, calls, point } = arguments;
    if let Some(point) = point {
        let result = run_point(&point, &options);
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
        let report = run_all(&options);
        tell(&report, &options);
        total.add(report);
        if total.trials >= calls || !total.wrong.is_empty() {
            break;
        }
        options.seed += 1;
    }
    let on = if options.one_byte { " on one-byte stores" } else { "" };
    let seeds = match options.seed {
        last if last == first_seed => format!("seed {last}"),
        last => format!("seeds {first_seed} to {last}"),
    };
    println!(
        "{} failed calls in {} runs of workloads{on}, {} wrong, {} images after them ({} distinct), \
         {seeds}, {:.1} s",
        total.trials,
        total.stages,
        total.wrong.len(),
        total.images.enumerated,
        total.images.distinct,
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
