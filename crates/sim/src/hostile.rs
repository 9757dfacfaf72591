//! Hostile peers against an honest one, with an honest third that must not notice.
//!
//! Every attack is a script. It ends in a typed reason, or does no harm; nothing is stored that was not signed; the
//! third peer gets or gives everything meanwhile; and the victim's memory for the attacker stays within
//! [`EARLY_MEMORY_MAX`], [`IDLE_MEMORY_MAX`] and [`BUSY_MEMORY_MAX`]. Each attack is played twice: alone, with
//! the memory counted, and beside the third peer.

mod arena;
mod attacks;
mod host;
mod meter;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use meter::Counter;

use crate::trials::panicked;
use arena::{Arena, Victim};
use attacks::{Attack, HARMLESS};

/// Bytes that a peer may take before its handshake is done.
pub const EARLY_MEMORY_MAX: isize = 8 * 1024;

/// Bytes that a peer may take that is connected and does nothing.
pub const IDLE_MEMORY_MAX: isize = 64 * 1024;

/// Bytes that a busy peer may take, besides the frame that it is sending.
pub const BUSY_MEMORY_MAX: isize = 1024 * 1024;

/// Requests of one peer that may wait.
pub const QUEUED_MAX: usize = 256;

/// Ticks after an attack in which the third peer must be done.
const PATIENCE_TICKS: u64 = 20_000;

/// What became of one attack.
#[derive(Clone, Debug)]
pub struct Report {
    /// What it is.
    pub name: String,
    /// How it ended: a reason, or that it was harmless.
    pub ended: String,
    /// The most memory the victim took for it, in bytes.
    pub memory: isize,
    /// Likewise, before the handshake was done.
    pub early_memory: isize,
    /// What is wrong with that.
    pub wrong: Option<String>,
}

/// Plays the attacks whose name contains `name`; all for `None`. `counter` counts the memory of the thread.
pub fn run(name: Option<&str>, counter: Counter, told: &mut dyn FnMut(Report)) {
    for attack in attacks::all() {
        for victim in attack.victims {
            let full = format!("{} ({})", attack.name, word(*victim));
            if name.is_none_or(|part| full.contains(part)) {
                let played = catch_unwind(AssertUnwindSafe(|| play(attack, *victim, counter)));
                let mut report = played.unwrap_or_else(|panic| Report {
                    name: String::new(),
                    ended: "panic".to_owned(),
                    memory: 0,
                    early_memory: 0,
                    wrong: Some(panicked(&*panic)),
                });
                report.name = full;
                told(report);
            }
        }
    }
}

const fn word(victim: Victim) -> &'static str {
    match victim {
        Victim::Writer => "on a writer",
        Victim::Reader => "on a reader",
    }
}

fn play(attack: &Attack, victim: Victim, counter: Counter) -> Report {
    let mut alone = Arena::new(victim, false, counter);
    (attack.script)(&mut alone);
    alone.ticks(2);
    let ended = alone.ended().unwrap_or(HARMLESS).to_owned();
    let wrong = judge(attack, &alone, &ended).and_then(|()| {
        let mut beside = Arena::new(victim, true, counter);
        (attack.script)(&mut beside);
        for _ in 0..PATIENCE_TICKS {
            if beside.third_is_done() {
                break;
            }
            beside.ticks(1);
        }
        beside.check()?;
        match (beside.third_is_done(), beside.victim.has_conflict) {
            (true, false) => beside.third_is_here(),
            (_, true) if attack.proves_conflict => Ok(()),
            (_, true) => Err("a conflict is proven where there is none".to_owned()),
            (false, false) => Err("the third peer does not get its work done".to_owned()),
        }
    });
    Report {
        name: String::new(),
        ended,
        memory: alone.meter.peak,
        early_memory: alone.early_peak,
        wrong: wrong.err(),
    }
}

/// What the attack came to, when the attacker is alone with the victim.
fn judge(attack: &Attack, arena: &Arena, ended: &str) -> Result<(), String> {
    arena.check()?;
    if !ended.contains(attack.expects) {
        return Err(format!("it ends with {ended} and not with {}", attack.expects));
    }
    if arena.early_peak > EARLY_MEMORY_MAX {
        return Err(format!("{} bytes before the handshake", arena.early_peak));
    }
    // The buffer into which a frame is read doubles as it grows.
    let most = BUSY_MEMORY_MAX + arena.frame_len_max.next_power_of_two() as isize;
    if arena.meter.peak > most {
        return Err(format!("{} bytes where {most} are allowed", arena.meter.peak));
    }
    if arena.victim.queued_max > QUEUED_MAX {
        return Err(format!("{} requests wait", arena.victim.queued_max));
    }
    Ok(())
}
