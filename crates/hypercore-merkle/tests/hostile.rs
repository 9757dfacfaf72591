//! Provers that lie on purpose: each lie by name, and what becomes of it.

mod common;

use common::{Nodes, Reader, Writer, decode, encode};
use compact_encoding::{Decode, DecodeErrorKind, Encoder};
use flat_tree::Index;
use hypercore_crypto::{KeyPair, Manifest, Prologue};
use hypercore_merkle::{
    BlockProof, BlockRequest, Data, HashProof, HashRequest, LENGTH_MAX, Node, Proof, Reorg,
    Request, SIZE_MAX, SignedHead, Tree, UpgradeProof, UpgradeRequest, VerifyError, is_conflict,
};

fn sixteen() -> Writer {
    Writer::new(&[1; 32], 0, (0..16_u8).map(|i| vec![i; 10]).collect())
}

fn upgrade(start: u64, length: u64) -> Request {
    let upgrade = Some(UpgradeRequest { start, length });
    Request { upgrade, manifest: true, ..Request::default() }
}

fn hash(index: u64, nodes: u64) -> Request {
    let hash = Some(HashRequest { index: Index::new(index), nodes });
    Request { hash, ..Request::default() }
}

fn block(index: u64, nodes: u64) -> Request {
    Request { block: Some(BlockRequest { index, nodes }), ..Request::default() }
}

/// A reader that has the roots of the whole tree and nothing else.
fn reader_of(writer: &Writer) -> Reader {
    let mut reader = Reader::new(writer.key, writer.tree.fork());
    let whole = Request { fork: writer.tree.fork(), ..upgrade(0, writer.tree.length()) };
    reader.take(&writer.prove(&whole).unwrap()).unwrap();
    reader
}

fn refused(reader: &mut Reader, proof: &Proof) -> VerifyError<common::Never> {
    let before = reader.clone();
    let error = reader.take(proof).unwrap_err();
    assert_eq!(*reader, before);
    error
}

/// The answer to a request for node 7, with three bytes of node 23 counted to it.
fn shifted(writer: &Writer) -> Proof {
    let mut proof = writer.prove(&hash(7, 1)).unwrap();
    let nodes = &mut proof.hash.as_mut().unwrap().nodes;
    nodes[0].size += 3;
    nodes[1].size -= 3;
    proof
}

#[test]
fn sizes_shifted_between_known_siblings_are_refused() {
    let writer = sixteen();
    for below in [0, 9] {
        let mut reader = reader_of(&writer);
        reader.take(&writer.prove(&block(below, 4)).unwrap()).unwrap();
        let error = refused(&mut reader, &shifted(&writer));
        assert_eq!(
            error,
            VerifyError::SizeMismatch { index: Index::new(7), stored: 80, claimed: 83 }
        );
    }
}

/// The hash of a parent covers only the sum of its children's sizes. What cannot be known is
/// named, and put right by the first block from below; the prover of that is not to blame.
#[test]
fn sizes_shifted_between_unknown_siblings_are_named_and_put_right_later() {
    let writer = sixteen();
    for below in [0, 9] {
        let mut reader = reader_of(&writer);
        let verified = reader.verify(&shifted(&writer)).unwrap();
        assert_eq!(verified.unconfirmed, [Index::new(7), Index::new(23)]);
        reader.store(verified);
        assert_eq!(reader.nodes[&Index::new(7)].size, 83);
        reader.take(&writer.prove(&block(below, 3)).unwrap()).unwrap();
        assert!(reader.nodes.iter().all(|(index, node)| *node == writer.nodes[index]));
        refused(&mut reader, &shifted(&writer));
    }
}

