//! How a log is opened.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hypercore_crypto::{CoreKey, KeyPair, Manifest, PublicKey, discovery_key};
use hypercore_log::{Access as LogAccess, Create, Durability, Log, OpenError, OpenOptions, Stores};
use tokio::runtime::Handle;
use zeroize::Zeroizing;

use crate::encryption::{Cipher, Encryption};
use crate::error::{Error, ErrorKind, Result};
use crate::handle::Hypercore;
use crate::key::IntoCoreKey;
use crate::named_batch::Batches;
use crate::options::Access;
use crate::session::{Session, Settings, WaitHook};
use crate::shared::{Identity, Shared, is_some_log_settling};
use crate::signing::{Signer, check_alone};
use crate::storage::{MemoryStorage, Storage, share};
use crate::view::View;

/// Bytes of the two header slots at the start of an oplog; every finished log has them.
///
/// # Source
/// formats.md section 8.4.
const OPLOG_HEADERS_LEN: u64 = 8192;

/// How often a follower opens again when a writer changed the files under it, before it believes
/// that they are damaged.
const FOLLOW_ATTEMPTS: u32 = 20;

/// What a follower waits between two attempts.
const FOLLOW_PAUSE: Duration = Duration::from_millis(10);

/// What an opener waits for a log that this process is still syncing after its last handle was
/// dropped, and how often.
const SETTLE_PAUSE: Duration = Duration::from_millis(2);
const SETTLE_ATTEMPTS: u32 = 5_000;

/// The options of a log; see [`Hypercore::builder`].
///
/// By default a log is opened for reading and writing, made when it is missing with a new key pair,
/// durable at once, and verified on every read.
#[must_use = "nothing is opened before `open`"]
pub struct Builder {
    storage: Storage,
    access: Access,
    create: Create,
    durability: Durability,
    key: Option<CoreKey>,
    key_pair: Option<KeyPair>,
    manifest: Option<Manifest>,
    compat: bool,
    encryption: Option<Encryption>,
    verify_reads: bool,
    rebuild_roots: bool,
    settings: Settings,
    /// What completes the options before opening.
    prepare: Option<Prepare>,
    /// The first option that can not be.
    refused: Option<Error>,
}

type Prepare =
    Box<dyn FnOnce(Builder) -> Pin<Box<dyn Future<Output = Result<Builder>> + Send>> + Send>;

impl Builder {
    pub(crate) fn new(storage: Storage) -> Self {
        Self {
            storage,
            access: Access::ReadWrite,
            create: Create::IfMissing,
            durability: Durability::Immediate,
            key: None,
            key_pair: None,
            manifest: None,
            compat: false,
            encryption: None,
            verify_reads: true,
            rebuild_roots: false,
            settings: Settings::default(),
            prepare: None,
            refused: None,
        }
    }

    /// Whether this handle writes, and who else may have the log open. [`Access::ReadWrite`] by
    /// default.
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Short for [`Access::ReadOnly`].
    pub fn read_only(self) -> Self {
        self.access(Access::ReadOnly)
    }

    /// What to do when nothing is stored, or something is. [`Create::IfMissing`] by default; a
    /// handle that does not write never creates.
    pub fn create(mut self, create: Create) -> Self {
        self.create = create;
        self
    }

    /// Makes roots of the tree that are gone again, without which the log does not open: before a
    /// [repair](Hypercore::repair_with).
    pub fn rebuild_roots(mut self) -> Self {
        self.rebuild_roots = true;
        self
    }

    /// When a write counts as done. [`Durability::Immediate`] by default.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// The log that is wanted: its key, the 32 bytes of it, or [its text](IntoCoreKey). One with another
    /// key does not open; a new one made with a key only is filled by others and can not be appended to
    /// here. What is no key is an error of [`open`](Self::open).
    pub fn key(mut self, key: impl IntoCoreKey) -> Self {
        match key.into_core_key() {
            Ok(key) => self.key = Some(key),
            Err(error) => self.refused = self.refused.or(Some(error)),
        }
        self
    }

