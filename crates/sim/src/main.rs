//! `sim`: the simulator as a program, which `cargo xtask crash` and others run.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a command-line tool for developers: it prints and reads the clock"
)]

mod crash;

use std::process::ExitCode;

const USAGE: &str = "\
usage: sim crash [--seed S] [--images N] [--deep] [--workload NAME] [--image K]

  --seed S         a number that chooses sizes, contents and subsets (default 1)
  --images N       go on with further seeds until N images were judged
  --deep           2,000,000 images
  --workload NAME  this one only: a name, or a name with -immediate or -eventual
  --image K        this image of the workload only
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let good = match arguments.split_first() {
        Some((task, rest)) if task == "crash" => crash::Arguments::parse(rest).map(crash::run),
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
