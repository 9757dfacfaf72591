//! Truncating a branch, also below the length it began with.

use compact_encoding::Encode as _;
use hypercore_merkle::Tree;

use crate::branch::Branch;
use crate::branch::open::seal;
use crate::branch::origin::{ORIGIN, Origin};
use crate::change::{FORK_MAX, NewEnd};
use crate::commit::Announced;
use crate::error::LogError;
use crate::log::Log;
use crate::state::{Head, tree_error};

/// A shorter branch, not stored yet.
struct Shorter {
    tree: Tree,
    old: Announced,
    /// Where it is cut below what it began with: what it has of its log from then on.
    origin: Option<Origin>,
}

impl Branch {
    /// Cuts the branch to `length` blocks, under the next fork. Below [`ancestors`](Self::ancestors) it shares fewer blocks with
    /// its log from then on.
    ///
    /// # Durability
    /// On stable storage on return, in either mode.
    ///
    /// # Errors
    /// [`LogError::OutOfBounds`] when the branch is shorter; [`LogError::ForkTooHigh`]; [`LogError::NodeMissing`] where a sparse log
    /// does not know the shorter tree; [`LogError::BaseRewritten`], [`LogError::OtherLog`], [`LogError::Poisoned`]: nothing was
    /// changed. [`LogError::Storage`]: the branch is poisoned.
    pub fn truncate(&self, base: &Log, length: u64) -> Result<Head, LogError> {
        let mut writer = self.own.lock_to_truncate()?;
        let Shorter { tree, old, origin } = self.shorter(base, length)?;
        // The roots of a tree that is no longer than what the branch began with are the log's: from here on its own as well.
        let nodes = if origin.is_some() { tree.roots().to_vec() } else { Vec::new() };
        let user_data = origin.map(|origin| (ORIGIN.to_owned(), Some(origin.to_vec())));
        let signature = (length > 0).then(|| seal(&tree.hash()));
        self.own.settle_direct_nodes(&mut writer)?;
        let end = NewEnd { tree, ancestors: length, nodes, signature, user_data };
        self.own.replace_end(&mut writer, end, old)
    }

    fn shorter(&self, base: &Log, length: u64) -> Result<Shorter, LogError> {
        self.read(base, |both| {
            let present = &both.state.tree;
            if length > present.length() {
                return Err(LogError::OutOfBounds { index: length, length: present.length() });
            }
            let fork = present.fork().saturating_add(1);
            if fork > FORK_MAX {
                return Err(LogError::ForkTooHigh { fork, max: FORK_MAX });
            }
            let tree = present.truncated(both, length, fork);
            let tree = tree.map_err(|error| both.explain(tree_error(error)))?;
            let origin = both.state.origin.as_ref().filter(|origin| length < origin.length);
            let origin =
                origin.map(|origin| Origin { length, tree_hash: tree.hash(), fork: origin.fork });
            Ok(Shorter { tree, old: both.state.announced(), origin })
        })
    }
}
