//! The content as one row of bytes.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use futures_core::{FusedStream, Stream};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncSeek, ReadBuf};

use super::cursor::Cursor;
use super::options::ByteStreamOptions;
use super::{Step, begin, past_the_end};
use crate::error::Result;
use crate::handle::Hypercore;

/// The content of a log as one row of bytes; see [`Hypercore::byte_stream`].
///
/// It is read as a [`Stream`] of pieces, none of them empty, or through `tokio::io`, also with
/// [seeks](tokio::io::AsyncSeek): positions count from [`offset`](ByteStreamOptions::offset), and reading past the end
/// gives nothing, or waits if the stream is live. As a [`Stream`] it ends after an error; a read through `tokio::io` can
/// be tried again.
///
/// Memory: a run of neighbouring blocks of some 64 KiB, or one block if that is larger. Dropping it takes back what it
/// asked peers for.
#[must_use = "nothing is read before it is polled"]
pub struct ByteStream {
    options: ByteStreamOptions,
    beginning: Option<Step<Hypercore>>,
    begun: bool,
    /// Until the stream has begun, on the log itself.
    cursor: Cursor,
    place: Place,
    /// Counted in the whole log, like all bytes here.
    position: u64,
    /// The bytes from `position` on.
    piece: Bytes,
    /// Where it ends, if it does: known once it has begun.
    end: Option<u64>,
    /// Where it was told to go on.
    target: Option<SeekFrom>,
    /// It has ended as a stream.
    ended: bool,
}

/// Where the cursor is.
enum Place {
    Unknown,
    Finding(Step<Found>),
    /// Before the block that has the byte after the piece, as its byte with this number.
    Known(u64),
}

struct Found {
    block: u64,
    offset: u64,
    /// What it was found in.
    fork: u64,
}

impl ByteStream {
    pub(super) fn new(log: Hypercore, options: ByteStreamOptions) -> Self {
        Self {
            beginning: None,
            begun: false,
            cursor: Cursor::new(&log, log.clone(), 0, options.prefetch),
            place: Place::Unknown,
            position: options.offset,
            piece: Bytes::new(),
            end: None,
            target: None,
            ended: false,
            options,
        }
    }

