//! Any bytes as the signature of a tree, under manifests of every kind: no panic, and none is
//! accepted that does not hold enough real signatures.
#![no_main]

use compact_encoding::{Decode, Encode};
use hypercore_crypto::{MultiSignature, PartialSignature, verify};
use hypercore_fuzz::{core, manifests, signers};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let tree = &core().tree;
    for (manifest, key) in manifests() {
        if manifest.verify(key, tree, bytes).is_ok() {
            assert!(bytes.len() as u64 >= 64 * manifest.quorum());
        }
    }
    if let Ok(multi) = MultiSignature::from_slice(bytes) {
        let written = multi.to_vec();
        assert_eq!(MultiSignature::from_slice(&written), Ok(multi.clone()));
        for proof in &multi.proofs {
            for signer in signers() {
                // Nobody signed the tree hash alone.
                assert!(!verify(
                    &signer.public(),
                    tree.hash().as_bytes(),
                    proof.signature.as_bytes()
                ));
            }
        }
    }
    if let Ok(part) = PartialSignature::from_slice(bytes) {
        assert_eq!(PartialSignature::from_slice(&part.to_vec()), Ok(part));
    }
    let _ = MultiSignature::decode_v0(&mut compact_encoding::Decoder::new(bytes));
});
