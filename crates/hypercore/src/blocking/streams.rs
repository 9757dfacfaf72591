//! Streams as iterators and readers.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, Read, Seek, SeekFrom};
use std::pin::Pin;

use bytes::Bytes;
use tokio::io::{AsyncRead as _, AsyncSeek as _, ReadBuf};

use super::wait::Waiting;
use crate::error::Result;
use crate::events::Event;

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
