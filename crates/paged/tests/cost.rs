//! What writing and decoding cost: memory and calls that do not grow with the number of entries, and
//! no allocation by the say-so of stored lengths.
#![expect(unsafe_code, reason = "a counting allocator can only be written as an unsafe impl")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use paged::container::{NO_HEAP, Writer};
use paged::{DecodeFromHeap, Encoder, Heap, HeapBytes, Inline, Input, Paged, ReadError, Wide};

/// One test at a time: they count the memory of the whole process.
static ALONE: Mutex<()> = Mutex::new(());

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

struct Counting;

fn count(size: usize) {
    ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    let live = LIVE.fetch_add(size, Ordering::Relaxed) + size;
    PEAK.fetch_max(live, Ordering::Relaxed);
}

// SAFETY: every call is handed to the system allocator unchanged; counting is an atomic number, and neither allocates
// nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: `pointer` came from `System` with this layout, as all pointers from here do.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: `pointer` came from `System` with this layout; `size` is the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[derive(Debug)]
struct Cost {
    /// Most bytes at one time.
    peak: usize,
    allocations: usize,
}

fn cost_of<T>(run: impl FnOnce() -> T) -> (T, Cost) {
    let live = LIVE.load(Ordering::Relaxed);
    let allocations = ALLOCATIONS.load(Ordering::Relaxed);
    PEAK.store(live, Ordering::Relaxed);
    let value = run();
    let peak = PEAK.load(Ordering::Relaxed) - live;
    (value, Cost { peak, allocations: ALLOCATIONS.load(Ordering::Relaxed) - allocations })
}

/// An output that keeps nothing, and counts.
#[derive(Debug, Default)]
struct Sink {
    calls: u64,
    bytes: u64,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.calls += 1;
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Paged)]
struct Row {
    key: u32,
    value: u64,
    hash: [u8; 32],
}

impl Row {
    fn new(key: u32) -> Self {
        Self { key, value: u64::from(key) * 3, hash: [key as u8; 32] }
    }
}

#[test]
fn entries_cost_a_buffer_and_a_write_for_each_of_its_fillings() {
    let _alone = ALONE.lock().unwrap();
    const COUNT: u32 = 300_000;
    let (sink, cost) = cost_of(|| {
        let mut encoder = Encoder::new(Sink::default(), 4096);
        let mut heap = Heap::new();
        let mut section = encoder.begin_section::<Row>(&mut heap).unwrap();
        for key in 0..COUNT {
            section.push(&(), &Row::new(key)).unwrap();
        }
        assert_eq!(section.end().unwrap().entry_count(), COUNT);
        encoder.end().unwrap()
    });
    assert_eq!(sink.bytes, u64::from(COUNT.div_ceil(4096 / 44)) * 4096);
    assert!(sink.calls <= sink.bytes / (256 << 10) + 1, "{sink:?}");
    assert!(cost.peak < 1 << 20, "{cost:?}");
    assert!(cost.allocations < 100, "{cost:?}");
}

/// A heap of 30 MB and checksums of 2 MB wait in files.
#[test]
fn a_container_is_written_in_bounded_memory() {
    let _alone = ALONE.lock().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ((), cost) = cost_of(|| {
        let mut writer = Writer::create(folder.path().join("large"), 64).unwrap();
        let mut heap = writer.new_heap("texts").unwrap();
        let mut section = writer.begin_section::<Vec<u8>>("rows", &mut heap).unwrap();
        let row = vec![7; 1000];
        for _ in 0..30_000 {
            section.push(&(), &row).unwrap();
        }
        section.end().unwrap();
        writer.add_heap(heap).unwrap();
        writer.publish().unwrap();
    });
    assert!(cost.peak < 6 << 20, "{cost:?}");
    assert!(cost.allocations < 1000, "{cost:?}");
    // Nothing is left of what waited.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_section_in_a_container_costs_no_allocation_for_an_entry() {
    let _alone = ALONE.lock().unwrap();
    let (sink, cost) = cost_of(|| {
        let mut writer = Writer::new(Sink::default(), 4096).unwrap();
        let mut section = writer.begin_section::<Row>("rows", NO_HEAP).unwrap();
        for key in 0..100_000 {
            section.push(&(), &Row::new(key)).unwrap();
        }
        section.end().unwrap();
        writer.finish().unwrap()
    });
    assert!(sink.calls <= sink.bytes / (256 << 10) + 3, "{sink:?}");
    assert!(cost.allocations < 100, "{cost:?}");
}

