//! A secret stream over any stream of bytes.
//!
//! Reads into a buffer on the stack, so that a stream on which nothing happens holds no memory for
//! reading, and none for writing either. All states are kept here and none in a future: whatever is
//! dropped between two polls, nothing is lost. Knows nothing of what the messages mean.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use secret_stream::{HEAD_LEN, Received, SecretStream, TAIL_LEN};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::carrier::Carrier;
use super::options::STALL_MAX;
use super::reason::EndReason;
use crate::error::Error;

/// Bytes that one call reads at most.
const READ_LEN_MAX: usize = 64 * 1024;

/// Frames that one call writes at most.
const FRAMES_PER_WRITE: usize = 8;

/// How long what is due and can not be done yet is left alone.
const TICK_MIN: Duration = Duration::from_millis(100);

/// A secret stream and the bytes that carry it.
pub(crate) struct SecretPipe<S> {
    stream: S,
    secret: SecretStream,
    /// Bytes that arrived and are not a whole frame yet.
    input: BytesMut,
    /// What the secret stream says for itself: its handshake, and that this side lives. Goes first.
    output: BytesMut,
    /// Frames that are not on their way yet.
    frames: VecDeque<Vec<u8>>,
    /// Bytes of the first of them that are.
    written: usize,
    /// Whether the stream may hold back what was written.
    unflushed: bool,
    remote_ended: bool,
    opened: bool,
    clock: Clock,
}

