//! What the handle of a connection and its task share: orders one way, how it stands the other way.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hypercore_crypto::PublicKey;
use protomux::ChannelId;
use tokio::sync::watch;

use super::fetch::FindingPeers;
use super::link::Letters;
use super::mailbox::Mailbox;
use super::options::PeerOptions;
use super::reason::EndReason;
use crate::handle::Hypercore;

/// What a connection is told from outside.
pub(crate) enum Order {
    /// Offers a log to the other side, which may be a peer of it until it has answered.
    Add(Hypercore, PeerOptions, FindingPeers),
    /// The log of this channel was closed.
    LogGone(ChannelId),
}

/// What is known once the handshake is done.
#[derive(Clone, Copy)]
pub(crate) struct Opened {
    pub(crate) handshake_hash: [u8; 64],
    pub(crate) remote_public_key: Option<PublicKey>,
}

/// How a connection stands.
#[derive(Clone)]
pub(crate) enum Stage {
    Opening,
    Open(Opened),
    Ended(EndReason),
}

pub(crate) struct Control {
    pub(crate) letters: Arc<Letters>,
    stage: watch::Sender<Stage>,
    closing: AtomicBool,
}

impl Control {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            letters: Arc::new(Mailbox::new()),
            stage: watch::Sender::new(Stage::Opening),
            closing: AtomicBool::new(false),
        })
    }

    /// Asks the connection to end.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Release);
        self.letters.nudge();
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    pub(crate) fn open(&self, opened: Opened) {
        self.stage.send_replace(Stage::Open(opened));
    }

    /// The connection has ended. The first reason stays.
    pub(crate) fn end(&self, reason: EndReason) {
        self.letters.abandon();
        self.stage.send_if_modified(|stage| {
            let ends = !matches!(stage, Stage::Ended(_));
            if ends {
                *stage = Stage::Ended(reason);
            }
            ends
        });
    }

    pub(crate) fn stage(&self) -> Stage {
        self.stage.borrow().clone()
    }

    /// Waits for the end of the connection.
    pub(crate) async fn ended(&self) -> EndReason {
        let mut stage = self.stage.subscribe();
        let ended = stage.wait_for(|stage| matches!(stage, Stage::Ended(_))).await;
        match ended.as_deref() {
            Ok(Stage::Ended(reason)) => reason.clone(),
            _ => EndReason::RuntimeGone,
        }
    }

    /// Waits for the handshake to be done.
    pub(crate) async fn opened(&self) -> Result<Opened, EndReason> {
        let mut stage = self.stage.subscribe();
        let opened = stage.wait_for(|stage| !matches!(stage, Stage::Opening)).await;
        match opened.as_deref() {
            Ok(Stage::Open(opened)) => Ok(*opened),
            Ok(Stage::Ended(reason)) => Err(reason.clone()),
            _ => Err(EndReason::RuntimeGone),
        }
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").finish_non_exhaustive()
    }
}
