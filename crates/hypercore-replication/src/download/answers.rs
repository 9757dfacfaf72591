//! What answers bring.
//!
//! All answers that wait are verified and stored in one batch, in an order in which each finds what it leans on. What
//! does not hold is never stored, and costs its sender; what nobody asked for is ignored.

use compact_encoding::Encode;
use hypercore_log::{Applied, LogError};
use hypercore_merkle::{Data, Node, Proof, Request};

use super::requests::{Flight, Name, Purpose};
use super::{Changes, Download, Peers, Run};
use crate::event::Event;
use crate::fault::PeerFault;
use crate::limits::{HELD_LEN_MAX, INVALID_PROOFS_MAX, REFUSAL_DELAY, RETRY_MAX, UNSOLICITED_MAX};
use crate::options::PeerId;

/// An answer that fits its request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) peer: PeerId,
    pub(super) name: Name,
    pub(super) proof: Proof,
}

impl Answer {
    /// Bytes that it takes up: also one without bytes of its own takes some.
    fn len(&self) -> usize {
        proof_len(&self.proof).saturating_add(size_of::<Self>())
    }
}

/// Bytes of the block in a proof.
fn value_len(proof: &Proof) -> usize {
    proof.block.as_ref().map_or(0, |block| block.value.len())
}

/// Bytes that a proof takes up beside its fixed part: the block, the nodes, the signature.
pub(crate) fn proof_len(proof: &Proof) -> usize {
    let block = proof.block.as_ref().map_or(0, |part| part.nodes.len());
    let hash = proof.hash.as_ref().map_or(0, |part| part.nodes.len());
    let seek = proof.seek.as_ref().map_or(0, |part| part.nodes.len());
    let upgrade = proof
        .upgrade
        .as_ref()
        .map_or(0, |part| part.nodes.len().saturating_add(part.additional_nodes.len()));
    let nodes = block.saturating_add(hash).saturating_add(seek).saturating_add(upgrade);
    let signature = proof.upgrade.as_ref().and_then(|part| part.signature.as_ref());
    let manifest = proof.manifest.as_ref().map_or(0, Encode::encoded_len);
    value_len(proof)
        .saturating_add(nodes.saturating_mul(size_of::<Node>()))
        .saturating_add(signature.map_or(0, Vec::len))
        .saturating_add(manifest)
}

/// How an answer fits the request.
enum Fit {
    /// It is one.
    Answers,
    /// It brings nothing that was asked for: the peer has nothing.
    Empty,
    /// It is about something else.
    Foreign,
}

/// # Source
/// wire.md section 7.7.
fn fit(request: &Request, proof: &Proof) -> Fit {
    let block = proof.block.as_ref().map(|block| block.index);
    let hash = proof.hash.as_ref().map(|hash| hash.index);
    let seek = proof.seek.as_ref().map(|seek| seek.bytes);
    let is_empty = block.is_none() && hash.is_none() && seek.is_none() && proof.upgrade.is_none();
    if is_empty {
        return Fit::Empty;
    }
    // A part may be missing, for instance the seek of a byte that needs no nodes.
    let fits = proof.fork == request.fork
        && block.is_none_or(|block| request.block.is_some_and(|asked| asked.index == block))
        && hash.is_none_or(|hash| request.hash.is_some_and(|asked| asked.index == hash))
        && seek.is_none_or(|seek| request.seek.is_some_and(|asked| asked.bytes == seek))
        && (proof.upgrade.is_none() || request.upgrade.is_some());
    if fits { Fit::Answers } else { Fit::Foreign }
}

impl Download {
    /// Verifies and stores what came in since the last run.
    pub(crate) fn take_answers(
        &mut self,
        peers: &mut Peers,
        run: &mut Run<'_>,
        changes: &mut Changes,
    ) {
        let mut batch = Vec::new();
        while let Some((id, data)) = self.inbox.pop_front() {
            if let Some(peer) = peers.get_mut(&id) {
                peer.input_removed(proof_len(&data.proof));
            }
            self.sort(id, data, peers, run, changes, &mut batch);
        }
        self.apply(batch, peers, run, changes);
    }

