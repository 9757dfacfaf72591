//! How a change becomes durable: staged, accepted, written, synced.
//!
//! *Invariants.* At most one commit is in flight, and it lives in the pager: whoever started it may go
//! away (a dropped future does), the next call that needs it waits for the same sync. An error or a
//! panic between the first write of a commit and its end leaves the pager failed for good, and so does
//! a panic of the engine. Knows nothing of what the formats write.

use std::sync::Arc;

use crate::any_engine::AnyEngine;
use crate::engine::{Barrier, Engine as _, Progress, Result};
use crate::error::MappedPageError;
use crate::flight::Flight;
use crate::options::Durability;
use crate::pager::Pager;
use crate::pages::Pages;

/// A sync that was asked for, and what it is for.
#[derive(Debug)]
pub(crate) struct InFlight {
    sync: Arc<Flight>,
    /// Whether the engine is told: a flush of direct stores alone is none of its business.
    is_commit: bool,
}

impl Durability {
    /// What the engine is asked for; `None`: nothing yet.
    pub(crate) const fn barrier(self) -> Option<Barrier> {
        match self {
            Self::Immediate => Some(Barrier::OneFlush),
            Self::Barriers => Some(Barrier::TwoBarriers),
            Self::Eventual => None,
        }
    }
}

impl<const P: usize> Pager<P> {
    /// Makes one change of its own: all of `change`, or nothing.
    ///
    /// `change` may be called more than once: what an earlier commit freed can be given out only when that
    /// is durable, so where there is no room otherwise, that is seen to first.
    pub(crate) fn operate<T>(
        &mut self,
        durability: Durability,
        change: impl Fn(&mut AnyEngine<P>, &mut Pages<P>) -> Result<T>,
    ) -> Result<T> {
        self.land()?;
        let value = loop {
            match self.start(durability, &change) {
                Err(error) if is_full(&error) && self.begin_for_room()? => self.land()?,
                started => break started?,
            }
        };
        self.land()?;
        Ok(value)
    }

    /// Begins a commit if one may make room. A few of them make all the room there is.
    pub(crate) fn begin_for_room(&mut self) -> Result<bool> {
        self.engine.release_journals();
        self.begin(Barrier::OneFlush)
    }

    /// Stages and accepts `change` and, unless it may wait, begins its commit. Nothing is in flight.
    pub(crate) fn start<T>(
        &mut self,
        durability: Durability,
        change: impl FnOnce(&mut AnyEngine<P>, &mut Pages<P>) -> Result<T>,
    ) -> Result<T> {
        self.ready()?;
        let value = self.stage(|engine, pages| {
            let changed = change(engine, pages);
            match &changed {
                Ok(_) => engine.accept(),
                Err(_) => engine.rollback(pages),
            }
            changed
        })?;
        if let Some(barrier) = durability.barrier() {
            self.begin(barrier)?;
        }
        Ok(value)
    }

    /// Refuses a pager that failed; takes back what a transaction left that was leaked.
    pub(crate) fn ready(&mut self) -> Result<()> {
        if self.failed {
            return Err(MappedPageError::Unavailable);
        }
        if self.staging {
            self.rollback();
        }
        Ok(())
    }

    /// Takes back what is staged.
    pub(crate) fn rollback(&mut self) {
        self.stage(|engine, pages| engine.rollback(pages));
        self.staging = false;
    }

    /// Lets the engine change what is in memory. A panic in it leaves the pager failed.
    pub(crate) fn stage<T>(
        &mut self,
        change: impl FnOnce(&mut AnyEngine<P>, &mut Pages<P>) -> T,
    ) -> T {
        let attempt = Attempt::of(self);
        let result = change(&mut attempt.0.engine, &mut attempt.0.pages);
        attempt.succeeded();
        result
    }

    /// Lets the engine, or the medium, work on a commit. A panic or an error leaves the pager failed.
    pub(crate) fn write<T>(
        &mut self,
        write: impl FnOnce(&mut AnyEngine<P>, &mut Pages<P>) -> Result<T>,
    ) -> Result<T> {
        if self.failed {
            return Err(MappedPageError::Unavailable);
        }
        let attempt = Attempt::of(self);
        let value = write(&mut attempt.0.engine, &mut attempt.0.pages)?;
        attempt.succeeded();
        Ok(value)
    }

