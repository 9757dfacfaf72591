//! Signatures assembled from several signers, at one length and at several.

mod common;

use common::tree::{SlowTree, upgrade_nodes};
use common::{bytes, each, text, yes};
use compact_encoding::{Decode, Decoder, Encode};
use hypercore_crypto::{
    AssembleError, KeyPair, Manifest, ManifestSigner, MultiSignature, PartialSignature, SignedTree,
    Verifier, signable_length,
};
use proptest::prelude::*;

fn pair(number: u8) -> KeyPair {
    KeyPair::from_seed(&[number; 32])
}

fn blocks(count: u8) -> Vec<Vec<u8>> {
    (0..count).map(|number| vec![number; usize::from(number) % 5]).collect()
}

fn manifest(version: u8, signers: u8, quorum: u64, patch: bool) -> Manifest {
    let signers = (0..signers).map(|number| ManifestSigner::new(pair(number).public()));
    let builder = Manifest::builder().version(version).quorum(quorum).signers(signers);
    let builder = if patch { builder.allow_patch() } else { builder };
    builder.build().expect("valid")
}

/// What signer `by` contributes to a signature of `length` blocks, having signed `signed`.
fn part(manifest: &Manifest, by: u8, length: u64, signed: u64) -> PartialSignature {
    let blocks = blocks(40);
    let tree = SlowTree::new(&blocks, signed, 0);
    let key = manifest.key();
    let verifier = Verifier::new(manifest, &key).expect("own key");
    let part = verifier.sign_partial(&pair(by), &tree.hash(), signed, 0).expect("a signer");
    PartialSignature { nodes: upgrade_nodes(&blocks, length, signed), ..part }
}

fn assemble(
    manifest: &Manifest,
    length: u64,
    parts: &[PartialSignature],
) -> Result<Vec<u8>, AssembleError> {
    Verifier::new(manifest, &manifest.key()).expect("own key").assemble(length, parts)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_is_assembled_verifies(version in 0_u8..=3, length in 1_u64..20, ahead in [0_u64..20, 0..20, 0..20]) {
        let manifest = manifest(version, 4, 3, true);
        let parts: Vec<_> = (1..).zip(ahead).map(|(by, ahead)| part(&manifest, by, length, length + ahead)).collect();
        let signature = assemble(&manifest, length, &parts).expect("fits");
        let tree = |length| SlowTree::new(&blocks(40), length, 0);
        prop_assert_eq!(manifest.verify(&manifest.key(), &tree(length), &signature), Ok(()));
        prop_assert!(manifest.verify(&manifest.key(), &tree(length + 1), &signature).is_err());
    }
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let manifest_p = manifest(1, 3, 2, true);
    let [a, b] = [(0, 5), (1, 7)].map(|(by, signed)| part(&manifest_p, by, 5, signed));
    let check = |length, parts: &[PartialSignature], expected| {
        assert_eq!(assemble(&manifest_p, length, parts), Err(expected));
    };
    check(5, std::slice::from_ref(&a), AssembleError::WrongCount { found: 1, quorum: 2 });
    check(5, &[a.clone(), a.clone()], AssembleError::RepeatedSigner { signer: 0 });
    let stranger = PartialSignature { signer: 3, ..a.clone() };
    check(5, &[a.clone(), stranger], AssembleError::UnknownSigner { signer: 3 });
    let short = AssembleError::WrongLength { signer: 0, found: 5, length: 6 };
    check(6, &[a.clone(), b.clone()], short);
    let mut other = PartialSignature { signer: 2, ..b.clone() };
    other.nodes[0].size += 1;
    let index = other.nodes[0].index;
    check(5, &[b.clone(), other], AssembleError::Disagreement { index });

    let strict = manifest(1, 3, 2, false);
    let found = assemble(&strict, 5, &[a, b]);
    assert_eq!(found, Err(AssembleError::WrongLength { signer: 1, found: 7, length: 5 }));
}

