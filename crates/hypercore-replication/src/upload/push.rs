//! Blocks for a peer that takes what it has not asked for.

use std::ops::Range;

use flat_tree::Index;
use hypercore_merkle::{BlockRequest, Data, Request, UpgradeRequest};

use super::{Outlet, UploadContext, UploadReport};
use crate::message::Message;

/// Blocks that may wait to be pushed. Of more, the oldest are left for the peer to ask for.
const PUSHES_MAX: u64 = 256;

/// What is to be pushed to one peer.
#[derive(Debug, Default)]
pub(super) struct Push {
    waiting: Range<u64>,
    /// The fork, and the length of it that the peer has from pushes.
    pushed: (u64, u64),
}

impl Push {
    pub(super) fn held(&mut self, range: Range<u64>) {
        if range.end > self.waiting.end {
            let start =
                if range.start == self.waiting.end { self.waiting.start } else { range.start };
            self.waiting = start.max(range.end.saturating_sub(PUSHES_MAX))..range.end;
        }
    }

    pub(super) fn stop(&mut self) {
        self.waiting = 0..0;
    }

    /// Pushes what waits, as much as there is room for.
    ///
    /// # Source
    /// wire.md section 7.9.
    pub(super) fn run(
        &mut self,
        context: &UploadContext<'_>,
        out: &mut Outlet<'_>,
        report: &mut UploadReport,
    ) {
        let (remote, view) = (context.remote, &context.view);
        if !(remote.allow_push() && remote.downloading() && remote.fork() == view.fork) {
            self.stop();
            return;
        }
        if self.pushed.0 != view.fork {
            self.pushed = (view.fork, 0);
        }
        while out.has_room() && self.waiting.start < self.waiting.end.min(view.length) {
            let index = self.waiting.start;
            self.waiting.start = index.saturating_add(1);
            if context.holdings.has(index) {
                continue;
            }
            let request = self.request(index, context);
            let Ok(Some(proof)) = context.log.create_proof(&request) else { continue };
            if let Some(upgrade) = &request.upgrade {
                self.pushed.1 = upgrade.start.saturating_add(upgrade.length);
            }
            if let Some(block) = &proof.block {
                report.blocks.push((block.index, block.value.len() as u64));
            }
            out.send(Message::Data(Box::new(Data { request_id: 0, proof })));
        }
    }

    /// What the peer would ask for, if it knew.
    fn request(&self, index: u64, context: &UploadContext<'_>) -> Request {
        let known = self.pushed.1.max(context.remote.length());
        let upgrade = (index >= known).then(|| UpgradeRequest {
            start: known,
            length: context.view.length.saturating_sub(known),
        });
        let nodes = if upgrade.is_some() { 0 } else { levels_to_root(index, known) };
        Request {
            fork: context.view.fork,
            block: Some(BlockRequest { index, nodes }),
            upgrade,
            manifest: known == 0 && context.view.needs_manifest,
            ..Request::default()
        }
    }
}

/// Levels from a block up to the root above it, in a tree of `length` blocks.
fn levels_to_root(block: u64, length: u64) -> u64 {
    let mut levels = 0;
    let mut node = Index::leaf(block);
    while let Some(parent) = node.and_then(Index::parent).filter(|it| it.end_block() <= length) {
        levels = u64::saturating_add(levels, 1);
        node = Some(parent);
    }
    levels
}
