//! Which call fails, and how, as a word that can be typed again.

use std::fmt;
use std::str::FromStr;

use hypercore_log::Durability;
use random_access_storage::testing::{Fault, Faults};

use crate::log::{WORKLOADS, Workload};

/// A way for a disk to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The word for it.
    pub name: &'static str,
    /// What happens to a call.
    pub fault: Fault,
    /// Whether it happens to all later ones as well.
    pub lasting: bool,
}

/// All of them.
pub const KINDS: [Kind; 12] = [
    once("io", Fault::Io),
    once("full", Fault::StorageFull),
    once("short-read", Fault::ShortRead),
    once("short-write", Fault::ShortWrite { kept: 7 }),
    once("torn-write", Fault::ShortWrite { kept: 700 }),
    once("sync-keeps", Fault::SyncKeeps),
    once("sync-loses", Fault::SyncLoses),
    once("sync-lingers", Fault::SyncLingers),
    lasting("io-lasts", Fault::Io),
    lasting("full-lasts", Fault::StorageFull),
    lasting("sync-loses-lasts", Fault::SyncLoses),
    lasting("sync-lingers-lasts", Fault::SyncLingers),
];

const fn once(name: &'static str, fault: Fault) -> Kind {
    Kind { name, fault, lasting: false }
}

const fn lasting(name: &'static str, fault: Fault) -> Kind {
    Kind { name, fault, lasting: true }
}

impl Kind {
    /// Plans it for the `nth` call from now that it fits.
    pub(crate) fn plan(&self, faults: &Faults, nth: u64) {
        if self.lasting { faults.set_from(nth, self.fault) } else { faults.set(nth, self.fault) }
    }

    /// Whether a failed call takes bytes away that could be read before.
    pub(super) const fn reverts(&self) -> bool {
        matches!(self.fault, Fault::SyncLoses)
    }
}

/// One call of one workload, and what happens to it.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    /// What is done.
    pub workload: &'static Workload,
    /// In which mode.
    pub durability: Durability,
    /// What happens.
    pub kind: Kind,
    /// Which of the calls that the fault fits, counted from 1 over all files.
    pub nth: u64,
}

impl Point {
    /// The plan for a disk.
    #[must_use]
    pub fn faults(&self) -> Faults {
        let faults = Faults::none();
        self.kind.plan(&faults, self.nth);
        faults
    }
}

/// The word for a mode.
#[must_use]
pub const fn mode_name(durability: Durability) -> &'static str {
    match durability {
        Durability::Immediate => "immediate",
        _ => "eventual",
    }
}

impl fmt::Display for Point {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = mode_name(self.durability);
        write!(formatter, "{}-{mode}/{}/{}", self.workload.name, self.kind.name, self.nth)
    }
}

impl FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shape = || format!("{text} is not WORKLOAD-MODE/FAULT/CALL");
        let [run, kind, nth] = text.split('/').collect::<Vec<_>>()[..] else { return Err(shape()) };
        let (workload, mode) = run.rsplit_once('-').ok_or_else(shape)?;
        let workload = WORKLOADS.iter().find(|known| known.name == workload);
        let workload = workload.ok_or_else(|| format!("{text} names no workload"))?;
        let modes = [Durability::Immediate, Durability::Eventual];
        let durability = modes.into_iter().find(|known| mode_name(*known) == mode);
        let kind = KINDS.into_iter().find(|known| known.name == kind);
        Ok(Self {
            workload,
            durability: durability.ok_or_else(|| format!("{text} names no mode"))?,
            kind: kind.ok_or_else(|| format!("{text} names no fault"))?,
            nth: nth.parse().map_err(|_| format!("{text} names no call"))?,
        })
    }
}
