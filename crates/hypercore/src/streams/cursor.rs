//! From block to block.
//!
//! Neighbours that are stored here are read in runs of bounded size, so that a small block costs little more than reading
//! it. A run is of one history: what a truncation has taken meanwhile is read again, or the cursor fails if it had given
//! some of it.

use std::collections::VecDeque;
use std::future::{Future as _, poll_fn};
use std::ops::Range;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::ahead::Ahead;
use super::{Moved, Step, past_the_end};
use crate::error::{Error, Result};
use crate::handle::Hypercore;

/// Bytes after which a run ends: reading them takes some tens of microseconds, for which other tasks can wait. One block
/// may have more.
const RUN_LEN_MAX: u64 = 64 * 1024;

/// The most blocks of a run.
const RUN_BLOCKS_MAX: u64 = 64;

/// Goes through the blocks of a log.
pub(super) struct Cursor {
    /// Of the session with which it ends.
    owner: Hypercore,
    log: Hypercore,
    /// The block after those in `ready`.
    next: u64,
    ready: VecDeque<Bytes>,
    step: Option<Step<Run>>,
    ahead: Ahead,
    history: History,
}

/// What a cursor depends on of the past.
#[derive(Clone, Copy)]
struct History {
    /// The fork whose blocks were read.
    fork: u64,
    /// Whether it matters what the blocks before the next one were.
    seen: bool,
}

impl History {
    /// Whether a cursor may read on at block `next` of `log`, and by which history.
    fn check(self, log: &Hypercore, next: u64) -> Result<Option<Moved>> {
        let moved = log.moved_since(self.fork)?;
        match moved {
            Some(Moved { kept, .. }) if self.seen && kept < next => Err(Error::rewritten(kept)),
            moved => Ok(moved),
        }
    }
}

/// Neighbours, in order.
struct Run {
    blocks: Vec<Bytes>,
    fork: u64,
}

impl Cursor {
    /// Begins before block `next` of `log`, which may be a snapshot of what the session of `owner` sees.
    pub(super) fn new(owner: &Hypercore, log: Hypercore, next: u64, prefetch: u64) -> Self {
        let history = History { fork: log.fork(), seen: false };
        let (owner, ahead) = (owner.clone(), Ahead::new(prefetch));
        Self { owner, log, next, ready: VecDeque::new(), step: None, ahead, history }
    }

    pub(super) const fn owner(&self) -> &Hypercore {
        &self.owner
    }

    pub(super) const fn log(&self) -> &Hypercore {
        &self.log
    }

    /// The block that comes next.
    pub(super) fn position(&self) -> u64 {
        self.next.saturating_sub(self.ready.len() as u64)
    }

    /// Goes on before block `next`, which was found by the history that the log had in `fork`.
    pub(super) fn move_to(&mut self, next: u64, fork: u64) {
        self.stop();
        (self.next, self.history) = (next, History { fork, seen: true });
    }

    /// Reads nothing more for now.
    pub(super) fn stop(&mut self) {
        self.step = None;
        self.ready.clear();
        self.ahead.forget();
    }

    /// The next block, if it is below `end`. No more than `len_max` bytes are needed from here on.
    ///
    /// After an error the same block comes next.
    pub(super) fn poll_next(
        &mut self,
        context: &mut Context<'_>,
        end: u64,
        len_max: u64,
    ) -> Poll<Result<Option<Bytes>>> {
        loop {
            if let Some(block) = self.ready.pop_front() {
                return Poll::Ready(Ok(Some(block)));
            }
            if self.step.is_none() && self.next >= end {
                return Poll::Ready(Ok(None));
            }
            let step = self.step.get_or_insert_with(|| {
                self.ahead.look(&self.log, self.next, end, len_max);
                let (owner, log, history) = (self.owner.clone(), self.log.clone(), self.history);
                let blocks = self.next..end.min(self.next.saturating_add(RUN_BLOCKS_MAX));
                let run = read_run(log, blocks, len_max.min(RUN_LEN_MAX), history);
                Box::pin(async move { owner.session_ref().until_end(run).await })
            });
            let run = ready!(step.as_mut().poll(context));
            self.step = None;
            let Run { blocks, fork } = run?;
            if fork != self.history.fork {
                self.ahead.forget();
            }
            self.history = History { fork, seen: true };
            self.next = self.next.saturating_add(blocks.len() as u64);
            self.ready.extend(blocks);
            // While these are taken, others are on their way.
            let read: usize = self.ready.iter().map(Bytes::len).sum();
            self.ahead.look(&self.log, self.next, end, len_max.saturating_sub(read as u64));
        }
    }
}

