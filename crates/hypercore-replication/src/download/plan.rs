//! Who is asked for what.
//!
//! The cost of a plan is that of the requests it makes: single blocks wait in a queue, ranges have a cursor for each
//! peer, and what can not be asked for now is passed over at most [`PLAN_STEPS_MAX`] times in a run.

use std::time::Duration;

use hypercore_log::LogError;
use hypercore_merkle::{BlockRequest, HashRequest, Request, UpgradeRequest};

use super::cursor::Cursor;
use super::requests::{Name, Purpose};
use super::{Download, Peers, Run};
use crate::limits::{
    BYTES_IN_FLIGHT_MAX, PLAN_STEPS_MAX, REQUESTS_IN_FLIGHT_MAX, RETRY_MAX, SWAP_AFTER,
    UPGRADE_PATIENCE,
};
use crate::message::Message;
use crate::options::PeerId;
use crate::peer::Peer;
use crate::view::View;
use crate::wish::Blocks;

/// Requests in flight below which a peer counts as idle.
///
/// # Source
/// wire.md section 7.5.
const IDLE_BELOW: usize = 16;

/// A block to ask a peer for.
struct Pick {
    block: u64,
    priority: u64,
}

/// Requests that may be in flight to one peer.
fn window(view: &View) -> usize {
    let by_len = BYTES_IN_FLIGHT_MAX.checked_div(view.block_len()).unwrap_or_default();
    usize::try_from(by_len).unwrap_or(usize::MAX).clamp(4, REQUESTS_IN_FLIGHT_MAX)
}

impl Download {
    /// Asks the peers for what is wished for.
    ///
    /// # Errors
    /// The own log can not be read.
    pub(crate) fn plan(&mut self, peers: &mut Peers, run: &mut Run<'_>) -> Result<(), LogError> {
        if self.has_failed {
            return Ok(());
        }
        self.plan_reorganisation(peers, run);
        let mut order: Vec<(u32, PeerId)> = peers
            .iter()
            .filter(|(_, peer)| may_be_asked(peer, run))
            .map(|(id, peer)| (peer.download.penalty(), *id))
            .collect();
        order.sort_unstable();
        for (_, id) in &order {
            if let Some(peer) = peers.get_mut(id) {
                self.plan_peer(*id, peer, run)?;
            }
        }
        if order.len() > 1 {
            for (_, id) in &order {
                if let Some(peer) = peers.get_mut(id) {
                    self.plan_swaps(*id, peer, run)?;
                }
            }
        }
        if self.retry.len() > RETRY_MAX {
            self.retry.clear();
            for peer in peers.values_mut() {
                peer.download.cursors.clear();
            }
        }
        Ok(())
    }

    fn plan_peer(
        &mut self,
        id: PeerId,
        peer: &mut Peer,
        run: &mut Run<'_>,
    ) -> Result<(), LogError> {
        let mut steps = PLAN_STEPS_MAX;
        peer.download.look_again(run.now);
        if self.should_upgrade(peer, run) {
            self.ask_for_upgrade(id, peer, run, &mut steps)?;
        }
        if self.wishes.is_empty() || run.view.length == 0 {
            return Ok(());
        }
        self.ask_for_nodes(id, peer, run)?;
        while self.room(id, peer, &run.view) > 0 {
            let Some(pick) = self.pick(peer, run, run.view.length, &mut steps) else {
                // Only now: what is known of one stretch may be forgotten when another becomes known.
                self.ask_what_it_has(peer, run);
                break;
            };
            self.ask_for_block(id, peer, &pick, run)?;
        }
        Ok(())
    }

