//! Counts what each thread allocates, so that the attacks can say what they cost the victim.
#![expect(unsafe_code, reason = "a counting allocator can only be written as an unsafe impl")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use sim::hostile::Counter;

thread_local! {
    /// Bytes allocated less bytes freed, of this thread.
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// Bytes from which on an allocation has pages of its own, which move to a new place without being copied.
const MOVED_LEN: usize = 128 * 1024;

/// Asks the allocator of this program.
pub(crate) const COUNTER: Counter =
    Counter { live: || LIVE.get(), peak: || PEAK.get(), restart: || PEAK.set(LIVE.get()) };

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn changed(by: isize) {
    let live = LIVE.get().wrapping_add(by);
    LIVE.set(live);
    PEAK.set(PEAK.get().max(live));
}

/// No allocation has more than `isize::MAX` bytes.
const fn signed(len: usize) -> isize {
    len.cast_signed()
}

// SAFETY: every call is handed to the system allocator unchanged; the counters are thread-local cells without a
// destructor, so counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        changed(signed(layout.size()));
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        changed(signed(layout.size()));
        // SAFETY: as for `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        changed(-signed(layout.size()));
        // SAFETY: `pointer` came from `System` with this layout, as all pointers from here do.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if layout.size() < MOVED_LEN {
            // Old and new may be there at once.
            changed(signed(size));
            changed(-signed(layout.size()));
        } else {
            changed(signed(size) - signed(layout.size()));
        }
        // SAFETY: `pointer` came from `System` with this layout; `size` is the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
