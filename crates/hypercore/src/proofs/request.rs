//! What a proof is to show.

use std::ops::Range;

use hypercore_log::{Log, LogError};
use hypercore_merkle::{BlockRequest, HashRequest, Proof, Request, SeekRequest, UpgradeRequest};

/// What a proof is asked to show; see [`Hypercore::create_proof`](crate::Hypercore::create_proof).
///
/// ```
/// use hypercore::ProofRequest;
/// // All that a reader of the first 10 blocks needs to have 13, and block 11 of them.
/// let request = ProofRequest::new().block(11).upgrade(10..13);
/// # let _ = request;
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "it only says what is asked for"]
pub struct ProofRequest {
    /// Without the fork.
    request: Request,
    fork: Option<u64>,
    levels: u64,
}

impl ProofRequest {
    /// Asks for nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for a block, with the way up from it.
    pub fn block(mut self, index: u64) -> Self {
        self.request.block = Some(BlockRequest { index, nodes: 0 });
        self
    }

    /// Asks for the hash of a tree node, by its index in the tree, with the way up from it. Not together with a block.
    pub fn node(mut self, index: u64) -> Self {
        self.request.hash = Some(HashRequest { index: index.into(), nodes: 0 });
        self
    }

    /// How many levels the way up from the block or node has to climb to reach what the other side knows:
    /// [`Hypercore::missing_levels`](crate::Hypercore::missing_levels) there tells. 0 by default: it knows the block's or node's own
    /// hash, or an [`upgrade`](Self::upgrade) brings it.
    pub fn levels(mut self, levels: u64) -> Self {
        self.levels = levels;
        self
    }

    /// Asks for what tells which block holds content byte `byte`. A log whose session has no key to decrypt with counts the
    /// bytes as they are stored.
    pub fn seek(mut self, byte: u64) -> Self {
        self.request.seek = Some(SeekRequest { bytes: byte, padding: 0 });
        self
    }

    /// Asks for the growth of the log from the length at the start of the range, which the other side has, to the
    /// length at its end. From 0 the proof stands on its own.
    pub fn upgrade(mut self, lengths: Range<u64>) -> Self {
        let Range { start, end } = lengths;
        self.request.upgrade = Some(UpgradeRequest { start, length: end.saturating_sub(start) });
        self
    }

    /// Asks for the manifest too: who does not know it can not verify an upgrade of a log whose key is the hash of it.
    pub fn manifest(mut self) -> Self {
        self.request.manifest = true;
        self
    }

    /// Asks for a proof of this fork, and an error if the log is at another. Without it, the present fork.
    pub fn fork(mut self, fork: u64) -> Self {
        self.fork = Some(fork);
        self
    }

    /// `padding` is what every stored block has in front of its content.
    pub(super) fn answer(self, log: &Log, padding: u64) -> Result<Option<Proof>, LogError> {
        let mut request = self.request;
        if let Some(block) = &mut request.block {
            block.nodes = self.levels;
        }
        if let Some(node) = &mut request.hash {
            node.nodes = self.levels;
        }
        if let Some(seek) = &mut request.seek {
            seek.padding = padding;
        }
        loop {
            let present = log.head().fork;
            request.fork = self.fork.unwrap_or(present);
            match log.create_proof(&request) {
                // Truncated in between.
                Err(LogError::Request(_))
                    if request.fork == present && log.head().fork != present => {}
                result => return result,
            }
        }
    }
}
