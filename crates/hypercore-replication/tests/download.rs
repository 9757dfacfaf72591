//! Fetching between replicators: everything, parts, live, in any order.

mod support;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use hypercore_log::LogError;
use hypercore_replication::{
    Event, LogChange, Message, NoData, NoDataReason, Options, Outcome, PeerOptions, Progress,
    RangeWish, UpgradeWish,
};
use support::{Net, Node, block, fill, reader, writer};

#[test]
fn an_empty_reader_gets_everything() {
    for length in [0, 1, 2, 33, 1000, 5000] {
        let mut net = Net::pair(length);
        let wish = net.nodes[1].replicator.want_range(RangeWish::new(..length));
        net.settle();
        net.assert_same(0, 1);
        assert_eq!(net.nodes[1].outcome(wish), Some(Outcome::Stored), "{length} blocks");
    }
}

#[test]
fn nodes_that_others_in_flight_bring_are_not_asked_for_again() {
    const LENGTH: u64 = 4096;
    let mut net = Net::pair(LENGTH);
    net.nodes[1].replicator.want_range(RangeWish::new(..LENGTH).linear());
    net.settle();
    net.assert_same(0, 1);
    let requests = net.nodes[1].requests();
    let nodes: u64 =
        requests.iter().filter_map(|request| request.block).map(|block| block.nodes).sum();
    assert_eq!(requests.len() as u64, LENGTH);
    // There are so many parents, and a proof brings one sibling for each; the first came with the upgrade.
    assert_eq!(nodes, LENGTH - 1 - 12);
}

#[test]
fn the_first_request_asks_for_log_and_block_together() {
    let mut net = Net::pair(100_000);
    let wish = net.nodes[1].replicator.want_block(77_777, 1);
    net.settle();
    assert_eq!(net.nodes[1].outcome(wish), Some(Outcome::Stored));
    let requests = net.nodes[1].requests();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].upgrade.is_some() && requests[0].manifest);
    assert_eq!(requests[0].priority, 1);
}

#[test]
fn the_next_requests_go_out_before_the_answers_are_stored() {
    const LENGTH: u64 = 2000;
    let mut net = Net::pair(LENGTH);
    net.nodes[1].replicator.want_range(RangeWish::new(..LENGTH).linear());
    let mut early = 0;
    while net.step() {
        let (stored, asked) =
            (net.nodes[1].log.stored_count(0..LENGTH), net.nodes[1].requests().len() as u64);
        // No more may be asked for at a time than a peer takes; what is beyond that has come, and is not stored yet.
        early = early.max(asked - stored);
    }
    net.assert_same(0, 1);
    assert!(early > 256, "at most {early} were asked for and not stored");
}

#[test]
fn single_blocks_are_fetched_and_nothing_else() {
    let mut net = Net::pair(1000);
    let wishes: Vec<_> = [999, 0, 500, 501, 500]
        .into_iter()
        .map(|index| net.nodes[1].replicator.want_block(index, 1))
        .collect();
    net.settle();
    for wish in wishes {
        assert_eq!(net.nodes[1].outcome(wish), Some(Outcome::Stored));
    }
    let log = &net.nodes[1].log;
    assert_eq!(log.stored_count(0..1000), 4);
    assert_eq!(log.get(501).unwrap().unwrap(), block(501));
}

#[test]
fn what_is_stored_already_is_done_in_the_next_run() {
    let mut net = Net::pair(10);
    let replicator = &mut net.nodes[0].replicator;
    let wishes = [
        replicator.want_block(3, 1),
        replicator.want_range(RangeWish::new(..10)),
        replicator.want_upgrade(UpgradeWish::Length(10)),
        replicator.want_seek(9, 0),
        replicator.want_hash(flat_tree::Index::new(3)),
    ];
    let later = replicator.want_block(10, 1);
    let node = &mut net.nodes[0];
    node.run(Duration::ZERO);
    assert_eq!(wishes.map(|wish| node.outcome(wish).is_some()), [true; 5]);
    assert_eq!(node.outcome(later), None);
    node.append(11);
    node.run(Duration::ZERO);
    assert_eq!(node.outcome(later), Some(Outcome::Stored));
}

#[test]
fn an_open_range_follows_the_log() {
    let mut net = Net::pair(10);
    net.nodes[1].replicator.want_range(RangeWish::new(5..));
    net.settle();
    for length in [11, 40, 41, 300] {
        net.nodes[0].append(length);
        net.settle();
        let log = &net.nodes[1].log;
        assert_eq!(log.length(), length);
        assert!(log.has_range(5..length), "{length}");
        assert_eq!(log.stored_count(0..5), 0);
    }
    // Nothing came twice.
    let blocks = net.nodes[1].requests().iter().filter(|request| request.block.is_some()).count();
    assert_eq!(blocks, 295);
}

