//! One log and its peers: what comes in, what goes out, and what one run does.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flat_tree::Index;
use hypercore_log::{Log, LogError};
use hypercore_merkle::Data;

use crate::download::{Changes, Download, Peers, Run, proof_len};
use crate::event::{Event, Evidence, LogChange, Output, Progress};
use crate::fault::{CloseReason, PeerFault};
use crate::limits::{EVENTS_MAX, LINGER, OUTPUT_KEPT};
use crate::message::{Extension, Message, NoData, RangeMessage};
use crate::options::{Options, PeerId, PeerOptions, WishId};
use crate::peer::Peer;
use crate::statistics::PeerStatistics;
use crate::sync::Interest;
use crate::upload::{Change, UploadContext, UploadProgress, UploadReport};
use crate::view::View;
use crate::wish::{RangeWish, UpgradeWish};

/// Serves one log to its peers, and fetches from them what is wished for.
///
/// It does nothing by itself. Messages of peers go in with [`receive`](Self::receive), which only queues; whenever
/// something went in, or the log changed, or a wish was made, [`run`](Self::run) does the work that is due, and then
/// [`next_output`](Self::next_output) and [`next_event`](Self::next_event) give what came of it.
#[derive(Debug)]
pub struct Replicator {
    allow_push: bool,
    peers: Peers,
    peers_made: u64,
    download: Download,
    /// Requests that peers have no answer to.
    refusals: VecDeque<(PeerId, NoData)>,
    changes: VecDeque<LogChange>,
    view: Option<View>,
    /// Whether somebody uses the log.
    is_active: bool,
    /// Since when nothing keeps this side interested in data.
    idle_since: Option<Duration>,
    outputs: VecDeque<Output>,
    /// The peer whose messages are being taken.
    speaking: Option<PeerId>,
    events: VecDeque<Event>,
}

