//! Following a peer to a higher fork: compared first, applied at once.

use hypercore_merkle::{Authority, Proof, Reorg, Verified, Want};

use crate::change::NewEnd;
use crate::commit::Announced;
use crate::error::LogError;
use crate::log::Log;
use crate::options::Access;
use crate::proofs::verify_error;
use crate::state::Head;

/// A change to a higher fork that is being prepared: see [`Log::start_reorganisation`].
#[derive(Debug)]
pub struct Reorganisation {
    reorg: Reorg,
    from: Announced,
}

impl Reorganisation {
    /// What to ask the peer for next; `None` when enough is known to apply it.
    #[must_use]
    pub const fn want(&self) -> Option<&Want> {
        self.reorg.want()
    }

    /// Blocks at the beginning that stay, as far as is known yet.
    #[must_use]
    pub const fn ancestors(&self) -> u64 {
        self.reorg.ancestors()
    }
}

impl Log {
    /// Begins to replace the end of the log by what a peer with a higher fork has. `proof` is its upgrade
    /// from nothing; it is verified, and nothing is stored.
    ///
    /// Ask the peer for [`Reorganisation::want`] and feed the answers in until there is none left, then
    /// [`apply_reorganisation`](Self::apply_reorganisation).
    ///
    /// # Errors
    /// [`LogError::Proof`], [`LogError::ReadOnly`], [`LogError::Corrupt`], [`LogError::Storage`].
    pub fn start_reorganisation(&self, proof: &Proof) -> Result<Reorganisation, LogError> {
        if self.options.access == Access::ReadOnly {
            return Err(LogError::ReadOnly);
        }
        let state = self.read_state();
        let authority = Authority { key: &self.key, manifest: state.manifest.as_ref() };
        let reorg = Reorg::start(&state.tree, &*state, proof, &authority).map_err(verify_error)?;
        Ok(Reorganisation { reorg, from: state.announced() })
    }

    /// Feeds an answer to what [`Reorganisation::want`] asked for.
    ///
    /// # Errors
    /// [`LogError::Proof`]; [`LogError::Changed`] when the log is not the one it began with;
    /// [`LogError::Corrupt`], [`LogError::Storage`].
    pub fn feed_reorganisation(
        &self,
        reorganisation: &mut Reorganisation,
        proof: &Proof,
    ) -> Result<(), LogError> {
        let state = self.read_state();
        if state.announced() != reorganisation.from {
            return Err(LogError::Changed);
        }
        reorganisation.reorg.feed(&*state, proof).map_err(verify_error)
    }

    /// Replaces the end of the log. Blocks past the part that both share are dropped.
    ///
    /// # Durability
    /// On stable storage on return, in either mode, and the oplog is empty then.
    ///
    /// # Errors
    /// [`LogError::Changed`] when the log is not the one it began with; [`LogError::Unfinished`] when it wants to
    /// know more; [`LogError::ReadOnly`], [`LogError::HeaderLost`], [`LogError::Poisoned`];
    /// [`LogError::Storage`]: the log is poisoned.
    pub fn apply_reorganisation(&self, reorganisation: Reorganisation) -> Result<Head, LogError> {
        let mut writer = self.lock_writer()?;
        let old = self.read_state().announced();
        if old != reorganisation.from {
            return Err(LogError::Changed);
        }
        let verified = reorganisation.reorg.finish().ok_or(LogError::Unfinished)?;
        let Verified { tree, ancestors, mut nodes, unconfirmed, signature, manifest, .. } =
            verified;
        if self.options.signer.is_some() {
            // It would sign them one day, and nothing needs them.
            nodes.retain(|node| !unconfirmed.contains(&node.index));
        }
        self.settle_direct_nodes(&mut writer)?;
        self.keep_manifest(&mut writer, manifest)?;
        self.replace_end(
            &mut writer,
            NewEnd { tree, ancestors, nodes, signature, user_data: None },
            old,
        )
    }
}
