//! Answers to requests: each gets one, whatever it asks for, and none too many can wait.

mod golden;
mod served;

use std::time::Duration;

use bytes::Bytes;
use compact_encoding::{Decode, Encode};
use golden::{array, bytes, list, text, to_hex};
use hypercore_crypto::KeyPair;
use hypercore_log::{Create, Log, OpenOptions};
use hypercore_merkle::{BlockRequest, Data, Proof, Request, UpgradeRequest};
use hypercore_replication::{
    Cancel, CloseReason, Event, Message, PeerFault, PeerOptions, Progress, REQUESTS_PER_PEER_MAX,
};
use proptest::prelude::*;
use serde_json::Value;
use served::{
    Served, answered, block, block_request, compat_writer, data, eventual_writer, fetch,
    hash_request, hello, invalid, manifest, one, reader, seek_request, sparse, unavailable,
    upgrade_request, writer, written,
};

fn request(request: Request) -> Message {
    Message::Request(request)
}

fn cancel(request_id: u64) -> Message {
    Message::Cancel(Cancel { request_id })
}

/// Longer than any refusal waits.
const LONG: Duration = Duration::from_secs(10);

#[test]
fn recorded_requests_are_answered_with_the_same_bytes() {
    let json: Value = serde_json::from_str(include_str!("fixtures/proofs.json")).unwrap();
    let core = &json["core"];
    let key_pair = KeyPair::from_seed(&array(&core["keyPairSeed"]));
    let options = OpenOptions::new().create(Create::IfMissing).key_pair(key_pair);
    let log = Log::open(served::stores(), options).unwrap();
    assert_eq!(log.key().as_bytes(), &array(&core["key"]));
    log.append(&list(&core["blocks"]).iter().map(bytes).collect::<Vec<_>>()).unwrap();
    let mut served = Served::greeted(log);
    let (mut answers, mut refusals) = (0, 0);
    for case in list(&json["vectors"]) {
        let what = text(&case["comment"]);
        let asked = Request::from_slice(&bytes(&case["request"]["hex"])).unwrap();
        let mut said = served.ask(request(asked));
        match case["error"].as_str() {
            None => {
                let answer = one(said);
                assert_eq!(to_hex(&answer.to_vec()), text(&case["data"]["hex"]), "{what}");
                let frame = Bytes::from(answer.to_vec());
                assert_eq!(Message::decode(3, &frame), Ok(Some(answer)), "{what}");
                answers += 1;
            }
            Some("NOT_AVAILABLE") => {
                assert_eq!(said, [unavailable(asked.id)], "{what}");
                refusals += 1;
            }
            Some(_) => {
                said.extend(served.wait(LONG));
                assert_eq!(said, [invalid(asked.id)], "{what}");
                refusals += 1;
            }
        }
    }
    assert_eq!((answers, refusals), (68, 6));
}

#[test]
fn an_empty_core_answers_with_nothing_but_the_manifest() {
    let mut served = Served::greeted(writer());
    let empty = |id| Data { request_id: id, proof: Proof::default() };
    assert_eq!(data(served.ask(request(upgrade_request(1, 0, 1)))), empty(1));
    assert_eq!(data(served.ask(request(hash_request(2, 0, 0)))), empty(2));
    assert_eq!(data(served.ask(request(seek_request(3, 5)))), empty(3));
    assert_eq!(one(served.ask(request(block_request(4, 0)))), unavailable(4));
    let asked = Request { id: 5, manifest: true, ..Request::default() };
    let proof = Proof { manifest: Some(manifest()), ..Proof::default() };
    assert_eq!(data(served.ask(request(asked))), Data { request_id: 5, proof });
}

/// Every answer to every request, in any order and mixed with cancels and repeated ids, comes once.
#[derive(Clone, Debug)]
enum Step {
    Ask(u64, u64, u64),
    Cancel(u64),
    Room(usize),
    Run,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..40_u64, 0..60_u64, 0..3_u64).prop_map(|(id, what, priority)| {
            Step::Ask(id * 50, what, priority)
        }),
        2 => (0..40_u64).prop_map(|id| Step::Cancel(id * 50)),
        1 => (0..2000_usize).prop_map(Step::Room),
        2 => Just(Step::Run),
    ]
}

