//! A log as streams: blocks, bytes, and a sink that appends.
//!
//! What reads is made of two parts: a [`cursor`] that goes from block to block, and what has peers bring the blocks ahead
//! of it. Both own all they wait for, so a stream that is dropped takes its wishes back, and a poll that is dropped loses
//! nothing. There is no task behind a stream: it works while it is polled. Knows the log by its public calls.

mod ahead;
mod byte;
mod cursor;
mod options;
mod read;
mod write;

use std::future::Future;
use std::io;
use std::pin::Pin;

pub use byte::ByteStream;
pub use options::{ByteStreamOptions, PREFETCH_LEN, ReadStreamOptions, WriteSinkOptions};
pub use read::ReadStream;
pub use write::{BATCH_LEN, WriteSink};

use crate::error::{Error, ErrorKind, Result};
use crate::handle::Hypercore;
use crate::view::View;

/// Streams.
impl Hypercore {
    /// The blocks of the log one after the other: all there are now, a range (`3..7`, `5..`), or as
    /// [options](ReadStreamOptions) say. Those that are not here are waited for, as [`get`](Self::get) does.
    ///
    /// Nothing is read before the stream is polled.
    pub fn read_stream(&self, options: impl Into<ReadStreamOptions>) -> ReadStream {
        ReadStream::new(self.clone(), options.into())
    }

    /// The content of the log as one row of bytes, whatever blocks it is in: all there are now, a range of bytes, or as
    /// [options](ByteStreamOptions) say. What is not here is waited for.
    ///
    /// Nothing is read before the stream is polled.
    pub fn byte_stream(&self, options: impl Into<ByteStreamOptions>) -> ByteStream {
        ByteStream::new(self.clone(), options.into())
    }

    /// A sink that appends what it is given, many blocks at a time.
    pub fn write_sink(&self, options: WriteSinkOptions) -> WriteSink {
        WriteSink::new(self.clone(), options)
    }
}

/// The log was truncated.
struct Moved {
    /// Blocks that stayed, whatever came after them.
    kept: u64,
    /// The fork now.
    fork: u64,
}

impl Hypercore {
    /// What became of the blocks of an earlier fork; `None` while it is the present one.
    fn moved_since(&self, fork: u64) -> Result<Option<Moved>> {
        let moved = self.session_ref().inline(|view, _| Ok(view.moved_since(fork)))?;
        Ok(moved.map(|(kept, fork)| Moved { kept, fork }))
    }
}

/// Something a stream waits for. The stream owns it, so it goes on where it was when the next poll comes.
type Step<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

/// The log as a stream reads it: up to date if its end depends on that, and frozen if `freezes` says so of the present log.
async fn begin(
    log: Hypercore,
    updates: bool,
    freezes: impl FnOnce(&Hypercore) -> bool,
) -> Result<Hypercore> {
    if updates {
        match log.update().await {
            // Nothing comes from peers.
            Err(error) if error.is_not_stored() => {}
            updated => drop(updated?),
        }
    }
    // The stream ends with the session it was made in, so it must not keep the log or a batch open by another.
    if freezes(&log) { log.frozen(true).await } else { Ok(log) }
}

/// Does what `read` does, once that is not past the end any more: a log waits for what is appended, but a batch only tells
/// where it ends. It waits as calls of the session do.
async fn past_the_end<T, F>(log: &Hypercore, mut read: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let session = log.session_ref();
    let waiting = &session.settings().waiting;
    let is_batch = matches!(session.view(), View::Batch(_));
    if !(is_batch && waiting.wait) {
        return read().await;
    }
    let mut changes = session.view().changes(log.shared());
    let reading = async {
        loop {
            changes.mark_unchanged();
            match read().await {
                Err(error) if error.is_out_of_bounds() => {}
                done => return done,
            }
            // The batch keeps the sender alive.
            let _ = changes.changed().await;
        }
    };
    session.until_end_or(waiting.timeout, reading).await
}

/// For those who read through the traits of `tokio::io`.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            _ if error.is_timed_out() => io::ErrorKind::TimedOut,
            ErrorKind::Corrupt | ErrorKind::Peer => io::ErrorKind::InvalidData,
            ErrorKind::Closed => io::ErrorKind::NotConnected,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
