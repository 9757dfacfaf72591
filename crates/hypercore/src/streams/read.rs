//! Blocks, one after the other.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::{FusedStream, Stream};

use super::cursor::Cursor;
use super::options::ReadStreamOptions;
use super::{Step, begin};
use crate::error::Result;
use crate::handle::Hypercore;

/// The blocks of a log one after the other; see [`Hypercore::read_stream`].
///
/// It ends after an error; [`position`](Self::position) tells where another one would have to begin. Memory: a run of
/// neighbouring blocks of some 64 KiB, or one block if that is larger. Dropping it takes back what it asked peers for.
#[must_use = "nothing is read before it is polled"]
pub struct ReadStream {
    /// Of the session that the stream belongs to.
    log: Hypercore,
    options: ReadStreamOptions,
    state: State,
}

enum State {
    New,
    Beginning(Step<Hypercore>),
    Reading(Cursor, End),
    /// Before this block.
    Ended(u64),
}

/// Before which block it ends.
#[derive(Clone, Copy)]
enum End {
    At(u64),
    /// Once it has caught up with the log.
    CaughtUp,
    Never,
}

impl ReadStream {
    pub(super) const fn new(log: Hypercore, options: ReadStreamOptions) -> Self {
        Self { log, options, state: State::New }
    }

    /// The next block; `None` at the end. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<Bytes>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// The index of the block that comes next.
    #[must_use]
    pub fn position(&self) -> u64 {
        match &self.state {
            State::New | State::Beginning(_) => self.options.start,
            State::Reading(cursor, _) => cursor.position(),
            State::Ended(position) => *position,
        }
    }

    /// Makes the log ready to be read as the options say.
    fn begin(&self) -> Step<Hypercore> {
        let ReadStreamOptions { end, live, snapshot, .. } = self.options;
        let freezes =
            move |log: &Hypercore| snapshot && !live && end.is_none_or(|end| end <= log.length());
        Box::pin(begin(self.log.clone(), end.is_none() && !live, freezes))
    }

    /// Where it ends in `log`.
    fn end_in(&self, log: &Hypercore) -> End {
        match (self.options.end, self.options.live) {
            (Some(end), _) => End::At(end),
            (None, true) => End::Never,
            (None, false) if self.options.snapshot => End::At(log.length()),
            (None, false) => End::CaughtUp,
        }
    }

    fn poll_block(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        loop {
            match &mut self.state {
                State::New => self.state = State::Beginning(self.begin()),
                State::Beginning(beginning) => {
                    let log = ready!(beginning.as_mut().poll(context))?;
                    let end = self.end_in(&log);
                    let ReadStreamOptions { start, prefetch, .. } = self.options;
                    let cursor = Cursor::new(&self.log, log, start, prefetch);
                    self.state = State::Reading(cursor, end);
                }
                State::Reading(cursor, end) => {
                    let end = match end {
                        End::At(end) => *end,
                        End::CaughtUp => cursor.log().length(),
                        End::Never => u64::MAX,
                    };
                    return cursor.poll_next(context, end, u64::MAX);
                }
                State::Ended(_) => return Poll::Ready(Ok(None)),
            }
        }
    }
}

impl Stream for ReadStream {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let block = ready!(self.poll_block(context)).transpose();
        if !matches!(block, Some(Ok(_))) {
            self.state = State::Ended(self.position());
        }
        Poll::Ready(block)
    }
}

impl FusedStream for ReadStream {
    fn is_terminated(&self) -> bool {
        matches!(self.state, State::Ended(_))
    }
}

impl fmt::Debug for ReadStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadStream").field("position", &self.position()).finish_non_exhaustive()
    }
}
