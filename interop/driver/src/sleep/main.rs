//! The Rust side of the interop tests of SLEEP feeds (`cargo xtask interop --part sleep`).
//!
//! Speaks the protocol written down at the top of `interop/sleep/driver.js`, its JavaScript twin: one JSON
//! command a line on stdin, one JSON answer a line on stdout.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "stdout is the protocol")]

mod commands;
#[path = "../content.rs"]
mod content;
#[path = "../lines.rs"]
mod lines;
mod proofs;
#[path = "../protocol.rs"]
mod protocol;
mod storage;

fn main() -> std::io::Result<()> {
    let mut open = None;
    lines::serve(|command| commands::run(&mut open, command))
}
