//! Named batches: persisted, unsigned branches of a log.
//!
//! A batch is a session whose view is a branch of the engine; this module keeps the branches that are open, and
//! commits them. It knows nothing of what a branch stores and when a commit holds: the engine does.

mod append;
mod builder;
mod commit;
pub(crate) mod name;
mod open;
mod registry;

pub use builder::BatchBuilder;
pub use commit::CommitOptions;
pub use name::BATCH_NAME_LEN_MAX;
pub(crate) use open::{BranchGuard, Joined, OpenBatch};
pub(crate) use registry::Batches;

use std::ops::Deref;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::handle::Hypercore;

/// Named batches.
impl Hypercore {
    /// The options for opening a named batch: blocks that are appended beside the log, kept with it under a name
    /// across restarts, and signed only when they are [committed](NamedBatch::commit). Batches are of the log, also
    /// where this is a snapshot or a batch of it.
    ///
    /// A log that can not be appended to here may have batches as well; they are committed with a signature
    /// that was made elsewhere. A handle or a session that does not write reads those that are stored.
    ///
    /// ```
    /// use hypercore::{Hypercore, Storage};
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let log = Hypercore::open(Storage::memory()).await?;
    /// log.append("a").await?;
    ///
    /// let draft = log.batch("draft").open().await?;
    /// draft.append_batch(["b", "c"]).await?;
    /// assert_eq!((draft.length(), log.length()), (3, 1));
    ///
    /// draft.commit().await?;
    /// assert_eq!(log.get(2).await?, "c");
    /// draft.discard().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn batch(&self, name: &str) -> BatchBuilder {
        BatchBuilder::new(self, name)
    }

    /// The names of the batches that are stored with the log, in order.
    ///
    /// # Errors
    /// `Io`, `Closed`.
    pub async fn batches(&self) -> Result<Vec<String>> {
        let batches = Arc::clone(self.shared().batches());
        self.session_ref().blocking(move |_, _| batches.names()).await
    }

    /// Deletes a batch that is not open, with all that is in it. One that is not stored is no error.
    ///
    /// # Durability
    /// It is gone for good on return.
    ///
    /// # Errors
    /// `Caller` when the batch is open ([`Error::is_locked`]), this handle does not write
    /// ([`Error::is_not_writable`]), or the log's stores have no place for batches; `Io`, `Closed`.
    pub async fn delete_batch(&self, name: &str) -> Result<()> {
        let session = self.session_ref();
        session.check_open()?;
        if !session.stores() {
            return Err(Error::not_writable());
        }
        let (batches, name) = (Arc::clone(self.shared().batches()), name.to_owned());
        session.blocking(move |_, _| batches.delete(&name)).await
    }
}

/// A named batch that is open: a handle like that of the log, on what the log would be.
///
/// It reads, appends, truncates and clears as a [`Hypercore`] does, which it derefs to. What it appends stays
/// beside the log until it is [committed](Self::commit); what the log does is not seen in it. Cheap to clone. It
/// closes with its last handle, is resumed under its name, and is deleted when it is [discarded](Self::discard) or
/// with its log; a commit does not delete it.
///
/// What is not about content is the log's: a batch has its keys, its peers and its events.
#[derive(Clone, Debug)]
pub struct NamedBatch {
    handle: Hypercore,
    batch: Arc<OpenBatch>,
}

impl Deref for NamedBatch {
    type Target = Hypercore;

    fn deref(&self) -> &Hypercore {
        &self.handle
    }
}

impl NamedBatch {
    const fn new(handle: Hypercore, batch: Arc<OpenBatch>) -> Self {
        Self { handle, batch }
    }

    /// The name it is kept under.
    #[must_use]
    pub fn name(&self) -> &str {
        self.batch.name()
    }

    /// How many of its blocks, from the first on, are the log's; the others it has alone.
    ///
    /// # Errors
    /// `Closed`.
    pub fn ancestors(&self) -> Result<u64> {
        Ok(self.batch.branch()?.ancestors())
    }

    /// Closes the batch, for all who have it open, and deletes it. What was committed is in the log.
    ///
    /// # Durability
    /// It is gone for good on return.
    ///
    /// # Errors
    /// `Caller` when this handle does not write ([`Error::is_not_writable`]); `Io`; `Closed` when it was closed
    /// before.
    pub async fn discard(self) -> Result<()> {
        self.handle.session_ref().check_writable()?;
        // Those who write are let finish.
        let writing = self.batch.begin_write().await;
        self.batch.begin_discarding();
        drop(writing);
        self.batch.closed().await
    }
}