#[test]
fn a_list_is_fetched_in_its_order() {
    let mut net = Net::pair(1000);
    let list = [700, 3, 999, 4, 700];
    let wish = net.nodes[1].replicator.want_range(RangeWish::list(list));
    net.settle();
    assert_eq!(net.nodes[1].outcome(wish), Some(Outcome::Stored));
    let asked: Vec<u64> = net.nodes[1]
        .requests()
        .iter()
        .filter_map(|request| request.block)
        .map(|block| block.index)
        .collect();
    assert_eq!(asked, [700, 3, 999, 4]);
}

#[test]
fn a_list_that_reaches_past_the_end_is_done_when_the_log_is_long_enough() {
    let mut net = Net::pair(10);
    net.settle();
    let wish = net.nodes[1].replicator.want_range(RangeWish::list([3, 14, 12, 30]));
    net.settle();
    assert_eq!(net.nodes[1].log.stored_count(0..10), 1);
    net.nodes[0].append(20);
    net.settle();
    assert_eq!(net.nodes[1].outcome(wish), None);
    net.nodes[0].append(31);
    net.settle();
    assert_eq!(net.nodes[1].outcome(wish), Some(Outcome::Stored));
    assert_eq!(net.nodes[1].log.stored_count(0..31), 4);
}

#[test]
fn a_log_in_ten_thousand_pieces_is_filled_up() {
    const LENGTH: u64 = 20_001;
    let writer = writer(1);
    writer.append(&vec![b"x"; LENGTH as usize]).unwrap();
    let mut net = Net::default();
    let copy = reader(writer.key());
    net.add(Node::new(writer));
    net.add(Node::new(copy));
    net.connect(0, 1);
    net.nodes[1].replicator.want_range(RangeWish::new(..LENGTH));
    net.settle();
    let node = &mut net.nodes[1];
    for index in (0..LENGTH - 1).step_by(2) {
        node.log.clear(index..index + 1).unwrap();
        node.replicator.log_changed(LogChange::Cleared(index..index + 1));
    }
    net.settle();
    // The writer has only the last of them left: what it lacks is looked through in more than one run.
    net.nodes[0].log.clear(0..LENGTH - 3).unwrap();
    net.nodes[0].replicator.log_changed(LogChange::Cleared(0..LENGTH - 3));
    net.settle();
    net.nodes[1].replicator.want_range(RangeWish::new(..LENGTH).linear());
    net.settle();
    assert!(net.nodes[1].log.has(LENGTH - 3));
    assert_eq!(net.nodes[1].log.stored_count(0..LENGTH), LENGTH / 2 + 2);
}

#[test]
fn a_reader_with_blocks_comes_back_for_the_rest() {
    let mut net = Net::pair(20);
    net.nodes[1].replicator.want_range(RangeWish::new(..));
    net.settle();
    net.disconnect(0);
    net.nodes[0].append(55);
    net.settle();
    assert_eq!(net.nodes[1].log.length(), 20);
    net.connect(0, 1);
    net.settle();
    net.assert_same(0, 1);
}

#[test]
fn a_reader_serves_what_it_has() {
    let mut net = Net::pair(300);
    let third = reader(net.nodes[0].log.key());
    let third = net.add(Node::new(third));
    net.nodes[1].replicator.want_range(RangeWish::new(..));
    net.connect(1, third);
    net.nodes[third].replicator.want_range(RangeWish::new(..));
    net.settle();
    net.assert_same(0, third);
    net.nodes[0].append(400);
    net.settle();
    net.assert_same(0, third);
}

#[test]
fn two_readers_exchange_what_each_has() {
    let writer = writer(1);
    fill(&writer, 1000);
    let mut net = Net::default();
    let key = writer.key();
    net.add(Node::new(writer));
    for half in [0..500, 500..1000] {
        let node = net.add(Node::new(reader(key)));
        net.nodes[node].replicator.want_range(RangeWish::new(half));
        net.connect(0, node);
    }
    net.settle();
    net.disconnect(0);
    net.disconnect(1);
    net.connect(1, 2);
    for node in [1, 2] {
        net.nodes[node].replicator.want_range(RangeWish::new(..1000));
    }
    net.settle();
    net.assert_same(0, 1);
    net.assert_same(0, 2);
}