/// Blocks that are held, that are not, that do not exist, and upgrades of both kinds.
fn asked(id: u64, what: u64, priority: u64) -> Request {
    let mut request = match what {
        0..40 => block_request(id, what),
        40..50 => upgrade_request(id, what - 40, 5),
        _ => upgrade_request(id, what, what),
    };
    request.priority = priority;
    request
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn request_left_unanswered(steps in proptest::collection::vec(step(), 1..120)) {
        let full = written(30);
        let half: Vec<_> = (0..15).map(|block| 2 * block..2 * block + 1).collect();
        let mut served = Served::greeted(sparse(&full, &half));
        // What each id was asked for last.
        let mut waiting = std::collections::BTreeMap::new();
        let check = |said: Vec<Message>, waiting: &mut std::collections::BTreeMap<u64, Request>| {
            for message in said {
                let (id, answer) = match message {
                    Message::Data(data) => (data.request_id, Some(data.proof)),
                    Message::NoData(no_data) => (no_data.request_id, None),
                    other => panic!("{other:?}"),
                };
                let request = waiting.remove(&id).expect("an answer that nobody waits for");
                if let Some(proof) = answer {
                    let block = proof.block.as_ref().map(|block| block.index);
                    assert_eq!(block, request.block.map(|block| block.index));
                    assert_eq!(proof.upgrade.is_some(), request.upgrade.is_some());
                }
            }
        };
        for step in steps {
            match step {
                Step::Ask(id, what, priority) => {
                    let asked = asked(id, what, priority);
                    served.tell(request(asked));
                    waiting.insert(id, asked);
                }
                Step::Cancel(id) => {
                    served.tell(cancel(id));
                    waiting.remove(&id);
                }
                Step::Room(room) => served.replicator.set_room(served.peer, room),
                Step::Run => check(served.run(), &mut waiting),
            }
        }
        served.replicator.set_room(served.peer, usize::MAX);
        if served.closed.is_empty() {
            check(served.run(), &mut waiting);
            check(served.wait(LONG), &mut waiting);
            prop_assert!(served.closed.is_empty());
            prop_assert!(waiting.is_empty(), "{:?}", waiting);
        }
        prop_assert_eq!(served.replicator.peer(served.peer).map(|peer| peer.queued), Some(0));
    }
}

#[test]
fn a_second_request_with_the_same_id_replaces_the_first() {
    let mut served = Served::greeted(written(5));
    served.tell(request(block_request(1, 3)));
    served.tell(request(block_request(2, 1)));
    served.tell(request(block_request(1, 4)));
    let said = served.run();
    assert_eq!(answered(&said), [2, 1]);
    let Message::Data(data) = &said[1] else { panic!() };
    assert_eq!(data.proof.block.as_ref().unwrap().value, block(4));
    // An id that no honest peer would use, and another priority.
    served.tell(request(block_request(u64::MAX, 3)));
    served.tell(request(Request { priority: 1, ..block_request(u64::MAX, 4) }));
    let said = served.run();
    assert_eq!(answered(&said), [u64::MAX]);
}

#[test]
fn a_cancelled_request_is_not_answered() {
    let mut served = Served::greeted(written(5));
    served.tell(request(block_request(1, 3)));
    served.tell(request(block_request(2, 3)));
    served.tell(cancel(1));
    served.tell(cancel(77));
    assert_eq!(answered(&served.run()), [2]);
    // Nor is one that waits to be refused.
    assert_eq!(served.ask(request(upgrade_request(3, 9, 9))), []);
    served.tell(cancel(3));
    assert_eq!(served.wait(LONG), []);
}

