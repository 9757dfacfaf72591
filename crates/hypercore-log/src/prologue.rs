//! Filling a log with the blocks that its manifest fixes, from another log that has them.
//!
//! Everything goes through proofs, as if the other log were a peer: what it holds is not believed, only hashed.

use std::ops::Range;

use hypercore_merkle::{BlockRequest, Proof, Request, UpgradeProof};

use crate::error::LogError;
use crate::log::Log;

/// Blocks that are copied together.
const BLOCKS: usize = 256;

/// Bytes of blocks that are copied together, unless one block has more.
const BYTES: usize = 1024 * 1024;

impl Log {
    /// Takes the prologue of the manifest, its tree and its blocks, from another log that begins with them; gives how many blocks came.
    ///
    /// A log whose manifest has a prologue is no longer than that when it is signed for the first time, so somebody has to fill it before.
    /// Blocks that are not stored in `source` are left out, and may come later from anywhere.
    ///
    /// # Durability
    /// On stable storage on return, in either mode. A crash leaves a part of it, and the next call goes on.
    ///
    /// # Errors
    /// [`LogError::NoPrologue`]; [`LogError::OutOfBounds`] when `source` is shorter than the prologue; [`LogError::Proof`] when it begins
    /// otherwise; [`LogError::NodeMissing`] where it is sparse and does not know the tree; those of
    /// [`apply_proof`](Self::apply_proof) and [`create_proof`](Self::create_proof).
    ///
    /// # Source
    /// formats.md section 5.5: a tree within the prologue needs no signature.
    pub fn copy_prologue(&self, source: &Self) -> Result<u64, LogError> {
        let length = self.read_state().prologue_length();
        if length == 0 {
            return Err(LogError::NoPrologue);
        }
        if self.length() < length {
            self.apply_proof(&source.prove_beginning(length, self.fork())?)?;
        }
        let mut copied = 0_u64;
        let mut next = 0;
        while let Some(wanted) = self.wanted_of(source, next..length)? {
            let answers = source.create_proofs(&wanted, BYTES);
            let last = wanted.get(..answers.len()).and_then(<[Request]>::last);
            next = last
                .and_then(|request| request.block)
                .map_or(length, |block| block.index.saturating_add(1));
            let mut proofs = Vec::with_capacity(answers.len());
            for answer in answers {
                // None: cleared meanwhile.
                proofs.extend(answer?);
            }
            for proof in &mut proofs {
                proof.fork = self.fork();
            }
            for verdict in self.apply_proofs(&proofs) {
                copied = copied.saturating_add(u64::from(verdict?.block.is_some()));
            }
        }
        self.flush()?;
        Ok(copied)
    }

    /// The next requests for blocks of a range that `source` has and this log has not.
    fn wanted_of(
        &self,
        source: &Self,
        range: Range<u64>,
    ) -> Result<Option<Vec<Request>>, LogError> {
        let fork = source.fork();
        let mut wanted = Vec::new();
        let mut rest = range;
        // This log may have all of the first ones.
        while wanted.is_empty() {
            let runs = source.stored_ranges(rest.clone(), BLOCKS);
            let Some(last) = runs.last() else { return Ok(None) };
            rest.start = last.end;
            for run in runs {
                let left = BLOCKS.saturating_sub(wanted.len());
                for index in run.filter(|index| !self.has(*index)).take(left) {
                    let nodes = self.missing_nodes(index)?;
                    let block = Some(BlockRequest { index, nodes });
                    wanted.push(Request { fork, block, ..Request::default() });
                }
            }
        }
        Ok(Some(wanted))
    }

    /// A proof of the first `length` blocks for a log of fork `fork`, without a signature.
    fn prove_beginning(&self, length: u64, fork: u64) -> Result<Proof, LogError> {
        let state = self.durable_state()?;
        if state.tree.length() < length {
            return Err(LogError::OutOfBounds { index: length, length: state.tree.length() });
        }
        let nodes = self.upgrade_nodes(&state, 0..length)?;
        let upgrade =
            UpgradeProof { start: 0, length, nodes, additional_nodes: Vec::new(), signature: None };
        Ok(Proof { fork, upgrade: Some(upgrade), ..Proof::default() })
    }
}
