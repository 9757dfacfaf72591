//! Logs that proofs come from, the proofs, and ways to spoil them.

use std::collections::HashMap;
use std::sync::OnceLock;

use flat_tree::Index;
use hypercore_crypto::leaf_hash;
use hypercore_log::{Create, Log, OpenOptions};
use hypercore_merkle::{
    BlockRequest, HashProof, HashRequest, Node, Proof, Request, SeekProof, SeekRequest,
    UpgradeRequest,
};

use crate::directory::{Disk, Files};
use crate::script::Script;
use crate::{LENGTH, block};

/// A log whose blocks are all known.
#[derive(Debug)]
pub struct Source {
    /// The log.
    pub log: Log,
    /// Its blocks.
    pub blocks: Vec<Vec<u8>>,
    /// All nodes of its tree.
    pub nodes: HashMap<Index, Node>,
}

impl Source {
    /// A log of [`LENGTH`] blocks, which then was cut to `shared` of them and got others; as it was for `None`.
    fn new(shared: Option<usize>) -> Self {
        let log = Disk::default().create();
        let mut blocks: Vec<Vec<u8>> = (0..LENGTH).map(block).collect();
        log.append(&blocks).expect("memory holds thirteen blocks");
        if let Some(shared) = shared {
            blocks.truncate(shared);
            log.truncate(shared as u64, None).expect("it is shorter");
            let others = (0..10).map(|number| vec![0xa0 + number; usize::from(number) * 3]);
            let others: Vec<Vec<u8>> = others.collect();
            log.append(&others).expect("memory holds ten blocks");
            blocks.extend(others);
        }
        let nodes = (0..2 * blocks.len() as u64 - 1).filter_map(|index| {
            let hash = Some(HashRequest { index: index.into(), nodes: 0 });
            let request = Request { hash, fork: log.fork(), ..Request::default() };
            let proof = log.create_proof(&request).ok()??;
            let node = proof.hash?.nodes.first().copied()?;
            Some((node.index, node))
        });
        let nodes = nodes.collect();
        Self { log, blocks, nodes }
    }

    /// An honest answer from the present fork; `None` where there is none.
    #[must_use]
    pub fn answer(&self, request: &Request) -> Option<Proof> {
        self.log.create_proof(&Request { fork: self.log.fork(), ..*request }).ok()?
    }

    /// Everything that `reader` says of its blocks must be what this log says.
    ///
    /// # Panics
    /// When it is not.
    pub fn agrees_with(&self, reader: &Log) {
        let head = reader.head();
        assert!(head.length <= self.blocks.len() as u64 && head.fork == self.log.fork());
        assert_eq!(self.log.tree_hash_at(head.length).expect("it has all"), head.tree_hash);
        let bytes: usize = (0..head.length).zip(&self.blocks).map(|(_, block)| block.len()).sum();
        assert_eq!(head.byte_length, bytes as u64);
        for (index, block) in (0..head.length).zip(&self.blocks) {
            if let Ok(Some(stored)) = reader.get(index) {
                assert_eq!(&stored, block);
                assert_eq!(leaf_hash(&stored), self.nodes[&Index::new(2 * index)].hash);
            }
        }
    }
}

/// A log on fork 0, and others on fork 1 that share none, some or all of its blocks.
pub fn sources() -> &'static [Source; 5] {
    static SOURCES: OnceLock<[Source; 5]> = OnceLock::new();
    SOURCES.get_or_init(|| [None, Some(0), Some(3), Some(8), Some(13)].map(Source::new))
}

/// Readers of the first source: one that knows nothing but the key, one with a few blocks of an earlier
/// length, one with all.
pub fn readers() -> &'static [Files; 3] {
    static READERS: OnceLock<[Files; 3]> = OnceLock::new();
    READERS.get_or_init(|| {
        let source = &sources()[0];
        let plans: [&[(Option<u64>, u64)]; 3] = [
            &[],
            &[(Some(3), 6), (Some(0), 0)],
            &[(None, 13), (Some(0), 0), (Some(1), 0), (Some(2), 0), (Some(3), 0), (Some(12), 0)],
        ];
        plans.map(|plan| {
            let disk = Disk::default();
            let options = OpenOptions::new().create(Create::IfMissing).key(source.log.key());
            let log = Log::open(disk.stores(), options).expect("nothing is stored yet");
            for (index, length) in plan {
                let upgrade = UpgradeRequest { start: 0, length: *length };
                let nodes = index.map(|index| log.missing_nodes(index).expect("memory reads"));
                let request = Request {
                    block: index.zip(nodes).map(|(index, nodes)| BlockRequest { index, nodes }),
                    upgrade: Some(upgrade).filter(|upgrade| upgrade.length > 0),
                    manifest: true,
                    ..Request::default()
                };
                let proof = source.answer(&request).expect("the source has all");
                log.apply_proof(&proof).expect("the proof is honest");
            }
            log.close().expect("memory syncs");
            disk.files()
        })
    })
}

