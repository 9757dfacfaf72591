//! Every recorded replication between JavaScript peers, with one of them replaced by this implementation.
//!
//! Frames are not compared: ids, order and batches differ from run to run. What is compared is what the recorded
//! requests got, what the replaced party has at the end, and whether anybody was blamed.

#[path = "../golden/mod.rs"]
mod golden;
mod recording;
mod replay;
mod truth;

use std::collections::BTreeMap;

use golden::{list, number, text, to_hex};
use hypercore_crypto::discovery_key;
use hypercore_merkle::BlockProof;
use hypercore_replication::{
    CloseReason, ConnectionError, Event, Message, NoData, Options, Sync, WantRegion,
};
use recording::{Frame, Party, Said, Transcript, all, other};
use replay::Replay;

/// What a recording is about that others are not.
fn options(transcript: &Transcript) -> Options {
    let small = transcript.name.contains("small-wants");
    let region = if small { WantRegion::Small } else { WantRegion::Large };
    Options::new().want_region(region).allow_push(transcript.name.starts_with("push"))
}

fn played(transcript: &Transcript, party: Party) -> Replay<'_> {
    let mut replay = Replay::new(transcript, party, &options(transcript));
    replay.run();
    replay
}

/// Of each connection and id, the answers in their order; without the reasons, which version 10 does not give.
type Answers = BTreeMap<(usize, u64), Vec<Message>>;

fn add(answers: &mut Answers, connection: usize, message: &Message) {
    let (id, message) = match message {
        Message::Data(data) => (data.request_id, message.clone()),
        Message::NoData(NoData { request_id, .. }) => {
            (*request_id, Message::NoData(NoData { request_id: *request_id, reason: None }))
        }
        _ => return,
    };
    if id != 0 {
        answers.entry((connection, id)).or_default().push(message);
    }
}

/// What the party answered about a core in the recording.
fn recorded_answers(transcript: &Transcript, party: Party, core: usize) -> Answers {
    let mut answers = Answers::new();
    for frame in transcript.frames() {
        if transcript.party(frame.connection, frame.from) == party {
            for said in &frame.said {
                if let Said::Message(of, message) = said
                    && *of == core
                {
                    add(&mut answers, frame.connection, message);
                }
            }
        }
    }
    answers
}

/// Transcripts in which a party is at fault on purpose, or says what it could not know; each has a test of its own.
const SPECIAL: [&str; 2] = ["bad-capability-11-11", "conflict-11-11"];

#[test]
fn nobody_is_blamed_and_every_recorded_request_gets_the_recorded_answer() {
    let mut compared = 0;
    for transcript in all().iter().filter(|transcript| !SPECIAL.contains(&&*transcript.name)) {
        for party in 0..transcript.parties() {
            let at = format!("{}, party {party}", transcript.name);
            let mut replay = played(transcript, party);
            replay.wait();
            assert_eq!(replay.errors, [], "{at}");
            for (number, core) in replay.cores.iter().enumerate() {
                let failed = |event: &&Event| {
                    matches!(event, Event::VerificationFailed { .. } | Event::StorageFailed { .. })
                };
                assert_eq!(core.events.iter().find(failed), None, "{at}");
                let fault = |reason: &&CloseReason| matches!(reason, CloseReason::Fault(_));
                assert_eq!(core.closed.iter().find(fault), None, "{at}");
                let mut answers = Answers::new();
                for (connection, message) in &core.sent {
                    add(&mut answers, *connection, message);
                }
                let recorded = recorded_answers(transcript, party, number);
                // The last block that this writer sends is proven by what the recording does not have.
                let fewer = usize::from(transcript.name.starts_with("gossip") && party == 2);
                for (request, expected) in &recorded {
                    let count = expected.len() - fewer;
                    let given = answers.get(request).and_then(|answers| answers.get(..count));
                    assert_eq!(given, Some(&expected[..count]), "{at}, request {request:?}");
                    let all = answers.get(request).map(Vec::len);
                    assert_eq!(all, Some(expected.len()), "{at}, request {request:?}");
                    compared += count;
                }
                // The last request of this one ended the recorded connection: JavaScript 10 takes it for an attack.
                let more = usize::from(transcript.name == "no-data-10-10" && party == 1);
                assert_eq!(answers.len(), recorded.len() + more, "{at}");
            }
        }
    }
    assert_eq!(compared, 178);
}

#[test]
fn readers_end_with_what_the_recorded_ones_had() {
    let (mut readers, mut blocks, mut literal) = (0, 0, 0);
    for transcript in all().iter().filter(|transcript| !SPECIAL.contains(&&*transcript.name)) {
        for party in (0..transcript.parties()).filter(|party| !transcript.is_source(*party)) {
            let at = format!("{}, party {party}", transcript.name);
            let replay = played(transcript, party);
            for (number, core) in replay.cores.iter().enumerate() {
                for proof in received(transcript, party, number) {
                    let block = core.log.get(proof.index).unwrap();
                    assert_eq!(block.as_deref(), Some(&proof.value[..]), "{at}, {}", proof.index);
                    blocks += 1;
                }
            }
            literal += replay.answered.0;
            let Some(after) = transcript.after() else { continue };
            let log = &replay.cores[0].log;
            let hash = log.head().tree_hash;
            let length_and_fork = (number(&after["length"]), number(&after["fork"]));
            assert_eq!((log.length(), log.fork()), length_and_fork, "{at}");
            assert_eq!(to_hex(hash.as_bytes()), text(&after["treeHash"]), "{at}");
            assert_eq!(log.byte_length(), number(&after["byteLength"]), "{at}");
            // The blocks of a first connection that was not recorded are not here.
            if !transcript.name.starts_with("fork") {
                let contiguous = number(&after["contiguousLength"]);
                assert_eq!(log.contiguous_length(), contiguous, "{at}");
            }
            readers += 1;
        }
    }
    assert_eq!((readers, blocks), (33, 111));
    assert!(literal > 80, "only {literal} requests were the recorded ones");
}