impl Replicator {
    /// Without peers and wishes.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            allow_push: options.allow_push,
            peers: Peers::new(),
            peers_made: 0,
            download: Download::new(options),
            refusals: VecDeque::new(),
            changes: VecDeque::new(),
            view: None,
            is_active: true,
            idle_since: None,
            outputs: VecDeque::new(),
            speaking: None,
            events: VecDeque::new(),
        }
    }

    /// A channel of the log is open to a peer. The next [`run`](Self::run) greets it.
    pub fn add_peer(&mut self, options: PeerOptions) -> PeerId {
        self.peers_made = self.peers_made.saturating_add(1);
        let id = PeerId(self.peers_made);
        self.peers.insert(id, Peer::new(options));
        self.events.push_back(Event::PeerAdded(id));
        id
    }

    /// Its channel is closed. Others are asked for what it was asked for.
    pub fn remove_peer(&mut self, peer: PeerId) {
        if self.peers.remove(&peer).is_none() {
            return;
        }
        self.download.remove_peer(peer);
        self.refusals.retain(|(from, _)| *from != peer);
        self.events.push_back(Event::PeerRemoved(peer));
    }

    /// Changes what may pass between this side and the peer. What is in flight comes to its end.
    pub fn set_peer_options(&mut self, peer: PeerId, options: PeerOptions) {
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.options = options;
        }
    }

    /// The peers, with what is known of them.
    pub fn peers(&self) -> impl Iterator<Item = (PeerId, PeerStatistics)> {
        self.peers.iter().map(|(id, peer)| (*id, peer.statistics()))
    }

    /// What is known of one peer.
    #[must_use]
    pub fn peer(&self, peer: PeerId) -> Option<PeerStatistics> {
        self.peers.get(&peer).map(Peer::statistics)
    }

    /// Takes a message of a peer. Of one that is not there any more it is dropped.
    ///
    /// Costs little, and takes no more memory than the message: the work is done by the next [`run`](Self::run).
    ///
    /// # Errors
    /// [`PeerFault`]: the peer is to be removed and its channel closed.
    pub fn receive(&mut self, peer: PeerId, message: Message) -> Result<(), PeerFault> {
        let id = peer;
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        match message {
            Message::Sync(sync) => {
                let before = peer.remote.tell(sync);
                if before.is_none_or(|last| (last.fork, last.length) != (sync.fork, sync.length)) {
                    let (fork, length) = (sync.fork, sync.length);
                    peer.download.looked = None;
                    peer.download.tree_changed(Duration::ZERO);
                    self.events.push_back(Event::SyncChanged { peer: id, fork, length });
                }
            }
            Message::Request(request) => peer.upload.request(request)?,
            Message::Cancel(cancel) => peer.upload.cancel(cancel.request_id),
            Message::Data(data) => {
                peer.input_added(proof_len(&data.proof))?;
                self.download.receive(id, peer, *data);
            }
            Message::NoData(no_data) => {
                peer.input_added(0)?;
                self.refusals.push_back((id, no_data));
            }
            Message::Want(want) => peer.upload.want(&want),
            Message::Unwant(want) => peer.upload.unwant(&want),
            Message::Bitfield(bitfield) => {
                peer.holdings.bitfield(&bitfield);
                let count = (bitfield.words().count() as u64).saturating_mul(32);
                let end = bitfield.start().saturating_add(count);
                self.download.peer_told(peer, bitfield.start()..end);
            }
            Message::Range(range) => {
                let before = peer.holdings.contiguous_length();
                peer.holdings.range(&range);
                let RangeMessage { start, length, drop } = range;
                let blocks = start..start.saturating_add(length);
                if drop {
                    self.download.peer_dropped(peer, start);
                } else {
                    self.download.peer_told(peer, blocks);
                }
                let length = peer.holdings.contiguous_length();
                if length != before {
                    self.events.push_back(Event::RemoteContiguousLength { peer: id, length });
                }
            }
            Message::Extension(Extension { name, payload }) => {
                peer.input_added(payload.len())?;
                self.events.push_back(Event::Extension { peer: id, name, payload });
            }
        }
        Ok(())
    }

    /// Whether a peer should be read. It should not be while what it has sent waits for the next [`run`](Self::run), or
    /// for [room](Self::set_room), beyond what one peer may have waiting; nor while too many events wait.
    #[must_use]
    pub fn wants_input(&self, peer: PeerId) -> bool {
        let peer = self.peers.get(&peer);
        self.events.len() < EVENTS_MAX && peer.is_none_or(Peer::wants_input)
    }

    /// How many bytes of answers and announcements may be put out to a peer from now on; without room it is not told of
    /// changes either. Requests go out in any case: there are few.
    pub fn set_room(&mut self, peer: PeerId, bytes: usize) {
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.room = bytes;
        }
    }

    /// Sends something to the same extension at the peer. False when the peer is not there, or has no
    /// [room](Self::set_room).
    pub fn send_extension(&mut self, peer: PeerId, name: Arc<str>, payload: Bytes) -> bool {
        let Some(peer) = self.peers.get_mut(&peer).filter(|peer| peer.room > 0) else {
            return false;
        };
        peer.room = peer.room.saturating_sub(payload.len());
        peer.output.push_back(Message::Extension(Extension { name, payload }));
        true
    }

    /// What goes out next.
    pub fn next_output(&mut self) -> Option<Output> {
        if let Some(output) = self.outputs.pop_front() {
            return Some(output);
        }
        loop {
            // The one that spoke last may be gone.
            if let Some(id) = self.speaking
                && let Some(peer) = self.peers.get_mut(&id)
            {
                if let Some(message) = peer.output.pop_front() {
                    return Some(Output::Send { peer: id, message });
                }
                peer.output.shrink_to(OUTPUT_KEPT);
            }
            let mut speakers = self.peers.iter().filter(|(_, peer)| !peer.output.is_empty());
            self.speaking = Some(*speakers.next()?.0);
        }
    }

    /// What happened next.
    pub fn next_event(&mut self) -> Option<Event> {
        if let Some((wish, outcome)) = self.download.wishes.next_done() {
            return Some(Event::WishDone { wish, outcome });
        }
        let event = self.events.pop_front();
        if let Some(Event::Extension { peer, payload, .. }) = &event
            && let Some(peer) = self.peers.get_mut(peer)
        {
            peer.input_removed(payload.len());
        }
        event
    }

    /// The owner changed the log. The next [`run`](Self::run) tells the peers.
    pub fn log_changed(&mut self, change: LogChange) {
        self.changes.push_back(change);
    }

    /// Whether somebody uses the log, which is so at first. Once nobody does, nothing is wished for and nothing in
    /// flight, peers are told so after 30 seconds, and channels are closed whose other end wants nothing either.
    pub const fn set_active(&mut self, active: bool) {
        self.is_active = active;
    }

    /// Wishes for a block. Those with a higher priority are asked for first; 1 is that of a reader who waits.
    pub fn want_block(&mut self, index: u64, priority: u64) -> WishId {
        self.download.wishes.add_block(index, priority)
    }

    /// Wishes for many blocks.
    pub fn want_range(&mut self, range: RangeWish) -> WishId {
        self.download.wishes.add_range(range)
    }

    /// Wishes for a longer log.
    pub fn want_upgrade(&mut self, wish: UpgradeWish) -> WishId {
        self.download.wishes.add_upgrade(wish)
    }

    /// Wishes to know which block holds byte `bytes`, where the first `padding` bytes of each do not count.
    pub fn want_seek(&mut self, bytes: u64, padding: u64) -> WishId {
        self.download.wishes.add_seek(bytes, padding)
    }

    /// Wishes for a node of the tree.
    pub fn want_hash(&mut self, index: Index) -> WishId {
        self.download.wishes.add_hash(index)
    }

    /// Takes a wish back. It will not end with an event, unless it did already.
    pub fn cancel(&mut self, wish: WishId) {
        self.download.cancel(&mut self.peers, wish);
    }

    /// Whether the own stores failed, so that nothing is fetched any more; an
    /// [event](Event::StorageFailed) has told of it.
    #[must_use]
    pub const fn has_failed(&self) -> bool {
        self.download.has_failed
    }

    /// Two histories of the log in its present fork, if they were found: by a peer's proof, or before, where the
    /// evidence [is kept with the log](Log::freeze). Peers are shown both and turned away.
    #[must_use]
    pub const fn conflict(&self) -> Option<&Evidence> {
        self.download.conflict.as_ref()
    }

    /// Does the work that is due: verifies and stores answers, tells peers what is new, answers them, asks them.
    ///
    /// `log` must be the same each time, and `now` not less than before; it counts from anywhere.
    ///
    /// # Durability
    /// What is stored is as durable as the log was opened for. Peers are told nothing that a power cut could take back
    /// from a log that can sign.
    pub fn run(&mut self, log: &Log, now: Duration) -> Progress {
        self.download.recall_conflict(log);
        if self.download.conflict.is_some() {
            self.tell_conflict();
            return Progress::Idle;
        }
        let before = self.view;
        let mut events = std::mem::take(&mut self.events);
        let mut run =
            Run { log, view: View::of(log, before), now, events: &mut events, faults: Vec::new() };
        let progress = self.work(before, &mut run);
        self.view = Some(run.view);
        let faults = std::mem::take(&mut run.faults);
        self.events = events;
        for (id, fault) in faults {
            self.close(id, CloseReason::Fault(fault));
        }
        if self.download.conflict.is_some() {
            self.tell_conflict();
        }
        progress
    }

    fn work(&mut self, before: Option<View>, run: &mut Run<'_>) -> Progress {
        let (cut, mut notes) = self.own_changes(before, run);
        if let Some(cut) = cut {
            self.download.log_was_cut(&mut self.peers, cut);
        }
        let mut changes = Changes::default();
        for (id, no_data) in std::mem::take(&mut self.refusals) {
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.input_removed(0);
            }
            self.download.refused(id, no_data.request_id, &mut self.peers, run);
        }
        let is_ahead = self.download.plan_ahead(&mut self.peers, run).unwrap_or_else(|error| {
            self.download.fail(error, run);
            false
        });
        if is_ahead {
            for peer in self.peers.values_mut() {
                notes.iter().for_each(|change| peer.upload.note(change));
            }
            // What is asked for goes out first.
            return Progress::More;
        }
        if self.download.has_input() {
            let old = run.view;
            self.download.take_answers(&mut self.peers, run, &mut changes);
            run.view = View::of(run.log, Some(old));
            if let Some(at) = changes.cut {
                notes.push(Change::Dropped(at..old.length.max(at)));
                self.download.log_was_cut(&mut self.peers, at);
            }
            if !changes.stored.is_empty() {
                self.peers.values_mut().for_each(|peer| peer.own.nodes_stored());
            }
            notes.extend(changes.stored.into_iter().map(Change::Held));
        }
        for peer in self.peers.values_mut() {
            notes.iter().for_each(|change| peer.upload.note(change));
        }
        // Whatever is wrong with the own log, others are served as well as can be.
        if let Err(error) = self.look_at_wishes(run) {
            self.download.fail(error, run);
        }
        let progress = self.serve(run);
        let is_cut_short = self.download.plan(&mut self.peers, run).unwrap_or_else(|error| {
            self.download.fail(error, run);
            false
        });
        if is_cut_short {
            return Progress::More;
        }
        let deadline = self.deadline(run);
        match (progress, deadline) {
            (UploadProgress::More, _) => Progress::More,
            (UploadProgress::Until(one), Some(other)) => Progress::Until(one.min(other)),
            (UploadProgress::Until(time), None) | (UploadProgress::Idle, Some(time)) => {
                Progress::Until(time)
            }
            (UploadProgress::Idle, None) => Progress::Idle,
        }
    }

    /// What the owner did to the log since the last run: where it was cut, and what to tell of it.
    fn own_changes(&mut self, before: Option<View>, run: &Run<'_>) -> (Option<u64>, Vec<Change>) {
        let mut notes = Vec::new();
        let Some(before) = before else {
            self.changes.clear();
            return (None, notes);
        };
        let mut cut: Option<u64> = None;
        for change in std::mem::take(&mut self.changes) {
            match change {
                LogChange::Appended => {}
                LogChange::Truncated { length } => {
                    cut = Some(cut.map_or(length, |cut| cut.min(length)));
                }
                LogChange::Cleared(blocks) => notes.push(Change::Dropped(blocks)),
            }
        }
        if run.view.fork != before.fork {
            let stays = cut.unwrap_or(0).min(before.length);
            notes.push(Change::Dropped(stays..before.length));
            cut = Some(stays);
        } else {
            cut = None;
        }
        let from = cut.unwrap_or(before.length);
        if run.view.length > from {
            notes.push(Change::Held(from..run.view.length));
            self.download.wishes.appended(from..run.view.length);
        }
        (cut, notes)
    }

    fn look_at_wishes(&mut self, run: &Run<'_>) -> Result<(), LogError> {
        let (peers, view) = (&self.peers, run.view);
        let nothing_new = || {
            peers.values().filter(|peer| peer.options.download).all(|peer| {
                let remote = &peer.remote;
                let is_longer = remote.fork() == view.fork
                    && remote.length() > view.length
                    && (remote.can_upgrade() || remote.acknowledged() != view.length);
                let is_newer = remote.fork() > view.fork && remote.length() > 0;
                remote.is_known() && !(remote.uploading() && (is_longer || is_newer))
            })
        };
        self.download.wishes.look(run.log, &view, nothing_new)
    }

    /// Tells each peer what is new and answers it.
    fn serve(&mut self, run: &mut Run<'_>) -> UploadProgress {
        let wants_data = self.is_active
            || !self.download.wishes.is_empty()
            || self.download.requests.count() > 0;
        if wants_data {
            self.idle_since = None;
        }
        let is_at_rest = self.download.wishes.is_empty() && self.download.requests.count() == 0;
        let idle_since =
            if wants_data { None } else { Some(*self.idle_since.get_or_insert(run.now)) };
        let downloading = idle_since.is_none_or(|since| run.now < since.saturating_add(LINGER));
        let mut progress = UploadProgress::Idle;
        let mut idle = Vec::new();
        for (id, peer) in &mut self.peers {
            if is_at_rest {
                self.download.rest(peer);
            }
            let context = UploadContext {
                log: run.log,
                view: run.view,
                remote: &peer.remote,
                holdings: &peer.holdings,
                enabled: peer.options.upload,
                now: run.now,
            };
            if peer.is_greeted {
                peer.upload.announce_drops(&context, &mut peer.room, &mut peer.output);
            }
            let interest = Interest {
                uploading: peer.options.upload,
                downloading,
                // A log that has blocks must have seen an upgrade first: JavaScript sends what was pushed before from 0.
                allow_push: self.allow_push
                    && downloading
                    && peer.options.download
                    && (run.view.length == 0 || peer.download.has_upgraded),
            };
            // Who does not read gets one when it does, and not all that were due in between.
            if peer.room > 0
                && let Some(sync) = peer.own.due(run.log, &run.view, &peer.remote, interest)
            {
                peer.output.push_back(Message::Sync(sync));
            }
            peer.is_greeted = true;
            let mut report = UploadReport::default();
            match peer.upload.run(&context, &mut peer.room, &mut peer.output, &mut report) {
                Ok(step) => progress = sooner(progress, step),
                Err(fault) => run.faults.push((*id, fault)),
            }
            for (index, bytes) in report.blocks {
                peer.blocks_sent = peer.blocks_sent.saturating_add(1);
                peer.bytes_sent = peer.bytes_sent.saturating_add(bytes);
                run.events.push_back(Event::Uploaded { index, bytes, peer: *id });
            }
            if let Some(error) = report.failure {
                run.events.push_back(Event::StorageFailed { error: error.into() });
            }
            if !interest.downloading && peer.remote.is_known() && !peer.remote.downloading() {
                idle.push(*id);
            }
        }
        for id in idle {
            self.close(id, CloseReason::Idle);
        }
        progress
    }

    fn deadline(&self, run: &Run<'_>) -> Option<Duration> {
        let lingers = self.idle_since.map(|since| since.saturating_add(LINGER));
        let lingers = lingers.filter(|until| *until > run.now && !self.peers.is_empty());
        self.download.deadline(&self.peers, run.now).into_iter().chain(lingers).min()
    }

    /// Closes a peer's channel, behind what was said to it.
    fn close(&mut self, id: PeerId, reason: CloseReason) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let said = std::mem::take(&mut peer.output).into_iter();
        self.outputs.extend(said.map(|message| Output::Send { peer: id, message }));
        self.outputs.push_back(Output::Close { peer: id, reason });
        self.remove_peer(id);
    }

    /// Shows everyone both proofs, and closes all channels.
    ///
    /// # Source
    /// wire.md section 7.8.
    fn tell_conflict(&mut self) {
        let Some(evidence) = &self.download.conflict else { return };
        // Whichever history a peer has, one of them contradicts it.
        for peer in self.peers.values_mut() {
            for proof in [&evidence.own, &evidence.other] {
                let data = Data { request_id: 0, proof: proof.clone() };
                peer.output.push_back(Message::Data(Box::new(data)));
            }
        }
        let ids: Vec<PeerId> = self.peers.keys().copied().collect();
        for id in ids {
            self.close(id, CloseReason::Conflict);
        }
    }
}

/// What comes first.
fn sooner(one: UploadProgress, other: UploadProgress) -> UploadProgress {
    match (one, other) {
        (UploadProgress::More, _) | (_, UploadProgress::More) => UploadProgress::More,
        (UploadProgress::Until(one), UploadProgress::Until(other)) => {
            UploadProgress::Until(one.min(other))
        }
        (UploadProgress::Idle, other) => other,
        (one, UploadProgress::Idle) => one,
    }
}
