//! What must hold at each moment of a run, whatever the network and the disks do.
//!
//! A log has only what was signed, durable and verified; what a peer announces is so; each request is answered once;
//! and an honest peer is never accused.

use hypercore_replication::{Event, Message, Outcome};

use super::node::Want;
use super::world::{World, tell};

impl World<'_> {
    /// Takes note of what of a writer's log is durable.
    pub(super) fn settle(&mut self, peer: usize) {
        let node = &self.nodes[peer];
        if let (Some(running), Some(history)) = (&node.running, node.history) {
            self.histories[history].settle(running.log.durable_length());
        }
    }

    /// A peer says that another one did wrong.
    pub(super) fn accuse(&mut self, by: usize, of: usize, what: &str) -> Result<(), String> {
        tell!(self, "{by} accuses {of}: {what}");
        if self.scenario.is_dishonest() {
            return Ok(());
        }
        Err(format!("peer {of}, which is honest, is accused of {what}"))
    }

    /// Looks at the head of a log if it is another one, and at what the replicator tells.
    pub(super) fn look(&mut self, peer: usize) -> Result<(), String> {
        let node = &mut self.nodes[peer];
        let Some(running) = &mut node.running else { return Ok(()) };
        let log = &running.log;
        let now = (log.fork(), log.length());
        if running.seen != Some(now) {
            running.seen = Some(now);
            let head = log.head();
            tell!(self, "{peer} is at fork {}, length {}", head.fork, head.length);
            self.check_head(peer)?;
        }
        loop {
            let Some(running) = &mut self.nodes[peer].running else { return Ok(()) };
            let Some(event) = running.replicator.next_event() else { return Ok(()) };
            self.told(peer, event)?;
        }
    }

    /// The head must have been signed by somebody, and durable there; a writer's must be the newest.
    fn check_head(&self, peer: usize) -> Result<(), String> {
        let node = &self.nodes[peer];
        let Some(running) = &node.running else { return Ok(()) };
        let head = running.log.head();
        if let Some(history) = node.history {
            let history = &self.histories[history];
            if (head.fork, head.length, head.tree_hash)
                != (history.fork(), history.length(), history.hash())
            {
                return Err(format!("the writer is at {head:?}, which it did not write"));
            }
            return Ok(());
        }
        let checks =
            self.histories.iter().map(|of| of.check(head.fork, head.length, head.tree_hash));
        let wrong: Vec<String> = checks.filter_map(Result::err).collect();
        if wrong.len() == self.histories.len() {
            return Err(wrong.join("; "));
        }
        Ok(())
    }

    fn told(&mut self, peer: usize, event: Event) -> Result<(), String> {
        match event {
            Event::Downloaded { index, .. } => {
                self.totals.blocks += 1;
                self.check_block(peer, index)
            }
            Event::WishDone { wish, outcome } => self.check_wish(peer, wish, outcome),
            Event::VerificationFailed { peer: id, error } => {
                tell!(self, "{peer} does not believe {id}: {error}");
                if self.scenario.is_dishonest() {
                    return Ok(());
                }
                Err(format!("a proof of an honest peer does not hold: {error}"))
            }
            Event::StorageFailed { error } => Err(format!("the log refused: {error}")),
            Event::Conflict { .. } => {
                tell!(self, "{peer} has proof of two histories");
                self.nodes[peer].has_conflict = true;
                self.check_evidence(peer)
            }
            Event::Upgraded { length, fork } | Event::Truncated { length, fork } => {
                tell!(self, "{peer} moves to fork {fork}, length {length}");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A stored block must be what was signed.
    pub(super) fn check_block(&self, peer: usize, index: u64) -> Result<(), String> {
        let Some(running) = &self.nodes[peer].running else { return Ok(()) };
        let log = &running.log;
        let fork = log.fork();
        // A block may be gone again when the event is read.
        if !log.has(index) {
            return Ok(());
        }
        let block = log.get(index).map_err(|error| format!("block {index}: {error:?}"))?;
        let is_signed = |block: &[u8]| {
            self.histories
                .iter()
                .any(|of| of.block(fork, index).is_some_and(|true_| **true_ == *block))
        };
        match block {
            Some(block) if is_signed(&block) => Ok(()),
            Some(_) => Err(format!("block {index} of fork {fork} is none that was signed")),
            None => Err(format!("block {index} is there and can not be read")),
        }
    }

    /// After a power cut a writer has what was durable, and everybody has only what is true.
    pub(super) fn check_restart(&mut self, peer: usize) -> Result<(), String> {
        let node = &self.nodes[peer];
        let Some(running) = &node.running else { return Ok(()) };
        let (fork, length) = (running.log.fork(), running.log.length());
        if let Some(history) = node.history {
            self.histories[history].survive(fork, length)?;
        }
        self.settle(peer);
        self.check_head(peer)?;
        (0..length).try_for_each(|index| self.check_block(peer, index))
    }

    fn check_wish(
        &mut self,
        peer: usize,
        id: hypercore_replication::WishId,
        outcome: Outcome,
    ) -> Result<(), String> {
        let node = &mut self.nodes[peer];
        let Some(at) = node.wishes.iter().position(|wish| wish.id == Some(id)) else {
            return Err(format!("{id:?} ends, which was cancelled or has ended"));
        };
        let wish = node.wishes.remove(at);
        tell!(self, "{peer} has {:?}: {outcome:?}", wish.want);
        self.totals.wishes += 1;
        let Some(running) = &self.nodes[peer].running else { return Ok(()) };
        let log = &running.log;
        match (&wish.want, outcome) {
            (Want::Blocks(range), Outcome::Stored) if log.has_range(range.clone()) => Ok(()),
            (Want::Byte(byte), Outcome::Found { block, offset }) => {
                let fork = log.fork();
                let mut places = self.histories.iter().map(|of| of.byte_offset(fork, block));
                if places.any(|start| start.is_some_and(|start| start + offset == *byte)) {
                    return Ok(());
                }
                Err(format!("byte {byte} is not {offset} bytes into block {block}"))
            }
            (Want::Byte(byte), Outcome::OutOfBounds) if *byte >= log.byte_length() => Ok(()),
            (want, outcome) => Err(format!("{want:?} ends with {outcome:?}, which is not so")),
        }
    }

    /// What a peer sends must be so.
    pub(super) fn check_sent(
        &mut self,
        peer: usize,
        at: usize,
        side: usize,
        message: &Message,
    ) -> Result<(), String> {
        let Some(connected) = &mut self.links[at].connected else { return Ok(()) };
        let end = &mut connected.ends[side];
        match message {
            Message::Request(request) => end.asked.request(request.id)?,
            Message::Cancel(cancel) => end.asked.end(cancel.request_id),
            Message::Data(data) => end.answering.answer(data.request_id)?,
            Message::NoData(none) => end.answering.answer(none.request_id)?,
            Message::Sync(sync) => end.told_fork = Some(sync.fork),
            _ => {}
        }
        let told_fork = end.told_fork.unwrap_or(0);
        let Some(running) = &self.nodes[peer].running else { return Ok(()) };
        let log = &running.log;
        let known = match message {
            Message::Sync(sync) => Some((sync.fork, sync.length)),
            Message::Range(range) if !range.drop => Some((told_fork, range.start + range.length)),
            _ => None,
        };
        if let Some((fork, length)) = known {
            let checks = self.histories.iter().map(|of| of.check_durable(fork, length));
            let wrong: Vec<String> = checks.filter_map(Result::err).collect();
            if wrong.len() == self.histories.len() {
                return Err(format!("announces {message:?}: {}", wrong.join("; ")));
            }
        }
        // A fork that is not durable yet is not told of, and what is said is of the one before.
        let is_so = told_fork != log.fork()
            || match message {
                Message::Range(range) => {
                    range.drop || log.has_range(range.start..range.start + range.length)
                }
                Message::Bitfield(bitfield) => bitfield.words().enumerate().all(|(word, bits)| {
                    let start = bitfield.start() + 32 * word as u64;
                    (0..32).all(|bit| bits >> bit & 1 == 0 || log.has(start + bit))
                }),
                _ => true,
            };
        if is_so { Ok(()) } else { Err(format!("announces {message:?}, which it does not have")) }
    }
}