/// A question that a reader of `length` blocks may ask.
pub fn request(script: &mut Script<'_>, length: u64) -> Request {
    let flags = script.byte();
    let index = script.number() % 32;
    let nodes = u64::from(script.byte() % 6);
    let part = u64::from(script.byte() % 24);
    let upgrade = UpgradeRequest { start: length, length: part };
    Request {
        block: (flags & 1 != 0).then_some(BlockRequest { index, nodes }),
        hash: (flags & 2 != 0).then_some(HashRequest { index: index.into(), nodes }),
        seek: (flags & 4 != 0)
            .then(|| SeekRequest { bytes: script.number() % 500, padding: u64::from(flags >> 7) }),
        upgrade: (flags & 8 != 0).then_some(upgrade),
        manifest: flags & 16 != 0,
        ..Request::default()
    }
}

/// The node lists of a proof.
fn lists(proof: &mut Proof) -> Vec<&mut Vec<Node>> {
    let mut lists = Vec::new();
    lists.extend(proof.block.as_mut().map(|part| &mut part.nodes));
    lists.extend(proof.hash.as_mut().map(|part| &mut part.nodes));
    lists.extend(proof.seek.as_mut().map(|part| &mut part.nodes));
    if let Some(part) = &mut proof.upgrade {
        lists.extend([&mut part.nodes, &mut part.additional_nodes]);
    }
    lists
}

fn spoil_node(node: &mut Node, script: &mut Script<'_>) {
    match script.byte() % 5 {
        0 => node.size = node.size.wrapping_add(1),
        1 => node.size = script.number(),
        2 => node.index = script.number().into(),
        3 => {
            let mut hash = *node.hash.as_bytes();
            hash[usize::from(script.byte() % 32)] ^= 1 << (script.byte() % 8);
            node.hash = hash.into();
        }
        _ => node.size = node.size.wrapping_sub(1),
    }
}

fn spoil_list(nodes: &mut Vec<Node>, truth: &HashMap<Index, Node>, script: &mut Script<'_>) {
    let (at, to) = (script.below(nodes.len()), script.below(nodes.len() + 1));
    match script.byte() % 6 {
        0 | 1 if !nodes.is_empty() => spoil_node(&mut nodes[at], script),
        2 if !nodes.is_empty() => drop(nodes.remove(at)),
        3 if !nodes.is_empty() => nodes.insert(to, nodes[at]),
        4 if !nodes.is_empty() => nodes.swap(at, to.min(at)),
        _ => nodes.extend(truth.get(&Index::from(script.number() % 64))),
    }
}

/// Changes something of a proof, or takes a part of `other` for its own.
pub fn spoil(
    proof: &mut Proof,
    other: &Proof,
    truth: &HashMap<Index, Node>,
    script: &mut Script<'_>,
) {
    match script.byte() % 12 {
        0..=4 => {
            let mut lists = lists(proof);
            let which = script.below(lists.len());
            if let Some(list) = lists.get_mut(which) {
                spoil_list(list, truth, script);
            }
        }
        5 => match &mut proof.block {
            Some(part) if script.byte() % 2 == 0 => part.index = script.number() % 32,
            Some(part) => part.value = script.take(8).to_vec().into(),
            None => proof.block.clone_from(&other.block),
        },
        6 => match &mut proof.hash {
            Some(part) => part.index = script.number().into(),
            None => {
                proof.hash =
                    Some(HashProof { index: (script.number() % 32).into(), nodes: vec![] });
            }
        },
        7 => match &mut proof.seek {
            Some(part) => part.bytes = script.number(),
            None => proof.seek = Some(SeekProof::default()),
        },
        8 => {
            if let Some(part) = &mut proof.upgrade {
                match script.byte() % 4 {
                    0 => part.start = script.number() % 32,
                    1 => part.length = script.number(),
                    2 => part.signature = Some(script.take(70).to_vec()),
                    _ => {
                        part.signature =
                            other.upgrade.as_ref().and_then(|part| part.signature.clone())
                    }
                }
            }
        }
        9 => match script.byte() % 5 {
            0 => proof.block = None,
            1 => proof.hash = None,
            2 => proof.seek = None,
            3 => proof.upgrade = None,
            _ => proof.manifest = None,
        },
        10 => match script.byte() % 5 {
            0 => proof.block.clone_from(&other.block),
            1 => proof.hash.clone_from(&other.hash),
            2 => proof.seek.clone_from(&other.seek),
            3 => proof.upgrade.clone_from(&other.upgrade),
            _ => proof.manifest.clone_from(&other.manifest),
        },
        _ => proof.fork = script.number(),
    }
}
