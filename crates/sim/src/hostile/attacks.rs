//! The attacks, by what they abuse.
//!
//! Each is a script in an arena and what it must come to: a typed reason that ends the session, or nothing at all.

mod channels;
mod messages;
mod proofs;
mod stream;

use compact_encoding::Encoder;

use super::arena::{Arena, Victim};

/// What an attack comes to that the victim can bear.
pub(super) const HARMLESS: &str = "harmless";

/// One attack.
#[derive(Clone, Copy)]
pub(super) struct Attack {
    pub(super) name: &'static str,
    pub(super) victims: &'static [Victim],
    /// The beginning of the reason for which the session ends, or [`HARMLESS`].
    pub(super) expects: &'static str,
    /// Whether the victim may learn from it that two histories were signed.
    pub(super) proves_conflict: bool,
    pub(super) script: fn(&mut Arena),
}

impl Attack {
    const fn on(
        victims: &'static [Victim],
        name: &'static str,
        expects: &'static str,
        script: fn(&mut Arena),
    ) -> Self {
        Self { name, victims, expects, proves_conflict: false, script }
    }

    const fn on_writer(name: &'static str, expects: &'static str, script: fn(&mut Arena)) -> Self {
        Self::on(&[Victim::Writer], name, expects, script)
    }

    const fn on_reader(name: &'static str, expects: &'static str, script: fn(&mut Arena)) -> Self {
        Self::on(&[Victim::Reader], name, expects, script)
    }

    /// With another history that the writer signed.
    const fn two_histories(
        victim: &'static [Victim],
        name: &'static str,
        expects: &'static str,
        script: fn(&mut Arena),
    ) -> Self {
        Self { proves_conflict: true, ..Self::on(victim, name, expects, script) }
    }

    const fn on_both(name: &'static str, expects: &'static str, script: fn(&mut Arena)) -> Self {
        Self::on(&[Victim::Writer, Victim::Reader], name, expects, script)
    }
}

/// All attacks.
pub(super) fn all() -> impl Iterator<Item = &'static Attack> {
    [stream::ATTACKS, channels::ATTACKS, messages::ATTACKS, proofs::ATTACKS].into_iter().flatten()
}

/// A number as it is on the wire.
fn uint(number: u64) -> Vec<u8> {
    let mut out = Encoder::new();
    out.uint(number);
    out.into_vec()
}
