//! Units of a file of which not all fit: new ones take the place of those that are not read.
//!
//! A set of [`WAYS`] units has a version, which is odd while one of them is replaced: who reads copies
//! bytes, and keeps them only when the version was even and is the same afterwards. Who finds a set
//! being replaced goes to the source instead of waiting. All bytes are atomics, so that a copy that
//! is thrown away was no data race.

use std::fmt;
use std::sync::OnceLock;

#[cfg(all(test, loom))]
use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
#[cfg(not(all(test, loom)))]
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

/// Units among which one is replaced by another.
pub(super) const WAYS: usize = 4;

/// Bytes of an atomic.
const WORD: usize = 8;

/// Set in a tag when its unit was read since it came, or since all of the set were last.
const USED: u64 = 1 << 63;

/// Some units of a file.
pub(crate) struct Sets {
    sets: Box<[Set]>,
    /// A unit has 2^`unit_shift` bytes.
    unit_shift: u32,
    /// Units that were asked for lately and are not kept: the lower half of their number, each at a place
    /// that its number gives. Who finds another one there has been forgotten.
    asked: Box<[AtomicU32]>,
}

/// All that is looked at to find a unit, in one line of the processor's cache.
#[repr(align(64))]
struct Set {
    /// Odd while a unit is replaced.
    version: AtomicU64,
    /// The number of the unit plus one, 0 for none; [`USED`].
    tags: [AtomicU64; WAYS],
    /// The bytes of all units of the set, made with the first.
    frames: OnceLock<Box<[AtomicU64]>>,
}

impl Sets {
    /// As many empty sets of units of 2^`unit_shift` bytes, at least 8, as fit into `limit` bytes.
    pub(super) fn new(limit: u64, unit_shift: u32) -> Self {
        let empty = || Set {
            version: AtomicU64::new(0),
            tags: std::array::from_fn(|_| AtomicU64::new(0)),
            frames: OnceLock::new(),
        };
        let count = (limit >> unit_shift).checked_div(WAYS as u64).unwrap_or(0);
        let units = 0..count.saturating_mul(WAYS as u64);
        let sets = (0..count).map(|_| empty()).collect();
        // No unit that is in a file has this number.
        Self { sets, unit_shift, asked: units.map(|_| AtomicU32::new(u32::MAX)).collect() }
    }

    /// Copies the bytes from byte `offset` on. `false` when they are not here, or lie in several units;
    /// `into` holds anything then.
    #[inline]
    pub(super) fn copy(&self, offset: u64, into: &mut [u8]) -> bool {
        let unit = offset >> self.unit_shift;
        let unit_len = self.unit_len();
        #[expect(clippy::cast_possible_truncation, reason = "smaller than a unit")]
        let within = offset as usize & unit_len.wrapping_sub(1);
        if into.len() > unit_len.wrapping_sub(within) {
            return false;
        }
        let Some(set) = self.set(unit) else { return false };
        let Some(frames) = set.frames.get() else { return false };
        let version = set.version.load(Ordering::Acquire);
        let wanted = unit.wrapping_add(1);
        let way = set.way_of(wanted);
        let Some(tag) = set.tags.get(way).map(|tag| tag.load(Ordering::Relaxed)) else {
            return false;
        };
        if version % 2 != 0 || tag & !USED != wanted {
            return false;
        }
        copy_words(frames, (way << self.unit_shift).wrapping_add(within), into);
        // With the release fence of `put`: whoever saw a byte of a replacement sees its version.
        fence(Ordering::Acquire);
        if set.version.load(Ordering::Relaxed) != version {
            return false;
        }
        if tag & USED == 0 {
            set.mark_used(way, wanted);
        }
        true
    }