#[test]
fn the_newest_urgent_request_comes_first_and_the_others_in_order() {
    let mut served = Served::greeted(written(10));
    for (id, priority) in [(1, 0), (2, 1), (3, 0), (4, 2), (5, 1)] {
        served.tell(request(Request { priority, ..block_request(id, id) }));
    }
    assert_eq!(answered(&served.run()), [5, 4, 2, 1, 3]);
}

#[test]
fn answers_wait_for_room() {
    let log = writer();
    log.append(&vec![vec![1; 1000]; 100]).unwrap();
    let mut served = Served::greeted(log);
    served.replicator.set_room(served.peer, 0);
    for id in 1..=100 {
        served.tell(request(block_request(id, id - 1)));
    }
    assert_eq!(served.run(), []);
    assert_eq!(served.replicator.peer(served.peer).unwrap().queued, 100);
    // One that begins while there is room may be longer than it.
    served.replicator.set_room(served.peer, 1);
    assert_eq!(answered(&served.run()), [1]);
    served.replicator.set_room(served.peer, 10_000);
    let said = answered(&served.run());
    assert!((9..=11).contains(&said.len()), "{said:?}");
    served.replicator.set_room(served.peer, usize::MAX);
    let all: Vec<_> = said.into_iter().chain(answered(&served.run())).collect();
    assert_eq!(all, (2..=100).collect::<Vec<_>>());
}

#[test]
fn more_requests_than_may_wait_are_a_fault() {
    let mut served = Served::greeted(written(5));
    served.replicator.set_room(served.peer, 0);
    for id in 0..REQUESTS_PER_PEER_MAX as u64 {
        assert!(served.replicator.wants_input(served.peer));
        served.tell(request(block_request(id, 1)));
    }
    assert!(!served.replicator.wants_input(served.peer));
    // One in the place of another is none more.
    served.tell(request(block_request(7, 2)));
    let fault = served.hear(request(block_request(1000, 1)));
    assert_eq!(fault, Err(PeerFault::TooManyRequests));
    served.tell(cancel(7));
    served.tell(request(block_request(1000, 1)));
}

/// Answers with the block if it was asked for, and with everything else that was.
#[test]
fn an_answer_has_the_block_and_the_upgrade() {
    let mut served = Served::greeted(written(5));
    let asked = Request {
        block: Some(BlockRequest { index: 2, nodes: 0 }),
        manifest: true,
        ..upgrade_request(1, 0, 5)
    };
    let answer = data(served.ask(request(asked)));
    assert_eq!(answer.proof.block.as_ref().unwrap().value, block(2));
    assert!(answer.proof.upgrade.is_some() && answer.proof.manifest.is_some());
    let reader = reader(served.log.key());
    let applied = reader.apply_proof(&answer.proof).unwrap();
    assert_eq!((applied.block, applied.length), (Some(2), 5));
    let bytes = block(2).len() as u64;
    let uploaded = Event::Uploaded { index: 2, bytes, peer: served.peer };
    assert!(served.events.contains(&uploaded));
}

/// What is not held is refused, and so is what another fork is asked for.
#[test]
fn no_data_with_reason_not_available() {
    let full = written(10);
    let mut served = Served::greeted(sparse(&full, &[2..3, 5..6]));
    assert_eq!(one(served.ask(request(block_request(1, 3)))), unavailable(1));
    assert_eq!(one(served.ask(request(block_request(2, 10)))), unavailable(2));
    assert_eq!(one(served.ask(request(block_request(3, u64::MAX >> 11)))), unavailable(3));
    assert_eq!(data(served.ask(request(block_request(4, 2)))).request_id, 4);
    for asked in [block_request(5, 2), upgrade_request(5, 0, 10)] {
        let other = Request { fork: 1, ..asked };
        assert_eq!(one(served.ask(request(other))), unavailable(5));
    }
    // A node that this side lacks accuses nobody: any number of times.
    for id in 10..200 {
        assert_eq!(served.ask(request(hash_request(id, 16, 0))), [unavailable(id)]);
    }
    assert_eq!(served.closed, []);
}