    /// How many more requests the peer may get.
    fn room(&self, id: PeerId, peer: &Peer, view: &View) -> usize {
        let taken = peer.download.in_flight.saturating_add(self.requests.resting(id));
        window(view).saturating_sub(taken)
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
        steps: &mut u32,
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
            let mut pick = self.pick_single(peer, run, to, steps);
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

    /// A block of a range among those to come.
    fn pick_new(&mut self, peer: &Peer, start: u64, to: u64) -> Option<Pick> {
        for many in &self.wishes.many {
            let block = match &many.blocks {
                Blocks::List(list) => {
                    list.iter().copied().find(|block| (start..to).contains(block))
                }
                Blocks::From(from) if !many.linear && *from < to => to.checked_sub(1),
                Blocks::From(from) => Some((*from).max(start)),
                Blocks::Span(range) => {
                    let first = range.start.max(start);
                    let count = range.end.min(to).saturating_sub(first);
                    let offset = if many.linear { 0 } else { self.random.below(count) };
                    (count > 0).then(|| first.saturating_add(offset))
                }
            };
            if let Some(block) = block
                && block < to
                && peer.holdings.has(block)
                && self.requests.asked(block).is_none()
            {
                return Some(Pick { block, priority: 0 });
            }
        }
        None
    }

    /// The next block to ask the peer for.
    fn pick(&mut self, peer: &mut Peer, run: &Run<'_>, end: u64, steps: &mut u32) -> Option<Pick> {
        self.pick_single(peer, run, end, steps)
            .or_else(|| self.pick_retry(peer, run, steps))
            .or_else(|| self.pick_of_range(peer, run, steps))
    }

    fn pick_single(
        &mut self,
        peer: &mut Peer,
        run: &Run<'_>,
        end: u64,
        steps: &mut u32,
    ) -> Option<Pick> {
        if self.wishes.queue_len() == 0 {
            return None;
        }
        loop {
            *steps = steps.checked_sub(1)?;
            let looked =
                peer.download.looked.filter(|(wishes, _)| *wishes == self.wishes.queued_ever());
            let (turn, block) = self.wishes.queued(looked.map(|(_, turn)| turn)).next()?;
            if self.requests.asked(block).is_some() {
                self.wishes.asked(block);
                continue;
            }
            let may_ask = block < end
                && peer.holdings.has(block)
                && !peer.download.has_refused(block, run.now);
            if may_ask {
                let priority = self.wishes.asked(block);
                return Some(Pick { block, priority });
            }
            peer.download.looked = Some((self.wishes.queued_ever(), turn));
        }
    }

    fn pick_retry(&mut self, peer: &mut Peer, run: &Run<'_>, steps: &mut u32) -> Option<Pick> {
        let mut found = None;
        for block in &self.retry {
            *steps = steps.checked_sub(1)?;
            let may_ask = *block < run.view.length
                && peer.holdings.has(*block)
                && !peer.download.has_refused(*block, run.now);
            if may_ask {
                found = Some(*block);
                break;
            }
        }
        let block = found?;
        self.retry.remove(&block);
        let is_due = self.wishes.is_in_range(block)
            && self.requests.asked(block).is_none()
            && !run.log.has(block);
        if is_due { Some(Pick { block, priority: 0 }) } else { self.pick_retry(peer, run, steps) }
    }

    fn pick_of_range(&mut self, peer: &mut Peer, run: &Run<'_>, steps: &mut u32) -> Option<Pick> {
        for many in &self.wishes.many {
            let span = many.span(run.view.length);
            let random = &mut self.random;
            let cursor = peer.download.cursors.entry(many.wish).or_insert_with(|| {
                let count = span.end.saturating_sub(span.start);
                match &many.blocks {
                    Blocks::List(_) => Cursor::list(count),
                    _ if many.linear => Cursor::new(span.clone(), span.start),
                    _ => Cursor::new(span.clone(), span.start.saturating_add(random.below(count))),
                }
            });
            cursor.grow(span.end);
            loop {
                let block = match &many.blocks {
                    Blocks::List(list) => cursor.next_of(list, run.log, &peer.holdings, steps),
                    _ => cursor.next(run.log, &peer.holdings, steps),
                };
                let Some(block) = block else { break };
                if block >= run.view.length || self.requests.asked(block).is_some() {
                    continue;
                }
                // Neither is the cursor's to remember.
                if self.retry.contains(&block) {
                    continue;
                }
                return Some(Pick { block, priority: 0 });
            }
        }
        None
    }

    fn ask_for_block(
        &mut self,
        id: PeerId,
        peer: &mut Peer,
        pick: &Pick,
        run: &mut Run<'_>,
    ) -> Result<(), LogError> {
        let view = &run.view;
        let levels = peer.download.expected.levels(run.log, pick.block, view.length)?;
        if levels.end > peer.remote.length() {
            // A shorter tree has no node there: the request would have no answer.
            peer.download.cannot_prove(pick.block, run.now);
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

    /// Asks for the nodes that seeks and hashes need.
    fn ask_for_nodes(
        &mut self,
        id: PeerId,
        peer: &mut Peer,
        run: &mut Run<'_>,
    ) -> Result<(), LogError> {
        let remote_length = peer.remote.length();
        for place in 0..self.wishes.bytes.len() {
            if self.room(id, peer, &run.view) == 0 {
                return Ok(());
            }
            let Some(byte) = self.wishes.bytes.get(place) else { break };
            let within = byte.within.clone().filter(|_| byte.asked.is_none());
            let held = within.and_then(|blocks| peer.holdings.next_held(blocks));
            let Some(block) = held.map(|held| held.start) else { continue };
            let nodes = run.log.missing_nodes(block)?;
            let Some(index) = flat_tree::Index::leaf(block) else { continue };
            // A byte that it refused to look for it may find when asked for the block.
            let may_ask = byte.asks_block || !peer.download.has_refused(block, run.now);
            if !may_ask || top_end(index, nodes) > remote_length {
                continue;
            }
            let mut request = Request { fork: run.view.fork, ..Request::default() };
            if byte.asks_block {
                request.block = Some(BlockRequest { index: block, nodes });
            } else {
                request.hash = Some(HashRequest { index, nodes });
                request.seek = Some(byte.request());
            }
            let purpose = Purpose::Seek(byte.wish);
            let name = self.send(id, peer, request, purpose, None, run.now);
            if let Some(byte) = self.wishes.bytes.get_mut(place) {
                byte.asked = Some(name);
            }
        }
        for place in 0..self.wishes.hashes.len() {
            if self.room(id, peer, &run.view) == 0 {
                return Ok(());
            }
            let Some(hash) = self.wishes.hashes.get(place) else { break };
            let index = hash.index;
            let is_open = hash.asked.is_none() && index.end_block() <= run.view.length;
            if !is_open || peer.download.has_refused(index.first_block(), run.now) {
                continue;
            }
            let nodes = run.log.missing_nodes_of(index)?;
            let first = index.first_block();
            let holds = peer.holdings.next_held(first..index.end_block()).is_some();
            if !holds || top_end(index, nodes) > remote_length {
                continue;
            }
            let request = Request {
                fork: run.view.fork,
                hash: Some(HashRequest { index, nodes }),
                ..Request::default()
            };
            let purpose = Purpose::Hash(hash.wish);
            let name = self.send(id, peer, request, purpose, None, run.now);
            if let Some(hash) = self.wishes.hashes.get_mut(place) {
                hash.asked = Some(name);
            }
        }
        Ok(())
    }

    /// Asks an idle peer for blocks that others take long to bring.
    ///
    /// # Source
    /// wire.md section 7.5.
    fn plan_swaps(
        &mut self,
        id: PeerId,
        peer: &mut Peer,
        run: &mut Run<'_>,
    ) -> Result<(), LogError> {
        let idle_below = IDLE_BELOW.max(window(&run.view) / 2);
        let room = idle_below.saturating_sub(peer.download.in_flight);
        let room = room.min(self.room(id, peer, &run.view));
        let late: Vec<u64> = self
            .requests
            .blocks()
            .filter(|(block, asked)| {
                *block < run.view.length
                    && peer.holdings.has(*block)
                    && self.requests.may_swap(*block, id)
                    && asked.ids().all(|id| {
                        let flight = self.requests.get(id);
                        flight.is_some_and(|flight| {
                            flight.sent_at.saturating_add(SWAP_AFTER) <= run.now
                        })
                    })
            })
            .map(|(block, _)| block)
            .take(room)
            .collect();
        for block in late {
            if !peer.download.has_refused(block, run.now) {
                let priority = self.wishes.asked(block);
                self.ask_for_block(id, peer, &Pick { block, priority }, run)?;
            }
        }
        Ok(())
    }

    /// Asks a peer about stretches of which it is not known what it holds.
    fn ask_what_it_has(&mut self, peer: &mut Peer, run: &Run<'_>) {
        let length = peer.remote.length().min(run.view.length);
        if peer.holdings.contiguous_length() >= length {
            return;
        }
        let region = self.options.want_region;
        let Peer { download, holdings, output, .. } = peer;
        for (_, block) in self.wishes.queued(None).take(LOOK_MAX) {
            if !download.wants.has_room() {
                return;
            }
            if block < length && !holdings.has(block) {
                download.wants.ask_about(block, region, output);
            }
        }
        let bytes = self.wishes.bytes.iter().filter_map(|byte| byte.within.clone());
        let hashes =
            self.wishes.hashes.iter().map(|hash| hash.index.first_block()..hash.index.end_block());
        for blocks in bytes.chain(hashes).take(LOOK_MAX) {
            if !download.wants.has_room() {
                return;
            }
            if blocks.start < length && holdings.next_held(blocks.clone()).is_none() {
                download.wants.ask_about(blocks.start, region, output);
            }
        }
        for many in &self.wishes.many {
            let span = match &many.blocks {
                Blocks::List(list) => {
                    let unknown =
                        list.iter().filter(|block| **block < length && !holdings.has(**block));
                    for block in unknown.take(LOOK_MAX) {
                        if !download.wants.has_room() {
                            return;
                        }
                        download.wants.ask_about(*block, region, output);
                    }
                    continue;
                }
                _ => many.span(length),
            };
            let looked = download.wants.looked.get(&many.wish).copied();
            let mut at = looked.unwrap_or(region.start_of(span.start));
            for _ in 0..LOOK_MAX {
                if at >= span.end || download.wants.is_waiting() {
                    break;
                }
                let next = at.saturating_add(region.blocks());
                let part = at.max(span.start)..next.min(span.end);
                if !holdings.has_range(part.clone()) && !run.log.has_range(part) {
                    download.wants.ask_about(at, region, output);
                } else if next > span.end {
                    // The log may grow into the rest of it.
                    break;
                }
                at = next;
            }
            download.wants.looked.insert(many.wish, at);
        }
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
            peers.values().filter_map(|peer| peer.download.next_refusal_end()).for_each(at);
        }
        first
    }
}

/// Wishes that one look goes through to find out what to ask a peer about.
const LOOK_MAX: usize = 64;

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

/// Blocks that a tree must have for the node so many levels above `index` to be in it.
fn top_end(index: flat_tree::Index, levels: u64) -> u64 {
    let mut way = std::iter::successors(Some(index), |index| index.parent());
    let top = way.nth(usize::try_from(levels).unwrap_or(usize::MAX));
    top.map_or(u64::MAX, flat_tree::Index::end_block)
}
