//! The file `signatures`: a place of 64 bytes for each block, most of them blank.
//!
//! A signature in slot *i* signs the tree of *i + 1* blocks. Whether it is a good one is not known
//! here.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use hypercore_crypto::Signature;
use random_access_storage::{Error as StorageError, RandomAccess};

use crate::error::{Error, Result};
use crate::files::FileName;
use crate::header::HEADER_LEN;

/// Bytes of a slot.
pub const SIGNATURE_LEN: usize = 64;

/// Slots that a scan reads in its first call; then twice as many in each.
const SCAN_SLOTS_MIN: u64 = 16;
/// Slots that a scan reads in one call at most: 256 KiB.
const SCAN_SLOTS_MAX: u64 = 4096;

/// Stored ranges that a scan keeps at once.
const STORED_RANGES_MAX: usize = 4096;

/// The signatures that are stored.
#[derive(Clone, Debug)]
pub struct SignatureFile {
    store: Arc<dyn RandomAccess>,
}

impl SignatureFile {
    /// The signatures in that store, whose header is the caller's concern.
    #[must_use]
    pub fn new(store: Arc<dyn RandomAccess>) -> Self {
        Self { store }
    }

    /// The store below.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn RandomAccess> {
        &self.store
    }

    /// Where the slot of a block is stored, in bytes; `None` past 2^64.
    #[must_use]
    pub fn offset(block: u64) -> Option<u64> {
        block.checked_mul(SIGNATURE_LEN as u64)?.checked_add(HEADER_LEN as u64)
    }

    /// Number of whole slots, blank or not, up to the end of the file.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn slot_count(&self) -> Result<u64> {
        let len = self.store.len().map_err(Error::in_file(FileName::Signatures))?;
        Ok(slot_at(len))
    }

    /// The signature in the slot of `block`; `None` when the slot is blank or past the end.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn slot(&self, block: u64) -> Result<Option<Signature>> {
        let Some(offset) = Self::offset(block) else { return Ok(None) };
        let mut bytes = [0; SIGNATURE_LEN];
        match self.store.read_at(offset, &mut bytes) {
            Ok(()) => Ok(signature(&bytes)),
            Err(StorageError::OutOfBounds { .. }) => Ok(None),
            Err(source) => Err(Error::in_file(FileName::Signatures)(source)),
        }
    }

    /// The first signature in the slot of `block` or above: the one that covers the block.
    ///
    /// Reads as many slots as are blank in between, but no holes of the file.
    ///
    /// # Errors
    /// [`Error::Storage`].
    ///
    /// # Source
    /// "SLEEP storage", section 7.
    pub fn at_or_after(&self, block: u64) -> Result<Option<(u64, Signature)>> {
        let count = self.slot_count()?;
        let (mut block, mut slots) = (block, SCAN_SLOTS_MIN);
        while block < count {
            let Some(offset) = Self::offset(block) else { return Ok(None) };
            let stored = self.store.next_stored(offset);
            let stored = stored.map_err(Error::in_file(FileName::Signatures))?;
            let Some(stored) = stored else { return Ok(None) };
            block = block.max(slot_at(stored.start));
            let end = block.saturating_add(slots).min(count);
            let read = self.read(block, end)?;
            if let Some(found) = read.into_iter().next() {
                return Ok(Some(found));
            }
            block = end;
            slots = slots.saturating_mul(2).min(SCAN_SLOTS_MAX);
        }
        Ok(None)
    }

    /// The last signature in a slot below that of `end`.
    ///
    /// Reads as many slots as are blank in between, but no long holes of the file.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn last_before(&self, end: u64) -> Result<Option<(u64, Signature)>> {
        self.backwards(end)?.next()
    }

    /// All signatures in slots below that of `end`, the last one first. Every slot is read once.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub(crate) fn backwards(&self, end: u64) -> Result<Backwards> {
        let end = end.min(self.slot_count()?);
        let file = self.clone();
        let (found, stored) = (Vec::new(), VecDeque::new());
        Ok(Backwards { file, end, slots: SCAN_SLOTS_MIN, found, stored })
    }

    /// The slots before that of `end` that may not be in a hole, in ranges from left to right; of very
    /// many ranges the last ones.
    fn stored_before(&self, end: u64) -> Result<VecDeque<Range<u64>>> {
        let failed = Error::in_file(FileName::Signatures);
        let mut ranges = VecDeque::new();
        let mut offset = HEADER_LEN as u64;
        while let Some(stored) = self.store.next_stored(offset).map_err(&failed)? {
            let slots = slot_at(stored.start)..slot_at(stored.end).saturating_add(1);
            if slots.start >= end || stored.end <= offset {
                break;
            }
            offset = stored.end;
            ranges.push_back(slots);
            if ranges.len() > STORED_RANGES_MAX {
                ranges.pop_front();
            }
        }
        Ok(ranges)
    }

    /// Writes the signature of the tree that ends with `block`.
    ///
    /// # Durability
    /// None until the store is synced.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn write(&self, block: u64, signature: &Signature) -> Result<()> {
        let failed = Error::in_file(FileName::Signatures);
        let len = SIGNATURE_LEN as u64;
        let offset = Self::offset(block)
            .ok_or_else(|| failed(StorageError::TooLarge { offset: block, len, max: u64::MAX }))?;
        self.store.write_at(offset, signature.as_bytes()).map_err(failed)
    }

    /// Drops what signs longer trees than that of `length` blocks; whether there was anything to do. A feed
    /// without blocks keeps one blank slot, which says that it was empty before its first change.
    ///
    /// # Durability
    /// None until the store is synced.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub(crate) fn truncate(&self, length: u64) -> Result<bool> {
        let failed = Error::in_file(FileName::Signatures);
        let len = self.store.len().map_err(&failed)?;
        let end = Self::offset(length.max(1)).unwrap_or(u64::MAX);
        let is_longer = len > end;
        if is_longer {
            self.store.truncate(end).map_err(&failed)?;
        }
        let is_unmarked = length == 0 && (len < end || self.slot(0)?.is_some());
        if is_unmarked {
            self.store.write_at(HEADER_LEN as u64, &[0; SIGNATURE_LEN]).map_err(&failed)?;
        }
        Ok(is_longer || is_unmarked)
    }

    /// The signatures in slots `start..end`, all of them before the end of the file.
    fn read(&self, start: u64, end: u64) -> Result<Vec<(u64, Signature)>> {
        let slots = usize::try_from(end.saturating_sub(start).min(SCAN_SLOTS_MAX)).unwrap_or(0);
        let Some(offset) = Self::offset(start) else { return Ok(Vec::new()) };
        let mut slots = vec![[0; SIGNATURE_LEN]; slots];
        self.store
            .read_at(offset, slots.as_flattened_mut())
            .map_err(Error::in_file(FileName::Signatures))?;
        let found = (start..).zip(&slots);
        Ok(found.filter_map(|(block, bytes)| Some((block, signature(bytes)?))).collect())
    }
}

