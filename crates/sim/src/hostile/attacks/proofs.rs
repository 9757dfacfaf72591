//! Attacks with proofs: the attacker says that it has the log, is asked for it, and answers with what is not true.

use hypercore_crypto::{KeyPair, Manifest};
use hypercore_log::Log;
use hypercore_merkle::{Data, Node, Proof, Request, UpgradeRequest};
use hypercore_replication::{Message, NoData, NoDataReason, RangeMessage, Sync};

use super::{Attack, HARMLESS};
use crate::hostile::arena::{Arena, LENGTH, Victim};

/// Ticks that an attack with proofs goes on: long enough for every request to be asked again elsewhere.
const TICKS: u64 = 800;

pub(super) const ATTACKS: &[Attack] = &[
    Attack::on_reader("a block with a bit flipped", "InvalidProofs", |arena| {
        spoil(arena, |proof| {
            if let Some(part) = &mut proof.block {
                let mut value = part.value.to_vec();
                value.push(0);
                value[0] ^= 1;
                part.value = value.into();
            }
        });
    }),
    Attack::on_reader("a block that is cut short", "InvalidProofs", |arena| {
        spoil(arena, |proof| {
            if let Some(part) = &mut proof.block {
                part.value =
                    if part.value.is_empty() { vec![1].into() } else { Default::default() };
            }
        });
    }),
    Attack::on_reader("a block in the place of another", "", |arena| {
        spoil(arena, |proof| {
            if let Some(part) = &mut proof.block {
                part.index ^= 1;
            }
        });
    }),
    Attack::on_reader("a block past the end of the log", "", |arena| {
        spoil(arena, |proof| {
            if let Some(part) = &mut proof.block {
                part.index = (1 << 53) - 1;
            }
        });
    }),
    Attack::on_reader("nodes with another hash", "InvalidProofs", |arena| {
        spoil(arena, |proof| {
            for node in nodes(proof) {
                let mut hash = *node.hash.as_bytes();
                hash[7] ^= 16;
                node.hash = hash.into();
            }
        });
    }),
    Attack::on_reader("nodes with another size", "InvalidProofs", |arena| {
        spoil(arena, |proof| nodes(proof).for_each(|node| node.size ^= 1));
    }),
    Attack::on_reader("nodes of a size near 2^53", "InvalidProofs", |arena| {
        spoil(arena, |proof| nodes(proof).for_each(|node| node.size = (1 << 53) - 1));
    }),
    Attack::on_reader("nodes with another index", "InvalidProofs", |arena| {
        spoil(arena, |proof| {
            nodes(proof).for_each(|node| node.index = (node.index.get() ^ 2).into());
        });
    }),
    Attack::on_reader("nodes with an index near 2^53", "InvalidProofs", |arena| {
        spoil(arena, |proof| nodes(proof).for_each(|node| node.index = ((1 << 53) - 1).into()));
    }),
    Attack::on_reader("a node missing", "InvalidProofs", |arena| {
        spoil(arena, |proof| lists(proof).for_each(|list| _ = list.pop()));
    }),
    Attack::on_reader("a node too many", "InvalidProofs", |arena| {
        spoil(arena, |proof| lists(proof).for_each(|list| list.extend(list.first().copied())));
    }),
    Attack::on_reader("ten thousand nodes too many", "TooManyElements", |arena| {
        spoil(arena, |proof| {
            lists(proof).for_each(|list| {
                if let Some(first) = list.first().copied() {
                    list.resize(10_000, first);
                }
            });
        });
        arena.frame_len_max = 500_000;
    }),
    Attack::on_reader("nodes in the wrong order", "InvalidProofs", |arena| {
        spoil(arena, |proof| lists(proof).for_each(|list| list.reverse()));
    }),
    Attack::on_reader("an upgrade from elsewhere", "InvalidProofs", |arena| {
        spoil(arena, |proof| {
            if let Some(part) = &mut proof.upgrade {
                part.start += 1;
            }
        });
    }),
    Attack::on_reader("an upgrade to nowhere", "InvalidProofs", |arena| {
        spoil(arena, |proof| {
            if let Some(part) = &mut proof.upgrade {
                part.length = (1 << 53) - 1;
            }
        });
    }),
    Attack::on_reader("an upgrade of no blocks", "", |arena| {
        spoil(arena, |proof| {
            if let Some(part) = &mut proof.upgrade {
                part.length = 0;
            }
        });
    }),
    Attack::on_reader("a signature with a bit flipped", "InvalidProofs", |arena| {
        spoil(arena, |proof| {
            if let Some(signature) = proof.upgrade.as_mut().and_then(|part| part.signature.as_mut())
            {
                signature[20] ^= 1;
            }
        });
    }),
    Attack::on_reader("no signature", "InvalidProofs", |arena| {
        spoil(arena, |proof| {
            if let Some(part) = &mut proof.upgrade {
                part.signature = None;
            }
        });
    }),
    Attack::on_reader("the manifest of another log", "InvalidProofs", |arena| {
        spoil(arena, |proof| {
            if proof.manifest.is_some() {
                proof.manifest = Some(Manifest::single(KeyPair::from_seed(&[77; 32]).public()));
            }
        });
    }),
    Attack::on_reader("no manifest", "InvalidProofs", |arena| {
        spoil(arena, |proof| proof.manifest = None);
    }),
    Attack::on_reader("answers from a lower or higher fork", "", |arena| {
        spoil(arena, |proof| proof.fork += 1);
    }),
    Attack::on_reader("answers with nothing in them", "", |arena| {
        spoil(arena, |proof| *proof = Proof { fork: proof.fork, ..Proof::default() });
    }),
    Attack::on_reader("answers to requests of nobody", HARMLESS, |arena| {
        serve(arena, &mut |request, data| {
            vec![data_message(Data { request_id: request.id + 1_000, ..data })]
        });
    }),
    Attack::on_reader("every answer twice", HARMLESS, |arena| {
        serve(arena, &mut |_, data| vec![data_message(data.clone()), data_message(data)]);
    }),
    Attack::on_reader("everything announced and nothing given", HARMLESS, |arena| {
        serve(arena, &mut |request, _| {
            let reason = Some(NoDataReason::NotAvailable);
            vec![Message::NoData(NoData { request_id: request.id, reason })]
        });
    }),
    Attack::on_reader("everything announced and nothing answered", HARMLESS, |arena| {
        serve(arena, &mut |_, _| Vec::new());
    }),
    Attack::on_both("true data that nobody asked for", "", |arena| {
        arena.open();
        let log = arena.same_log();
        greet(arena, &log);
        for turn in 0..40_u64 {
            for index in 0..LENGTH {
                let block = Some(hypercore_merkle::BlockRequest { index, nodes: 8 });
                let Ok(Some(proof)) = log.create_proof(&Request { block, ..Request::default() })
                else {
                    continue;
                };
                let request_id = if turn % 2 == 0 { 0 } else { 70_000 + index };
                arena.say(&data_message(Data { request_id, proof }));
            }
            arena.ticks(2);
        }
        arena.ticks(TICKS);
    }),
    Attack::on_reader("a shorter tree with its valid signature", "", |arena| {
        arena.open();
        let shorter = arena.other_log(LENGTH / 2, &[]);
        let full = arena.same_log();
        greet(arena, &full);
        serve_with(arena, &mut |request, _| {
            let mut request = *request;
            if let Some(upgrade) = &mut request.upgrade {
                upgrade.length = (LENGTH / 2).saturating_sub(upgrade.start);
            }
            let proof = shorter.create_proof(&request).ok().flatten().unwrap_or_default();
            vec![data_message(Data { request_id: request.id, proof })]
        });
    }),
    Attack::two_histories(
        &[Victim::Writer],
        "another tree of the same length, signed as well",
        "Conflict",
        |arena| {
            show_other(arena, LENGTH);
        },
    ),
    Attack::two_histories(
        &[Victim::Writer],
        "a longer tree that leaves the known one, signed as well",
        "Conflict",
        |arena| {
            show_other(arena, LENGTH + 20);
        },
    ),
    Attack::two_histories(
        &[Victim::Writer],
        "a shorter tree that leaves the known one, signed as well",
        "Conflict",
        |arena| {
            show_other(arena, LENGTH - 20);
        },
    ),
    // Alone with the attacker it knows nothing better.
    Attack::two_histories(
        &[Victim::Reader],
        "another tree of the same length, from the beginning",
        HARMLESS,
        |arena| {
            serve_other(arena, LENGTH);
        },
    ),
    Attack::two_histories(
        &[Victim::Reader],
        "a longer tree that leaves the true one, from the beginning",
        HARMLESS,
        |arena| {
            serve_other(arena, LENGTH + 20);
        },
    ),
    Attack::on_both("a higher fork that nobody signed", "", |arena| {
        arena.open();
        let log = arena.same_log();
        arena.say(&sync_of(3, LENGTH, 0));
        arena.say(&Message::Range(RangeMessage { drop: false, start: 0, length: LENGTH }));
        serve_with(arena, &mut |request, _| {
            let asked = Request { fork: 0, ..*request };
            let Ok(Some(mut proof)) = log.create_proof(&asked) else { return Vec::new() };
            proof.fork = request.fork;
            vec![data_message(Data { request_id: request.id, proof })]
        });
    }),
    Attack::on_both("a new higher fork with every answer", "", |arena| {
        arena.open();
        for fork in 1..200 {
            arena.say(&sync_of(fork, LENGTH, 0));
            arena.ticks(3);
            arena.listen();
            while let Some(message) = arena.heard.pop_front() {
                if let Message::Request(request) = message {
                    let reason = Some(NoDataReason::NotAvailable);
                    arena.say(&Message::NoData(NoData { request_id: request.id, reason }));
                }
            }
        }
        arena.say(&sync_of(0, 0, 0));
        arena.ticks(TICKS);
    }),
];