    /// The next bytes, at least one; `None` at the end. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<Bytes>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// The offset in the stream of the byte that comes next.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position.saturating_sub(self.options.offset)
    }

    fn poll_begin(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        if self.begun {
            return Poll::Ready(Ok(()));
        }
        let ByteStreamOptions { offset, length, live, snapshot, prefetch } = self.options;
        let beginning = self.beginning.get_or_insert_with(|| {
            let end = length.map(|length| offset.saturating_add(length));
            let freezes = move |log: &Hypercore| {
                snapshot && !live && end.is_none_or(|end| end <= log.byte_length())
            };
            Box::pin(begin(self.cursor.owner().clone(), length.is_none() && !live, freezes))
        });
        let result = ready!(beginning.as_mut().poll(context));
        self.beginning = None;
        let log = result?;
        self.end = match length {
            Some(length) => Some(offset.saturating_add(length)),
            None if live => None,
            None => Some(log.byte_length()),
        };
        self.cursor = Cursor::new(&self.cursor.owner().clone(), log, 0, prefetch);
        self.begun = true;
        Poll::Ready(Ok(()))
    }

    /// Goes where it was told to. Whether there is such a position; if not, it stays where it is.
    fn poll_target(&mut self, context: &mut Context<'_>) -> Poll<Result<bool>> {
        ready!(self.poll_begin(context))?;
        let Some(target) = self.target.take() else { return Poll::Ready(Ok(true)) };
        let offset = self.options.offset;
        let position = match target {
            SeekFrom::Start(position) => offset.checked_add(position),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => {
                let end = self.end.unwrap_or_else(|| self.cursor.log().byte_length());
                end.max(offset).checked_add_signed(by)
            }
        };
        let position = position.filter(|position| *position >= offset);
        if let Some(position) = position {
            self.move_to(position);
        }
        Poll::Ready(Ok(position.is_some()))
    }

    fn move_to(&mut self, position: u64) {
        self.ended = false;
        let ahead = position.checked_sub(self.position).and_then(|by| usize::try_from(by).ok());
        match ahead {
            Some(ahead) if ahead <= self.piece.len() => self.piece.advance(ahead),
            _ => {
                self.piece.clear();
                self.cursor.stop();
                self.place = Place::Unknown;
            }
        }
        self.position = position;
    }

    /// Sees to it that there are bytes at the position. Whether there are; not so at the end.
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Result<bool>> {
        ready!(self.poll_target(context))?;
        loop {
            let left = self.end.map_or(u64::MAX, |end| end.saturating_sub(self.position));
            if !self.piece.is_empty() || left == 0 {
                return Poll::Ready(Ok(left > 0));
            }
            let skip = ready!(self.poll_place(context))?;
            let block =
                ready!(self.cursor.poll_next(context, u64::MAX, left.saturating_add(skip)))?;
            let Some(mut block) = block else { return Poll::Ready(Ok(false)) };
            let len = block.len() as u64;
            self.place = Place::Known(skip.saturating_sub(len));
            block.advance(usize::try_from(skip.min(len)).unwrap_or(usize::MAX));
            block.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            self.piece = block;
        }
    }

    /// Finds the block with the byte at the position, and the number of that byte in it.
    fn poll_place(&mut self, context: &mut Context<'_>) -> Poll<Result<u64>> {
        loop {
            match &mut self.place {
                Place::Known(skip) => return Poll::Ready(Ok(*skip)),
                Place::Unknown => {
                    let (owner, log) = (self.cursor.owner().clone(), self.cursor.log().clone());
                    let finding = find(log, self.position);
                    let finding = async move { owner.session_ref().until_end(finding).await };
                    self.place = Place::Finding(Box::pin(finding));
                }
                Place::Finding(finding) => {
                    let found = ready!(finding.as_mut().poll(context));
                    self.place = Place::Unknown;
                    let Found { block, offset, fork } = found?;
                    self.cursor.move_to(block, fork);
                    self.place = Place::Known(offset);
                }
            }
        }
    }

    fn take_piece(&mut self) -> Bytes {
        self.position = self.position.saturating_add(self.piece.len() as u64);
        std::mem::take(&mut self.piece)
    }

    fn take(&mut self, len: usize) {
        self.position = self.position.saturating_add(len as u64);
        self.piece.advance(len);
    }
}

async fn find(log: Hypercore, byte: u64) -> Result<Found> {
    loop {
        let fork = log.fork();
        let (block, offset) = match byte {
            0 => (0, 0),
            _ => past_the_end(&log, || log.seek(byte)).await?,
        };
        // Else nobody knows by which history it was found.
        if log.fork() == fork {
            return Ok(Found { block, offset, fork });
        }
    }
}

impl Stream for ByteStream {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let piece = match ready!(self.poll_piece(context)) {
            Ok(true) => Some(Ok(self.take_piece())),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        };
        self.ended = !matches!(piece, Some(Ok(_)));
        Poll::Ready(piece)
    }
}

impl FusedStream for ByteStream {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl AsyncBufRead for ByteStream {
    fn poll_fill_buf(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let stream = self.get_mut();
        ready!(stream.poll_piece(context))?;
        Poll::Ready(Ok(&stream.piece))
    }

    fn consume(mut self: Pin<&mut Self>, len: usize) {
        self.take(len);
    }
}

impl AsyncRead for ByteStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let bytes = ready!(self.as_mut().poll_fill_buf(context))?;
        let len = bytes.len().min(buffer.remaining());
        buffer.put_slice(bytes.get(..len).unwrap_or_default());
        self.take(len);
        Poll::Ready(Ok(()))
    }
}

impl AsyncSeek for ByteStream {
    fn start_seek(mut self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        (self.target, self.ended) = (Some(position), false);
        Ok(())
    }

    fn poll_complete(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<u64>> {
        let found = ready!(self.poll_target(context))?;
        let outside =
            || io::Error::new(io::ErrorKind::InvalidInput, "no stream has such a position");
        Poll::Ready(found.then(|| self.position()).ok_or_else(outside))
    }
}

impl fmt::Debug for ByteStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteStream").field("position", &self.position()).finish_non_exhaustive()
    }
}