/// A scan of signatures from the last to the first.
#[derive(Debug)]
pub(crate) struct Backwards {
    file: SignatureFile,
    /// Slots from here on were read.
    end: u64,
    /// Slots to read in the next call.
    slots: u64,
    /// What was read and not given yet, the next one last.
    found: Vec<(u64, Signature)>,
    /// Where the file is no hole, as far as that was asked.
    stored: VecDeque<Range<u64>>,
}

impl Backwards {
    /// The next one to the left; `None` when there are no more.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub(crate) fn next(&mut self) -> Result<Option<(u64, Signature)>> {
        while self.found.is_empty() && self.end > 0 {
            let start = self.end.saturating_sub(self.slots);
            self.found = self.file.read(start, self.end)?;
            self.end = start;
            if self.found.is_empty() && self.slots == SCAN_SLOTS_MAX {
                self.skip_hole()?;
            }
            self.slots = self.slots.saturating_mul(2).min(SCAN_SLOTS_MAX);
        }
        Ok(self.found.pop())
    }

    /// Goes on where something is stored.
    fn skip_hole(&mut self) -> Result<()> {
        while self.stored.back().is_some_and(|range| range.start >= self.end) {
            self.stored.pop_back();
        }
        if self.stored.is_empty() {
            self.stored = self.file.stored_before(self.end)?;
        }
        self.end = self.end.min(self.stored.back().map_or(0, |range| range.end));
        Ok(())
    }
}

/// The slot that byte is in; the first one for a byte of the header.
const fn slot_at(byte: u64) -> u64 {
    const LEN: u64 = SIGNATURE_LEN as u64;
    byte.saturating_sub(HEADER_LEN as u64) / LEN
}

