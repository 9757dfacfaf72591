//! What one peer makes a replicator hold: bounded while it does its worst, little once that is over.
#![expect(unsafe_code, reason = "a counting allocator can only be written as an unsafe impl")]

mod served;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use hypercore_replication::{Bitfield, Message, PeerOptions, REQUESTS_PER_PEER_MAX};
use served::{Served, block_request, held, hello, sparse, want, want_any, writer, written};

/// One test at a time: they count the memory of the whole process.
static ALONE: Mutex<()> = Mutex::new(());

static LIVE: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: every call is handed to the system allocator unchanged; counting is an atomic number, and neither allocates
// nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: `pointer` came from `System` with this layout, as all pointers from here do.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LIVE.fetch_add(size, Ordering::Relaxed);
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: `pointer` came from `System` with this layout; `size` is the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// While it waits for answers that it does not read.
const BUSY_MAX: usize = 512 * 1024;
/// When nothing is asked and nothing wished for.
const IDLE_MAX: usize = 48 * 1024;

fn live() -> usize {
    LIVE.load(Ordering::Relaxed)
}

/// Everything that can be said to fill a memory.
fn worst(served: &mut Served) {
    for id in 0..REQUESTS_PER_PEER_MAX as u64 {
        // Half of them are urgent, none has an id that costs nothing.
        let priority = id % 2;
        let request = hypercore_merkle::Request { priority, ..block_request(id + (1 << 40), 1) };
        served.tell(Message::Request(request));
    }
    for number in 0..2000 {
        served.tell(want(number * 32, 32));
        served.tell(want_any(number * 100, 7));
        // Pages held in part, and runs of whole ones.
        served.tell(held((2 * number + 1) * 4096..(2 * number + 2) * 4096));
        served.tell(held(number * 8192 + 5..number * 8192 + 9));
    }
    let words = vec![0x5555_5555; 200_000];
    served.tell(Message::Bitfield(Bitfield::new(1 << 30, &words)));
}

#[test]
fn a_peer_that_does_its_worst_and_then_nothing() {
    let _alone = ALONE.lock();
    let mut served = Served::new(written(1000));
    served.tell(hello(0, 0));
    served.run();
    // A second one, so that what all share is there already.
    let mut before = live();
    for round in 0..3 {
        served.peer = served.replicator.add_peer(PeerOptions::new());
        served.replicator.set_room(served.peer, 0);
        served.tell(hello(0, 0));
        // As long as something is wished for, all that peers say of what they hold may be of use.
        let wish = served.replicator.want_block(1 << 40, 1);
        worst(&mut served);
        served.run();
        let busy = live() - before;
        served.replicator.cancel(wish);
        served.replicator.set_room(served.peer, usize::MAX);
        let said = served.run();
        assert!(said.len() > REQUESTS_PER_PEER_MAX);
        drop(said);
        served.run();
        served.events = Vec::new();
        let idle = live() - before;
        println!("round {round}: busy {busy}, idle {idle} bytes");
        if round == 0 {
            // What all share has been made.
            before = live();
            continue;
        }
        assert!(busy < BUSY_MAX, "{busy} bytes");
        assert!(idle < IDLE_MAX, "{idle} bytes");
        before = live();
    }
}

/// What a peer said of its blocks is forgotten while nobody wishes for any, and is asked for again.
#[test]
fn what_was_forgotten_at_rest_is_asked_for_again() {
    let _alone = ALONE.lock();
    let length = 400_000;
    let full = writer();
    for _ in 0..length / 10_000 {
        full.append(&vec![b"x"; 10_000]).unwrap();
    }
    let mut served = Served::new(sparse(&full, &[]));
    served.tell(hello(0, length));
    served.run();
    let bits = || Message::Bitfield(Bitfield::new(0, &vec![0x5555_5555; 12_500]));
    let is_want = |message: &Message| matches!(message, Message::Want(_));
    let is_request = |message: &Message| matches!(message, Message::Request(_));
    let last = length - 2;
    for _ in 0..2 {
        let wish = served.replicator.want_block(last, 1);
        let said = served.run();
        assert!(said.iter().any(is_want) && !said.iter().any(is_request), "{said:?}");
        let said = served.ask(bits());
        assert!(said.iter().any(is_request), "{said:?}");
        served.replicator.cancel(wish);
        // Taken back, and nothing is in flight.
        let asked = said.iter().filter_map(|message| match message {
            Message::Request(request) => Some(served::unavailable(request.id)),
            _ => None,
        });
        asked.for_each(|answer| served.tell(answer));
        served.wait(std::time::Duration::from_secs(60));
    }
}
