//! What a stream costs in memory, counted by the allocator: little before the handshake, little
//! when idle, and never more than has arrived.
#![expect(unsafe_code, reason = "a counting allocator can only be written as an unsafe impl")]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bytes::BytesMut;
use common::{Side, entropy};
use secret_stream::{KeyPair, Limits, Role, SecretStream};

thread_local! {
    /// Bytes that this thread has, and the most it ever had.
    static LIVE: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
    /// Bytes ever asked for by this thread.
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

fn grown(len: usize) {
    let (live, peak) = LIVE.get();
    LIVE.set((live.wrapping_add(len), peak.max(live.wrapping_add(len))));
    ASKED.set(ASKED.get().wrapping_add(len));
}

fn shrunk(len: usize) {
    let (live, peak) = LIVE.get();
    LIVE.set((live.wrapping_sub(len), peak));
}

// SAFETY: every call is handed to the system allocator unchanged; the counters are thread-local
// cells without a destructor, so counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        shrunk(layout.size());
        // SAFETY: `pointer` came from `System` with this layout, as all pointers from here do.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        grown(size);
        shrunk(layout.size());
        // SAFETY: `pointer` came from `System` with this layout; `size` is the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes that `work` had at one time beyond those before it, and the bytes it asked for.
fn cost_of<T>(work: impl FnOnce() -> T) -> (T, usize, usize) {
    let (before, _) = LIVE.get();
    LIVE.set((before, before));
    let asked = ASKED.get();
    let result = work();
    (result, LIVE.get().1 - before, ASKED.get() - asked)
}

/// Bytes of memory that a peer may have before it has proven anything.
const BEFORE_HANDSHAKE_MAX: usize = 8 * 1024;

#[test]
fn before_the_handshake() {
    let pair = KeyPair::from_seed(&[1; 32]);
    let (_, peak, _) = cost_of(|| {
        let (mut input, mut output) = (BytesMut::with_capacity(2048), BytesMut::new());
        let entropy = entropy([2; 32], [3; 24]);
        let limits = Limits::default();
        let stream =
            Box::new(SecretStream::new(Role::Responder, &pair, entropy, limits, &mut output));
        let mut side = Side { stream: *stream, output };
        // The longest message that is allowed, with a good key in it, and half of the next.
        input.extend_from_slice(&[0xff, 0x03, 0]);
        input.extend_from_slice(KeyPair::from_seed(&[9; 32]).public().as_bytes());
        input.extend_from_slice(&[0; 1023 - 32]);
        input.extend_from_slice(&[0xff, 0x03, 0]);
        input.extend_from_slice(&[0; 1000]);
        assert_eq!(side.receive_all(&mut input), Ok(vec![]));
        assert_eq!(side.output.len(), 3 + 96, "answered");
        side
    });
    println!("before the handshake: {peak} bytes");
    assert!(peak <= BEFORE_HANDSHAKE_MAX, "{peak}");
}

#[test]
fn an_idle_stream_is_small() {
    let (_, peak, _) = cost_of(|| Box::new(Side::opened_pair()));
    println!("two open streams: {peak} bytes at most");
    assert!(peak <= 2 * BEFORE_HANDSHAKE_MAX, "{peak}");
}

/// A frame that says it will have 16 MiB.
#[test]
fn a_promise_costs_nothing() {
    let (mut side, _) = Side::opened_pair();
    let mut input = BytesMut::from(&[0xff, 0xff, 0xff][..]);
    let (received, peak, _) = cost_of(|| side.receive_all(&mut input));
    assert_eq!((received, peak), (Ok(vec![]), 0));
}

/// Messages come one byte at a time; looking for their end neither copies nor reserves.
#[test]
fn one_byte_at_a_time_is_not_quadratic() {
    const LEN: usize = 1 << 20;
    let (mut initiator, mut responder) = Side::opened_pair();
    let frame = initiator.frame(&vec![1; LEN]);
    let mut input = BytesMut::new();
    let (_, peak, asked) = cost_of(|| {
        for (at, byte) in frame.iter().enumerate() {
            input.extend_from_slice(&[*byte]);
            let messages = responder.receive_all(&mut input).unwrap();
            assert_eq!(messages.len(), usize::from(at + 1 == frame.len()));
        }
    });
    println!("a message of {LEN} bytes: {peak} bytes at most, {asked} asked for");
    // A buffer that doubles has asked for twice what it holds, which may be twice what arrived.
    assert!(peak <= 4 * LEN && asked <= 5 * LEN, "{peak} {asked}");
}

/// Many messages in one buffer cost a handle for the buffer, whatever their number.
#[test]
fn receiving_allocates_once_a_buffer() {
    let (mut initiator, mut responder) = Side::opened_pair();
    let mut input = BytesMut::new();
    for _ in 0..500 {
        initiator.stream.send(&[1; 100], &mut input).unwrap();
    }
    let mut count = 0;
    let (_, _, asked) = cost_of(|| {
        while let Some(_message) =
            responder.stream.receive(&mut input, &mut responder.output).unwrap()
        {
            count += 1;
        }
    });
    assert_eq!(count, 500);
    assert!(asked <= 128, "{asked} bytes asked for");
}
