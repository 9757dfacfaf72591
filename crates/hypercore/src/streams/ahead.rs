//! Blocks that peers are asked for before a stream comes to them.
//!
//! Asked for in windows of half of what is wished ahead, each one wish, so that a stream costs the replicator two wishes,
//! not one for each block. They go into the storage, not into memory. Windows that are stored here anyhow are only looked
//! at.

use std::collections::VecDeque;

use crate::handle::Hypercore;
use crate::replication::download::{Download, DownloadRange};

/// What is fetched ahead of a stream.
pub(super) struct Ahead {
    /// Bytes.
    len: u64,
    /// Wishes for blocks, and where each ends.
    windows: VecDeque<(u64, Download)>,
    /// All blocks below it that the stream has not read are stored here, or wished for.
    end: u64,
    /// Blocks in a window, by the length of all blocks when it was looked at last; 0 before.
    window: u64,
}

impl Ahead {
    pub(super) const fn new(len: u64) -> Self {
        Self { len, windows: VecDeque::new(), end: 0, window: 0 }
    }

    /// The stream is about to read block `next`, and up to `bytes_max` bytes from there on and no block from `end` on.
    pub(super) fn look(&mut self, log: &Hypercore, next: u64, end: u64, bytes_max: u64) {
        let is_near = self.end < next.saturating_add(self.window);
        if self.len == 0 || (self.window > 0 && !is_near) {
            return;
        }
        let length = log.length();
        if self.end < next || self.windows.front().is_some_and(|(end, _)| *end <= next) {
            self.windows.retain(|(end, _)| *end > next);
            self.end = self.end.max(next);
        }
        let block_len = log.byte_length().checked_div(length).unwrap_or(0).max(1);
        let blocks = |len: u64| len.checked_div(block_len).unwrap_or(len).saturating_add(1);
        self.window = blocks(self.len / 2);
        let reach = next.saturating_add(self.window.saturating_mul(2).min(blocks(bytes_max)));
        let stop = reach.min(length).min(end);
        // A single block is asked for by whoever reads it.
        if stop <= self.end.max(next.saturating_add(1)) {
            return;
        }
        let range = self.end..stop;
        self.end = stop;
        let stored = log.session_ref().inline(|view, _| Ok(view.has_range(range.clone())));
        if stored.unwrap_or(true) {
            return;
        }
        // Without it the stream asks for block after block, or hears why it can not.
        if let Ok(download) = log.download(DownloadRange::from(range).linear()) {
            self.windows.push_back((stop, download));
        }
    }

    /// The stream goes on elsewhere.
    pub(super) fn forget(&mut self) {
        self.windows.clear();
        (self.end, self.window) = (0, 0);
    }
}
