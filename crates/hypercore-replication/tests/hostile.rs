//! Peers that lie, flood, or do not answer: nothing unverified is stored, others are not disturbed, and each ends in a
//! typed reason or is put last.

mod support;

use std::time::Duration;

use bytes::Bytes;
use flat_tree::Index;
use hypercore_crypto::Hash;
use hypercore_merkle::{BlockRequest, Data, Node as TreeNode, Proof, Request, UpgradeRequest};
use hypercore_replication::{
    Cancel, CloseReason, Event, Message, NoData, PeerFault, PeerOptions, REQUESTS_PER_PEER_MAX,
    RangeMessage, RangeWish, Sync, Want,
};
use support::{Net, Node, fill, reader, writer};

const LENGTH: u64 = 45;

type Lie = (&'static str, fn(&mut Data));

fn nodes(proof: &mut Proof) -> Vec<&mut Vec<TreeNode>> {
    let mut lists = Vec::new();
    if let Some(block) = &mut proof.block {
        lists.push(&mut block.nodes);
    }
    if let Some(hash) = &mut proof.hash {
        lists.push(&mut hash.nodes);
    }
    if let Some(upgrade) = &mut proof.upgrade {
        lists.push(&mut upgrade.nodes);
        lists.push(&mut upgrade.additional_nodes);
    }
    lists
}

fn change_nodes(data: &mut Data, change: fn(&mut Vec<TreeNode>)) {
    nodes(&mut data.proof).into_iter().filter(|list| !list.is_empty()).for_each(change);
}

const LIES: &[Lie] = &[
    ("another id", |data| data.request_id += 1),
    ("a huge id", |data| data.request_id = (1 << 53) - 1),
    ("id 0", |data| data.request_id = 0),
    ("a higher fork", |data| data.proof.fork += 1),
    ("no parts", |data| data.proof = Proof { fork: data.proof.fork, ..Proof::default() }),
    ("another block", |data| {
        if let Some(block) = &mut data.proof.block {
            block.index += 1;
        }
    }),
    ("a block far away", |data| {
        if let Some(block) = &mut data.proof.block {
            block.index = (1 << 53) - 1;
        }
    }),
    ("a bit of the block", |data| {
        if let Some(block) = &mut data.proof.block {
            let mut value = block.value.to_vec();
            value[0] ^= 1;
            block.value = value.into();
        }
    }),
    ("a longer block", |data| {
        if let Some(block) = &mut data.proof.block {
            block.value = [&block.value[..], b"."].concat().into();
        }
    }),
    ("an empty block", |data| {
        if let Some(block) = &mut data.proof.block {
            block.value = Bytes::new();
        }
    }),
    ("a node missing", |data| change_nodes(data, |list| list.truncate(list.len() - 1))),
    ("no nodes", |data| change_nodes(data, Vec::clear)),
    ("a node twice", |data| change_nodes(data, |list| list.push(list[0]))),
    ("nodes turned round", |data| change_nodes(data, |list| list.reverse())),
    ("a node's hash", |data| change_nodes(data, |list| list[0].hash = Hash::from_bytes([7; 32]))),
    ("a node's size", |data| change_nodes(data, |list| list[0].size += 1)),
    ("a node's enormous size", |data| change_nodes(data, |list| list[0].size = (1 << 53) - 1)),
    ("a node's index", |data| {
        change_nodes(data, |list| list[0].index = Index::new(list[0].index.get() + 2));
    }),
    ("the start of the upgrade", |data| {
        if let Some(upgrade) = &mut data.proof.upgrade {
            upgrade.start += 1;
        }
    }),
    ("the length of the upgrade", |data| {
        if let Some(upgrade) = &mut data.proof.upgrade {
            upgrade.length += 1;
        }
    }),
    ("an endless upgrade", |data| {
        if let Some(upgrade) = &mut data.proof.upgrade {
            upgrade.length = (1 << 53) - 1;
        }
    }),
    ("a bit of the signature", |data| {
        if let Some(signature) =
            data.proof.upgrade.as_mut().and_then(|upgrade| upgrade.signature.as_mut())
        {
            let last = signature.len() - 3;
            signature[last] ^= 1;
        }
    }),
    ("no signature", |data| {
        if let Some(upgrade) = &mut data.proof.upgrade {
            upgrade.signature = None;
        }
    }),
    ("another's manifest", |data| {
        if data.proof.manifest.is_some() {
            data.proof.manifest = writer(9).manifest();
        }
    }),
    ("no manifest", |data| data.proof.manifest = None),
];

#[test]
fn each_field_of_an_answer_that_is_changed() {
    for (name, lie) in LIES {
        // From the first answer on; and only once the log is known, so that blocks are what is lied about.
        for after in [0, 1, 5] {
            let mut net = Net::pair(LENGTH);
            let mut answers = 0;
            let tamper = move |message| match message {
                Message::Data(mut data) => {
                    answers += 1;
                    if answers > after {
                        lie(&mut data);
                    }
                    vec![Message::Data(data)]
                }
                other => vec![other],
            };
            net.tamper(0, 0, Box::new(tamper));
            net.nodes[1].replicator.want_range(RangeWish::new(..LENGTH));
            net.run_for(Duration::from_secs(600));
            // What was stored is right.
            let (there, here) = (&net.nodes[0].log, &net.nodes[1].log);
            for index in 0..here.length() {
                if let Some(block) = here.get(index).unwrap() {
                    assert_eq!(Some(block), there.get(index).unwrap(), "{name}: block {index}");
                }
            }
            assert!(net.nodes[1].replicator.conflict().is_none(), "{name}");
            let failed = |event: &Event| matches!(event, Event::StorageFailed { .. });
            assert!(!net.nodes[1].events.iter().any(failed), "{name}");
            // And an honest peer brings the rest, whether the liar is still there or not.
            net.connect(0, 1);
            net.run_for(Duration::from_secs(60));
            println!(
                "{name} after {after}: {:?}",
                net.nodes[1].replicator.peers().collect::<Vec<_>>()
            );
            assert_eq!(net.nodes[1].log.head(), net.nodes[0].log.head(), "{name} after {after}");
            net.assert_same(0, 1);
        }
    }
}

#[test]
fn a_liar_is_put_out_for_it() {
    let mut net = Net::pair(LENGTH);
    let tamper = |message| match message {
        Message::Data(mut data) => {
            change_nodes(&mut data, |list| list[0].hash = Hash::from_bytes([7; 32]));
            vec![Message::Data(data)]
        }
        other => vec![other],
    };
    net.tamper(0, 0, Box::new(tamper));
    net.nodes[1].replicator.want_range(RangeWish::new(..LENGTH));
    net.run_for(Duration::from_secs(3600));
    assert!(!net.is_open(0));
    let reasons: Vec<_> = net.nodes[1].closed.iter().map(|(_, reason)| reason.clone()).collect();
    assert_eq!(reasons, [CloseReason::Fault(PeerFault::InvalidProofs)]);
    assert_eq!(net.nodes[1].log.length(), 0);
}

fn assert_nobody_accused(net: &Net) {
    let failed = |event: &Event| matches!(event, Event::VerificationFailed { .. });
    assert!(!net.nodes[1].events.iter().any(failed));
}

#[test]
fn answers_in_any_order_are_taken() {
    let mut net = Net::pair(2000);
    net.reverse(0);
    net.nodes[1].replicator.want_range(RangeWish::new(..2000));
    net.settle();
    net.assert_same(0, 1);
    assert_nobody_accused(&net);
    // None was thrown away to be asked for again.
    assert_eq!(net.nodes[1].requests().len(), 2000);
}

#[test]
fn one_refusal_among_requests_that_lean_on_each_other() {
    let mut net = Net::pair(2000);
    let mut count = 0;
    let tamper = move |message| match message {
        Message::Data(data) if data.proof.block.is_some() => {
            count += 1;
            if count % 10 == 3 {
                vec![Message::NoData(NoData { request_id: data.request_id, reason: None })]
            } else {
                vec![Message::Data(data)]
            }
        }
        other => vec![other],
    };
    net.tamper(0, 0, Box::new(tamper));
    net.nodes[1].replicator.want_range(RangeWish::new(..2000));
    net.run_for(Duration::from_secs(600));
    net.assert_same(0, 1);
    assert_nobody_accused(&net);
}

#[test]
fn refusals_among_answers_in_any_order() {
    let mut net = Net::pair(3000);
    let mut count = 0;
    let tamper = move |message| match message {
        Message::Data(data) if data.proof.block.is_some() => {
            count += 1;
            if count % 17 == 3 {
                vec![Message::NoData(NoData { request_id: data.request_id, reason: None })]
            } else {
                vec![Message::Data(data)]
            }
        }
        other => vec![other],
    };
    net.tamper(0, 0, Box::new(tamper));
    net.reverse(0);
    net.nodes[1].replicator.want_range(RangeWish::new(..3000).linear());
    net.run_for(Duration::from_secs(6000));
    net.assert_same(0, 1);
    assert_nobody_accused(&net);
}

#[test]
fn more_answers_out_of_order_than_are_held_back() {
    let writer = writer(1);
    let blocks: Vec<Vec<u8>> = (0..300_u32).map(|index| vec![index as u8; 30_000]).collect();
    writer.append(&blocks).unwrap();
    let mut net = Net::default();
    let copy = reader(writer.key());
    net.add(Node::new(writer));
    net.add(Node::new(copy));
    let link = net.connect(0, 1);
    net.reverse(link);
    net.nodes[1].replicator.want_range(RangeWish::new(..300).linear());
    net.run_for(Duration::from_secs(60));
    net.assert_same(0, 1);
    assert_nobody_accused(&net);
    assert!(net.nodes[1].requests().len() > 300, "some were asked for again");
}

#[test]
fn a_peer_that_announces_and_does_not_deliver_is_put_last() {
    let mut net = Net::pair(3000);
    net.nodes[1].replicator.want_range(RangeWish::new(..));
    net.settle();
    let last = net.add(Node::new(reader(net.nodes[0].log.key())));
    let liar = net.connect(0, last);
    let tamper = |message| match message {
        Message::Data(data) if data.proof.block.is_some() => {
            vec![Message::NoData(NoData { request_id: data.request_id, reason: None })]
        }
        other => vec![other],
    };
    net.tamper(liar, 0, Box::new(tamper));
    net.connect(1, last);
    net.nodes[last].replicator.want_range(RangeWish::new(..3000));
    net.run_for(Duration::from_secs(10));
    net.assert_same(0, last);
    let liar = net.peer(liar, last);
    let asked = |net: &Net| {
        let to_liar = net.nodes[last].sent.iter().filter(|(peer, _)| *peer == liar);
        let is_block = |message: &&(_, Message)| matches!(&message.1, Message::Request(request) if request.block.is_some());
        to_liar.filter(is_block).count()
    };
    let before = asked(&net);
    assert!(before <= REQUESTS_PER_PEER_MAX, "{before}");
    // Later it may be asked again, but not before those who deliver.
    net.run_for(Duration::from_secs(1000));
    net.nodes[0].append(3001);
    net.settle();
    net.nodes[last].replicator.want_block(3000, 1);
    net.settle();
    assert!(net.nodes[last].log.has(3000));
    assert_eq!(asked(&net), before);
}

#[test]
fn a_mute_peer_holds_nothing_up_for_long() {
    let mut net = Net::pair(500);
    net.nodes[1].replicator.want_range(RangeWish::new(..));
    net.settle();
    let last = net.add(Node::new(reader(net.nodes[0].log.key())));
    let mute = net.connect(0, last);
    net.tamper(
        mute,
        0,
        Box::new(
            |message| if matches!(message, Message::Data(_)) { vec![] } else { vec![message] },
        ),
    );
    net.nodes[last].replicator.want_range(RangeWish::new(..500));
    net.settle();
    net.connect(1, last);
    net.run_for(Duration::from_secs(10));
    net.assert_same(0, last);
}

fn solo(length: u64) -> (Node, hypercore_replication::PeerId) {
    let log = writer(1);
    fill(&log, length);
    let mut node = Node::new(log);
    let peer = node.replicator.add_peer(PeerOptions::new());
    node.run(Duration::ZERO);
    (node, peer)
}

#[test]
fn a_flood_of_requests() {
    let (mut node, peer) = solo(10);
    node.replicator.set_room(peer, 0);
    let request = |id| {
        Message::Request(Request {
            id,
            block: Some(BlockRequest { index: 1, nodes: 0 }),
            ..Request::default()
        })
    };
    for id in 1..=REQUESTS_PER_PEER_MAX as u64 {
        assert!(node.replicator.wants_input(peer));
        node.replicator.receive(peer, request(id)).unwrap();
        node.run(Duration::ZERO);
    }
    assert!(!node.replicator.wants_input(peer));
    let fault = node.replicator.receive(peer, request(1 << 20)).unwrap_err();
    assert_eq!(fault, PeerFault::TooManyRequests);
    // Once there is room they are answered.
    node.replicator.set_room(peer, 1 << 20);
    node.run(Duration::ZERO);
    assert!(node.replicator.wants_input(peer));
}

#[test]
fn a_flood_of_answers_that_nobody_asked_for() {
    let (mut node, peer) = solo(10);
    let proof = node.log.create_proof(&Request {
        block: Some(BlockRequest { index: 1, nodes: 0 }),
        ..Request::default()
    });
    let data = Data { request_id: 9, proof: proof.unwrap().unwrap() };
    for _ in 0..100_000 {
        while node.replicator.wants_input(peer) && node.closed.is_empty() {
            if node.replicator.receive(peer, Message::Data(Box::new(data.clone()))).is_err() {
                break;
            }
            if node.replicator.peer(peer).is_none() {
                break;
            }
        }
        node.run(Duration::ZERO);
        if !node.closed.is_empty() {
            break;
        }
    }
    assert_eq!(node.closed, [(peer, CloseReason::Fault(PeerFault::Unsolicited))]);
}

#[test]
fn numbers_near_the_end_of_what_can_be_counted() {
    const END: u64 = (1 << 53) - 1;
    let (mut node, peer) = solo(10);
    node.replicator.want_range(RangeWish::new(..));
    node.replicator.want_block(END, 3);
    node.replicator.want_block(u64::MAX, 3);
    node.replicator.want_range(RangeWish::new(u64::MAX - 1..));
    node.replicator.want_range(RangeWish::new(..=u64::MAX));
    node.replicator.want_hash(Index::new(u64::MAX));
    node.replicator.want_seek(u64::MAX, u64::MAX);
    let sync = Sync {
        can_upgrade: true,
        uploading: true,
        downloading: true,
        has_manifest: true,
        allow_push: true,
        fork: 0,
        length: END,
        remote_length: 10,
    };
    let range = |drop, start, length| Message::Range(RangeMessage { drop, start, length });
    let want = |start, length, any| Want { start, length, any };
    let messages = [
        Message::Sync(sync),
        range(false, 0, END),
        range(false, END, END),
        range(true, END, END),
        range(true, 0, 0),
        range(false, u64::MAX, u64::MAX),
        Message::Want(want(0, END, false)),
        Message::Want(want(END, END, true)),
        Message::Unwant(want(END, END, true)),
        Message::Want(want(5, 0, false)),
        Message::Cancel(Cancel { request_id: END }),
        Message::NoData(NoData { request_id: END, reason: None }),
        Message::Request(Request {
            id: END,
            block: Some(BlockRequest { index: END, nodes: END }),
            upgrade: Some(UpgradeRequest { start: END, length: END }),
            ..Request::default()
        }),
        Message::Sync(Sync { fork: END, ..sync }),
        Message::Sync(Sync { length: 0, fork: END, ..sync }),
        Message::Sync(Sync { length: END, fork: 0, ..sync }),
    ];
    for (round, message) in messages.iter().cycle().take(200).enumerate() {
        if node.replicator.receive(peer, message.clone()).is_err() {
            break;
        }
        node.run(Duration::from_secs(round as u64));
    }
    assert_eq!(node.log.length(), 10);
}
