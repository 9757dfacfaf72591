//! The `hypercore` command: keep, read, verify and share signed logs from a shell.
//!
//! Its JSON and exit codes are a promise; `hypercore --help` lists them. It composes the facade
//! crate and knows nothing of formats.
#![forbid(unsafe_code)]

mod args;
mod commands;
mod failure;
mod key;
mod output;
mod parse;
mod progress;
mod sleep_dir;
mod source;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;

use crate::failure::{Exit, Failure, Outcome};

/// Threads that read and write logs for peers at the same time.
const STORAGE_THREADS_MAX: usize = 8;

/// How long the end may take once the command is done.
const END_MAX: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let cli = match args::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let mut out = output::Output::new(&cli.common);
    match run(&cli, &mut out) {
        Ok(()) | Err(Failure::NobodyReads) => ExitCode::SUCCESS,
        Err(Failure::Reported(exit)) => exit.code().into(),
        Err(Failure::Told(told)) => {
            // What was printed before the failure is data all the same.
            drop(out.flush());
            output::print_failure(&told, cli.common.json);
            told.exit.code().into()
        }
    }
}

fn run(cli: &args::Cli, out: &mut output::Output) -> Outcome {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if cli.command.uses_network() {
        // As many workers as processors: peers are served at the same time.
        builder.max_blocking_threads(STORAGE_THREADS_MAX).enable_io();
    } else {
        // One worker for the background flush: this thread may wait for stdin meanwhile. Commands make
        // one call after the other: a thread for each would keep the memory of the largest block it
        // ever saw.
        builder.worker_threads(1).max_blocking_threads(1);
    }
    let runtime = builder
        .enable_time()
        .build()
        .map_err(|error| Failure::new(Exit::Failed, format!("no runtime: {error}")))?;
    let outcome = runtime.block_on(commands::run(cli, out));
    // A name that is still being looked up must not keep the process.
    runtime.shutdown_timeout(END_MAX);
    outcome
}

/// Help and version go to stdout; a mistake goes to stderr, as JSON if that was asked for.
fn usage(error: &clap::Error) -> ExitCode {
    let asked_for_json =
        std::env::args_os().take_while(|word| word != "--").any(|word| word == "--json");
    if !error.use_stderr() || !asked_for_json {
        // Nobody is left to tell when stdout or stderr are gone.
        drop(error.print());
        return if error.use_stderr() { Exit::Usage.code().into() } else { ExitCode::SUCCESS };
    }
    let text = error.to_string();
    // What is wrong, and which arguments it concerns; how to use the command comes after an empty line.
    let lines = text.lines().map(str::trim).take_while(|line| !line.is_empty());
    let sentence = lines.collect::<Vec<_>>().join(" ");
    let sentence = sentence.strip_prefix("error: ").unwrap_or(&sentence);
    if let Failure::Told(told) = Failure::new(Exit::Usage, sentence) {
        output::print_failure(&told, true);
    }
    Exit::Usage.code().into()
}
