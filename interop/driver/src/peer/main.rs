//! The Rust side of the network interop tests (`cargo xtask interop`).
//!
//! Speaks the protocol written down at the top of `interop/peer.js`, its JavaScript twin: one JSON
//! command a line on stdin, one JSON answer a line on stdout. It works on the facade, as any
//! application would.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "stdout is the protocol")]
#![expect(clippy::print_stderr, reason = "stderr is what the runner shows of a failure")]

mod commands;
mod connections;
#[path = "../content.rs"]
mod content;
mod drafts;
mod keys;
#[path = "../protocol.rs"]
mod protocol;

use std::io::Write;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use commands::Peer;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let mut peer = Peer::default();
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let answer = answer(&mut peer, &line).await;
        println!("{answer}");
        std::io::stdout().flush()?;
    }
    Ok(())
}

async fn answer(peer: &mut Peer, line: &str) -> Value {
    let result = match serde_json::from_str(line) {
        Ok(command) => peer.run(&command).await,
        Err(error) => Err(error.into()),
    };
    protocol::answer(result)
}
