//! Proofs in batches against the same proofs one by one: answers, verdicts, what is stored, what is there after a
//! reopening.

mod support;

use std::collections::HashMap;

use flat_tree::Index;
use hypercore_log::{Create, Durability, Log, LogError, OpenOptions};
use hypercore_merkle::{
    BlockRequest, HashRequest, Node, Proof, Request, SeekRequest, Tree, UpgradeRequest,
};
use proptest::prelude::*;
use support::{Disk, assert_sound, block, create, reopen};

/// A question of a reader; the numbers are scaled to what there is.
#[derive(Clone, Debug)]
enum Ask {
    Blocks(u16, u8),
    Block(u16),
    Hash(u16),
    Seek(u16),
    Upgrade(u16),
}

/// What becomes of an answer on its way into the batch.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Arrives,
    ArrivesTwice,
    IsLost,
    HasAnotherValue,
    /// A byte is moved between its first two nodes.
    IsShifted,
    HasAnotherNode,
    IsOfAnotherFork,
}

fn any_ask() -> impl Strategy<Value = (Ask, Fate)> {
    let ask = prop_oneof![
        3 => (any::<u16>(), 1..40_u8).prop_map(|(at, count)| Ask::Blocks(at, count)),
        4 => any::<u16>().prop_map(Ask::Block),
        1 => any::<u16>().prop_map(Ask::Hash),
        1 => any::<u16>().prop_map(Ask::Seek),
        2 => any::<u16>().prop_map(Ask::Upgrade),
    ];
    let fate = prop_oneof![
        12 => Just(Fate::Arrives),
        2 => Just(Fate::ArrivesTwice),
        1 => Just(Fate::IsLost),
        1 => Just(Fate::HasAnotherValue),
        2 => Just(Fate::IsShifted),
        1 => Just(Fate::HasAnotherNode),
        1 => Just(Fate::IsOfAnotherFork),
    ];
    (ask, fate)
}

fn requests(reader: &Log, writer: &Log, ask: &Ask) -> Vec<Request> {
    let (own, all) = (reader.length(), writer.length());
    let request = Request { manifest: reader.manifest().is_none(), ..Request::default() };
    let block = |index: u64| {
        let nodes = reader.missing_nodes(index).unwrap();
        Request { block: Some(BlockRequest { index, nodes }), ..request }
    };
    match *ask {
        Ask::Upgrade(by) if all > own => {
            let length = 1 + u64::from(by) % (all - own);
            let upgrade = Some(UpgradeRequest { start: own, length });
            let index = u64::from(by / 7) % (own + length);
            vec![Request { upgrade, ..block(index) }]
        }
        Ask::Blocks(from, count) if own > 0 => {
            let from = u64::from(from) % own;
            (from..own.min(from + u64::from(count))).map(block).collect()
        }
        Ask::Block(at) if own > 0 => vec![block(u64::from(at) % own)],
        Ask::Hash(at) if own > 0 => {
            let index = Index::new(u64::from(at) % (2 * own));
            let nodes = reader.missing_nodes_of(index).unwrap();
            vec![Request { hash: Some(HashRequest { index, nodes }), ..request }]
        }
        Ask::Seek(at) if own > 0 => {
            let bytes = u64::from(at) % reader.byte_length().max(1);
            let index = Index::new(2 * (u64::from(at) % own));
            let nodes = reader.missing_nodes_of(index).unwrap();
            let seek = Some(SeekRequest { bytes, padding: 0 });
            vec![Request { hash: Some(HashRequest { index, nodes }), seek, ..request }]
        }
        _ => Vec::new(),
    }
}

fn nodes_of(proof: &mut Proof) -> Option<&mut Vec<Node>> {
    let block = proof.block.as_mut().map(|part| &mut part.nodes);
    block.or(proof.hash.as_mut().map(|part| &mut part.nodes)).filter(|nodes| nodes.len() > 1)
}

fn arriving(mut proof: Proof, fate: Fate) -> Vec<Proof> {
    match fate {
        Fate::Arrives => {}
        Fate::ArrivesTwice => return vec![proof.clone(), proof],
        Fate::IsLost => return Vec::new(),
        Fate::HasAnotherValue => {
            if let Some(block) = &mut proof.block {
                block.value = b"another".as_slice().into();
            }
        }
        Fate::IsShifted => {
            if let Some(nodes) = nodes_of(&mut proof)
                && nodes[1].size > 0
            {
                nodes[0].size += 1;
                nodes[1].size -= 1;
            }
        }
        Fate::HasAnotherNode => {
            if let Some(nodes) = nodes_of(&mut proof) {
                nodes.swap(0, 1);
            }
        }
        Fate::IsOfAnotherFork => proof.fork += 1,
    }
    vec![proof]
}