#[test]
fn sources_end_where_the_recorded_ones_said_they_were() {
    for transcript in all() {
        for party in (0..transcript.parties()).filter(|party| transcript.is_source(*party)) {
            let replay = played(&transcript, party);
            for (number, core) in replay.cores.iter().enumerate() {
                let Some(sync) = last_sync(&transcript, party, number) else { continue };
                let is_unsigned = transcript.name.starts_with("push");
                let expected = (sync.fork, sync.length - u64::from(is_unsigned));
                assert_eq!((core.log.fork(), core.log.length()), expected, "{}", transcript.name);
                let told = core.sent.iter().rev().find_map(|(_, message)| match message {
                    Message::Sync(sync) => Some((sync.fork, sync.length)),
                    _ => None,
                });
                assert_eq!(told, Some(expected), "{}", transcript.name);
            }
        }
    }
}

fn last_sync(transcript: &Transcript, party: Party, core: usize) -> Option<Sync> {
    let own = |frame: &&Frame| transcript.party(frame.connection, frame.from) == party;
    let syncs = transcript.frames().filter(own).flat_map(|frame| &frame.said);
    let syncs = syncs.filter_map(|said| match said {
        Said::Message(of, Message::Sync(sync)) if *of == core => Some(*sync),
        _ => None,
    });
    syncs.last()
}

/// The blocks that a party received.
fn received(transcript: &Transcript, party: Party, core: usize) -> Vec<BlockProof> {
    let to_party = |frame: &&Frame| transcript.party(frame.connection, other(frame.from)) == party;
    let block = |said: &Said| match said {
        Said::Message(of, Message::Data(data)) if *of == core => data.proof.block.clone(),
        _ => None,
    };
    let frames = transcript.frames().filter(to_party);
    frames.flat_map(|frame| frame.said.iter().filter_map(block)).collect()
}

fn named(name: &str) -> Transcript {
    all().into_iter().find(|transcript| transcript.name == name).unwrap()
}

#[test]
fn who_does_not_know_the_key_is_told_nothing() {
    let transcript = named("bad-capability-11-11");
    let writer = played(&transcript, 1);
    let discovery_key = discovery_key(&transcript.cores[0]);
    assert_eq!(writer.errors, [ConnectionError::Capability { discovery_key }]);
    assert!(writer.cores[0].sent.is_empty() && writer.cores[0].events.is_empty());
    assert_eq!(played(&transcript, 0).errors, [], "the writer knew it");
}

#[test]
fn two_signed_histories_end_the_replication_of_the_core() {
    let transcript = named("conflict-11-11");
    let conflicts = |party| {
        let replay = played(&transcript, party);
        let core = &replay.cores[0];
        let told: Vec<(usize, u64)> = core
            .sent
            .iter()
            .filter_map(|(connection, message)| {
                let Message::Data(data) = message else { return None };
                let upgrade = data.proof.upgrade.as_ref()?;
                // Both histories, shown to everybody; the answer to the question of the other is one of these too.
                (data.request_id == 0).then_some((*connection, upgrade.start + upgrade.length))
            })
            .collect();
        let lengths = core.replicator.conflict().map(|evidence| evidence.length);
        assert_eq!(
            core.closed.len(),
            core.closed.iter().filter(|r| **r == CloseReason::Conflict).count()
        );
        (lengths, core.closed.len(), told)
    };
    assert_eq!(transcript.json["conflicts"].to_string(), r#"[["reader",5],["b",5]]"#);
    assert_eq!(conflicts(0), (Some(5), 2, vec![(0, 5), (0, 5), (1, 5), (1, 5)]));
    assert_eq!(conflicts(1), (None, 0, vec![]));
    // The recorded reader closes the channel behind its proof, so there is nobody left to close.
    assert_eq!(conflicts(2), (Some(5), 0, vec![(1, 5)]));
}

#[test]
fn extension_messages_arrive_under_the_name_they_were_sent_under() {
    let transcript = named("extension-11-10");
    for (party, name) in [(0, "reader"), (1, "writer")] {
        let replay = played(&transcript, party);
        let arrived: Vec<String> = replay.cores[0]
            .events
            .iter()
            .filter_map(|event| match event {
                Event::Extension { name, payload, .. } if &**name == "chat" => {
                    Some(to_hex(payload))
                }
                _ => None,
            })
            .collect();
        let delivered = list(&transcript.json["delivered"]).iter();
        let delivered = delivered.filter(|to| to[0] == name).map(|to| text(&to[1]).to_owned());
        assert_eq!(arrived, delivered.collect::<Vec<_>>());
    }
}
