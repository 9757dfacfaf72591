//! One log's replicator as an actor: what it is told goes into an inbox, and one blocking worker at a
//! time empties it.
//!
//! Connections, handles and the log itself push commands and never wait. A worker starts when there is
//! something to do and ends when there is not, so an idle log costs no thread. Knows when work is done;
//! what is done is in [`State`].

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hypercore_replication::{LogChange, Message, PeerOptions, Progress};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::control::Order;
use super::link::{Link, LinkKey};
use super::mailbox::Mail;
use super::peers::{Counters, PeerInfo, Traffic};
use super::state::{State, Worked};
use super::wish::{Answer, Wish, WishKey};
use crate::shared::Shared;

/// How often a worker that has nothing to do lets others run before it ends: connections it has just
/// given answers to are about to bring the next requests.
const LINGER_TURNS: u32 = 16;

/// What a worker is told.
pub(crate) enum Command {
    AddPeer(Arc<Link>, PeerOptions),
    RemovePeer(LinkKey),
    Messages(LinkKey, Vec<Mail<Message>>),
    /// There is room again in the mailbox of a peer.
    Room(LinkKey),
    Log(LogChange),
    Wish(WishKey, Wish, Answer),
    Cancel(WishKey),
    Peers(oneshot::Sender<Vec<PeerInfo>>),
    /// Something for an extension of one peer.
    Extension(LinkKey, Arc<str>, Bytes),
    SetUpload(LinkKey, bool),
    SetDownload(LinkKey, bool),
}

struct Inbox {
    commands: VecDeque<Command>,
    /// The log has grown, however often since it was said the last time.
    appended: bool,
    /// A worker runs, or is about to.
    running: bool,
    /// Somebody wants to know when the log grows: a peer, or a wish.
    engaged: bool,
    /// The log was closed: nothing is done any more.
    closed: bool,
    /// Those who wait have been told so.
    ended: bool,
    /// When a worker was asked to start by itself.
    alarm: Option<Duration>,
}

/// The replication of one log.
pub(crate) struct Exchange {
    inbox: Mutex<Inbox>,
    /// Locked by the worker alone, a round at a time.
    state: Mutex<State>,
    began: Instant,
    next_key: AtomicU64,
    /// Counts up whenever the log may have changed.
    changes: watch::Sender<u64>,
    /// Counts up whenever this handle, and no peer, has changed the log.
    writes: watch::Sender<u64>,
    finding: AtomicUsize,
    counters: Counters,
    /// The latest fork that any peer has told of, and its length there, also if that peer is gone.
    newest_told: Mutex<(u64, u64)>,
}

impl Exchange {
    pub(crate) fn new() -> Self {
        let mut seed = [0; 8];
        if getrandom::fill(&mut seed).is_err() {
            // Only choices that any value would serve come from it.
            seed = [0; 8];
        }
        let seed = u64::from_le_bytes(seed);
        Self {
            inbox: Mutex::new(Inbox {
                commands: VecDeque::new(),
                appended: false,
                running: false,
                engaged: false,
                closed: false,
                ended: false,
                alarm: None,
            }),
            state: Mutex::new(State::new(seed)),
            began: Instant::now(),
            next_key: AtomicU64::new(1),
            changes: watch::Sender::new(0),
            writes: watch::Sender::new(0),
            finding: AtomicUsize::new(0),
            counters: Counters::default(),
            newest_told: Mutex::default(),
        }
    }

    /// A number that no link and no wish of this log has had.
    pub(crate) fn next_key(&self) -> u64 {
        self.next_key.fetch_add(1, Ordering::Relaxed)
    }

    /// Changes whenever the log may have.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Changes whenever the log was changed here. What peers bring is none of it: whoever wished for that is told.
    pub(crate) fn writes(&self) -> watch::Receiver<u64> {
        self.writes.subscribe()
    }

    pub(crate) fn traffic(&self) -> Traffic {
        self.counters.sum()
    }

