//! Appends on their way to a blocking thread: those that wait together are written together.
//!
//! One thread at a time serves the queue. While it writes and syncs, others gather, and become its
//! next batch: one signature, one oplog entry, one round of syncs for all of them. Blocks keep the
//! order in which they were asked for, the blocks of one append stay together, and each caller hears
//! of its own. Knows nothing of the engine: writing is an argument.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::info::Appended;

/// The most blocks that appends are put together to. The nodes of so many still fit into one oplog
/// entry, so that no third file has to be synced. An append of more blocks is written alone.
const TOGETHER_BLOCKS_MAX: usize = 200;

/// The most bytes that appends are put together to.
const TOGETHER_LEN_MAX: usize = 1024 * 1024;

/// How often a thread that has served all lets others run before it believes that nothing follows:
/// callers it has just answered are about to append again, and would each start a round of their own.
pub(crate) const LINGER_TURNS: u32 = 16;

type Answer = oneshot::Sender<Result<Appended>>;

/// What tells which appends may become one batch.
pub(crate) trait Mergeable {
    /// Whether what comes from here may be written together with what comes from `other`.
    fn goes_with(&self, other: &Self) -> bool;
}

/// One append that waits for its turn.
struct Waiting<L> {
    /// Held until the append is written, and not any longer: callers that have their answer may drop
    /// the log and open it again.
    log: L,
    batch: Batch,
    answer: Answer,
}

/// Appends that are written as one batch.
struct Together<L> {
    log: L,
    asked: Vec<(Batch, Answer)>,
}

struct State<L> {
    waiting: VecDeque<Waiting<L>>,
    /// Whether some thread serves the queue, or is about to.
    served: bool,
}

/// The appends that wait. `L` says where they come from, which is one log for all of them.
pub(crate) struct Queue<L> {
    state: Mutex<State<L>>,
}

/// What [`Queue::push`] gives.
pub(crate) struct Pushed {
    /// Where the answer comes. It ends without one when the thread that wrote the batch panicked.
    pub(crate) answer: oneshot::Receiver<Result<Appended>>,
    /// Nobody serves the queue: the caller must see to it that somebody does.
    pub(crate) unserved: bool,
}

impl<L: Mergeable> Queue<L> {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new(State { waiting: VecDeque::new(), served: false }) }
    }

    /// Puts an append behind all others.
    pub(crate) fn push(&self, log: L, batch: Batch) -> Pushed {
        let (answer, receiver) = oneshot::channel();
        let mut state = self.lock();
        state.waiting.push_back(Waiting { log, batch, answer });
        let unserved = !std::mem::replace(&mut state.served, true);
        Pushed { answer: receiver, unserved }
    }

    /// Writes what waits with `write`, batch after batch, until nothing does and nothing has come for
    /// `linger_turns`.
    pub(crate) fn serve(
        &self,
        linger_turns: u32,
        mut write: impl FnMut(L, &[&[u8]]) -> Result<Appended>,
    ) {
        let mut answered = 0;
        while let Some(together) = self.take(answered, linger_turns) {
            answered = together.asked.len();
            let mut blocks = Vec::new();
            for (batch, _) in &together.asked {
                batch.push_slices(&mut blocks);
            }
            let result = write(together.log, &blocks);
            drop(blocks);
            answer(together.asked, result);
        }
    }

    /// Answers all that wait with `error`; the next append needs somebody to serve it again.
    pub(crate) fn give_up(&self, error: &Error) {
        let mut state = self.lock();
        state.served = false;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        for waiting in waiting {
            // Whoever asked may not be there any more.
            let _ = waiting.answer.send(Err(error.clone()));
        }
    }

    /// The next appends to write together; without any, the queue is not served any more.
    fn take(&self, answered: usize, linger_turns: u32) -> Option<Together<L>> {
        let mut turns = 0;
        let mut state = self.lock();
        while state.waiting.len() < answered && turns < linger_turns {
            drop(state);
            std::thread::yield_now();
            turns = turns.saturating_add(1);
            state = self.lock();
        }
        let Some(Waiting { log, batch, answer }) = state.waiting.pop_front() else {
            state.served = false;
            return None;
        };
        let (mut blocks, mut len) = (batch.count(), batch.len());
        let mut asked = vec![(batch, answer)];
        while let Some(next) = state.waiting.pop_front_if(|next| {
            blocks = blocks.saturating_add(next.batch.count());
            len = len.saturating_add(next.batch.len());
            blocks <= TOGETHER_BLOCKS_MAX && len <= TOGETHER_LEN_MAX && log.goes_with(&next.log)
        }) {
            asked.push((next.batch, next.answer));
        }
        Some(Together { log, asked })
    }

    /// Everything is moved in and out in single steps, so a panic elsewhere spoils nothing.
    fn lock(&self) -> MutexGuard<'_, State<L>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells every caller what became of its own blocks.
fn answer(asked: Vec<(Batch, Answer)>, result: Result<Appended>) {
    let mut end = result.as_ref().map_or(0, |all| {
        let content: usize = asked.iter().map(|(batch, _)| batch.len()).sum();
        all.byte_length.saturating_sub(content as u64)
    });
    let mut first = result.as_ref().map_or(0, |all| all.first);
    for (batch, answer) in asked {
        let length = first.saturating_add(batch.count() as u64);
        end = end.saturating_add(batch.len() as u64);
        let own = result.clone().map(|_| Appended { first, length, byte_length: end });
        first = length;
        // Whoever asked may not be there any more.
        let _ = answer.send(own);
    }
}

impl<L> fmt::Debug for Queue<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}
