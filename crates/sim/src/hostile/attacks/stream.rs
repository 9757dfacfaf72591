//! Attacks on the stream: bytes that are no frames, handshakes that are none, messages that were tampered with.

use super::{Attack, HARMLESS};
use crate::hostile::arena::{Arena, TICK, Victim};

/// The identity of the curve, which no honest key is.
const IDENTITY: [u8; 32] = {
    let mut point = [0; 32];
    point[0] = 1;
    point
};

pub(super) const ATTACKS: &[Attack] = &[
    Attack::on_writer("a frame of no bytes instead of a handshake", "Handshake", |arena| {
        instead_of_handshake(arena, &[0, 0, 0]);
    }),
    Attack::on_writer("a frame of 16 MiB instead of a handshake", "FrameTooLong", |arena| {
        instead_of_handshake(arena, &[0xff, 0xff, 0xff]);
    }),
    Attack::on_writer("a handshake that promises more than arrives", HARMLESS, |arena| {
        instead_of_handshake(arena, &[0x00, 0x04, 0x00, 1, 2, 3]);
    }),
    Attack::on_writer("a handshake of one byte a second, which never ends", HARMLESS, |arena| {
        let mut bytes = vec![0x00, 0x04, 0x00];
        bytes.resize(900, 7);
        forget_handshake(arena);
        arena.attacker.send_bytes(&bytes);
        for _ in 0..bytes.len() {
            arena.now += std::time::Duration::from_secs(1) - TICK;
            arena.tick(1);
        }
    }),
    Attack::on_writer("a handshake with a point that is not on the curve", "Handshake", |arena| {
        instead_of_handshake(arena, &framed(&[0x02; 32]));
    }),
    Attack::on_writer("a handshake with a point of small order", "Handshake", |arena| {
        instead_of_handshake(arena, &framed(&IDENTITY));
    }),
    Attack::on_writer("a first message that is too short", "Handshake", |arena| {
        instead_of_handshake(arena, &framed(&[9; 31]));
    }),
    Attack::on_writer("a last handshake message with a bit flipped", "Handshake", |arena| {
        tampered_handshake(arena, 5);
    }),
    Attack::on_writer("a last handshake message whose proof is flipped", "Handshake", |arena| {
        tampered_handshake(arena, 3 + 50);
    }),
    Attack::on_writer("a header with another id", "WrongStream", |arena| {
        tampered_handshake(arena, 67 + 3)
    }),
    Attack::on_writer("a header of another length", "FrameToo", |arena| {
        tampered_handshake(arena, 67)
    }),
    Attack::on_writer("a handshake that was recorded", "Handshake", |arena| {
        // What an honest peer said to another victim, word for word.
        let mut other = Arena::with_seed(Victim::Writer, false, arena.counter(), 10);
        let first = other.attacker.take(usize::MAX);
        other.attacker.send_bytes(&first);
        other.ticks(1);
        other.listen();
        let rest = other.attacker.take(usize::MAX);
        forget_handshake(arena);
        arena.attacker.send_bytes(&first);
        arena.ticks(1);
        arena.attacker.send_bytes(&rest);
    }),
    Attack::on_writer("a message of no bytes at all", "FrameTooShort", |arena| {
        arena.open();
        arena.attacker.send_bytes(&[0, 0, 0]);
    }),
    Attack::on_writer("a message of 16 bytes, where 17 are the least", "FrameTooShort", |arena| {
        arena.open();
        arena.attacker.send_bytes(&framed(&[1; 16]));
    }),
    Attack::on_writer("a message that nobody encrypted", "Forged", |arena| {
        arena.open();
        arena.attacker.send_bytes(&framed(&[1; 40]));
    }),
    Attack::on_writer("a message sent twice", "Forged", |arena| {
        arena.open();
        arena.say_frame(&[]);
        let frame = arena.attacker.take(usize::MAX);
        arena.attacker.send_bytes(&frame);
        arena.attacker.send_bytes(&frame);
    }),
    Attack::on_writer("two messages in the wrong order", "Forged", |arena| {
        arena.open();
        arena.say_frame(&[]);
        let first = arena.attacker.take(usize::MAX);
        arena.say_frame(&[]);
        let second = arena.attacker.take(usize::MAX);
        arena.attacker.send_bytes(&second);
        arena.attacker.send_bytes(&first);
    }),
    Attack::on_writer("a message with a bit flipped", "Forged", |arena| {
        arena.open();
        arena.say_frame(&[1, 0]);
        let mut frame = arena.attacker.take(usize::MAX);
        let last = frame.len() - 1;
        frame[last] ^= 1;
        arena.attacker.send_bytes(&frame);
    }),
    Attack::on_writer("16 MiB that are promised and never come", HARMLESS, |arena| {
        arena.open();
        arena.attacker.send_bytes(&[0xff, 0xff, 0xff]);
        for _ in 0..200 {
            arena.attacker.send_bytes(&[0]);
            arena.ticks(1);
        }
    }),
    Attack::on_writer("16 MiB of nothing for a channel that is not there", HARMLESS, |arena| {
        arena.open();
        let mut frame = vec![0; 16_000_000];
        frame[0] = 77;
        arena.say_frame(&frame);
        arena.ticks(1_000);
    }),
    Attack::on_writer("ten thousand keep-alives", HARMLESS, |arena| {
        arena.open();
        for _ in 0..10_000 {
            arena.say_frame(&[]);
        }
        arena.ticks(20);
    }),
    Attack::on_writer("nothing at all, after an honest beginning", HARMLESS, |arena| {
        arena.open();
        arena.ticks(100);
    }),
];

/// A frame as it is on the wire.
fn framed(body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32).to_le_bytes();
    [&length[..3], body].concat()
}

/// Drops what an honest peer would have said first.
fn forget_handshake(arena: &mut Arena) {
    drop(arena.attacker.take(usize::MAX));
}

fn instead_of_handshake(arena: &mut Arena, bytes: &[u8]) {
    forget_handshake(arena);
    arena.attacker.send_bytes(bytes);
    arena.ticks(10);
}

/// An honest handshake but for one byte of what follows the victim's answer: the last handshake message, then the
/// header.
fn tampered_handshake(arena: &mut Arena, at: usize) {
    arena.ticks(2);
    arena.listen();
    let mut rest = arena.attacker.take(usize::MAX);
    rest[at] ^= 1;
    arena.attacker.send_bytes(&rest);
    arena.ticks(5);
}