/// Who asks again, because of a liar, gets the truth from another.
#[test]
fn the_last_word_counts_where_nothing_is_certain() {
    let writer = sixteen();
    let mut reader = reader_of(&writer);
    reader.take(&shifted(&writer)).unwrap();
    reader.take(&writer.prove(&hash(7, 1)).unwrap()).unwrap();
    assert_eq!(reader.nodes[&Index::new(7)], writer.nodes[&Index::new(7)]);
    // Without its sibling a node says as much: the parent is known.
    reader.take(&shifted(&writer)).unwrap();
    let verified = reader.verify(&writer.prove(&hash(23, 0)).unwrap()).unwrap();
    assert_eq!(verified.unconfirmed, [Index::new(23), Index::new(7)]);
    reader.store(verified);
    assert_eq!(reader.nodes[&Index::new(7)], writer.nodes[&Index::new(7)]);
    // Of leaves it is the block that makes them certain.
    let mut proof = writer.prove(&hash(0, 4)).unwrap();
    proof.hash.as_mut().unwrap().nodes[0].size += 1;
    proof.hash.as_mut().unwrap().nodes[1].size -= 1;
    reader.take(&proof).unwrap();
    reader.take(&writer.prove(&hash(0, 4)).unwrap()).unwrap();
    reader.take(&writer.prove(&block(1, 0)).unwrap()).unwrap();
    refused(&mut reader, &proof);
    assert!(reader.nodes.iter().all(|(index, node)| *node == writer.nodes[index]));
}

/// What a wrong size is put right from is the own tree: where that is damaged, nobody else is to blame.
#[test]
fn damage_is_not_taken_for_a_lie() {
    let writer = sixteen();
    let mut reader = reader_of(&writer);
    reader.take(&shifted(&writer)).unwrap();
    reader.nodes.get_mut(&Index::new(15)).unwrap().size += 1;
    assert!(refused(&mut reader, &writer.prove(&block(0, 3)).unwrap()).is_local());
}

#[test]
fn the_end_of_an_upgrade_and_its_first_additional_node_are_unconfirmed() {
    let writer = sixteen();
    let reader = Reader::new(writer.key, 0);
    let verified = reader.verify(&writer.prove(&upgrade(0, 8)).unwrap()).unwrap();
    assert_eq!(verified.unconfirmed, [Index::new(7), Index::new(23)]);
    // From something, sizes are sums less what was there.
    let mut reader = Reader::new(writer.key, 0);
    let part = Writer::new(&[1; 32], 0, writer.blocks[..5].to_vec());
    let verified = reader.verify(&part.prove(&upgrade(0, 5)).unwrap()).unwrap();
    assert!(verified.unconfirmed.is_empty());
    reader.store(verified);
    let verified = reader.verify(&writer.prove(&upgrade(5, 6)).unwrap()).unwrap();
    assert_eq!(verified.unconfirmed, [Index::new(20), Index::new(22)]);
    let verified = reader.verify(&writer.prove(&upgrade(5, 11)).unwrap()).unwrap();
    assert!(verified.unconfirmed.is_empty());
    assert_eq!(verified.tree, writer.tree);
    // A block below the upgrade is hashed here, so its ancestor is no mere claim.
    let request = Request { block: Some(BlockRequest { index: 3, nodes: 0 }), ..upgrade(0, 8) };
    let verified = Reader::new(writer.key, 0).verify(&writer.prove(&request).unwrap()).unwrap();
    assert!(verified.unconfirmed.is_empty());
}

#[test]
fn a_node_that_nothing_vouches_for_is_refused() {
    let writer = sixteen();
    let mut reader = reader_of(&writer);
    // Not climbed far enough.
    let error = refused(&mut reader, &writer.prove(&block(4, 2)).unwrap());
    assert_eq!(error, VerifyError::UnknownNode(Index::new(11)));
    // Left over in storage beyond the tree: vouches for nothing.
    let liar = Writer::new(&[1; 32], 0, (0..20_u8).map(|i| vec![i; 3]).collect());
    reader.nodes.insert(Index::new(35), liar.nodes[&Index::new(35)]);
    let error = refused(&mut reader, &liar.prove(&block(16, 2)).unwrap());
    assert_eq!(error, VerifyError::UnknownNode(Index::new(35)));
}