#[test]
fn sparse_peers_are_asked_what_they_hold() {
    let mut net = Net::pair(5000);
    let list: Vec<u64> = (0..5000).filter(|index| index % 3 == 1).collect();
    net.nodes[1].replicator.want_range(RangeWish::list(list.clone()));
    net.settle();
    let third = reader(net.nodes[0].log.key());
    let third = net.add(Node::new(third));
    net.connect(1, third);
    net.nodes[third].replicator.want_range(RangeWish::new(..5000));
    net.settle();
    let log = &net.nodes[third].log;
    assert_eq!(log.stored_count(0..5000), list.len() as u64);
    assert!(net.nodes[third].sent.iter().any(|(_, message)| matches!(message, Message::Want(_))));
    // And what comes later is announced.
    net.nodes[1].replicator.want_block(0, 1);
    net.settle();
    assert!(net.nodes[third].log.has(0));
}

#[test]
fn many_peers_share_the_work() {
    const LENGTH: u64 = 20_000;
    let mut net = Net::pair(LENGTH);
    net.nodes[1].replicator.want_range(RangeWish::new(..));
    net.settle();
    let last = reader(net.nodes[0].log.key());
    let last = net.add(Node::new(last));
    for from in [0, 1] {
        net.connect(from, last);
    }
    net.nodes[last].replicator.want_range(RangeWish::new(..LENGTH));
    net.settle();
    net.assert_same(0, last);
    let shares: Vec<u64> =
        net.nodes[last].replicator.peers().map(|(_, peer)| peer.blocks_downloaded).collect();
    assert_eq!(shares.iter().sum::<u64>(), LENGTH);
    assert!(shares.iter().all(|share| *share > LENGTH / 4), "{shares:?}");
}

#[test]
fn what_a_lost_peer_was_asked_for_others_are_asked_for() {
    let mut net = Net::pair(2000);
    net.nodes[1].replicator.want_range(RangeWish::new(..));
    net.settle();
    let last = reader(net.nodes[0].log.key());
    let last = net.add(Node::new(last));
    let mute = net.connect(0, last);
    net.set_latency(mute, Duration::from_secs(1000));
    net.connect(1, last);
    let single = net.nodes[last].replicator.want_block(1234, 1);
    net.nodes[last].replicator.want_range(RangeWish::new(..2000));
    net.step();
    net.disconnect(mute);
    net.settle();
    net.assert_same(0, last);
    assert_eq!(net.nodes[last].outcome(single), Some(Outcome::Stored));
}

#[test]
fn a_faster_peer_takes_over() {
    let mut net = Net::pair(100);
    net.nodes[1].replicator.want_range(RangeWish::new(..));
    net.settle();
    let last = reader(net.nodes[0].log.key());
    let last = net.add(Node::new(last));
    let slow = net.connect(0, last);
    net.settle();
    // From now on nothing comes from the first.
    net.set_latency(slow, Duration::from_secs(3600));
    net.nodes[last].replicator.want_range(RangeWish::new(..100));
    net.step();
    net.connect(1, last);
    net.run_for(Duration::from_secs(5));
    net.assert_same(0, last);
    let slow = net.peer(slow, last);
    let cancelled =
        |message: &&(_, Message)| message.0 == slow && matches!(message.1, Message::Cancel(_));
    assert!(net.nodes[last].sent.iter().filter(cancelled).count() > 0);
}

#[test]
fn a_wish_that_is_taken_back_cancels_its_request() {
    let mut net = Net::pair(100);
    net.settle();
    let wish = net.nodes[1].replicator.want_block(5, 1);
    net.nodes[1].run(Duration::ZERO);
    net.nodes[1].replicator.cancel(wish);
    net.settle();
    assert!(!net.nodes[1].log.has(5));
    assert_eq!(net.nodes[1].outcome(wish), None);
    assert!(net.nodes[1].sent.iter().any(|(_, message)| matches!(message, Message::Cancel(_))));
}

#[test]
fn a_number_taken_back_rests_until_a_later_request_is_answered() {
    let mut net = Net::pair(100);
    net.settle();
    let first = net.nodes[1].replicator.want_block(5, 1);
    net.nodes[1].run(Duration::ZERO);
    let taken_back = net.nodes[1].requests().last().unwrap().id;
    net.nodes[1].replicator.cancel(first);
    net.nodes[1].replicator.want_block(6, 1);
    net.settle();
    let second = net.nodes[1].requests().last().unwrap().id;
    assert_ne!(second, taken_back);
    net.nodes[1].replicator.want_block(7, 1);
    net.settle();
    let third = net.nodes[1].requests().last().unwrap().id;
    assert!([second, taken_back].contains(&third));
}

