//! What peers are told without having asked for it, and what they are told of stretches they want to know about. Most
//! of these are named after what happens to a JavaScript reader when it is not told.

mod served;

use std::ops::Range;

use hypercore_merkle::{BlockRequest, Request, UpgradeRequest};
use hypercore_replication::{
    Bitfield, LogChange, Message, Options, PeerOptions, Progress, Replicator, Sync, Want,
};
use served::{
    Served, compat_writer, data, dropped, eventual_writer, held, hello, one, reader, sparse, sync,
    syncs, upgrade_request, want, want_any, writer, written,
};

/// A large want region.
const REGION: u64 = 1 << 21;

fn request(request: Request) -> Message {
    Message::Request(request)
}

/// A reader of `from` with these blocks, and a peer that has none of them.
fn sparse_to_empty(length: u64, blocks: &[Range<u64>]) -> Served {
    let mut served = Served::new(sparse(&written(length), blocks));
    served.tell(hello(0, length));
    served.run();
    served
}

#[test]
fn a_channel_begins_with_a_sync_and_what_is_held() {
    let mut served = Served::new(written(10));
    let expected = Sync { has_manifest: true, remote_length: 0, ..sync(0, 10) };
    assert_eq!(served.run(), [Message::Sync(expected), held(0..10)]);
    assert_eq!(served.run(), []);
    // A second peer, later.
    let second = served.replicator.add_peer(PeerOptions::new());
    let said = served.run_all();
    assert_eq!(said, [(second, Message::Sync(expected)), (second, held(0..10))]);
}

#[test]
fn an_empty_core_begins_with_a_sync_alone() {
    let mut served = Served::new(writer());
    let said = served.run();
    assert_eq!(said, [Message::Sync(Sync { has_manifest: true, ..sync(0, 0) })]);
}

#[test]
fn a_sparse_core_begins_with_what_it_holds_from_the_start() {
    let mut served = Served::new(sparse(&written(1000), &[0..3, 5..9]));
    let said = served.run();
    assert_eq!(said[1..], [held(0..3)]);
}

#[test]
fn many_wants_do_not_keep_others_waiting() {
    let mut served = sparse_to_empty(200, std::slice::from_ref(&(100..110)));
    let wants = (0..500).map(|start| want(start % 200, 1 + start / 200));
    wants.for_each(|want| served.tell(want));
    let mut answers = 0;
    loop {
        let progress = served.replicator.run(&served.log, served.now);
        let answered = std::iter::from_fn(|| served.replicator.next_output()).count();
        assert!(answered <= 64, "{answered} in one run");
        answers += answered;
        if progress != Progress::More {
            break;
        }
    }
    assert_eq!(answers, 500);
}

/// Without it a new reader does not ask for the manifest, and its first upgrade fails.
#[test]
fn has_manifest_not_set_for_a_manifest_core() {
    let is_set = |log| syncs(&Served::new(log).run())[0].has_manifest;
    assert!(is_set(written(1)));
    assert!(!is_set(compat_writer()));
    // A reader that does not know it yet can not give it.
    assert!(!is_set(reader(written(1).key())));
    assert!(is_set(sparse(&written(5), &[])));
}

/// A reader asks for no upgrade before it was told that this side knows its length.
#[test]
fn no_sync_acknowledging_its_length() {
    let mut served = Served::new(written(10));
    served.run();
    // It comes back with blocks.
    let said = syncs(&served.ask(hello(0, 4)));
    assert_eq!(said, [Sync { has_manifest: true, remote_length: 4, ..sync(0, 10) }]);
    // It grew.
    let said = syncs(&served.ask(hello(0, 7)));
    assert_eq!(said[0].remote_length, 7);
    assert!(said[0].can_upgrade);
    // We grew, and it knows that it is known.
    let said = syncs(&served.append(1));
    assert_eq!((said[0].length, said[0].remote_length), (11, 7));
    // Nothing new is not told twice.
    assert_eq!(served.ask(hello(0, 7)), []);
}

