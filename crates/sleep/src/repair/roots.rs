//! Roots that are lost: made again from what lies below them, and believed when a signature holds.

use std::collections::HashMap;

use flat_tree::{Index, full_roots};
use hypercore_crypto::{PublicKey, Signature};

use crate::audit::BlockReader;
use crate::error::Result;
use crate::hashes;
use crate::node::Node;
use crate::recovery::Search;
use crate::repair::progress::Progress;
use crate::signatures::SignatureFile;
use crate::tree::TreeFile;

/// Longest block whose size is searched for.
const SEARCHED_LEN_MAX: u64 = 64 * 1024;
/// Combinations of roots that are tried for one signature.
const COMBINATIONS_MAX: usize = 64;

/// Makes nodes that are missing or wrong, from below.
pub(super) struct RootMender<'a, 'b> {
    key: &'a PublicKey,
    tree: &'a TreeFile,
    reader: BlockReader,
    data_len: u64,
    /// Nodes that are not stored, or not so.
    made: HashMap<Index, Node>,
    progress: &'a mut Progress<'b>,
}

impl<'a, 'b> RootMender<'a, 'b> {
    pub(super) fn new(
        key: &'a PublicKey,
        tree: &'a TreeFile,
        reader: BlockReader,
        data_len: u64,
        progress: &'a mut Progress<'b>,
    ) -> Self {
        Self { key, tree, reader, data_len, made: HashMap::new(), progress }
    }

    /// Looks for the longest length that a signature proves once its roots are made. Returns the nodes
    /// for it that are not stored so.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage).
    pub(super) fn mend(mut self, signatures: &SignatureFile) -> Result<Vec<Node>> {
        let mut search = Search::new(self.key, Some(self.tree), Some(signatures), u64::MAX);
        let mut proven = search.next()?.map_or(0, |signed| signed.length);
        // The newest signature alone, in most cases; else one after the other from the proven ones on.
        if let Some((slot, signature)) = signatures.last_before(u64::MAX)?
            && (slot < proven || self.prove(slot, &signature)?)
        {
            return Ok(self.into_made());
        }
        while let Some((slot, signature)) = signatures.at_or_after(proven)? {
            let is_found = self.prove(slot, &signature)?
                || (slot == proven && self.search_size(slot, &signature)?);
            if !is_found {
                break;
            }
            proven = slot.saturating_add(1);
        }
        Ok(self.into_made())
    }

    fn into_made(self) -> Vec<Node> {
        let mut made: Vec<Node> = self.made.into_values().collect();
        made.sort_unstable_by_key(|node| node.index);
        made
    }

    fn stored(&self, index: Index) -> Result<Option<Node>> {
        match self.made.get(&index) {
            Some(node) => Ok(Some(*node)),
            None => self.tree.node(index),
        }
    }

    /// Whether the signature holds over roots that are stored or made; those made are kept.
    fn prove(&mut self, slot: u64, signature: &Signature) -> Result<bool> {
        let length = slot.saturating_add(1);
        let mut candidates: Vec<Vec<(Node, Vec<Node>)>> = Vec::new();
        let mut offset: u64 = 0;
        for index in full_roots(length) {
            let mut of_root: Vec<(Node, Vec<Node>)> = Vec::new();
            if let Some(node) = self.stored(index)? {
                of_root.push((node, Vec::new()));
            }
            for from_blocks in [false, true] {
                let mut made = Vec::new();
                let node = self.make(index, offset, from_blocks, &mut made)?;
                let Some(node) = node else { continue };
                if !of_root.iter().any(|(known, _)| *known == node) {
                    of_root.push((node, made));
                }
            }
            let Some((first, _)) = of_root.first() else { return Ok(false) };
            offset = offset.saturating_add(first.size);
            candidates.push(of_root);
        }
        let Some(chosen) = self.choose(&candidates, length, signature) else { return Ok(false) };
        for (choice, of_root) in chosen.into_iter().zip(candidates) {
            let made = of_root.into_iter().nth(choice).map_or(Vec::new(), |(_, made)| made);
            self.made.extend(made.into_iter().map(|node| (node.index, node)));
        }
        Ok(true)
    }

