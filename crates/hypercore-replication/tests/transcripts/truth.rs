//! The logs that the recorded parties had, as far as the recording lets them be made again: the secret keys are not
//! in it, so each state takes a signature that somebody sent.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use flat_tree::Index;
use hypercore_crypto::{CoreKey, Manifest};
use hypercore_log::{Create, Log, OpenOptions, Stores};
use hypercore_merkle::{
    BlockRequest, Leaf, Node, Proof, Request, Tree, UpgradeProof, UpgradeRequest,
};
use random_access_memory::RandomAccessMemory;
use serde_json::Value;

use crate::golden::{bytes, list};
use crate::recording::{Party, Transcript};

/// What a recording knows of one core.
pub(crate) struct Truth {
    key: CoreKey,
    manifest: Option<Manifest>,
    /// All blocks of each fork, if the recording lists them.
    blocks: BTreeMap<u64, Vec<Vec<u8>>>,
    /// Of each fork and length that was proven to somebody.
    signatures: BTreeMap<(u64, u64), Vec<u8>>,
    /// What the party proved.
    proofs: Vec<Proof>,
}

fn open(options: OpenOptions) -> Log {
    let store = || Box::new(RandomAccessMemory::new());
    let stores =
        Stores { oplog: store(), header: store(), tree: store(), bitfield: store(), data: store() };
    Log::open(stores, options.create(Create::New)).unwrap()
}

fn blocks_of(json: &Value, core: usize) -> BTreeMap<u64, Vec<Vec<u8>>> {
    let all = |field: &Value| -> Option<Vec<Vec<u8>>> {
        Some(field.as_array()?.iter().map(bytes).collect())
    };
    // Where the blocks are encrypted, these are what is stored.
    let stored = all(&json["storedBlocks"]).or_else(|| all(&json["blocks"]));
    let stored = stored.or_else(|| all(&json["blocksPerCore"][core]));
    let mut forks = BTreeMap::new();
    if let Some(truncated) = json["truncatedTo"].as_u64() {
        let kept = stored.as_ref().unwrap()[..truncated as usize].to_vec();
        let added = list(&json["blocksFork1"]).iter().map(bytes);
        forks.insert(1, kept.into_iter().chain(added).collect());
    }
    forks.extend(stored.map(|blocks| (0, blocks)));
    forks
}

impl Truth {
    pub(crate) fn new(transcript: &Transcript, core: usize, party: Party) -> Self {
        let mut signatures = BTreeMap::new();
        for proof in transcript.proofs(core, None) {
            if let Some(UpgradeProof {
                start,
                length,
                signature: Some(signature),
                additional_nodes,
                ..
            }) = proof.upgrade
                && additional_nodes.is_empty()
            {
                signatures.insert((proof.fork, start + length), signature);
            }
        }
        Self {
            key: transcript.cores[core],
            manifest: transcript.manifest(core),
            blocks: blocks_of(&transcript.json, core),
            signatures,
            proofs: transcript.proofs(core, transcript.source_of(party)),
        }
    }

    /// A log that knows the key only.
    pub(crate) fn empty(&self) -> Log {
        open(OpenOptions::new().key(self.key))
    }

    /// An empty log of one who knows who may sign.
    pub(crate) fn source(&self) -> Log {
        let options = OpenOptions::new().key(self.key);
        open(match &self.manifest {
            Some(manifest) => options.manifest(manifest.clone()),
            None => options,
        })
    }

    /// Brings a log to where it said it was. `false` when nobody was sent a signature of that.
    pub(crate) fn advance(&self, log: &Log, fork: u64, length: u64) -> bool {
        let is_there = || (log.fork(), log.length()) == (fork, length);
        if is_there() {
            return true;
        }
        let blocks = self.blocks.get(&fork).and_then(|blocks| blocks.get(..length as usize));
        match (blocks, self.signatures.get(&(fork, length))) {
            (Some(blocks), Some(signature)) => self.build(log, fork, blocks, signature),
            (Some(_), None) => return false,
            // What it proved is all that is known of it.
            (None, _) => {
                for proof in &self.proofs {
                    let _ = log.apply_proof(proof);
                }
            }
        }
        assert!(is_there(), "{} of {length} blocks", log.length());
        true
    }

    fn build(&self, log: &Log, fork: u64, blocks: &[Vec<u8>], signature: &[u8]) {
        let slices: Vec<&[u8]> = blocks.iter().map(Vec::as_slice).collect();
        let mut tree = Tree::empty(fork);
        let nodes = tree.append(&Leaf::hash_all(&slices)).unwrap();
        let nodes: HashMap<Index, Node> =
            nodes.into_iter().map(|node| (node.index, node)).collect();
        let prove = |request: Request| {
            let request = Request { fork, ..request };
            tree.prove(&nodes, &request, Some(signature), self.manifest.as_ref()).unwrap()
        };
        let length = blocks.len() as u64;
        let upgrade = |start| Request {
            upgrade: Some(UpgradeRequest { start, length: length - start }),
            manifest: self.manifest.is_some(),
            ..Request::default()
        };
        if fork == log.fork() {
            log.apply_proof(&prove(upgrade(log.length()))).unwrap();
        } else {
            let mut reorganisation = log.start_reorganisation(&prove(upgrade(0))).unwrap();
            while let Some(want) = reorganisation.want().cloned() {
                let proof = prove(want.request(want.blocks.start));
                log.feed_reorganisation(&mut reorganisation, &proof).unwrap();
            }
            log.apply_reorganisation(reorganisation).unwrap();
        }
        for index in (0..length).filter(|index| !log.has(*index)) {
            let nodes = log.missing_nodes(index).unwrap();
            let block = Some(BlockRequest { index, nodes });
            let mut proof = prove(Request { block, ..Request::default() });
            proof.block.as_mut().unwrap().value = Bytes::from(blocks[index as usize].clone());
            log.apply_proof(&proof).unwrap();
        }
    }
}