/// A heap that is not in memory in one piece, as that of a file.
struct InPieces<'a>(&'a [u8]);

impl HeapBytes for InPieces<'_> {
    fn len(&self) -> u64 {
        HeapBytes::len(self.0)
    }

    fn bytes(&self, offset: u64, len: u64) -> Result<std::borrow::Cow<'_, [u8]>, ReadError> {
        self.0.bytes(offset, len)
    }
}

fn check_length<T: DecodeFromHeap>(entry: &[u8], heap: &[u8]) {
    let decode = |in_memory: bool| {
        let mut input = Input::new(entry);
        if in_memory {
            T::decode_from_heap(&mut input, &mut (), heap).err()
        } else {
            T::decode_from_heap(&mut input, &mut (), &InPieces(heap)).err()
        }
    };
    for in_memory in [true, false] {
        let (error, cost) = cost_of(|| decode(in_memory));
        let name = std::any::type_name::<T>();
        assert!(error.is_some(), "{name} {entry:?}");
        assert!(cost.peak < 64 << 10, "{name} {entry:?}: {cost:?}");
    }
}

#[derive(Paged)]
#[paged(heap)]
struct Lists {
    _inner: Vec<Inline<Vec<[u64; 100]>>>,
}

#[test]
fn lengths_are_checked_before_anything_is_allocated() {
    let _alone = ALONE.lock().unwrap();
    let heap = [0_u8; 1000];
    let reference = |offset: u32, len: u32| {
        let mut entry = offset.to_be_bytes().to_vec();
        entry.extend(len.to_be_bytes());
        entry
    };
    for (offset, len) in [(0, u32::MAX), (1000, 1), (1001, 1), (u32::MAX, 1), (0, 1001), (1, 1000)]
    {
        let entry = reference(offset, len);
        check_length::<String>(&entry, &heap);
        check_length::<Vec<u8>>(&entry, &heap);
        check_length::<Vec<u128>>(&entry, &heap);
        check_length::<Vec<[u64; 1000]>>(&entry, &heap);
        check_length::<Vec<Inline<String>>>(&entry, &heap);
        check_length::<Lists>(&entry, &heap);
        check_length::<BTreeMap<u32, u8>>(&entry, &heap);
        check_length::<Vec<()>>(&entry, &heap);
        check_length::<Vec<[(); 5]>>(&entry, &heap);
    }
    for (offset, len) in
        [(0, u64::MAX), (u64::MAX, 1), (u64::MAX, u64::MAX), (1, 1 << 61), (1 << 63, 1 << 63)]
    {
        let entry = [offset.to_be_bytes(), len.to_be_bytes()].concat();
        check_length::<Wide<String>>(&entry, &heap);
        check_length::<Wide<Vec<u128>>>(&entry, &heap);
        check_length::<Wide<Vec<Inline<Vec<u8>>>>>(&entry, &heap);
    }
    // A count inside the heap itself.
    let mut heap = [0_u8; 1000];
    heap[..4].fill(0xff);
    check_length::<Vec<Inline<Vec<u64>>>>(&reference(0, 1), &heap);
    check_length::<Vec<Inline<String>>>(&reference(0, 1), &heap);
    check_length::<Vec<Inline<Vec<Inline<Vec<u8>>>>>>(&reference(0, 1), &heap);
}
