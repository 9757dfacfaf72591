//! What a proof says against what is stored: hashes, and sizes, which a hash covers only where it was made.
//!
//! A parent's hash covers the sum of its children's sizes. Where a proof claims both, bytes can be moved from one to the
//! other, so a stored size is certain or not, and a wrong one must stop nobody who tells the truth.

use flat_tree::Index;

use crate::error::{TreeError, VerifyError};
use crate::lookup::NodeLookup;
use crate::node::Node;
use crate::partial::Partial;
use crate::tree::{Tree, look_up};

impl Tree {
    /// Compares the node that a proof leads to with the stored one. Where the stored one has another size, and that is not
    /// certain, gives the sibling as it is to be stored with the node of the proof.
    pub(crate) fn compare<L: NodeLookup>(
        &self,
        lookup: &L,
        partial: &Partial,
    ) -> Result<Option<Node>, VerifyError<L::Error>> {
        let root = &partial.root;
        let index = root.index;
        // Nodes beyond the tree may be left over in storage; they vouch for nothing.
        let stored = if self.contains(index) {
            look_up(lookup, index).map_err(VerifyError::Tree)?
        } else {
            None
        };
        let stored = stored.ok_or(VerifyError::UnknownNode(index))?;
        if stored.hash != root.hash {
            return Err(VerifyError::HashMismatch(index));
        }
        if stored.size == root.size {
            return Ok(None);
        }
        let beside = self.beside(lookup, index).map_err(VerifyError::Tree)?;
        let resized = beside.and_then(|(sibling, parent)| resized_sibling(root, &sibling, &parent));
        if partial.claimed {
            let (stored, claimed) = (stored.size, root.size);
            return resized.map(Some).ok_or(VerifyError::SizeMismatch { index, stored, claimed });
        }
        if let Some((sibling, parent)) = beside {
            // What was hashed here is right, so where it contradicts what is certain that is damaged.
            let fits = resized == Some(sibling)
                || (resized.is_some()
                    && !self.is_certain(lookup, &sibling).map_err(VerifyError::Tree)?);
            if !fits {
                return Err(VerifyError::Tree(TreeError::DamagedNode(parent.index)));
            }
        }
        Ok(resized)
    }

    /// The stored sibling and parent of a node.
    fn beside<L: NodeLookup>(
        &self,
        lookup: &L,
        index: Index,
    ) -> Result<Option<(Node, Node)>, TreeError<L::Error>> {
        match (index.sibling(), index.parent()) {
            (Some(sibling), Some(parent)) if self.contains(parent) => {
                Ok(look_up(lookup, sibling)?.zip(look_up(lookup, parent)?))
            }
            _ => Ok(None),
        }
    }

    /// Refuses sizes of pairs that only their sum covers where the stored ones are known for certain. Where those are no
    /// better, the new ones take their place: nothing below the two is stored, so nothing depends on them.
    pub(crate) fn compare_unconfirmed<L: NodeLookup>(
        &self,
        lookup: &L,
        pairs: &[[Node; 2]],
    ) -> Result<(), VerifyError<L::Error>> {
        for pair in pairs {
            let mut known = Vec::new();
            for node in pair.iter().filter(|node| self.contains(node.index)) {
                let stored = look_up(lookup, node.index).map_err(VerifyError::Tree)?;
                known.extend(stored.filter(|stored| stored.hash == node.hash).zip(Some(node)));
            }
            let Some((stored, node)) = known.iter().find(|(stored, node)| stored != *node) else {
                continue;
            };
            for (known, _) in &known {
                if self.is_certain(lookup, known).map_err(VerifyError::Tree)? {
                    let (index, stored, claimed) = (node.index, stored.size, node.size);
                    return Err(VerifyError::SizeMismatch { index, stored, claimed });
                }
            }
        }
        Ok(())
    }

    /// A root of `shorter`, which is this tree [`truncated`](Self::truncated), whose size follows from nothing but a sum:
    /// who signs it signs what a prover claimed. Fetching any block below it makes it certain.
    ///
    /// # Errors
    /// [`TreeError::DamagedNode`], and as the lookup fails.
    pub fn claimed_root<L: NodeLookup>(
        &self,
        lookup: &L,
        shorter: &Self,
    ) -> Result<Option<Index>, TreeError<L::Error>> {
        for root in &shorter.roots {
            let is_certain = self.is_certain(lookup, root)?
                || match self.beside(lookup, root.index)? {
                    Some((sibling, _)) => self.is_certain(lookup, &sibling)?,
                    None => false,
                };
            if !is_certain {
                return Ok(Some(root.index));
            }
        }
        Ok(None)
    }

    /// Whether the size of a stored node, and so that of its sibling, follows from more than a sum: it is signed, or what
    /// its hash was made of is stored.
    fn is_certain<L: NodeLookup>(
        &self,
        lookup: &L,
        stored: &Node,
    ) -> Result<bool, TreeError<L::Error>> {
        let index = stored.index;
        if index.is_root_of(self.length) {
            return Ok(true);
        }
        let Some((left, right)) = index.children() else {
            let has_block = lookup.has_block(index.first_block());
            return has_block.map_err(|source| TreeError::Lookup { index, source });
        };
        match (look_up(lookup, left)?, look_up(lookup, right)?) {
            (Some(left), Some(right)) if Node::parent(&left, &right) == Some(*stored) => Ok(true),
            (Some(_), Some(_)) => Err(TreeError::DamagedNode(index)),
            _ => Ok(false),
        }
    }
}

/// The sibling of a node with what is left of the parent's size; `None` when they are not its children.
pub(crate) fn resized_sibling(node: &Node, sibling: &Node, parent: &Node) -> Option<Node> {
    let resized = Node { size: parent.size.checked_sub(node.size)?, ..*sibling };
    (Node::parent(node, &resized) == Some(*parent)).then_some(resized)
}
