//! Two signed histories of one fork: found, proven, told to everyone, and the end of replication.

mod support;

use std::time::Duration;

use hypercore_merkle::{Request, UpgradeRequest};
use hypercore_replication::{CloseReason, Event, LogChange, Message, PeerOptions, RangeWish};
use support::{Net, Node, fill, reader, writer};

/// A writer that has lost its memory and signed other blocks, `length` of them.
fn twin(length: u64) -> Node {
    let log = writer(1);
    let blocks: Vec<Vec<u8>> = (0..length).map(|index| vec![index as u8; 5]).collect();
    log.append(&blocks).unwrap();
    Node::new(log)
}

fn check(first: u64, second: u64) {
    let mut net = Net::pair(first);
    net.nodes[1].replicator.want_range(RangeWish::new(..));
    net.settle();
    net.assert_same(0, 1);
    let bystander = net.add(Node::new(reader(net.nodes[0].log.key())));
    let other = net.connect(1, bystander);
    net.settle();
    let twin = net.add(twin(second));
    assert_eq!(net.nodes[twin].log.key(), net.nodes[0].log.key());
    let link = net.connect(1, twin);
    net.run_for(Duration::from_secs(10));

    let node = &net.nodes[1];
    let evidence = node.replicator.conflict().expect("evidence");
    assert_eq!(evidence.length, first.min(second));
    // Both proofs hold on their own, and each against the log that made the other.
    let log = &net.nodes[twin].log;
    assert!(log.check_conflict(&evidence.own).unwrap().is_some());
    assert!(node.log.check_conflict(&evidence.other).unwrap().is_some());
    assert!(node.events.iter().any(|event| matches!(event, Event::Conflict { .. })));
    assert!(node.closed.iter().all(|(_, reason)| *reason == CloseReason::Conflict));
    // Nothing of the other history was stored.
    net.assert_same(0, 1);
    // All channels are closed, after each was shown the own proof.
    for link in [0, other, link] {
        assert!(!net.is_open(link));
        let peer = net.peer(link, 1);
        let shown = net.nodes[1].sent.iter().any(|(to, message)| {
            *to == peer && matches!(message, Message::Data(data) if data.request_id == 0)
        });
        assert!(shown);
    }
    // The twin found it as well, by what it was shown.
    assert!(net.nodes[twin].replicator.conflict().is_some());
    // A peer that comes later is turned away.
    let late = net.connect(1, bystander);
    net.settle();
    assert!(!net.is_open(late));
}

#[test]
fn a_longer_history_that_differs() {
    check(10, 12);
}

#[test]
fn a_much_longer_history_that_differs() {
    check(5, 1000);
}

#[test]
fn a_shorter_history_that_differs() {
    // The reader's own upgrade request to the shorter side never happens: it learns from the probe of the other.
    check(12, 10);
}

#[test]
fn a_proof_of_another_history_counts_whenever_it_comes() {
    let writer = writer(1);
    fill(&writer, 20);
    let mut node = Node::new(writer);
    let peer = node.replicator.add_peer(PeerOptions::new());
    node.run(Duration::ZERO);
    let twin = twin(7);
    let upgrade = Some(UpgradeRequest { start: 0, length: 7 });
    let proof = twin.log.create_proof(&Request { upgrade, ..Request::default() }).unwrap().unwrap();
    let data = hypercore_merkle::Data { request_id: 0, proof };
    node.replicator.receive(peer, Message::Data(Box::new(data))).unwrap();
    node.run(Duration::ZERO);
    assert_eq!(node.replicator.conflict().unwrap().length, 7);
    assert_eq!(node.closed, [(peer, CloseReason::Conflict)]);
}

#[test]
fn a_proof_of_the_same_history_is_no_conflict() {
    let writer = writer(1);
    fill(&writer, 20);
    let upgrade = Some(UpgradeRequest { start: 0, length: 7 });
    let proof = writer.create_proof(&Request { upgrade, ..Request::default() }).unwrap().unwrap();
    let mut node = Node::new(writer);
    let peer = node.replicator.add_peer(PeerOptions::new());
    node.run(Duration::ZERO);
    let data = hypercore_merkle::Data { request_id: 0, proof };
    node.replicator.receive(peer, Message::Data(Box::new(data))).unwrap();
    node.run(Duration::ZERO);
    assert!(node.replicator.conflict().is_none());
    assert!(node.closed.is_empty());
}

/// A log that was frozen, and a replicator that has not seen why.
fn reopened() -> (Node, Node) {
    let (log, twin) = (writer(1), twin(7));
    fill(&log, 20);
    let upgrade = Some(UpgradeRequest { start: 0, length: 7 });
    let proof = twin.log.create_proof(&Request { upgrade, ..Request::default() }).unwrap().unwrap();
    log.freeze(&proof).unwrap().unwrap();
    (Node::new(log), twin)
}

#[test]
fn what_is_kept_with_a_frozen_log_is_shown_to_who_comes() {
    let (frozen, twin) = reopened();
    let mut net = Net::default();
    let (frozen, twin) = (net.add(frozen), net.add(twin));
    let link = net.connect(frozen, twin);
    net.settle();
    assert!(!net.is_open(link));
    let peer = net.peer(link, frozen);
    assert_eq!(net.nodes[frozen].closed, [(peer, CloseReason::Conflict)]);
    assert_eq!(net.nodes[frozen].replicator.conflict().unwrap().length, 7);
    assert!(net.nodes[twin].replicator.conflict().is_some(), "it was shown the proof");
}

#[test]
fn a_new_fork_is_replicated_again() {
    let (mut frozen, _) = reopened();
    frozen.run(Duration::ZERO);
    assert!(frozen.replicator.conflict().is_some());
    frozen.log.truncate(3, None).unwrap();
    frozen.replicator.log_changed(LogChange::Truncated { length: 3 });
    let mut net = Net::default();
    let frozen = net.add(frozen);
    let copy = net.add(Node::new(reader(net.nodes[frozen].log.key())));
    net.nodes[copy].replicator.want_range(RangeWish::new(..));
    net.connect(copy, frozen);
    net.settle();
    assert!(net.nodes[frozen].replicator.conflict().is_none());
    net.assert_same(frozen, copy);
    assert_eq!(net.nodes[copy].log.length(), 3);
}
