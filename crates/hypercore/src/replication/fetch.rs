//! The calls of a log that reach its peers, and wait for them.

use std::sync::atomic::Ordering;
use std::time::Duration;

use hypercore_log::LogError;
use hypercore_replication::UpgradeWish;
use secret_stream::Role;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;

use super::download::{Download, DownloadRange};
use super::exchange::{self, Command, Exchange};
use super::extension::Extension;
use super::options::StreamOptions;
use super::peers::{Peer, Traffic};
use super::stream::{ProtocolStream, Replication};
use super::survey::{self, Survey};
use super::wish::{Pending, Wish};
use crate::error::{Error, Result};
use crate::handle::Hypercore;
use crate::proofs::Conflict;

/// Replication.
impl Hypercore {
    /// Replicates this log over a stream of bytes, such as a TCP socket, with the default options.
    /// Returns at once; the handle tells when it ends, and why.
    ///
    /// Exactly one of the two sides is the [initiator](Role::Initiator): usually the one that
    /// connected. What the other side sends is verified before it is stored; what is stored here is
    /// served to it, also by a log that can not be written to, or that lacks the encryption key. The
    /// log follows its writer: it takes over longer lengths and truncations by itself, and fetches
    /// blocks when they are asked for ([`get`](Self::get), [`download`](Self::download)).
    ///
    /// Must be called inside a tokio runtime with its timer enabled.
    pub fn replicate<S>(&self, stream: S, role: Role) -> Replication
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        self.replicate_with(stream, role, StreamOptions::new())
    }

    /// Does what [`replicate`](Self::replicate) does, with options.
    pub fn replicate_with<S>(&self, stream: S, role: Role, options: StreamOptions) -> Replication
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (options, single) = (options.log(self), Some(self.discovery_key()));
        Replication(ProtocolStream::over_bytes(stream, role, None, options, single))
    }

    /// Asks all connected peers whether they have more than this log, and takes it over; while somebody
    /// is [finding peers](Self::finding_peers), waits for those as well. Whether the log is longer
    /// now. A log that can be written to asks nobody, since it knows best, unless it is a backup that
    /// [needs confirmation](Self::needs_confirmation).
    ///
    /// A snapshot and a batch do not follow the log: there it asks nobody.
    ///
    /// Without peers it is done at once, so a `false` says little: [`ask_peers`](Self::ask_peers) tells
    /// who answered.
    ///
    /// # Errors
    /// `Caller` for a handle that is open for reading; `Closed`.
    pub async fn update(&self) -> Result<bool> {
        self.session_ref().check_open()?;
        if !self.session_ref().view().is_live() {
            // What is seen here does not grow with the log.
            return Ok(false);
        }
        if self.writable() && !self.needs_confirmation()? {
            return Ok(false);
        }
        self.session_ref().until_end(self.catch_up()).await
    }

    async fn catch_up(&self) -> Result<bool> {
        let exchange = self.shared().exchange();
        let (length, fork) = (self.length(), self.fork());
        let mut changes = exchange.changes();
        loop {
            changes.mark_unchanged();
            let finding = exchange.finding().load(Ordering::Acquire) > 0;
            self.wish(Wish::Upgrade(UpgradeWish::Latest))?.outcome().await?;
            let grew = self.length() > length || self.fork() > fork;
            if grew || !finding {
                return Ok(grew);
            }
            // The log keeps the sender alive.
            let _ = changes.changed().await;
        }
    }

    /// Waits until the log has at least `length` blocks: until they are appended, or a peer proves them.
    ///
    /// # Errors
    /// `Caller` when it is shorter and the handle is open for reading, or the session does not wait
    /// ([`Error::is_not_stored`]), or it is a snapshot ([`Error::is_out_of_bounds`]); `TimedOut`; `Io` and others when what peers send can not be stored any
    /// more; `Closed`.
    pub async fn wait_for_length(&self, length: u64) -> Result<()> {
        let waiting = &self.session_ref().settings().waiting;
        if waiting.wait {
            self.session_ref().until_end_or(waiting.timeout, self.grow_to(length)).await
        } else if self.length() >= length {
            Ok(())
        } else {
            Err(Error::not_stored())
        }
    }

    async fn grow_to(&self, length: u64) -> Result<()> {
        if !self.session_ref().view().is_live() {
            return self.grow_beside_to(length).await;
        }
        let mut changes = self.shared().exchange().changes();
        let mut wish: Option<Pending> = None;
        loop {
            changes.mark_unchanged();
            if self.length() >= length {
                return Ok(());
            }
            let wish = match &mut wish {
                Some(wish) => wish,
                none => none.insert(self.wish(Wish::Upgrade(UpgradeWish::Length(length)))?),
            };
            // The log keeps the sender alive.
            if wish.outcome_or(changes.changed()).await? {
                return Ok(());
            }
        }
    }

    /// What is seen here does not grow with the log: a batch does by what is appended to it, a snapshot never.
    async fn grow_beside_to(&self, length: u64) -> Result<()> {
        let session = self.session_ref();
        let mut changes = session.view().changes(self.shared());
        loop {
            changes.mark_unchanged();
            let present = session.inline(|view, _| Ok(view.head().length))?;
            if present >= length {
                return Ok(());
            }
            if !session.view().is_changeable() {
                let index = length.saturating_sub(1);
                return Err(LogError::OutOfBounds { index, length: present }.into());
            }
            // The batch keeps the sender alive.
            let _ = changes.changed().await;
        }
    }

    /// Asks every peer that is connected now for its length, takes over what is new, and tells who
    /// answered within `deadline`, which is all that can be known of what others have.
    ///
    /// # Errors
    /// `Closed`.
    pub async fn ask_peers(&self, deadline: Duration) -> Result<Survey> {
        self.session_ref().until_end(survey::ask(self, deadline)).await
    }

    /// Says that peers are being looked for: until the guard is dropped, [`update`](Self::update) waits
    /// for them.
    pub fn finding_peers(&self) -> FindingPeers {
        self.shared().exchange().finding().fetch_add(1, Ordering::AcqRel);
        FindingPeers(self.clone())
    }

    /// Fetches blocks from peers, whoever has them, and goes on until all are here or the handle is
    /// dropped. A range of numbers converts; see [`DownloadRange`] for more.
    ///
    /// # Errors
    /// `Caller` for a handle that is open for reading; `Closed`.
    pub fn download(&self, blocks: impl Into<DownloadRange>) -> Result<Download> {
        Download::start(self, blocks.into())
    }

    /// The peers that this log is replicated with.
    ///
    /// # Errors
    /// `Closed`.
    pub async fn peers(&self) -> Result<Vec<Peer>> {
        let (answer, infos) = oneshot::channel();
        exchange::push(self.shared(), Command::Peers(answer));
        let infos = infos.await.map_err(|_| Error::closed())?;
        Ok(infos.into_iter().map(|info| Peer::new(self.clone(), info)).collect())
    }

    /// What passed between this log and all its peers since it was opened.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.shared().exchange_if_any().map(Exchange::traffic).unwrap_or_default()
    }

    /// The proof that two histories of this log were signed, once a peer has shown one. It is kept with
    /// the log, which takes nothing more and is not replicated until it has another fork.
    ///
    /// # Errors
    /// `Closed`.
    pub fn conflict(&self) -> Result<Option<Conflict>> {
        self.session_ref().inline(|view, _| {
            let manifest = view.log().manifest();
            let evidence = view.log().conflict();
            Ok(evidence.map(|evidence| Conflict::new(evidence, manifest.as_ref())))
        })
    }

    /// Messages of one's own beside the log, to peers that know the same name.
    #[must_use]
    pub fn extension(&self, name: &str) -> Extension {
        Extension::new(self.clone(), name)
    }

    pub(crate) fn is_frozen(&self) -> Result<bool> {
        self.session_ref().inline(|view, _| Ok(view.log().is_frozen()))
    }

    fn check_stores(&self) -> Result<()> {
        if self.is_closed() {
            return Err(Error::closed());
        }
        if self.shared().identity.stores { Ok(()) } else { Err(Error::not_stored()) }
    }

    pub(crate) fn wish(&self, wish: Wish) -> Result<Pending> {
        self.check_stores()?;
        if self.is_frozen()? {
            return Err(Error::conflict());
        }
        Ok(Pending::new(self, wish))
    }
}

/// Somebody looks for peers, until it is dropped; see [`Hypercore::finding_peers`].
#[derive(Debug)]
#[must_use = "dropping it says that the search is over"]
pub struct FindingPeers(Hypercore);

impl Drop for FindingPeers {
    fn drop(&mut self) {
        let exchange = self.0.shared().exchange();
        exchange.finding().fetch_sub(1, Ordering::AcqRel);
        exchange.changed();
    }
}
