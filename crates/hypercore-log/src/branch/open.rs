//! Opening a branch: a new one is seeded, a stored one compared with what its log has now.

use hypercore_crypto::Hash;
use hypercore_merkle::{NodeLookup as _, Tree};

use crate::branch::origin::{ORIGIN, Origin};
use crate::branch::{Branch, BranchOptions};
use crate::entry::{Entry, TreeUpgrade};
use crate::error::{Corruption, LogError, OpenError, StorageError};
use crate::log::Log;
use crate::nodes::Nodes;
use crate::oplog::ENTRIES_START;
use crate::options::{Create, OpenOptions};
use crate::recover::{self, open_error};
use crate::snapshot::Overlay;
use crate::snapshot::kept::Kept;
use crate::state::{State, node_offset, tree_error};
use crate::stores::{FileName, Stores};

use compact_encoding::Encode as _;

impl Branch {
    /// Opens the branch of `base` in `stores`, or begins one as the options say.
    ///
    /// `overlay` is where an open branch keeps what `base` destroys of what they share.
    ///
    /// A stored branch is brought back as a log is: entries are replayed, the blocks they speak of hashed again, torn ends
    /// cut. What it has of `base` is compared with what `base` has now.
    ///
    /// # Durability
    /// A new branch is on stable storage on return, in either mode, and so is what it has of `base`.
    ///
    /// # Errors
    /// See [`OpenError`]: [`OpenError::KeyMismatch`] for the branch of another log, [`OpenError::NotBranch`] for a log,
    /// [`OpenError::CheckoutTooLong`], [`OpenError::Base`] when `base` can not be read or flushed. What is stored is left as it was.
    pub fn open(
        base: &Log,
        stores: Stores,
        overlay: Overlay,
        options: BranchOptions,
    ) -> Result<Self, OpenError> {
        let create = match options.create {
            // One whose making was cut short is none yet.
            Create::New => Create::IfMissing,
            create => create,
        };
        let own = OpenOptions::new()
            .key(base.key())
            .access(options.access)
            .create(create)
            .durability(options.durability)
            .verify_reads(options.verify_reads)
            .unsigned();
        let own = recover::open(stores, own)?;
        let origin = own.read_state().origin.clone();
        match origin {
            Some(_) if options.create == Create::New => Err(OpenError::AlreadyExists),
            Some(origin) => resume(base, own, overlay, &origin),
            None if options.create == Create::Never => Err(OpenError::NotFound),
            None => begin(base, own, overlay, options.checkout),
        }
    }
}

/// Seeds an empty branch with the roots of the first `checkout` blocks of `base`.
fn begin(
    base: &Log,
    own: Log,
    overlay: Overlay,
    checkout: Option<u64>,
) -> Result<Branch, OpenError> {
    let below = base.keep(|state| {
        let length = checkout.unwrap_or_else(|| state.tree.length());
        if length > state.tree.length() {
            let there = state.tree.length();
            return Err(OpenError::CheckoutTooLong { checkout: length, length: there });
        }
        let tree = state.tree.truncated(&state.nodes, length, state.tree.fork());
        let tree = tree.map_err(|error| base_error(tree_error(error)))?;
        Ok(Kept::new(&base.stores, tree, length, overlay))
    })?;
    // Otherwise the power could take from the log what the branch still builds on.
    base.flush().map_err(base_error)?;
    let tree = below.with_tree(Tree::clone);
    let tree_hash = tree.hash();
    let (fork, length) = (tree.fork(), tree.length());
    let record = Origin { fork, length, tree_hash }.to_vec();
    let entry = Entry {
        user_data: Some((ORIGIN.to_owned(), Some(record))),
        tree_nodes: Some(tree.roots().to_vec()),
        tree_upgrade: Some(TreeUpgrade {
            fork,
            ancestors: 0,
            length,
            signature: (length > 0).then(|| seal(&tree_hash)),
        }),
        bitfield: None,
    };
    own.seed(&entry, tree).map_err(open_error)?;
    Ok(Branch { own, below })
}

impl Log {
    /// Writes the first entry of a branch.
    fn seed(&self, entry: &Entry, tree: Tree) -> Result<(), LogError> {
        let mut writer = self.lock_writer()?;
        let old = self.read_state().announced();
        self.write_entry(&mut writer, entry)?;
        let sequence = {
            let mut state = self.publish();
            self.apply(&mut state, entry.clone(), old)?;
            state.set_tree(tree);
            self.commit.wrote(crate::change::OPLOG, state.announced())
        };
        drop(writer);
        self.settle(sequence)
    }
}

/// What stands in the place of a signature in a branch.
pub(crate) fn seal(tree_hash: &Hash) -> Vec<u8> {
    tree_hash.as_bytes().to_vec()
}

/// Finds out how much of what the branch has of its log is still there.
fn resume(base: &Log, own: Log, overlay: Overlay, origin: &Origin) -> Result<Branch, OpenError> {
    let tree = begun_with(&own.read_state(), origin)?;
    let below = base.keep(|state| {
        let shared =
            shared_length(&state.nodes, &tree).map_err(|error| base_error(error.into()))?;
        let shared = shared.min(state.tree.length());
        Ok::<_, OpenError>(Kept::new(&base.stores, tree.clone(), shared, overlay))
    })?;
    Ok(Branch { own, below })
}

/// The tree of the blocks that a branch has of its log, from its own stores.
fn begun_with(own: &State, origin: &Origin) -> Result<Tree, OpenError> {
    let tree = own.tree.truncated(&own.nodes, origin.length, origin.fork);
    let tree = tree.map_err(|error| open_error(tree_error(error)))?;
    if tree.hash() == origin.tree_hash {
        return Ok(tree);
    }
    let root = tree.roots().last().map_or(0, |root| root.index.get());
    let what = "the roots of a branch do not hash to what it was begun with";
    Err(Corruption::new(FileName::Tree, node_offset(root), what).into())
}

/// The blocks that two trees are known to have in common: those below the first roots of `tree` that are among `nodes`.
fn shared_length(nodes: &Nodes, tree: &Tree) -> Result<u64, StorageError> {
    for root in tree.roots() {
        if nodes.node(root.index)?.as_ref() != Some(root) {
            return Ok(root.index.first_block());
        }
    }
    Ok(tree.length())
}

fn base_error(error: LogError) -> OpenError {
    OpenError::Base(Box::new(error))
}

/// Whether a stored log is what is asked for: a branch, or no branch.
///
/// # Errors
/// [`OpenError::IsBranch`], [`OpenError::NotBranch`]; [`OpenError::Unsupported`] for a branch of a newer version.
pub(crate) fn check_kind(is_wanted: bool, state: &State) -> Result<(), OpenError> {
    let is_branch = state.user_data.get(ORIGIN).is_some();
    // What a branch is before its seed is written.
    let is_empty =
        state.manifest.is_none() && state.root_hash.is_none() && state.user_data.len() == 0;
    match (is_branch, is_wanted) {
        (true, false) => Err(OpenError::IsBranch),
        (false, true) if !is_empty => Err(OpenError::NotBranch),
        (true, true) if state.origin.is_none() => Err(OpenError::Unsupported {
            file: FileName::Oplog,
            offset: ENTRIES_START,
            what: "the record of a branch is of a newer version",
        }),
        _ => Ok(()),
    }
}
