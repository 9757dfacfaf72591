//! Bytes that were read from the source, in units of one size, up to a limit.
//!
//! Reading takes no lock and writes to no memory that other threads read, so that threads do not
//! slow each other down. Units take each other's places, and one that is asked for once takes none.
//! Where the limit takes in the whole file it is read in one piece once a part of it was asked for.
//!
//! A cache belongs to one reader and with it to one file. It never holds more than its limit. It
//! does not know what the bytes mean; what is stored here has been verified.

#[cfg(all(test, loom))]
mod explored;
mod sets;
mod whole;

use sets::Sets;
pub(crate) use whole::Whole;

/// Bytes of a file that were read before.
#[derive(Debug)]
pub(crate) struct Cache {
    units: Sets,
    whole: Option<Whole>,
}

impl Cache {
    /// An empty cache of at most `limit` bytes for a file of `file_len` bytes, in units of
    /// 2^`unit_shift`, at least 8. With a limit of a few units it may hold nothing.
    pub(crate) fn new(limit: u64, unit_shift: u32, file_len: u64) -> Self {
        let rest = limit.checked_sub(file_len);
        let units = Sets::new(rest.unwrap_or(limit), unit_shift);
        Self { units, whole: rest.map(|_| Whole::new(file_len)) }
    }

    /// Where all of the file may come to be, if it fits.
    pub(crate) const fn whole(&self) -> Option<&Whole> {
        self.whole.as_ref()
    }

    /// Copies the bytes from byte `offset` on, which lie in one unit. `false` when they are not here, or
    /// lie in several; `into` holds anything then.
    #[inline]
    pub(crate) fn copy(&self, offset: u64, into: &mut [u8]) -> bool {
        self.units.copy(offset, into)
    }

    /// Whether the whole file is worth reading now that the unit of a byte was not here. `true` once.
    pub(crate) fn is_whole_due(&self) -> bool {
        self.whole.as_ref().is_some_and(|whole| whole.is_due(self.units.unit_len() as u64))
    }

    /// Whether the unit of byte `offset`, which is not here, should be put: when there is room for it or
    /// it was asked for lately. Remembers that it was asked for.
    pub(crate) fn admits(&self, offset: u64) -> bool {
        self.units.admits(offset)
    }

    /// Keeps the bytes of the unit that starts at byte `offset`; only the last of the file is shorter
    /// than a unit. Does nothing where another thread is at work.
    pub(crate) fn put(&self, offset: u64, bytes: &[u8]) {
        self.units.put(offset, bytes);
    }

    /// Keeps all bytes of the file.
    pub(crate) fn put_whole(&self, bytes: Vec<u8>) {
        if let Some(whole) = &self.whole {
            whole.put(bytes);
        }
    }

    /// Bytes that are kept.
    pub(crate) fn allocated(&self) -> u64 {
        let whole = self.whole.as_ref().and_then(Whole::get).map_or(0, <[u8]>::len);
        self.units.allocated().saturating_add(whole as u64)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const UNIT_SHIFT: u32 = 5;
    const UNIT_LEN: u64 = 1 << UNIT_SHIFT;
    const ENDLESS: u64 = u64::MAX;

    fn bytes(unit: u64) -> [u8; UNIT_LEN as usize] {
        std::array::from_fn(|place| (unit as u8).wrapping_mul(37).wrapping_add(place as u8))
    }

    fn put(cache: &Cache, unit: u64) {
        cache.put(unit * UNIT_LEN, &bytes(unit));
    }

    fn copy(cache: &Cache, unit: u64) -> bool {
        let mut into = [0; UNIT_LEN as usize];
        let is_here = cache.copy(unit * UNIT_LEN, &mut into);
        assert!(!is_here || into == bytes(unit), "unit {unit}");
        is_here
    }

    #[test]
    fn bytes_from_anywhere_in_a_unit() {
        let cache = Cache::new(1024, UNIT_SHIFT, ENDLESS);
        put(&cache, 6);
        for start in 0..32 {
            for end in start..=32 {
                let mut into = vec![0; end - start];
                assert!(cache.copy(6 * UNIT_LEN + start as u64, &mut into));
                assert_eq!(into, bytes(6)[start..end]);
            }
        }
        assert!(!cache.copy(6 * UNIT_LEN + 1, &mut [0; 32]), "bytes of two units");
    }

    #[test]
    fn within_its_limit_it_keeps_what_is_read() {
        let cache = Cache::new(64 * UNIT_LEN, UNIT_SHIFT, ENDLESS);
        put(&cache, 1);
        for unit in 1000..9000 {
            assert!(copy(&cache, 1), "pushed out before unit {unit}");
            put(&cache, unit);
        }
        assert_eq!(cache.allocated(), 64 * UNIT_LEN);
        let kept = (0..10_000).filter(|unit| copy(&cache, *unit)).count();
        assert_eq!(kept, 64);
    }

    #[test]
    fn what_is_asked_for_once_takes_no_place() {
        let cache = Cache::new(64 * UNIT_LEN, UNIT_SHIFT, ENDLESS);
        let is_refused = |unit: &u64| {
            let is_refused = !cache.admits(unit * UNIT_LEN);
            if !is_refused {
                put(&cache, *unit);
            }
            is_refused
        };
        let refused = (0..1000).find(is_refused).expect("one for which there is no room");
        assert!(!copy(&cache, refused));
        assert!(cache.admits(refused * UNIT_LEN), "asked for twice");
    }

    #[test]
    fn a_limit_below_a_set_keeps_nothing() {
        for limit in [0, 127] {
            let cache = Cache::new(limit, UNIT_SHIFT, ENDLESS);
            assert!(!cache.admits(UNIT_LEN));
            put(&cache, 1);
            assert!(!copy(&cache, 1));
            assert_eq!(cache.allocated(), 0);
        }
    }

    #[test]
    fn the_whole_is_due_once_and_within_the_limit() {
        let file_len = 800 * UNIT_LEN;
        let is_due = |cache: &Cache| (0..300).map(|_| cache.is_whole_due()).collect::<Vec<_>>();
        let due = is_due(&Cache::new(file_len, UNIT_SHIFT, file_len));
        assert_eq!(due.iter().position(|is_due| *is_due), Some(100));
        assert_eq!(due.iter().filter(|is_due| **is_due).count(), 1);
        let due = is_due(&Cache::new(file_len - 1, UNIT_SHIFT, file_len));
        assert!(!due.contains(&true));
    }

    #[test]
    fn threads_read_what_was_put_or_nothing() {
        let cache = Cache::new(8 * UNIT_LEN, UNIT_SHIFT, ENDLESS);
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let cache = &cache;
                scope.spawn(move || {
                    let mut unit = thread;
                    for _ in 0..50_000 {
                        unit = unit.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        let unit = unit >> 58;
                        if !copy(cache, unit) {
                            put(cache, unit);
                        }
                    }
                });
            }
        });
    }
}