/// Only somebody who has the roots of a tree can lead on from it.
#[test]
fn can_upgrade_is_said_of_the_length_that_was_heard_last() {
    // Twelve blocks have the roots 7 and 19, which a reader of 13 learned. It did not learn 3 and 9, those of 6.
    let mut served = Served::new(sparse(&written(13), &[]));
    served.run();
    let mut can_upgrade = |length, fork| syncs(&served.ask(hello(fork, length))).pop().unwrap();
    assert!(!can_upgrade(6, 0).can_upgrade);
    assert!(can_upgrade(12, 0).can_upgrade);
    assert!(!can_upgrade(13, 0).can_upgrade);
    assert!(can_upgrade(0, 0).can_upgrade);
    assert!(!can_upgrade(14, 0).can_upgrade);
    let other_fork = can_upgrade(12, 1);
    assert!(!other_fork.can_upgrade && other_fork.remote_length == 0);
}

/// A v11 reader forgets after a reorganisation what the writer holds, unless it is told from 0 on.
#[test]
fn range_from_0_missing_after_a_reorganisation() {
    let mut served = Served::greeted(written(10));
    served.truncate(5);
    served.log.append(&served::blocks(100..107)).unwrap();
    served.replicator.log_changed(LogChange::Appended);
    let said = served.run();
    let sync = Sync { has_manifest: true, can_upgrade: false, ..sync(1, 12) };
    assert_eq!(said, [dropped(5..10), Message::Sync(sync), held(0..12)]);
}

#[test]
fn a_truncation_is_a_drop_and_then_a_sync() {
    let mut served = Served::greeted(written(10));
    served.truncate(5);
    let said = served.run();
    let sync = Sync { has_manifest: true, can_upgrade: false, ..sync(1, 5) };
    assert_eq!(said, [dropped(5..10), Message::Sync(sync), held(0..5)]);
    // When the reader has followed, it is told that this side can go on.
    let said = syncs(&served.append(3));
    assert!(!said[0].can_upgrade);
    let said = syncs(&served.ask(hello(1, 5)));
    assert!(said[0].can_upgrade && said[0].remote_length == 5);
}

/// JavaScript announces everything whenever it holds everything.
#[test]
fn a_complete_log_announces_from_0_whenever_it_grows() {
    let mut served = Served::greeted(written(1000));
    for length in [1001, 1003] {
        let said = served.append(length - served.log.length());
        assert_eq!(syncs(&said).len(), 1);
        assert_eq!(said[1..], [held(0..length)]);
    }
}

/// A reader that becomes complete says so once, and again when it has been less in between.
#[test]
fn a_reader_that_completes_announces_everything() {
    let full = written(400);
    let mut served = Served::new(sparse(&full, &[0..1, 2..400]));
    let source = served.replicator.add_peer(PeerOptions::new());
    for peer in [served.peer, source] {
        served.replicator.receive(peer, hello(0, 400)).unwrap();
    }
    served.replicator.receive(source, held(0..400)).unwrap();
    served.run();
    for _ in 0..2 {
        served.replicator.want_block(1, 1);
        let asked = served.run_all();
        let Some((to, Message::Request(asked))) = asked.first().cloned() else {
            panic!("{asked:?}")
        };
        assert_eq!(to, source);
        let proof = full.create_proof(&asked).unwrap().unwrap();
        let answer = hypercore_merkle::Data { request_id: asked.id, proof };
        served.replicator.receive(source, Message::Data(Box::new(answer))).unwrap();
        let mut said = served.run_all();
        said.sort_by_key(|(to, _)| *to);
        assert_eq!(said, [(served.peer, held(0..400)), (source, held(0..400))]);
        assert_eq!(served.run_all(), []);
        served.clear(1..2);
        assert_eq!(served.run(), [dropped(1..2), held(2..400)]);
    }
}

