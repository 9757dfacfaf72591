//! How a stream is made: who this side is, what keeps the stream alive, whom it lets in.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hypercore_crypto::{DiscoveryKey, KeyPair, PublicKey};

use crate::handle::Hypercore;

/// What passes without a message to the other side before a keep-alive is sent.
///
/// # Source
/// wire.md section 2.5.
pub const KEEP_ALIVE_AFTER: Duration = Duration::from_secs(5);

/// After how long without a single byte a peer counts as gone: three keep-alives were missed and the
/// fourth is due.
pub const SILENCE_MAX: Duration = Duration::from_secs(20);

/// How long a peer may take for its part of the handshake.
pub const HANDSHAKE_MAX: Duration = Duration::from_secs(20);

/// How long a peer may refuse to read a single byte while something waits to be sent to it.
pub const STALL_MAX: Duration = Duration::from_secs(30);

type Answer<T> = Pin<Box<dyn Future<Output = T> + Send>>;
pub(crate) type AllowHook = Arc<dyn Fn(PublicKey) -> Answer<bool> + Send + Sync>;
pub(crate) type OfferHook = Arc<dyn Fn(Offer) -> Answer<Option<Hypercore>> + Send + Sync>;

/// The options of a stream. The default suits most: a random identity for this stream alone, a
/// keep-alive every [`KEEP_ALIVE_AFTER`], the end after [`SILENCE_MAX`] of silence, everybody is let
/// in, and logs that were not added are refused.
#[derive(Clone)]
#[must_use]
pub struct StreamOptions {
    pub(crate) key_pair: Option<KeyPair>,
    pub(crate) keep_alive: Option<Duration>,
    pub(crate) silence: Option<Duration>,
    pub(crate) allow: Option<AllowHook>,
    pub(crate) offers: Option<OfferHook>,
    pub(crate) peer: PeerOptions,
    /// Logs that are on the stream from the start, and what the peer may do with those of which it was said.
    pub(crate) logs: Vec<(Hypercore, Option<PeerOptions>)>,
}

impl StreamOptions {
    /// The default options.
    pub fn new() -> Self {
        Self {
            key_pair: None,
            keep_alive: Some(KEEP_ALIVE_AFTER),
            silence: Some(SILENCE_MAX),
            allow: None,
            offers: None,
            peer: PeerOptions::new(),
            logs: Vec::new(),
        }
    }

    /// The identity that the other side sees, and proof of it. It has nothing to do with the keys of
    /// logs.
    pub fn key_pair(mut self, key_pair: KeyPair) -> Self {
        self.key_pair = Some(key_pair);
        self
    }

    /// How long nothing may be sent before a keep-alive is; `None`: never. A peer that has a limit on
    /// silence ends the stream then.
    pub fn keep_alive(mut self, after: Option<Duration>) -> Self {
        self.keep_alive = after;
        self
    }

    /// How long the other side may be silent before it counts as gone; `None`: for ever. A JavaScript
    /// peer whose application turned keep-alives off needs that.
    pub fn silence_limit(mut self, limit: Option<Duration>) -> Self {
        self.silence = limit;
        self
    }

    /// Asked once the identity of the other side is proven, and before anything else is said: whether
    /// to go on.
    pub fn allow<F>(mut self, hook: impl Fn(PublicKey) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = bool> + Send + 'static,
    {
        self.allow = Some(Arc::new(move |key| Box::pin(hook(key))));
        self
    }

    /// Has a log on the stream from the start; call it for each. As with
    /// [`ProtocolStream::add`](crate::ProtocolStream::add), but before the other side can have said anything: what it
    /// offers before a log is added is refused, and who came [for that log alone](Hypercore::replicate) leaves.
    pub fn log(mut self, log: &Hypercore) -> Self {
        self.logs.push((log.clone(), None));
        self
    }

    /// Does what [`log`](Self::log) does, and says what this peer may do with the log.
    pub fn log_with(mut self, log: &Hypercore, options: PeerOptions) -> Self {
        self.logs.push((log.clone(), Some(options)));
        self
    }

    /// Asked when the other side offers a log that was not added to the stream. What it gives is
    /// added, if it is the log that was offered; with `None` the offer is refused.
    pub fn on_offer<F>(mut self, hook: impl Fn(Offer) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Option<Hypercore>> + Send + 'static,
    {
        self.offers = Some(Arc::new(move |offer| Box::pin(hook(offer))));
        self
    }

    /// What peers may do with the logs of the stream, unless it is said when a log is added.
    pub fn peers(mut self, options: PeerOptions) -> Self {
        self.peer = options;
        self
    }
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for StreamOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamOptions")
            .field("public_key", &self.key_pair.as_ref().map(KeyPair::public))
            .field("keep_alive", &self.keep_alive)
            .field("silence", &self.silence)
            .field("peer", &self.peer)
            .field("logs", &self.logs.len())
            .finish_non_exhaustive()
    }
}

/// What a peer may do with a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct PeerOptions {
    pub(crate) upload: bool,
    pub(crate) download: bool,
}

impl PeerOptions {
    /// It may have all that is stored here, and is asked for what is missing.
    pub fn new() -> Self {
        Self { upload: true, download: true }
    }

    /// Whether the peer gets blocks from here.
    pub fn upload(mut self, upload: bool) -> Self {
        self.upload = upload;
        self
    }

    /// Whether blocks are asked from the peer. A handle that does not write never asks.
    pub fn download(mut self, download: bool) -> Self {
        self.download = download;
        self
    }
}

impl Default for PeerOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// A log that the other side of a stream has and this side did not add.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Offer {
    /// What names the log without telling its key.
    pub discovery_key: DiscoveryKey,
    /// Who offers it, where the stream tells.
    pub remote_public_key: Option<PublicKey>,
}
