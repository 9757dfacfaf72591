//! Streams as iterators and readers, and a sink.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, Read, Seek, SeekFrom};
use std::pin::Pin;

use bytes::Bytes;
use tokio::io::{AsyncRead as _, AsyncSeek as _, ReadBuf};

use super::wait::Waiting;
use crate::error::Result;
use crate::events::Event;
use crate::info::Appended;

/// The blocks of a log one after the other: a [`ReadStream`](crate::ReadStream) as an iterator.
#[must_use = "nothing is read before it is asked for the next block"]
pub struct ReadStream {
    pub(super) stream: crate::ReadStream,
    pub(super) waiting: Waiting,
}

impl Iterator for ReadStream {
    type Item = Result<Bytes>;

    fn next(&mut self) -> Option<Self::Item> {
        self.waiting.wait(self.stream.next())
    }
}

/// The content of a log as one row of bytes: a [`ByteStream`](crate::ByteStream) to read and seek in.
#[must_use = "nothing is read before it is asked for"]
pub struct ByteStream {
    pub(super) stream: crate::ByteStream,
    pub(super) waiting: Waiting,
}

impl Read for ByteStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(buffer);
        let stream = &mut self.stream;
        let read = poll_fn(|context| Pin::new(&mut *stream).poll_read(context, &mut buffer));
        self.waiting.wait(read)?;
        Ok(buffer.filled().len())
    }
}

impl Seek for ByteStream {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        let stream = &mut self.stream;
        self.waiting.wait(async {
            poll_fn(|context| Pin::new(&mut *stream).poll_complete(context)).await?;
            Pin::new(&mut *stream).start_seek(position)?;
            poll_fn(|context| Pin::new(&mut *stream).poll_complete(context)).await
        })
    }
}

/// What happens to a log: its [`Events`](crate::Events) as an iterator.
#[must_use = "events are only told to who asks"]
pub struct Events {
    pub(super) events: crate::Events,
    pub(super) waiting: Waiting,
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.waiting.wait(self.events.next())
    }
}

/// Appends what it is given, many blocks at a time: a [`WriteSink`](crate::WriteSink) whose calls wait.
///
/// # Errors
/// Those of a [`WriteSink`](crate::WriteSink).
#[must_use = "blocks are only certain to be appended by a flush"]
pub struct WriteSink {
    pub(super) sink: crate::WriteSink,
    pub(super) waiting: Waiting,
}

impl WriteSink {
    /// Does what [`feed`](crate::WriteSink::feed) does.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn feed(&mut self, block: impl AsRef<[u8]>) -> Result<()> {
        self.waiting.wait(self.sink.feed(block))
    }

    /// Does what [`flush`](crate::WriteSink::flush) does.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn flush(&mut self) -> Result<()> {
        self.waiting.wait(self.sink.flush())
    }

    /// Does what [`close`](crate::WriteSink::close) does.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn close(&mut self) -> Result<()> {
        self.waiting.wait(self.sink.close())
    }

    /// What the newest append of this sink did: the blocks below that length are written.
    #[must_use]
    pub const fn appended(&self) -> Option<Appended> {
        self.sink.appended()
    }
}

impl fmt::Debug for WriteSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sink.fmt(f)
    }
}

impl fmt::Debug for ReadStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stream.fmt(f)
    }
}

impl fmt::Debug for ByteStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stream.fmt(f)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.events.fmt(f)
    }
}