    /// Ends the pager for good: nothing is given out by it any more.
    pub(crate) fn fail(&mut self) {
        self.failed = true;
        self.engine.forget_plain();
    }

    /// Writes what is accepted and asks for the sync. False: there was nothing to write.
    pub(crate) fn begin(&mut self, barrier: Barrier) -> Result<bool> {
        debug_assert!(self.flight.is_none(), "a commit is in flight");
        let begun = self.write(|engine, pages| {
            let begun = engine.write_commit(pages, barrier)?;
            if begun {
                // Direct stores become durable with any commit.
                pages.flush_dirty()?;
            }
            Ok(begun)
        })?;
        if begun {
            self.ask_for_sync(true);
        }
        Ok(begun)
    }

    /// As [`begin`](Self::begin), and asks for the sync also when only direct stores need it.
    pub(crate) fn begin_flush(&mut self) -> Result<()> {
        let barrier = self.durability.barrier().unwrap_or(Barrier::OneFlush);
        if !self.begin(barrier)? {
            self.write(|_, pages| pages.flush_dirty())?;
            self.ask_for_sync(false);
        }
        Ok(())
    }

    /// The sync that is wanted or running, for another thread to run.
    pub(crate) fn in_flight(&self) -> Option<Arc<Flight>> {
        self.flight.as_ref().map(|flight| Arc::clone(&flight.sync))
    }

    /// Waits for the sync in flight, or does it, and goes one step on.
    pub(crate) fn advance(&mut self) -> Result<()> {
        let Some(InFlight { sync, is_commit }) = self.flight.take() else { return Ok(()) };
        let progress = self.write(|engine, pages| {
            sync.outcome()?;
            if is_commit { engine.after_sync(pages) } else { Ok(Progress::Durable) }
        })?;
        self.activity.count(is_commit && progress == Progress::Durable);
        match progress {
            Progress::SyncAgain => self.ask_for_sync(is_commit),
            Progress::Durable => {}
        }
        Ok(())
    }

    /// Brings what is in flight to its end.
    pub(crate) fn land(&mut self) -> Result<()> {
        while self.flight.is_some() {
            self.advance()?;
        }
        Ok(())
    }

    /// Makes everything that was accepted durable: afterwards memory and medium say the same.
    pub(crate) fn settle(&mut self) -> Result<()> {
        self.ready()?;
        self.land()?;
        self.begin(self.durability.barrier().unwrap_or(Barrier::OneFlush))?;
        self.land()
    }

    fn ask_for_sync(&mut self, is_commit: bool) {
        let sync = Arc::new(Flight::new(self.pages.sync_handle()));
        self.flight = Some(InFlight { sync, is_commit });
    }
}

/// A pager that counts as failed meanwhile, and for good when this is dropped before it succeeded.
struct Attempt<'a, const P: usize>(&'a mut Pager<P>);

impl<'a, const P: usize> Attempt<'a, P> {
    const fn of(pager: &'a mut Pager<P>) -> Self {
        pager.failed = true;
        Self(pager)
    }

    fn succeeded(self) {
        self.0.failed = false;
    }
}

impl<const P: usize> Drop for Attempt<'_, P> {
    fn drop(&mut self) {
        if self.0.failed {
            self.0.fail();
        }
    }
}

/// Whether a commit of what waits may make room: for pages, or for what format 1 can commit at once.
pub(crate) const fn is_full(error: &MappedPageError) -> bool {
    use MappedPageError::{DirectoryFull, Full, Unsupported};
    matches!(error, Full | DirectoryFull | Unsupported { .. })
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn a_page_that_was_looked_at_is_not_shown_once_the_pager_failed() {
        for panics in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let mut pager = Pager::<1024>::create(folder.path().join("pages")).unwrap();
            let page = pager.alloc().unwrap();
            assert!(page.get(&pager).is_ok());
            assert!(pager.engine.plain_page(&pager.pages, page.0).is_some(), "it has no mark");
            if panics {
                let change = || pager.stage(|_, _| -> () { panic!("as the engine might") });
                assert!(catch_unwind(AssertUnwindSafe(change)).is_err());
            } else {
                assert!(pager.write(|_, _| Err::<(), _>(MappedPageError::Full)).is_err());
            }
            assert!(matches!(page.get(&pager), Err(MappedPageError::Unavailable)));
        }
    }
}
