//! The handle: every call of the API, and whether it runs inline or on a blocking thread.

mod append;
mod care;
mod change;
mod read;

use std::sync::Arc;

use hypercore_crypto::{CoreKey, DiscoveryKey};

use crate::builder::Builder;
use crate::error::Result;
use crate::session::{Session, SessionBuilder};
use crate::shared::Shared;
use crate::storage::Storage;

/// An open log, or rather one session of it.
///
/// A handle is cheap to clone; all clones are the same session, from any number of tasks and threads.
/// [`session`](Self::session) opens another one of the same log, with settings and an end of its own.
/// Every acknowledged append is present, in order, after reopening. A session ends when
/// [`close`](Self::close) is called or its last clone is dropped, and the log closes with its last session.
///
/// A write that has begun runs to its end, also when its future is dropped: then nobody hears
/// whether it succeeded.
#[derive(Clone, Debug)]
pub struct Hypercore {
    session: Arc<Session>,
}

impl Hypercore {
    pub(crate) fn of(session: Arc<Session>) -> Self {
        Self { session }
    }

    pub(crate) fn session_ref(&self) -> &Arc<Session> {
        &self.session
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        self.session.shared()
    }

    /// The options for opening a log in `storage`: a directory, memory, or stores of one's own.
    pub fn builder(storage: impl Into<Storage>) -> Builder {
        Builder::new(storage.into())
    }

    /// Opens the log in `storage` with the default options: for reading and writing, made with a new
    /// key pair where nothing is stored.
    ///
    /// # Errors
    /// Those of [`Builder::open`].
    pub async fn open(storage: impl Into<Storage>) -> Result<Self> {
        Self::builder(storage).open().await
    }

    /// Comes before every call that runs inline. Such calls never wait, so a task that makes one
    /// after the other would keep its executor from all others: now and then it lets them go first.
    pub(crate) async fn take_turn() {
        tokio::task::coop::consume_budget().await;
    }

    /// Makes everything written so far durable.
    ///
    /// # Durability
    /// On return all of it survives a power cut.
    ///
    /// # Errors
    /// `Io` when the disk failed: reopen the log; `Closed`.
    pub async fn flush(&self) -> Result<()> {
        self.session.flush().await
    }

    /// Another session of this log, with the settings of this one but where the builder says otherwise.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use hypercore::{Hypercore, Storage};
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let log = Hypercore::open(Storage::memory()).await?;
    /// let impatient = log.session().timeout(Duration::from_millis(5)).writable(false).open().await?;
    ///
    /// log.append("hello").await?;
    /// assert_eq!(impatient.get(0).await?, "hello");
    /// assert!(impatient.get(1).await.unwrap_err().is_timed_out());
    ///
    /// impatient.close().await?; // the log stays open
    /// log.append("world").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn session(&self) -> SessionBuilder {
        SessionBuilder::new(self)
    }

    /// Sessions that keep the log open: all that have not ended, weak ones aside.
    #[must_use]
    pub fn active_sessions(&self) -> usize {
        self.shared().sessions().active()
    }

    /// Closes this session, for all clones. Calls of it that wait for something, and later ones, say
    /// `Closed`; writes that have begun run to their end.
    ///
    /// With the last session that is not weak the log closes: this waits for the calls that run, makes
    /// what they wrote durable and releases the lock. Closing again does nothing and gives the same
    /// answer, also while the first one is still at it.
    ///
    /// Without it, the session ends when its last clone is dropped. Under `Eventual` durability the
    /// flush that is due after the last session then runs on a blocking thread, or before the drop
    /// returns where the runtime is gone, and nobody hears of its failure.
    ///
    /// # Errors
    /// `Io` when what was not yet durable could not be made so.
    pub async fn close(&self) -> Result<()> {
        self.session.close().await
    }

    /// Whether this session was closed, or the log with all its sessions.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.session.is_closed()
    }

    /// The public name of the log: what a reader needs to verify it.
    #[must_use]
    pub fn key(&self) -> CoreKey {
        self.shared().identity.key
    }

    /// A hash of the key by which peers find each other without telling it.
    #[must_use]
    pub fn discovery_key(&self) -> DiscoveryKey {
        self.shared().identity.discovery_key
    }

    /// Whether this session may append. A [backup](Self::needs_confirmation) may once it is confirmed.
    #[must_use]
    pub fn writable(&self) -> bool {
        self.session.is_writable()
    }

    /// Blocks in the log; after the log was closed, those at that time.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.session.last_seen().length
    }

    /// Whether the log has no blocks.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length() == 0
    }

    /// Content bytes in the log; after the log was closed, those at that time.
    #[must_use]
    pub fn byte_length(&self) -> u64 {
        let seen = self.session.last_seen();
        self.session.cipher().content_len(seen.stored_bytes, seen.length)
    }

    /// How often the log was truncated and rewritten.
    #[must_use]
    pub fn fork(&self) -> u64 {
        self.session.last_seen().fork
    }

    /// Blocks stored here without a gap, from block 0 on.
    #[must_use]
    pub fn contiguous_length(&self) -> u64 {
        self.session.view().contiguous_length(self.shared()).min(self.length())
    }
}