    /// The key pair that signs. Without one a new log gets a random one, kept in its storage.
    pub fn key_pair(mut self, key_pair: KeyPair) -> Self {
        self.key_pair = Some(key_pair);
        self
    }

    /// Who signs, where the key is kept elsewhere: see [`Signer`]. A new log may be signed by this signer alone,
    /// unless a [manifest](Self::manifest) says otherwise; it must allow that the signer signs alone.
    ///
    /// Appends, truncations and commits of batches wait for the signer, one after the other; each asks for one
    /// signature.
    pub fn signer(mut self, signer: Arc<dyn Signer>) -> Self {
        self.settings.signer = Some(signer);
        self
    }

    /// The key pair of a 32-byte seed: the same seed makes the same log. For tests and scripts; who
    /// knows the seed can write.
    pub fn seed(self, seed: &[u8; 32]) -> Self {
        self.key_pair(KeyPair::from_seed(seed))
    }

    /// Who may sign a new log; its hash becomes the key. Without one the key pair alone may.
    ///
    /// A new log with a manifest and no key pair can not be appended to here.
    pub fn manifest(mut self, manifest: Manifest) -> Self {
        self.manifest = Some(manifest);
        self
    }

    /// Makes the public key of the writer the key of a new log, as JavaScript Hypercore 10 does by
    /// default, not the hash of its manifest.
    pub fn compat(mut self, compat: bool) -> Self {
        self.compat = compat;
        self
    }

    /// Encrypts blocks on append and decrypts them on read, as JavaScript Hypercore 10 and 11 do.
    ///
    /// The key is not stored. Without it the log reads as ciphertext with 8 bytes more a block;
    /// with a wrong one it reads as noise, which nothing here can tell from content.
    pub fn encryption_key(self, key: [u8; 32]) -> Self {
        self.encryption(Encryption::key(key))
    }

    /// Encrypts blocks on append and decrypts them on read, in the way chosen: see [`Encryption`].
    pub fn encryption(mut self, encryption: impl Into<Encryption>) -> Self {
        self.encryption = Some(encryption.into());
        self
    }

    /// Whether each block read from storage is checked against the signed tree. On by default;
    /// turned off, damaged storage reads as wrong bytes.
    pub fn verify_reads(mut self, verify: bool) -> Self {
        self.verify_reads = verify;
        self
    }

