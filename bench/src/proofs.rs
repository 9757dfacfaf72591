//! Proofs of single blocks: made by a log that has all of them, verified by one that has the head.

use std::collections::BTreeMap;
use std::hint::black_box;

use flat_tree::full_roots;
use hypercore_log::Log;
use hypercore_merkle::{Authority, BlockRequest, Proof, Request, Tree, UpgradeRequest};

use crate::javascript::JavaScript;
use crate::logs::{ENGINE, JAVASCRIPT, PUBLISHED, Random, folder};
use crate::measure::{Contender, Table, Target, per_operation};
use crate::million::Logs;

const TURNS: usize = 6;
const PROOFS: usize = 20_000;
const JAVASCRIPT_PROOFS: usize = 1_000;
const PUBLISHED_PROOFS: usize = 200;

pub fn races(table: &mut Table, log: &Log, logs: &Logs<'_>) {
    let random = Random::new();
    let requests: Vec<Request> =
        random.below(log.length(), PROOFS).map(|index| request(index, log.length())).collect();
    let create = || {
        per_operation(PROOFS, || {
            for request in &requests {
                black_box(log.create_proof(request).expect("a proof"));
            }
        })
    };
    let theirs = |javascript: &JavaScript| {
        javascript.ask(&format!("prove {JAVASCRIPT_PROOFS}")) / JAVASCRIPT_PROOFS as f64
    };
    let published = || {
        per_operation(PUBLISHED_PROOFS, || {
            for index in random.below(logs.published.length(), PUBLISHED_PROOFS) {
                logs.published.prove(index, levels(index, logs.published.length()));
            }
        })
    };
    let contenders = vec![
        Contender::new(ENGINE, create).target(Target::Nanoseconds(10e3)),
        JavaScript::contender(logs.javascript, JAVASCRIPT, theirs),
        Contender::new(PUBLISHED, published),
    ];
    table.race("create the proof of a random block", TURNS, contenders);

    let proofs: Vec<Proof> = requests
        .iter()
        .map(|request| log.create_proof(request).expect("a proof").expect("a stored block"))
        .collect();
    let (tree, roots) = head(log);
    let key = log.key();
    let authority = Authority { key: &key, manifest: None };
    let verify = || {
        per_operation(PROOFS, || {
            for proof in &proofs {
                _ = black_box(tree.verify(&roots, proof, &authority).expect("it holds"));
            }
        })
    };
    let theirs = |javascript: &JavaScript| {
        let folder = folder();
        let job = format!("verify {} {JAVASCRIPT_PROOFS}", folder.path().display());
        javascript.ask(&job) / JAVASCRIPT_PROOFS as f64
    };
    let contenders = vec![
        Contender::new("hypercore-merkle", verify).target(Target::Nanoseconds(10e3)),
        JavaScript::contender(logs.javascript, JAVASCRIPT, theirs),
        Contender::absent(PUBLISHED, "it verifies only what it stores at once"),
    ];
    table.race("verify it, without a signature", TURNS, contenders);
}

/// Asks for a block with all nodes up to its root.
fn request(index: u64, length: u64) -> Request {
    let nodes = levels(index, length);
    Request { block: Some(BlockRequest { index, nodes }), ..Request::default() }
}

/// Levels from a leaf to its root.
fn levels(index: u64, length: u64) -> u64 {
    let root =
        full_roots(length).find(|root| root.end_block() > index).expect("a block of the log");
    u64::from(root.depth().get())
}

/// What a reader knows that has the head alone.
fn head(log: &Log) -> (Tree, BTreeMap<flat_tree::Index, hypercore_merkle::Node>) {
    let upgrade = UpgradeRequest { start: 0, length: log.length() };
    let request = Request { upgrade: Some(upgrade), ..Request::default() };
    let proof = log.create_proof(&request).expect("a proof").expect("a head");
    let roots = proof.upgrade.expect("an upgrade").nodes;
    let nodes = roots.iter().map(|root| (root.index, *root)).collect();
    (Tree::from_roots(log.fork(), roots, log.length()).expect("roots"), nodes)
}
