//! A session: one way of using the open log, with settings and an end of its own.
//!
//! All sessions of a log share the engine ([`Shared`]); a handle is a reference to one session. A session ends when it
//! is closed or its last handle is dropped, and with the last one that is not weak the log closes.
//!
//! Invariant: threads and tasks of the crate hold [`Shared`], a [`View`] or a [`Cipher`], never a
//! session: when the last handle is gone the session must end then, not when some thread is done.

mod builder;
mod exclusive;
mod registry;
mod settings;
mod waiting;

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use hypercore_log::Log;
use hypercore_replication::LogChange;
use tokio::sync::Notify;

pub use builder::SessionBuilder;
pub(crate) use exclusive::{Place, Places};
pub(crate) use registry::{Leaving, Registry};
pub(crate) use settings::Settings;
pub(crate) use waiting::{WaitHook, Waiting};

use crate::batch::Batch;
use crate::encryption::{Cipher, Unsealed};
use crate::error::{Error, Result};
use crate::info::Appended;
use crate::named_batch::Joined;
use crate::options::AppendOptions;
use crate::replication::exchange::{self, Exchange};
use crate::replication::wish::Wishes;
use crate::shared::{LastSeen, Manner, Origin, Shared};
use crate::signing::Signer;
use crate::view::{View, Viewed};

/// One session of an open log.
pub(crate) struct Session {
    shared: Arc<Shared>,
    view: View,
    manner: Manner,
    settings: Settings,
    /// Set once, when it ends.
    ended: OnceLock<Leaving>,
    /// Given back when it ends.
    place: Mutex<Option<Place>>,
    /// Left when it ends.
    joined: Mutex<Option<Joined>>,
    /// Wakes those who wait in this session.
    on_end: Notify,
    wishes: Wishes,
}