    /// Finds out what an answer is for.
    fn sort(
        &mut self,
        id: PeerId,
        data: Data,
        peers: &mut Peers,
        run: &mut Run<'_>,
        changes: &mut Changes,
        batch: &mut Vec<Answer>,
    ) {
        let Data { request_id, proof } = data;
        if request_id == 0 {
            self.take_unasked(id, proof, peers, run, batch);
            return;
        }
        let Some(flight) = self.waiting(request_id, id, peers, run) else { return };
        let name = Name { id: request_id, serial: flight.serial };
        let (sent_at, leans_on) = (flight.sent_at, flight.leans_on);
        let (purpose, fit) = (flight.purpose, fit(&flight.request, &proof));
        let has_arrived = self.requests.get_mut(request_id).map(|flight| &mut flight.has_arrived);
        let has_arrived = has_arrived.is_some_and(std::mem::take);
        if let Some(peer) = peers.get_mut(&id) {
            peer.download.answered(sent_at, run.now);
            // One that waits for another takes the place of one to come.
            peer.download.arrived = peer.download.arrived.saturating_sub(usize::from(has_arrived));
        }
        match fit {
            Fit::Empty => return self.refused(id, request_id, peers, run),
            Fit::Foreign => {
                self.come_to_nothing(name, peers);
                let error = "it is not about what was asked for".to_owned();
                self.invalid(id, error, peers, run);
                return;
            }
            Fit::Answers => {}
        }
        if purpose == Purpose::Reorganisation {
            self.finish(name, peers);
            self.go_on_reorganising(id, &proof, peers, run, changes);
            return;
        }
        let answer = Answer { peer: id, name, proof };
        match leans_on.filter(|below| self.requests.is_awaited(*below)) {
            Some(below) => self.hold(answer, below, peers),
            None => self.take(answer, peers, batch),
        }
    }

    /// The request to a peer that its answer is for, if the peer owes one.
    fn waiting(
        &self,
        request_id: u64,
        id: PeerId,
        peers: &mut Peers,
        run: &mut Run<'_>,
    ) -> Option<&Flight> {
        let flight = self.requests.get(request_id).filter(|flight| flight.peer == id);
        let flight = flight.filter(|flight| !flight.is_answered);
        // An answer to what was taken back may be on its way.
        if flight.is_none() && !self.requests.is_resting(request_id, id) {
            unsolicited(id, peers, run);
        }
        flight
    }

    /// Keeps an answer until the one is there that it leans on.
    fn hold(&mut self, answer: Answer, below: Name, peers: &mut Peers) {
        let Some(peer) = peers.get_mut(&answer.peer) else { return };
        let held_len = peer.download.held_len.saturating_add(answer.len());
        if held_len > HELD_LEN_MAX {
            if self.alone.len() >= RETRY_MAX {
                self.alone.clear();
            }
            self.alone.extend(answer.proof.block.as_ref().map(|block| block.index));
            self.come_to_nothing(answer.name, peers);
            return;
        }
        peer.download.held_len = held_len;
        self.held.entry(below.serial).or_default().push(answer);
    }

    /// Puts an answer into the batch, and behind it those that leaned on it.
    fn take(&mut self, answer: Answer, peers: &mut Peers, batch: &mut Vec<Answer>) {
        let mut waiting = vec![answer];
        while let Some(answer) = waiting.pop() {
            if let Some(flight) = self.requests.get_mut(answer.name.id) {
                flight.is_answered = true;
            }
            for held in self.held.remove(&answer.name.serial).unwrap_or_default() {
                if let Some(peer) = peers.get_mut(&held.peer) {
                    peer.download.held_len = peer.download.held_len.saturating_sub(held.len());
                }
                waiting.push(held);
            }
            batch.push(answer);
        }
    }

    /// The request was answered to no use.
    fn come_to_nothing(&mut self, name: Name, peers: &mut Peers) {
        let flight = self.finish(name, peers);
        self.release(name, peers);
        if let Some(flight) = flight {
            self.ask_again(&flight);
        }
    }