/// Blocks come to a reader from one peer; another is told only if it wants to know, or if they are among the last.
#[test]
fn new_blocks_are_announced_to_those_that_want_them() {
    let full = written(10_000);
    let mut served = Served::with(sparse(&full, &[]), PeerOptions::new().download(false));
    let source = served.replicator.add_peer(PeerOptions::new());
    for peer in [served.peer, source] {
        served.replicator.receive(peer, hello(0, 10_000)).unwrap();
    }
    served.replicator.receive(source, held(0..10_000)).unwrap();
    served.run_all();
    let arrives = |served: &mut Served, index| {
        served.replicator.want_block(index, 1);
        let asked = served.run_all();
        let [(to, Message::Request(asked))] = &asked[..] else { panic!("{asked:?}") };
        assert_eq!(*to, source);
        let proof = full.create_proof(asked).unwrap().unwrap();
        let answer = hypercore_merkle::Data { request_id: asked.id, proof };
        served.replicator.receive(source, Message::Data(Box::new(answer))).unwrap();
        let said = served.run_all();
        // Who has it need not be told.
        assert!(said.iter().all(|(to, _)| *to != source), "{said:?}");
        said.into_iter().map(|(_, message)| message).collect::<Vec<_>>()
    };
    assert_eq!(arrives(&mut served, 5000), []);
    assert_eq!(arrives(&mut served, 9743), []);
    assert_eq!(arrives(&mut served, 9744), [held(9744..9745)]);
    assert_eq!(arrives(&mut served, 9999), [held(9999..10_000)]);

    let small = Want { start: 4096, length: 4096, any: false };
    assert_eq!(served.ask(Message::Want(small)).len(), 1);
    assert_eq!(arrives(&mut served, 4095), []);
    assert_eq!(arrives(&mut served, 4096), [held(4096..4097)]);
    assert_eq!(arrives(&mut served, 8191), [held(8191..8192)]);
    assert_eq!(arrives(&mut served, 8192), []);
    served.tell(Message::Unwant(small));
    assert_eq!(arrives(&mut served, 4097), []);
    // Large regions, stretches of which any block will do, and what is no region at all: everything is announced then.
    served.ask(want(0, REGION));
    assert_eq!(arrives(&mut served, 100), [held(100..101)]);
    served.tell(Message::Unwant(Want { start: 0, length: REGION, any: false }));
    assert_eq!(arrives(&mut served, 102), []);
    served.ask(want_any(200, 10));
    assert_eq!(arrives(&mut served, 199), []);
    assert_eq!(arrives(&mut served, 209), [held(209..210)]);
    served.tell(Message::Unwant(Want { start: 200, length: 10, any: true }));
    assert_eq!(arrives(&mut served, 208), []);
    served.ask(want(1, 33));
    assert_eq!(arrives(&mut served, 1000), [held(1000..1001)]);
    // The peer that has a block itself is not told of it.
    served.tell(held(2000..2001));
    assert_eq!(arrives(&mut served, 2000), []);
}

#[test]
fn more_wants_than_are_kept_want_everything() {
    let announces = |wants: &[Message]| {
        let full = written(1000);
        let mut served = Served::with(sparse(&full, &[]), PeerOptions::new().download(false));
        served.tell(hello(0, 1000));
        let source = served.replicator.add_peer(PeerOptions::new());
        served.replicator.receive(source, hello(0, 1000)).unwrap();
        served.replicator.receive(source, held(0..1000)).unwrap();
        wants.iter().for_each(|want| served.tell(want.clone()));
        served.run_all();
        served.replicator.want_block(7, 1);
        let asked = served.run_all();
        let [(_, Message::Request(asked))] = &asked[..] else { panic!("{asked:?}") };
        let proof = full.create_proof(asked).unwrap().unwrap();
        let answer = hypercore_merkle::Data { request_id: asked.id, proof };
        served.replicator.receive(source, Message::Data(Box::new(answer))).unwrap();
        !served.run_all().is_empty()
    };
    let regions = |count: u64| (1..=count).map(|n| want(n * 4096, 4096)).collect::<Vec<_>>();
    assert!(!announces(&regions(512)));
    assert!(announces(&regions(513)));
    // The same ones again are none more.
    assert!(!announces(&[regions(512), regions(512)].concat()));
    let any = |count: u64| (1..=count).map(|n| want_any(n * 100, 5)).collect::<Vec<_>>();
    assert!(!announces(&any(16)));
    assert!(announces(&any(17)));
    let lengths = |count: u32| (0..count).map(|n| want(32 << n, 32 << n)).collect::<Vec<_>>();
    assert!(!announces(&lengths(4)));
    assert!(announces(&lengths(5)));
    // Too long to be answered, and too long to be kept.
    assert!(!announces(&[want(REGION * 2, REGION * 2), want((1 << 53) - 1, (1 << 53) - 1)]));
    // The start is not a multiple, the length no power of two, or too short.
    for odd in [want(4096 + 32, 4096), want(0, 96), want(16, 16), want(5, 0)] {
        assert!(announces(&[odd]));
    }
}