impl Session {
    /// Begins a session.
    ///
    /// # Errors
    /// `Closed` when no session that keeps the log open is left, or the batch was closed.
    pub(crate) fn begin(
        shared: Arc<Shared>,
        view: View,
        cipher: Arc<Cipher>,
        settings: Settings,
        place: Option<Place>,
    ) -> Result<Arc<Self>> {
        let joined = Mutex::new(view.join(settings.weak)?);
        shared.sessions().enter(settings.weak)?;
        let options = settings.key_pair.is_some().then(AppendOptions::new);
        let options = options.map(|none| Arc::new(none.for_log(settings.key_pair.as_deref())));
        let manner = Manner { cipher, options };
        let (ended, on_end, place) = (OnceLock::new(), Notify::new(), Mutex::new(place));
        let wishes = Wishes::default();
        Ok(Arc::new(Self { shared, view, manner, settings, ended, place, joined, on_end, wishes }))
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn view(&self) -> &View {
        &self.view
    }

    pub(crate) fn cipher(&self) -> &Arc<Cipher> {
        &self.manner.cipher
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What it waits for.
    pub(crate) fn wishes(&self) -> &Wishes {
        &self.wishes
    }

    /// Whether this session may append.
    pub(crate) fn is_writable(&self) -> bool {
        let identity = &self.shared.identity;
        let Settings { key_pair, signer, .. } = &self.settings;
        let signs = identity.writable || key_pair.is_some() || signer.is_some();
        self.settings.writable && self.view.is_writable(identity, signs)
    }

    /// Whether this session may store anything at all.
    pub(crate) fn stores(&self) -> bool {
        self.settings.writable && self.shared.identity.stores
    }

    /// The numbers that this session shows, also after its end.
    pub(crate) fn last_seen(&self) -> LastSeen {
        self.view.last_seen(&self.shared)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.ended.get().is_some() || self.shared.is_closed()
    }

    pub(crate) fn check_open(&self) -> Result<()> {
        if self.ended.get().is_some() { Err(Error::closed()) } else { Ok(()) }
    }

    /// Runs a short call on this thread.
    pub(crate) fn inline<T>(
        &self,
        call: impl FnOnce(Viewed<'_>, &Cipher) -> Result<T>,
    ) -> Result<T> {
        self.check_open()?;
        self.shared.inline(|log| call(self.view.of(log)?, self.cipher()))
    }

    /// Runs a long call that only reads on a blocking thread. Once begun it runs to its end, also
    /// when the future is dropped.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        call: impl FnOnce(Viewed<'_>, &Cipher) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.check_open()?;
        let (view, cipher) = (self.view.clone(), Arc::clone(self.cipher()));
        self.shared.blocking(move |log| call(view.of(log)?, &cipher)).await
    }

    /// Runs a long call that writes on a blocking thread, as [`blocking`](Self::blocking) does.
    pub(crate) async fn blocking_write<T: Send + 'static>(
        &self,
        call: impl FnOnce(Viewed<'_>, &Cipher) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.check_open()?;
        let (view, cipher) = (self.view.clone(), Arc::clone(self.cipher()));
        // Those who write to a batch wait here, and no thread with them.
        let writing = match view.batch() {
            Some(batch) => Some(batch.begin_write().await),
            None => None,
        };
        let Some(writing) = writing else {
            return self.shared.blocking_write(move |log| call(view.of(log)?, &cipher)).await;
        };
        let write = move |log: &Log| {
            let _writing = writing;
            let result = call(view.of(log)?, &cipher);
            view.batch().into_iter().for_each(|batch| batch.wrote());
            result
        };
        self.shared.blocking(write).await
    }

    /// Runs a long call that changes what is seen, as [`blocking`](Self::blocking) does. Peers and those who wait hear of
    /// `change` also when the future is dropped meanwhile.
    pub(crate) async fn blocking_change<T: Send + 'static>(
        &self,
        change: LogChange,
        call: impl FnOnce(Viewed<'_>, &Cipher) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let changed = self.view.is_live().then(|| Arc::clone(&self.shared));
        self.blocking_write(move |view, cipher| {
            let result = call(view, cipher)?;
            if let Some(shared) = changed {
                if change == LogChange::Appended {
                    shared.wrote();
                }
                exchange::log_changed(&shared, change);
            }
            Ok(result)
        })
        .await
    }

    /// Appends few small blocks on this thread; `None` when that could take long.
    pub(crate) fn append_inline<B: AsRef<[u8]>>(&self, blocks: &[B]) -> Option<Result<Appended>> {
        if let Err(error) = self.check_writable() {
            return Some(Err(error));
        }
        if self.asks_outside() {
            return None;
        }
        if let Some(batch) = self.view.batch() {
            return batch.append_inline(&self.manner, blocks);
        }
        if self.shared.outside().is_urgent() {
            return None;
        }
        self.shared.append_inline(&self.manner, blocks)
    }

    /// Appends blocks on a blocking thread, together with what others append meanwhile.
    pub(crate) async fn append_queued(&self, batch: Batch) -> Result<Appended> {
        if self.asks_outside() || !self.view.is_live() {
            return self.append_with(batch, AppendOptions::new()).await;
        }
        self.check_writable()?;
        self.let_pass().await?;
        let origin = Origin::new(Arc::clone(&self.shared), self.manner.clone());
        Shared::append_queued(origin, batch).await
    }

    /// Appends blocks with options of their own.
    pub(crate) async fn append_with(
        &self,
        batch: Batch,
        options: AppendOptions,
    ) -> Result<Appended> {
        self.check_writable()?;
        let signer = self.signer().filter(|_| !options.signs()).cloned();
        let options = options.for_log(self.settings.key_pair.as_deref());
        if signer.is_some() || self.cipher().provider().is_some() {
            return self.append_outside(batch.into_blocks(), options, signer).await;
        }
        if !self.view.is_live() {
            return self.append_to_branch(batch, options).await;
        }
        self.let_pass().await?;
        let manner = Manner { options: Some(Arc::new(options)), ..self.manner.clone() };
        Shared::append_queued(Origin::new(Arc::clone(&self.shared), manner), batch).await
    }

    /// Whether somebody outside takes part in the writes of this session.
    fn asks_outside(&self) -> bool {
        self.signer().is_some() || self.cipher().provider().is_some()
    }

    /// The signer that is asked for what this session writes. Nobody signs a draft.
    fn signer(&self) -> Option<&Arc<dyn Signer>> {
        self.settings.signer.as_ref().filter(|_| self.view.is_live())
    }

    /// Lets a write pass that asks somebody outside and has lost against others too often.
    async fn let_pass(&self) -> Result<()> {
        let outside = self.shared.outside();
        if !outside.is_urgent() {
            return Ok(());
        }
        self.until_end(async {
            outside.let_pass().await;
            Ok(())
        })
        .await
    }

    pub(crate) fn check_writable(&self) -> Result<()> {
        self.check_open()?;
        if self.settings.writable && self.view.is_changeable() {
            Ok(())
        } else {
            Err(Error::not_writable())
        }
    }

    /// The content of block `index`, for which a provider may be waited for.
    pub(crate) async fn content(&self, index: u64, unsealed: Unsealed) -> Result<Bytes> {
        match unsealed {
            Unsealed::Content(content) => Ok(content),
            sealed @ Unsealed::Sealed(_) => {
                self.until_end(self.cipher().content(index, sealed)).await
            }
        }
    }

    /// Makes everything written so far durable.
    pub(crate) async fn flush(&self) -> Result<()> {
        self.check_open()?;
        match self.view.batch() {
            Some(batch) => batch.flush().await,
            None => self.shared.flush().await,
        }
    }

    /// Ends the session, and closes the batch and the log if no other keeps them open. All who ask hear how it
    /// went.
    pub(crate) async fn close(&self) -> Result<()> {
        let leaving = self.end();
        if leaving == Leaving::Last {
            // Now: nobody else will, should this future be dropped.
            self.shared.begin_close();
        }
        let batch = match self.view.batch() {
            Some(batch) if batch.is_closing() => batch.closed().await,
            _ => Ok(()),
        };
        match leaving {
            Leaving::Last => batch.and(self.shared.closed().await),
            Leaving::Others => batch,
        }
    }

    fn end(&self) -> Leaving {
        let leaving = *self.ended.get_or_init(|| {
            self.shared.sessions().linger();
            self.shared.sessions().leave(self.settings.weak)
        });
        drop(self.place.lock().unwrap_or_else(PoisonError::into_inner).take());
        drop(self.joined.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.on_end.notify_waiters();
        self.wishes.take_back(&self.shared);
        self.shared.events().end_session(std::ptr::from_ref(self).addr());
        leaving
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let was_closed = self.ended.get().is_some();
        let leaving = self.end();
        self.shared.sessions().vanish();
        if !was_closed && leaving == Leaving::Last {
            self.shared.abandon();
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("key", &self.shared.identity.key)
            .field("view", &self.view)
            .field("settings", &self.settings)
            .field("closed", &self.is_closed())
            .field("wishes", &self.shared.exchange_if_any().map_or(Some(0), Exchange::wishes))
            .finish_non_exhaustive()
    }
}
