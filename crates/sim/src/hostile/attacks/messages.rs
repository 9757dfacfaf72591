//! Attacks with messages of the log's channel: too many, too large, about what does not exist, or never answered.

use std::sync::Arc;

use bytes::Bytes;
use flat_tree::Index;
use hypercore_merkle::{BlockRequest, HashRequest, Request, SeekRequest, UpgradeRequest};
use hypercore_replication::{
    Bitfield, Cancel, Extension, Message, NoData, NoDataReason, RangeMessage, Sync, Want,
};

use super::{Attack, HARMLESS, uint};
use crate::hostile::arena::{Arena, LENGTH};

/// Requests of a flood.
const FLOOD: u64 = 20_000;

/// Words of a bitfield that fills a frame.
const WORDS_MAX: usize = 4_000_000;

/// Numbers that someone might count with and fail. Larger ones are no numbers of this protocol.
const EDGES: [u64; 9] =
    [0, 1, LENGTH - 1, LENGTH, LENGTH + 1, 1 << 32, (1 << 52) - 1, 1 << 52, (1 << 53) - 1];

pub(super) const ATTACKS: &[Attack] = &[
    Attack::on_writer("a flood of requests by a peer that reads", HARMLESS, |arena| {
        arena.open();
        flood(arena, |id| block(id, id % LENGTH));
        arena.ticks(400);
    }),
    Attack::on_writer("a flood of requests by a peer that never reads", HARMLESS, |arena| {
        arena.open();
        arena.listens = false;
        flood(arena, |id| block(id, 10 * (id % 15)));
        arena.ticks(400);
    }),
    Attack::on_writer("a flood of requests with one id", HARMLESS, |arena| {
        arena.open();
        arena.listens = false;
        flood(arena, |id| block(7, id % LENGTH));
        arena.ticks(400);
    }),
    Attack::on_writer("a flood of conflict probes", HARMLESS, |arena| {
        arena.open();
        arena.listens = false;
        let upgrade = Some(UpgradeRequest { start: 0, length: LENGTH });
        flood(arena, |_| Message::Request(Request { upgrade, ..Request::default() }));
        arena.ticks(400);
    }),
    Attack::on_writer("a flood of requests that are withdrawn", HARMLESS, |arena| {
        arena.open();
        arena.listens = false;
        for id in 1..FLOOD {
            arena.say(&block(id, id % LENGTH));
            arena.say(&Message::Cancel(Cancel { request_id: id }));
        }
        arena.ticks(400);
    }),
    Attack::on_writer("a flood of withdrawals", HARMLESS, |arena| {
        arena.open();
        flood(arena, |id| Message::Cancel(Cancel { request_id: id }));
        arena.ticks(200);
    }),
    Attack::on_writer("a flood of requests of another fork", HARMLESS, |arena| {
        arena.open();
        flood(arena, |id| {
            let block = Some(BlockRequest { index: 0, nodes: 0 });
            Message::Request(Request { id, fork: id, block, ..Request::default() })
        });
        arena.ticks(400);
    }),
    Attack::on_writer("requests at every edge of every number", "InvalidRequests", |arena| {
        arena.open();
        let mut id = 0;
        for first in EDGES {
            for second in EDGES {
                for kind in 0..6 {
                    id += 1;
                    arena.say(&edge_request(id, kind, first, second));
                }
            }
            arena.ticks(20);
        }
        arena.ticks(40_000);
    }),
    Attack::on_writer("upgrades to what was never signed", "InvalidRequests", |arena| {
        arena.open();
        flood(arena, |id| {
            let upgrade = Some(UpgradeRequest { start: LENGTH, length: id });
            Message::Request(Request { id, upgrade, ..Request::default() })
        });
        arena.ticks(40_000);
    }),
    Attack::on_writer("a flood of wants", HARMLESS, |arena| {
        arena.open();
        arena.listens = false;
        flood(arena, |id| {
            Message::Want(Want { start: id * 32, length: 2_097_152, any: id % 2 == 0 })
        });
        flood(arena, |id| Message::Unwant(Want { start: id, length: id, any: false }));
        arena.ticks(400);
    }),
    Attack::on_writer("wants at every edge", HARMLESS, |arena| {
        arena.open();
        for start in EDGES {
            for length in EDGES {
                for any in [false, true] {
                    arena.say(&Message::Want(Want { start, length, any }));
                    arena.say(&Message::Unwant(Want { start, length, any }));
                }
            }
            arena.ticks(2);
        }
        arena.ticks(50);
    }),
    Attack::on_both("a bitfield that fills a frame", HARMLESS, |arena| {
        arena.open();
        arena.say(&Message::Bitfield(Bitfield::new(0, &vec![u32::MAX; WORDS_MAX])));
        arena.frame_len_max = 4 * WORDS_MAX;
        arena.ticks(1_100);
    }),
    Attack::on_both("bitfields at every edge", HARMLESS, |arena| {
        arena.open();
        for start in EDGES {
            for words in [&[][..], &[u32::MAX], &[1; 1_000]] {
                arena.say(&Message::Bitfield(Bitfield::new(start, words)));
                arena.say(&Message::Bitfield(Bitfield::new(start & !31, words)));
            }
        }
        arena.ticks(50);
    }),
    Attack::on_both("bitfields all over a log that long", HARMLESS, |arena| {
        arena.open();
        arena.say(&sync(0, 1 << 52));
        for at in 0..5_000_u64 {
            let start = at << 40;
            arena.say(&Message::Bitfield(Bitfield::new(start, &[0x5555_5555; 64])));
        }
        arena.ticks(400);
    }),
    Attack::on_both("a flood of single blocks that are held", HARMLESS, |arena| {
        arena.open();
        arena.say(&sync(0, 1 << 52));
        flood(arena, |id| {
            Message::Range(RangeMessage { drop: false, start: id * 100_003, length: 1 })
        });
        arena.ticks(200);
    }),
    Attack::on_both("ranges at every edge", HARMLESS, |arena| {
        arena.open();
        for start in EDGES {
            for length in EDGES {
                for drop in [false, true] {
                    arena.say(&Message::Range(RangeMessage { drop, start, length }));
                }
            }
        }
        arena.ticks(50);
    }),
    Attack::on_both("forks and lengths announced up and down", HARMLESS, |arena| {
        arena.open();
        for fork in EDGES {
            for length in EDGES {
                arena.say(&sync(fork, length));
                arena.say(&sync(0, length));
            }
            arena.ticks(2);
        }
        arena.say(&sync(0, 0));
        arena.ticks(50);
    }),
    Attack::on_both("a flood of syncs", HARMLESS, |arena| {
        arena.open();
        arena.listens = false;
        flood(arena, |id| sync(id % 3, id % 200));
        arena.say(&sync(0, 0));
        arena.ticks(200);
    }),
    Attack::on_both("a flood of extension messages", HARMLESS, |arena| {
        arena.open();
        flood(arena, |id| extension(&format!("extension {}", id % 100), 100));
        arena.ticks(400);
    }),
    Attack::on_both("extension messages of a megabyte", HARMLESS, |arena| {
        arena.open();
        for _ in 0..10 {
            arena.say(&extension("large", 1 << 20));
        }
        arena.frame_len_max = (1 << 20) + 100;
        arena.ticks(1_000);
    }),
    Attack::on_both("an extension with a name of a megabyte", HARMLESS, |arena| {
        arena.open();
        arena.say(&extension(&"x".repeat(1 << 20), 1));
        arena.frame_len_max = (1 << 20) + 100;
        arena.ticks(200);
    }),
    Attack::on_both("a number above 2^53", "IntegerTooLarge", |arena| {
        arena.open();
        arena.say(&sync(0, 1 << 53));
    }),
    Attack::on_both("a flood of refusals of what was never asked", "Unsolicited", |arena| {
        arena.open();
        flood(arena, |id| {
            let reason = Some(NoDataReason::NotAvailable);
            Message::NoData(NoData { request_id: id, reason })
        });
        arena.ticks(200);
    }),
    Attack::on_both("messages of kinds that do not exist", HARMLESS, |arena| {
        arena.open();
        for kind in 10..250 {
            arena.say_frame(&[1, kind, 1, 2, 3]);
        }
        arena.ticks(10);
    }),
    Attack::on_both("a request that ends in the middle", "Message", |arena| {
        arena.open();
        arena.say_frame(&[1, 1, 1, 5]);
    }),
    Attack::on_both("data whose nodes promise more than arrives", "Message", |arena| {
        arena.open();
        let count = uint(1 << 19);
        arena.say_frame(&[&[1, 3, 1, 9, 0, 0, 0][..], &count, &[0; 50]].concat());
    }),
    Attack::on_both("data with a million nodes of nothing", "Message", |arena| {
        arena.open();
        let count = uint(1 << 20);
        arena.say_frame(&[&[1, 3, 1, 9, 0, 0, 0][..], &count, &[0; 1_000_000]].concat());
        arena.ticks(100);
    }),
    Attack::on_both("a bitfield that promises 2^64 words", "Message", |arena| {
        arena.open();
        arena.say_frame(&[&[1, 7, 0][..], &[0xff; 9]].concat());
    }),
    Attack::on_both("nothing is ever read", HARMLESS, |arena| {
        arena.open();
        arena.listens = false;
        arena.say(&sync(0, LENGTH));
        arena.ticks(500);
    }),
];