fn reader(disk: &Disk, writer: &Log) -> Log {
    let options = OpenOptions::new().create(Create::New).key(writer.key());
    Log::open(disk.stores(), options).unwrap()
}

/// Everything that can be asked of a log.
fn contents(log: &Log) -> String {
    let nodes: Vec<_> = (0..2 * log.length()).map(|at| log.node(Index::new(at)).unwrap()).collect();
    let blocks = support::blocks(log);
    format!(
        "{:?} {:?} {} {nodes:?} {blocks:?}",
        log.head(),
        log.signature(),
        log.contiguous_length()
    )
}

/// The answer of a tree whose nodes are all at hand.
fn by_the_book(
    log: &Log,
    tree: &Tree,
    nodes: &HashMap<Index, Node>,
    request: &Request,
) -> Result<Option<Proof>, ()> {
    if request.block.is_some_and(|block| !log.has(block.index)) {
        return Ok(None);
    }
    let (signature, manifest) = (log.signature(), log.manifest());
    let proof = tree.prove(nodes, request, signature.as_deref(), manifest.as_ref());
    let mut proof = proof.map_err(drop)?;
    if let Some(block) = &mut proof.block {
        block.value = log.get(block.index).unwrap().unwrap().into();
    }
    Ok(Some(proof))
}

