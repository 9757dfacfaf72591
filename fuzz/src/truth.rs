//! What must hold of any log that opens, whatever its files were: what it gives was signed.

use std::collections::HashMap;

use flat_tree::Index;
use hypercore_crypto::leaf_hash;
use hypercore_log::{Log, LogError};
use hypercore_merkle::{Authority, BlockRequest, HashRequest, Node, Request, Tree, UpgradeRequest};

/// Blocks that are looked at: the first and the last.
fn sample(length: u64) -> impl Iterator<Item = u64> {
    (0..length.min(14)).chain(length.saturating_sub(3).max(14)..length)
}

/// The tree that a reader who knows only the key makes of a proof of the head.
fn signed_tree(log: &Log, length: u64) -> Tree {
    let upgrade = Some(UpgradeRequest { start: 0, length });
    let request = Request { upgrade, fork: log.fork(), ..Request::default() };
    let proof = log.create_proof(&request).expect("the roots are there").expect("so it proves");
    let stored: HashMap<Index, Node> = HashMap::new();
    let (key, manifest) = (log.key(), log.manifest());
    let authority = Authority { key: &key, manifest: manifest.as_ref() };
    let verified = Tree::empty(log.fork()).verify(&stored, &proof, &authority);
    verified.expect("the head is signed").tree
}

/// Whether the log proves that `block` stands at `index` of the signed tree.
fn is_proven(log: &Log, tree: &Tree, index: u64, block: &[u8]) -> bool {
    let roots: HashMap<Index, Node> = tree.roots().iter().map(|root| (root.index, *root)).collect();
    let Some(leaf) = Index::leaf(index) else { return false };
    let nodes = Tree::missing_nodes_max(leaf, tree.length());
    let request = Some(BlockRequest { index, nodes });
    let request = Request { block: request, fork: tree.fork(), ..Request::default() };
    let Ok(Some(proof)) = log.create_proof(&request) else { return false };
    let authority = Authority { key: &log.key(), manifest: None };
    proof.block.as_ref().is_some_and(|part| part.value == block)
        && tree.verify(&roots, &proof, &authority).is_ok()
}

/// The leaf that the log has for a block.
fn leaf(log: &Log, block: u64) -> Option<Node> {
    let index = Index::leaf(block)?;
    let hash = Some(HashRequest { index, nodes: 0 });
    let request = Request { hash, fork: log.fork(), ..Request::default() };
    let proof = log.create_proof(&request).ok()??;
    proof.hash?.nodes.first().copied()
}

/// Reads everything; what the log gives must hash to its leaf, and its head must be signed. When the audit finds
/// nothing, every block must be proven.
///
/// # Panics
/// When that is not so.
pub fn check(log: &Log) {
    let head = log.head();
    let length = head.length;
    assert!(log.contiguous_length() <= length && log.durable_length() <= length);
    let tree = if length > 0 { signed_tree(log, length) } else { Tree::empty(head.fork) };
    assert_eq!((tree.hash(), tree.byte_length()), (head.tree_hash, head.byte_length));
    let sound = log.audit(&mut |_| ()).expect("memory does not fail").is_ok();
    for index in sample(length) {
        let block = match log.get(index) {
            Ok(Some(block)) => block,
            Ok(None) => {
                assert!(!log.has(index));
                continue;
            }
            Err(LogError::OutOfBounds { .. } | LogError::Storage(_)) => panic!("it is inside"),
            Err(_) => {
                assert!(!sound, "the audit must find block {index}");
                continue;
            }
        };
        let leaf = leaf(log, index).expect("a block that was verified has a leaf");
        assert_eq!((leaf.hash, leaf.size), (leaf_hash(&block), block.len() as u64));
        assert!(!sound || is_proven(log, &tree, index, &block), "the audit likes block {index}");
    }
    for number in [0, 1, length, head.byte_length, head.byte_length.wrapping_add(1), u64::MAX] {
        let _ = (log.seek(number, 0), log.seek(number, 8), log.block_range(number));
        let _ = (log.get(number), log.tree_hash_at(number), log.missing_nodes(number));
        let _ = (log.has_range(0..number), log.stored_count(0..number));
        let _ = log.stored_ranges(0..number, 10);
    }
    let _ = (log.user_data_entries(), log.storage_info(), log.signature(), log.recovery());
}
