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

use std::io::Write;

use serde_json::{Value, json};
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
    match result {
        Ok(mut answer) => {
            if let Some(fields) = answer.as_object_mut() {
                fields.insert("ok".to_owned(), true.into());
            }
            answer
        }
        Err(error) => json!({ "ok": false, "error": chain(&*error) }),
    }
}

/// An error with its sources, as one sentence.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(next) = source {
        text.push_str(": ");
        text.push_str(&next.to_string());
        source = next.source();
    }
    text
}
