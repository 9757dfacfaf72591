//! Streams of values.

use std::borrow::Borrow;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::{FusedStream, Stream};
use futures_sink::Sink;

use super::Codec;
use super::typed::decode;
use crate::error::{Error, Result};
use crate::info::Appended;
use crate::streams::{ReadStream, WriteSink};

/// The values of a log one after the other; see [`Typed::read_stream`](super::Typed::read_stream).
#[must_use = "nothing is read before it is polled"]
pub struct TypedReadStream<C> {
    blocks: ReadStream,
    codec: Arc<C>,
}

impl<C: Codec> TypedReadStream<C> {
    pub(super) fn new(blocks: ReadStream, codec: Arc<C>) -> Self {
        Self { blocks, codec }
    }

    /// The next value; `None` at the end. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<C::Item>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// The index of the block that comes next.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.blocks.position()
    }
}

impl<C: Codec> Stream for TypedReadStream<C> {
    type Item = Result<C::Item>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let index = self.position();
        let block = ready!(Pin::new(&mut self.blocks).poll_next(context));
        let item = block.map(|block| block.and_then(|block| decode(&*self.codec, index, block)));
        Poll::Ready(item)
    }
}

impl<C: Codec> FusedStream for TypedReadStream<C> {
    fn is_terminated(&self) -> bool {
        self.blocks.is_terminated()
    }
}

impl<C> fmt::Debug for TypedReadStream<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedReadStream").field("blocks", &self.blocks).finish_non_exhaustive()
    }
}

/// A sink of values; see [`Typed::write_sink`](super::Typed::write_sink), and [`WriteSink`] for all it does with the blocks.
#[must_use = "values are only certain to be appended by a flush"]
pub struct TypedWriteSink<C> {
    blocks: WriteSink,
    codec: Arc<C>,
}

impl<C: Codec> TypedWriteSink<C> {
    pub(super) fn new(blocks: WriteSink, codec: Arc<C>) -> Self {
        Self { blocks, codec }
    }

    /// Takes a value, once there is room for it.
    ///
    /// # Errors
    /// Those of the [sink](WriteSink); `Caller` when the value can not be encoded ([`Error::is_codec`]).
    pub async fn feed(&mut self, item: &C::Input) -> Result<()> {
        let block = self.codec.encode(item).map_err(Error::encode)?;
        self.blocks.feed(block).await
    }

    /// Appends what it has, and waits until all of it is written.
    ///
    /// # Errors
    /// Those of the [sink](WriteSink).
    pub async fn flush(&mut self) -> Result<()> {
        self.blocks.flush().await
    }

    /// Flushes, and takes nothing more. The log stays open.
    ///
    /// # Errors
    /// Those of the [sink](WriteSink).
    pub async fn close(&mut self) -> Result<()> {
        self.blocks.close().await
    }

    /// What the newest append of this sink did: the blocks below that length are written.
    #[must_use]
    pub const fn appended(&self) -> Option<Appended> {
        self.blocks.appended()
    }

    fn blocks(self: Pin<&mut Self>) -> Pin<&mut WriteSink> {
        Pin::new(&mut self.get_mut().blocks)
    }
}

impl<C: Codec, I: Borrow<C::Input>> Sink<I> for TypedWriteSink<C> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Sink::<Bytes>::poll_ready(self.blocks(), context)
    }

    fn start_send(self: Pin<&mut Self>, item: I) -> Result<()> {
        let block = self.codec.encode(item.borrow()).map_err(Error::encode)?;
        self.blocks().start_send(block)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Sink::<Bytes>::poll_flush(self.blocks(), context)
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Sink::<Bytes>::poll_close(self.blocks(), context)
    }
}

impl<C> fmt::Debug for TypedWriteSink<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedWriteSink").field("blocks", &self.blocks).finish_non_exhaustive()
    }
}
