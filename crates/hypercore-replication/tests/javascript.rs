//! What JavaScript peers do and expect, one test for each trap of wire.md sections 7 and 8 on the reading side.

mod support;

use std::time::Duration;

use hypercore_log::Log;
use hypercore_merkle::{Data, Proof, Request};
use hypercore_replication::{
    CloseReason, Message, NoData, NoDataReason, Options, PeerId, PeerOptions, RangeMessage,
    RangeWish, Sync,
};
use support::{Net, Node, fill, reader, writer};

/// A replicator whose only peer is the test.
struct Solo {
    node: Node,
    peer: PeerId,
    now: Duration,
    seen: usize,
}

impl Solo {
    fn new(log: Log, options: Options) -> Self {
        let mut node = Node::with(log, options);
        let peer = node.replicator.add_peer(PeerOptions::new());
        Self { node, peer, now: Duration::ZERO, seen: 0 }
    }

    /// Gives it messages, lets it run, and returns what it said.
    fn say(&mut self, messages: impl IntoIterator<Item = Message>) -> Vec<Message> {
        for message in messages {
            self.node.replicator.receive(self.peer, message).unwrap();
        }
        self.node.run(self.now);
        let said = self.node.sent[self.seen..].iter().map(|(_, message)| message.clone()).collect();
        self.seen = self.node.sent.len();
        said
    }
}

fn sync(log: &Log, remote_length: u64) -> Sync {
    Sync {
        can_upgrade: true,
        uploading: true,
        downloading: true,
        has_manifest: true,
        allow_push: false,
        fork: log.fork(),
        length: log.length(),
        remote_length,
    }
}

const fn held(start: u64, length: u64) -> Message {
    Message::Range(RangeMessage { drop: false, start, length })
}

const fn dropped(start: u64, length: u64) -> Message {
    Message::Range(RangeMessage { drop: true, start, length })
}

fn requests(said: &[Message]) -> Vec<Request> {
    let request = |message: &Message| match message {
        Message::Request(request) => Some(*request),
        _ => None,
    };
    said.iter().filter_map(request).collect()
}

fn syncs(said: &[Message]) -> Vec<Sync> {
    let sync = |message: &Message| match message {
        Message::Sync(sync) => Some(*sync),
        _ => None,
    };
    said.iter().filter_map(sync).collect()
}

fn answer(log: &Log, request: &Request) -> Message {
    let proof = log.create_proof(request).unwrap().unwrap();
    Message::Data(Box::new(Data { request_id: request.id, proof }))
}

/// Answers all requests until there are none.
fn serve(solo: &mut Solo, log: &Log, mut said: Vec<Message>) {
    loop {
        let mut answers: Vec<Message> = Vec::new();
        for request in requests(&said) {
            answers.push(answer(log, &request));
        }
        for sync in syncs(&said) {
            answers.push(Message::Sync(self::sync(log, sync.length)));
        }
        if answers.is_empty() {
            return;
        }
        said = solo.say(answers);
    }
}

/// A writer of `length` blocks, and a reader of it.
fn two(length: u64) -> (Log, Solo) {
    let writer = writer(1);
    fill(&writer, length);
    let solo = Solo::new(reader(writer.key()), Options::new());
    (writer, solo)
}

#[test]
fn an_upgrade_is_asked_for_only_once_our_length_is_acknowledged() {
    let (writer, mut solo) = two(10);
    solo.node.replicator.want_range(RangeWish::new(..));
    let said = solo.say([Message::Sync(sync(&writer, 0)), held(0, 10)]);
    assert_eq!(requests(&said).len(), 1);
    serve(&mut solo, &writer, said);
    assert_eq!(solo.node.log.length(), 10);
    fill(&writer, 20);
    // It does not know yet that we have 10.
    let stale = Sync { remote_length: 0, ..sync(&writer, 0) };
    let said = solo.say([Message::Sync(stale), held(0, 20)]);
    assert_eq!(requests(&said), []);
    // Nor does it help when it can not prove its tree.
    let unable = Sync { can_upgrade: false, ..sync(&writer, 10) };
    assert_eq!(requests(&solo.say([Message::Sync(unable)])), []);
    let said = solo.say([Message::Sync(sync(&writer, 10))]);
    assert_eq!(requests(&said)[0].upgrade.unwrap().start, 10);
}

