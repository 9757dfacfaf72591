//! Who is asked for what.
//!
//! The cost of a plan is that of the requests it makes: single blocks wait in a queue, ranges have a cursor for each
//! peer, and what can not be asked for now is passed over a limited number of times in a run.

use std::time::Duration;

use hypercore_log::LogError;
use hypercore_merkle::{BlockRequest, Request, UpgradeRequest};

use super::nodes::Expected;
use super::pick::{Look, Pick};
use super::requests::{Asked, Name, Purpose};
use super::{Download, Peers, Run};
use crate::limits::{
    BYTES_IN_FLIGHT_MAX, REQUESTS_IN_FLIGHT_MAX, RESTING_MAX, RETRY_MAX, SWAP_AFTER,
    UPGRADE_PATIENCE,
};
use crate::message::Message;
use crate::options::PeerId;
use crate::peer::Peer;
use crate::view::View;

/// Requests in flight below which a peer counts as idle.
///
/// # Source
/// wire.md section 7.5.
const IDLE_BELOW: usize = 16;

/// Requests that may be in flight to one peer.
fn window(view: &View) -> usize {
    let by_len = BYTES_IN_FLIGHT_MAX.checked_div(view.block_len()).unwrap_or_default();
    usize::try_from(by_len).unwrap_or(usize::MAX).clamp(4, REQUESTS_IN_FLIGHT_MAX)
}

impl Download {
    /// Asks the peers for what is wished for. Whether there is more to look through at once.
    ///
    /// # Errors
    /// The own log can not be read.
    pub(crate) fn plan(&mut self, peers: &mut Peers, run: &mut Run<'_>) -> Result<bool, LogError> {
        if self.has_failed {
            return Ok(false);
        }
        self.plan_reorganisation(peers, run);
        let order = order(peers, run);
        let mut is_cut_short = false;
        for (_, id) in &order {
            if let Some(peer) = peers.get_mut(id) {
                is_cut_short |= self.plan_peer(*id, peer, run)?;
            }
        }
        // Hardly ever there are any, and all peers would look at all that is in flight.
        let late = if order.len() > 1 { self.late(run) } else { Vec::new() };
        if !late.is_empty() {
            for (_, id) in &order {
                if let Some(peer) = peers.get_mut(id) {
                    self.plan_swaps(*id, peer, &late, run)?;
                }
            }
        }
        if self.retry.len() > RETRY_MAX {
            self.retry.clear();
            for peer in peers.values_mut() {
                peer.download.cursors.clear();
            }
            // At once they would find the same again: they begin anew when something is answered or a refusal is over.
            is_cut_short = false;
        }
        Ok(is_cut_short)
    }

    /// Asks for what comes next before the answers that are here are verified and stored, so that the peers have
    /// something to do meanwhile. Whether anything was asked for. Once for all answers that wait.
    ///
    /// # Errors
    /// The own log can not be read.
    pub(crate) fn plan_ahead(
        &mut self,
        peers: &mut Peers,
        run: &mut Run<'_>,
    ) -> Result<bool, LogError> {
        let is_due = self.has_input() && !self.has_failed;
        if !is_due || std::mem::take(&mut self.has_planned_ahead) {
            return Ok(false);
        }
        let before = self.requests.made();
        for (_, id) in order(peers, run) {
            if let Some(peer) = peers.get_mut(&id).filter(|peer| peer.download.arrived > 0) {
                self.plan_peer(id, peer, run)?;
            }
        }
        self.has_planned_ahead = self.requests.made() > before;
        Ok(self.has_planned_ahead)
    }

    fn plan_peer(
        &mut self,
        id: PeerId,
        peer: &mut Peer,
        run: &mut Run<'_>,
    ) -> Result<bool, LogError> {
        let mut look = Look::new();
        peer.download.look_again(run.now);
        if self.should_upgrade(peer, run) {
            self.ask_for_upgrade(id, peer, run, &mut look)?;
        }
        if self.wishes.is_empty() || run.view.length == 0 {
            return Ok(false);
        }
        self.ask_for_nodes(id, peer, run)?;
        while self.room(id, peer, &run.view) > 0 {
            let Some(pick) = self.pick(peer, run, &mut look) else {
                // Only now: what is known of one stretch may be forgotten when another becomes known.
                self.ask_what_it_has(peer, run);
                return Ok(look.is_cut_short());
            };
            self.ask_for_block(id, peer, &pick, run)?;
        }
        Ok(false)
    }

