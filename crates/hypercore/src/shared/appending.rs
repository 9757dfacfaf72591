//! Appends: on this thread where that is short, else through the queue.

use std::sync::{Arc, PoisonError};

use hypercore_log::{AppendOptions, Durability, Log, LogError};
use hypercore_replication::LogChange;

use super::Shared;
use crate::batch::Batch;
use crate::encryption::Cipher;
use crate::error::{Error, Result};
use crate::info::Appended;
use crate::queue::{LINGER_TURNS, Mergeable, Queue};
use crate::replication::exchange;
use crate::turns::LongTurn;

/// How the blocks of an append become those that are stored, and who signs them. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Manner {
    pub(crate) cipher: Arc<Cipher>,
    /// None for the log's own key pair and no limits.
    pub(crate) options: Option<Arc<AppendOptions>>,
}

impl Manner {
    /// Appends blocks to `log`.
    fn append<B: AsRef<[u8]>>(&self, log: &Log, blocks: &[B]) -> Result<Appended> {
        self.cipher.append(log, blocks, self.options())
    }

    pub(crate) fn options(&self) -> &AppendOptions {
        const OWN: &AppendOptions = &AppendOptions::new();
        self.options.as_deref().unwrap_or(OWN)
    }
}

/// Where an append comes from.
#[derive(Debug)]
pub(crate) struct Origin {
    shared: Arc<Shared>,
    manner: Manner,
}

impl Origin {
    pub(crate) fn new(shared: Arc<Shared>, manner: Manner) -> Self {
        Self { shared, manner }
    }
}

impl Mergeable for Origin {
    /// Appends that are encrypted and signed in the same way may be one batch. Options that were made for
    /// one append are nobody else's.
    fn goes_with(&self, other: &Self) -> bool {
        let same_options = match (&self.manner.options, &other.manner.options) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        same_options && Arc::ptr_eq(&self.manner.cipher, &other.manner.cipher)
    }
}

impl Shared {
    /// Appends few small blocks on this thread; `None` when that could take long: it would sync, or
    /// wait for a write that does.
    pub(crate) fn append_inline<B: AsRef<[u8]>>(
        self: &Arc<Self>,
        manner: &Manner,
        blocks: &[B],
    ) -> Option<Result<Appended>> {
        if self.durability != Durability::Eventual || self.background.is_tail_long() {
            return None;
        }
        let turn = self.turns.try_short()?;
        let result = self.inline(|log| manner.append(log, blocks));
        drop(turn);
        if result.is_ok() {
            self.background.wrote_inline(self, blocks.len());
            exchange::log_changed(self, LogChange::Appended);
        }
        Some(result)
    }

    /// Appends blocks on a blocking thread, together with what others append meanwhile. Once asked
    /// for it runs to its end, also when the future is dropped.
    pub(crate) async fn append_queued(origin: Origin, batch: Batch) -> Result<Appended> {
        let pushed = {
            let shared = Arc::clone(&origin.shared);
            if shared.is_closed() {
                return Err(Error::closed());
            }
            let pushed = shared.queue.push(origin, batch);
            if pushed.unserved {
                let (queue, turn) = (Arc::clone(&shared.queue), shared.turns.announce_long());
                let linger_turns = shared.linger_turns();
                let serving = Serving { queue, turn, linger_turns, served: false };
                drop(shared.runtime.spawn_blocking(move || serving.serve()));
            }
            pushed
        };
        // Without an answer the thread panicked in the middle of a write.
        pushed.answer.await.unwrap_or_else(|_| Err(LogError::Poisoned.into()))
    }

    /// Where nobody waits for a sync, a thread that lingers only keeps short writes from running inline.
    fn linger_turns(&self) -> u32 {
        if self.durability == Durability::Immediate { LINGER_TURNS } else { 0 }
    }
}

/// Serves the queue of appends. Dropped before it has, it tells those who wait.
#[derive(Debug)]
struct Serving {
    queue: Arc<Queue<Origin>>,
    turn: LongTurn,
    linger_turns: u32,
    served: bool,
}

impl Serving {
    fn serve(mut self) {
        self.turn.wait();
        self.queue.serve(self.linger_turns, |Origin { shared, manner }, blocks| {
            let result = {
                let log = shared.log.read().unwrap_or_else(PoisonError::into_inner);
                log.as_ref().ok_or_else(Error::closed).and_then(|log| manner.append(log, blocks))
            };
            if result.is_ok() {
                shared.wrote();
                exchange::log_changed(&shared, LogChange::Appended);
            }
            result
        });
        self.served = true;
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if self.served {
            return;
        }
        let panicked = std::thread::panicking();
        let error = if panicked { LogError::Poisoned.into() } else { Error::runtime_gone() };
        self.queue.give_up(&error);
    }
}