#[test]
fn sizes_that_overflow_are_refused_by_node() {
    let writer = sixteen();
    let mut reader = reader_of(&writer);
    let node = |index: u64, size: u64| Node::new(Index::new(index), size, writer.tree.hash());
    let proof = |nodes: Vec<Node>| Proof {
        hash: Some(HashProof { index: nodes[0].index, nodes }),
        ..Proof::default()
    };
    let error = refused(&mut reader, &proof(vec![node(0, SIZE_MAX), node(2, 1)]));
    assert_eq!(error, VerifyError::SizeOverflow(Index::new(2)));
    let error = refused(&mut reader, &proof(vec![node(0, u64::MAX), node(2, u64::MAX)]));
    assert_eq!(error, VerifyError::SizeOverflow(Index::new(2)));
    let mut fresh = Reader::new(writer.key, 0);
    let nodes = vec![node(1, SIZE_MAX), node(4, SIZE_MAX)];
    let upgrade = UpgradeProof { start: 0, length: 3, nodes, ..UpgradeProof::default() };
    let error = refused(&mut fresh, &Proof { upgrade: Some(upgrade), ..Proof::default() });
    assert_eq!(error, VerifyError::SizeOverflow(Index::new(4)));
}

#[test]
fn numbers_out_of_range_are_refused() {
    let writer = sixteen();
    let mut reader = reader_of(&writer);
    let zero = writer.tree.hash();
    for (start, length) in [(u64::MAX, u64::MAX), (0, LENGTH_MAX + 1), (LENGTH_MAX, 1)] {
        let upgrade = UpgradeProof { start, length, ..UpgradeProof::default() };
        let error = refused(&mut reader, &Proof { upgrade: Some(upgrade), ..Proof::default() });
        assert_eq!(error, VerifyError::TooLong { start, length });
    }
    for index in [u64::MAX, LENGTH_MAX, 1 << 63] {
        let block = BlockProof { index, ..BlockProof::default() };
        let error = refused(&mut reader, &Proof { block: Some(block), ..Proof::default() });
        assert!(matches!(error, VerifyError::Misplaced(_)));
    }
    for index in [u64::MAX, u64::MAX - 1, (1 << 63) - 1, u64::MAX >> 2] {
        let index = Index::new(index);
        let mut nodes = vec![Node::new(index, 0, zero)];
        nodes.extend(index.sibling().map(|index| Node::new(index, 0, zero)));
        nodes.push(Node::new(Index::MAX, 0, zero));
        let hash = HashProof { index, nodes: nodes.clone() };
        refused(&mut reader, &Proof { hash: Some(hash), ..Proof::default() });
        let upgrade = UpgradeProof {
            start: 0,
            length: 16,
            nodes: Vec::new(),
            additional_nodes: nodes,
            signature: None,
        };
        refused(&mut reader, &Proof { upgrade: Some(upgrade), ..Proof::default() });
    }
    // Additional nodes need something to be added to.
    let upgrade = UpgradeProof {
        additional_nodes: vec![Node::new(Index::new(0), 0, zero)],
        ..UpgradeProof::default()
    };
    let mut fresh = Reader::new(writer.key, 0);
    let error = refused(&mut fresh, &Proof { upgrade: Some(upgrade), ..Proof::default() });
    assert_eq!(error, VerifyError::Misplaced(Index::new(0)));
}

#[test]
fn additional_nodes_start_where_the_tree_ends() {
    let writer = sixteen();
    let mut reader = Reader::new(writer.key, 0);
    let good = writer.prove(&upgrade(0, 3)).unwrap();
    let nodes = &good.upgrade.as_ref().unwrap().additional_nodes;
    let indexes: Vec<u64> = nodes.iter().map(|node| node.index.get()).collect();
    assert_eq!(indexes, [6, 11, 23]);
    for (position, wrong) in [(0, 11), (0, 4), (0, 5), (1, 6), (1, 23), (2, 15), (2, 24)] {
        let mut proof = good.clone();
        let nodes = &mut proof.upgrade.as_mut().unwrap().additional_nodes;
        nodes[position] = writer.nodes[&Index::new(wrong)];
        let error = refused(&mut reader, &proof);
        assert_eq!(error, VerifyError::Misplaced(Index::new(wrong)));
    }
    reader.take(&good).unwrap();
}

