//! What a worker works on: the replicator of a log, its links, and the wishes that wait.
//!
//! Owned by the worker while it runs. Translates between the names of the facade and those of the
//! replicator; decides nothing about what is asked of whom.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use hypercore_log::Log;
use hypercore_replication::{
    CloseReason, Event as Told, LogChange, Message, Options, Output, PeerId as Id, PeerOptions,
    PeerStatistics, Progress, Replicator, WishId,
};

use super::control::Order;
use super::exchange::Command;
use super::link::{Link, LinkKey, Outgoing, message_len};
use super::mailbox::Mail;
use super::peers::{PeerInfo, Traffic};
use super::wish::{Answer, Wish, WishKey};
use crate::error::Error;
use crate::events::{Event, Payloads, PeerId};
use crate::shared::Shared;

/// What a single block is asked for with.
///
/// # Source
/// wire.md section 5.2.
const BLOCK_PRIORITY: u64 = 1;

pub(crate) struct State {
    replicator: Replicator,
    ids: HashMap<LinkKey, Id>,
    peers: HashMap<Id, Linked>,
    /// What peers are called outside, until the last was heard of them.
    names: HashMap<Id, PeerId>,
    wishes: HashMap<WishKey, WishId>,
    answers: HashMap<WishId, (WishKey, Answer)>,
    payloads: Payloads,
    /// Why nothing will come from peers any more.
    given_up: Option<Error>,
    /// Peers with messages that the replicator has not taken.
    behind: Vec<Id>,
    /// Peers with something to post.
    posting: Vec<Id>,
}

/// A peer as the worker sees it.
struct Linked {
    link: Arc<Link>,
    options: PeerOptions,
    /// Messages that the replicator has not taken.
    waiting: VecDeque<Mail<Message>>,
    /// What is to be posted after this round.
    mail: Vec<Mail<Outgoing>>,
}

/// What came of a round.
#[derive(Debug, Default)]
pub(crate) struct Worked {
    /// Something was stored.
    pub(crate) wrote: bool,
    /// The log, or what peers have, is another.
    pub(crate) changed: bool,
    pub(crate) traffic: Traffic,
}