#[test]
fn a_part_travels_as_bytes() {
    for signed in [5, 7, 300] {
        let part = PartialSignature { length: signed, ..part(&manifest(1, 3, 2, true), 1, 5, 7) };
        let bytes = part.to_vec();
        assert_eq!(bytes.len(), part.encoded_len());
        assert_eq!(PartialSignature::from_slice(&bytes).as_ref(), Ok(&part));
        for cut in 0..bytes.len() {
            assert!(PartialSignature::from_slice(&bytes[..cut]).is_err());
        }
    }
}

#[test]
fn one_part_makes_a_bare_signature_where_the_core_has_those() {
    let manifest = manifest(0, 1, 1, false);
    let part = part(&manifest, 0, 5, 5);
    let bare = part.signature.as_bytes().to_vec();
    assert_eq!(assemble(&manifest, 5, &[part]), Ok(bare));
}

/// The parts of every recorded signature assemble to its bytes again.
#[test]
fn recorded_signatures_are_reproduced() {
    let vectors = common::manifest();
    let recorded_blocks = vectors["patched_blocks"].as_array().expect("blocks").iter();
    let recorded_blocks: Vec<_> =
        recorded_blocks.map(|block| common::unhex(block.as_str().expect("hex"))).collect();
    let mut versions = [0; 2];
    each(&vectors, "patched_signatures", |case| {
        let note = text(case, "note");
        if !yes(case, "valid") || note.contains("another order") {
            return;
        }
        let recorded = bytes(case, "signature");
        let manifest = Manifest::from_slice(&bytes(case, "manifest")).expect("decodes");
        let mut input = Decoder::new(&recorded);
        let multi = match manifest.version() {
            0 => MultiSignature::decode_v0(&mut input),
            _ => MultiSignature::decode(&mut input),
        }
        .expect("decodes");
        let length = common::number(case, "length");
        let parts: Vec<_> = multi
            .proofs
            .iter()
            .map(|proof| PartialSignature {
                signer: proof.signer,
                signature: proof.signature,
                length: length + proof.patch,
                nodes: upgrade_nodes(&recorded_blocks, length, length + proof.patch),
            })
            .collect();
        assert_eq!(assemble(&manifest, length, &parts).as_ref(), Ok(&recorded), "{note}");
        versions[usize::from(manifest.version()).min(1)] += 1;
    });
    assert!(versions[0] >= 1 && versions[1] >= 5, "{versions:?}");
    assert!(MultiSignature::default().to_vec() == [0, 0]);
}

#[test]
fn the_length_that_a_quorum_has_reached() {
    for (lengths, quorum, expected) in [
        (&[][..], 1, 0),
        (&[4, 9, 6], 1, 9),
        (&[4, 9, 6], 2, 6),
        (&[4, 9, 6], 3, 4),
        (&[4, 9, 6], 4, 0),
        (&[4, 9, 6], 0, 9),
        (&[4, 9, 6], u64::MAX, 0),
    ] {
        assert_eq!(signable_length(lengths, quorum), expected, "{lengths:?} {quorum}");
    }
}

/// JavaScript collects the nodes by index, so a later one replaces an earlier one.
#[test]
fn of_two_nodes_with_one_index_the_later_counts() {
    let manifest = manifest(1, 1, 1, true);
    let signature = assemble(&manifest, 5, &[part(&manifest, 0, 5, 7)]).expect("fits");
    let good = MultiSignature::from_slice(&signature).expect("decodes");
    let tree = SlowTree::new(&blocks(40), 5, 0);
    let check = |multi: &MultiSignature, expected| {
        let found = manifest.verify(&manifest.key(), &tree, &multi.to_vec());
        assert_eq!(found.is_ok(), expected, "{found:?}");
    };
    check(&good, true);
    let mut bent = good.nodes[0];
    bent.size += 1;
    let mut first = good.clone();
    first.nodes.insert(0, bent);
    check(&first, true);
    let mut last = good;
    last.nodes.push(bent);
    check(&last, false);
    assert!(last.sorted_nodes().is_sorted_by(|a, b| a.index < b.index));
}