fn sync_of(fork: u64, length: u64, remote_length: u64) -> Message {
    Message::Sync(Sync {
        can_upgrade: true,
        uploading: true,
        downloading: true,
        has_manifest: true,
        allow_push: false,
        fork,
        length,
        remote_length,
    })
}

/// Says that the attacker has all of `log`.
fn greet(arena: &mut Arena, log: &Log) {
    arena.say(&sync_of(log.fork(), log.length(), 0));
    arena.say(&Message::Range(RangeMessage { drop: false, start: 0, length: log.length() }));
}

/// Answers the victim's requests, each with what `answer` makes of it and of the true answer.
fn serve(arena: &mut Arena, answer: &mut dyn FnMut(&Request, Data) -> Vec<Message>) {
    arena.open();
    let log = arena.same_log();
    greet(arena, &log);
    serve_with(arena, &mut |request, _| {
        let Ok(Some(proof)) = log.create_proof(request) else { return Vec::new() };
        answer(request, Data { request_id: request.id, proof })
    });
}

/// Answers the victim's requests from a log.
fn serve_log(arena: &mut Arena, log: &Log) {
    serve_with(arena, &mut |request, _| match log.create_proof(request) {
        Ok(Some(proof)) => vec![data_message(Data { request_id: request.id, proof })],
        _ => Vec::new(),
    });
}

