//! Bytes that were read from the source, in units of one size, up to a limit.
//!
//! Reading takes no lock and writes to no memory that other threads read, so that threads do not
//! slow each other down. Where the limit takes in the whole file each unit has its place and stays;
//! where it does not, units take each other's places.
//!
//! A cache belongs to one reader and with it to one file. It never holds more than its limit. It
//! does not know what the bytes mean; what is stored here has been verified.

#[cfg(all(test, loom))]
mod explored;
mod sets;

use std::sync::OnceLock;

use sets::Sets;

/// Units of a file that were read before.
#[derive(Debug)]
pub(crate) enum Cache {
    /// A place for each.
    All(Box<[OnceLock<Box<[u8]>>]>),
    Some(Sets),
}

impl Cache {
    /// An empty cache of at most `limit` bytes for a file of `unit_count` units of `unit_len` bytes, a
    /// multiple of 8. With a limit of a few units it may hold nothing.
    pub(crate) fn new(limit: u64, unit_len: usize, unit_count: u64) -> Self {
        if unit_count.saturating_mul(unit_len as u64) <= limit {
            return Self::All((0..unit_count).map(|_| OnceLock::new()).collect());
        }
        Self::Some(Sets::new(limit, unit_len))
    }

    /// The bytes of unit `unit`, when it is here for good.
    #[inline]
    pub(crate) fn lend(&self, unit: u64) -> Option<&[u8]> {
        let Self::All(units) = self else { return None };
        units.get(usize::try_from(unit).ok()?)?.get().map(|bytes| &**bytes)
    }

    /// Copies bytes of unit `unit` from byte `offset` of it on. `false` when they are not here;
    /// `into` holds anything then.
    #[inline]
    pub(crate) fn copy(&self, unit: u64, offset: usize, into: &mut [u8]) -> bool {
        if let Self::Some(sets) = self {
            return sets.copy(unit, offset, into);
        }
        let bytes = self.lend(unit).and_then(|bytes| bytes.get(offset..)?.get(..into.len()));
        bytes.inspect(|bytes| into.copy_from_slice(bytes)).is_some()
    }

    /// Keeps the bytes of unit `unit`, at most a unit's length. Does nothing where another thread is
    /// at work.
    pub(crate) fn put(&self, unit: u64, bytes: &[u8]) {
        match self {
            Self::Some(sets) => sets.put(unit, bytes),
            Self::All(units) => {
                let place = usize::try_from(unit).ok().and_then(|unit| units.get(unit));
                if let Some(place) = place.filter(|place| place.get().is_none()) {
                    // Two threads that have read the same have read the same bytes.
                    place.get_or_init(|| bytes.into());
                }
            }
        }
    }

    /// Bytes that are kept for units.
    pub(crate) fn allocated(&self) -> u64 {
        match self {
            Self::Some(sets) => sets.allocated(),
            Self::All(units) => {
                units.iter().filter_map(OnceLock::get).map(|bytes| bytes.len() as u64).sum()
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn bytes(unit: u64) -> [u8; 32] {
        std::array::from_fn(|place| (unit as u8).wrapping_mul(37).wrapping_add(place as u8))
    }

    fn copy(cache: &Cache, unit: u64) -> bool {
        let mut into = [0; 32];
        let is_here = cache.copy(unit, 0, &mut into);
        assert!(!is_here || into == bytes(unit), "unit {unit}");
        is_here
    }

    #[test]
    fn bytes_from_anywhere_in_a_unit() {
        for unit_count in [7, 7000] {
            let cache = Cache::new(1024, 32, unit_count);
            cache.put(6, &bytes(6));
            for start in 0..32 {
                for end in start..=32 {
                    let mut into = vec![0; end - start];
                    assert!(cache.copy(6, start, &mut into));
                    assert_eq!(into, bytes(6)[start..end]);
                }
            }
            assert_eq!(cache.lend(6).is_some(), unit_count == 7);
        }
    }

    #[test]
    fn within_its_limit_it_keeps_what_is_read() {
        let cache = Cache::new(64 * 32, 32, 10_000);
        cache.put(1, &bytes(1));
        for unit in 1000..9000 {
            assert!(copy(&cache, 1), "pushed out before unit {unit}");
            cache.put(unit, &bytes(unit));
        }
        assert_eq!(cache.allocated(), 64 * 32);
        let kept = (0..10_000).filter(|unit| copy(&cache, *unit)).count();
        assert_eq!(kept, 64);
    }

    #[test]
    fn a_limit_below_a_set_keeps_nothing() {
        for limit in [0, 127] {
            let cache = Cache::new(limit, 32, 100);
            cache.put(1, &bytes(1));
            assert!(!copy(&cache, 1));
            assert_eq!(cache.allocated(), 0);
        }
    }

    #[test]
    fn threads_read_what_was_put_or_nothing() {
        let cache = Cache::new(8 * 32, 32, 64);
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let cache = &cache;
                scope.spawn(move || {
                    let mut unit = thread;
                    for _ in 0..50_000 {
                        unit = unit.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        let unit = unit >> 58;
                        if !copy(cache, unit) {
                            cache.put(unit, &bytes(unit));
                        }
                    }
                });
            }
        });
    }
}