#[test]
fn a_shorter_tree_is_no_upgrade() {
    let writer = sixteen();
    let mut reader = reader_of(&writer);
    let part = Writer::new(&[1; 32], 0, writer.blocks[..6].to_vec());
    refused(&mut reader, &part.prove(&upgrade(0, 6)).unwrap());
    // A beginning whose roots are all own roots changes nothing, whatever its signature.
    let longer = Writer::new(&[1; 32], 0, (0..17_u8).map(|i| vec![i; 10]).collect());
    let mut reader = reader_of(&longer);
    let before = reader.clone();
    reader.take(&writer.prove(&upgrade(0, 16)).unwrap()).unwrap();
    assert_eq!(reader, before);
}

#[test]
fn an_array_longer_than_the_message_is_not_allocated() {
    let mut out = Encoder::new();
    for number in [2, 0, 0, 0, 0x10_0000] {
        out.uint(number);
    }
    let error = Data::from_slice(out.as_slice()).unwrap_err();
    assert!(matches!(
        error.kind,
        DecodeErrorKind::TooManyElements | DecodeErrorKind::UnexpectedEnd
    ));
}

#[test]
fn signatures_by_others_and_foreign_manifests_are_refused() {
    let writer = sixteen();
    let mallory = Writer::new(&[2; 32], 0, writer.blocks.clone());
    let mut fresh = Reader::new(writer.key, 0);
    let error = refused(&mut fresh, &mallory.prove(&upgrade(0, 16)).unwrap());
    assert_eq!(error, VerifyError::Manifest);
    let mut proof = mallory.prove(&upgrade(0, 16)).unwrap();
    proof.manifest = Some(writer.manifest.clone());
    assert!(matches!(refused(&mut fresh, &proof), VerifyError::Signature(_)));
    proof.manifest = None;
    assert!(matches!(refused(&mut fresh, &proof), VerifyError::Signature(_)));
    // The manifest that is stored is not replaced.
    let part = Writer::new(&[1; 32], 0, writer.blocks[..8].to_vec());
    let mut reader = reader_of(&part);
    let mut proof = writer.prove(&upgrade(8, 8)).unwrap();
    proof.manifest = Some(mallory.manifest.clone());
    let verified = reader.verify(&proof).unwrap();
    assert_eq!(verified.manifest, None);
    reader.store(verified);
    assert_eq!(reader.manifest, Some(writer.manifest.clone()));
}

#[test]
fn a_prologue_is_kept() {
    let pair = KeyPair::from_seed(&[3; 32]);
    let blocks: Vec<Vec<u8>> = (0..9_u8).map(|i| vec![i; 4]).collect();
    let prologue = common::full(&blocks[..5], 0).0;
    let signer = Manifest::single(pair.public()).signers()[0];
    let manifest = Manifest::builder()
        .signer(signer)
        .prologue(Prologue { hash: prologue.hash(), length: 5 })
        .build()
        .unwrap();
    let key = manifest.key();
    let (tree, nodes) = common::full(&blocks, 0);
    let signature = manifest.sign(&key, &pair, &tree.hash(), 9, 0).unwrap();
    // Asked for less or for more, the prologue comes whole and the rest as additional nodes.
    for request in [upgrade(0, 1), upgrade(3, 4), upgrade(0, 9)] {
        let proof = tree.prove(&nodes, &request, Some(&signature), Some(&manifest)).unwrap();
        let given = proof.upgrade.as_ref().unwrap();
        assert_eq!((given.start, given.length), (0, 5));
        let mut reader = Reader::new(key, 0);
        reader.take(&proof).unwrap();
        assert_eq!(reader.tree, tree);
    }
    let proof = tree.prove(&nodes, &upgrade(0, 3), Some(&signature), None).unwrap();
    let mut told = Proof { manifest: Some(manifest.clone()), ..proof };
    assert_eq!(refused(&mut Reader::new(key, 0), &told), VerifyError::Prologue);
    // Another beginning of the same length.
    let mut other = blocks.clone();
    other[2][0] ^= 1;
    let (other, other_nodes) = common::full(&other, 0);
    let signature = manifest.sign(&key, &pair, &other.hash(), 9, 0).unwrap();
    told = other.prove(&other_nodes, &upgrade(0, 5), Some(&signature), Some(&manifest)).unwrap();
    assert_eq!(refused(&mut Reader::new(key, 0), &told), VerifyError::Prologue);
}