    /// Whether the unit of byte `offset` should be put: when there is room for it, or it was asked for
    /// before and not too many others since. Remembers that it was asked for.
    pub(super) fn admits(&self, offset: u64) -> bool {
        let unit = offset >> self.unit_shift;
        let Some(set) = self.set(unit) else { return false };
        if set.tags.iter().any(|tag| tag.load(Ordering::Relaxed) == 0) {
            return true;
        }
        let Some(asked) = self.asked.get(spread(unit, self.asked.len())) else { return false };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "that two units are taken for one does no harm"
        )]
        let half = unit as u32;
        asked.swap(half, Ordering::Relaxed) == half
    }

    /// Keeps the bytes of the unit that starts at byte `offset`, at most a unit's length. Does nothing
    /// where another thread is at work.
    pub(super) fn put(&self, offset: u64, bytes: &[u8]) {
        let unit = offset >> self.unit_shift;
        let unit_words = self.unit_len() / WORD;
        let Some(set) = self.set(unit) else { return };
        // And one, for `copy_words`.
        let words = unit_words.saturating_mul(WAYS).saturating_add(1);
        let frames = set.frames.get_or_init(|| (0..words).map(|_| AtomicU64::new(0)).collect());
        let version = set.version.load(Ordering::Relaxed);
        let odd = version.wrapping_add(1);
        if version % 2 != 0
            || set
                .version
                .compare_exchange(version, odd, Ordering::Acquire, Ordering::Relaxed)
                .is_err()
        {
            return;
        }
        fence(Ordering::Release);
        let wanted = unit.wrapping_add(1);
        let way = set.place_for(wanted, version);
        if let Some(tag) = set.tags.get(way) {
            // Not a store: loom has no order between one and the exchange of `mark_used`.
            tag.swap(wanted, Ordering::Relaxed);
        }
        let frame = frames.get(way.wrapping_mul(unit_words)..);
        let frame = frame.and_then(|frame| frame.get(..unit_words));
        let frame = frame.unwrap_or_default();
        let (chunks, rest) = bytes.as_chunks::<WORD>();
        for (word, chunk) in frame.iter().zip(chunks) {
            word.store(u64::from_le_bytes(*chunk), Ordering::Relaxed);
        }
        if let Some(word) = frame.get(chunks.len()) {
            let mut padded = [0; WORD];
            padded.iter_mut().zip(rest).for_each(|(into, byte)| *into = *byte);
            word.store(u64::from_le_bytes(padded), Ordering::Relaxed);
        }
        set.version.store(odd.wrapping_add(1), Ordering::Release);
    }

    /// Bytes that are kept for units, whether they hold any or not.
    pub(super) fn allocated(&self) -> u64 {
        let made = self.sets.iter().filter(|set| set.frames.get().is_some()).count();
        (made as u64).saturating_mul(WAYS as u64) << self.unit_shift
    }

    pub(super) const fn unit_len(&self) -> usize {
        1 << self.unit_shift
    }

    #[inline]
    fn set(&self, unit: u64) -> Option<&Set> {
        self.sets.get(spread(unit, self.sets.len()))
    }
}

/// A place below `count` for a unit. Numbers that follow each other, or are far apart by a power of two,
/// spread evenly.
#[inline]
fn spread(unit: u64, count: usize) -> usize {
    let hash = unit.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let place = u128::from(hash).wrapping_mul(count as u128) >> 64;
    usize::try_from(place).unwrap_or(usize::MAX)
}

impl Set {
    /// The place of the unit whose tag is `wanted`, or [`WAYS`].
    #[inline]
    fn way_of(&self, wanted: u64) -> usize {
        let is_wanted = |tag: &AtomicU64| tag.load(Ordering::Relaxed) & !USED == wanted;
        self.tags.iter().position(is_wanted).unwrap_or(WAYS)
    }

    /// The place of that unit when another thread was faster; or a free one, or one whose unit was not
    /// read for longest. Only for who made the version odd.
    fn place_for(&self, wanted: u64, version: u64) -> usize {
        let tags = || self.tags.iter().map(|tag| tag.load(Ordering::Relaxed));
        let place = tags().position(|tag| tag & !USED == wanted);
        if let Some(way) = place.or_else(|| tags().position(|tag| tag == 0)) {
            return way;
        }
        let hand = usize::try_from(version / 2).unwrap_or_default() % WAYS;
        let unused = |way: &usize| tags().nth(*way).is_some_and(|tag| tag & USED == 0);
        let mut turn = (0..WAYS).map(|turn| hand.wrapping_add(turn) % WAYS);
        turn.find(unused).unwrap_or_else(|| {
            for tag in &self.tags {
                tag.fetch_and(!USED, Ordering::Relaxed);
            }
            hand
        })
    }

    /// Says that a unit was read, unless another one has taken its place.
    #[cold]
    fn mark_used(&self, way: usize, wanted: u64) {
        if let Some(tag) = self.tags.get(way) {
            let used = wanted | USED;
            // Whoever failed has nothing to say of what is there now.
            let _ = tag.compare_exchange(wanted, used, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

/// Copies bytes from byte `offset` of `words` on, which has a word more than bytes are asked of.
#[inline]
fn copy_words(words: &[AtomicU64], offset: usize, into: &mut [u8]) {
    let shift = (offset % WORD).wrapping_mul(8);
    let pairs = words.get(offset / WORD..).unwrap_or_default().windows(2);
    let mut values = pairs.map(|pair| {
        let [low, high] = pair else { return [0; WORD] };
        let [low, high] = [low, high].map(|word| word.load(Ordering::Relaxed));
        // In two steps, since a shift by all 64 bits of a word is none.
        (low >> shift | high << 1 << (63_usize.wrapping_sub(shift))).to_le_bytes()
    });
    let mut chunks = into.chunks_exact_mut(WORD);
    for (chunk, value) in chunks.by_ref().zip(values.by_ref()) {
        chunk.copy_from_slice(&value);
    }
    let rest = chunks.into_remainder();
    if !rest.is_empty()
        && let Some(value) = values.next()
    {
        rest.iter_mut().zip(value).for_each(|(into, byte)| *into = byte);
    }
}

impl fmt::Debug for Sets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sets")
            .field("sets", &self.sets.len())
            .field("unit_shift", &self.unit_shift)
            .finish_non_exhaustive()
    }
}
