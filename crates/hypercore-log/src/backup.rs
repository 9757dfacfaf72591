//! Backups: a copy that can be restored, and the mark by which its writer knows that it is one.

use crate::error::LogError;
use crate::log::Log;
use crate::user_data::BACKUP;

impl Log {
    /// Whether this is a backup that nobody [confirmed](Self::confirm_newest) to be the newest: it signs nothing until then.
    #[must_use]
    pub fn needs_confirmation(&self) -> bool {
        self.read_state().is_unconfirmed_backup()
    }

    /// Takes it that no other copy of this log is longer than this one, so that a backup may be written to.
    ///
    /// Two writers that go on from one backup sign two histories, and everyone who sees both stops trusting the log. So
    /// ask whoever may have a newer copy first: the machine the backup was taken on, and all peers.
    ///
    /// # Durability
    /// On stable storage on return, in either mode.
    ///
    /// # Errors
    /// Those of [`set_user_data`](Self::set_user_data).
    pub fn confirm_newest(&self) -> Result<(), LogError> {
        self.put_user_data(BACKUP, None)?;
        self.flush()
    }
}