#[test]
fn a_byte_is_found_over_the_network() {
    let mut net = Net::pair(1000);
    for bytes in [0, 1, 8, 9_999, 20_000] {
        let wish = net.nodes[1].replicator.want_seek(bytes, 0);
        net.settle();
        let (block, offset) = net.nodes[0].log.seek(bytes, 0).unwrap().unwrap();
        assert_eq!(net.nodes[1].outcome(wish), Some(Outcome::Found { block, offset }), "{bytes}");
    }
    assert_eq!(net.nodes[1].log.stored_count(0..1000), 0);
}

/// A writer, a copy and a reader with the log and no blocks. Neither gives nodes for a byte or the first block that it
/// is asked for: the reader asks for blocks near the byte, and waits.
fn seeking() -> Net {
    let mut net = Net::pair(100);
    net.nodes[1].replicator.want_range(RangeWish::new(..));
    net.settle();
    let last = net.add(Node::new(reader(net.nodes[0].log.key())));
    let is_first = Rc::new(Cell::new(true));
    for from in [0, 1] {
        let link = net.connect(from, last);
        let is_first = Rc::clone(&is_first);
        let tamper = move |message| match message {
            Message::Data(data) if data.proof.hash.is_some() => vec![Message::NoData(NoData {
                request_id: data.request_id,
                reason: Some(NoDataReason::NotAvailable),
            })],
            Message::Data(data) if data.proof.block.is_some() && is_first.take() => Vec::new(),
            message => vec![message],
        };
        net.tamper(link, from, Box::new(tamper));
    }
    net.settle();
    assert_eq!(net.nodes[last].log.length(), 100);
    net
}

#[test]
fn a_byte_is_found_although_another_brought_the_block_that_was_asked_for() {
    let mut net = seeking();
    let wish = net.nodes[2].replicator.want_seek(1000, 0);
    net.run_for(Duration::from_secs(30));
    let (block, offset) = net.nodes[0].log.seek(1000, 0).unwrap().unwrap();
    assert_eq!(net.nodes[2].outcome(wish), Some(Outcome::Found { block, offset }));
}

#[test]
fn a_block_is_fetched_although_the_seek_that_asked_for_it_is_taken_back() {
    for is_single in [true, false] {
        let mut net = seeking();
        let seek = net.nodes[2].replicator.want_seek(1000, 0);
        net.settle();
        let block = net.nodes[2].requests().last().unwrap().block.unwrap().index;
        let wish = if is_single {
            net.nodes[2].replicator.want_block(block, 1)
        } else {
            net.nodes[2].replicator.want_range(RangeWish::new(block..block + 1))
        };
        net.settle();
        net.nodes[2].replicator.cancel(seek);
        net.run_for(Duration::from_secs(30));
        assert_eq!(net.nodes[2].outcome(wish), Some(Outcome::Stored));
    }
}

#[test]
fn a_peer_with_too_short_a_tree_is_not_looked_at_again_before_it_grows() {
    let mut net = Net::pair(26);
    net.nodes[1].replicator.want_range(RangeWish::new(..));
    net.settle();
    net.disconnect(0);
    net.nodes[0].append(66);
    let last = net.add(Node::new(reader(net.nodes[0].log.key())));
    let link = net.connect(0, last);
    net.settle();
    net.disconnect(link);
    // It has the block, and no tree in which the node is that the reader has above it.
    net.connect(1, last);
    let wish = net.nodes[last].replicator.want_block(10, 1);
    net.run_for(Duration::from_secs(5));
    assert_eq!(net.nodes[last].outcome(wish), None);
    assert_eq!(net.nodes[last].next_run, Progress::Idle);
    net.connect(0, 1);
    net.run_for(Duration::from_secs(5));
    assert_eq!(net.nodes[last].outcome(wish), Some(Outcome::Stored));
}

#[test]
fn a_byte_past_the_end_waits_for_the_log_to_grow() {
    let mut net = Net::pair(10);
    let wish = net.nodes[1].replicator.want_seek(1 << 19, 0);
    net.settle();
    assert_eq!(net.nodes[1].outcome(wish), None);
    net.nodes[0].log.append(&[vec![0; 1 << 20]]).unwrap();
    net.nodes[0].replicator.log_changed(LogChange::Appended);
    let (block, offset) = net.nodes[0].log.seek(1 << 19, 0).unwrap().unwrap();
    net.settle();
    assert_eq!(net.nodes[1].outcome(wish), Some(Outcome::Found { block, offset }));
}