/// What lies above a drop is unknown to the other side again, so it is told once more.
#[test]
fn what_lies_above_a_drop_is_announced_again() {
    let mut served = Served::greeted(written(10_000));
    served.clear(100..200);
    assert_eq!(served.run(), [dropped(100..200), held(200..10_000)]);
    served.clear(50..60);
    assert_eq!(served.run(), [dropped(50..60), held(60..100)]);
    // Above what the other side counts as contiguous nothing else gets lost.
    served.clear(5000..5001);
    assert_eq!(served.run(), [dropped(5000..5001)]);
    // Someone who comes now learns the rest by wants.
    let second = served.replicator.add_peer(PeerOptions::new());
    let said = served.run_all();
    assert!(said.contains(&(second, held(0..50))));
}

/// However many blocks are cleared while a peer does not read, what it is told is true and not much.
#[test]
fn many_drops_for_a_peer_that_does_not_read_are_few_messages() {
    let mut served = Served::greeted(written(2000));
    served.replicator.set_room(served.peer, 0);
    for index in (0..2000).step_by(2) {
        served.clear(index..index + 1);
        assert_eq!(served.run(), []);
    }
    served.replicator.set_room(served.peer, usize::MAX);
    let mut told = vec![true; 2000];
    let said = served.run();
    assert!(said.len() < 200, "{}", said.len());
    take_in(&said, &mut told);
    let expected: Vec<_> = (0..2000).map(|index| index % 2 == 1).collect();
    assert_eq!(told, expected);
}

/// What a peer that believes it all knows then.
fn take_in(said: &[Message], told: &mut [bool]) {
    let mut fill = |range: Range<u64>, value: bool| {
        for block in range {
            if let Some(told) = told.get_mut(usize::try_from(block).unwrap()) {
                *told = value;
            }
        }
    };
    for message in said {
        match message {
            Message::Range(range) => fill(range.start..range.start + range.length, !range.drop),
            Message::Bitfield(bits) => {
                for (place, word) in (0..).zip(bits.words()) {
                    for bit in 0..32 {
                        let block = bits.start() + 32 * place + bit;
                        fill(block..block + 1, word >> bit & 1 == 1);
                    }
                }
            }
            _ => {}
        }
    }
}

/// A reader that is not answered never asks for the blocks.
#[test]
fn want_unanswered() {
    // Everything is held.
    let mut served = Served::greeted(written(10));
    assert_eq!(served.ask(want(0, REGION)), [held(0..10)]);
    assert_eq!(served.ask(want(0, 4096)), [held(0..10)]);
    assert_eq!(served.ask(want_any(3, 1)), [held(0..10)]);
    // Nothing is there at all.
    let mut served = Served::greeted(writer());
    assert_eq!(served.ask(want(0, REGION)), [held(0..0)]);
    // The stretch ends before the first gap.
    let mut served = sparse_to_empty(10_000, &[0..5000, 6000..6001]);
    assert_eq!(served.ask(want(0, 4096)), [held(0..5000)]);
    assert_eq!(served.ask(want_any(4999, 100)), [held(0..5000)]);
    // Any block after it.
    assert_eq!(served.ask(want_any(5500, 1000)), [held(6000..6001)]);
    assert_eq!(served.ask(want_any(5500, 100)), []);
    // The bits, without the empty words at both ends.
    let bits = Bitfield::new(5984, &[1 << 16]);
    assert_eq!(served.ask(want(5120, 1024)), [Message::Bitfield(bits)]);
    // Nothing held is an answer too.
    let none = Bitfield::new(8192, &[0]);
    assert_eq!(served.ask(want(8192, 1024)), [Message::Bitfield(none)]);
    // Past the end: what is held from the start.
    assert_eq!(served.ask(want(16384, 4096)), [held(0..5000)]);
    // Too long for anybody.
    assert_eq!(served.ask(want(0, REGION + 1)), []);
}

