//! Named batches: persisted, unsigned branches of a log.

pub(crate) mod name;
mod registry;

pub use name::BATCH_NAME_LEN_MAX;
pub(crate) use registry::Batches;

use std::sync::Arc;

use crate::error::Result;
use crate::handle::Hypercore;

/// Named batches.
impl Hypercore {
    /// The names of the batches that are stored with the log, in order.
    ///
    /// # Errors
    /// `Io`, `Closed`.
    pub async fn batches(&self) -> Result<Vec<String>> {
        let batches = Arc::clone(self.shared().batches());
        self.session_ref().blocking(move |_, _| batches.names()).await
    }

    /// Deletes a batch with all that is in it. One that is not stored is no error.
    ///
    /// # Durability
    /// It is gone for good on return.
    ///
    /// # Errors
    /// `Caller` when this handle does not write ([`Error::is_not_writable`](crate::Error::is_not_writable)), or
    /// the log's stores have no place for batches; `Io`, `Closed`.
    pub async fn delete_batch(&self, name: &str) -> Result<()> {
        let (batches, name) = (Arc::clone(self.shared().batches()), name.to_owned());
        self.session_ref().blocking(move |_, _| batches.delete(&name)).await
    }
}
