//! User data: an application's values beside the log, by key, in the order in which they were first set.
//!
//! Pure, and no slower than it has to be: an oplog of another program may set a hundred thousand keys, one after the other.
//! Most logs have none and set none, so keys are looked up one by one until one of many is set.

use std::collections::BTreeSet;
use std::ops::RangeBounds;
use std::sync::Arc;

use compact_encoding::{Decode, DecodeError, Decoder, Encode, Encoder, uint_len};

use crate::header::buffer_len;

/// What the keys of the log itself begin with. Nobody else sees or sets them.
const OWN: &str = "hypercore-log/";

/// Says that what was written here was signed without a stored key pair: see `signing.rs`.
pub(crate) const SIGNED_HERE: &str = "hypercore-log/signed-here";

/// Says that this is a backup that nobody confirmed to be the newest: see `backup.rs`.
pub(crate) const BACKUP: &str = "hypercore-log/backup";

/// Whether a key is one of the log itself.
pub(crate) fn is_own(key: &str) -> bool {
    key.starts_with(OWN)
}

/// From so many keys on they are ordered before one is set.
const ORDERED_FROM: usize = 32;

/// Values of the application, in order of insertion.
///
/// Bytes from disk may hold a key twice; [`get`](Self::get) and [`set`](Self::set) then mean the
/// first.
#[derive(Clone, Debug, Default)]
pub(crate) struct UserData {
    /// Keys and values; `None` where one was removed.
    entries: Vec<Option<(Arc<str>, Vec<u8>)>>,
    /// How many were removed: fewer than half of the entries.
    removed: usize,
    /// The places of all keys in the entries; empty until they are ordered.
    places: BTreeSet<(Arc<str>, usize)>,
}

impl UserData {
    /// The first place of `key`.
    fn place(&self, key: &str) -> Option<usize> {
        if self.places.is_empty() {
            let is_it = |entry: &Option<(Arc<str>, _)>| {
                entry.as_ref().is_some_and(|(name, _)| **name == *key)
            };
            return self.entries.iter().position(is_it);
        }
        let (found, place) = self.places.range((Arc::from(key), 0)..).next()?;
        (**found == *key).then_some(*place)
    }

    /// The value of `key`.
    pub(crate) fn get(&self, key: &str) -> Option<&[u8]> {
        let (_, value) = self.entries.get(self.place(key)?)?.as_ref()?;
        Some(value)
    }

    /// Replaces the value of `key` in place, or appends it, or removes it for `None`; says whether that
    /// changed anything.
    ///
    /// An empty value stays in the list; on disk it is the same as none, so an entry with it deletes the
    /// key when it is replayed.
    ///
    /// # Source
    /// formats.md section 9 (notes on user data).
    pub(crate) fn set(&mut self, key: &str, value: Option<Vec<u8>>) -> bool {
        if self.places.is_empty() && self.entries.len() >= ORDERED_FROM {
            self.order();
        }
        let place = self.place(key);
        match (place.and_then(|place| self.entries.get_mut(place)), value) {
            (Some(Some((_, old))), Some(new)) => {
                let changed = *old != new;
                *old = new;
                changed
            }
            (Some(entry), None) => {
                if let (Some((key, _)), Some(place)) = (entry.take(), place) {
                    self.places.remove(&(key, place));
                }
                self.removed = self.removed.saturating_add(1);
                if self.removed.saturating_mul(2) >= self.entries.len() {
                    self.entries.retain(Option::is_some);
                    self.removed = 0;
                    self.places.clear();
                }
                true
            }
            (_, Some(new)) => {
                let key: Arc<str> = Arc::from(key);
                if !self.places.is_empty() {
                    self.places.insert((Arc::clone(&key), self.entries.len()));
                }
                self.entries.push(Some((key, new)));
                true
            }
            (None, None) => false,
        }
    }

    /// At most `limit` of the application's keys of a range with their values, in order; of a key that is there twice the first.
    pub(crate) fn range(&self, range: impl RangeBounds<str>, limit: usize) -> Vec<(&str, &[u8])> {
        let mut found: Vec<_> = self.shown().filter(|(key, _)| range.contains(*key)).collect();
        // Stable: of two the first stays in front.
        found.sort_by_key(|(key, _)| *key);
        found.dedup_by_key(|(key, _)| *key);
        found.truncate(limit);
        found
    }

