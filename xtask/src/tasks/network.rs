//! `network` and `hostile`: logs that replicate on a simulated network, and among hostile peers.
//!
//! Runs `sim network` and `sim hostile` and hands their arguments on; their closing lines are these tasks'.

use crate::process::{Echo, cargo, try_capture};
use crate::report::{Figures, Miss, Outcome, miss};

/// Seeds of peers that lose connections, power and history, as `arguments` say.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    Ok(Figures::new(sim("network", arguments)?))
}

/// Every attack, or those that `arguments` name.
pub(crate) fn hostile(arguments: &[String]) -> Outcome {
    Ok(Figures::new(sim("hostile", arguments)?))
}

/// Runs a task of `sim`, and gives its closing line.
fn sim(task: &str, arguments: &[String]) -> Result<String, Miss> {
    let mut command = cargo(["run", "--quiet", "--profile", "checked", "--package", "sim"]);
    command.args(["--", task]).args(arguments);
    let (status, text) = try_capture(&mut command, Echo::Always)?;
    let last = text.lines().rev().find(|line| !line.is_empty()).unwrap_or("nothing was run");
    if status.success() { Ok(last.to_owned()) } else { miss(last) }
}
