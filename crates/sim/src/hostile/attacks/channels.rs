//! Attacks on the multiplexer and on the opening of a log: channels that are no channels, proofs of knowledge that
//! prove nothing.

use hypercore_crypto::{Side, capability, discovery_key};

use super::{Attack, HARMLESS, uint};
use crate::hostile::arena::Arena;
use crate::hostile::host::core_key;

pub(super) const ATTACKS: &[Attack] = &[
    Attack::on_writer("a channel with the number 0", "Mux(ReservedNumber)", |arena| {
        arena.open();
        arena.say_frame(&open(0, "other", &[1; 32], &[]));
    }),
    Attack::on_writer("a channel whose number skips others", "Mux(NumberSkipped", |arena| {
        arena.open();
        arena.say_frame(&open(9, "other", &[1; 32], &[]));
    }),
    Attack::on_writer("a channel with a number near 2^53", "Mux(NumberSkipped", |arena| {
        arena.open();
        arena.say_frame(&open((1 << 53) - 1, "other", &[1; 32], &[]));
    }),
    Attack::on_writer("a channel with a number near 2^64", "Mux(Malformed", |arena| {
        arena.open();
        arena.say_frame(&open(u64::MAX, "other", &[1; 32], &[]));
    }),
    Attack::on_writer("a channel with a number that is taken", "Mux(NumberInUse", |arena| {
        arena.open();
        arena.say_frame(&open(1, "other", &[1; 32], &[]));
    }),
    Attack::on_writer("a second channel of the same log", HARMLESS, |arena| {
        arena.open();
        let topic = *discovery_key(&core_key()).as_bytes();
        arena.say_frame(&open(2, "hypercore/alpha", &topic, &[0; 33]));
        arena.ticks(5);
    }),
    Attack::on_writer("a rejection of what was not offered", "Mux(UnexpectedReject", |arena| {
        arena.open();
        arena.say_frame(&[0, 2, 99]);
    }),
    Attack::on_writer("closes of channels that are not there", HARMLESS, |arena| {
        arena.open();
        for number in 2..5_000 {
            arena.say_frame(&[&[0, 3], &*uint(number)].concat());
        }
        arena.ticks(20);
    }),
    Attack::on_writer("control messages that do not exist", HARMLESS, |arena| {
        arena.open();
        for kind in 4..250 {
            arena.say_frame(&[0, kind, 1, 2, 3]);
        }
        arena.ticks(5);
    }),
    Attack::on_writer("a batch in a batch", "Mux(NestedBatch)", |arena| {
        arena.open();
        arena.say_frame(&[0, 0, 0, 4, 0, 1, 1, 0]);
    }),
    Attack::on_writer("a batch whose item promises more than arrives", HARMLESS, |arena| {
        arena.open();
        // Items end with the frame, as JavaScript reads them: this one is a sync without its numbers.
        arena.say_frame(&[0, 0, 1, 0xfe, 0xff, 0xff, 0xff, 0x7f, 200]);
        arena.ticks(5);
    }),
    Attack::on_writer("a batch of empty items", HARMLESS, |arena| {
        arena.open();
        let mut frame = vec![0, 0, 1];
        frame.extend([0, 1].repeat(100_000));
        arena.say_frame(&frame);
        arena.ticks(20);
    }),
    Attack::on_writer("an open that ends in the middle of a name", "Mux(Malformed", |arena| {
        arena.open();
        arena.say_frame(&[0, 1, 2, 200, b'x']);
    }),
    Attack::on_writer("a name that promises 2^64 bytes", "Mux(Malformed", |arena| {
        arena.open();
        arena.say_frame(&[&[0, 1, 2][..], &[0xff; 9], b"x"].concat());
    }),
    Attack::on_writer("a handshake of a megabyte", "Mux(OfferTooLarge", |arena| {
        arena.open();
        arena.say_frame(&open(2, "hypercore/alpha", &[1; 32], &vec![0; 1 << 20]));
        arena.ticks(100);
    }),
    Attack::on_writer("twenty thousand protocols that nobody knows", HARMLESS, |arena| {
        arena.open();
        for number in 0..20_000_u64 {
            // The victim rejects each, so that its number is free again.
            arena.say_frame(&open(2, &format!("protocol {number}"), &[], &[]));
            if number % 100 == 0 {
                arena.ticks(1);
            }
        }
        arena.ticks(50);
    }),
    Attack::on_writer(
        "twenty thousand logs that nobody has, and no answer read",
        HARMLESS,
        |arena| {
            arena.open();
            arena.listens = false;
            for number in 0..20_000_u64 {
                let mut topic = [0; 32];
                topic[..8].copy_from_slice(&number.to_le_bytes());
                arena.say_frame(&open(2 + number, "hypercore/alpha", &topic, &[0; 33]));
            }
            arena.ticks(300);
        },
    ),
    Attack::on_writer("messages for a log that nobody opened", HARMLESS, |arena| {
        arena.open();
        arena.listens = false;
        arena.say_frame(&open(2, "hypercore/alpha", &[5; 32], &[0; 33]));
        for _ in 0..2_000 {
            arena.say_frame(&[&[2, 9][..], &[0; 1_000]].concat());
        }
        arena.ticks(300);
    }),
    Attack::on_writer("opened and closed ten thousand times", HARMLESS, |arena| {
        arena.open();
        for _ in 0..10_000 {
            arena.say_frame(&open(2, "hypercore/alpha", &[6; 32], &[0; 33]));
            arena.say_frame(&[0, 3, 2]);
        }
        arena.ticks(300);
    }),
    Attack::on_writer("a log whose key the attacker does not know", "Capability", |arena| {
        arena.ticks(3);
        let topic = *discovery_key(&core_key()).as_bytes();
        open_with(arena, &topic, &[3; 32]);
    }),
    Attack::on_writer("the victim's own proof of knowledge, sent back", "Capability", |arena| {
        // The proof that a responder gives is none for an initiator.
        let topic = *discovery_key(&core_key()).as_bytes();
        let hash = handshake_hash(arena);
        let proof = capability(Side::Responder, &core_key(), &hash);
        open_with(arena, &topic, proof.as_bytes());
    }),
    Attack::on_writer("a proof of knowledge from another connection", "Capability", |arena| {
        let topic = *discovery_key(&core_key()).as_bytes();
        let proof = capability(Side::Initiator, &core_key(), &[8; 64]);
        open_with(arena, &topic, proof.as_bytes());
    }),
    Attack::on_writer("an opening without a proof of knowledge", "Handshake", |arena| {
        let topic = *discovery_key(&core_key()).as_bytes();
        open_with(arena, &topic, &[]);
    }),
    Attack::on_writer("messages before the log is opened", HARMLESS, |arena| {
        arena.ticks(2);
        arena.listen_without_opening();
        for _ in 0..1_000 {
            arena.say_frame(&[1, 0, 31, 0, 5, 0]);
        }
        arena.ticks(20);
    }),
];

/// An open as it is on the wire.
fn open(number: u64, protocol: &str, topic: &[u8], handshake: &[u8]) -> Vec<u8> {
    let mut frame = vec![0, 1];
    frame.extend(uint(number));
    frame.extend(uint(protocol.len() as u64));
    frame.extend(protocol.as_bytes());
    frame.extend(uint(topic.len() as u64));
    frame.extend(topic);
    frame.extend(handshake);
    frame
}

fn handshake_hash(arena: &mut Arena) -> [u8; 64] {
    arena.ticks(2);
    arena.listen_without_opening();
    arena.attacker.handshake_hash().expect("the victim answers a handshake")
}

/// Opens the log with `proof` in place of an honest one.
fn open_with(arena: &mut Arena, topic: &[u8], proof: &[u8]) {
    handshake_hash(arena);
    arena.say_frame(&open(1, "hypercore/alpha", topic, &[&[1], proof].concat()));
    arena.ticks(10);
}