    /// Which of the candidates for each root the signature holds over.
    fn choose(
        &self,
        candidates: &[Vec<(Node, Vec<Node>)>],
        length: u64,
        signature: &Signature,
    ) -> Option<Vec<usize>> {
        let mut choice = vec![0; candidates.len()];
        for _ in 0..COMBINATIONS_MAX {
            let chosen = candidates.iter().zip(&choice);
            let roots: Option<Vec<Node>> =
                chosen.map(|(of_root, place)| of_root.get(*place).map(|(node, _)| *node)).collect();
            let hash = hashes::tree(&roots?);
            if hashes::verify_tree(self.key, &hash, length, signature).is_some() {
                return Some(choice);
            }
            // Counts on, the first digit first.
            let mut has_next = false;
            for (digit, of_root) in choice.iter_mut().zip(candidates) {
                *digit = digit.saturating_add(1);
                has_next = *digit < of_root.len();
                if has_next {
                    break;
                }
                *digit = 0;
            }
            if !has_next {
                return None;
            }
        }
        None
    }

    /// A node made from the leaves below it, or from the blocks; every node on the way goes to `made`.
    /// A missing leaf at the end of `data` is that of the rest.
    fn make(
        &mut self,
        index: Index,
        offset: u64,
        from_blocks: bool,
        made: &mut Vec<Node>,
    ) -> Result<Option<Node>> {
        let node = if let Some((left, right)) = index.children() {
            let Some(left) = self.make(left, offset, from_blocks, made)? else { return Ok(None) };
            let right_offset = offset.saturating_add(left.size);
            let right = self.make(right, right_offset, from_blocks, made)?;
            right.and_then(|right| hashes::parent(&left, &right))
        } else {
            match self.stored(index)? {
                Some(leaf) if !from_blocks => Some(leaf),
                leaf => {
                    let rest = self.data_len.saturating_sub(offset);
                    let size = leaf.map_or(rest, |leaf| leaf.size);
                    let bytes = self.reader.bytes(offset, size)?;
                    bytes.map(|bytes| hashes::leaf(index, bytes))
                }
            }
        };
        made.extend(node);
        Ok(node)
    }

    /// Looks for the size of the one block between a proven length and the next signature.
    fn search_size(&mut self, slot: u64, signature: &Signature) -> Result<bool> {
        let length = slot.saturating_add(1);
        let mut roots = Vec::new();
        let mut offset: u64 = 0;
        for index in full_roots(slot) {
            let Some(root) = self.stored(index)? else { return Ok(false) };
            offset = offset.saturating_add(root.size);
            roots.push(root);
        }
        let Some(leaf) = Index::leaf(slot) else { return Ok(false) };
        let rest = self.data_len.saturating_sub(offset);
        for size in 0..=rest.min(SEARCHED_LEN_MAX) {
            if !self.progress.may_try_size() {
                break;
            }
            let Some(bytes) = self.reader.bytes(offset, size)? else { break };
            let (joined, made) = with_leaf(&roots, hashes::leaf(leaf, bytes));
            let hash = hashes::tree(&joined);
            if hashes::verify_tree(self.key, &hash, length, signature).is_some() {
                self.made.extend(made.into_iter().map(|node| (node.index, node)));
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The roots with one more leaf, and the nodes that this makes.
pub(super) fn with_leaf(roots: &[Node], leaf: Node) -> (Vec<Node>, Vec<Node>) {
    let (mut roots, mut made, mut last) = (roots.to_vec(), vec![leaf], leaf);
    while let Some(parent) = roots.last().and_then(|root| hashes::parent(root, &last)) {
        roots.pop();
        made.push(parent);
        last = parent;
    }
    roots.push(last);
    (roots, made)
}