#[test]
fn a_reorg_takes_no_answer_but_the_one_wanted() {
    let old = Writer::new(&[1; 32], 0, (0..16_u8).map(|i| vec![i; 10]).collect());
    let new = Writer::new(&[1; 32], 1, (0..16_u8).map(|i| vec![i, i / 9]).collect());
    let mut reader = reader_of(&old);
    reader.nodes = old.nodes.clone();
    let first = new.prove(&Request { fork: 1, ..upgrade(0, 16) }).unwrap();
    let start = |proof: &Proof| reader.start_reorg(proof);
    let mut reorg = start(&first).unwrap();
    assert!(reorg.clone().finish().is_none());
    let want = reorg.want().unwrap().clone();

    let good = new.prove(&want.request(0)).unwrap();
    let of_the_old = old.prove(&Request { fork: 0, ..want.request(3) }).unwrap();
    let wrong = [
        Proof { fork: 1, ..of_the_old.clone() },
        of_the_old,
        Proof { hash: None, ..good.clone() },
        new.prove(&Request { fork: 1, ..hash(6, 3) }).unwrap(),
        new.prove(&Request { fork: 1, ..hash(15, 0) }).unwrap(),
        new.prove(&Request { fork: 1, ..hash(7, 1) }).unwrap(),
    ];
    for proof in &wrong {
        let before = format!("{reorg:?}");
        reorg.feed(&reader.nodes, proof).unwrap_err();
        assert_eq!(format!("{reorg:?}"), before);
    }
    reorg.feed(&reader.nodes, &good).unwrap();
    assert_eq!(reorg.want(), None);
    assert_eq!(reorg.finish().unwrap().ancestors, 0);

    // Not a higher fork, no upgrade, not signed, not from nothing.
    let same = old.prove(&upgrade(0, 16)).unwrap();
    assert_eq!(start(&same).unwrap_err(), VerifyError::NotAReorg);
    assert_eq!(start(&good).unwrap_err(), VerifyError::NotAReorg);
    let mut unsigned = first.clone();
    unsigned.upgrade.as_mut().unwrap().signature = None;
    assert!(matches!(start(&unsigned), Err(VerifyError::Signature(_))));
    let later = new.prove(&Request { fork: 1, ..upgrade(8, 8) }).unwrap();
    assert!(start(&later).is_err());
    let nothing = UpgradeProof::default();
    let nothing = Proof { fork: 1, upgrade: Some(nothing), ..Proof::default() };
    assert_eq!(start(&nothing).unwrap_err(), VerifyError::NotAReorg);
    // A part that leads to nothing.
    let stray =
        Proof { block: new.prove(&Request { fork: 1, ..block(2, 1) }).unwrap().block, ..first };
    assert_eq!(start(&stray).unwrap_err(), VerifyError::UnknownNode(Index::new(5)));
}

