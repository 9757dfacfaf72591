//! What is seen of the log throughout one run.

use hypercore_log::Log;

/// The log as it may be shown to others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct View {
    /// Its fork.
    pub(crate) fork: u64,
    /// Blocks: of a log that can sign only those that a power cut can not take back.
    pub(crate) length: u64,
    /// Whether the log has blocks that may not be shown yet.
    pub(crate) is_ahead: bool,
    /// Blocks of these that are stored from the first one on.
    pub(crate) contiguous: u64,
    /// Whether a manifest is known.
    pub(crate) manifest: bool,
    /// Whether others need the manifest to verify a signature.
    pub(crate) needs_manifest: bool,
    /// Bytes of all blocks.
    pub(crate) byte_length: u64,
}

impl View {
    /// Looks at `log`, where `before` is what was seen last: a fork that is not durable yet is not shown.
    pub(crate) fn of(log: &Log, before: Option<Self>) -> Self {
        let extent = log.extent();
        let length = if log.is_writable() { extent.durable_length } else { extent.length };
        if let Some(before) = before
            && before.fork != extent.fork
            && length == 0
            && extent.length > 0
        {
            return before;
        }
        let manifest = log.manifest().is_some();
        Self {
            fork: extent.fork,
            length,
            is_ahead: length < extent.length,
            contiguous: extent.contiguous_length.min(length),
            manifest,
            needs_manifest: manifest && !log.is_compat(),
            byte_length: log.byte_length(),
        }
    }

    /// Bytes of a block on average, at least 1.
    pub(crate) const fn block_len(&self) -> u64 {
        match self.byte_length.checked_div(self.length) {
            Some(0) | None => 1,
            Some(len) => len,
        }
    }
}
