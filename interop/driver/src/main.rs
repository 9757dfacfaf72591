//! The Rust side of the storage interop tests (`cargo xtask interop`).
//!
//! Speaks the protocol written down at the top of `interop/driver.js`, its
//! JavaScript twin: one JSON command a line on stdin, one JSON answer a line on
//! stdout. It works on the engine, not on the facade, so that a close can leave
//! entries in the oplog for the other side to replay.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "stdout is the protocol")]

mod commands;
mod content;
mod protocol;

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

fn answer(open: &mut Option<hypercore_log::Log>, line: &str) -> Value {
    let result = serde_json::from_str(line)
        .map_err(protocol::Failure::from)
        .and_then(|command| commands::run(open, &command));
    protocol::answer(result)
}