    /// A peer has told of so many blocks of a fork.
    pub(crate) fn told_of(&self, fork: u64, length: u64) {
        let mut newest = self.newest_told.lock().unwrap_or_else(PoisonError::into_inner);
        *newest = (*newest).max((fork, length));
    }

    /// The latest fork that any peer has told of since the log was opened, and the most blocks of it.
    pub(crate) fn newest_told(&self) -> (u64, u64) {
        *self.newest_told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many wishes wait for peers; `None` while the worker is at work.
    pub(crate) fn wishes(&self) -> Option<usize> {
        self.state.try_lock().ok().map(|state| state.wishes())
    }

    pub(crate) fn finding(&self) -> &AtomicUsize {
        &self.finding
    }

    /// Takes nothing more.
    fn close(&self) {
        let mut inbox = self.lock();
        inbox.closed = true;
        let commands = std::mem::take(&mut inbox.commands);
        drop(inbox);
        turn_away(commands);
        self.changed();
    }

    /// Lets go of everything, for good.
    fn end(&self, state: &mut State) {
        self.close();
        state.end();
        let mut inbox = self.lock();
        (inbox.running, inbox.ended) = (false, true);
    }

    /// Has those who wait for the log to change look again.
    pub(crate) fn changed(&self) {
        count_up(&self.changes);
    }

    /// Everything is moved in and out in single steps, so a panic elsewhere spoils nothing.
    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives the worker of `shared` something to do; `false` when the log was closed.
pub(crate) fn push(shared: &Arc<Shared>, command: Command) -> bool {
    let mut inbox = shared.exchange().lock();
    if inbox.closed {
        return false;
    }
    inbox.commands.push_back(command);
    start(shared, inbox);
    true
}

/// Tells those who listen, and the worker of `shared`, that its owner changed the log.
pub(crate) fn log_changed(shared: &Arc<Shared>, change: LogChange) {
    shared.tell_changes();
    let Some(exchange) = shared.exchange_if_any() else { return };
    exchange.changed();
    count_up(&exchange.writes);
    let mut inbox = exchange.lock();
    if inbox.closed {
        return;
    }
    if change != LogChange::Appended {
        inbox.commands.push_back(Command::Log(change));
    } else if inbox.engaged || inbox.running {
        inbox.appended = true;
    } else {
        return;
    }
    start(shared, inbox);
}

fn count_up(counter: &watch::Sender<u64>) {
    counter.send_modify(|count| *count = count.wrapping_add(1));
}

/// The log was closed: wishes end without an outcome, and channels close.
pub(crate) fn close(shared: &Arc<Shared>) {
    if let Some(exchange) = shared.exchange_if_any() {
        exchange.close();
        start(shared, exchange.lock());
    }
}

/// The log was closed before these were obeyed. Who came to it hears so; whatever waits for an answer sees that none
/// will come.
fn turn_away(commands: VecDeque<Command>) {
    for command in commands {
        if let Command::AddPeer(link, _) = command {
            link.letters.order(Order::LogGone(link.channel));
        }
    }
}

/// Starts a worker unless one runs.
fn start(shared: &Arc<Shared>, mut inbox: MutexGuard<'_, Inbox>) {
    if std::mem::replace(&mut inbox.running, true) {
        return;
    }
    drop(inbox);
    let worker = Worker { shared: Arc::clone(shared), ended: false };
    drop(shared.runtime().spawn_blocking(move || worker.run()));
}

/// Starts a worker at a time, unless one has been asked for earlier.
fn set_alarm(shared: &Arc<Shared>, at: Duration) {
    let (log, began) = (Arc::downgrade(shared), shared.exchange().began);
    drop(shared.runtime().spawn(async move {
        if let Some(at) = began.checked_add(at) {
            tokio::time::sleep_until(at).await;
        }
        if let Some(shared) = log.upgrade() {
            let mut inbox = shared.exchange().lock();
            inbox.alarm = None;
            if !inbox.closed {
                start(&shared, inbox);
            }
        }
    }));
}

/// A worker, which holds the log while it works. Dropped before it has ended, it ends everything.
struct Worker {
    shared: Arc<Shared>,
    ended: bool,
}

impl Worker {
    fn run(mut self) {
        loop {
            let progress = self.round();
            if progress != Progress::More && !self.linger() && self.end(progress) {
                return;
            }
        }
    }

    /// Lets others run for a moment. Whether something has come.
    fn linger(&self) -> bool {
        (0..LINGER_TURNS).any(|_| {
            std::thread::yield_now();
            self.shared.exchange().lock().has_work()
        })
    }

    /// Ends unless something has come.
    fn end(&mut self, progress: Progress) -> bool {
        let mut inbox = self.shared.exchange().lock();
        if inbox.has_work() {
            return false;
        }
        inbox.running = false;
        self.ended = true;
        if let Progress::Until(at) = progress
            && inbox.alarm.is_none_or(|set| at < set)
        {
            inbox.alarm = Some(at);
            drop(inbox);
            set_alarm(&self.shared, at);
        }
        true
    }

    /// Does what was asked for up to now, and some of what it leads to.
    fn round(&self) -> Progress {
        let exchange = self.shared.exchange();
        let (mut commands, appended) = exchange.lock().take();
        let mut state = exchange.state.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = self.shared.announce_long();
        turn.wait();
        let progress = self.shared.with_log(|log| {
            let appended = appended.then_some(Command::Log(LogChange::Appended));
            for command in std::mem::take(&mut commands).into_iter().chain(appended) {
                if let Command::RemovePeer(key) = &command
                    && state.has_heard(*key)
                {
                    // What it sent before it went counts.
                    let _ = state.work(log, exchange.began.elapsed());
                }
                state.obey(command);
            }
            let progress = state.work(log, exchange.began.elapsed());
            state.keep_evidence(log);
            progress
        });
        drop(turn);
        let Some(progress) = progress else {
            turn_away(commands);
            exchange.end(&mut state);
            return Progress::Idle;
        };
        let Worked { wrote, changed, traffic } = state.deliver(&self.shared);
        exchange.counters.add(&traffic);
        let engaged = state.is_engaged();
        drop(state);
        exchange.lock().engaged = engaged;
        if wrote {
            self.shared.wrote();
        }
        if changed {
            exchange.changed();
        }
        progress
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if !self.ended {
            // The runtime is gone, or something below panicked.
            let exchange = self.shared.exchange();
            exchange.end(&mut exchange.state.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

impl Inbox {
    fn has_work(&self) -> bool {
        self.appended || !self.commands.is_empty() || (self.closed && !self.ended)
    }

    fn take(&mut self) -> (VecDeque<Command>, bool) {
        (std::mem::take(&mut self.commands), std::mem::take(&mut self.appended))
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use hypercore_crypto::Side;
    use hypercore_replication::Connection;

    use super::*;
    use crate::{Hypercore, Storage};

    /// A peer that comes while the log is being closed hears that it is gone: nobody else would tell its connection.
    #[test]
    fn who_comes_while_the_log_closes_hears_that_it_is_gone() {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let log = runtime.block_on(Hypercore::open(Storage::memory())).unwrap();
        let shared = log.shared();
        let mut connection =
            Connection::new(Side::Initiator, &[0; 64], protomux::Options::default());
        let channel = connection.open(&log.key()).unwrap();
        let come = |number| {
            let letters = Arc::new(super::super::link::Letters::new());
            let link = Link::new(LinkKey(number), channel, Arc::clone(&letters), None);
            assert!(push(shared, Command::AddPeer(Arc::new(link), PeerOptions::new())));
            letters
        };

        // The worker is held up: one peer is in its hands, the other one waits.
        let held_up = shared.exchange().state.lock().unwrap();
        let first = come(1);
        while !shared.exchange().lock().commands.is_empty() {
            std::thread::yield_now();
        }
        let second = come(2);
        runtime.block_on(log.close()).unwrap();
        drop(held_up);

        for letters in [first, second] {
            let heard = (0..5000).any(|_| {
                std::thread::sleep(Duration::from_millis(1));
                letters.take_order().is_some()
            });
            assert!(heard);
        }
    }
}