    /// The longest that a call waits for what is not stored here; `None`, the default, is for ever. A call
    /// that has waited so long fails with [`Error::is_timed_out`]. [Sessions](Hypercore::session) and
    /// [single calls](crate::GetOptions) may have it otherwise.
    ///
    /// Needs the timer of the tokio runtime that polls the call, or, where none does, of the one that the log was
    /// opened on: in a runtime that was built without, the call panics when it has to wait. Nothing tells
    /// beforehand whether there is one.
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.settings.waiting.timeout = timeout.into();
        self
    }

    /// Whether calls wait for what is not stored here, as they do by default. Those that do not say that
    /// it is [not stored](Error::is_not_stored).
    pub fn wait(mut self, wait: bool) -> Self {
        self.settings.waiting.wait = wait;
        self
    }

    /// Called with the index of a block right before [`get`](Hypercore::get) waits for it.
    pub fn on_wait(mut self, hook: impl Fn(u64) + Send + Sync + 'static) -> Self {
        self.settings.waiting.on_wait = Some(WaitHook::new(hook));
        self
    }

    /// Completes the options right before opening, with what has to be waited for: a key from somewhere
    /// else, say. What it says comes after all that was said before; a second hook takes the place of the first.
    ///
    /// ```
    /// # use hypercore::{Hypercore, Storage};
    /// # async fn ask_for_key() -> std::io::Result<[u8; 32]> { Ok([7; 32]) }
    /// # #[tokio::main]
    /// # async fn main() -> hypercore::Result<()> {
    /// let log = Hypercore::builder(Storage::memory())
    ///     .prepare(|options| async { ask_for_key().await.map(|key| options.encryption_key(key)) })
    ///     .open()
    ///     .await?;
    /// # assert!(log.info().await?.encrypted);
    /// # Ok(())
    /// # }
    /// ```
    pub fn prepare<F, Fut, E>(mut self, hook: F) -> Self
    where
        F: FnOnce(Self) -> Fut + Send + 'static,
        Fut: Future<Output = std::result::Result<Self, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.prepare = Some(Box::new(|builder| {
            let prepared = hook(builder);
            Box::pin(async { prepared.await.map_err(|error| Error::prepare(error.into())) })
        }));
        self
    }

    /// Opens the log.
    ///
    /// Must be called inside a tokio runtime; the log's long calls run on that runtime's blocking
    /// threads, whoever awaits them.
    ///
    /// # Durability
    /// A new log is on stable storage, with its directory, on return.
    ///
    /// # Errors
    /// `Caller` when nothing is stored ([`Error::is_not_found`]), something is
    /// ([`Error::is_already_exists`]), another handle has it open ([`Error::is_locked`]), the key
    /// is another, or the key pair may not sign; `Corrupt` when what is stored is damaged or newer
    /// than this version ([`Error::is_unsupported`]); `Io` when the disk failed. Nothing that was
    /// stored is changed then.
    pub async fn open(mut self) -> Result<Hypercore> {
        while let Some(prepare) = self.prepare.take() {
            self = prepare(self).await?;
        }
        if let Some(error) = self.refused {
            return Err(error);
        }
        let runtime = Handle::try_current().map_err(|_| Error::no_runtime())?;
        let handle = runtime.clone();
        let task = runtime.spawn_blocking(move || self.open_now(handle));
        match task.await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(Error::runtime_gone()),
            },
        }
    }

    fn open_now(mut self, runtime: Handle) -> Result<Hypercore> {
        if let Some(encryption) = &self.encryption {
            encryption.check()?;
        }
        let creates = self.access == Access::ReadWrite && self.create != Create::Never;
        let signer = self.settings.signer.as_ref().map(|signer| signer.public_key());
        if let Some(public_key) = &signer {
            self.name_signer(public_key)?;
        }
        let named = self.key.is_some() || self.key_pair.is_some() || self.manifest.is_some();
        let fresh = if creates && !named { Some(random_key_pair()?) } else { None };
        if creates && (self.create == Create::Overwrite || self.storage.would_create()?) {
            // Options that can not make a log are refused before anything is made or emptied.
            let trial = MemoryStorage::new().stores();
            drop(Log::open(trial, self.log_options(fresh.as_ref()))?);
        }
        let log = if self.access == Access::Follow {
            self.open_follower()?
        } else {
            self.open_log(fresh.as_ref())?
        };
        if let (Some(public_key), Some(manifest)) = (&signer, log.manifest()) {
            check_alone(public_key, &manifest, &log.key())?;
        }
        let identity = Identity {
            key: log.key(),
            discovery_key: discovery_key(&log.key()),
            writable: self.access == Access::ReadWrite && log.is_writable(),
            directory: self.storage.directory_path(),
            stores: self.access == Access::ReadWrite,
        };
        let cipher = Cipher::new(log.key(), self.encryption);
        let batches = Batches::new(self.storage.side(self.access));
        let shared = Shared::new(log, identity, self.durability, runtime, batches);
        let session = Session::begin(shared, View::Live, Arc::new(cipher), self.settings, None)?;
        Ok(Hypercore::of(session))
    }

    /// Lets the signer alone sign a new log, unless the options say something else that it can go with.
    fn name_signer(&mut self, public_key: &PublicKey) -> Result<()> {
        if let Some(manifest) = &self.manifest {
            return check_alone(public_key, manifest, &manifest.key());
        }
        let single = Manifest::single(*public_key);
        if self.key.is_none_or(|key| single.belongs_to(&key)) {
            self.manifest = Some(single);
        }
        Ok(())
    }

    fn log_options(&self, fresh: Option<&KeyPair>) -> OpenOptions {
        let writes = self.access == Access::ReadWrite;
        let mut options = OpenOptions::new()
            .access(if writes { LogAccess::ReadWrite } else { LogAccess::ReadOnly })
            .create(if writes { self.create } else { Create::Never })
            .durability(self.durability)
            .verify_reads(self.verify_reads)
            .compat(self.compat);
        if self.rebuild_roots {
            options = options.rebuild_roots();
        }
        if let Some(key) = self.key {
            options = options.key(key);
        }
        if let Some(key_pair) = self.key_pair.as_ref().or(fresh) {
            options = options.key_pair(key_pair.clone());
        }
        if let Some(manifest) = &self.manifest {
            options = options.manifest(manifest.clone());
        }
        options
    }

    fn open_log(&mut self, fresh: Option<&KeyPair>) -> Result<Log> {
        let mut attempts = 0_u32;
        while !self.storage.has_lock() && is_some_log_settling() && attempts < SETTLE_ATTEMPTS {
            // Nothing would tell that it is the log in these stores that is still being synced.
            attempts = attempts.saturating_add(1);
            pause(SETTLE_PAUSE);
        }
        loop {
            // Asked before the attempt: what settles in between was locked at the time all the same.
            let settling = is_some_log_settling();
            match self.storage.open(self.access, self.create) {
                Ok(opened) => {
                    let (stores, holds_none) = judge(opened)?;
                    if self.access == Access::ReadWrite && self.create == Create::Overwrite {
                        // They are those of the log that goes. The options have been found to be good.
                        Batches::new(self.storage.side(self.access)).delete_all()?;
                    }
                    let fresh = fresh.filter(|_| holds_none || self.create == Create::Overwrite);
                    return Ok(Log::open(stores, self.log_options(fresh))?);
                }
                Err(error) if error.is_locked() && settling && attempts < SETTLE_ATTEMPTS => {
                    attempts = attempts.saturating_add(1);
                    pause(SETTLE_PAUSE);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Opens without a lock. A writer may change files between two reads, which looks like damage
    /// for a moment.
    fn open_follower(&mut self) -> Result<Log> {
        let mut attempts = 0_u32;
        loop {
            attempts = attempts.saturating_add(1);
            let result = self
                .storage
                .open(self.access, self.create)
                .and_then(|opened| Ok(Log::open(opened, self.log_options(None))?));
            match result {
                Err(error)
                    if error.kind() == ErrorKind::Corrupt
                        && !error.is_unsupported()
                        && attempts < FOLLOW_ATTEMPTS =>
                {
                    pause(FOLLOW_PAUSE);
                }
                result => return result,
            }
        }
    }
}

/// Whether the stores hold no log, so that a new one needs a key pair. What is damaged is not
/// nothing: the engine refuses it.
fn judge(stores: Stores) -> Result<(Stores, bool)> {
    let len = stores.oplog.len().map_err(|error| Error::storage("oplog", error))?;
    if len == 0 || len >= OPLOG_HEADERS_LEN {
        return Ok((stores, len == 0));
    }
    // Too short for both headers: one may be there all the same, if making the log was cut short.
    let (stores, same) = share(stores);
    let probed = Log::open(same, OpenOptions::new().access(LogAccess::ReadOnly));
    Ok((stores, matches!(probed, Err(OpenError::NotFound))))
}

/// Opening runs on a blocking thread, so it may wait there.
#[expect(clippy::disallowed_methods, reason = "the facade may wait on its blocking threads")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// A key pair from the system's randomness.
///
/// # Errors
/// `Io` when the system gives none.
pub fn random_key_pair() -> Result<KeyPair> {
    let mut seed = Zeroizing::new([0_u8; 32]);
    getrandom::fill(&mut *seed).map_err(Error::entropy)?;
    Ok(KeyPair::from_seed(&seed))
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("storage", &self.storage)
            .field("access", &self.access)
            .field("create", &self.create)
            .field("durability", &self.durability)
            .field("key", &self.key)
            .field("key_pair", &self.key_pair)
            .field("manifest", &self.manifest)
            .field("compat", &self.compat)
            .field("encryption", &self.encryption)
            .field("verify_reads", &self.verify_reads)
            .finish()
    }
}
