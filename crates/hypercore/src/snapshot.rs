//! Snapshots: a session that sees the log as it was at one moment.
//!
//! Taking one copies nothing. What the log destroys later of what a snapshot sees is copied first, into stores
//! of the snapshot's own ([`Side::scratch`](crate::side_stores::Side::scratch)). Knows nothing of when that is
//! needed: the engine does.

use std::sync::Arc;

use hypercore_log::Overlay;

use crate::error::{Error, Result};
use crate::handle::Hypercore;
use crate::session::{Session, Settings};
use crate::shared::Shared;
use crate::view::View;

/// Snapshots.
impl Hypercore {
    /// A session that sees the log as it is now, whatever becomes of the log: its length, its bytes and its
    /// blocks stay, also when the log is truncated, rewritten or cleared. It can not be written to.
    ///
    /// Blocks that are not stored here are waited for as usual, as long as the log still has them; a
    /// [`get`](Self::get) of one that was truncated meanwhile ends with an error
    /// ([`Error::is_rewritten`]). The snapshot of a snapshot shows the same.
    ///
    /// A snapshot costs nothing while the log grows. Before something of it is truncated, rewritten or
    /// cleared, it is copied to a file without a name in the log's directory (or to memory), once for each
    /// snapshot; where there is no room for it, the log goes on and the snapshot says what it has lost. Drop
    /// snapshots that are not needed.
    ///
    /// Like any session, a snapshot keeps the log open until it is closed or dropped; that of a
    /// [named batch](Self::batch) keeps the batch open.
    ///
    /// Of a log that is open without writing, it shows that log, which does not change by itself.
    ///
    /// # Errors
    /// `Closed`; `Io` when there is no place for what it may have to keep.
    pub async fn snapshot(&self) -> Result<Self> {
        self.frozen(self.session_ref().settings().weak).await
    }

    /// A snapshot that lets the log close under it, if it is weak.
    pub(crate) async fn frozen(&self, weak: bool) -> Result<Self> {
        let session = self.session_ref();
        let view = match session.view() {
            View::Snapshot(snapshot) => View::Snapshot(Arc::clone(snapshot)),
            View::Live => {
                let shared = Arc::clone(session.shared());
                let overlay = move || overlay(&shared);
                let taken = session.blocking(move |view, _| Ok(view.log().snapshot(overlay()?)));
                View::Snapshot(Arc::new(taken.await?))
            }
            View::BatchSnapshot(batch, snapshot) => {
                View::BatchSnapshot(Arc::clone(batch), Arc::clone(snapshot))
            }
            View::Batch(batch) => {
                let shared = Arc::clone(session.shared());
                let overlay = move || overlay(&shared);
                let taken =
                    session.blocking(move |view, _| Ok(view.branch()?.snapshot(overlay()?)));
                View::BatchSnapshot(Arc::clone(batch), Arc::new(taken.await?))
            }
        };
        let settings = Settings { writable: false, weak, ..session.settings().clone() };
        let shared = Arc::clone(session.shared());
        let cipher = Arc::clone(session.cipher());
        Ok(Self::of(Session::begin(shared, view, cipher, settings, None)?))
    }
}

/// Where a snapshot, or a batch, keeps what the log destroys.
pub(crate) fn overlay(shared: &Shared) -> Result<Overlay> {
    let side = shared.batches().side();
    let scratch = || side.scratch().map_err(|error| Error::storage("overlay", error));
    Ok(Overlay { tree: scratch()?, data: scratch()? })
}
