//! A link between two peers, and the connection that is on it at the moment.

use std::time::Duration;

use hypercore_replication::PeerId;

use super::ledger::{Answering, Asked};
use super::scenario::LinkPlan;
use super::wire::Wire;
use crate::stack::Stack;

/// A link.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) plan: LinkPlan,
    /// No connection can be made before.
    pub(super) away_until: Duration,
    pub(super) connected: Option<Connected>,
    /// Connections so far: what was sent on an earlier one does not arrive.
    pub(super) generation: u64,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Connected {
    /// By the end that sends.
    pub(super) wires: [Wire; 2],
    pub(super) ends: [End; 2],
}

/// One end of a connection.
#[derive(Debug)]
pub(super) struct End {
    pub(super) stack: Stack,
    /// Who the other side is to the replicator, while the channel is open.
    pub(super) peer: Option<PeerId>,
    pub(super) asked: Asked,
    pub(super) answering: Answering,
    /// The fork that the other side was told of last.
    pub(super) told_fork: Option<u64>,
}

impl End {
    pub(super) fn new(stack: Stack) -> Self {
        Self {
            stack,
            peer: None,
            asked: Asked::default(),
            answering: Answering::default(),
            told_fork: None,
        }
    }

    /// The channel is closed: what was asked on it is void.
    pub(super) fn close(&mut self) {
        self.peer = None;
        self.asked = Asked::default();
        self.answering = Answering::default();
        self.told_fork = None;
    }
}

impl Link {
    pub(super) const fn new(plan: LinkPlan) -> Self {
        Self { plan, away_until: Duration::ZERO, connected: None, generation: 0 }
    }

    /// Which end a peer has.
    pub(super) fn side_of(&self, peer: usize) -> Option<usize> {
        self.plan.ends.iter().position(|end| *end == peer)
    }

    /// The peer at the other end.
    pub(super) const fn other(&self, side: usize) -> usize {
        self.plan.ends[1 - side]
    }
}
