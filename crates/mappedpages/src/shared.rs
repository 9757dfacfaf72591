//! A pager for many threads.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::engine::{Barrier, Result};
use crate::error::MappedPageError;
use crate::group::{Group, Ticket, Wish};
use crate::options::Durability;
use crate::pager::Pager;
use crate::transaction::Transaction;

/// A [`Pager`] that many threads use at once; clones are handles to the same one.
///
/// Each write is a transaction. Writes wait for each other only while they change what is in memory; those
/// that wait for the medium at the same time share one commit, so that many threads together commit
/// little slower than one.
///
/// A write is seen by others as soon as its closure has returned, which is before it is durable: if the
/// process ends then, what others have seen may be gone. It is durable when the call returns.
///
/// ```
/// use mappedpages::{MappedPageError, Pager, SharedPager};
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("pages");
/// let pager = SharedPager::new(Pager::<4096>::create(&path)?);
/// let ids = std::thread::scope(|scope| {
///     let threads = [1, 2, 3, 4].map(|byte| {
///         let pager = pager.clone();
///         scope.spawn(move || {
///             pager.write(|transaction| {
///                 let id = transaction.alloc_protected()?;
///                 transaction.protected_mut(id)?.as_bytes_mut().fill(byte);
///                 Ok::<_, MappedPageError>(id)
///             })
///         })
///     });
///     threads.map(|thread| thread.join().expect("no thread panics"))
/// });
/// for id in ids {
///     let id = id?;
///     pager.read(|pager| assert_ne!(id.get(pager).expect("it is there").as_bytes()[0], 0))?;
/// }
/// pager.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SharedPager<const PAGE_SIZE: usize> {
    shared: Arc<Shared<PAGE_SIZE>>,
}

struct Shared<const P: usize> {
    /// `None` once it was closed. What orders changes, and taken before the group's own lock.
    pager: RwLock<Option<Pager<P>>>,
    group: Group,
}

impl<const PAGE_SIZE: usize> Clone for SharedPager<PAGE_SIZE> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<const PAGE_SIZE: usize> fmt::Debug for SharedPager<PAGE_SIZE> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SharedPager").finish_non_exhaustive()
    }
}

impl<const PAGE_SIZE: usize> SharedPager<PAGE_SIZE> {
    /// Shares `pager`.
    #[must_use]
    pub fn new(pager: Pager<PAGE_SIZE>) -> Self {
        let pager = RwLock::new(Some(pager));
        Self { shared: Arc::new(Shared { pager, group: Group::default() }) }
    }

