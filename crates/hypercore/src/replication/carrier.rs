//! What a connection runs on: frames both ways, an end, and the passing of time.
//!
//! The one seam between the rules of a connection and what carries it: a secret stream over bytes, or a
//! pipe of messages that somebody else encrypts.

use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::pipe::MessagePipe;
use super::reason::EndReason;

pub(crate) trait Carrier: Send + Unpin + 'static {
    /// Bytes that it wants free in front of a frame.
    const HEAD_LEN: usize;

    /// Bytes that it appends to a frame.
    const TAIL_LEN: usize;

    /// The next frame; `None` once the other side has ended in good order. Gives up the memory it does
    /// not need while it is pending.
    fn poll_receive(&mut self, context: &mut Context<'_>)
    -> Poll<Result<Option<Bytes>, EndReason>>;

    /// Takes a frame to send, with the room it wants around it. May be called some times before
    /// [`poll_flush`](Self::poll_flush).
    fn send(&mut self, frame: Vec<u8>) -> Result<(), EndReason>;

    /// Ready once all that was taken is on its way.
    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), EndReason>>;

    /// Does what is due by the clock: ready when there is something to flush, or an end. `reading`
    /// says whether the connection reads, and so whether silence means anything.
    fn poll_tick(
        &mut self,
        context: &mut Context<'_>,
        reading: bool,
    ) -> Poll<Result<(), EndReason>>;

    /// Ends the carrier after what was flushed.
    fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<Result<(), EndReason>>;
}

/// A pipe of messages that somebody else made, encrypts, and keeps alive.
#[derive(Debug)]
pub(crate) struct Foreign<P>(pub(crate) P);

impl<P: MessagePipe> Carrier for Foreign<P> {
    const HEAD_LEN: usize = 0;
    const TAIL_LEN: usize = 0;

    fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, EndReason>> {
        self.0.poll_receive(context).map_err(EndReason::cut)
    }

    fn send(&mut self, frame: Vec<u8>) -> Result<(), EndReason> {
        self.0.send(frame.into()).map_err(EndReason::cut)
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), EndReason>> {
        self.0.poll_flush(context).map_err(EndReason::cut)
    }

    fn poll_tick(&mut self, _: &mut Context<'_>, _: bool) -> Poll<Result<(), EndReason>> {
        Poll::Pending
    }

    fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<Result<(), EndReason>> {
        ready!(self.0.poll_flush(context)).map_err(EndReason::cut)?;
        self.0.poll_close(context).map_err(EndReason::cut)
    }
}
