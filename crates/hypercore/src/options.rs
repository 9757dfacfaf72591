//! Options of single calls, and who else may have a log open.

use std::time::Duration;

use hypercore_crypto::KeyPair;
use hypercore_log::{AppendOptions as LogAppendOptions, TruncateOptions as LogTruncateOptions};

use crate::session::{WaitHook, Waiting};

/// Whether a handle writes, and who else may have the log open meanwhile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// Reads and writes, under an exclusive lock: no other handle anywhere has the log open,
    /// followers aside.
    #[default]
    ReadWrite,
    /// Reads, under a shared lock: other readers may have it open, a writer may not. Nothing on
    /// disk is created or changed.
    ReadOnly,
    /// Reads without any lock, beside a writer: a view of the log as it was when it was opened.
    ///
    /// Everything read is verified against the signed tree, so a writer that truncates or clears
    /// meanwhile makes reads fail, never wrong. To see what was appended since, open again.
    Follow,
}

/// How blocks are appended; see [`Hypercore::append_with`](crate::Hypercore::append_with). What is not said is
/// as the session has it.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct AppendOptions {
    length_max: Option<u64>,
    key_pair: Option<KeyPair>,
    signature: Option<Vec<u8>>,
}

impl AppendOptions {
    /// As the session has it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Refuses the blocks where the log would have more than `length` with them.
    pub fn length_max(mut self, length: u64) -> Self {
        self.length_max = Some(length);
        self
    }

    /// The key pair that signs: that of another signer who may sign alone.
    pub fn key_pair(mut self, key_pair: KeyPair) -> Self {
        self.key_pair = Some(key_pair);
        self
    }

    /// A ready signature of the log with these blocks, in the form that its manifest asks for. It comes
    /// before a key pair.
    pub fn signature(mut self, signature: impl Into<Vec<u8>>) -> Self {
        self.signature = Some(signature.into());
        self
    }

    /// Whether they say who signs.
    pub(crate) fn signs(&self) -> bool {
        self.key_pair.is_some() || self.signature.is_some()
    }

    /// What the engine is told in a session with a key pair of its own, or without.
    pub(crate) fn for_log(self, session: Option<&KeyPair>) -> LogAppendOptions {
        let mut options = LogAppendOptions::new();
        if let Some(length) = self.length_max {
            options = options.length_max(length);
        }
        if let Some(key_pair) = self.key_pair.or_else(|| session.cloned()) {
            options = options.key_pair(key_pair);
        }
        if let Some(signature) = self.signature {
            options = options.signature(signature);
        }
        options
    }
}

/// How a log is truncated; see [`Hypercore::truncate_with`](crate::Hypercore::truncate_with). What is not said
/// is as the session has it.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct TruncateOptions {
    pub(crate) fork: Option<u64>,
    key_pair: Option<KeyPair>,
    signature: Option<Vec<u8>>,
}

impl TruncateOptions {
    /// As the session has it, to the next fork.
    pub fn new() -> Self {
        Self::default()
    }

    /// The fork that the log has afterwards, which must be above the present one.
    pub fn fork(mut self, fork: u64) -> Self {
        self.fork = Some(fork);
        self
    }

    /// The key pair that signs: that of another signer who may sign alone.
    pub fn key_pair(mut self, key_pair: KeyPair) -> Self {
        self.key_pair = Some(key_pair);
        self
    }

    /// A ready signature of the log as it will be, in the form that its manifest asks for. It comes before a
    /// key pair. It is of one [fork](Self::fork), which should be given as well.
    pub fn signature(mut self, signature: impl Into<Vec<u8>>) -> Self {
        self.signature = Some(signature.into());
        self
    }

    /// Whether they say who signs.
    pub(crate) const fn signs(&self) -> bool {
        self.key_pair.is_some() || self.signature.is_some()
    }

    /// What the engine is told in a session with a key pair of its own, or without.
    pub(crate) fn for_log(self, session: Option<&KeyPair>) -> LogTruncateOptions {
        let mut options = LogTruncateOptions::new();
        if let Some(key_pair) = self.key_pair.or_else(|| session.cloned()) {
            options = options.key_pair(key_pair);
        }
        if let Some(signature) = self.signature {
            options = options.signature(signature);
        }
        options
    }
}

/// How a block is read; see [`Hypercore::get_with`](crate::Hypercore::get_with). What is not said is as the
/// session has it.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct GetOptions {
    wait: Option<bool>,
    timeout: Option<Option<Duration>>,
    pub(crate) on_wait: Option<WaitHook>,
    pub(crate) raw: bool,
}

impl GetOptions {
    /// As the session has it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether to wait for a block that is not stored here.
    pub fn wait(mut self, wait: bool) -> Self {
        self.wait = Some(wait);
        self
    }

    /// The longest to wait for it; `None` is for ever. Needs the [timer](crate::Builder::timeout) of the runtime.
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.timeout = Some(timeout.into());
        self
    }

    /// Called with the index right before the call waits, before the hook of the session is.
    pub fn on_wait(mut self, hook: impl Fn(u64) + Send + Sync + 'static) -> Self {
        self.on_wait = Some(WaitHook::new(hook));
        self
    }

    /// Gives the block as it is stored: still encrypted, with its padding, if the log is encrypted.
    pub fn raw(mut self, raw: bool) -> Self {
        self.raw = raw;
        self
    }

    pub(crate) fn waits(&self, session: &Waiting) -> bool {
        self.wait.unwrap_or(session.wait)
    }

    pub(crate) fn timeout_in(&self, session: &Waiting) -> Option<Duration> {
        self.timeout.unwrap_or(session.timeout)
    }
}

/// How a place is sought; see [`Hypercore::seek_with`](crate::Hypercore::seek_with). What is not said is as
/// the session has it.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct SeekOptions {
    wait: Option<bool>,
    timeout: Option<Option<Duration>>,
}

impl SeekOptions {
    /// As the session has it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether to wait for what is not stored here, and for the log to be long enough.
    pub fn wait(mut self, wait: bool) -> Self {
        self.wait = Some(wait);
        self
    }

    /// The longest to wait for it; `None` is for ever. Needs the [timer](crate::Builder::timeout) of the runtime.
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.timeout = Some(timeout.into());
        self
    }

    pub(crate) fn waits(&self, session: &Waiting) -> bool {
        self.wait.unwrap_or(session.wait)
    }

    pub(crate) fn timeout_in(&self, session: &Waiting) -> Option<Duration> {
        self.timeout.unwrap_or(session.timeout)
    }
}
