//! Appending what comes, many blocks at a time.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_sink::Sink;
use hypercore_log::{BLOCK_LEN_MAX, LogError};

use super::Step;
use super::options::WriteSinkOptions;
use crate::error::{Error, Result};
use crate::handle::Hypercore;
use crate::info::Appended;

/// How many bytes of blocks a [`WriteSink`] puts together to one append, unless its options say otherwise.
pub const BATCH_LEN: usize = 1024 * 1024;

/// What a block counts beside its bytes, so that empty ones fill a batch as well.
const COUNTED_PER_BLOCK: usize = 64;

/// A sink that appends what it is given, in order; see [`Hypercore::write_sink`].
///
/// It takes blocks, or anything that [`Hypercore::append`] takes, and copies them. A batch is appended once it is full, or
/// on a flush, while the next one gathers; then it takes nothing more until the first is written. `send` of
/// `futures::SinkExt` flushes each block; [`feed`](Self::feed) does not.
///
/// What was not flushed is lost when the sink is dropped. A batch that is being written by then is written to its end.
///
/// # Durability
/// A flush that succeeded says of all blocks before it what an [`append`](Hypercore::append) that returned says of its own.
///
/// # Errors
/// Those of [`append`](Hypercore::append). A block that is too large is refused, and nothing else happens. After any other
/// error the sink is over: blocks it had not written are not in the log, and what is sent to it fails
/// ([`Error::is_sink_ended`]).
#[must_use = "blocks are only certain to be appended by a flush"]
pub struct WriteSink {
    log: Hypercore,
    batch_len: usize,
    gathered: Gathered,
    writing: Option<Step<Appended>>,
    appended: Option<Appended>,
    over: Option<Over>,
}

/// Why nothing more is taken.
enum Over {
    Closed,
    Failed(Error),
}

/// Blocks, joined.
#[derive(Default)]
struct Gathered {
    bytes: Vec<u8>,
    lens: Vec<usize>,
}

impl Gathered {
    fn push(&mut self, block: &[u8]) {
        self.bytes.extend_from_slice(block);
        self.lens.push(block.len());
    }

    fn counted_len(&self) -> usize {
        self.lens.len().saturating_mul(COUNTED_PER_BLOCK).saturating_add(self.bytes.len())
    }

    /// The blocks, which share one piece of memory.
    fn take(&mut self) -> Vec<Bytes> {
        let mut bytes = Bytes::from(std::mem::take(&mut self.bytes));
        // The lengths add up to the bytes.
        self.lens.drain(..).map(|len| bytes.split_to(len)).collect()
    }
}

impl WriteSink {
    pub(super) fn new(log: Hypercore, options: WriteSinkOptions) -> Self {
        let WriteSinkOptions { batch_len } = options;
        let gathered = Gathered::default();
        Self { log, batch_len, gathered, writing: None, appended: None, over: None }
    }

    /// Takes a block, once there is room for it.
    ///
    /// # Errors
    /// Those of the sink.
    pub async fn feed(&mut self, block: impl AsRef<[u8]>) -> Result<()> {
        poll_fn(|context| self.poll_room(context)).await?;
        self.take(block.as_ref())
    }

    /// Appends what it has, and waits until all of it is written.
    ///
    /// # Errors
    /// Those of the sink.
    pub async fn flush(&mut self) -> Result<()> {
        poll_fn(|context| self.poll_written(context)).await
    }

    /// Flushes, and takes nothing more. The log stays open.
    ///
    /// # Errors
    /// Those of the sink.
    pub async fn close(&mut self) -> Result<()> {
        poll_fn(|context| self.poll_closed(context)).await
    }

    /// What the newest append of this sink did: the blocks below that length are written.
    #[must_use]
    pub const fn appended(&self) -> Option<Appended> {
        self.appended
    }

    fn take(&mut self, block: &[u8]) -> Result<()> {
        self.check()?;
        let (len, max) = (block.len() as u64, BLOCK_LEN_MAX as u64);
        if len > max {
            return Err(LogError::BlockTooLarge { len, max }.into());
        }
        self.gathered.push(block);
        Ok(())
    }

    fn check(&self) -> Result<()> {
        match &self.over {
            None => Ok(()),
            Some(Over::Closed) => Err(Error::sink_ended(None)),
            Some(Over::Failed(error)) => Err(Error::sink_ended(Some(error.clone()))),
        }
    }

    fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.check()?;
        if self.gathered.counted_len() < self.batch_len.max(1) {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_append(context))?;
        self.begin_append();
        match self.poll_append(context) {
            // Under way: meanwhile others gather.
            Poll::Pending => Poll::Ready(Ok(())),
            written => written,
        }
    }

    fn poll_written(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        if let Some(Over::Failed(_)) = self.over {
            return Poll::Ready(self.check());
        }
        loop {
            ready!(self.poll_append(context))?;
            if self.gathered.lens.is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.begin_append();
        }
    }

    fn poll_closed(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        ready!(self.poll_written(context))?;
        self.over = Some(Over::Closed);
        Poll::Ready(Ok(()))
    }

    fn begin_append(&mut self) {
        let (log, blocks) = (self.log.clone(), self.gathered.take());
        self.writing = Some(Box::pin(async move { log.append_owned(blocks).await }));
    }

    /// Waits for the append that is under way, if there is one.
    fn poll_append(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        let Some(writing) = &mut self.writing else { return Poll::Ready(Ok(())) };
        let result = ready!(writing.as_mut().poll(context));
        self.writing = None;
        Poll::Ready(match result {
            Ok(appended) => {
                self.appended = Some(appended);
                Ok(())
            }
            Err(error) => {
                // What follows the lost blocks must not take their place.
                self.gathered = Gathered::default();
                self.over = Some(Over::Failed(error.clone()));
                Err(error)
            }
        })
    }
}

impl<B: AsRef<[u8]>> Sink<B> for WriteSink {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_room(context)
    }

    fn start_send(mut self: Pin<&mut Self>, block: B) -> Result<()> {
        self.take(block.as_ref())
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_written(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_closed(context)
    }
}

impl fmt::Debug for WriteSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteSink")
            .field("gathered", &self.gathered.lens.len())
            .field("writing", &self.writing.is_some())
            .field("over", &self.over.is_some())
            .finish_non_exhaustive()
    }
}
