//! What an application keeps beside the blocks: small values by key.
//!
//! Knows nothing of what is in them; the engine keeps its own ones out of sight.

use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use bytes::Bytes;

#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::handle::Hypercore;
use crate::shared::Shared;

/// User data: an application's values beside the log, by key. They are neither signed, nor encrypted, nor replicated, and
/// all together have at most [`USER_DATA_LEN_MAX`](crate::USER_DATA_LEN_MAX) bytes, since a log's header holds them all.
impl Hypercore {
    /// The value of a key.
    ///
    /// # Errors
    /// `Closed`.
    pub async fn user_data(&self, key: &str) -> Result<Option<Bytes>> {
        Self::take_turn().await;
        let value = self.session_ref().inline(|view, _| Ok(view.user_data(key)))?;
        Ok(value.map(Bytes::from))
    }

    /// Sets the value of a key. An empty value is none: the key is removed.
    ///
    /// # Durability
    /// That of [`append`](Self::append).
    ///
    /// # Errors
    /// `Caller` when this session may not write, the key is one of the log itself (it begins with `hypercore-log/`), or
    /// all user data would be larger than [`USER_DATA_LEN_MAX`](crate::USER_DATA_LEN_MAX): nothing was changed. `Io` when
    /// the disk failed: reopen the log; `Closed`.
    pub async fn set_user_data(&self, key: &str, value: impl AsRef<[u8]>) -> Result<()> {
        self.change_user_data(key, Some(value.as_ref().to_vec())).await
    }

    /// Removes a key and its value, if they are there.
    ///
    /// # Durability
    /// That of [`append`](Self::append).
    ///
    /// # Errors
    /// Those of [`set_user_data`](Self::set_user_data).
    pub async fn remove_user_data(&self, key: &str) -> Result<()> {
        self.change_user_data(key, None).await
    }

    /// Keys and values of a range of keys, such as `..`, `"a".."b"` or `"a"..`, in the order of the keys' bytes: at most
    /// `limit` of them. The next ones come after the last key, `(Bound::Excluded(last), Bound::Unbounded)`.
    ///
    /// # Errors
    /// `Closed`.
    pub async fn user_data_range<'a>(
        &self,
        keys: impl RangeBounds<&'a str>,
        limit: usize,
    ) -> Result<Vec<(String, Bytes)>> {
        let owned = |bound: Bound<&&str>| bound.map(|key| String::from(*key));
        let (start, end) = (owned(keys.start_bound()), owned(keys.end_bound()));
        // The keys are put in order first.
        let found = self.session_ref().blocking(move |view, _| {
            let keys = (start.as_ref().map(String::as_str), end.as_ref().map(String::as_str));
            Ok(view.user_data_range(keys, limit))
        });
        let found = found.await?.into_iter();
        Ok(found.map(|(key, value)| (key, Bytes::from(value))).collect())
    }

    async fn change_user_data(&self, key: &str, value: Option<Vec<u8>>) -> Result<()> {
        let session = self.session_ref();
        session.check_writable()?;
        let key = key.to_owned();
        let shared = session.view().is_live().then(|| Arc::clone(session.shared()));
        let set = session.blocking_write(move |view, _| {
            view.set_user_data(&key, value.as_deref())?;
            shared.iter().for_each(Shared::wrote);
            Ok(())
        });
        set.await
    }
}
