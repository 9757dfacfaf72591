//! Proofs that stand alone, as any bytes or honest ones that were spoiled: what is believed was signed.
#![no_main]

use bytes::Bytes;
use compact_encoding::Encode;
use hypercore_fuzz::{Script, sources, spoil};
use hypercore_replication::{StandaloneProof, Standing};
use libfuzzer_sys::fuzz_target;

/// Somebody signed this tree, and the block is its.
fn check(standing: &Standing) {
    let signed = sources().iter().find(|source| {
        let head = source.log.head();
        let tree = &standing.tree;
        (head.tree_hash, head.length, head.fork) == (tree.hash(), tree.length(), tree.fork())
    });
    let source = signed.expect("only heads are signed");
    if let Some((index, block)) = &standing.block {
        assert_eq!(*block, source.blocks[*index as usize]);
    }
}

/// An honest proof, or one that was spoiled in a few places.
fn made(script: &mut Script<'_>) -> Vec<u8> {
    let mut honest = || {
        let source = &sources()[script.below(5)];
        let index = script.number() % (source.log.length() + 1);
        let block = Some(index).filter(|index| *index < source.log.length());
        let proof = StandaloneProof::create(&source.log, block);
        (source, proof.expect("memory reads").expect("all blocks are there"))
    };
    let ((source, mut proof), (_, other)) = (honest(), honest());
    for _ in 0..script.byte() % 5 {
        spoil(&mut proof.proof, &other.proof, &source.nodes, script);
    }
    proof.to_vec()
}

fuzz_target!(|input: &[u8]| {
    let mut script = Script::new(input);
    let bytes = match script.byte() {
        0 => made(&mut script),
        _ => script.take(usize::MAX).to_vec(),
    };
    let Ok(proof) = StandaloneProof::decode(&Bytes::from(bytes)) else { return };
    let written = proof.to_vec();
    assert_eq!(written.len(), proof.encoded_len());
    assert_eq!(StandaloneProof::decode(&written.into()).as_ref(), Ok(&proof));
    if let Ok(standing) = proof.verify(&sources()[0].log.key(), None) {
        check(&standing);
    }
});
