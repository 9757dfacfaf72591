//! How a feed is opened.

use hypercore_crypto::{KeyPair, PublicKey};

use crate::error::Result;
use crate::feed::Feed;
use crate::feed::open;
use crate::files::{Access, Storage};

/// What is on stable storage when a change returns.
///
/// In all modes a killed process loses nothing that had returned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Durability {
    /// All of it, and other programs see it too. Five syncs a batch.
    #[default]
    Strict,
    /// All of it, but it may take this crate to find it: after power loss the bits of the last
    /// batches may be missing, which their signatures make good. A JavaScript program would not
    /// look, and overwrite them. Four syncs a batch.
    Ordered,
    /// Nothing until [`Feed::sync`]. After power loss blocks may be missing anywhere, and the feed may
    /// need repair. No syncs.
    Lazy,
}

/// The options of [`Feed::options`].
#[derive(Clone, Debug)]
#[must_use]
pub struct FeedOptions {
    pub(super) access: Access,
    pub(super) durability: Durability,
    pub(super) key: Option<PublicKey>,
    pub(super) key_pair: Option<KeyPair>,
    pub(super) stores_secret_key: bool,
    pub(super) is_lenient: bool,
}

impl FeedOptions {
    pub(super) const fn new() -> Self {
        Self {
            access: Access::Read,
            durability: Durability::Strict,
            key: None,
            key_pair: None,
            stores_secret_key: true,
            is_lenient: false,
        }
    }

    /// What may be done with the feed: [`Access::Read`] unless said otherwise. [`Access::Create`]
    /// makes a new feed where none is stored, which needs a [`key_pair`](Self::key_pair), or for a
    /// copy to be filled by [`put`](Feed::put) a [`key`](Self::key).
    pub const fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// What is on stable storage when a change returns: [`Durability::Strict`] unless said otherwise.
    pub const fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// The feed that is wanted. Another one that is stored does not open. Needed where the file `key`
    /// is lost.
    pub const fn key(mut self, key: PublicKey) -> Self {
        self.key = Some(key);
        self
    }

    /// The key pair to append with. Stored with a new feed; used, not stored, with one that is there.
    pub fn key_pair(mut self, key_pair: KeyPair) -> Self {
        self.key_pair = Some(key_pair);
        self
    }

    /// Keeps the secret key of a new feed out of its files: it must then be given at each open.
    pub const fn secret_key_elsewhere(mut self) -> Self {
        self.stores_secret_key = false;
        self
    }

    /// Opens a feed although its newest signature is wrong, to save what can be read. What lies below no
    /// older signature is then no more than what is stored, and nothing can be changed.
    pub const fn lenient(mut self) -> Self {
        self.is_lenient = true;
        self
    }

    /// Opens the feed in `storage`, or makes one, as [`access`](Self::access) says.
    ///
    /// Verified are the headers, the keys, and the newest signature over the roots of the tree; what
    /// lies below is verified when it is read. Where the files do not agree,
    /// [`recovery`](Feed::recovery) tells what was found and what was made of it, in memory: opening
    /// writes nothing but a new feed.
    ///
    /// # Durability
    /// A new feed is on stable storage on return, in all modes. A crash while it is made leaves a new
    /// feed or none.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) when nothing is stored and nothing is to be made,
    /// [`Error::KeyRequired`](crate::Error::KeyRequired) when something is, without a key;
    /// [`Error::KeyMissing`](crate::Error::KeyMissing),
    /// [`Error::AnotherFeed`](crate::Error::AnotherFeed) and the like when the keys do not fit;
    /// [`Error::Header`](crate::Error::Header); what recovery can not decide without loss;
    /// [`Error::Storage`](crate::Error::Storage), with source `Locked` when another program has the
    /// feed.
    pub fn open(self, storage: impl Storage + 'static) -> Result<Feed> {
        open::open(self, storage)
    }
}