    /// The request came to nothing. What was held for it is asked for again, and what is still to come for it may fail
    /// without anybody's fault.
    pub(super) fn release(&mut self, below: Name, peers: &mut Peers) {
        let mut fallen = vec![below];
        while let Some(below) = fallen.pop() {
            for orphan in self.requests.orphan(below.serial) {
                // Nothing may lean on it: who was asked for again would wait for what asks for it.
                if let (Some(peer), Some(block)) =
                    (peers.get_mut(&orphan.peer), orphan.request.block)
                {
                    peer.download.expected.remove(block.index, block.nodes, orphan.name());
                }
            }
            for held in self.held.remove(&below.serial).unwrap_or_default() {
                if let Some(peer) = peers.get_mut(&held.peer) {
                    peer.download.held_len = peer.download.held_len.saturating_sub(held.len());
                }
                if let Some(flight) = self.finish(held.name, peers) {
                    self.ask_again(&flight);
                }
                fallen.push(held.name);
            }
        }
    }

    /// Takes a request out that was answered.
    pub(super) fn finish(&mut self, name: Name, peers: &mut Peers) -> Option<Flight> {
        let flight = self.requests.finish(name.id)?;
        if self.upgrade == Some(name) {
            self.upgrade = None;
        }
        self.wishes.not_asked(flight.serial);
        if let Some(peer) = peers.get_mut(&flight.peer) {
            peer.download.finished(name, &flight);
        }
        Some(flight)
    }

    /// Has the log verify and store a batch, and draws the conclusions.
    fn apply(
        &mut self,
        batch: Vec<Answer>,
        peers: &mut Peers,
        run: &mut Run<'_>,
        changes: &mut Changes,
    ) {
        if batch.is_empty() {
            return;
        }
        let mut sources = Vec::with_capacity(batch.len());
        let mut proofs = Vec::with_capacity(batch.len());
        for Answer { peer, name, proof } in batch {
            sources.push((peer, name, value_len(&proof) as u64, proof.block.is_some()));
            proofs.push(proof);
        }
        let verdicts = run.log.apply_proofs(&proofs);
        for ((peer, name, len, _), verdict) in sources.into_iter().zip(verdicts) {
            // What was pushed has no request.
            let flight = if name.id == 0 { None } else { self.finish(name, peers) };
            match verdict {
                Ok(applied) => self.applied(peer, flight, &applied, len, peers, run, changes),
                Err(error) => {
                    if let Some(flight) = &flight {
                        self.release(name, peers);
                        self.ask_again(flight);
                    }
                    self.not_applied(peer, flight.as_ref(), error, peers, run);
                }
            }
        }
        self.wishes.is_stale = true;
        for peer in peers.values_mut() {
            peer.download.tree_changed(run.now.saturating_add(REFUSAL_DELAY));
        }
    }

    #[expect(clippy::too_many_arguments, reason = "all of one verdict")]
    fn applied(
        &mut self,
        id: PeerId,
        flight: Option<Flight>,
        applied: &Applied,
        len: u64,
        peers: &mut Peers,
        run: &mut Run<'_>,
        changes: &mut Changes,
    ) {
        if let Some(peer) = peers.get_mut(&id) {
            if applied.block.is_some() {
                peer.download.delivered();
                peer.download.blocks = peer.download.blocks.saturating_add(1);
                peer.download.bytes = peer.download.bytes.saturating_add(len);
            }
            peer.download.has_upgraded |= applied.upgraded;
        }
        if applied.upgraded {
            changes.grew = true;
            run.events.push_back(Event::Upgraded { length: applied.length, fork: run.view.fork });
            for peer in peers.values_mut() {
                peer.download.looked = None;
            }
        }
        let Some(index) = applied.block else {
            // The answer may have brought only a part of what was asked for.
            if let Some(flight) = flight.filter(|flight| flight.request.block.is_some()) {
                self.release(flight.name(), peers);
                self.ask_again(&flight);
            }
            return;
        };
        run.events.push_back(Event::Downloaded { index, bytes: len, peer: id });
        match changes.stored.last_mut() {
            Some(last) if last.end == index => last.end = index.saturating_add(1),
            _ => changes.stored.push(index..index.saturating_add(1)),
        }
        self.wishes.stored(index);
        if let Some(asked) = self.requests.asked(index) {
            for other in asked.ids() {
                let is_needed = self.requests.get(other).is_none_or(|flight| {
                    flight.is_answered || flight.leaned_on > 0 || flight.request.upgrade.is_some()
                });
                if !is_needed {
                    self.take_back(peers, other);
                }
            }
        }
        self.retry.remove(&index);
    }

