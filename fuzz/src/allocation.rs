//! Counts what is allocated, so that a target can say how much its input may cost.
//!
//! The only unsafe code of the project that is not in `mappedpages`; it lives outside the workspace, and
//! nothing that ships is built with it. One thread is assumed: what others allocate is counted too.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn grown(bytes: usize) {
    let live = LIVE.fetch_add(bytes, Relaxed) + bytes;
    PEAK.fetch_max(live, Relaxed);
}

// SAFETY: every call goes to the system's allocator with the arguments it came with; counting touches no memory
// that was handed out. `realloc` is counted as if old and new were there at once, which a large one may be.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: the caller's promise about `layout` is the one that is asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: as for `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: `pointer` came from the system's allocator with this layout, as all here do.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        grown(size);
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as for `dealloc`; the caller's promise about `size` is the one that is asked for.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Gives what `work` gives, and how many bytes more were allocated at one time than before it.
pub fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    let result = work();
    (result, PEAK.load(Relaxed).saturating_sub(before))
}

/// Bytes that are allocated now.
#[must_use]
pub fn live() -> usize {
    LIVE.load(Relaxed)
}

/// Bytes that a decoder may allocate whatever it is given.
pub const DECODE_CONSTANT: usize = 16 * 1024;

/// Bytes that opening a log may allocate whatever is stored: node cache, windows, buffers.
pub const OPEN_CONSTANT: usize = 4 * 1024 * 1024;

/// Bytes that may be allocated for each byte that is decoded or opened.
///
/// Reached by oplog entries that say nothing: 9 bytes in the file, 168 in memory, in a vector that doubles.
pub const FACTOR: usize = 64;

/// Runs `work`, which must not allocate more at one time than `constant` and [`FACTOR`] times `len`.
///
/// # Panics
/// When it does.
pub fn bounded<T>(constant: usize, len: usize, work: impl FnOnce() -> T) -> T {
    let (result, peak) = peak_of(work);
    let limit = constant + FACTOR * len;
    assert!(
        peak <= limit,
        "{peak} bytes were allocated for an input of {len}, {limit} are allowed"
    );
    result
}