    /// Commits what `change` did, with the durability of the pager; what it did is taken back when it
    /// returns an error or panics.
    ///
    /// `change` runs alone, beside no reader and no other write: it should be short, and must not call
    /// this pager.
    ///
    /// # Durability
    /// As the pager's [`Durability`] says, on return.
    ///
    /// # Errors
    /// Those of `change`; `Io` for one of those who shared a commit that failed, and `Unavailable` for
    /// the others and from then on.
    pub fn write<T, E: From<MappedPageError>>(
        &self,
        change: impl FnOnce(&mut Transaction<'_, PAGE_SIZE>) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        self.change(None, change)
    }

    /// As [`write`](Self::write), with a durability of its own.
    ///
    /// # Errors
    /// Those of [`write`](Self::write).
    pub fn write_with<T, E: From<MappedPageError>>(
        &self,
        durability: Durability,
        change: impl FnOnce(&mut Transaction<'_, PAGE_SIZE>) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        self.change(Some(durability), change)
    }

    fn change<T, E: From<MappedPageError>>(
        &self,
        durability: Option<Durability>,
        change: impl FnOnce(&mut Transaction<'_, PAGE_SIZE>) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let (value, ticket) = {
            let mut guard = self.shared.lock();
            let pager = guard.as_mut().ok_or(MappedPageError::Unavailable)?;
            let durability = durability.unwrap_or(pager.durability);
            let mut transaction = pager.transaction()?;
            let value = change(&mut transaction)?;
            transaction.accept()?;
            drop(transaction);
            let ticket = durability.barrier().map(|barrier| {
                let barriers = barrier == Barrier::TwoBarriers;
                self.shared.group.accepted(Wish { barriers, flush: false })
            });
            (value, ticket)
        };
        if let Some(ticket) = ticket {
            self.shared.settle(ticket)?;
        }
        Ok(value)
    }

    /// Lets `look` look at the pager, beside other readers.
    ///
    /// # Errors
    /// `Unavailable` when it was closed.
    pub fn read<T>(&self, look: impl FnOnce(&Pager<PAGE_SIZE>) -> T) -> Result<T> {
        let guard = self.shared.look();
        guard.as_ref().map(look).ok_or(MappedPageError::Unavailable)
    }

    /// Lets `act` have the pager to itself, with no commit in flight: for what no transaction does, such
    /// as direct stores to regular pages.
    ///
    /// # Errors
    /// `Unavailable` when it was closed.
    pub fn exclusive<T>(&self, act: impl FnOnce(&mut Pager<PAGE_SIZE>) -> T) -> Result<T> {
        self.shared.group.alone(|| {
            let value = self.shared.lock().as_mut().map(|pager| {
                let value = act(pager);
                // What it leaked must not be seen by readers.
                let ready = pager.ready();
                ready.map(|()| value)
            });
            (Ticket::default(), value.unwrap_or(Err(MappedPageError::Unavailable)))
        })
    }

    /// Makes everything durable: see [`Pager::flush`].
    ///
    /// # Errors
    /// `Io`, `Unavailable`.
    pub fn flush(&self) -> Result<()> {
        let ticket = {
            let guard = self.shared.lock();
            guard.as_ref().ok_or(MappedPageError::Unavailable)?;
            self.shared.group.accepted(Wish { barriers: false, flush: true })
        };
        self.shared.settle(ticket)
    }

    /// Makes everything durable and ends the pager, for all handles.
    ///
    /// # Errors
    /// `Io`; `Unavailable` when it was closed or had failed.
    pub fn close(self) -> Result<()> {
        self.shared.group.alone(|| {
            let mut guard = self.shared.lock();
            let Some(mut pager) = guard.take() else {
                return (Ticket::default(), Err(MappedPageError::Unavailable));
            };
            let ended = pager.end();
            // Those who wait for their changes need no pager any more.
            let durable =
                if ended.is_ok() { self.shared.group.take().0 } else { Ticket::default() };
            (durable, ended)
        })
    }
}

impl<const P: usize> Shared<P> {
    fn settle(&self, ticket: Ticket) -> Result<()> {
        self.group
            .settle(ticket, || self.round())
            .map_err(|error| error.unwrap_or(MappedPageError::Unavailable))
    }

    /// Commits everything accepted. The lock is free while the medium syncs.
    fn round(&self) -> Result<Ticket> {
        self.land()?;
        let ticket = self.with_pager(|pager| {
            pager.ready()?;
            let (ticket, wish) = self.group.take();
            match wish {
                Wish { flush: true, .. } => pager.begin_flush()?,
                Wish { barriers: true, .. } => _ = pager.begin(Barrier::TwoBarriers)?,
                Wish { .. } => _ = pager.begin(Barrier::OneFlush)?,
            }
            Ok(ticket)
        })?;
        self.land()?;
        Ok(ticket)
    }

    /// Brings what is in flight to its end.
    fn land(&self) -> Result<()> {
        let in_flight = |pager: &mut Pager<P>| pager.ready().map(|()| pager.in_flight());
        while let Some(sync) = self.with_pager(in_flight)? {
            sync.run();
            self.with_pager(Pager::advance)?;
        }
        Ok(())
    }

    fn with_pager<T>(&self, act: impl FnOnce(&mut Pager<P>) -> Result<T>) -> Result<T> {
        self.lock().as_mut().map_or(Err(MappedPageError::Unavailable), act)
    }

    /// A panic in a closure has rolled its transaction back, so what the lock guards is whole.
    fn lock(&self) -> RwLockWriteGuard<'_, Option<Pager<P>>> {
        self.pager.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self) -> RwLockReadGuard<'_, Option<Pager<P>>> {
        self.pager.read().unwrap_or_else(PoisonError::into_inner)
    }
}
