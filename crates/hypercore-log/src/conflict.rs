//! Two signed histories of one fork: how a peer's is told from the own one, and what is kept of it.
//!
//! The evidence stands in the user data, which outlives the process and is nobody else's: it counts for the fork it is
//! about. A new fork, which whoever signs begins by a truncation, leaves it behind.

use compact_encoding::{Decode as _, Decoder, Encode as _, Encoder};
use flat_tree::Index;
use hypercore_merkle::{Authority, Data, HashProof, Leaf, Node, Proof, Request, UpgradeRequest};

use crate::error::LogError;
use crate::log::Log;
use crate::proofs::verify_error;
use crate::state::State;
use crate::user_data::UserData;

/// The key of the user data that holds the evidence: the fork, the own proof, the other one.
const EVIDENCE: &str = "hypercore-log/conflict";

/// Two proofs of which only one can be true, both signed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conflict {
    /// That of this log.
    pub own: Proof,
    /// The one that contradicts it.
    pub other: Proof,
}

impl Log {
    /// Keeps a proof that contradicts this log, as [`check_conflict`](Self::check_conflict) tells, and freezes the log: it
    /// takes no blocks and no proofs until it has another fork. Gives the evidence, or `None` when there is none.
    ///
    /// [`thaw`](Self::thaw) takes it back.
    ///
    /// # Durability
    /// On stable storage on return, in either mode.
    ///
    /// # Errors
    /// Those of [`check_conflict`](Self::check_conflict) and [`set_user_data`](Self::set_user_data).
    pub fn freeze(&self, proof: &Proof) -> Result<Option<Conflict>, LogError> {
        let Some(own) = self.check_conflict(proof)? else { return Ok(None) };
        let other = self.without_bytes(proof);
        let mut out = Encoder::new();
        out.uint(proof.fork);
        for proof in [&own, &other] {
            out.buffer(&Data { request_id: 0, proof: proof.clone() }.to_vec());
        }
        self.put_user_data(EVIDENCE, Some(out.as_slice()))?;
        self.flush()?;
        Ok(Some(Conflict { own, other }))
    }

    /// Forgets the evidence: a frozen log goes on with the history it has, whatever others hold.
    ///
    /// # Durability
    /// On stable storage on return, in either mode.
    ///
    /// # Errors
    /// Those of [`set_user_data`](Self::set_user_data).
    pub fn thaw(&self) -> Result<(), LogError> {
        self.put_user_data(EVIDENCE, None)?;
        self.flush()
    }

    /// A proof that holds, without what would make evidence as large as whoever brings it likes: the leaf stands for its
    /// block, and only the manifest of this log for one.
    fn without_bytes(&self, proof: &Proof) -> Proof {
        let state = self.read_state();
        let manifest = proof.manifest.clone().filter(|sent| Some(sent) == state.manifest.as_ref());
        let leaf = proof.block.as_ref().and_then(|block| {
            let index = Index::leaf(block.index)?;
            let leaf = Leaf::new(&block.value);
            let leaf = Node::new(index, leaf.size, leaf.hash);
            let nodes = std::iter::once(leaf).chain(block.nodes.iter().copied()).collect();
            Some(HashProof { index, nodes })
        });
        Proof { block: None, hash: leaf.or_else(|| proof.hash.clone()), manifest, ..proof.clone() }
    }

    /// The evidence that was kept, of this fork or an earlier one.
    #[must_use]
    pub fn conflict(&self) -> Option<Conflict> {
        let state = self.read_state();
        let input = &mut Decoder::new(state.user_data.get(EVIDENCE)?);
        input.uint().ok()?;
        let mut proof = || Some(Data::from_slice(input.buffer().ok()?).ok()?.proof);
        Some(Conflict { own: proof()?, other: proof()? })
    }

    /// Whether another history was signed for the present fork, so that the log takes nothing more.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.read_state().is_frozen()
    }

    /// Whether a peer's proof shows that the signers signed another history for the present fork. Gives the own proof
    /// against it, over as many blocks: both together convince anybody. A sparse log that lacks the roots of so many
    /// blocks gives its whole tree, which convinces who has more of it.
    ///
    /// `proof` is an upgrade from nothing by at most the blocks that are here; nothing is stored.
    ///
    /// # Errors
    /// [`LogError::Proof`]: it does not hold, is of another fork, or no upgrade from nothing;
    /// [`LogError::NodeMissing`]: a root of that many blocks is not stored here, so that nothing is known; those of
    /// [`create_proof`](Self::create_proof).
    ///
    /// # Source
    /// wire.md section 7.8.
    pub fn check_conflict(&self, proof: &Proof) -> Result<Option<Proof>, LogError> {
        let contradicted = {
            let state = self.read_state();
            let authority = Authority { key: &self.key, manifest: state.manifest.as_ref() };
            state.tree.is_contradicted_by(&*state, proof, &authority).map_err(verify_error)?
        };
        let length = proof.upgrade.as_ref().map_or(0, |upgrade| upgrade.length);
        if !contradicted {
            return Ok(None);
        }
        let prove = |length| {
            let upgrade = Some(UpgradeRequest { start: 0, length });
            self.create_proof(&Request { fork: proof.fork, upgrade, ..Request::default() })
        };
        match prove(length) {
            Err(LogError::Request(_)) => prove(self.length()),
            proven => proven,
        }
    }
}

impl State {
    /// Whether evidence of a conflict is about the present fork.
    pub(crate) fn is_frozen(&self) -> bool {
        frozen_fork(&self.user_data) == Some(self.tree.fork())
    }
}

fn frozen_fork(user_data: &UserData) -> Option<u64> {
    Decoder::new(user_data.get(EVIDENCE)?).uint().ok()
}