    /// How many more requests the peer may get: one at least when none is in flight, for it is an answer that ends the
    /// rest of those that were taken back.
    pub(super) fn room(&self, id: PeerId, peer: &Peer, view: &View) -> usize {
        let in_flight = peer.download.in_flight.saturating_sub(peer.download.arrived);
        let resting = self.requests.resting(id);
        let least = usize::from(in_flight == 0 && resting < RESTING_MAX);
        window(view).saturating_sub(in_flight.saturating_add(resting)).max(least)
    }

    /// Sends a request.
    pub(super) fn send(
        &mut self,
        id: PeerId,
        peer: &mut Peer,
        request: Request,
        purpose: Purpose,
        leans_on: Option<Name>,
        now: Duration,
    ) -> Name {
        let (name, request) = self.requests.add(id, request, purpose, leans_on, now);
        peer.download.in_flight = peer.download.in_flight.saturating_add(1);
        if let Some(block) = request.block {
            peer.download.expected.add(block.index, block.nodes, name);
        }
        peer.output.push_back(Message::Request(request));
        name
    }

    /// # Source
    /// wire.md section 7.2.
    fn should_upgrade(&self, peer: &Peer, run: &Run<'_>) -> bool {
        let (remote, view) = (&peer.remote, &run.view);
        let is_due = !view.is_ahead
            && remote.can_upgrade()
            && remote.length() > view.length
            && remote.acknowledged() == view.length
            && peer.own.last().is_some_and(|sync| sync.length == view.length)
            && (self.options.follow || self.wishes.want_longer(view));
        is_due
            && self.upgrade.and_then(|name| self.requests.get(name.id)).is_none_or(|flight| {
                let is_late = flight.sent_at.saturating_add(UPGRADE_PATIENCE) <= run.now;
                is_late && peer.download.in_flight == 0
            })
    }

    /// Asks for a longer log, and in the same message for a block or a byte that is wished for, which saves a round trip.
    fn ask_for_upgrade(
        &mut self,
        id: PeerId,
        peer: &mut Peer,
        run: &mut Run<'_>,
        look: &mut Look,
    ) -> Result<(), LogError> {
        let (start, to) = (run.view.length, peer.remote.length());
        let length = to.saturating_sub(start);
        let mut request = Request {
            fork: run.view.fork,
            upgrade: Some(UpgradeRequest { start, length }),
            manifest: !run.view.manifest && peer.remote.has_manifest(),
            ..Request::default()
        };
        let mut purpose = Purpose::Data;
        let mut leans_on = None;
        if start > 0 || !self.asks_log_alone {
            let mut pick = self.pick_single(peer, run, to, look);
            if pick.is_none() {
                pick = self.pick_new(peer, start, to);
            }
            if let Some(pick) = pick {
                let mut nodes = 0;
                if pick.block < start {
                    let levels = peer.download.expected.levels(run.log, pick.block, start)?;
                    (nodes, leans_on) = (levels.nodes, levels.leans_on);
                }
                request.block = Some(BlockRequest { index: pick.block, nodes });
                request.priority = pick.priority;
            } else if let Some(byte) = self.wishes.bytes.iter().find(|byte| byte.within.is_none()) {
                request.seek = Some(byte.request());
                purpose = Purpose::Seek(byte.wish);
            }
        }
        let name = self.send(id, peer, request, purpose, leans_on, run.now);
        self.upgrade = Some(name);
        Ok(())
    }

    fn ask_for_block(
        &mut self,
        id: PeerId,
        peer: &mut Peer,
        pick: &Pick,
        run: &mut Run<'_>,
    ) -> Result<(), LogError> {
        let view = &run.view;
        let nothing = Expected::default();
        let is_alone = self.alone.remove(&pick.block);
        let expected = if is_alone { &nothing } else { &peer.download.expected };
        let levels = expected.levels(run.log, pick.block, view.length)?;
        if levels.end > peer.remote.length() {
            // A shorter tree has no node there: the request would have no answer.
            peer.download.is_too_short_for(pick.block, run.now);
            if !self.wishes.ask_again(pick.block) {
                self.retry.insert(pick.block);
            }
            return Ok(());
        }
        let request = Request {
            fork: view.fork,
            block: Some(BlockRequest { index: pick.block, nodes: levels.nodes }),
            priority: pick.priority,
            ..Request::default()
        };
        self.send(id, peer, request, Purpose::Data, levels.leans_on, run.now);
        Ok(())
    }

