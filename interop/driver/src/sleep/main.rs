//! The Rust side of the interop tests of SLEEP feeds (`cargo xtask interop --part sleep`).
//!
//! Speaks the protocol written down at the top of `interop/sleep/driver.js`, its JavaScript twin: one JSON
//! command a line on stdin, one JSON answer a line on stdout.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "stdout is the protocol")]

mod commands;
#[path = "../content.rs"]
mod content;
mod proofs;
#[path = "../protocol.rs"]
mod protocol;
mod storage;

use std::io::{BufRead, Write};

use serde_json::Value;

fn main() -> std::io::Result<()> {
    let mut open = None;
    for line in std::io::stdin().lock().lines() {
        let answer = answer(&mut open, &line?);
        println!("{answer}");
        std::io::stdout().flush()?;
    }
    Ok(())
}

fn answer(open: &mut Option<sleep::Feed>, line: &str) -> Value {
    let result = serde_json::from_str(line)
        .map_err(protocol::Failure::from)
        .and_then(|command| commands::run(open, &command));
    protocol::answer(result)
}
