//! The log without async, for programs that have no runtime. With the feature `blocking`.
//!
//! A [`Hypercore`] here is one of the [crate's root](crate::Hypercore) whose calls wait for their result. They do the
//! same, and fail in the same way. Builders and options are those of the root: a builder ends with
//! [`open_blocking`](crate::Builder::open_blocking), where the root gives a stream there is an iterator,
//! and where it gives a sink the calls of the sink wait.
//!
//! ```
//! use hypercore::blocking::Hypercore;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let scratch = tempfile::tempdir()?;
//! # let directory = scratch.path().join("log");
//! let log = Hypercore::open(&directory)?;
//! log.append_batch(["one", "two", "three"])?;
//! for block in log.read_stream(1..) {
//!     println!("{}", String::from_utf8_lossy(&block?));
//! }
//! log.close()?;
//! # Ok(())
//! # }
//! ```
//!
//! # The runtime inside
//!
//! The first log that is opened here makes a runtime of one thread (and more for long calls, while they run), which all logs share and
//! which stays until the process ends. A process that ends does not wait for it: what
//! [`Eventual`](crate::Durability::Eventual) durability still owes then is with the operating system, and on stable
//! storage only after [`flush`](Hypercore::flush) or [`close`](Hypercore::close).
//!
//! These calls may be made from any thread, also inside of a runtime of one's own, where each keeps the thread that it is made on
//! from everything else. Async code should use [`as_async`](Hypercore::as_async).
//!
//! Replication is async: [`as_async`](Hypercore::as_async) gives the log to a runtime that has connections, and the calls here see what
//! arrives.

mod batch;
mod calls;
mod streams;
mod typed;
mod wait;

use std::fmt;

pub use batch::NamedBatch;
pub use streams::{ByteStream, Events, ReadStream, WriteSink};
pub use typed::{Typed, TypedReadStream};

use crate::blocking::wait::Waiting;
use crate::builder::Builder;
use crate::error::Result;
use crate::named_batch::BatchBuilder;
use crate::session::SessionBuilder;
use crate::storage::Storage;

/// An open log whose calls wait for their result; see the [module](self).
///
/// A handle is cheap to clone, and all clones are the same session.
#[derive(Clone)]
pub struct Hypercore {
    log: crate::Hypercore,
    waiting: Waiting,
}

impl Hypercore {
    /// The options for opening a log in `storage`; [`open_blocking`](Builder::open_blocking) opens it.
    pub fn builder(storage: impl Into<Storage>) -> Builder {
        crate::Hypercore::builder(storage)
    }

    /// Opens the log in `storage` with the default options, as [`crate::Hypercore::open`] does.
    ///
    /// # Errors
    /// Those of [`Builder::open`]; `Io` when the system gives no thread.
    pub fn open(storage: impl Into<Storage>) -> Result<Self> {
        Self::builder(storage).open_blocking()
    }

    /// Makes the calls of a log that was opened with async wait.
    ///
    /// # Errors
    /// `Io` when the system gives no thread.
    pub fn from_async(log: crate::Hypercore) -> Result<Self> {
        Ok(Self { log, waiting: Waiting::begin()? })
    }

    /// The same session with the calls that do not wait.
    #[must_use]
    pub const fn as_async(&self) -> &crate::Hypercore {
        &self.log
    }

    /// The options of another session of this log; [`open_blocking`](SessionBuilder::open_blocking) opens it.
    pub fn session(&self) -> SessionBuilder {
        self.log.session()
    }

    /// The options of a named batch of this log; [`open_blocking`](BatchBuilder::open_blocking) opens it.
    pub fn batch(&self, name: &str) -> BatchBuilder {
        self.log.batch(name)
    }
}

impl fmt::Debug for Hypercore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.log.fmt(f)
    }
}

impl Builder {
    /// Opens the log as [`open`](Self::open) does, for use without async. With the feature `blocking`.
    ///
    /// # Errors
    /// Those of [`open`](Self::open); `Io` when the system gives no thread.
    pub fn open_blocking(self) -> Result<Hypercore> {
        let waiting = Waiting::begin()?;
        Ok(Hypercore { log: waiting.wait(self.open())?, waiting })
    }
}

impl SessionBuilder {
    /// Opens the session as [`open`](Self::open) does, for use without async. With the feature `blocking`.
    ///
    /// # Errors
    /// Those of [`open`](Self::open); `Io` when the system gives no thread.
    pub fn open_blocking(self) -> Result<Hypercore> {
        let waiting = Waiting::begin()?;
        Ok(Hypercore { log: waiting.wait(self.open())?, waiting })
    }
}
