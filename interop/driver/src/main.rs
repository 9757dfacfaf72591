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
mod lines;
mod protocol;

fn main() -> std::io::Result<()> {
    let mut open = None;
    lines::serve(|command| commands::run(&mut open, command))
}