/// Reads the first of `blocks`, waiting for it, and after it what is stored here, up to about `len_max` bytes.
async fn read_run(
    log: Hypercore,
    blocks: Range<u64>,
    len_max: u64,
    mut history: History,
) -> Result<Run> {
    loop {
        let mut run = read_together(&log, blocks.clone(), len_max).await?;
        if run.is_empty() {
            run = read_singly(&log, blocks.clone(), len_max, history).await?;
        }
        if let Some(Moved { kept, fork }) = history.check(&log, blocks.start)? {
            // What was read before the truncation and is gone now, or what came in its place: nobody knows which.
            let good = kept.saturating_sub(blocks.start);
            run.truncate(usize::try_from(good).unwrap_or(usize::MAX));
            history.fork = fork;
        }
        if !run.is_empty() || blocks.is_empty() {
            return Ok(Run { blocks: run, fork: history.fork });
        }
    }
}

/// The first blocks of a range that can be read and decrypted with one call. What can not may be read singly, or is an
/// error there.
async fn read_together(log: &Hypercore, blocks: Range<u64>, len_max: u64) -> Result<Vec<Bytes>> {
    Hypercore::take_turn().await;
    let session = log.session_ref();
    let stored = session.inline(|view, cipher| {
        let run = blocks.clone().zip(view.get_run(blocks.clone(), len_max));
        let run = run.map_while(|(index, stored)| cipher.unseal(view.log(), index, stored).ok());
        Ok(run.collect::<Vec<_>>())
    })?;
    let mut run = Vec::with_capacity(stored.len());
    for (index, unsealed) in blocks.zip(stored) {
        match session.content(index, unsealed).await {
            Ok(block) => run.push(block),
            Err(error) if run.is_empty() => return Err(error),
            Err(_) => break,
        }
    }
    Ok(run)
}

/// Reads the first of `blocks`, waiting for it, and after it one after the other while they are stored here.
async fn read_singly(
    log: &Hypercore,
    blocks: Range<u64>,
    len_max: u64,
    history: History,
) -> Result<Vec<Bytes>> {
    let mut run = Vec::new();
    let mut len = 0_u64;
    for index in blocks {
        let block = match log.get_local(index).await {
            Ok(Some(block)) => block,
            Ok(None) if run.is_empty() => wait(log, index, history).await?,
            Err(error) if error.is_out_of_bounds() && run.is_empty() => {
                wait(log, index, history).await?
            }
            Err(error) if run.is_empty() => return Err(error),
            // Whatever it is, it comes first the next time.
            Ok(None) | Err(_) => break,
        };
        len = len.saturating_add(block.len() as u64);
        run.push(block);
        if len >= len_max {
            break;
        }
    }
    Ok(run)
}

/// Waits for a block. Fails if the log is truncated below it meanwhile.
async fn wait(log: &Hypercore, index: u64, history: History) -> Result<Bytes> {
    let mut changes = log.session_ref().view().changes(log.shared());
    let mut getting = pin!(past_the_end(log, || log.get(index)));
    loop {
        changes.mark_unchanged();
        history.check(log, index)?;
        let mut changed = pin!(changes.changed());
        let block = poll_fn(|context| match getting.as_mut().poll(context) {
            Poll::Ready(block) => Poll::Ready(Some(block)),
            // What is read keeps the sender alive.
            Poll::Pending => changed.as_mut().poll(context).map(|_| None),
        });
        if let Some(block) = block.await {
            return block;
        }
    }
}