impl State {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            replicator: Replicator::new(Options::new().seed(seed)),
            ids: HashMap::new(),
            peers: HashMap::new(),
            names: HashMap::new(),
            wishes: HashMap::new(),
            answers: HashMap::new(),
            payloads: Payloads::default(),
            given_up: None,
            behind: Vec::new(),
            posting: Vec::new(),
        }
    }

    /// Whether anybody wants to know when the log grows.
    pub(crate) fn is_engaged(&self) -> bool {
        !self.peers.is_empty() || !self.answers.is_empty()
    }

    /// How many wishes wait.
    pub(crate) fn wishes(&self) -> usize {
        self.answers.len()
    }

    /// Whether messages of a peer wait to be worked on.
    pub(crate) fn has_heard(&self, key: LinkKey) -> bool {
        let peer = self.ids.get(&key).and_then(|id| self.peers.get(id));
        peer.is_some_and(|peer| !peer.waiting.is_empty())
    }

    /// Does what a command says.
    pub(crate) fn obey(&mut self, command: Command) {
        match command {
            Command::AddPeer(link, options) => self.add_peer(link, options),
            Command::RemovePeer(key) => self.remove_peer(key),
            Command::Messages(key, messages) => self.hear(key, messages),
            Command::Room(key) => self.make_room(key),
            Command::Log(change) => {
                if matches!(change, LogChange::Truncated { .. }) {
                    // The new fork leaves the conflict of an old one behind.
                    self.given_up.take_if(|error| error.is_conflict());
                }
                self.replicator.log_changed(change);
            }
            Command::Wish(key, wish, answer) => self.wish(key, &wish, answer),
            Command::Cancel(key) => self.cancel(key),
            Command::Peers(answer) => {
                // Whoever asked may not be there any more.
                let _ = answer.send(self.infos());
            }
            Command::SetUpload(key, upload) => {
                self.set_options(key, |options| options.upload(upload));
            }
            Command::SetDownload(key, download) => {
                self.set_options(key, |options| options.download(download));
            }
            Command::Extension(key, name, payload) => {
                if let Some(id) = self.ids.get(&key) {
                    self.replicator.send_extension(*id, name, payload);
                }
            }
        }
    }

    /// Gives the replicator what waits for it and lets it work once.
    pub(crate) fn work(&mut self, log: &Log, now: Duration) -> Progress {
        self.feed();
        let progress = self.replicator.run(log, now);
        while let Some(output) = self.replicator.next_output() {
            self.put_out(output);
        }
        let behind = &self.behind;
        if behind.iter().any(|id| self.replicator.wants_input(*id)) {
            Progress::More
        } else {
            progress
        }
    }

    /// Freezes the log once two histories of it are known, for as long as it has this fork.
    pub(crate) fn keep_evidence(&self, log: &Log) {
        if let Some(evidence) = self.replicator.conflict()
            && !log.is_frozen()
            && log.fork() == evidence.fork
            && let Err(error) = log.freeze(&evidence.other)
        {
            tracing::warn!(%error, "the proof of two histories could not be kept");
        }
    }

    /// Hands over what the round made: letters to connections, outcomes to calls, events to all.
    /// Whether something was stored.
    pub(crate) fn deliver(&mut self, shared: &Shared) -> Worked {
        self.post();
        let mut worked = Worked::default();
        while let Some(told) = self.replicator.next_event() {
            match &told {
                Told::StorageFailed { error } if self.replicator.has_failed() => {
                    self.give_up(&Error::stores_failed(Arc::clone(error.error())));
                }
                Told::Conflict { .. } => self.give_up(&Error::conflict()),
                Told::WishDone { wish, outcome } => {
                    if let Some((key, answer)) = self.answers.remove(wish) {
                        self.wishes.remove(&key);
                        // Whoever asked may not be there any more.
                        let _ = answer.send(Ok(*outcome));
                    }
                    continue;
                }
                Told::Downloaded { bytes, .. } => {
                    worked.wrote = true;
                    worked.traffic.downloaded(*bytes);
                }
                Told::Uploaded { bytes, .. } => worked.traffic.uploaded(*bytes),
                Told::Upgraded { .. } | Told::Truncated { .. } => {
                    (worked.wrote, worked.changed) = (true, true);
                    shared.tell_changes();
                    continue;
                }
                Told::SyncChanged { fork, length, .. } => {
                    shared.exchange().told_of(*fork, *length);
                    worked.changed = true;
                }
                Told::PeerAdded(_) | Told::PeerRemoved(_) => worked.changed = true,
                _ => {}
            }
            let removed = if let Told::PeerRemoved(id) = &told { Some(*id) } else { None };
            if shared.events().is_listened_to()
                && let Some(event) = self.translate(told)
            {
                shared.events().tell(event);
            }
            removed.map(|id| self.names.remove(&id));
        }
        worked
    }

    /// Lets go of everything: channels close, and wishes end without an outcome.
    pub(crate) fn end(&mut self) {
        for (_, peer) in self.peers.drain() {
            peer.link.letters.order(Order::LogGone(peer.link.channel));
        }
        self.ids.clear();
        self.wishes.clear();
        self.answers.clear();
        self.behind.clear();
        self.posting.clear();
        self.replicator = Replicator::new(Options::new());
    }

    fn add_peer(&mut self, link: Arc<Link>, options: PeerOptions) {
        let id = self.replicator.add_peer(options);
        self.replicator.set_room(id, link.letters.room());
        self.ids.insert(link.key, id);
        let (waiting, mail) = (VecDeque::new(), Vec::new());
        self.names.insert(id, PeerId(link.key.0));
        self.peers.insert(id, Linked { link, options, waiting, mail });
    }

    fn set_options(&mut self, key: LinkKey, change: impl FnOnce(PeerOptions) -> PeerOptions) {
        if let Some(id) = self.ids.get(&key)
            && let Some(peer) = self.peers.get_mut(id)
        {
            peer.options = change(peer.options);
            self.replicator.set_peer_options(*id, peer.options);
        }
    }

    fn remove_peer(&mut self, key: LinkKey) {
        if let Some(id) = self.ids.remove(&key) {
            self.peers.remove(&id);
            self.behind.retain(|behind| *behind != id);
            self.replicator.remove_peer(id);
        }
    }

    fn hear(&mut self, key: LinkKey, messages: Vec<Mail<Message>>) {
        let Some(id) = self.ids.get(&key) else { return };
        let Some(peer) = self.peers.get_mut(id) else { return };
        if peer.waiting.is_empty() {
            self.behind.push(*id);
        }
        peer.waiting.extend(messages);
    }

    /// Gives the replicator of each peer's messages what it takes.
    fn feed(&mut self) {
        let mut behind = std::mem::take(&mut self.behind);
        behind.retain(|id| self.feed_from(*id));
        self.behind.append(&mut behind);
    }

    /// Whether messages of the peer are left.
    fn feed_from(&mut self, id: Id) -> bool {
        let Some(peer) = self.peers.get_mut(&id) else { return false };
        let mut handled = 0_usize;
        let mut fault = None;
        while fault.is_none()
            && self.replicator.wants_input(id)
            && let Some(Mail { message, len }) = peer.waiting.pop_front()
        {
            handled = handled.saturating_add(len);
            fault = self.replicator.receive(id, message).err();
        }
        peer.link.handled(handled);
        if let Some(fault) = fault {
            self.replicator.remove_peer(id);
            self.put_out(Output::Close { peer: id, reason: CloseReason::Fault(fault) });
            return false;
        }
        if peer.waiting.is_empty() {
            peer.waiting.shrink_to(0);
            return false;
        }
        true
    }

    fn make_room(&mut self, key: LinkKey) {
        if let Some(id) = self.ids.get(&key)
            && let Some(peer) = self.peers.get(id)
        {
            self.replicator.set_room(*id, peer.link.letters.room());
        }
    }

    /// Nothing will come from peers any more: those who wait hear why.
    fn give_up(&mut self, error: &Error) {
        for (wish, (_, answer)) in self.answers.drain() {
            self.replicator.cancel(wish);
            // Whoever asked may not be there any more.
            let _ = answer.send(Err(error.clone()));
        }
        self.wishes.clear();
        self.given_up = Some(error.clone());
    }

    fn wish(&mut self, key: WishKey, wish: &Wish, answer: Answer) {
        if let Some(error) = &self.given_up {
            let _ = answer.send(Err(error.clone()));
            return;
        }
        let id = match wish {
            Wish::Block(index) => self.replicator.want_block(*index, BLOCK_PRIORITY),
            Wish::Range(range) => self.replicator.want_range(range.clone()),
            Wish::Upgrade(upgrade) => self.replicator.want_upgrade(*upgrade),
            Wish::Seek { byte, padding } => self.replicator.want_seek(*byte, *padding),
            Wish::Node(index) => self.replicator.want_hash(*index),
        };
        self.wishes.insert(key, id);
        self.answers.insert(id, (key, answer));
    }

    fn cancel(&mut self, key: WishKey) {
        if let Some(id) = self.wishes.remove(&key) {
            self.answers.remove(&id);
            self.replicator.cancel(id);
        }
    }

    fn put_out(&mut self, output: Output) {
        match output {
            Output::Send { peer: id, message } => {
                let Some(peer) = self.peers.get_mut(&id) else { return };
                if peer.mail.is_empty() {
                    self.posting.push(id);
                }
                let len = message_len(&message);
                peer.mail
                    .push(Mail { message: Outgoing::Message(peer.link.channel, message), len });
            }
            Output::Close { peer: id, reason } => {
                let Some(mut peer) = self.peers.remove(&id) else { return };
                self.ids.remove(&peer.link.key);
                let close = Outgoing::Close(peer.link.channel, reason);
                peer.mail.push(Mail { message: close, len: 0 });
                peer.link.letters.post(peer.mail);
            }
            _ => {}
        }
    }

    fn post(&mut self) {
        for id in self.posting.drain(..) {
            let Some(peer) = self.peers.get_mut(&id) else { continue };
            let room = peer.link.letters.post(peer.mail.drain(..));
            peer.mail.shrink_to(0);
            self.replicator.set_room(id, room);
        }
    }

    fn infos(&self) -> Vec<PeerInfo> {
        let peers = self.replicator.peers();
        peers.filter_map(|(id, told)| Some(info(&self.peers.get(&id)?.link, &told))).collect()
    }

    /// What all may know of what the replicator told.
    fn translate(&mut self, told: Told) -> Option<Event> {
        let name = |id: Id| self.names.get(&id).copied();
        Some(match told {
            Told::PeerAdded(id) => Event::PeerAdded {
                peer: name(id)?,
                remote_public_key: self.peers.get(&id).and_then(|peer| peer.link.remote_public_key),
            },
            Told::PeerRemoved(id) => Event::PeerRemoved { peer: name(id)? },
            Told::SyncChanged { peer, fork, length } => {
                Event::PeerChanged { peer: name(peer)?, length, fork }
            }
            Told::Downloaded { index, bytes, peer } => {
                Event::Downloaded { index, bytes, peer: name(peer)? }
            }
            Told::Uploaded { index, bytes, peer } => {
                Event::Uploaded { index, bytes, peer: name(peer)? }
            }
            Told::RemoteContiguousLength { peer, length } => {
                Event::RemoteContiguousLength { peer: name(peer)?, length }
            }
            Told::VerificationFailed { peer, error } => {
                Event::VerificationFailed { peer: name(peer)?, error: error.into() }
            }
            Told::StorageFailed { error } => {
                Event::StorageFailed { error: Error::stores_failed(Arc::clone(error.error())) }
            }
            Told::Conflict { peer } => Event::Conflict { peer: name(peer)? },
            Told::Extension { peer, name: extension, payload } => {
                match self.payloads.keep(payload) {
                    Some(payload) => {
                        Event::Extension { peer: name(peer)?, name: extension, payload }
                    }
                    None => Event::Lagged { missed: 1 },
                }
            }
            _ => return None,
        })
    }
}

fn info(link: &Link, told: &PeerStatistics) -> PeerInfo {
    PeerInfo {
        id: PeerId(link.key.0),
        remote_public_key: link.remote_public_key,
        synced: told.synced,
        remote_fork: told.remote_fork,
        remote_length: told.remote_length,
        first_fork: told.first_fork,
        first_length: told.first_length,
        remote_contiguous_length: told.remote_contiguous_length,
        remote_uploading: told.remote_uploading,
        remote_downloading: told.remote_downloading,
        upload: told.upload,
        download: told.download,
        in_flight: told.in_flight,
        queued: told.queued,
        blocks_downloaded: told.blocks_downloaded,
        bytes_downloaded: told.bytes_downloaded,
        blocks_uploaded: told.blocks_uploaded,
        bytes_uploaded: told.bytes_uploaded,
        response_time: told.response_time,
    }
}