#[test]
fn a_reorg_takes_no_answer_of_a_third_tree() {
    let old = sixteen();
    let new = Writer::new(&[1; 32], 1, (0..16_u8).map(|i| vec![i + 1; 10]).collect());
    let third = Writer::new(&[1; 32], 1, (0..16_u8).map(|i| vec![i + 2; 10]).collect());
    let reader = Reader { nodes: old.nodes.clone(), ..reader_of(&old) };
    let first = new.prove(&Request { fork: 1, ..upgrade(0, 16) }).unwrap();
    let mut reorg = reader.start_reorg(&first).unwrap();
    let request = reorg.want().unwrap().request(9);
    let error = reorg.feed(&reader.nodes, &third.prove(&request).unwrap()).unwrap_err();
    assert_eq!(error, VerifyError::HashMismatch(Index::new(15)));
    reorg.feed(&reader.nodes, &new.prove(&request).unwrap()).unwrap();
}

#[test]
fn a_reorg_counts_nothing_beyond_the_own_tree() {
    let new = Writer::new(&[1; 32], 1, (0..12_u8).map(|i| vec![i; 10]).collect());
    let old = Writer::new(&[1; 32], 0, new.blocks[..8].to_vec());
    let mut reader = reader_of(&old);
    // Left over in storage, as after a truncation.
    reader.nodes.insert(Index::new(19), new.nodes[&Index::new(19)]);
    let first = new.prove(&Request { fork: 1, ..upgrade(0, 12) }).unwrap();
    let reorg = reader.start_reorg(&first).unwrap();
    assert_eq!(reorg.ancestors(), 8);
    assert_eq!(reorg.want(), None);
}

#[test]
fn a_reorg_does_not_take_shifted_sizes() {
    let old = sixteen();
    let mut blocks = old.blocks.clone();
    blocks[15] = b"another".to_vec();
    let new = Writer::new(&[1; 32], 1, blocks.clone());
    let shift = |proof: &mut Proof| {
        let upgrade = proof.upgrade.as_mut().unwrap();
        upgrade.nodes[0].size += 3;
        upgrade.additional_nodes[0].size -= 3;
    };
    let request = Request { fork: 1, ..upgrade(0, 8) };

    // Node 7 is the same in both trees, and known here.
    let whole = Reader { nodes: old.nodes.clone(), ..reader_of(&old) };
    let mut first = new.prove(&request).unwrap();
    shift(&mut first);
    let error = whole.start_reorg(&first).unwrap_err();
    assert_eq!(error, VerifyError::SizeMismatch { index: Index::new(7), stored: 80, claimed: 83 });

    // It is not known here: the next honest answer puts it right.
    let sparse = reader_of(&old);
    let mut reorg = sparse.start_reorg(&first).unwrap();
    assert_eq!(reorg.want().unwrap().blocks, 0..8);
    while let Some(want) = reorg.want() {
        let request = want.request(want.blocks.end - 1);
        reorg.feed(&sparse.nodes, &new.prove(&request).unwrap()).unwrap();
    }
    let verified = reorg.finish().unwrap();
    assert!(!verified.unconfirmed.contains(&Index::new(7)));
    let mut followed = sparse;
    followed.store(verified);
    assert!(followed.nodes.iter().all(|(index, node)| *node == new.nodes[index]));

    // Shifted between two leaves of an answer, one of which is known.
    let first = new.prove(&Request { fork: 1, ..upgrade(0, 16) }).unwrap();
    let mut reorg = whole.start_reorg(&first).unwrap();
    let mut answer = new.prove(&reorg.want().unwrap().request(14)).unwrap();
    let nodes = &mut answer.hash.as_mut().unwrap().nodes;
    nodes[0].size += 2;
    nodes[1].size -= 2;
    let error = reorg.feed(&whole.nodes, &answer).unwrap_err();
    assert_eq!(error, VerifyError::SizeMismatch { index: Index::new(28), stored: 10, claimed: 12 });
}