#[test]
fn each_change_of_the_other_length_is_acknowledged() {
    let log = writer(1);
    fill(&log, 20);
    let copy = reader(log.key());
    let mut solo = Solo::new(log, Options::new());
    let said = solo.say([]);
    assert_eq!(syncs(&said).len(), 1);
    assert!(syncs(&said)[0].can_upgrade);
    let said = solo.say([Message::Sync(sync(&copy, 0))]);
    assert_eq!(syncs(&said).len(), 0, "nothing new to say to an empty reader");
    for length in [5, 7, 19] {
        let said = solo.say([Message::Sync(Sync { length, ..sync(&copy, 20) })]);
        let acknowledged = syncs(&said)[0];
        assert_eq!((acknowledged.remote_length, acknowledged.can_upgrade), (length, true));
    }
    let said = solo.say([Message::Sync(Sync { length: 20, ..sync(&copy, 20) })]);
    assert_eq!((syncs(&said)[0].remote_length, syncs(&said)[0].can_upgrade), (20, false));
    // Another fork is acknowledged as nothing.
    let said = solo.say([Message::Sync(Sync { length: 20, fork: 3, ..sync(&copy, 20) })]);
    assert_eq!((syncs(&said)[0].remote_length, syncs(&said)[0].can_upgrade), (0, false));
}

#[test]
fn a_core_with_a_manifest_says_so_and_a_compat_core_does_not() {
    let log = writer(1);
    assert!(syncs(&Solo::new(log, Options::new()).say([]))[0].has_manifest);
    let key_pair = hypercore_crypto::KeyPair::from_seed(&[1; 32]);
    let options = hypercore_log::OpenOptions::new()
        .create(hypercore_log::Create::New)
        .key_pair(key_pair)
        .compat(true);
    let compat = Log::open(support::stores(), options).unwrap();
    fill(&compat, 3);
    let mut solo = Solo::new(reader(compat.key()), Options::new());
    let said = solo.say([Message::Sync(Sync { has_manifest: false, ..sync(&compat, 0) })]);
    assert!(!requests(&said)[0].manifest);
    serve(&mut solo, &compat, said);
    assert_eq!(solo.node.log.length(), 3);
    assert!(
        !syncs(&solo.node.sent.iter().map(|(_, message)| message.clone()).collect::<Vec<_>>())
            .iter()
            .any(|sync| sync.has_manifest)
    );
}

#[test]
fn the_manifest_becoming_known_is_told() {
    let (writer, mut solo) = two(3);
    let said = solo.say([Message::Sync(sync(&writer, 0))]);
    assert!(!syncs(&said)[0].has_manifest);
    assert!(requests(&said)[0].manifest);
    let said = solo.say([answer(&writer, &requests(&said)[0])]);
    assert!(syncs(&said)[0].has_manifest);
}

#[test]
fn a_peer_that_does_not_upload_is_not_asked() {
    let (writer, mut solo) = two(3);
    solo.node.replicator.want_range(RangeWish::new(..));
    let silent = Sync { uploading: false, ..sync(&writer, 0) };
    assert_eq!(requests(&solo.say([Message::Sync(silent), held(0, 3)])), []);
    assert_eq!(requests(&solo.say([Message::Sync(sync(&writer, 0))])).len(), 1);
}

#[test]
fn a_range_of_nothing_is_tolerated() {
    let (writer, mut solo) = two(3);
    solo.node.replicator.want_range(RangeWish::new(..));
    solo.say([held(0, 0), dropped(0, 0)]);
    let said = solo.say([Message::Sync(sync(&writer, 0)), held(0, 3)]);
    serve(&mut solo, &writer, said);
    assert!(solo.node.log.has_range(0..3));
}

#[test]
fn drop_and_sync_of_a_truncation_come_in_either_order() {
    for drop_first in [true, false] {
        let (writer, mut solo) = two(20);
        solo.node.replicator.want_range(RangeWish::new(..));
        let said = solo.say([Message::Sync(sync(&writer, 0)), held(0, 20)]);
        serve(&mut solo, &writer, said);
        writer.truncate(5, None).unwrap();
        fill(&writer, 12);
        let news = Message::Sync(Sync { can_upgrade: false, remote_length: 0, ..sync(&writer, 0) });
        let mut messages = vec![dropped(5, 15), news];
        if !drop_first {
            messages.reverse();
        }
        // Each in a message of its own, as far apart as can be; version 10 tells only of what is new.
        let mut said = Vec::new();
        for message in messages {
            said.extend(solo.say([message]));
        }
        said.extend(solo.say([held(5, 7)]));
        serve(&mut solo, &writer, said);
        assert_eq!(solo.node.log.head(), writer.head());
        assert!(solo.node.log.has_range(0..12), "drop first: {drop_first}");
    }
}

