//! Asking for what is not a block: nodes for seeks and hashes, and what a peer holds.

use flat_tree::Index;
use hypercore_log::LogError;
use hypercore_merkle::{BlockRequest, HashRequest, Request};

use super::requests::Purpose;
use super::{Download, Run};
use crate::options::PeerId;
use crate::peer::Peer;
use crate::wish::Blocks;

/// Wishes that one look goes through to find out what to ask a peer about.
const LOOK_MAX: usize = 64;

impl Download {
    /// Asks for the nodes that seeks and hashes need.
    pub(super) fn ask_for_nodes(
        &mut self,
        id: PeerId,
        peer: &mut Peer,
        run: &mut Run<'_>,
    ) -> Result<(), LogError> {
        let remote_length = peer.remote.length();
        for place in 0..self.wishes.bytes.len() {
            if self.room(id, peer, &run.view) == 0 {
                return Ok(());
            }
            let Some(byte) = self.wishes.bytes.get(place) else { break };
            let within = byte.within.clone().filter(|_| byte.asked.is_none());
            let held = within.and_then(|blocks| peer.holdings.next_held(blocks));
            let Some(block) = held.map(|held| held.start) else { continue };
            let nodes = run.log.missing_nodes(block)?;
            let Some(index) = Index::leaf(block) else { continue };
            // A byte that it refused to look for it may find when asked for the block.
            let may_ask = byte.asks_block || !peer.download.has_refused(block, run.now);
            if !may_ask || top_end(index, nodes) > remote_length {
                continue;
            }
            let mut request = Request { fork: run.view.fork, ..Request::default() };
            if byte.asks_block {
                request.block = Some(BlockRequest { index: block, nodes });
            } else {
                request.hash = Some(HashRequest { index, nodes });
                request.seek = Some(byte.request());
            }
            let purpose = Purpose::Seek(byte.wish);
            let name = self.send(id, peer, request, purpose, None, run.now);
            if let Some(byte) = self.wishes.bytes.get_mut(place) {
                byte.asked = Some(name);
            }
        }
        for place in 0..self.wishes.hashes.len() {
            if self.room(id, peer, &run.view) == 0 {
                return Ok(());
            }
            let Some(hash) = self.wishes.hashes.get(place) else { break };
            let index = hash.index;
            let is_open = hash.asked.is_none() && index.end_block() <= run.view.length;
            if !is_open || peer.download.has_refused(index.first_block(), run.now) {
                continue;
            }
            let nodes = run.log.missing_nodes_of(index)?;
            let first = index.first_block();
            let holds = peer.holdings.next_held(first..index.end_block()).is_some();
            if !holds || top_end(index, nodes) > remote_length {
                continue;
            }
            let request = Request {
                fork: run.view.fork,
                hash: Some(HashRequest { index, nodes }),
                ..Request::default()
            };
            let purpose = Purpose::Hash(hash.wish);
            let name = self.send(id, peer, request, purpose, None, run.now);
            if let Some(hash) = self.wishes.hashes.get_mut(place) {
                hash.asked = Some(name);
            }
        }
        Ok(())
    }

    /// Asks a peer about stretches of which it is not known what it holds.
    pub(super) fn ask_what_it_has(&mut self, peer: &mut Peer, run: &Run<'_>) {
        let length = peer.remote.length().min(run.view.length);
        if peer.room == 0 || peer.holdings.contiguous_length() >= length {
            return;
        }
        let region = self.options.want_region;
        let Peer { download, holdings, output, .. } = peer;
        for (_, block) in self.wishes.queued(None).take(LOOK_MAX) {
            if !download.wants.has_room() {
                return;
            }
            if block < length && !holdings.has(block) {
                download.wants.ask_about(block, region, output);
            }
        }
        let bytes = self.wishes.bytes.iter().filter_map(|byte| byte.within.clone());
        let hashes =
            self.wishes.hashes.iter().map(|hash| hash.index.first_block()..hash.index.end_block());
        for blocks in bytes.chain(hashes).take(LOOK_MAX) {
            if !download.wants.has_room() {
                return;
            }
            if blocks.start < length && holdings.next_held(blocks.clone()).is_none() {
                download.wants.ask_about(blocks.start, region, output);
            }
        }
        for many in &self.wishes.many {
            let span = match &many.blocks {
                Blocks::List(list) => {
                    let unknown =
                        list.iter().filter(|block| **block < length && !holdings.has(**block));
                    for block in unknown.take(LOOK_MAX) {
                        if !download.wants.has_room() {
                            return;
                        }
                        download.wants.ask_about(*block, region, output);
                    }
                    continue;
                }
                _ => many.span(length),
            };
            let looked = download.wants.looked.get(&many.wish).copied();
            let mut at = looked.unwrap_or(region.start_of(span.start));
            for _ in 0..LOOK_MAX {
                if at >= span.end || download.wants.is_waiting() {
                    break;
                }
                let next = at.saturating_add(region.blocks());
                let part = at.max(span.start)..next.min(span.end);
                if !holdings.has_range(part.clone()) && !run.log.has_range(part) {
                    download.wants.ask_about(at, region, output);
                } else if next > span.end {
                    // The log may grow into the rest of it.
                    break;
                }
                at = next;
            }
            download.wants.looked.insert(many.wish, at);
        }
    }
}

/// Blocks that a tree must have for the node so many levels above `index` to be in it.
fn top_end(index: Index, levels: u64) -> u64 {
    let mut way = std::iter::successors(Some(index), |index| index.parent());
    let top = way.nth(usize::try_from(levels).unwrap_or(usize::MAX));
    top.map_or(u64::MAX, Index::end_block)
}