    /// Blocks that everybody who was asked for them takes long to bring.
    fn late(&self, run: &Run<'_>) -> Vec<u64> {
        let blocks = self.requests.blocks();
        let late = blocks.filter(|(_, asked)| self.is_late(asked, run)).map(|(block, _)| block);
        late.filter(|block| *block < run.view.length).collect()
    }

    fn is_late(&self, asked: &Asked, run: &Run<'_>) -> bool {
        asked.ids().all(|id| {
            let flight = self.requests.get(id);
            flight.is_some_and(|flight| flight.sent_at.saturating_add(SWAP_AFTER) <= run.now)
        })
    }

    /// Asks an idle peer for blocks that others take long to bring.
    ///
    /// # Source
    /// wire.md section 7.5.
    fn plan_swaps(
        &mut self,
        id: PeerId,
        peer: &mut Peer,
        late: &[u64],
        run: &mut Run<'_>,
    ) -> Result<(), LogError> {
        let idle_below = IDLE_BELOW.max(window(&run.view) / 2);
        let room = idle_below.saturating_sub(peer.download.in_flight);
        let room = room.min(self.room(id, peer, &run.view));
        let may_ask = |block: &u64| {
            peer.holdings.has(*block)
                && self.requests.may_swap(*block, id)
                && self.requests.asked(*block).is_some_and(|asked| self.is_late(asked, run))
        };
        let blocks: Vec<u64> = late.iter().copied().filter(may_ask).take(room).collect();
        for block in blocks {
            if !peer.download.has_refused(block, run.now) {
                let priority = self.wishes.asked(block);
                self.ask_for_block(id, peer, &Pick { block, priority }, run)?;
            }
        }
        Ok(())
    }

    /// When something is to be looked at again although nothing happens.
    pub(crate) fn deadline(&self, peers: &Peers, now: Duration) -> Option<Duration> {
        if self.has_failed {
            return None;
        }
        let mut first: Option<Duration> = None;
        let mut at = |time: Duration| {
            if time > now && first.is_none_or(|first| time < first) {
                first = Some(time);
            }
        };
        if peers.len() > 1 {
            if let Some(flight) = self.upgrade.and_then(|name| self.requests.get(name.id)) {
                at(flight.sent_at.saturating_add(UPGRADE_PATIENCE));
            }
            for (_, flight) in
                self.requests.all().filter(|(_, flight)| flight.request.block.is_some())
            {
                at(flight.sent_at.saturating_add(SWAP_AFTER));
            }
        }
        if let Some(reorganising) = &self.reorganising {
            at(reorganising.sent_at.saturating_add(UPGRADE_PATIENCE));
        }
        if !self.wishes.is_empty() {
            peers.values().filter_map(|peer| peer.download.next_refusal_end(now)).for_each(at);
        }
        first
    }
}

/// The peers that may be asked now, the best first.
fn order(peers: &Peers, run: &Run<'_>) -> Vec<(u32, PeerId)> {
    let mut order: Vec<(u32, PeerId)> = peers
        .iter()
        .filter(|(_, peer)| may_be_asked(peer, run))
        .map(|(id, peer)| (peer.download.penalty(), *id))
        .collect();
    order.sort_unstable();
    order
}

/// Whether a peer may be asked for anything now.
pub(super) fn may_be_asked(peer: &Peer, run: &Run<'_>) -> bool {
    is_usable(peer, run.now) && peer.remote.fork() == run.view.fork
}

/// Whether a peer answers, and has not done what keeps it from being asked.
pub(super) fn is_usable(peer: &Peer, now: Duration) -> bool {
    peer.options.download
        && peer.is_greeted
        && peer.remote.uploading()
        && peer.download.probed_at.is_none()
        && peer.download.rests_until.is_none_or(|until| until <= now)
}
