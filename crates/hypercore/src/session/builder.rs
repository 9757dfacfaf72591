//! How a session is opened on an open log.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hypercore_crypto::KeyPair;

use super::waiting::WaitHook;
use super::{Place, Session, Settings};
use crate::encryption::{Cipher, Encryption};
use crate::error::Result;
use crate::handle::Hypercore;
use crate::signing::{Signer, check_alone};

/// The options of a session; see [`Hypercore::session`]. What is not said is as in the session that it is
/// opened on.
#[must_use = "nothing is opened before `open`"]
pub struct SessionBuilder {
    parent: Hypercore,
    settings: Settings,
    cipher: Arc<Cipher>,
    exclusive: bool,
}

impl SessionBuilder {
    pub(crate) fn new(parent: &Hypercore) -> Self {
        let session = parent.session_ref();
        Self {
            parent: parent.clone(),
            settings: session.settings().clone(),
            cipher: Arc::clone(session.cipher()),
            exclusive: false,
        }
    }

    /// The longest that a call waits for what is not stored here; `None` is for ever. A call that has
    /// waited so long fails with [`Error::is_timed_out`](crate::Error::is_timed_out). Needs the
    /// [timer](crate::Builder::timeout) of the runtime.
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.settings.waiting.timeout = timeout.into();
        self
    }

    /// Whether calls wait for what is not stored here. Those that do not say that it is
    /// [not stored](crate::Error::is_not_stored).
    pub fn wait(mut self, wait: bool) -> Self {
        self.settings.waiting.wait = wait;
        self
    }

    /// Called with the index of a block right before [`get`](Hypercore::get) waits for it.
    pub fn on_wait(mut self, hook: impl Fn(u64) + Send + Sync + 'static) -> Self {
        self.settings.waiting.on_wait = Some(WaitHook::new(hook));
        self
    }

    /// The key that blocks are encrypted with, as with [`Builder::encryption_key`](crate::Builder::encryption_key);
    /// the other sessions of the log keep theirs.
    pub fn encryption_key(self, key: [u8; 32]) -> Self {
        self.encryption(Encryption::key(key))
    }

    /// How blocks are encrypted; the other sessions of the log keep their way.
    pub fn encryption(self, encryption: impl Into<Encryption>) -> Self {
        self.encrypted(Some(encryption.into()))
    }

    /// Reads and writes blocks as they are stored, whatever the session that it is opened on does.
    pub fn without_encryption(self) -> Self {
        self.encrypted(None)
    }

    fn encrypted(mut self, encryption: Option<Encryption>) -> Self {
        self.cipher = Arc::new(Cipher::new(self.parent.key(), encryption));
        self
    }

    /// The key pair that signs what this session writes: that of another signer who may sign alone. A
    /// log that has no key pair of its own can be written to through such a session.
    pub fn key_pair(mut self, key_pair: KeyPair) -> Self {
        self.settings.key_pair = Some(Arc::new(key_pair));
        self.settings.signer = None;
        self
    }

    /// Who signs what this session writes and keeps the key to itself, as with
    /// [`Builder::signer`](crate::Builder::signer).
    pub fn signer(mut self, signer: Arc<dyn Signer>) -> Self {
        self.settings.key_pair = None;
        self.settings.signer = Some(signer);
        self
    }

    /// Whether the session may write; `true` gives no right that the log does not have.
    pub fn writable(mut self, writable: bool) -> Self {
        self.settings.writable = writable;
        self
    }

    /// Whether the session lets the log close under it, when all sessions that are not weak have ended. So it does with a
    /// [named batch](crate::NamedBatch) that it is of.
    pub fn weak(mut self, weak: bool) -> Self {
        self.settings.weak = weak;
        self
    }

    /// One exclusive session at a time: opening waits until the one before has ended, in the order in
    /// which it was asked for. Dropping the future gives up the place.
    ///
    /// It excludes other exclusive sessions and nobody else: whoever must not write at the same time has
    /// to ask for it as well. A session that may not [write](Self::writable) needs no place and takes none.
    pub fn exclusive(mut self) -> Self {
        self.exclusive = true;
        self
    }

    /// Opens the session.
    ///
    /// # Errors
    /// `Closed` when the session that it is opened on, or the log, was closed meanwhile; `Caller` when
    /// the key pair may not sign, or a provider wants too much padding.
    pub async fn open(self) -> Result<Hypercore> {
        let Self { parent, settings, cipher, exclusive } = self;
        let session = parent.session_ref();
        session.check_open()?;
        cipher.check()?;
        let public_key = match (&settings.key_pair, &settings.signer) {
            (Some(key_pair), _) => Some(key_pair.public()),
            (None, signer) => signer.as_ref().map(|signer| signer.public_key()),
        };
        // Where the manifest is not known yet, signing tells.
        if let Some(public_key) = public_key
            && let Some(manifest) = session.inline(|view, _| Ok(view.log().manifest()))?
        {
            check_alone(&public_key, &manifest, &parent.key())?;
        }
        let place = if exclusive && settings.writable {
            Some(session.until_end(Place::take(session.shared())).await?)
        } else {
            None
        };
        let (shared, view) = (Arc::clone(session.shared()), session.view().clone());
        Ok(Hypercore::of(Session::begin(shared, view, cipher, settings, place)?))
    }
}

impl fmt::Debug for SessionBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionBuilder")
            .field("settings", &self.settings)
            .field("exclusive", &self.exclusive)
            .finish_non_exhaustive()
    }
}