#[test]
fn two_signed_histories_are_a_conflict() {
    let one = sixteen();
    let other = Writer::new(&[1; 32], 0, (0..16_u8).map(|i| vec![i; 11]).collect());
    fn head(writer: &Writer) -> SignedHead<'_> {
        SignedHead { tree: &writer.tree, signature: &writer.signature }
    }
    assert!(is_conflict(&one.key, &one.manifest, head(&one), head(&other)));
    assert!(!is_conflict(&one.key, &one.manifest, head(&one), head(&one)));
    let unsigned = SignedHead { tree: &other.tree, signature: &one.signature };
    assert!(!is_conflict(&one.key, &one.manifest, head(&one), unsigned));
    let part = Writer::new(&[1; 32], 0, one.blocks[..4].to_vec());
    assert!(!is_conflict(&one.key, &one.manifest, head(&one), head(&part)));
    // How the other tree is had from a peer.
    let stored = Nodes::new();
    let authority = hypercore_merkle::Authority { key: &one.key, manifest: Some(&one.manifest) };
    let proof = other.prove(&upgrade(0, 16)).unwrap();
    let verified =
        Tree::empty(0).verify(&stored, &decode(&encode(proof.clone())), &authority).unwrap();
    assert_eq!(verified.tree, other.tree);
    let own = |proof: &Proof| one.tree.is_contradicted_by(&one.nodes, proof, &authority);
    for length in [1, 5, 8, 16] {
        assert_eq!(own(&other.prove(&upgrade(0, length)).unwrap()), Ok(true), "{length}");
        assert_eq!(own(&one.prove(&upgrade(0, length)).unwrap()), Ok(false), "{length}");
        // What the hashes do not cover is no evidence.
        let mut moved = one.prove(&upgrade(0, 8)).unwrap();
        let given = moved.upgrade.as_mut().unwrap();
        given.nodes[0].size += 1;
        given.additional_nodes[0].size -= 1;
        assert_eq!(own(&moved), Ok(false));
    }
    let half = Writer::new(&[1; 32], 0, one.blocks[..8].to_vec());
    assert_eq!(own(&half.prove(&upgrade(0, 8)).unwrap()), Ok(false));
    let longer = half.tree.is_contradicted_by(&half.nodes, &proof, &authority);
    assert_eq!(longer, Ok(false), "it may be what comes after");
    let longer = other.prove(&upgrade(0, 8)).unwrap();
    assert_eq!(half.tree.is_contradicted_by(&half.nodes, &longer, &authority), Ok(true));
    let forged = Writer::new(&[2; 32], 0, other.blocks.clone()).prove(&upgrade(0, 16)).unwrap();
    assert!(own(&Proof { manifest: None, ..forged }).is_err());
    assert_eq!(own(&one.prove(&upgrade(8, 8)).unwrap()), Err(VerifyError::NotAReorg));
    assert!(
        Reorg::start(&one.tree, &one.nodes, &other.prove(&upgrade(0, 16)).unwrap(), &authority)
            .is_err()
    );
}

#[test]
fn refusals_say_what_was_expected() {
    let writer = sixteen();
    let mut proof = writer.prove(&upgrade(0, 16)).unwrap();
    let given = proof.upgrade.as_mut().unwrap();
    given.nodes[0].index = Index::new(3);
    let mut fresh = Reader::new(writer.key, 0);
    assert_eq!(refused(&mut fresh, &proof).to_string(), "expected node 15, found node 3");
    proof.upgrade.as_mut().unwrap().nodes.clear();
    assert_eq!(refused(&mut fresh, &proof).to_string(), "expected node 15, found no node");
}

/// 1,000 siblings on a path that is 63 levels high at most.
#[test]
fn a_climb_ends_where_the_numbers_do() {
    let writer = sixteen();
    let mut reader = reader_of(&writer);
    let mut at = Index::new(0);
    let mut nodes = vec![Node::new(at, 0, writer.tree.hash())];
    while let (Some(sibling), Some(parent)) = (at.sibling(), at.parent()) {
        nodes.push(Node::new(sibling, 0, writer.tree.hash()));
        at = parent;
    }
    nodes.resize(1000, nodes[1]);
    let hash = HashProof { index: Index::new(0), nodes };
    refused(&mut reader, &Proof { hash: Some(hash), ..Proof::default() });
}