#[test]
fn an_old_tree_hash_is_found_over_the_network() {
    let mut net = Net::pair(1000);
    net.settle();
    while let Err(LogError::NodeMissing { index }) = net.nodes[1].log.tree_hash_at(777) {
        let wish = net.nodes[1].replicator.want_hash(flat_tree::Index::new(index));
        net.settle();
        assert_eq!(net.nodes[1].outcome(wish), Some(Outcome::Stored));
    }
    let hash = net.nodes[0].log.tree_hash_at(777).unwrap();
    assert_eq!(net.nodes[1].log.tree_hash_at(777).unwrap(), hash);
}

#[test]
fn a_longer_log_is_wished_for() {
    let mut net = Net::pair(10);
    let replicator = &mut net.nodes[1].replicator;
    let (latest, length) = (
        replicator.want_upgrade(UpgradeWish::Latest),
        replicator.want_upgrade(UpgradeWish::Length(12)),
    );
    net.settle();
    assert_eq!(net.nodes[1].outcome(latest), Some(Outcome::Grown));
    assert_eq!(net.nodes[1].outcome(length), None);
    let latest = net.nodes[1].replicator.want_upgrade(UpgradeWish::Latest);
    net.settle();
    assert_eq!(net.nodes[1].outcome(latest), Some(Outcome::Current));
    net.nodes[0].append(12);
    net.settle();
    assert_eq!(net.nodes[1].outcome(length), Some(Outcome::Stored));
}

#[test]
fn without_following_the_log_grows_only_by_wish() {
    let writer = writer(1);
    fill(&writer, 10);
    let mut net = Net::default();
    let copy = reader(writer.key());
    net.add(Node::new(writer));
    net.add(Node::with(copy, Options::new().follow(false)));
    net.connect(0, 1);
    net.settle();
    assert_eq!(net.nodes[1].log.length(), 0);
    net.nodes[1].replicator.want_upgrade(UpgradeWish::Latest);
    net.settle();
    assert_eq!(net.nodes[1].log.length(), 10);
    net.nodes[0].append(20);
    net.settle();
    assert_eq!(net.nodes[1].log.length(), 10);
}

#[test]
fn cleared_blocks_are_no_longer_asked_for() {
    let mut net = Net::pair(100);
    net.settle();
    net.nodes[0].log.clear(10..20).unwrap();
    net.nodes[0].replicator.log_changed(LogChange::Cleared(10..20));
    net.settle();
    let wish = net.nodes[1].replicator.want_range(RangeWish::new(..100));
    net.settle();
    assert_eq!(net.nodes[1].outcome(wish), None);
    let log = &net.nodes[1].log;
    assert_eq!(log.stored_count(0..100), 90);
    let refused = net.nodes[1].replicator.peers().next().unwrap().1.refused;
    assert_eq!(refused, 0);
}

#[test]
fn a_peer_that_may_not_upload_or_download_does_not() {
    let writer = writer(1);
    fill(&writer, 10);
    let mut net = Net::default();
    let copy = reader(writer.key());
    net.add(Node::new(writer));
    net.add(Node::new(copy));
    net.connect_with(0, PeerOptions::new().upload(false), 1, PeerOptions::new());
    net.nodes[1].replicator.want_range(RangeWish::new(..));
    net.settle();
    assert_eq!(net.nodes[1].log.length(), 0);
    let peer = net.peer(0, 0);
    net.nodes[0].replicator.set_peer_options(peer, PeerOptions::new());
    let here = net.peer(0, 1);
    net.nodes[1].replicator.set_peer_options(here, PeerOptions::new().download(false));
    net.settle();
    assert_eq!(net.nodes[1].log.length(), 0);
    net.nodes[1].replicator.set_peer_options(here, PeerOptions::new());
    net.settle();
    net.assert_same(0, 1);
}

#[test]
fn extension_messages_arrive() {
    let mut net = Net::pair(1);
    let peer = net.peer(0, 0);
    net.nodes[0].replicator.send_extension(peer, "chat".into(), (&b"hello"[..]).into());
    net.settle();
    let arrived = net.nodes[1].events.iter().any(|event| {
        matches!(event, Event::Extension { name, payload, .. } if &**name == "chat" && payload == "hello")
    });
    assert!(arrived);
}

#[test]
fn the_same_seed_gives_the_same_messages() {
    let run = |seed| {
        let writer = writer(1);
        fill(&writer, 3000);
        let mut net = Net::default();
        let copy = reader(writer.key());
        net.add(Node::new(writer));
        net.add(Node::with(copy, Options::new().seed(seed)));
        net.connect(0, 1);
        net.nodes[1].replicator.want_range(RangeWish::new(..));
        net.settle();
        net.assert_same(0, 1);
        net.nodes[1].requests()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}
