//! What two sides tell each other about their trees, and when.
//!
//! A sync goes out whenever it would say something else than the last one did. That includes every change of what this
//! side knows about the other's length: a reader asks for nothing before that was acknowledged.

use hypercore_log::Log;

use crate::message::Sync;
use crate::view::View;

/// What a peer has told about its tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PeerSync {
    /// What it said last; before it spoke, nothing.
    pub(crate) last: Option<Sync>,
    /// What it said first.
    pub(crate) first: Option<Sync>,
}

impl PeerSync {
    /// Takes in what it says, and gives what it said before.
    pub(crate) fn tell(&mut self, sync: Sync) -> Option<Sync> {
        self.first.get_or_insert(sync);
        self.last.replace(sync)
    }

    pub(crate) fn fork(&self) -> u64 {
        self.last.map_or(0, |sync| sync.fork)
    }

    pub(crate) fn length(&self) -> u64 {
        self.last.map_or(0, |sync| sync.length)
    }

    /// What it takes our length for.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.last.map_or(0, |sync| sync.remote_length)
    }

    /// Whether it can prove its tree to us.
    pub(crate) fn can_upgrade(&self) -> bool {
        self.last.is_some_and(|sync| sync.can_upgrade)
    }

    pub(crate) fn uploading(&self) -> bool {
        self.last.is_some_and(|sync| sync.uploading)
    }

    pub(crate) fn downloading(&self) -> bool {
        self.last.is_some_and(|sync| sync.downloading)
    }

    pub(crate) fn has_manifest(&self) -> bool {
        self.last.is_some_and(|sync| sync.has_manifest)
    }

    pub(crate) fn allow_push(&self) -> bool {
        self.last.is_some_and(|sync| sync.allow_push)
    }

    /// Whether it has told its tree.
    pub(crate) const fn is_known(&self) -> bool {
        self.last.is_some()
    }
}

/// What was told to one peer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OwnSync {
    last: Option<Sync>,
    /// Whether we can prove our tree to the peer, and of which forks and lengths that was found.
    can_upgrade: Option<(Question, bool)>,
    /// Whether nodes came in since that was found that can change a no.
    has_new_nodes: bool,
}

/// What the answer to "can we prove our tree to it" depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Question {
    own_fork: u64,
    remote_fork: u64,
    remote_length: u64,
    is_longer: bool,
}

/// What this side wants, as a peer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interest {
    pub(crate) uploading: bool,
    pub(crate) downloading: bool,
    pub(crate) allow_push: bool,
}

impl OwnSync {
    /// What the peer was told last.
    pub(crate) const fn last(&self) -> Option<Sync> {
        self.last
    }

    /// Nodes were stored.
    pub(crate) const fn nodes_stored(&mut self) {
        self.has_new_nodes = true;
    }

    /// The sync that is due, if any.
    ///
    /// # Source
    /// wire.md sections 5.1 and 7.2.
    pub(crate) fn due(
        &mut self,
        log: &Log,
        view: &View,
        remote: &PeerSync,
        interest: Interest,
    ) -> Option<Sync> {
        // What was never heard is not acknowledged.
        let same_fork = remote.is_known() && remote.fork() == view.fork;
        let sync = Sync {
            can_upgrade: self.can_upgrade(log, view, remote),
            uploading: interest.uploading,
            downloading: interest.downloading,
            has_manifest: view.needs_manifest,
            allow_push: interest.allow_push,
            fork: view.fork,
            length: view.length,
            remote_length: if same_fork { remote.length() } else { 0 },
        };
        if self.last == Some(sync) {
            return None;
        }
        self.last = Some(sync);
        Some(sync)
    }

    fn can_upgrade(&mut self, log: &Log, view: &View, remote: &PeerSync) -> bool {
        let question = Question {
            own_fork: view.fork,
            remote_fork: remote.fork(),
            remote_length: remote.length(),
            is_longer: view.length > remote.length(),
        };
        let has_new_nodes = std::mem::take(&mut self.has_new_nodes);
        if let Some((asked, answer)) = self.can_upgrade
            && asked == question
            && (answer || !has_new_nodes)
        {
            return answer;
        }
        let answer = if !remote.is_known() {
            true
        } else if question.remote_fork != question.own_fork {
            false
        } else if question.remote_length == 0 {
            true
        } else {
            // A tree that can not be read proves nothing.
            question.is_longer && log.has_roots(question.remote_length).unwrap_or_default()
        };
        self.can_upgrade = Some((question, answer));
        answer
    }
}