/// Blocks that differ from those of [`fill`].
fn fill_anew(log: &Log, count: u64) {
    let blocks: Vec<Vec<u8>> = (0..count).map(|index| vec![index as u8; 3]).collect();
    log.append(&blocks).unwrap();
}

#[test]
fn what_version_10_says_of_a_truncation_and_an_append_at_once_comes_in_any_order() {
    // The drop and the range keep their order; the syncs come somewhere between, or one for both.
    let orders: [&[usize]; 7] = [
        &[0, 1, 2, 3],
        &[2, 0, 1, 3],
        &[0, 2, 1, 3],
        &[0, 1, 3],
        &[3, 0, 1],
        &[0, 3, 1],
        &[2, 3, 0, 1],
    ];
    for (old, cut) in [(20, 5), (33, 1), (60, 59)] {
        for order in orders {
            let (writer, mut solo) = two(old);
            solo.node.replicator.want_range(RangeWish::new(..));
            let said = solo.say([Message::Sync(sync(&writer, 0)), held(0, old)]);
            serve(&mut solo, &writer, said);
            assert!(solo.node.log.has_range(0..old));
            writer.truncate(cut, None).unwrap();
            let short = Sync { can_upgrade: false, remote_length: 0, ..sync(&writer, 0) };
            fill_anew(&writer, 10);
            let long = Sync { can_upgrade: false, remote_length: 0, ..sync(&writer, 0) };
            let messages =
                [dropped(cut, old - cut), held(cut, 10), Message::Sync(short), Message::Sync(long)];
            let mut said = Vec::new();
            for place in order {
                said.extend(solo.say([messages[*place].clone()]));
            }
            serve(&mut solo, &writer, said);
            assert_eq!(solo.node.log.head(), writer.head());
            assert!(solo.node.log.has_range(0..cut + 10), "{old} cut to {cut}: {order:?}");
        }
    }
}

#[test]
fn what_was_dropped_or_cut_is_asked_about_again() {
    // Version 10 says nothing of blocks that it takes us to hold, as we did before the truncation.
    let (writer, mut solo) = two(40);
    solo.node.replicator.want_range(RangeWish::new(..));
    let is_want = |message: &Message| matches!(message, Message::Want(_));
    // It holds less than all, so it is asked what.
    let said = solo.say([Message::Sync(sync(&writer, 0)), held(0, 30)]);
    serve(&mut solo, &writer, said);
    assert!(solo.node.sent.iter().any(|(_, message)| is_want(message)));
    let said = solo.say([held(0, 40)]);
    serve(&mut solo, &writer, said);
    assert!(solo.node.log.has_range(0..40));
    writer.truncate(1, None).unwrap();
    fill_anew(&writer, 10);
    let news = Message::Sync(Sync { can_upgrade: false, remote_length: 0, ..sync(&writer, 0) });
    let before = solo.node.sent.len();
    let said = solo.say([dropped(1, 39), news]);
    serve(&mut solo, &writer, said);
    assert_eq!(solo.node.log.length(), 11);
    assert!(solo.node.sent[before..].iter().any(|(_, message)| is_want(message)));
    let said = solo.say([held(0, 11)]);
    serve(&mut solo, &writer, said);
    assert!(solo.node.log.has_range(0..11));
}

#[test]
fn no_data_may_come_with_or_without_a_reason() {
    for reason in [None, Some(NoDataReason::NotAvailable), Some(NoDataReason::Invalid)] {
        let (writer, mut solo) = two(3);
        let said = solo.say([Message::Sync(sync(&writer, 0))]);
        let request_id = requests(&said)[0].id;
        solo.say([Message::NoData(NoData { request_id, reason })]);
        solo.now += Duration::from_secs(60);
        let said = solo.say([]);
        serve(&mut solo, &writer, said);
        assert_eq!(solo.node.log.length(), 3);
    }
}

#[test]
fn an_empty_answer_and_one_with_only_a_manifest_bring_nothing() {
    for manifest in [true, false] {
        let (writer, mut solo) = two(3);
        let said = solo.say([Message::Sync(sync(&writer, 0))]);
        let request_id = requests(&said)[0].id;
        let manifest = writer.manifest().filter(|_| manifest);
        let proof = Proof { manifest, ..Proof::default() };
        solo.say([Message::Data(Box::new(Data { request_id, proof }))]);
        assert_eq!(solo.node.replicator.peer(solo.peer).unwrap().refused, 1);
        solo.now += Duration::from_secs(60);
        let said = solo.say([]);
        serve(&mut solo, &writer, said);
        assert_eq!(solo.node.log.length(), 3);
    }
}