fn serve_with(arena: &mut Arena, answer: &mut dyn FnMut(&Request, u64) -> Vec<Message>) {
    let mut acknowledged = 0;
    for _ in 0..TICKS {
        arena.ticks(1);
        arena.listen();
        while let Some(message) = arena.heard.pop_front() {
            match message {
                Message::Sync(sync) if sync.length != acknowledged => {
                    acknowledged = sync.length;
                    arena.say(&sync_of(sync.fork, LENGTH, sync.length));
                }
                Message::Request(request) => {
                    for message in answer(&request, acknowledged) {
                        arena.say(&message);
                    }
                }
                _ => {}
            }
        }
    }
}

/// Answers every request with a proof that `spoil` has changed.
fn spoil(arena: &mut Arena, spoil: fn(&mut Proof)) {
    serve(arena, &mut |_, mut data| {
        spoil(&mut data.proof);
        vec![data_message(data)]
    });
}

/// A log of so many blocks, of which the last ones are others than the victim's.
fn other(arena: &mut Arena, length: u64) -> Log {
    let shared = LENGTH - 30;
    let more: Vec<Vec<u8>> = (shared..length).map(|index| vec![index as u8; 9]).collect();
    arena.other_log(shared, &more)
}

/// Shows another history to a victim that has one.
fn show_other(arena: &mut Arena, length: u64) {
    arena.open();
    let other = other(arena, length);
    greet(arena, &other);
    let upgrade = Some(UpgradeRequest { start: 0, length: length.min(LENGTH) });
    let proof = other.create_proof(&Request { upgrade, ..Request::default() });
    let proof = proof.ok().flatten().expect("the other log has all");
    arena.say(&data_message(Data { request_id: 0, proof }));
    serve_log(arena, &other);
}

/// Offers another history to a victim that has none yet.
fn serve_other(arena: &mut Arena, length: u64) {
    arena.open();
    let other = other(arena, length);
    greet(arena, &other);
    serve_log(arena, &other);
}

fn data_message(data: Data) -> Message {
    Message::Data(Box::new(data))
}

/// The lists of nodes in a proof.
fn lists(proof: &mut Proof) -> impl Iterator<Item = &mut Vec<Node>> {
    let upgrade = proof.upgrade.as_mut().map(|part| [&mut part.nodes, &mut part.additional_nodes]);
    let block = proof.block.as_mut().map(|part| &mut part.nodes);
    let hash = proof.hash.as_mut().map(|part| &mut part.nodes);
    let seek = proof.seek.as_mut().map(|part| &mut part.nodes);
    block.into_iter().chain(hash).chain(seek).chain(upgrade.into_iter().flatten())
}

/// The nodes in a proof.
fn nodes(proof: &mut Proof) -> impl Iterator<Item = &mut Node> {
    lists(proof).flatten()
}