#[test]
fn odd_wants_are_answered_with_the_truth() {
    let blocks: Vec<_> = (0..300).map(|n| 7 * n + 3..7 * n + 5).collect();
    let mut served = sparse_to_empty(3000, &blocks);
    for (start, length) in
        [(0, REGION), (5, 33), (31, 1), (2999, 5), (1, 2998), (64, 32), (0, 1), (1000, 1)]
    {
        let said = served.ask(want(start, length));
        assert!(!said.is_empty(), "{start} {length}");
        let mut told = vec![false; 3000];
        take_in(&said, &mut told);
        for index in start..(start + length).min(3000) {
            let expected = blocks.iter().any(|range| range.contains(&index));
            assert_eq!(told[usize::try_from(index).unwrap()], expected, "{start} {length} {index}");
        }
        for message in said {
            let Message::Bitfield(bits) = message else { panic!("{message:?}") };
            assert!(bits.start().is_multiple_of(32) && bits.start() + 32 > start.min(2976));
        }
    }
}

/// A long want is answered in pieces, as there is room for them.
#[test]
fn the_answer_to_a_want_waits_for_room() {
    let full = writer();
    for _ in 0..10 {
        full.append(&vec![b"x"; 10_000]).unwrap();
    }
    full.clear(0..1).unwrap();
    full.clear(99_990..99_991).unwrap();
    let mut served = Served::greeted(full);
    served.replicator.set_room(served.peer, 0);
    for _ in 0..100 {
        served.tell(want(0, REGION));
    }
    assert_eq!(served.run(), []);
    let mut told = vec![false; 100_000];
    for _ in 0..4 {
        // The peer is not drowned.
        served.replicator.set_room(served.peer, 100);
        let said = served.run();
        let Message::Bitfield(bits) = one(said.clone()) else { panic!() };
        assert!(bits.words().len() <= 1024);
        take_in(&said, &mut told);
    }
    let missing: Vec<_> = (0..100_000).filter(|index| !told[*index]).collect();
    assert_eq!(missing, [0, 99_990]);
    // Those that said the same were answered with it.
    served.replicator.set_room(served.peer, usize::MAX);
    assert_eq!(served.run(), []);
}

/// However many stretches a peer wants to know about: there is an end to what it is told, and to what waits.
#[test]
fn a_flood_of_wants_is_bounded() {
    let mut served = sparse_to_empty(100, &[50..51, 60..61]);
    served.replicator.set_room(served.peer, 0);
    for number in 0..100_000_u64 {
        served.tell(want(number % 50, number));
        served.tell(want_any(number, number));
        served.tell(want(number << 30, 1 << (number % 53)));
    }
    served.replicator.set_room(served.peer, usize::MAX);
    assert!(served.run().len() <= 528);
}

/// A writer announces only what a power cut can not take back: else it might sign another block in its place.
#[test]
fn blocks_are_announced_when_they_are_durable() {
    let log = eventual_writer();
    log.append(&["one"]).unwrap();
    log.flush().unwrap();
    let mut served = Served::greeted(log);
    served.log.append(&["two", "three"]).unwrap();
    served.replicator.log_changed(LogChange::Appended);
    assert_eq!((served.log.length(), served.log.durable_length()), (3, 1));
    assert_eq!(served.run(), []);
    assert_eq!(served.ask(want(0, 32)), [held(0..1)]);
    served.log.flush().unwrap();
    served.replicator.log_changed(LogChange::Appended);
    let said = served.run();
    assert_eq!(syncs(&said)[0].length, 3);
    assert_eq!(said[1..], [held(0..3)]);
}

/// One run that announces and answers for a thousand peers says the same to each.
#[test]
fn all_peers_are_told() {
    let mut served = Served::new(written(5));
    for _ in 0..100 {
        served.replicator.add_peer(PeerOptions::new());
    }
    assert_eq!(served.run_all().len(), 202);
    served.log.append(&["more"]).unwrap();
    served.replicator.log_changed(LogChange::Appended);
    assert_eq!(served.run_all().len(), 202);
}