#[test]
fn the_manifest_alone_when_there_is_nothing_else() {
    let full = written(10);
    let mut served = Served::greeted(sparse(&full, &[2..3, 5..6]));
    let alone = |id| Data {
        request_id: id,
        proof: Proof { manifest: Some(manifest()), ..Proof::default() },
    };
    let missing = Request { manifest: true, ..block_request(1, 3) };
    assert_eq!(data(served.ask(request(missing))), alone(1));
    let other_fork = Request { fork: 7, manifest: true, ..upgrade_request(2, 0, 10) };
    assert_eq!(data(served.ask(request(other_fork))), alone(2));
    let only = Request { manifest: true, id: 3, ..Request::default() };
    assert_eq!(data(served.ask(request(only))), alone(3));
}

#[test]
fn a_compat_core_has_no_manifest_on_the_wire() {
    let log = compat_writer();
    log.append(&["hello"]).unwrap();
    let mut served = Served::greeted(log);
    let asked = Request { manifest: true, ..upgrade_request(1, 0, 1) };
    let answer = data(served.ask(request(asked)));
    assert!(answer.proof.manifest.is_none() && answer.proof.upgrade.is_some());
    let missing = Request { manifest: true, ..block_request(2, 3) };
    assert_eq!(one(served.ask(request(missing))), unavailable(2));
}

/// A request that no tree can answer is refused later and later, and the 64th ends the channel.
#[test]
fn invalid_requests_wait_and_then_end_the_channel() {
    let mut served = Served::greeted(written(5));
    let invalid_request = |id| request(upgrade_request(id, 3, 9));
    for number in 1..64_u64 {
        let delay = match number {
            1 => 200,
            2..=4 => 500,
            5..=39 => 1000,
            _ => 5000,
        };
        assert_eq!(served.ask(invalid_request(number)), [], "{number}");
        // Others are not held up.
        assert_eq!(answered(&served.ask(request(block_request(1000, 1)))), [1000]);
        assert_eq!(served.wait(Duration::from_millis(delay - 1)), []);
        assert_eq!(served.wait(Duration::from_millis(1)), [invalid(number)]);
    }
    assert_eq!(served.closed, []);
    assert_eq!(served.ask(invalid_request(64)), []);
    let fault = CloseReason::Fault(PeerFault::InvalidRequests);
    assert_eq!(served.closed, [(served.peer, fault)]);
}

/// A time that has passed is no time to wait for.
#[test]
fn a_refusal_without_room_does_not_keep_the_replicator_running() {
    let mut served = Served::greeted(written(5));
    served.ask(request(upgrade_request(1, 3, 9)));
    served.replicator.set_room(served.peer, 0);
    assert_eq!(served.wait(LONG), []);
    let progress = served.replicator.run(&served.log, served.now);
    assert!(!matches!(progress, Progress::Until(time) if time <= served.now), "{progress:?}");
    served.replicator.set_room(served.peer, 1);
    assert_eq!(served.run(), [invalid(1)]);
}

#[test]
fn every_kind_of_invalid_request_is_refused() {
    let mut served = Served::greeted(written(13));
    let far = (1 << 53) - 1;
    let block = |index, nodes| Some(BlockRequest { index, nodes });
    let cases = [
        upgrade_request(1, 13, 1),
        upgrade_request(1, 0, 0),
        upgrade_request(1, far, far),
        Request { block: block(0, 5), ..Request::default() },
        Request { block: block(0, far), ..Request::default() },
        hash_request(1, far, 0),
        hash_request(1, 0, far),
        Request { seek: seek_request(1, 200).seek, ..block_request(1, 0) },
        Request { seek: seek_request(1, 1).seek, block: block(9, 0), ..upgrade_request(1, 8, 5) },
    ];
    for asked in cases {
        let asked = Request { id: 1, ..asked };
        assert_eq!(served.ask(request(asked)), [], "{asked:?}");
        assert_eq!(served.wait(LONG), [invalid(1)], "{asked:?}");
    }
}

