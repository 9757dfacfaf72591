//! Asking around: which peers have told their length, and which have not.

use std::time::Duration;

use hypercore_crypto::PublicKey;
use hypercore_replication::UpgradeWish;

use super::wish::Wish;
use crate::error::Result;
use crate::events::PeerId;
use crate::handle::Hypercore;

/// What came of [`Hypercore::ask_peers`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Survey {
    /// The peers that told what they have.
    pub answered: Vec<PeerAnswer>,
    /// Those that did not in the time given.
    pub silent: Vec<PeerId>,
    /// Whether all that was told of was proven and taken over in the time given.
    pub caught_up: bool,
}

/// What a peer told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerAnswer {
    /// Who.
    pub peer: PeerId,
    /// Its identity, where the stream tells.
    pub remote_public_key: Option<PublicKey>,
    /// Its blocks.
    pub length: u64,
    /// Its fork.
    pub fork: u64,
    /// Its blocks when it first told, before it could take over anything from here.
    pub first_length: u64,
    /// Its fork then.
    pub first_fork: u64,
}

/// Peers tell their length when they open a log and whenever it changes, so all there is to wait for is
/// that they have, and that what they told is proven.
pub(crate) async fn ask(log: &Hypercore, deadline: Duration) -> Result<Survey> {
    let caught_up = tokio::time::timeout(deadline, catch_up(log)).await;
    let caught_up = caught_up.unwrap_or(Ok(false))?;
    let mut survey = Survey { answered: Vec::new(), silent: Vec::new(), caught_up };
    for peer in log.peers().await? {
        let told = peer.info();
        if told.synced {
            survey.answered.push(PeerAnswer {
                peer: told.id,
                remote_public_key: told.remote_public_key,
                length: told.remote_length,
                fork: told.remote_fork,
                first_length: told.first_length,
                first_fork: told.first_fork,
            });
        } else {
            survey.silent.push(told.id);
        }
    }
    Ok(survey)
}

/// Waits until all peers have told what they have and it is here.
async fn catch_up(log: &Hypercore) -> Result<bool> {
    let mut changes = log.shared().exchange().changes();
    loop {
        changes.mark_unchanged();
        if log.peers().await?.iter().all(|peer| peer.info().synced) {
            break;
        }
        // The log keeps the sender alive.
        let _ = changes.changed().await;
    }
    if log.shared().identity.stores {
        log.wish(Wish::Upgrade(UpgradeWish::Latest))?.outcome().await?;
    }
    Ok(true)
}
