//! The place that one exclusive session at a time has.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Error, Result};
use crate::shared::Shared;

/// The one place of a log, and who waits for it, in the order in which they came.
#[derive(Debug)]
pub(crate) struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl Places {
    /// Who waits hears that the log is closed.
    pub(crate) fn close(&self) {
        self.0.close();
    }
}

/// The place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Place {
    /// Waits for the place of a log.
    ///
    /// # Errors
    /// `Closed` when the log is closed before.
    pub(crate) async fn take(shared: &Shared) -> Result<Self> {
        let place = Arc::clone(&shared.places().0).acquire_owned();
        Ok(Self { _permit: place.await.map_err(|_| Error::closed())? })
    }
}
