//! Peers that promise and do not keep it: waits end all the same, others get their turn, and this side does not turn in
//! circles.

mod support;

use std::collections::VecDeque;
use std::time::Duration;

use hypercore_log::Log;
use hypercore_merkle::{BlockProof, Data, Proof, Request};
use hypercore_replication::{
    Event, Message, NoData, NoDataReason, Outcome, Output, PeerId, PeerOptions, Progress,
    RangeMessage, RangeWish, Sync, UpgradeWish,
};
use support::{Net, Node, fill, reader, writer};

fn sync(fork: u64, length: u64, remote_length: u64) -> Sync {
    Sync {
        can_upgrade: true,
        uploading: true,
        downloading: true,
        fork,
        length,
        remote_length,
        ..Sync::default()
    }
}

/// A reader, and a peer of it that is played by the test.
struct Played {
    node: Node,
    peer: PeerId,
    log: Log,
    now: Duration,
    requests: VecDeque<Request>,
    said: Vec<Message>,
}

impl Played {
    /// The reader knows the length of the peer's log, and that it holds everything.
    fn new(length: u64) -> Self {
        let log = writer(1);
        fill(&log, length);
        let mut node = Node::new(reader(log.key()));
        let peer = node.replicator.add_peer(PeerOptions::new());
        let now = Duration::ZERO;
        let mut played = Self { node, peer, log, now, requests: VecDeque::new(), said: Vec::new() };
        played.say(Message::Range(RangeMessage { drop: false, start: 0, length }));
        played.say(Message::Sync(Sync { has_manifest: true, ..sync(0, length, 0) }));
        played.run();
        let upgrade = played.requests.pop_front().unwrap();
        played.answer(&upgrade);
        played.say(Message::Sync(Sync { has_manifest: true, ..sync(0, length, length) }));
        played.run();
        assert_eq!(played.node.log.length(), length);
        played
    }

    fn say(&mut self, message: Message) {
        self.node.replicator.receive(self.peer, message).unwrap();
    }

    fn answer(&mut self, request: &Request) {
        let proof = self.log.create_proof(request).unwrap().unwrap();
        self.say(Message::Data(Box::new(Data { request_id: request.id, proof })));
    }

    fn refuse(&mut self, request: &Request) {
        let reason = Some(NoDataReason::NotAvailable);
        self.say(Message::NoData(NoData { request_id: request.id, reason }));
    }

    /// How often it ran until there was nothing to do at once.
    fn run(&mut self) -> usize {
        for runs in 1..1000 {
            for output in self.node.run(self.now) {
                match output {
                    Output::Send { message: Message::Request(request), .. } => {
                        self.requests.push_back(request);
                    }
                    Output::Send { message, .. } => self.said.push(message),
                    other => panic!("{other:?}"),
                }
            }
            if self.node.next_run != Progress::More {
                return runs;
            }
        }
        panic!("it never comes to rest");
    }

    fn accused(&self) -> usize {
        let failed = |event: &&Event| matches!(event, Event::VerificationFailed { .. });
        self.node.events.iter().filter(failed).count()
    }
}

#[test]
fn asking_for_the_latest_ends_when_the_writer_has_cut_everything() {
    let mut net = Net::pair(3);
    net.settle();
    net.nodes[0].truncate(0).unwrap();
    net.settle();
    let wish = net.nodes[1].replicator.want_upgrade(UpgradeWish::Latest);
    net.settle();
    assert_eq!(net.nodes[1].outcome(wish), Some(Outcome::Current));
}

#[test]
fn asking_for_the_latest_does_not_wait_for_who_can_not_give_it() {
    // Longer on a fork that was left; a new fork that is not shared; lengths of a peer that is not asked.
    let stale = Sync { can_upgrade: false, ..sync(0, 100, 0) };
    let closed = Sync { uploading: false, ..sync(7, 100, 0) };
    for said in [stale, closed] {
        let mut net = Net::pair(9);
        net.nodes[0].truncate(4).unwrap();
        net.settle();
        assert_eq!(net.nodes[1].log.fork(), 1);
        net.disconnect(0);
        let node = &mut net.nodes[1];
        let peer = node.replicator.add_peer(PeerOptions::new());
        node.replicator.receive(peer, Message::Sync(said)).unwrap();
        let wish = node.replicator.want_upgrade(UpgradeWish::Latest);
        node.run(net.now);
        assert_eq!(node.outcome(wish), Some(Outcome::Current), "{said:?}");
    }
}

#[test]
fn asking_for_the_latest_waits_for_a_new_fork_and_for_more() {
    for said in [sync(1, 1, 0), sync(0, 10, 0)] {
        let mut net = Net::pair(9);
        net.settle();
        net.disconnect(0);
        let node = &mut net.nodes[1];
        let peer = node.replicator.add_peer(PeerOptions::new());
        node.replicator.receive(peer, Message::Sync(said)).unwrap();
        let wish = node.replicator.want_upgrade(UpgradeWish::Latest);
        node.run(net.now);
        assert_eq!(node.outcome(wish), None, "{said:?}");
    }
}

