//! Where an attack takes place: the victim, the attacker, and an honest third peer that must not notice.
//!
//! Time goes in ticks. In each the bytes of the attacker and of the third peer go over, and both honest sides work.

use std::collections::VecDeque;
use std::time::Duration;

use hypercore_crypto::Side;
use hypercore_log::Log;
use hypercore_replication::Message;

use super::host::{Host, core_key};
use super::meter::{Counter, Meter};
use crate::random::Random;
use crate::stack::{Incoming, Stack};

/// How long a tick is.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// Blocks of the log.
pub(super) const LENGTH: u64 = 150;

/// Bytes that go between victim and third peer in one tick, so that their work takes as long as an attack does.
const THIRD_LEN_MAX: usize = 8 * 1024;

/// What the victim does when it is attacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Victim {
    /// It has the log, and others download it.
    Writer,
    /// It wants the log, from anybody.
    Reader,
}

/// The arena.
#[derive(Debug)]
pub(super) struct Arena {
    pub(super) now: Duration,
    pub(super) victim: Host,
    third: Option<Host>,
    /// What the attacker speaks with when it speaks properly.
    pub(super) attacker: Stack,
    /// Whether the attacker takes what is sent to it.
    pub(super) listens: bool,
    /// Bytes for the attacker that it did not take as messages.
    pub(super) heard_bytes: Vec<u8>,
    /// Messages for the attacker.
    pub(super) heard: VecDeque<Message>,
    /// Whether both sides opened the log.
    pub(super) is_open: bool,
    pub(super) meter: Meter,
    /// The most memory before the handshake was done.
    pub(super) early_peak: isize,
    /// The largest frame the attacker sent.
    pub(super) frame_len_max: usize,
    blocks: Vec<Vec<u8>>,
    /// Blocks of another history that the writer signed.
    also_signed: Option<Vec<Vec<u8>>>,
    session: usize,
}

/// The blocks of the log: small ones, and a few of some kilobytes.
pub(super) fn blocks() -> Vec<Vec<u8>> {
    let random = &mut Random::new(3);
    (0..LENGTH)
        .map(|index| {
            let len = if index % 10 == 0 { 4_000 } else { random.place(120) };
            random.bytes(len)
        })
        .collect()
}

impl Arena {
    /// A victim with a session that the attacker began, and perhaps a third peer.
    pub(super) fn new(role: Victim, with_third: bool, counter: Counter) -> Self {
        Self::with_seed(role, with_third, counter, 9)
    }

    /// One whose keys are others than those of other seeds.
    pub(super) fn with_seed(role: Victim, with_third: bool, counter: Counter, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let blocks = blocks();
        let mut victim = match role {
            Victim::Writer => Host::writer(&blocks),
            Victim::Reader => Host::reader(),
        };
        let mut third = with_third.then(|| match role {
            Victim::Writer => Host::reader(),
            Victim::Reader => Host::writer(&blocks),
        });
        if let Some(third) = &mut third {
            victim.connect(Side::Responder, &mut random);
            third.connect(Side::Initiator, &mut random);
        }
        let mut meter = Meter::new(counter);
        // What the replicator keeps for any peer at all is no one peer's.
        victim.work(Duration::ZERO);
        victim.sessions.reserve(1);
        let session = meter.run(|| victim.connect(Side::Responder, &mut random));
        let attacker = Stack::secret(Side::Initiator, &mut random, core_key());
        Self {
            now: Duration::ZERO,
            victim,
            third,
            attacker,
            listens: true,
            heard_bytes: Vec::new(),
            heard: VecDeque::new(),
            is_open: false,
            meter,
            early_peak: 0,
            frame_len_max: 0,
            blocks,
            also_signed: None,
            session,
        }
    }

    /// A log of the same writer with other blocks, which it signs as well.
    pub(super) fn other_log(&mut self, shared: u64, more: &[Vec<u8>]) -> Log {
        let mut blocks = self.blocks[..shared as usize].to_vec();
        blocks.extend_from_slice(more);
        let log = Host::writer(&blocks).log;
        self.also_signed = Some(blocks);
        log
    }

    /// A log with the same blocks.
    pub(super) fn same_log(&self) -> Log {
        Host::writer(&self.blocks).log
    }

    /// Why the attacker's session is over, if it is.
    pub(super) fn ended(&self) -> Option<&str> {
        self.victim.sessions[self.session].ended.as_deref()
    }

    /// What the attacker sends goes over, and everybody works, for as many ticks.
    pub(super) fn ticks(&mut self, count: u64) {
        for _ in 0..count {
            self.tick(usize::MAX);
        }
    }

