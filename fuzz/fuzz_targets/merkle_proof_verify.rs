//! Any answer, given to readers of a known core: what is accepted is true.
#![no_main]

use std::collections::HashMap;

use compact_encoding::Decode;
use hypercore_fuzz::{LENGTH, core, nodes, reader};
use hypercore_merkle::{Authority, Data, Tree, Verified};
use libfuzzer_sys::fuzz_target;

/// Nodes and tree are those of the writer; sizes only where the proof confirms them.
fn check(verified: &Verified) {
    assert!(verified.tree.length() <= LENGTH);
    let truth = core().tree.tree_hash_at(nodes(), verified.tree.length()).unwrap();
    assert_eq!(verified.tree.hash(), truth);
    for node in &verified.nodes {
        let truth = nodes()[&node.index];
        assert_eq!(node.hash, truth.hash);
        assert!(node.size == truth.size || verified.unconfirmed.contains(&node.index));
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(data) = Data::from_slice(bytes) else { return };
    let core = core();
    let known = Authority { key: &core.key, manifest: Some(&core.manifest) };
    let unknown = Authority { key: &core.key, manifest: None };
    let empty = Tree::empty(0);
    if let Ok(verified) = empty.verify(&HashMap::new(), &data.proof, &unknown) {
        check(&verified);
    }
    let (tree, stored) = reader();
    if let Ok(verified) = tree.verify(stored, &data.proof, &known) {
        check(&verified);
    }
});
