//! Shows what is in a container, knowing nothing but the file: `cargo run -p paged --example inspect -- [FILE [ENTRIES]]`.
//!
//! Verifies every page, lists sections and heaps, and prints the first entries of each section (10 unless said
//! otherwise), decoded by the description of their type that the container keeps. Without a file it makes a small
//! one and shows that.

mod report;
mod sample;
mod types;

use std::error::Error;
use std::io;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next();
    let count = arguments.next().and_then(|count| count.parse().ok()).unwrap_or(10);
    let result = match &path {
        Some(path) => report::inspect(Path::new(path), count, &mut io::stdout()),
        None => inspect_sample(count),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", path.as_deref().unwrap_or("a sample"));
            ExitCode::FAILURE
        }
    }
}

fn inspect_sample(count: u32) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("sample.paged");
    sample::write(&path)?;
    report::inspect(&path, count, &mut io::stdout())
}