#[test]
fn an_answer_with_only_the_upgrade_leaves_the_block_to_be_asked_for_again() {
    let (writer, mut solo) = two(30);
    let wish = solo.node.replicator.want_block(20, 1);
    let said = solo.say([Message::Sync(sync(&writer, 0)), held(0, 30)]);
    let request = requests(&said)[0];
    assert!(request.block.is_some() && request.upgrade.is_some());
    let said = solo.say([answer(&writer, &Request { block: None, ..request })]);
    assert_eq!(solo.node.log.length(), 30);
    assert_eq!(requests(&said)[0].block.unwrap().index, 20);
    serve(&mut solo, &writer, said);
    assert!(solo.node.outcome(wish).is_some());
}

#[test]
fn a_first_request_with_a_block_that_is_refused_is_followed_by_one_without() {
    // A prologue ends the first upgrade, and makes a block behind it an invalid request.
    let (writer, mut solo) = two(30);
    solo.node.replicator.want_block(20, 1);
    let said = solo.say([Message::Sync(sync(&writer, 0)), held(0, 30)]);
    let request_id = requests(&said)[0].id;
    let reason = Some(NoDataReason::Invalid);
    let said = solo.say([Message::NoData(NoData { request_id, reason })]);
    let request = requests(&said)[0];
    assert!(request.block.is_none() && request.upgrade.is_some());
    serve(&mut solo, &writer, said);
    assert!(solo.node.log.has(20));
}

#[test]
fn a_first_request_that_ended_the_connection_is_followed_by_one_without_a_block() {
    // Version 10 destroys the stream for an invalid request.
    let (writer, mut solo) = two(30);
    solo.node.replicator.want_block(20, 1);
    solo.say([Message::Sync(sync(&writer, 0)), held(0, 30)]);
    solo.node.replicator.remove_peer(solo.peer);
    solo.peer = solo.node.replicator.add_peer(PeerOptions::new());
    let said = solo.say([Message::Sync(sync(&writer, 0)), held(0, 30)]);
    assert!(requests(&said)[0].block.is_none());
    serve(&mut solo, &writer, said);
    assert!(solo.node.log.has(20));
}

#[test]
fn a_shorter_peer_is_not_asked_for_nodes_above_its_roots() {
    // Version 10 drops the connection for such a request (wire.md section 7.5).
    let (writer, mut solo) = two(40);
    let said = solo.say([Message::Sync(sync(&writer, 0))]);
    serve(&mut solo, &writer, said);
    solo.node.replicator.remove_peer(solo.peer);
    // The next peer has only 33 of the 40: the root above block 5 is in both trees, that above 32 is not.
    let older = support::writer(1);
    fill(&older, 33);
    solo.peer = solo.node.replicator.add_peer(PeerOptions::new());
    solo.node.replicator.want_block(5, 1);
    solo.node.replicator.want_block(32, 1);
    let said = solo.say([Message::Sync(sync(&older, 40)), held(0, 33)]);
    let asked: Vec<u64> = requests(&said)
        .iter()
        .filter_map(|request| request.block)
        .map(|block| block.index)
        .collect();
    assert_eq!(asked, [5]);
    serve(&mut solo, &older, said);
    assert!(solo.node.log.has(5));
    assert_eq!(solo.node.replicator.peer(solo.peer).unwrap().invalid_proofs, 0);
}

#[test]
fn pushes_are_allowed_to_an_empty_log_or_after_the_first_upgrade_only() {
    // Version 11 sends what it thinks was never pushed from 0 on (wire.md section 7.9).
    let options = || Options::new().allow_push(true);
    let writer = writer(1);
    fill(&writer, 10);
    let mut solo = Solo::new(reader(writer.key()), options());
    let said = solo.say([Message::Sync(sync(&writer, 0))]);
    assert!(syncs(&said)[0].allow_push);
    serve(&mut solo, &writer, said);
    solo.node.replicator.remove_peer(solo.peer);
    solo.peer = solo.node.replicator.add_peer(PeerOptions::new());
    let said = solo.say([Message::Sync(sync(&writer, 10))]);
    assert!(!syncs(&said)[0].allow_push);
    fill(&writer, 11);
    let said = solo.say([Message::Sync(sync(&writer, 10))]);
    let said = solo.say([answer(&writer, &requests(&said)[0])]);
    assert!(syncs(&said)[0].allow_push);
}