fn shown(answer: Result<Option<Proof>, ()>) -> String {
    format!("{answer:?}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 60 } else { 400 }))]

    #[test]
    fn a_batch_is_as_good_as_its_proofs_one_by_one(
        lens in prop::collection::vec(0..90_usize, 1..90),
        rounds in prop::collection::vec(
            (prop::collection::vec(any_ask(), 1..14), any::<bool>(), any::<u8>()), 1..6),
        eventual: bool,
    ) {
        let (there, alone, together) = (Disk::new(), Disk::new(), Disk::new());
        let writer = create(&there);
        let all: Vec<Vec<u8>> = (0..).zip(&lens).map(|(at, len)| block(at, *len)).collect();
        writer.append(&all).unwrap();
        let one_by_one = reader(&alone, &writer);
        let mut batched = reader(&together, &writer);
        let first = Request {
            upgrade: Some(UpgradeRequest { start: 0, length: 1 + lens.len() as u64 / 2 }),
            manifest: true,
            ..Request::default()
        };
        let mut carried = vec![writer.create_proof(&first).unwrap().unwrap()];
        for (asks, reopened, turned) in rounds {
            // One who gets all answers at once asks for what leans on them: so the proofs do.
            let files = alone.snapshot();
            let shadow = if one_by_one.length() == 0 {
                let shadow = reader(&Disk::new(), &writer);
                assert!(shadow.apply_proofs(&carried).iter().all(Result::is_ok));
                shadow
            } else {
                reopen(&files)
            };
            let mut proofs = std::mem::take(&mut carried);
            for (ask, fate) in &asks {
                for request in requests(&shadow, &writer, ask) {
                    let Ok(Some(proof)) = writer.create_proof(&request) else { continue };
                    let _ = shadow.apply_proof(&proof);
                    proofs.extend(arriving(proof, *fate));
                }
            }
            if turned % 4 == 0 {
                let by = usize::from(turned) % proofs.len().max(1);
                proofs.rotate_left(by);
            }
            let expected: Vec<_> = proofs.iter().map(|proof| one_by_one.apply_proof(proof)).collect();
            let verdicts = batched.apply_proofs(&proofs);
            prop_assert_eq!(format!("{expected:?}"), format!("{verdicts:?}"));
            prop_assert_eq!(contents(&one_by_one), contents(&batched));
            assert_sound(&batched);
            if reopened {
                drop(batched);
                let durability = if eventual { Durability::Eventual } else { Durability::Immediate };
                let options = OpenOptions::new().durability(durability);
                batched = Log::open(together.stores(), options).unwrap();
                prop_assert_eq!(contents(&one_by_one), contents(&batched));
                assert_sound(&batched);
            }
        }
    }

    #[test]
    fn answers_together_are_those_one_by_one(
        lens in prop::collection::vec(0..90_usize, 1..200),
        held in prop::collection::vec(any::<u16>(), 0..40),
        sparse: bool,
        checkpointed: bool,
        asks in prop::collection::vec(
            (0..220_u64, 0..9_u64, any::<Option<u16>>(), any::<Option<u16>>(), 0..20_u8), 1..60),
        bytes_max in 0..4000_usize,
    ) {
        let (there, here) = (Disk::new(), Disk::new());
        let writer = create(&there);
        let all: Vec<Vec<u8>> = (0..).zip(&lens).map(|(at, len)| block(at, *len)).collect();
        writer.append(&all).unwrap();
        let log = if sparse {
            let copy = reader(&here, &writer);
            let length = writer.length();
            let first = Request {
                upgrade: Some(UpgradeRequest { start: 0, length }),
                manifest: true,
                ..Request::default()
            };
            copy.apply_proof(&writer.create_proof(&first).unwrap().unwrap()).unwrap();
            for at in held {
                let index = u64::from(at) % length;
                let nodes = copy.missing_nodes(index).unwrap();
                let request = Request { block: Some(BlockRequest { index, nodes }), ..Request::default() };
                copy.apply_proof(&writer.create_proof(&request).unwrap().unwrap()).unwrap();
            }
            copy
        } else {
            writer
        };
        if checkpointed {
            log.checkpoint().unwrap();
        }
        let length = log.length();
        let requests: Vec<Request> = asks
            .into_iter()
            .enumerate()
            .flat_map(|(at, (index, nodes, seek, upgrade, count))| {
                let seek = seek.map(|bytes| SeekRequest { bytes: bytes.into(), padding: 0 });
                let upgrade = upgrade.filter(|at| at % 3 == 0).map(|at| {
                    let start = u64::from(at) % (length + 1);
                    UpgradeRequest { start, length: 1 + u64::from(at / 256) % length }
                });
                let hash = (at % 5 == 4).then(|| HashRequest { index: Index::new(index), nodes });
                let first = Request { seek, upgrade, ..Request::default() };
                (index..=index + u64::from(count)).map(move |index| {
                    let block = hash.is_none().then_some(BlockRequest { index, nodes });
                    if count > 0 {
                        Request { block, hash, ..Request::default() }
                    } else {
                        Request { block, hash, ..first }
                    }
                })
            })
            .collect();
        let nodes = (0..2 * length).filter_map(|at| log.node(Index::new(at)).unwrap());
        let nodes: HashMap<Index, Node> = nodes.map(|node| (node.index, node)).collect();
        let tree = Tree::load(&nodes, 0, length).unwrap();
        let expected: Vec<String> =
            requests.iter().map(|request| shown(by_the_book(&log, &tree, &nodes, request))).collect();
        let mut rest = requests.as_slice();
        let mut answers = Vec::new();
        while !rest.is_empty() {
            let some = log.create_proofs(rest, bytes_max);
            prop_assert!(!some.is_empty());
            let lens = some.iter().map(|answer| match answer {
                Ok(Some(Proof { block: Some(block), .. })) => block.value.len(),
                _ => 0,
            });
            let lens: Vec<usize> = lens.collect();
            prop_assert!(lens[..lens.len() - 1].iter().sum::<usize>() <= bytes_max);
            rest = &rest[some.len()..];
            answers.extend(some.into_iter().map(|answer| shown(answer.map_err(drop))));
        }
        prop_assert_eq!(answers, expected);
    }
}

#[test]
fn one_write_one_entry_and_one_sync_bring_a_run_of_blocks() {
    let (there, here) = (Disk::new(), Disk::new());
    let writer = create(&there);
    let all: Vec<Vec<u8>> = (0..200).map(|index| block(index, 100)).collect();
    writer.append(&all).unwrap();
    let copy = reader(&here, &writer);
    let first = Request {
        upgrade: Some(UpgradeRequest { start: 0, length: 200 }),
        manifest: true,
        ..Request::default()
    };
    let mut proofs = vec![writer.create_proof(&first).unwrap().unwrap()];
    // Each asks for the nodes that those before it do not bring.
    let shadow = reader(&Disk::new(), &writer);
    shadow.apply_proof(&proofs[0]).unwrap();
    for index in 0..200 {
        let nodes = shadow.missing_nodes(index).unwrap();
        let request = Request { block: Some(BlockRequest { index, nodes }), ..Request::default() };
        let proof = writer.create_proof(&request).unwrap().unwrap();
        shadow.apply_proof(&proof).unwrap();
        proofs.push(proof);
    }
    // Whoever comes from behind leans on what is not there yet.
    let verdicts = copy.apply_proofs(&proofs[1..]);
    assert!(verdicts.iter().all(|verdict| matches!(verdict, Err(LogError::Proof(_)))));
    let before = here.bytes(hypercore_log::FileName::Oplog).len();
    assert!(copy.apply_proofs(&proofs).iter().all(Result::is_ok));
    assert_eq!(copy.contiguous_length(), 200);
    assert_eq!(copy.head(), writer.head());
    // 399 nodes of at most 37 bytes each, but for those that the reader had: nothing twice.
    let grown = here.bytes(hypercore_log::FileName::Oplog).len() - before;
    assert!(grown < 399 * 37 + 200, "{grown} bytes of entries");
    drop(copy);
    let copy = reopen(&here);
    assert_eq!(copy.contiguous_length(), 200);
    assert_sound(&copy);
}
