//! How a log is opened.

use hypercore_crypto::{CoreKey, KeyPair, Manifest};

/// What may be done with an open log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// Reading and writing. The stores must be locked exclusively by the caller.
    #[default]
    ReadWrite,
    /// Reading only: no store is written, cut or synced.
    ReadOnly,
}

/// Whether opening may make a new core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Create {
    /// An empty place is [`OpenError::NotFound`](crate::OpenError::NotFound).
    #[default]
    Never,
    /// A new core is made where none is stored.
    IfMissing,
    /// A new core is made; one that is stored is [`OpenError::AlreadyExists`](crate::OpenError::AlreadyExists).
    New,
    /// Whatever is stored is emptied first.
    Overwrite,
}

/// When a write counts as done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// Once it is on stable storage: it survives a power cut. Callers at the same time share syncs.
    #[default]
    Immediate,
    /// Once the operating system has it: it survives a kill of the process, and a power cut after the next
    /// [`flush`](crate::Log::flush) or checkpoint. A power cut before leaves a valid prefix.
    Eventual,
}

/// The options of [`Log::open`](crate::Log::open).
///
/// A new core needs a key pair (it can be written) or a key (it is filled by proofs).
#[derive(Clone, Debug)]
#[must_use]
pub struct OpenOptions {
    pub(crate) access: Access,
    pub(crate) create: Create,
    pub(crate) durability: Durability,
    pub(crate) verify_reads: bool,
    pub(crate) key: Option<CoreKey>,
    pub(crate) key_pair: Option<KeyPair>,
    pub(crate) manifest: Option<Manifest>,
    pub(crate) compat: bool,
    pub(crate) rebuild_roots: bool,
    pub(crate) rhythm: Rhythm,
    /// A branch: nobody signs it.
    pub(crate) unsigned: bool,
}

/// When checkpoints are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rhythm {
    /// When the tail of the oplog reaches the limits of `checkpoint.rs`.
    Bounded,
    /// As JavaScript Hypercore 10 does, so that tests can compare whole files.
    Version10,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl OpenOptions {
    /// Reading and writing what is there; [`Durability::Immediate`]; reads are verified.
    pub const fn new() -> Self {
        Self {
            access: Access::ReadWrite,
            create: Create::Never,
            durability: Durability::Immediate,
            verify_reads: true,
            key: None,
            key_pair: None,
            manifest: None,
            compat: false,
            rebuild_roots: false,
            rhythm: Rhythm::Bounded,
            unsigned: false,
        }
    }

    /// What may be done with the log.
    pub const fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Whether a new core may be made.
    pub const fn create(mut self, create: Create) -> Self {
        self.create = create;
        self
    }

    /// When a write counts as done.
    pub const fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Whether each block read is checked against its hash in the tree. On by default.
    pub const fn verify_reads(mut self, verify: bool) -> Self {
        self.verify_reads = verify;
        self
    }

    /// The core that is wanted. A stored one with another key does not open.
    pub const fn key(mut self, key: CoreKey) -> Self {
        self.key = Some(key);
        self
    }

    /// The key pair that signs. Stored with a new core; with a stored core it is used, not stored.
    pub fn key_pair(mut self, key_pair: KeyPair) -> Self {
        self.key_pair = Some(key_pair);
        self
    }

    /// Who may sign a new core. Without it: the key pair alone, by a version 1 manifest.
    pub fn manifest(mut self, manifest: Manifest) -> Self {
        self.manifest = Some(manifest);
        self
    }

    /// Makes the bare public key the key of a new core, as JavaScript Hypercore 10 does, not the hash of its manifest.
    pub const fn compat(mut self, compat: bool) -> Self {
        self.compat = compat;
        self
    }

    /// Makes roots of the tree again from what is stored below them, where the log would not open without. For
    /// [`Log::repair`](crate::Log::repair).
    pub const fn rebuild_roots(mut self) -> Self {
        self.rebuild_roots = true;
        self
    }

    /// Opens a branch and not a log.
    pub(crate) const fn unsigned(mut self) -> Self {
        self.unsigned = true;
        self
    }

    /// Writes headers in the rhythm of JavaScript Hypercore 10 and every node through the oplog, so that
    /// whole files can be compared. For tests: slower, with nothing gained.
    #[doc(hidden)]
    pub const fn imitate_version_10(mut self) -> Self {
        self.rhythm = Rhythm::Version10;
        self
    }
}