/// Blocks are pushed to readers that take what they have not asked for, with what they need to trust them.
#[test]
fn new_blocks_are_pushed_where_they_are_welcome() {
    let mut served = Served::new(written(10));
    let second = served.replicator.add_peer(PeerOptions::new());
    let welcome = |length| Message::Sync(Sync { allow_push: true, ..sync(0, length) });
    served.tell(welcome(10));
    served.replicator.receive(second, hello(0, 10)).unwrap();
    served.run_all();
    let reader = reader(served.log.key());
    let upgrade = Some(UpgradeRequest { start: 0, length: 10 });
    let all = Request { upgrade, manifest: true, ..Request::default() };
    reader.apply_proof(&served.log.create_proof(&all).unwrap().unwrap()).unwrap();

    served.log.append(&served::blocks(10..14)).unwrap();
    served.replicator.log_changed(LogChange::Appended);
    let said = served.run_all();
    let mut pushed = Vec::new();
    for (to, message) in said {
        if let Message::Data(data) = message {
            assert_eq!((to, data.request_id), (served.peer, 0));
            let applied = reader.apply_proof(&data.proof).unwrap();
            assert_eq!(applied.length, 14);
            pushed.push(applied.block.unwrap());
        }
    }
    assert_eq!(pushed, [10, 11, 12, 13]);
    // What it has is not pushed, and nothing once it wants none.
    served.tell(welcome(14));
    served.tell(held(0..15));
    served.log.append(&served::blocks(14..16)).unwrap();
    served.replicator.log_changed(LogChange::Appended);
    let is_data = |message: &Message| matches!(message, Message::Data(_));
    assert_eq!(served.run().iter().filter(|message| is_data(message)).count(), 1);
    served.ask(hello(0, 16));
    served.log.append(&["more"]).unwrap();
    served.replicator.log_changed(LogChange::Appended);
    assert!(!served.run().iter().any(is_data));
}

/// An empty reader that is pushed to needs the manifest as well.
#[test]
fn the_first_push_brings_the_manifest() {
    let mut served = Served::new(writer());
    served.tell(Message::Sync(Sync { allow_push: true, ..sync(0, 0) }));
    served.run();
    served.log.append(&["one", "two"]).unwrap();
    served.replicator.log_changed(LogChange::Appended);
    let reader = reader(served.log.key());
    let mut blocks = 0;
    for message in served.run() {
        if let Message::Data(data) = message {
            assert_eq!(data.proof.manifest.is_some(), blocks == 0);
            reader.apply_proof(&data.proof).unwrap();
            blocks += 1;
        }
    }
    assert_eq!(blocks, 2);
    assert_eq!(reader.contiguous_length(), 2);
}

/// Two peers, one of which never reads, cost what one costs.
#[test]
fn a_peer_that_never_reads_collects_nothing() {
    let mut served = Served::greeted(written(10));
    served.replicator.set_room(served.peer, 0);
    let mut said = 0;
    for _ in 0..1000 {
        said += served.append(1).len();
    }
    assert!(said <= 1, "{said} messages");
    served.replicator.set_room(served.peer, usize::MAX);
    let said = served.run();
    assert_eq!(syncs(&said).last().map(|sync| sync.length), Some(1010));
    assert_eq!(said.last(), Some(&held(0..1010)));
}

#[test]
fn a_push_is_no_upgrade_for_a_request() {
    let mut served = Served::new(written(10));
    served.tell(Message::Sync(Sync { allow_push: true, ..sync(0, 4) }));
    served.run();
    let asked =
        Request { block: Some(BlockRequest { index: 8, nodes: 0 }), ..upgrade_request(3, 4, 6) };
    let answer = data(served.ask(request(asked)));
    assert_eq!(answer.request_id, 3);
    assert_eq!(answer.proof.upgrade.unwrap().start, 4);
    assert_eq!(Replicator::new(Options::new()).peers().count(), 0);
}