#[test]
fn a_pushed_block_is_taken_if_pushes_are_allowed() {
    for allowed in [true, false] {
        let writer = writer(1);
        fill(&writer, 10);
        let copy = reader(writer.key());
        let mut solo = Solo::new(copy, Options::new().allow_push(allowed).follow(false));
        solo.say([Message::Sync(sync(&writer, 0))]);
        let request = Request {
            block: Some(hypercore_merkle::BlockRequest { index: 9, nodes: 0 }),
            upgrade: Some(hypercore_merkle::UpgradeRequest { start: 0, length: 10 }),
            manifest: true,
            ..Request::default()
        };
        solo.say([answer(&writer, &request)]);
        assert_eq!(solo.node.log.has(9), allowed);
    }
}

#[test]
fn replicators_push_to_each_other() {
    let writer = writer(1);
    fill(&writer, 10);
    let mut net = Net::default();
    let copy = reader(writer.key());
    net.add(Node::new(writer));
    net.add(Node::with(copy, Options::new().allow_push(true)));
    net.connect(0, 1);
    net.settle();
    net.nodes[0].append(12);
    net.settle();
    assert_eq!(net.nodes[1].log.length(), 12);
    assert!(net.nodes[1].log.has(11));
    let failed = |event: &hypercore_replication::Event| {
        matches!(event, hypercore_replication::Event::VerificationFailed { .. })
    };
    assert!(!net.nodes[1].events.iter().any(failed));
}

#[test]
fn a_proof_that_is_only_of_the_wrong_form_starts_no_probe() {
    let (writer, mut solo) = two(10);
    let said = solo.say([Message::Sync(sync(&writer, 0))]);
    let request = requests(&said)[0];
    let mut proof = writer.create_proof(&request).unwrap().unwrap();
    proof.upgrade.as_mut().unwrap().nodes.pop();
    let said = solo.say([Message::Data(Box::new(Data { request_id: request.id, proof }))]);
    assert!(requests(&said).iter().all(|request| request.id != 0));
    assert_eq!(solo.node.replicator.peer(solo.peer).unwrap().invalid_proofs, 1);
}

#[test]
fn a_wrong_hash_starts_a_probe_and_the_peer_is_resumed_if_there_is_no_conflict() {
    let (writer, mut solo) = two(10);
    let said = solo.say([Message::Sync(sync(&writer, 0)), held(0, 10)]);
    serve(&mut solo, &writer, said);
    solo.node.replicator.want_block(3, 1);
    let said = solo.say([]);
    let request = requests(&said)[0];
    let mut proof = writer.create_proof(&request).unwrap().unwrap();
    proof.block.as_mut().unwrap().value = vec![1].into();
    let said = solo.say([Message::Data(Box::new(Data { request_id: request.id, proof }))]);
    let probe = requests(&said)[0];
    assert_eq!((probe.id, probe.upgrade.unwrap().start, probe.upgrade.unwrap().length), (0, 0, 10));
    solo.now += Duration::from_secs(60);
    assert_eq!(requests(&solo.say([])), [], "not before it has shown its tree");
    let said = solo.say([answer(&writer, &probe)]);
    assert_eq!(requests(&said)[0].block.unwrap().index, 3);
    serve(&mut solo, &writer, said);
    assert!(solo.node.log.has(3));
}

#[test]
fn a_side_that_only_uploads_says_that_it_is_interested() {
    let mut net = Net::pair(3);
    net.run_for(Duration::from_secs(600));
    let last = net.nodes[0].sent.iter().rev().find_map(|(_, message)| match message {
        Message::Sync(sync) => Some(*sync),
        _ => None,
    });
    assert!(last.unwrap().downloading);
    assert!(net.is_open(0));
}

#[test]
fn a_channel_is_closed_when_neither_side_wants_anything() {
    let mut net = Net::pair(3);
    net.settle();
    net.nodes[0].replicator.set_active(false);
    net.run_for(Duration::from_secs(60));
    assert!(net.is_open(0), "one side is still interested");
    net.nodes[1].replicator.set_active(false);
    net.run_for(Duration::from_secs(29));
    assert!(net.is_open(0), "it lingers");
    net.run_for(Duration::from_secs(2));
    assert!(!net.is_open(0));
    let reasons = net.nodes.iter().flat_map(|node| &node.closed).map(|(_, reason)| reason.clone());
    assert_eq!(reasons.collect::<Vec<_>>(), [CloseReason::Idle]);
}
