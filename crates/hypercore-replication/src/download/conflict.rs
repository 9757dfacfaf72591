//! Two histories of one fork.
//!
//! When a proof does not hold although its form is right, the peer may have another history that was signed as well. It
//! is asked to show its tree from nothing, with request 0. A signed tree that differs from ours is evidence against the
//! signer: it is kept, shown to everyone, and nothing is replicated any more.

use hypercore_log::{Conflict, Log, LogError, StorageError};
use hypercore_merkle::{Data, Proof, Request, UpgradeRequest, VerifyError};

use super::answers::{Answer, unsolicited};
use super::requests::Name;
use super::{Download, Peers, Run};
use crate::event::{Event, Evidence};
use crate::message::Message;
use crate::options::PeerId;

/// Whether a proof that does not hold may be of another history: hashes or the signature differ, and not only the form.
///
/// # Source
/// wire.md sections 6.3 and 7.8.
pub(super) const fn is_suspicious(error: &VerifyError<StorageError>) -> bool {
    matches!(
        error,
        VerifyError::HashMismatch(_)
            | VerifyError::SizeMismatch { .. }
            | VerifyError::Signature(_)
            | VerifyError::Prologue
    )
}

/// Whether something that came unasked can show another history.
pub(super) fn may_be_evidence(data: &Data) -> bool {
    data.request_id == 0 && is_from_nothing(&data.proof)
}

fn is_from_nothing(proof: &Proof) -> bool {
    proof.upgrade.as_ref().is_some_and(|upgrade| upgrade.start == 0)
}

impl Download {
    /// Takes up the evidence that is kept with a frozen log, and leaves behind what is about an earlier fork.
    pub(crate) fn recall_conflict(&mut self, log: &Log) {
        let fork = log.fork();
        self.conflict.take_if(|evidence| evidence.fork != fork);
        if self.conflict.is_none()
            && log.is_frozen()
            && let Some(Conflict { own, other, .. }) = log.conflict()
        {
            let length = other.upgrade.as_ref().map_or(0, |upgrade| upgrade.length);
            self.conflict = Some(Evidence { fork, length, own, other });
        }
    }

    /// Asks a peer to show its tree.
    pub(super) fn probe(&mut self, id: PeerId, peers: &mut Peers, run: &mut Run<'_>) {
        let Some(peer) = peers.get_mut(&id) else { return };
        let length = peer.remote.length().min(run.view.length);
        if peer.download.probed_at.is_some() || length == 0 {
            return;
        }
        peer.download.probed_at = Some(run.now);
        peer.output.push_back(Message::Request(Request {
            fork: run.view.fork,
            upgrade: Some(UpgradeRequest { start: 0, length }),
            ..Request::default()
        }));
    }

    /// Takes what came under number 0: an answer to a probe, a proof of another history, or something pushed.
    pub(super) fn take_unasked(
        &mut self,
        id: PeerId,
        proof: Proof,
        peers: &mut Peers,
        run: &mut Run<'_>,
        batch: &mut Vec<Answer>,
    ) {
        if is_from_nothing(&proof) && proof.fork == run.view.fork && run.view.length > 0 {
            let probed = peers.get_mut(&id).and_then(|peer| peer.download.probed_at.take());
            let was_probed = probed.is_some();
            match find_conflict(&proof, run) {
                Ok(Some(evidence)) => {
                    self.conflict = Some(evidence);
                    run.events.push_back(Event::Conflict { peer: id });
                    return;
                }
                // A sparse log may not know its own tree of that length.
                Ok(None) | Err(LogError::NodeMissing { .. }) if was_probed => return,
                Ok(None) | Err(LogError::NodeMissing { .. }) => {}
                Err(LogError::Proof(error)) => {
                    return self.invalid(id, error.to_string(), peers, run);
                }
                Err(error) => return self.fail(error, run),
            }
        }
        let own_sync = peers.get(&id).and_then(|peer| peer.own.last());
        let allows_push = own_sync.is_some_and(|sync| sync.allow_push);
        if allows_push && proof.fork == run.view.fork {
            batch.push(Answer { peer: id, name: Name::none(), proof });
        } else {
            unsolicited(id, peers, run);
        }
    }
}

/// Whether the proof, an upgrade from nothing on the own fork, shows a signed tree that differs from the own one.
fn find_conflict(proof: &Proof, run: &Run<'_>) -> Result<Option<Evidence>, LogError> {
    let length = proof.upgrade.as_ref().map_or(0, |upgrade| upgrade.length);
    let own = run.log.check_conflict(proof)?;
    Ok(own.map(|own| Evidence { fork: proof.fork, length, own, other: proof.clone() }))
}
