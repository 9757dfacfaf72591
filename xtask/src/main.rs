//! The project's checks and tasks: `cargo xtask NAME`.
//!
//! Each task prints one closing line with its figures, exits non-zero on a
//! miss, and says loudly what it skipped and why. No shell is used, and the
//! product is only ever run as a process: nothing here links to it.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a command-line tool for developers: it prints, reads files and reads the clock"
)]
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    reason = "a developer's tool: a panic here is a failed check, never a lost log"
)]

mod interop;
mod npm;
mod process;
mod report;
mod rng;
mod tasks;
mod tool;
mod tree;

use std::process::ExitCode;

use report::{Outcome, run_task};

const USAGE: &str = "\
usage: cargo xtask TASK

  ci                    every check below up to `fuzz-smoke`, in order
  fmt                   rustfmt would change nothing
  lint                  clippy, warnings denied: what ships, with all features and without any; then all
  test                  cargo-nextest (cargo test where it is missing), doctests, examples; all features
  doc                   rustdoc, warnings denied
  layers                the walls between the crates, from cargo metadata
  tidy                  module headers, ASCII, format tables, promises, lock files, leftovers
  deny                  bans, licences, sources (cargo-deny)
  interop [--part page|scripts|directories|network|sleep] [--scripts N] [--seed S] [--dir NAME]
          [--only SCRIPT|SCENARIO] [--sleep SCRIPT] [--deep] [--stand-in js10|js11]
                        random scripts on one directory, in turn with JavaScript; then
                        directories of the hypercore command, likewise; then replication
                        over TCP with JavaScript 10 and 11 in every role; then SLEEP feeds,
                        in turn with JavaScript 9
  crash [--seed S] [--images N] [--deep] [--workload NAME] [--image K]
                        every disk that a crash may leave of the workloads of the log and of the
                        page file (pages/NAME), judged
  faults [--seed S] [--calls N] [--limit N] [--one-byte] [--point POINT]
                        every call to a store fails in each way, in those workloads
  network [--seed S] [--seeds N] [--deep]
                        logs that replicate while connections, power and honesty fail
  hostile [--attack NAME]
                        hostile peers against honest ones
  canaries              planted bugs, each of which those checks must catch
  binary [--part inject|kill|full] [--points N|all] [--rounds N] [--seed S] [--only POINT]
                        the hypercore command under failing system calls (strace), kill -9,
                        and on a full file system
  loom                  every interleaving of a few threads that commit together
  fuzz-smoke [SECONDS] [--seed S]
                        every fuzz target for a short while (default 5 s each, at most a
                        million inputs, seed 1)
  demo                  append this repository's own files to a log and show it
  bench [TABLE...]      the tables of bench/
  fuzz TARGET           one fuzz target until it is stopped
  asan [CRATE...]       the tests under AddressSanitizer; of all crates takes long, those with unsafe
                        code are mappedpages and paged
  valgrind              the tests of the crates with unsafe code under valgrind
";

fn main() -> ExitCode {
    if let Some(code) = tasks::canaries::compiler() {
        return code;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((task, rest)) = arguments.split_first() else {
        print!("{USAGE}");
        return ExitCode::from(2);
    };
    match run(task, rest) {
        Some(true) => ExitCode::SUCCESS,
        Some(false) => ExitCode::FAILURE,
        None => {
            eprint!("xtask: no such task, or arguments it does not take: {task}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// Runs `task`; `None` when there is no such task or it takes no arguments.
fn run(task: &str, rest: &[String]) -> Option<bool> {
    let takes_arguments = matches!(
        task,
        "interop"
            | "crash"
            | "faults"
            | "network"
            | "hostile"
            | "binary"
            | "bench"
            | "fuzz"
            | "fuzz-smoke"
            | "asan"
    );
    if !takes_arguments && !rest.is_empty() {
        return None;
    }
    let body: Box<dyn FnOnce() -> Outcome> = match task {
        "ci" => return Some(tasks::ci::run()),
        "fmt" => Box::new(tasks::checks::fmt),
        "lint" => Box::new(tasks::checks::lint),
        "test" => Box::new(tasks::test::run),
        "doc" => Box::new(tasks::checks::doc),
        "layers" => Box::new(tasks::layers::run),
        "tidy" => Box::new(tasks::tidy::run),
        "deny" => Box::new(tasks::deny::run),
        "interop" => {
            let options = interop::Options::parse(rest)?;
            Box::new(move || interop::run(&options))
        }
        "crash" => {
            let arguments = rest.to_vec();
            Box::new(move || tasks::crash::run(&arguments))
        }
        "faults" => {
            let arguments = rest.to_vec();
            Box::new(move || tasks::faults::run(&arguments))
        }
        "network" => {
            let arguments = rest.to_vec();
            Box::new(move || tasks::network::run(&arguments))
        }
        "hostile" => {
            let arguments = rest.to_vec();
            Box::new(move || tasks::network::hostile(&arguments))
        }
        "canaries" => Box::new(tasks::canaries::run),
        "binary" => {
            let options = tasks::binary::Options::parse(rest)?;
            Box::new(move || tasks::binary::run(&options))
        }
        "loom" => Box::new(tasks::loom::run),
        "demo" => Box::new(tasks::demo::run),
        "bench" => {
            let tables = rest.to_vec();
            Box::new(move || tasks::deeper::bench(&tables))
        }
        "fuzz-smoke" => {
            let (rest, seed) = match rest {
                [rest @ .., option, seed] if option == "--seed" => (rest, seed.parse().ok()?),
                _ => (rest, tasks::fuzz::SEED),
            };
            let seconds = match rest {
                [] => tasks::fuzz::SECONDS,
                [seconds] => seconds.parse().ok()?,
                _ => return None,
            };
            Box::new(move || tasks::fuzz::smoke(seconds, seed))
        }
        "fuzz" => {
            let [target] = rest else { return None };
            let target = target.clone();
            Box::new(move || tasks::fuzz::one(&target))
        }
        "asan" => {
            let packages = rest.to_vec();
            Box::new(move || tasks::deeper::asan(&packages))
        }
        "valgrind" => Box::new(tasks::deeper::valgrind),
        _ => return None,
    };
    Some(run_task(task, body).is_ok())
}