#[test]
fn who_claims_the_highest_fork_and_is_silent_keeps_nobody_from_bringing_a_lower_one() {
    let mut net = Net::pair(40);
    net.nodes[1].replicator.want_range(RangeWish::new(..));
    net.settle();
    net.disconnect(0);
    net.nodes[0].truncate(13).unwrap();
    net.nodes[0].append(22);
    // Two of them, so that one takes over from the other.
    for fork in [1000, 2000] {
        let liar = net.add(Node::new(reader(net.nodes[0].log.key())));
        let link = net.connect(liar, 1);
        let lie = move |message| match message {
            Message::Sync(_) => vec![Message::Sync(sync(fork, 50, 0))],
            _ => Vec::new(),
        };
        net.tamper(link, liar, Box::new(lie));
    }
    let honest = net.connect(0, 1);
    net.set_latency(honest, Duration::from_millis(100));
    net.run_for(Duration::from_secs(20));
    net.assert_same(0, 1);
}

/// wire.md section 7.7: the peer answers in any order, and may not have read the cancel when it answers what was asked
/// before it.
#[test]
fn the_number_of_a_request_that_was_taken_back_rests_until_a_later_one_is_answered() {
    let mut played = Played::new(20);
    let taken_back = played.node.replicator.want_block(3, 1);
    // Of another part of the tree: it does not lean on the first.
    played.node.replicator.want_block(17, 1);
    played.run();
    let (first, second) =
        (played.requests.pop_front().unwrap(), played.requests.pop_front().unwrap());
    played.node.replicator.cancel(taken_back);
    played.run();
    played.answer(&second);
    played.run();
    played.node.replicator.want_block(18, 1);
    played.run();
    let third = played.requests.pop_front().unwrap();
    assert_ne!(third.id, first.id, "its answer may be on its way");
    played.answer(&first);
    played.run();
    assert_eq!(played.accused(), 0);

    // This one was asked for after the cancel.
    played.answer(&third);
    played.run();
    let more: Vec<u64> = (10..14)
        .map(|block| {
            played.node.replicator.want_block(block, 1);
            played.run();
            played.requests.pop_front().unwrap().id
        })
        .collect();
    assert!(more.contains(&first.id), "{more:?}: it is never used again");
}

#[test]
fn a_peer_is_asked_again_after_everything_was_taken_back() {
    let mut played = Played::new(600);
    let wishes: Vec<_> =
        (0..600).map(|block| played.node.replicator.want_block(block, 1)).collect();
    played.run();
    assert_eq!(played.requests.len(), 255);
    // Whoever leans on another goes first, so that none is worth waiting for.
    wishes.into_iter().rev().for_each(|wish| played.node.replicator.cancel(wish));
    played.run();
    let taken_back = |message: &&Message| matches!(message, Message::Cancel(_));
    assert_eq!(played.said.iter().filter(taken_back).count(), 255);
    played.requests.clear();
    // The peer has read all of that, and answers nothing of it.
    let wish = played.node.replicator.want_range(RangeWish::new(0..600));
    while played.node.outcome(wish).is_none() {
        played.run();
        assert!(!played.requests.is_empty(), "it is not asked any more");
        for request in std::mem::take(&mut played.requests) {
            played.answer(&request);
        }
        played.run();
    }
}

/// Answers wait for the one that they lean on. That one never comes.
#[test]
fn answers_that_wait_count_as_in_flight_however_small_they_are() {
    let mut played = Played::new(5000);
    played.node.replicator.want_range(RangeWish::new(0..5000).linear());
    played.run();
    let first = played.requests.pop_front().unwrap();
    assert_eq!(first.block.unwrap().index, 0);
    for _ in 0..15 {
        for request in std::mem::take(&mut played.requests) {
            let block = BlockProof { index: request.block.unwrap().index, ..BlockProof::default() };
            let proof = Proof { block: Some(block), ..Proof::default() };
            played.say(Message::Data(Box::new(Data { request_id: request.id, proof })));
        }
        played.run();
    }
    let in_flight = played.node.replicator.peer(played.peer).unwrap().in_flight;
    // As many as wait may have been asked for before it was known that they do.
    assert!(in_flight <= 2 * 255, "{in_flight}");
}

#[test]
fn refusals_of_hundreds_of_blocks_are_not_gone_through_for_ever() {
    let mut played = Played::new(900);
    played.node.replicator.want_range(RangeWish::new(0..900).linear());
    for _ in 0..5 {
        played.run();
        for request in std::mem::take(&mut played.requests) {
            // One that delivers now and then has no rest. Nothing that it delivers leans on what it refused.
            let block = request.block.unwrap().index;
            if block % 32 == 0 {
                played.answer(&request)
            } else {
                played.refuse(&request)
            }
            let runs = played.run();
            assert!(runs < 20, "{runs} runs for nothing");
        }
    }
    assert!(played.requests.is_empty() && played.node.log.stored_count(0..900) == 29);
    // What it refused it is asked for again in the end.
    for _ in 0..400 {
        played.now += Duration::from_secs(1);
        played.run();
        for request in std::mem::take(&mut played.requests) {
            played.answer(&request);
        }
    }
    assert!(played.node.log.has_range(0..900));
}