fn block(id: u64, index: u64) -> Message {
    let block = Some(BlockRequest { index, nodes: 0 });
    Message::Request(Request { id, block, ..Request::default() })
}

fn flood(arena: &mut Arena, message: impl Fn(u64) -> Message) {
    for id in 1..=FLOOD {
        arena.say(&message(id));
    }
}

fn sync(fork: u64, length: u64) -> Message {
    Message::Sync(Sync {
        can_upgrade: true,
        uploading: true,
        downloading: true,
        has_manifest: true,
        fork,
        length,
        ..Sync::default()
    })
}

fn extension(name: &str, len: usize) -> Message {
    Message::Extension(Extension { name: Arc::from(name), payload: Bytes::from(vec![7; len]) })
}

fn edge_request(id: u64, kind: u64, first: u64, second: u64) -> Message {
    let request = Request { id, ..Request::default() };
    let upgrade = Some(UpgradeRequest { start: first, length: second });
    let seek = Some(SeekRequest { bytes: first, padding: second });
    let block = Some(BlockRequest { index: first, nodes: second });
    let hash = Some(HashRequest { index: Index::new(first), nodes: second });
    Message::Request(match kind {
        0 => Request { block, ..request },
        1 => Request { hash, ..request },
        2 => Request { seek, ..request },
        3 => Request { upgrade, ..request },
        4 => Request { block, seek, upgrade, ..request },
        _ => Request { fork: first, block, priority: second, ..request },
    })
}
