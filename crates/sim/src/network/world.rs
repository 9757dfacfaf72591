//! A run: the peers, the links between them, and the events that move everything on.
//!
//! It is one thread. Each event lets one peer work, on what has arrived at it; what it sends arrives later as another
//! event. Everything that a peer sends, stores or says is looked at by `checks.rs` when that happens.

use std::time::Duration;

use hypercore_crypto::Side;
use hypercore_replication::{CloseReason, Message, Output, PeerOptions, Progress};

use super::history::History;
use super::link::{Connected, End, Link};
use super::node::{Node, core_key};
use super::scenario::{Kind, Scenario};
use super::schedule::Schedule;
use super::totals::Totals;
use super::trace::Trace;
use super::wire::Wire;
use crate::disk::Disk;
use crate::random::Random;
use crate::stack::{Incoming, Stack};

/// Bytes that a peer reads from one connection before it works on them.
const READ_LEN_MAX: usize = 16 * 1024;

/// Bytes that may wait for a connection beyond what it has room for: an answer and what is announced with it.
const BACKLOG_LEN_MAX: usize = 256 * 1024;

/// How long a peer takes for its work at most.
const WORK_MICROS_MAX: u64 = 200;

/// Events of a run at most: a run that takes more goes round in circles.
const EVENTS_MAX: u64 = 2_000_000;

/// Messages of a run at most.
const MESSAGES_MAX: u64 = 200_000;

/// How long everything may take after the network has healed.
const PATIENCE: Duration = Duration::from_secs(1_800);

/// Something that happens.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// The next step of the scenario.
    Step(usize),
    /// Bytes arrive at an end of a connection.
    Arrive { link: usize, generation: u64, side: usize },
    /// A peer works.
    Work(usize),
    /// A link can be used again.
    Connect(usize),
    /// The power comes back.
    PowerOn(usize),
    /// What was written becomes durable.
    Flush(usize),
    /// Everything heals, and every pair is connected.
    Heal,
}

/// A run.
#[derive(Debug)]
pub(super) struct World<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) schedule: Schedule<Event>,
    pub(super) random: Random,
    pub(super) nodes: Vec<Node>,
    pub(super) links: Vec<Link>,
    pub(super) histories: Vec<History>,
    pub(super) has_healed: bool,
    pub(super) totals: Totals,
    pub(super) trace: Trace,
}

/// Adds a line to the trace of a world.
macro_rules! tell {
    ($world:expr, $($line:tt)*) => {
        $world.trace.add($world.schedule.now(), format_args!($($line)*))
    };
}
pub(super) use tell;

impl<'a> World<'a> {
    /// Everybody has power; the writer has its first blocks, and a twin a copy of them.
    pub(super) fn new(scenario: &'a Scenario, is_traced: bool) -> Self {
        let mut random = Random::along(scenario.seed, &[0x776f_726c]);
        let node = |cast| Node::new(cast, random.next());
        let nodes = scenario.peers.iter().copied().map(node).collect();
        Self {
            scenario,
            schedule: Schedule::new(),
            random,
            nodes,
            links: scenario.links.iter().copied().map(Link::new).collect(),
            histories: Vec::new(),
            has_healed: false,
            totals: Totals::default(),
            trace: Trace::new(is_traced),
        }
    }

    /// Plays it to its end.
    pub(super) fn play(&mut self) -> Result<(), String> {
        self.begin()?;
        while let Some(event) = self.schedule.next() {
            self.totals.events += 1;
            self.handle(event)?;
            let late = self.scenario.heals + PATIENCE;
            let is_endless = self.totals.events > EVENTS_MAX
                || self.totals.messages > MESSAGES_MAX
                || self.schedule.now() > late;
            if is_endless {
                return Err(format!("no end in sight: {}; {}", self.totals, self.missing()));
            }
        }
        self.judge()
    }

