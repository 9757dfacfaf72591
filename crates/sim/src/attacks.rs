//! `sim hostile`: every attack, a table of how each ended and what it cost, and a closing line.

use std::time::Instant;

use sim::hostile::{Report, run as run_attacks};

use crate::allocation::COUNTER;

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Arguments {
    attack: Option<String>,
}

impl Arguments {
    pub(crate) fn parse(arguments: &[String]) -> Option<Self> {
        match arguments {
            [] => Some(Self { attack: None }),
            [name, attack] if name == "--attack" => Some(Self { attack: Some(attack.clone()) }),
            _ => None,
        }
    }
}

/// Runs what is asked for; false when an attack comes to something else than it must.
pub(crate) fn run(arguments: Arguments) -> bool {
    let start = Instant::now();
    if arguments.attack.is_none() {
        // Panics are caught and told.
        std::panic::set_hook(Box::new(|_| {}));
    }
    println!("{:<78} {:>9}  ended", "attack", "bytes");
    let mut reports: Vec<Report> = Vec::new();
    run_attacks(arguments.attack.as_deref(), COUNTER, &mut |report| {
        println!("{:<78} {:>9}  {}", report.name, report.memory, report.ended);
        if let Some(wrong) = &report.wrong {
            println!("  WRONG: {wrong}");
            println!("  cargo xtask hostile --attack {:?}", report.name);
        }
        reports.push(report);
    });
    let wrong = reports.iter().filter(|report| report.wrong.is_some()).count();
    let harmless = reports.iter().filter(|report| report.ended == "harmless").count();
    println!(
        "{} attacks: {harmless} harmless, {} ended with a reason, {wrong} wrong; at most {} bytes before the handshake, \
         {} in all, {:.1} s",
        reports.len(),
        reports.len() - harmless,
        reports.iter().map(|report| report.early_memory).max().unwrap_or(0),
        reports.iter().map(|report| report.memory).max().unwrap_or(0),
        start.elapsed().as_secs_f64(),
    );
    wrong == 0 && !reports.is_empty()
}