/// Version 11 asks with id 0 when it suspects a second history, and to repair its tree; the answer has id 0.
#[test]
fn a_conflict_probe_is_answered_with_id_0() {
    let mut served = Served::greeted(written(10));
    let answer = data(served.ask(request(upgrade_request(0, 0, 7))));
    let upgrade = answer.proof.upgrade.as_ref().unwrap();
    assert_eq!((answer.request_id, upgrade.start, upgrade.length), (0, 0, 7));
    // A tree of 7 that leads on to what is signed.
    assert!(!upgrade.additional_nodes.is_empty());
    let applied = reader(served.log.key());
    let whole = Request { manifest: true, ..upgrade_request(0, 0, 7) };
    let answer = data(served.ask(request(whole)));
    assert_eq!(applied.apply_proof(&answer.proof).unwrap().length, 10);
}

/// While a reader takes pushes, JavaScript serves its upgrades from where it has pushed to, and a reader that comes
/// back with blocks never gets further. Here it gets what it asks for.
#[test]
fn an_upgrade_begins_where_it_was_asked_to_though_pushes_are_welcome() {
    let mut served = Served::new(written(10));
    let pushed = hypercore_replication::Sync { allow_push: true, ..served::sync(0, 4) };
    served.tell(Message::Sync(pushed));
    served.run();
    let answer = data(served.ask(request(upgrade_request(1, 4, 6))));
    let upgrade = answer.proof.upgrade.unwrap();
    assert_eq!((upgrade.start, upgrade.length), (4, 6));
}

#[test]
fn a_peer_that_is_not_served_is_refused_everything() {
    let mut served = Served::with(written(10), PeerOptions::new().upload(false));
    served.tell(hello(0, 0));
    let said = served.run();
    assert!(!served::syncs(&said)[0].uploading);
    assert_eq!(said.len(), 1);
    served.tell(request(Request { manifest: true, ..upgrade_request(1, 0, 10) }));
    served.tell(request(block_request(2, 3)));
    served.tell(served::want(0, 32));
    assert_eq!(served.run(), [unavailable(1), unavailable(2)]);
    // Until it is.
    served.replicator.set_peer_options(served.peer, PeerOptions::new());
    let said = served.run();
    assert!(served::syncs(&said)[0].uploading);
    assert_eq!(said[1..], [served::held(0..10)]);
    assert!(data(served.ask(request(block_request(3, 3)))).proof.block.is_some());
}

/// What an answer shows survives a power cut: it was made durable first.
#[test]
fn an_answer_shows_only_what_is_durable() {
    let log = eventual_writer();
    log.append(&["one", "two"]).unwrap();
    assert_eq!(log.durable_length(), 0);
    let mut served = Served::greeted(log);
    assert!(data(served.ask(request(block_request(1, 1)))).proof.block.is_some());
    assert_eq!(served.log.durable_length(), 2);
}

/// The reader of another reader gets the blocks and the proofs that the first one has.
#[test]
fn a_reader_serves_what_it_holds() {
    let full = written(10);
    let middle = sparse(&full, &[4..6, 6..8]);
    let mut served = Served::greeted(middle);
    let last = reader(full.key());
    let upgrade = Request { manifest: true, ..upgrade_request(1, 0, 10) };
    last.apply_proof(&data(served.ask(request(upgrade))).proof).unwrap();
    for index in 4..8 {
        let nodes = last.missing_nodes(index).unwrap();
        let asked = Request { block: Some(BlockRequest { index, nodes }), ..block_request(2, 0) };
        last.apply_proof(&data(served.ask(request(asked))).proof).unwrap();
        assert_eq!(last.get(index).unwrap(), Some(block(index)));
    }
    let behind =
        Request { upgrade: Some(UpgradeRequest { start: 10, length: 1 }), ..Request::default() };
    fetch(&full, &served.log, 0);
    assert_eq!(served.ask(request(Request { id: 9, ..behind })), []);
    assert_eq!(served.wait(LONG), [invalid(9)]);
}
