//! The name of a log as callers have it: as a key, as bytes, or as text.

use hypercore_crypto::CoreKey;

use crate::error::{Error, Result};

/// What [`Builder::key`](crate::Builder::key) takes: a [`CoreKey`], its 32 bytes, or its text (64 hexadecimal digits,
/// or an id of 52 letters, with `pear://` in front or without).
///
/// ```
/// use hypercore::{Hypercore, Storage};
///
/// # #[tokio::main]
/// # async fn main() -> hypercore::Result<()> {
/// let log = Hypercore::open(Storage::memory()).await?;
/// for text in [log.key().to_string(), log.key().to_id()] {
///     let copy = Hypercore::builder(Storage::memory()).key(text).open().await?;
///     assert_eq!(copy.key(), log.key());
/// }
/// let typo = Hypercore::builder(Storage::memory()).key("b3c4").open().await;
/// println!("{}", typo.unwrap_err());
/// # Ok(())
/// # }
/// ```
pub trait IntoCoreKey {
    /// The key.
    ///
    /// # Errors
    /// `Caller` when it is none: other than 32 bytes, or a text that is neither of the two.
    fn into_core_key(self) -> Result<CoreKey>;
}

impl IntoCoreKey for CoreKey {
    fn into_core_key(self) -> Result<CoreKey> {
        Ok(self)
    }
}

impl IntoCoreKey for [u8; 32] {
    fn into_core_key(self) -> Result<CoreKey> {
        Ok(CoreKey::from_bytes(self))
    }
}

impl IntoCoreKey for &[u8] {
    fn into_core_key(self) -> Result<CoreKey> {
        let bytes: [u8; 32] = self.try_into().map_err(|_| Error::key_len(self.len()))?;
        bytes.into_core_key()
    }
}

impl IntoCoreKey for &str {
    fn into_core_key(self) -> Result<CoreKey> {
        self.parse().map_err(Error::key_text)
    }
}

impl IntoCoreKey for String {
    fn into_core_key(self) -> Result<CoreKey> {
        self.as_str().into_core_key()
    }
}

impl<K: IntoCoreKey + Clone> IntoCoreKey for &K {
    fn into_core_key(self) -> Result<CoreKey> {
        self.clone().into_core_key()
    }
}
