//! One peer: a disk, the log on it, and the replicator of that log, while the power is on.

use std::collections::BTreeMap;
use std::time::Duration;

use hypercore_crypto::CoreKey;
use hypercore_log::{Create, Durability, Log, OpenOptions};
use hypercore_replication::{LogChange, Options, PeerId, RangeWish, Replicator, WishId};

use super::scenario::{Cast, Kind};
use crate::disk::Disk;
use crate::log::script::{OWNER, key, key_pair};
use crate::log::stores_on;
use crate::random::Random;

/// Something a reader wants.
#[derive(Clone, Debug)]
pub(super) enum Want {
    /// Every block, to the end and onwards.
    Everything,
    /// These blocks.
    Blocks(std::ops::Range<u64>),
    /// The block with this byte.
    Byte(u64),
}

/// A wish, and what became of it.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) want: Want,
    /// Its name while the power is on.
    pub(super) id: Option<WishId>,
}

/// One peer.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) cast: Cast,
    pub(super) disk: Disk,
    pub(super) running: Option<Running>,
    /// What it wants and has not got. It wants it again after the power was off.
    pub(super) wishes: Vec<Wish>,
    /// The history it signs.
    pub(super) history: Option<usize>,
    /// Whether it was told that two histories were signed.
    pub(super) has_conflict: bool,
    /// When it is to work next because it said so.
    pub(super) wakes: Option<Duration>,
    pub(super) is_due: bool,
    /// How often the power came on.
    starts: u64,
    seed: u64,
}

/// What is in memory.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) log: Log,
    pub(super) replicator: Replicator,
    /// The link of each peer.
    pub(super) links: BTreeMap<PeerId, usize>,
    /// The head that was looked at last.
    pub(super) seen: Option<(u64, u64)>,
}

impl Node {
    pub(super) fn new(cast: Cast, seed: u64) -> Self {
        let wishes = match cast.kind {
            Kind::Full => vec![Wish { want: Want::Everything, id: None }],
            _ => Vec::new(),
        };
        Self {
            cast,
            disk: Disk::new(),
            running: None,
            wishes,
            history: None,
            has_conflict: false,
            wakes: None,
            is_due: false,
            starts: 0,
            seed,
        }
    }

    /// Opens the log as it is on the disk, or makes it.
    pub(super) fn power_on(&mut self) -> Result<(), String> {
        let options = OpenOptions::new().create(Create::IfMissing).durability(self.cast.durability);
        let options = match self.cast.kind {
            Kind::Writer | Kind::Twin => options.key_pair(key_pair(OWNER)),
            Kind::Full | Kind::Sparse => options.key(core_key()),
        };
        let log = Log::open(stores_on(&self.disk), options)
            .map_err(|error| format!("does not open: {error:?}"))?;
        self.starts += 1;
        let seed = Random::along(self.seed, &[self.starts]).next();
        let replicator = Replicator::new(Options::new().seed(seed));
        self.running = Some(Running { log, replicator, links: BTreeMap::new(), seen: None });
        for wish in 0..self.wishes.len() {
            self.ask_for(wish);
        }
        Ok(())
    }

    /// Cuts the power: what is on the disk then is one of the things that may be.
    pub(super) fn power_off(&mut self, random: &mut Random) {
        self.running = None;
        self.wakes = None;
        for wish in &mut self.wishes {
            wish.id = None;
        }
        self.disk = Disk::of(self.disk.power_cut(random));
    }

    /// Adds a wish.
    pub(super) fn want(&mut self, want: Want) {
        self.wishes.push(Wish { want, id: None });
        self.ask_for(self.wishes.len() - 1);
    }

    fn ask_for(&mut self, at: usize) {
        let Some(running) = &mut self.running else { return };
        let replicator = &mut running.replicator;
        let wish = &mut self.wishes[at];
        wish.id = Some(match &wish.want {
            Want::Everything => replicator.want_range(RangeWish::new(0..)),
            Want::Blocks(range) => replicator.want_range(RangeWish::new(range.clone())),
            Want::Byte(byte) => replicator.want_seek(*byte, 0),
        });
    }

    /// Gives a wish up.
    pub(super) fn cancel(&mut self, at: usize) {
        let wish = self.wishes.remove(at);
        if let (Some(running), Some(id)) = (&mut self.running, wish.id) {
            running.replicator.cancel(id);
        }
    }

    /// Makes durable what was written.
    pub(super) fn flush(&mut self) -> Result<(), String> {
        let Some(running) = &mut self.running else { return Ok(()) };
        running.log.flush().map_err(|error| format!("does not flush: {error:?}"))?;
        running.replicator.log_changed(LogChange::Appended);
        Ok(())
    }

    /// Whether what is written becomes durable by itself only after a while.
    pub(super) fn is_eventual(&self) -> bool {
        self.cast.durability == Durability::Eventual
    }
}

/// The key of the log.
pub(super) fn core_key() -> CoreKey {
    key(OWNER)
}
