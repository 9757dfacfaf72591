//! The loop of a driver that does one thing at a time.

use std::io::{self, BufRead, Write};

use serde_json::Value;

use crate::protocol::{Failure, answer};

/// Answers each command until stdin ends.
pub(crate) fn serve(mut run: impl FnMut(&Value) -> Result<Value, Failure>) -> io::Result<()> {
    for line in io::stdin().lock().lines() {
        let result = serde_json::from_str(&line?).map_err(Failure::from);
        println!("{}", answer(result.and_then(|command| run(&command))));
        io::stdout().flush()?;
    }
    Ok(())
}
