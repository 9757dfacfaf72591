//! What a session may choose for itself; the rest belongs to the log.

use std::sync::Arc;

use hypercore_crypto::KeyPair;

use super::waiting::Waiting;
use crate::signing::Signer;

/// The settings of one session. A session that is opened on another one begins with its settings.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Whether it may write, if the log may be written to at all.
    pub(crate) writable: bool,
    /// Whether it lets the log close under it.
    pub(crate) weak: bool,
    pub(crate) waiting: Waiting,
    /// Signs in the place of the log's own key pair.
    pub(crate) key_pair: Option<Arc<KeyPair>>,
    /// Signs in the place of both, and keeps its key to itself.
    pub(crate) signer: Option<Arc<dyn Signer>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            writable: true,
            weak: false,
            waiting: Waiting::default(),
            key_pair: None,
            signer: None,
        }
    }
}
