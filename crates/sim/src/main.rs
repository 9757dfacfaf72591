//! `sim`: the simulator as a program, which `cargo xtask crash` and others run.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a command-line tool for developers: it prints and reads the clock"
)]
#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    reason = "a developer's tool: a panic here is a failed check, never a lost log"
)]

mod allocation;
mod attacks;
#[cfg(canary)]
mod canaries;
mod crash;
mod faults;
mod seeds;
mod subjects;

use std::process::ExitCode;

use crate::subjects::Subject;

const USAGE: &str = "\
usage: sim [pages|sleep] crash [--seed S] [--images N] [--deep] [--workload NAME] [--image K]
       sim [pages|sleep] faults [--seed S] [--calls N] [--limit N] [--point POINT]
       sim faults --one-byte [--seed S] [--calls N] [--limit N] [--point POINT]
       sim network [--seed S] [--seeds N] [--deep]
       sim hostile [--attack NAME]

  --seed S         a number that chooses everything that is chosen (default 1)
  --images N       go on with further seeds until N images were judged
  --deep           a wide search, of 500,000 to 2,000,000 images; 50,000 seeds
  --workload NAME  this one only: a name, or a name with a mode, as tables and failures tell it
  --image K        this image of the workload only
  --calls N        go on with further seeds until N calls failed
  --limit N        calls of each workload, mode and fault at most, evenly spread
  --one-byte       stores that move one byte a call
  --point POINT    this call only: WORKLOAD-MODE/FAULT/CALL
  --seeds N        as many seeds (default 500, or the one that is given)
  --attack NAME    the attacks with this in their name only
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (subject, task) = Subject::of(&arguments);
    let good = match task.split_first() {
        Some((task, rest)) if task == "crash" => {
            crash::Arguments::parse(subject, rest).map(crash::run)
        }
        Some((task, rest)) if task == "faults" => {
            faults::Arguments::parse(subject, rest).map(faults::run)
        }
        Some((task, rest)) if task == "network" => seeds::Arguments::parse(rest).map(seeds::run),
        Some((task, rest)) if task == "hostile" => {
            attacks::Arguments::parse(rest).map(attacks::run)
        }
        #[cfg(canary)]
        Some((task, [])) if task == "canaries" => Some(canaries::run()),
        _ => None,
    };
    match good {
        Some(true) => ExitCode::SUCCESS,
        Some(false) => ExitCode::FAILURE,
        None => {
            eprint!("{USAGE}");
            ExitCode::from(2)
        }
    }
}