    /// The application's keys and values in the order they were first set. An empty value is none.
    pub(crate) fn shown(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.iter().filter(|(key, value)| !value.is_empty() && !is_own(key))
    }

    fn order(&mut self) {
        let entries = self.entries.iter().enumerate();
        self.places = entries
            .filter_map(|(place, entry)| Some((Arc::clone(&entry.as_ref()?.0), place)))
            .collect();
    }

    /// Keys and values in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.entries.iter().flatten().map(|(key, value)| (&**key, value.as_slice()))
    }

    /// How many keys there are.
    pub(crate) const fn len(&self) -> usize {
        self.entries.len().saturating_sub(self.removed)
    }
}

impl PartialEq for UserData {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for UserData {}

impl Encode for UserData {
    fn encoded_len(&self) -> usize {
        let lens = self
            .iter()
            .map(|(key, value)| buffer_len(key.len()).saturating_add(buffer_len(value.len())));
        lens.fold(uint_len(self.len() as u64), usize::saturating_add)
    }

    fn encode(&self, out: &mut Encoder) {
        out.uint(self.len() as u64);
        for (key, value) in self.iter() {
            out.string(key);
            out.buffer(value);
        }
    }
}

impl Decode<'_> for UserData {
    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        // Each key and each value has at least its length byte.
        let entries = input
            .array(2, |input| Ok(Some((Arc::from(input.string()?), input.buffer()?.to_vec()))))?;
        Ok(Self { entries, ..Self::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn user_data_is_replaced_in_place_and_removed() {
        let mut data = UserData::default();
        assert!(!data.set("a", None));
        assert!(data.set("a", Some(vec![1])));
        assert!(data.set("b", Some(vec![2])));
        assert!(!data.set("a", Some(vec![1])));
        assert!(data.set("a", Some(vec![3])));
        assert!(data.set("c", Some(vec![])));
        let all: Vec<_> = data.iter().collect();
        assert_eq!(all, [("a", &[3][..]), ("b", &[2]), ("c", &[])]);
        assert!(data.set("a", None));
        assert_eq!((data.get("a"), data.get("b"), data.len()), (None, Some(&[2][..]), 2));
    }

    #[test]
    fn of_a_key_that_is_there_twice_the_first_counts() {
        let bytes = [2, 1, b'k', 1, 1, 1, b'k', 1, 2];
        let mut data = UserData::decode(&mut Decoder::new(&bytes)).unwrap();
        assert_eq!(data.to_vec(), bytes);
        assert_eq!(data.get("k"), Some(&[1][..]));
        assert!(data.set("k", None));
        assert_eq!(data.get("k"), Some(&[2][..]));
    }

    #[test]
    fn as_many_keys_as_an_oplog_can_hold_are_set_and_removed() {
        let mut data = UserData::default();
        let keys = 0..200_000_u32;
        for key in keys.clone() {
            assert!(data.set(&key.to_string(), Some(vec![1])));
        }
        assert_eq!(data.len(), keys.len());
        for key in keys.rev() {
            assert!(data.set(&key.to_string(), None));
        }
        assert_eq!(data, UserData::default());
    }

    proptest! {
        #[test]
        fn it_is_a_list_of_pairs(
            steps in proptest::collection::vec(("[a-f]{0,2}", proptest::option::of(0_u8..3)), 0..200),
        ) {
            let mut data = UserData::default();
            let mut list: Vec<(String, Vec<u8>)> = Vec::new();
            for (key, value) in steps {
                let value = value.map(|value| vec![value]);
                let changed = data.set(&key, value.clone());
                let before = list.clone();
                let place = list.iter().position(|(name, _)| *name == key);
                match (place, value) {
                    (Some(at), Some(value)) => list[at].1 = value,
                    (Some(at), None) => _ = list.remove(at),
                    (None, Some(value)) => list.push((key.clone(), value)),
                    (None, None) => {}
                }
                prop_assert_eq!(changed, list != before);
                let all: Vec<_> = data.iter().collect();
                let wanted: Vec<_> = list.iter().map(|(key, value)| (key.as_str(), &value[..])).collect();
                prop_assert_eq!(all, wanted);
                prop_assert_eq!(UserData::decode(&mut Decoder::new(&data.to_vec())).unwrap().to_vec(), data.to_vec());
            }
        }
    }
}