    /// One tick, in which at most `len` bytes of the attacker go over.
    pub(super) fn tick(&mut self, len: usize) {
        self.now += TICK;
        let bytes = self.attacker.take(len);
        self.victim.sessions[self.session].arrive(&bytes);
        let (victim, now) = (&mut self.victim, self.now);
        self.meter.run(|| victim.work(now));
        if !self.victim.sessions[self.session].stack.is_open() {
            self.early_peak = self.meter.peak;
        }
        if self.listens {
            let session = &mut self.victim.sessions[self.session];
            let sent = self.meter.run(|| session.take(usize::MAX));
            self.heard_bytes.extend_from_slice(&sent);
            self.meter.run(|| drop(sent));
        }
        self.serve_third();
    }

    /// Takes what was heard as messages.
    pub(super) fn listen(&mut self) {
        self.attacker.feed(&self.heard_bytes);
        self.heard_bytes.clear();
        while let Ok(Some(incoming)) = self.attacker.next() {
            match incoming {
                Incoming::Opened => self.is_open = true,
                Incoming::Closed => self.is_open = false,
                Incoming::Message(message) => self.heard.push_back(message),
            }
        }
    }

    /// Hears what the victim says, and does not open the log.
    pub(super) fn listen_without_opening(&mut self) {
        self.attacker.stay_closed();
        self.listen();
    }

    /// What counts memory here.
    pub(super) const fn counter(&self) -> Counter {
        self.meter.counter
    }

    /// Opens the log as an honest peer does.
    ///
    /// # Panics
    /// When the victim does not.
    pub(super) fn open(&mut self) {
        for _ in 0..20 {
            self.ticks(1);
            self.listen();
            if self.is_open && self.victim.sessions[self.session].peer.is_some() {
                return;
            }
        }
        panic!("the attacker is not let in: {:?}", self.ended());
    }

    /// Sends a message as an honest peer does, if it still can.
    pub(super) fn say(&mut self, message: &Message) {
        if self.ended().is_none() {
            let _ = self.attacker.send(message);
        }
    }

    /// Sends a frame as it is.
    pub(super) fn say_frame(&mut self, frame: &[u8]) {
        self.frame_len_max = self.frame_len_max.max(frame.len());
        self.attacker.send_frame(frame);
    }

    fn serve_third(&mut self) {
        let Some(third) = &mut self.third else { return };
        third.work(self.now);
        let from_victim = self.victim.sessions[0].take(THIRD_LEN_MAX);
        third.sessions[0].arrive(&from_victim);
        let from_third = third.sessions[0].take(THIRD_LEN_MAX);
        self.victim.sessions[0].arrive(&from_third);
    }

    /// Whether the third peer and the victim have given each other everything.
    pub(super) fn third_is_done(&self) -> bool {
        let has_all = |host: &Host| host.log.has_range(0..LENGTH);
        self.third.as_ref().is_none_or(|third| has_all(third) && has_all(&self.victim))
    }

    /// Whether the third peer is still there.
    pub(super) fn third_is_here(&self) -> Result<(), String> {
        let Some(third) = &self.third else { return Ok(()) };
        match (&self.victim.sessions[0].ended, &third.sessions[0].ended) {
            (Some(why), _) => Err(format!("the third peer was sent away: {why}")),
            (_, Some(why)) => Err(format!("the third peer left: {why}")),
            (None, None) => Ok(()),
        }
    }

    /// What is wrong now with what the honest ones have, whatever the attack was.
    pub(super) fn check(&self) -> Result<(), String> {
        for host in [Some(&self.victim), self.third.as_ref()].into_iter().flatten() {
            let signed = [Some(&self.blocks), self.also_signed.as_ref()];
            let checks = signed.into_iter().flatten().map(|blocks| check_log(&host.log, blocks));
            let wrong: Vec<String> = checks.clone().filter_map(Result::err).collect();
            if wrong.len() == checks.count() {
                return Err(wrong.join("; "));
            }
            if let Some(error) = &host.failure {
                return Err(format!("a log failed: {error}"));
            }
        }
        Ok(())
    }
}

/// Whatever the log has must be the writer's.
fn check_log(log: &Log, blocks: &[Vec<u8>]) -> Result<(), String> {
    let head = log.head();
    if head.fork != 0 || head.length > blocks.len() as u64 {
        return Err(format!("the log is at {head:?}, which was never signed"));
    }
    let truth = Host::writer(&blocks[..head.length as usize]).log.head();
    if head != truth {
        return Err(format!("the log is at {head:?} and not {truth:?}"));
    }
    for (index, block) in (0..head.length).zip(blocks) {
        match log.get(index) {
            Ok(None) => {}
            Ok(Some(stored)) if stored == *block => {}
            other => return Err(format!("block {index} is {other:?}")),
        }
    }
    Ok(())
}