/// What was when, and what is due by it.
struct Clock {
    keep_alive: Option<Duration>,
    silence: Option<Duration>,
    last_sent: Instant,
    last_received: Instant,
    /// Since when the other side takes nothing.
    stalled: Option<Instant>,
    timer: Pin<Box<Sleep>>,
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> SecretPipe<S> {
    /// `output` is what the secret stream has to send first.
    pub(crate) fn new(
        stream: S,
        secret: SecretStream,
        output: BytesMut,
        keep_alive: Option<Duration>,
        silence: Option<Duration>,
    ) -> Self {
        let opened = secret.is_open();
        let clock = Clock::new(keep_alive, silence);
        Self {
            stream,
            secret,
            input: BytesMut::new(),
            output,
            frames: VecDeque::new(),
            written: 0,
            unflushed: false,
            remote_ended: false,
            opened,
            clock,
        }
    }

    pub(crate) fn secret(&self) -> &SecretStream {
        &self.secret
    }

    /// Ready once the handshake is done.
    pub(crate) fn poll_open(&mut self, context: &mut Context<'_>) -> Poll<Result<(), EndReason>> {
        loop {
            // Also while nothing comes in: an answer may wait for room.
            let flushed = self.poll_flush(context)?;
            if self.opened {
                return Poll::Ready(Ok(()));
            }
            match self.poll_step(context)? {
                Poll::Ready(Step::Opened) => self.opened = true,
                Poll::Ready(Step::Ended) => return Poll::Ready(Err(EndReason::Ended)),
                Poll::Ready(Step::Read | Step::Message(_)) => {}
                // What was read before may have been answered.
                Poll::Pending if flushed.is_ready() && self.has_output() => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// One frame, or one read.
    fn poll_step(&mut self, context: &mut Context<'_>) -> Poll<Result<Step, EndReason>> {
        let received = self.secret.receive(&mut self.input, &mut self.output);
        match received.map_err(|error| EndReason::Fault(Error::peer(error)))? {
            Some(Received::Message(message)) => {
                return Poll::Ready(Ok(Step::Message(self.detach(message))));
            }
            Some(_) => return Poll::Ready(Ok(Step::Opened)),
            None if self.remote_ended => return Poll::Ready(Ok(Step::Ended)),
            None => {}
        }
        let mut buffer = [const { MaybeUninit::uninit() }; READ_LEN_MAX];
        let mut buffer = ReadBuf::uninit(&mut buffer);
        match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
            Poll::Ready(result) => result.map_err(EndReason::cut)?,
            Poll::Pending => {
                if self.input.is_empty() {
                    self.input = BytesMut::new();
                }
                return Poll::Pending;
            }
        }
        if buffer.filled().is_empty() {
            if !self.input.is_empty() {
                return Poll::Ready(Err(EndReason::cut(io::ErrorKind::UnexpectedEof.into())));
            }
            self.remote_ended = true;
        } else {
            self.input.extend_from_slice(buffer.filled());
            self.clock.last_received = Instant::now();
        }
        Poll::Ready(Ok(Step::Read))
    }
}

impl<S: AsyncWrite + Unpin> SecretPipe<S> {
    fn has_output(&self) -> bool {
        !self.output.is_empty() || !self.frames.is_empty()
    }

    /// Writes some of what is to be sent, in its order.
    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let stream = Pin::new(&mut self.stream);
        let first = self.frames.front().and_then(|frame| frame.get(self.written..));
        if !self.output.is_empty() {
            return stream.poll_write(context, &self.output);
        }
        if self.frames.len() == 1 || !stream.is_write_vectored() {
            return stream.poll_write(context, first.unwrap_or_default());
        }
        let rest = self.frames.iter().skip(1).map(|frame| &**frame);
        let mut slices = [IoSlice::new(&[]); FRAMES_PER_WRITE];
        let pieces = slices.iter_mut().zip(first.into_iter().chain(rest));
        let count = pieces.map(|(slice, piece)| *slice = IoSlice::new(piece)).count();
        stream.poll_write_vectored(context, slices.get(..count).unwrap_or_default())
    }

    /// So many bytes are on their way.
    fn wrote(&mut self, mut len: usize) {
        if !self.output.is_empty() {
            self.output.advance(len.min(self.output.len()));
            if self.output.is_empty() {
                self.output = BytesMut::new();
            }
            return;
        }
        while let Some(frame) = self.frames.front() {
            let left = frame.len().saturating_sub(self.written);
            if len < left {
                self.written = self.written.saturating_add(len);
                return;
            }
            len = len.saturating_sub(left);
            self.written = 0;
            self.frames.pop_front();
        }
    }
}

impl<S> SecretPipe<S> {
    /// Sees to it that a message that is kept keeps no more memory than its own: a short one leaves the
    /// buffer it came in, and what came behind a long one does.
    fn detach(&mut self, message: Bytes) -> Bytes {
        if message.len() < READ_LEN_MAX {
            return Bytes::copy_from_slice(&message);
        }
        self.input = BytesMut::from(&*self.input);
        message
    }
}

/// What came of reading.
enum Step {
    Opened,
    Message(Bytes),
    /// Some bytes, perhaps the rest of a frame.
    Read,
    /// The other side will send nothing more.
    Ended,
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Carrier for SecretPipe<S> {
    const HEAD_LEN: usize = HEAD_LEN;
    const TAIL_LEN: usize = TAIL_LEN;

    fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, EndReason>> {
        loop {
            match ready!(self.poll_step(context))? {
                Step::Message(message) => return Poll::Ready(Ok(Some(message))),
                Step::Ended => return Poll::Ready(Ok(None)),
                Step::Opened | Step::Read => {}
            }
        }
    }

    fn send(&mut self, mut frame: Vec<u8>) -> Result<(), EndReason> {
        frame.resize(frame.len().saturating_add(TAIL_LEN), 0);
        self.secret.seal(&mut frame).map_err(|error| EndReason::Failed(Error::peer(error)))?;
        self.frames.push_back(frame);
        Ok(())
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), EndReason>> {
        while self.has_output() {
            match self.poll_write(context) {
                Poll::Ready(Ok(0)) => {
                    return Poll::Ready(Err(EndReason::cut(io::ErrorKind::WriteZero.into())));
                }
                Poll::Ready(Ok(written)) => {
                    self.wrote(written);
                    self.unflushed = true;
                    self.clock.wrote();
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(EndReason::cut(error))),
                Poll::Pending => {
                    self.clock.stalled();
                    return Poll::Pending;
                }
            }
        }
        self.frames.shrink_to(0);
        if self.unflushed {
            let Poll::Ready(result) = Pin::new(&mut self.stream).poll_flush(context) else {
                self.clock.stalled();
                return Poll::Pending;
            };
            result.map_err(EndReason::cut)?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_tick(
        &mut self,
        context: &mut Context<'_>,
        reading: bool,
    ) -> Poll<Result<(), EndReason>> {
        if !reading {
            self.clock.last_received = Instant::now();
        }
        while self.clock.timer.as_mut().poll(context).is_ready() {
            let idle = !self.has_output() && !self.unflushed;
            if self.clock.is_keep_alive_due(idle)? {
                let sent = self.secret.send_keep_alive(&mut self.output);
                self.clock.last_sent = Instant::now();
                self.clock.set_timer();
                return Poll::Ready(sent.map_err(|error| EndReason::Failed(Error::peer(error))));
            }
            self.clock.set_timer();
        }
        Poll::Pending
    }

    fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<Result<(), EndReason>> {
        ready!(self.poll_flush(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context).map_err(EndReason::cut)
    }
}

impl Clock {
    fn new(keep_alive: Option<Duration>, silence: Option<Duration>) -> Self {
        let now = Instant::now();
        let timer = Box::pin(tokio::time::sleep_until(now));
        let mut clock =
            Self { keep_alive, silence, last_sent: now, last_received: now, stalled: None, timer };
        clock.set_timer();
        clock
    }

    fn wrote(&mut self) {
        self.last_sent = Instant::now();
        self.stalled = None;
    }

    fn stalled(&mut self) {
        self.stalled.get_or_insert_with(Instant::now);
    }

    /// Whether to say that this side lives; an error when the other side seems not to.
    fn is_keep_alive_due(&self, idle: bool) -> Result<bool, EndReason> {
        let now = Instant::now();
        let since = |then: Instant| now.saturating_duration_since(then);
        if self.silence.is_some_and(|limit| since(self.last_received) >= limit) {
            return Err(EndReason::Silent);
        }
        if self.stalled.is_some_and(|then| since(then) >= STALL_MAX) {
            return Err(EndReason::Stalled);
        }
        Ok(idle && self.keep_alive.is_some_and(|after| since(self.last_sent) >= after))
    }

    /// Sets the timer to what is due next. What happens meanwhile only puts that off, so the timer is
    /// not touched until it rings.
    fn set_timer(&mut self) {
        let now = Instant::now();
        let due = [
            self.keep_alive.filter(|_| self.stalled.is_none()).map(|after| (self.last_sent, after)),
            self.silence.map(|limit| (self.last_received, limit)),
            Some((self.stalled.unwrap_or(now), STALL_MAX)),
        ];
        let due = due.into_iter().flatten().filter_map(|(then, after)| then.checked_add(after));
        let due = due.min().max(now.checked_add(TICK_MIN));
        if let Some(due) = due {
            self.timer.as_mut().reset(due);
        }
    }
}