/// The signature in a slot that is not blank.
fn signature(bytes: &[u8; SIGNATURE_LEN]) -> Option<Signature> {
    (*bytes != [0; SIGNATURE_LEN]).then(|| Signature::from_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use random_access_memory::RandomAccessMemory;
    use random_access_storage::testing::{Call, Journal, Recording};

    use super::*;

    fn signature(block: u64) -> Signature {
        Signature::from_bytes([block as u8 | 1; SIGNATURE_LEN])
    }

    fn signatures() -> (SignatureFile, Journal) {
        let journal = Journal::new();
        let store = Recording::new("signatures", RandomAccessMemory::new(), &journal);
        crate::header::Header::signatures().write(&store).unwrap();
        (SignatureFile::new(Arc::new(store)), journal)
    }

    #[test]
    fn slots_have_places() {
        let (file, _) = signatures();
        assert_eq!((file.slot_count().unwrap(), file.slot(0).unwrap()), (0, None));
        file.write(2, &signature(2)).unwrap();
        assert_eq!(file.store().len().unwrap(), 32 + 3 * 64);
        assert_eq!(file.slot_count().unwrap(), 3);
        let slots: Vec<_> = (0..4).map(|block| file.slot(block).unwrap()).collect();
        assert_eq!(slots, [None, None, Some(signature(2)), None]);
        // A slot that is cut is none.
        file.store().truncate(32 + 3 * 64 - 1).unwrap();
        assert_eq!((file.slot_count().unwrap(), file.slot(2).unwrap()), (2, None));
        assert_eq!(file.last_before(9).unwrap(), None);
    }

    #[test]
    fn no_block_overflows() {
        let (file, _) = signatures();
        for block in [u64::MAX, u64::MAX / 64, u64::MAX / 64 + 1] {
            assert_eq!(file.slot(block).unwrap(), None);
            assert_eq!(file.at_or_after(block).unwrap(), None);
            assert_eq!(file.last_before(block).unwrap(), None);
            assert!(matches!(file.write(u64::MAX, &signature(0)), Err(Error::Storage { .. })));
        }
    }

    #[test]
    fn a_scan_skips_holes_and_reads_ever_more() {
        let (file, journal) = signatures();
        file.write(1_000_000, &signature(1)).unwrap();
        drop(journal.take());
        assert_eq!(file.at_or_after(0).unwrap(), Some((1_000_000, signature(1))));
        assert!(journal.take().len() <= 2);
        assert_eq!(file.last_before(1_000_000).unwrap(), None);
        let reads = journal.take();
        assert!(reads.len() < 300, "{}", reads.len());
        let is_small = |call: &Call| matches!(call, Call::Read { len, .. } if *len <= 262_144);
        assert!(reads.iter().all(|read| is_small(&read.call)));
    }

    #[test]
    fn a_scan_backwards_reads_every_slot_once() {
        let (file, journal) = signatures();
        let all = 0..3000;
        all.clone().for_each(|block| file.write(block, &signature(block)).unwrap());
        drop(journal.take());
        let mut scan = file.backwards(u64::MAX).unwrap();
        for block in all.rev() {
            assert_eq!(scan.next().unwrap(), Some((block, signature(block))));
        }
        assert_eq!(scan.next().unwrap(), None);
        let reads = journal.take();
        assert!(reads.len() < 12, "{}", reads.len());
    }

    #[test]
    fn a_scan_backwards_passes_over_more_holes_than_it_keeps() {
        let (file, _) = signatures();
        let apart = 4 * SCAN_SLOTS_MAX;
        let count = STORED_RANGES_MAX as u64 + 100;
        (0..count).for_each(|at| file.write(at * apart, &signature(at)).unwrap());
        let mut scan = file.backwards(u64::MAX).unwrap();
        for at in (0..count).rev() {
            assert_eq!(scan.next().unwrap(), Some((at * apart, signature(at))));
        }
        assert_eq!(scan.next().unwrap(), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

        #[test]
        fn as_a_map_says(
            blocks in prop::collection::btree_set(prop_oneof![0_u64..40, 0_u64..3000], 0..12),
            asked in prop::collection::vec(0_u64..3100, 1..20),
        ) {
            let (file, _) = signatures();
            for block in &blocks {
                file.write(*block, &signature(*block)).unwrap();
            }
            let map: BTreeMap<u64, Signature> =
                blocks.iter().map(|block| (*block, signature(*block))).collect();
            let owned = |(block, signature): (&u64, &Signature)| (*block, *signature);
            for block in asked {
                prop_assert_eq!(file.slot(block).unwrap(), map.get(&block).copied());
                prop_assert_eq!(file.at_or_after(block).unwrap(), map.range(block..).next().map(owned));
                prop_assert_eq!(file.last_before(block).unwrap(), map.range(..block).next_back().map(owned));
            }
        }
    }
}
