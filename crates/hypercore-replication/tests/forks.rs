//! Histories that are rewritten: truncations and reorganisations, before connecting and live.

mod support;

use std::time::Duration;

use hypercore_replication::{Event, Message, RangeMessage, RangeWish};
use support::{Net, Node, block, fill, reader};

/// Appends `count` blocks that differ from those of the first history.
fn append_others(net: &mut Net, node: usize, count: u64) {
    let log = &net.nodes[node].log;
    let blocks: Vec<Vec<u8>> =
        (0..count).map(|index| [block(index), vec![log.fork() as u8; 9]].concat()).collect();
    log.append(&blocks).unwrap();
    net.nodes[node].replicator.log_changed(hypercore_replication::LogChange::Appended);
}

#[test]
fn a_truncation_is_followed_live() {
    let mut net = Net::pair(20);
    net.nodes[1].replicator.want_range(RangeWish::new(..));
    net.settle();
    for (cut, add) in [(13, 0), (12, 30), (1, 1), (0, 7)] {
        net.nodes[0].truncate(cut).unwrap();
        append_others(&mut net, 0, add);
        net.settle();
        if net.nodes[0].log.length() > 0 {
            net.assert_same(0, 1);
        }
    }
    let cuts: Vec<u64> = net.nodes[1]
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Truncated { length, .. } => Some(*length),
            _ => None,
        })
        .collect();
    assert_eq!(cuts, [13, 12, 1, 0]);
}

#[test]
fn a_truncation_and_an_append_between_two_runs_are_told_apart() {
    let mut net = Net::pair(20);
    net.nodes[1].replicator.want_range(RangeWish::new(..));
    net.settle();
    net.nodes[0].sent.clear();
    net.nodes[0].truncate(5).unwrap();
    append_others(&mut net, 0, 40);
    net.settle();
    net.assert_same(0, 1);
    let said: Vec<&Message> = net.nodes[0]
        .sent
        .iter()
        .map(|(_, message)| message)
        .filter(|message| matches!(message, Message::Sync(_) | Message::Range(_)))
        .collect();
    // The drop, the sync, and all from 0: version 11 does not fetch what was rewritten otherwise (wire.md section 7.3).
    assert_eq!(*said[0], Message::Range(RangeMessage { drop: true, start: 5, length: 15 }));
    assert!(matches!(said[1], Message::Sync(sync) if sync.fork == 1 && sync.length == 45));
    assert_eq!(*said[2], Message::Range(RangeMessage { drop: false, start: 0, length: 45 }));
}

#[test]
fn a_reader_that_was_away_finds_what_stays() {
    for (old, cut, new) in
        [(100, 64, 300), (100, 99, 5), (100, 1, 200), (37, 36, 1), (1000, 333, 3000)]
    {
        let mut net = Net::pair(old);
        net.nodes[1].replicator.want_range(RangeWish::new(..));
        net.settle();
        net.assert_same(0, 1);
        net.disconnect(0);
        net.nodes[0].truncate(cut).unwrap();
        append_others(&mut net, 0, new);
        net.settle();
        net.connect(0, 1);
        net.settle();
        net.assert_same(0, 1);
        let cuts = net.nodes[1].events.iter().filter(
            |event| matches!(event, Event::Truncated { length, fork: 1 } if *length == cut),
        );
        assert_eq!(cuts.count(), 1, "{old} {cut} {new}");
        // What stayed did not come again.
        let blocks =
            net.nodes[1].events.iter().filter(|event| matches!(event, Event::Downloaded { .. }));
        assert_eq!(blocks.count() as u64, old + new);
    }
}

#[test]
fn an_empty_reader_takes_a_log_that_was_truncated_before() {
    let mut net = Net::pair(50);
    net.nodes[0].truncate(20).unwrap();
    append_others(&mut net, 0, 3);
    net.nodes[1].replicator.want_range(RangeWish::new(..));
    net.settle();
    net.assert_same(0, 1);
}

#[test]
fn a_truncation_while_others_download() {
    let mut net = Net::pair(3000);
    net.nodes[1].replicator.want_range(RangeWish::new(..));
    for _ in 0..12 {
        net.step();
    }
    assert!((1..3000).contains(&net.nodes[1].log.stored_count(0..3000)));
    net.nodes[0].truncate(1500).unwrap();
    append_others(&mut net, 0, 700);
    net.settle();
    net.assert_same(0, 1);
}

#[test]
fn a_lower_fork_is_ignored() {
    let mut net = Net::pair(20);
    net.nodes[1].replicator.want_range(RangeWish::new(..));
    net.settle();
    net.disconnect(0);
    // The writer moves on, and a third reader knows only the new fork.
    net.nodes[0].truncate(10).unwrap();
    append_others(&mut net, 0, 2);
    let third = reader(net.nodes[0].log.key());
    let third = net.add(Node::new(third));
    net.connect(0, third);
    net.nodes[third].replicator.want_range(RangeWish::new(..));
    net.settle();
    net.assert_same(0, third);
    // The old reader learns from the new one, and not the other way round.
    net.connect(1, third);
    net.settle();
    net.assert_same(0, third);
    net.assert_same(0, 1);
}

#[test]
fn a_silent_owner_of_a_higher_fork_does_not_keep_others_from_being_asked() {
    let mut net = Net::pair(20);
    net.nodes[1].replicator.want_range(RangeWish::new(..));
    net.settle();
    net.nodes[0].truncate(10).unwrap();
    append_others(&mut net, 0, 5);
    net.disconnect(0);
    let third = reader(net.nodes[0].log.key());
    let third = net.add(Node::new(third));
    let mute = net.connect(0, third);
    net.settle();
    net.nodes[third].replicator.want_range(RangeWish::new(..));
    net.settle();
    net.assert_same(0, third);
    net.disconnect(mute);
    // Both have the new fork; one of them never answers.
    let mute = net.connect(0, 1);
    net.connect(third, 1);
    net.step();
    net.set_latency(mute, Duration::from_secs(100_000));
    net.run_for(Duration::from_secs(20));
    net.assert_same(third, 1);
}

#[test]
fn a_log_cut_by_its_own_reader_handle_is_fetched_again() {
    let mut net = Net::pair(30);
    net.nodes[1].replicator.want_range(RangeWish::new(..));
    net.settle();
    net.nodes[1].log.clear(3..9).unwrap();
    net.nodes[1].replicator.log_changed(hypercore_replication::LogChange::Cleared(3..9));
    net.settle();
    let wish = net.nodes[1].replicator.want_range(RangeWish::new(3..9));
    net.settle();
    assert!(net.nodes[1].outcome(wish).is_some());
    net.assert_same(0, 1);
}

#[test]
fn without_a_wish_the_fork_is_followed_all_the_same() {
    let mut net = Net::pair(30);
    net.settle();
    net.nodes[0].truncate(4).unwrap();
    net.settle();
    assert_eq!(net.nodes[1].log.head(), net.nodes[0].log.head());
    fill(&net.nodes[0].log, 9);
    net.nodes[0].replicator.log_changed(hypercore_replication::LogChange::Appended);
    net.settle();
    assert_eq!(net.nodes[1].log.head(), net.nodes[0].log.head());
}
