//! Moving to a higher fork.
//!
//! The tree of the new fork is asked for from nothing, then hashes below where it differs, until it is known how much
//! of the log stays. Until then nothing is stored.

use std::time::Duration;

use hypercore_log::{LogError, Reorganisation};
use hypercore_merkle::{Proof, Request, UpgradeRequest};

use super::plan::is_usable;
use super::requests::{Name, Purpose};
use super::{Changes, Download, Peers, Run};
use crate::event::Event;
use crate::limits::UPGRADE_PATIENCE;
use crate::options::PeerId;

/// A change to a higher fork that is under way.
#[derive(Debug)]
pub(super) struct Reorganising {
    pub(super) peer: PeerId,
    fork: u64,
    /// What is known of the other tree; `None` before its first proof.
    known: Option<Reorganisation>,
    asked: Name,
    pub(super) sent_at: Duration,
}

impl Download {
    /// Asks for a higher fork, if a peer has one.
    ///
    /// # Source
    /// wire.md section 7.3.
    pub(super) fn plan_reorganisation(&mut self, peers: &mut Peers, run: &mut Run<'_>) {
        if !self.options.follow && !self.wishes.want_longer(&run.view) {
            return;
        }
        let highest = peers
            .iter()
            .filter(|(_, peer)| {
                is_usable(peer, run.now)
                    && peer.remote.fork() > run.view.fork
                    && peer.remote.length() > 0
            })
            // The one who keeps us waiting has no turn again.
            .filter(|(id, _)| self.reorganising.as_ref().is_none_or(|now| now.peer != **id))
            // Any fork can be claimed: one that was kept waiting for does not count more than one that may be shown.
            .max_by_key(|(id, peer)| {
                (std::cmp::Reverse(peer.download.penalty()), peer.remote.fork(), **id)
            })
            .map(|(id, peer)| (*id, peer.remote.fork()));
        let Some((id, fork)) = highest else { return };
        if let Some(now) = &self.reorganising {
            if now.sent_at.saturating_add(UPGRADE_PATIENCE) > run.now {
                return;
            }
            let (late, id) = (now.peer, now.asked.id);
            self.reorganising = None;
            self.take_back(peers, id);
            if let Some(late) = peers.get_mut(&late) {
                late.download.refuse(None, run.now);
            }
        }
        let Some(peer) = peers.get_mut(&id) else { return };
        let length = peer.remote.length();
        let request = Request {
            fork,
            upgrade: Some(UpgradeRequest { start: 0, length }),
            manifest: !run.view.manifest,
            ..Request::default()
        };
        let asked = self.send(id, peer, request, Purpose::Reorganisation, None, run.now);
        self.reorganising =
            Some(Reorganising { peer: id, fork, known: None, asked, sent_at: run.now });
    }

    /// Nothing comes of it with this peer.
    pub(super) fn stop_reorganising(&mut self, id: PeerId) {
        if self.reorganising.as_ref().is_some_and(|reorganising| reorganising.peer == id) {
            self.reorganising = None;
        }
    }

    /// Takes an answer of the peer that has the higher fork.
    pub(super) fn go_on_reorganising(
        &mut self,
        id: PeerId,
        proof: &Proof,
        peers: &mut Peers,
        run: &mut Run<'_>,
        changes: &mut Changes,
    ) {
        let Some(Reorganising { fork, known, .. }) =
            self.reorganising.take_if(|reorganising| reorganising.peer == id)
        else {
            return;
        };
        let known = match known {
            None => run.log.start_reorganisation(proof),
            Some(mut known) => run.log.feed_reorganisation(&mut known, proof).map(|()| known),
        };
        let known = match known {
            Ok(known) => known,
            Err(LogError::Proof(error)) if !error.is_local() => {
                return self.invalid(id, error.to_string(), peers, run);
            }
            // It begins anew.
            Err(LogError::Changed) => return,
            Err(error) => return self.fail(error, run),
        };
        let Some(want) = known.want() else {
            let ancestors = known.ancestors();
            match run.log.apply_reorganisation(known) {
                Ok(head) => {
                    changes.cut = Some(ancestors);
                    changes.grew = true;
                    run.events.push_back(Event::Truncated { length: ancestors, fork: head.fork });
                    run.events.push_back(Event::Upgraded { length: head.length, fork: head.fork });
                    if let Some(peer) = peers.get_mut(&id) {
                        peer.download.delivered();
                        peer.download.has_upgraded = true;
                    }
                }
                Err(LogError::Changed) => {}
                Err(error) => self.fail(error, run),
            }
            return;
        };
        let Some(peer) = peers.get_mut(&id) else { return };
        let held = peer.holdings.next_held(want.blocks.clone());
        if held.is_none() {
            let region = self.options.want_region;
            peer.download.wants.ask_about(want.blocks.start, region, &mut peer.output);
        }
        let request = want.request(held.map_or(want.blocks.start, |held| held.start));
        let asked = self.send(id, peer, request, Purpose::Reorganisation, None, run.now);
        let sent_at = run.now;
        self.reorganising =
            Some(Reorganising { peer: id, fork, known: Some(known), asked, sent_at });
    }
}
