//! How a named batch is opened.

use std::sync::Arc;

use hypercore_log::{Access, Branch, BranchOptions, Create, Log, OpenError};
use random_access_storage::Error as StoreError;

use super::open::{Joined, OpenBatch};
use super::registry::{Entered, Slot};
use super::{NamedBatch, name};
use crate::error::{Error, Result};
use crate::handle::Hypercore;
use crate::session::{Session, Settings};
use crate::shared::Shared;
use crate::snapshot::overlay;
use crate::view::View;

/// The options of a named batch; see [`Hypercore::batch`].
#[derive(Debug)]
#[must_use = "nothing is opened before `open`"]
pub struct BatchBuilder {
    log: Hypercore,
    name: String,
    wanted: Wanted,
}

/// What to open.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    create: Create,
    checkout: Option<u64>,
    /// Whether it may be written to.
    writes: bool,
}

impl BatchBuilder {
    pub(super) fn new(log: &Hypercore, name: &str) -> Self {
        let wanted = Wanted { create: Create::IfMissing, checkout: None, writes: true };
        Self { log: log.clone(), name: name.to_owned(), wanted }
    }

    /// What to do when the batch is stored, or is not: by default ([`Create::IfMissing`]) it is resumed, or
    /// begun. [`Create::Overwrite`] begins anew and forgets what is stored. A handle that does not write never
    /// creates.
    pub fn create(mut self, create: Create) -> Self {
        self.wanted.create = create;
        self
    }

    /// The length to begin at: a new batch has the first `length` blocks of the log, by default all; one that is
    /// resumed is truncated to it.
    pub fn checkout(mut self, length: u64) -> Self {
        self.wanted.checkout = Some(length);
        self
    }

    /// Opens the batch.
    ///
    /// A handle or a session that does not write reads what is stored, at the length it has.
    ///
    /// A batch that is open is shared: all handles see the same, and `checkout` must say the length it has.
    /// It is as durable as the log, encrypted as the session it is opened on, and has its timeout and its other
    /// settings.
    ///
    /// # Durability
    /// A new batch is on stable storage on return, and so is what it has of the log.
    ///
    /// # Errors
    /// `Caller` when the handle does not write and more is wanted than to read ([`Error::is_not_writable`]), the log's
    /// stores have no place for batches, the name is empty or longer than [`BATCH_NAME_LEN_MAX`](crate::BATCH_NAME_LEN_MAX) bytes,
    /// nothing is stored or something is ([`Error::is_not_found`], [`Error::is_already_exists`]), `checkout` is past
    /// the end, or the batch is open and something else is wanted of it ([`Error::is_locked`]); `Corrupt` when
    /// what is stored is damaged; `Io`, `Closed`.
    pub async fn open(self) -> Result<NamedBatch> {
        let Self { log, name, mut wanted } = self;
        let session = log.session_ref();
        session.check_open()?;
        let writable = session.stores();
        if !writable {
            wanted = wanted.to_read()?;
        }
        name::check(&name)?;
        let shared = Arc::clone(session.shared());
        let open = move |base: &Log| wanted.open(&shared, base, &name);
        let joined = session.shared().blocking(open).await?;
        let view = View::Batch(Arc::clone(joined.batch()));
        let (shared, cipher) = (Arc::clone(session.shared()), Arc::clone(session.cipher()));
        let settings = Settings { writable, ..session.settings().clone() };
        let session = Session::begin(shared, view, cipher, settings, None)?;
        Ok(NamedBatch::new(Hypercore::of(session), Arc::clone(joined.batch())))
    }
}

impl Wanted {
    /// The same for one who does not write.
    fn to_read(self) -> Result<Self> {
        match self.create {
            Create::New | Create::Overwrite => Err(Error::not_writable()),
            _ => Ok(Self { create: Create::Never, writes: false, ..self }),
        }
    }

    fn open(self, shared: &Arc<Shared>, base: &Log, name: &str) -> Result<Joined> {
        match shared.batches().enter(name)? {
            Entered::Open(joined) => self.join(joined),
            Entered::Closed(slot) => self.open_closed(shared, base, slot),
        }
    }

    /// Joins those that have it open.
    fn join(self, joined: Joined) -> Result<Joined> {
        let length = joined.batch().last_seen().length;
        match self.create {
            Create::New => Err(OpenError::AlreadyExists.into()),
            Create::Overwrite => Err(Error::batch_is_open()),
            _ if self.checkout.is_some_and(|wanted| wanted != length) => {
                Err(Error::batch_is_open())
            }
            _ => Ok(joined),
        }
    }

    fn open_closed(self, shared: &Arc<Shared>, base: &Log, slot: Slot) -> Result<Joined> {
        let batches = shared.batches();
        let stored = batches.names()?.iter().any(|name| name == slot.name());
        match self.open_branch(shared, base, slot.name()) {
            Ok(branch) => OpenBatch::begin(Arc::clone(shared), branch, slot),
            Err(error) => {
                if !stored
                    && self.writes
                    && let Err(error) = slot.delete()
                {
                    tracing::warn!(%error, "what was made of a batch that could not be opened stays");
                }
                Err(error)
            }
        }
    }

    fn open_branch(self, shared: &Shared, base: &Log, name: &str) -> Result<Branch> {
        if let (Create::Overwrite, Some(checkout)) = (self.create, self.checkout)
            && checkout > base.length()
        {
            // What is stored must not be forgotten for what can not begin.
            return Err(OpenError::CheckoutTooLong { checkout, length: base.length() }.into());
        }
        let side = shared.batches().stores()?;
        let stores = match self.create {
            Create::Never => side.open_batch(name),
            _ => side.create_batch(name),
        };
        let stores = stores.map_err(|error| match error {
            StoreError::NotFound => Error::not_found(),
            error => Error::storage("batches", error),
        })?;
        // One that is shared may be written to by others.
        let access = if shared.identity.stores { Access::ReadWrite } else { Access::ReadOnly };
        let mut options = BranchOptions::new().create(self.create).durability(shared.durability());
        options = options.access(access);
        if let Some(length) = self.checkout {
            options = options.checkout(length);
        }
        let branch = Branch::open(base, stores, overlay(shared)?, options)?;
        if let Some(checkout) = self.checkout {
            let length = branch.length();
            if checkout > length {
                return Err(OpenError::CheckoutTooLong { checkout, length }.into());
            }
            if checkout < length {
                if !self.writes {
                    return Err(Error::not_writable());
                }
                branch.truncate(base, checkout)?;
            }
        }
        Ok(branch)
    }
}
