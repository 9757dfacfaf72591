//! Whether what peers answered shows that a backup is the newest copy of its log.

use hypercore_log::Log;

use crate::replication::survey::{PeerAnswer, Survey};

/// Where a log stands; a later fork is newer than any length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Head {
    fork: u64,
    length: u64,
}

impl Head {
    pub(super) fn of(log: &Log) -> Self {
        let head = log.head();
        Self { fork: head.fork, length: head.length }
    }

    /// What a peer told.
    pub(super) const fn told((fork, length): (u64, u64)) -> Self {
        Self { fork, length }
    }
}

/// Why peers do not vouch for a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Doubt {
    #[error("no peer answered, so nobody knows whether this backup is the newest copy of the log")]
    Nobody,
    #[error(
        "{silent} of the connected peers did not answer in time, and may have more than this backup"
    )]
    Silent { silent: usize },
    #[error("all peers had less than this backup, so none of them knows what came after it")]
    Behind,
    #[error(
        "a peer has told of {length} blocks of fork {fork}, which could not be taken over in time"
    )]
    Ahead { fork: u64, length: u64 },
}

/// Whether the peers settle it. `told` is the newest that any of them told, those that are gone included; `before` is where the log stood when they were asked, `now` where it stands after what they had was
/// taken over.
pub(super) fn judge(survey: &Survey, told: Head, before: Head, now: Head) -> Result<(), Doubt> {
    let newest = newest(survey, |peer| Head { fork: peer.fork, length: peer.length })?.max(told);
    if newest > now {
        return Err(Doubt::Ahead { fork: newest.fork, length: newest.length });
    }
    // What a peer has by now it may have from here: then it only says what it was told.
    let own = |peer: &PeerAnswer| Head { fork: peer.first_fork, length: peer.first_length };
    match survey.silent.len() {
        0 if self::newest(survey, own)? >= before => Ok(()),
        0 => Err(Doubt::Behind),
        silent => Err(Doubt::Silent { silent }),
    }
}

fn newest(survey: &Survey, head: impl Fn(&PeerAnswer) -> Head) -> Result<Head, Doubt> {
    survey.answered.iter().map(head).max().ok_or(Doubt::Nobody)
}