    fn begin(&mut self) -> Result<(), String> {
        self.nodes[0].history = Some(0);
        self.histories.push(History::new());
        self.power_on(0)?;
        for (at, lens) in self.scenario.first.iter().enumerate() {
            if at > 0 {
                self.truncate(0, 500, &[])?;
            }
            self.append(0, lens)?;
        }
        self.nodes[0].flush()?;
        self.settle(0);
        for at in 1..self.nodes.len() {
            if self.nodes[at].cast.kind == Kind::Twin {
                self.nodes[at].disk = Disk::of(self.nodes[0].disk.shown());
                self.nodes[at].history = Some(self.histories.len());
                self.histories.push(self.histories[0].clone());
            }
            self.power_on(at)?;
        }
        if self.scenario.is_dishonest() {
            for at in [0, 1] {
                self.append(at, &[10 + at, 20])?;
                self.nodes[at].flush()?;
                self.settle(at);
            }
        }
        for link in 0..self.links.len() {
            self.connect(link)?;
        }
        for (at, (time, _)) in self.scenario.steps.iter().enumerate() {
            self.schedule.at(*time, Event::Step(at));
        }
        self.schedule.at(self.scenario.heals, Event::Heal);
        Ok(())
    }

    fn handle(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Step(at) => {
                let step = &self.scenario.steps[at].1;
                tell!(self, "{step:?}");
                self.step(step)
            }
            Event::Arrive { link, generation, side } => {
                let now = self.schedule.now();
                let link = &mut self.links[link];
                if link.generation == generation
                    && let Some(connected) = &mut link.connected
                    && connected.wires[1 - side].arrive(now)
                {
                    let peer = link.plan.ends[side];
                    self.due(peer);
                }
                Ok(())
            }
            Event::Work(peer) => {
                self.nodes[peer].is_due = false;
                self.work(peer).map_err(|error| format!("peer {peer}: {error}"))
            }
            Event::Connect(link) => self.connect(link),
            Event::PowerOn(peer) => self.power_on(peer),
            Event::Flush(peer) => {
                self.nodes[peer].flush()?;
                self.settle(peer);
                self.due(peer);
                Ok(())
            }
            Event::Heal => self.heal(),
        }
    }

    /// Lets a peer work soon.
    pub(super) fn due(&mut self, peer: usize) {
        let node = &mut self.nodes[peer];
        if node.running.is_some() && !node.is_due {
            node.is_due = true;
            let micros = self.random.below(WORK_MICROS_MAX);
            self.schedule.after(Duration::from_micros(micros), Event::Work(peer));
        }
    }

    fn power_on(&mut self, peer: usize) -> Result<(), String> {
        if self.nodes[peer].running.is_some() {
            return Ok(());
        }
        self.nodes[peer].power_on().map_err(|error| format!("peer {peer}: {error}"))?;
        self.check_restart(peer)?;
        for link in 0..self.links.len() {
            if self.links[link].side_of(peer).is_some() {
                self.connect(link)?;
            }
        }
        self.due(peer);
        Ok(())
    }

    pub(super) fn power_off(&mut self, peer: usize) {
        for link in 0..self.links.len() {
            if self.links[link].side_of(peer).is_some() {
                self.disconnect(link);
            }
        }
        self.nodes[peer].power_off(&mut self.random);
        self.totals.crashes += 1;
    }

    /// Makes a connection, if both ends have power and nothing is in the way.
    fn connect(&mut self, at: usize) -> Result<(), String> {
        let now = self.schedule.now();
        let link = &mut self.links[at];
        let is_possible = (link.plan.is_early || self.has_healed)
            && link.connected.is_none()
            && link.away_until <= now
            && link.plan.ends.iter().all(|peer| self.nodes[*peer].running.is_some());
        if !is_possible {
            return Ok(());
        }
        let mut hash = [0; 64];
        hash.copy_from_slice(&self.random.bytes(64));
        let sides = [Side::Initiator, Side::Responder];
        let ends = if link.plan.is_secret {
            sides.map(|side| Stack::secret(side, &mut self.random, core_key()))
        } else {
            sides.map(|side| Stack::bare(side, &hash, core_key()))
        };
        let wires = [(); 2].map(|()| Wire::new(link.plan.quality));
        link.connected = Some(Connected { wires, ends: ends.map(End::new) });
        link.generation += 1;
        let [from, to] = link.plan.ends;
        self.totals.connections += 1;
        tell!(self, "link {at}: {from} and {to} are connected");
        self.due(from);
        self.due(to);
        Ok(())
    }

    /// Breaks a connection: what flies is lost.
    pub(super) fn disconnect(&mut self, at: usize) {
        let Some(connected) = self.links[at].connected.take() else { return };
        tell!(self, "link {at}: broken");
        for (end, node) in connected.ends.iter().zip(self.links[at].plan.ends) {
            if let (Some(peer), Some(running)) = (end.peer, &mut self.nodes[node].running) {
                running.links.remove(&peer);
                running.replicator.remove_peer(peer);
            }
            self.due(node);
        }
    }

    /// Reads, lets the replicator work, and sends.
    fn work(&mut self, peer: usize) -> Result<(), String> {
        if self.nodes[peer].running.is_none() {
            return Ok(());
        }
        let now = self.schedule.now();
        let mut is_busy = false;
        let links: Vec<(usize, usize)> = (0..self.links.len())
            .filter_map(|link| Some((link, self.links[link].side_of(peer)?)))
            .filter(|(link, _)| self.links[*link].connected.is_some())
            .collect();
        for (link, side) in &links {
            is_busy |= self.read(peer, *link, *side)?;
        }
        let Some(running) = &mut self.nodes[peer].running else { return Ok(()) };
        for (link, side) in &links {
            if let Some(connected) = &self.links[*link].connected
                && let Some(id) = connected.ends[*side].peer
            {
                let backlog = connected.ends[*side].stack.backlog();
                let room = connected.wires[*side].room().saturating_sub(backlog);
                running.replicator.set_room(id, room);
            }
        }
        let progress = running.replicator.run(&running.log, now);
        self.settle(peer);
        self.look(peer)?;
        self.send(peer)?;
        for (link, side) in &links {
            self.put_out(*link, *side)?;
        }
        match progress {
            Progress::More => is_busy = true,
            Progress::Until(at) if self.nodes[peer].wakes != Some(at) => {
                self.nodes[peer].wakes = Some(at);
                self.schedule.at(at, Event::Work(peer));
            }
            Progress::Until(_) | Progress::Idle => {}
        }
        if is_busy {
            self.due(peer);
        }
        Ok(())
    }

    /// Reads from one connection as long as the replicator wants; whether anything came.
    fn read(&mut self, peer: usize, at: usize, side: usize) -> Result<bool, String> {
        let mut was_anything = false;
        let mut read_len = 0;
        loop {
            let link = &mut self.links[at];
            let Some(connected) = &mut link.connected else { return Ok(was_anything) };
            let Some(running) = &mut self.nodes[peer].running else { return Ok(was_anything) };
            let end = &mut connected.ends[side];
            if end.peer.is_some_and(|id| !running.replicator.wants_input(id)) {
                return Ok(was_anything);
            }
            if let Some(incoming) = end.stack.next()? {
                was_anything = true;
                self.receive(peer, at, side, incoming)?;
                continue;
            }
            let wire = &mut connected.wires[1 - side];
            let len = wire.waiting_len().min(READ_LEN_MAX - read_len);
            if len == 0 {
                return Ok(was_anything);
            }
            was_anything = true;
            read_len += len;
            end.stack.feed(&wire.read(len));
            // There is room again, of which the other side hears later.
            let other = link.other(side);
            self.due(other);
        }
    }

    fn receive(
        &mut self,
        peer: usize,
        at: usize,
        side: usize,
        incoming: Incoming,
    ) -> Result<(), String> {
        let other = self.links[at].other(side);
        let Some(connected) = &mut self.links[at].connected else { return Ok(()) };
        let end = &mut connected.ends[side];
        let node = &mut self.nodes[peer];
        let Some(running) = &mut node.running else { return Ok(()) };
        match incoming {
            Incoming::Opened => {
                let options = PeerOptions::new().upload(node.cast.uploads);
                let id = running.replicator.add_peer(options);
                running.links.insert(id, at);
                end.peer = Some(id);
                tell!(self, "{peer} has {other} as {id}");
            }
            Incoming::Closed => {
                tell!(self, "{other} has closed its channel to {peer}");
                if let Some(id) = end.peer {
                    running.links.remove(&id);
                    running.replicator.remove_peer(id);
                }
                end.close();
            }
            Incoming::Message(message) => {
                self.totals.messages += 1;
                tell!(self, "{other} -> {peer} {}", super::describe::message(&message));
                let Some(id) = end.peer else { return Ok(()) };
                match &message {
                    Message::Request(request) => end.answering.request(request.id),
                    Message::Cancel(cancel) => end.answering.cancel(cancel.request_id),
                    Message::Data(data) => end.asked.end(data.request_id),
                    Message::NoData(none) => end.asked.end(none.request_id),
                    _ => {}
                }
                if let Err(fault) = running.replicator.receive(id, message) {
                    self.accuse(peer, other, &format!("{fault:?}"))?;
                    self.disconnect(at);
                }
            }
        }
        Ok(())
    }

    /// Hands what the replicator says to the connections.
    fn send(&mut self, peer: usize) -> Result<(), String> {
        loop {
            let Some(running) = &mut self.nodes[peer].running else { return Ok(()) };
            let Some(output) = running.replicator.next_output() else { return Ok(()) };
            let id = match &output {
                Output::Send { peer, .. } | Output::Close { peer, .. } => *peer,
                _ => continue,
            };
            let Some(at) = running.links.get(&id).copied() else { continue };
            let Some(side) = self.links[at].side_of(peer) else { continue };
            let other = self.links[at].other(side);
            match output {
                Output::Send { message, .. } => {
                    self.check_sent(peer, at, side, &message)?;
                    let Some(connected) = &mut self.links[at].connected else { continue };
                    connected.ends[side].stack.send(&message)?;
                }
                Output::Close { reason, .. } => {
                    tell!(self, "{peer} closes its channel to {other}: {reason:?}");
                    running.links.remove(&id);
                    let Some(connected) = &mut self.links[at].connected else { continue };
                    connected.ends[side].stack.close();
                    connected.ends[side].close();
                    if let CloseReason::Fault(fault) = reason {
                        self.accuse(peer, other, &format!("{fault:?}"))?;
                        self.disconnect(at);
                    }
                }
                _ => {}
            }
        }
    }

    /// Sends what waits, as far as there is room.
    fn put_out(&mut self, at: usize, side: usize) -> Result<(), String> {
        let now = self.schedule.now();
        let link = &mut self.links[at];
        let Some(connected) = &mut link.connected else { return Ok(()) };
        let room = connected.wires[side].room();
        let bytes = connected.ends[side].stack.take(room);
        let backlog = connected.ends[side].stack.backlog();
        if backlog > BACKLOG_LEN_MAX {
            return Err(format!("{backlog} bytes wait for a connection with room for {room}"));
        }
        self.totals.bytes += bytes.len() as u64;
        let (side, generation) = (1 - side, link.generation);
        for time in connected.wires[1 - side].send(&bytes, now, &mut self.random) {
            self.schedule.at(time, Event::Arrive { link: at, generation, side });
        }
        Ok(())
    }

    fn heal(&mut self) -> Result<(), String> {
        tell!(self, "everything heals");
        self.has_healed = true;
        for peer in 0..self.nodes.len() {
            self.power_on(peer)?;
        }
        for link in 0..self.links.len() {
            self.links[link].away_until = Duration::ZERO;
            self.connect(link)?;
        }
        // Different lengths show which histories differ.
        for peer in 0..self.nodes.len() {
            if let Some(history) = self.nodes[peer].history {
                let mut count = self.random.below(3) as usize;
                let own = self.histories[history].length() + count as u64;
                // The other writer came first, and has appended.
                count += usize::from(history > 0 && own == self.histories[0].length());
                self.append(peer, &vec![5; count])?;
                self.nodes[peer].flush()?;
                self.settle(peer);
                self.due(peer);
            }
        }
        Ok(())
    }
}