    fn not_applied(
        &mut self,
        id: PeerId,
        flight: Option<&Flight>,
        error: LogError,
        peers: &mut Peers,
        run: &mut Run<'_>,
    ) {
        let proof = match error {
            LogError::Proof(proof) if !proof.is_local() => proof,
            // A block that is larger than any writer makes.
            LogError::BlockTooLarge { .. } => {
                return self.invalid(id, error.to_string(), peers, run);
            }
            LogError::NodeMissing { .. } | LogError::Changed => {
                let block = flight.and_then(|flight| flight.request.block);
                if let (Some(block), Some(peer)) = (block, peers.get_mut(&id)) {
                    peer.download.cannot_prove(block.index, run.now);
                }
                return;
            }
            error => return self.fail(error, run),
        };
        // An upgrade of a length that the log has left meanwhile does not fit.
        let is_blameless = flight.is_some_and(|flight| {
            let upgrade = flight.request.upgrade;
            flight.is_orphan || upgrade.is_some_and(|upgrade| upgrade.start != run.log.length())
        });
        if proof.is_other_fork() || is_blameless {
            return;
        }
        // What is pushed is made for the tree that the sender takes ours for.
        match flight {
            Some(_) => self.invalid(id, proof.to_string(), peers, run),
            None => unsolicited(id, peers, run),
        }
        if super::conflict::is_suspicious(&proof) {
            self.probe(id, peers, run);
        }
    }

    /// The own stores failed: nothing is fetched any more.
    pub(crate) fn fail(&mut self, error: LogError, run: &mut Run<'_>) {
        self.has_failed = true;
        run.events.push_back(Event::StorageFailed { error: error.into() });
    }

    /// A proof does not hold.
    pub(super) fn invalid(
        &mut self,
        id: PeerId,
        error: String,
        peers: &mut Peers,
        run: &mut Run<'_>,
    ) {
        run.events.push_back(Event::VerificationFailed { peer: id, error });
        let Some(peer) = peers.get_mut(&id) else { return };
        peer.download.invalid_proofs = peer.download.invalid_proofs.saturating_add(1);
        peer.download.refuse(None, run.now);
        if peer.download.invalid_proofs >= INVALID_PROOFS_MAX {
            run.faults.push((id, PeerFault::InvalidProofs));
        }
    }

    /// A peer has no answer to a request.
    pub(crate) fn refused(
        &mut self,
        id: PeerId,
        request_id: u64,
        peers: &mut Peers,
        run: &mut Run<'_>,
    ) {
        if request_id == 0 {
            // It does not show its history; what it did is counted already.
            if let Some(peer) = peers.get_mut(&id) {
                peer.download.probed_at = None;
            }
            return;
        }
        let Some(flight) = self.waiting(request_id, id, peers, run) else { return };
        let name = Name { id: request_id, serial: flight.serial };
        let Some(flight) = self.finish(name, peers) else { return };
        let may_be_prologue = !self.asks_log_alone && flight.is_first_with_block();
        self.asks_log_alone |= may_be_prologue;
        if let Some(peer) = peers.get_mut(&id)
            // Of a fork that it has left meanwhile it has nothing, for which it is not to blame.
            && peer.remote.fork() == flight.request.fork
            && !may_be_prologue
        {
            let hash = flight.request.hash.map(|hash| hash.index.first_block());
            let block = flight.request.block.map(|block| block.index).or(hash);
            // Who can not tell where the forks part has nothing else to give.
            let rests = flight.purpose == Purpose::Reorganisation;
            peer.download.refuse(block.filter(|_| !rests), run.now);
        }
        if let Purpose::Seek(wish) = flight.purpose {
            self.wishes.seek_refused(wish);
        }
        if flight.purpose == Purpose::Reorganisation {
            self.stop_reorganising(id);
        }
        self.release(name, peers);
        self.ask_again(&flight);
    }
}

/// Counts what nobody asked for.
pub(super) fn unsolicited(id: PeerId, peers: &mut Peers, run: &mut Run<'_>) {
    let Some(peer) = peers.get_mut(&id) else { return };
    peer.download.unsolicited = peer.download.unsolicited.saturating_add(1);
    if peer.download.unsolicited >= UNSOLICITED_MAX {
        run.faults.push((id, PeerFault::Unsolicited));
    }
}
