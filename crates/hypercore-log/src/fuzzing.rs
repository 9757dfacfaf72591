//! What the fuzz targets check of the decoders that nobody else sees. Compiled for them only.
//!
//! Each takes any bytes and panics where something is wrong, which is what a fuzzer looks for.
#![expect(
    clippy::missing_panics_doc,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that the fuzzer drives"
)]

use std::ops::Range;

use compact_encoding::{Decode, Decoder, Encode};
use flat_tree::Index;
use random_access_storage::RandomAccess;

use crate::bitfield::{Bitfield, INDEX_END};
use crate::entry::Entry;
use crate::frame::{FRAME_HEADER_LEN, parse_frame, write_frame};
use crate::header::{Header, SlotContent};
use crate::nodes;
use crate::oplog::{self, OplogState};

/// A header that is read and written again is the same, and as long as it says.
pub fn header(bytes: &[u8]) {
    let Ok(SlotContent::Inline(header)) = SlotContent::from_bytes(bytes) else { return };
    let write = |header: &Header| {
        let written = header.to_secret_vec();
        assert_eq!(written.len(), header.encoded_len());
        written
    };
    let written = write(&header);
    let Ok(SlotContent::Inline(again)) = SlotContent::from_bytes(&written) else {
        panic!("what was written is a header")
    };
    assert_eq!(write(&again), written);
    assert!(!format!("{header:?}").contains("secret: Some([") && header.check_len().is_ok());
}

/// An entry that is read and written again is the same.
pub fn entry(bytes: &[u8]) {
    let Ok(entry) = Entry::from_slice(bytes) else { return };
    let pieces: Vec<_> = entry.pieces().expect("what was read can be written").collect();
    let [piece] = pieces.as_slice() else { panic!("an entry that was read is not too long") };
    let written = piece.to_vec();
    assert_eq!(written.len(), piece.encoded_len());
    assert!(written.len() <= bytes.len(), "not the shortest form");
    assert_eq!(Entry::from_slice(&written), Ok(entry));
}

/// A frame that is found at `offset` is the one that writing its content gives.
pub fn frame(bytes: &[u8], offset: usize) {
    let Some(frame) = parse_frame(bytes, offset) else { return };
    assert_eq!(frame.content.start, offset + FRAME_HEADER_LEN);
    let mut written = Vec::new();
    let content = &bytes[frame.content.clone()];
    write_frame(&mut written, content, frame.bit, frame.partial).expect("it has been written");
    assert_eq!(written, bytes[offset..frame.content.end]);
}

/// Frames read through the window over a file are those in its bytes, one behind the other.
pub fn oplog(bytes: &[u8], oplog: &dyn RandomAccess, header: &dyn RandomAccess) {
    let Ok(OplogState::Present(loaded)) = oplog::read(oplog, header) else { return };
    let mut start = oplog::ENTRIES_START;
    let live = loaded.position.bit();
    for entry in &loaded.entries {
        assert_eq!(entry.start, start);
        let offset = usize::try_from(start).unwrap();
        let frame = parse_frame(bytes, offset).expect("it was read");
        assert_eq!((frame.bit, frame.partial), (live, entry.partial));
        // What follows an entry in its frame is not looked at.
        let decoded = Entry::decode(&mut Decoder::new(&bytes[frame.content.clone()]));
        assert_eq!(decoded.as_ref(), Ok(&entry.entry));
        start = entry.end;
        assert_eq!(start, frame.content.end as u64);
    }
    assert_eq!(start, loaded.position.entries_end);
    assert!(start <= loaded.file_len.max(oplog::ENTRIES_START));
    assert!(!loaded.entries.last().is_some_and(|entry| entry.partial));
}

/// A stored node is its 40 bytes.
pub fn node(index: u64, bytes: &[u8; nodes::NODE_BYTES]) {
    let node = nodes::decode(Index::new(index), bytes);
    assert_eq!(nodes::encode(node.as_ref()), *bytes);
}

/// A bitfield out of a file, and then set and cleared in `ops`, is the set of its bits.
pub fn bitfield(
    bytes: &[u8],
    store: &dyn RandomAccess,
    ops: impl Iterator<Item = (u64, u64, bool)>,
) {
    let mut bitfield = Bitfield::load(store).expect("few bytes are few pages");
    let mut model = Runs::default();
    for index in 0..(bytes.len() - bytes.len() % 4) as u64 * 8 {
        if bit(bytes, index) {
            model.push(index..index + 1);
        }
    }
    model.check(&bitfield, 0);
    for (start, len, value) in ops {
        let range = start..start + len;
        if value && range.end > INDEX_END && !range.is_empty() {
            assert!(bitfield.set_range(range, true).is_err());
            continue;
        }
        let before = model.clone();
        model.set(range.clone(), value);
        let changed = bitfield.set_range(range, value).expect("short ranges are few pages");
        assert_eq!(changed, before != model);
        model.check(&bitfield, start);
    }
    let mut written = bytes.to_vec();
    for (offset, page) in bitfield.dirty_pages().take_while(|(offset, _)| *offset < 1 << 20) {
        let offset = usize::try_from(offset).expect("it is small");
        written.resize(written.len().max(offset + page.len()), 0);
        written[offset..offset + page.len()].copy_from_slice(&page);
    }
    written.truncate(written.len() - written.len() % 4);
    for index in 0..written.len() as u64 * 8 {
        assert_eq!(bit(&written, index), bitfield.get(index));
    }
}

fn bit(bytes: &[u8], index: u64) -> bool {
    bytes[usize::try_from(index / 8).expect("it is inside")] >> (index % 8) & 1 == 1
}

/// Set indexes as runs in order that do not touch: made anew by each change, without any cleverness.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Runs(Vec<Range<u64>>);

impl Runs {
    fn set(&mut self, range: Range<u64>, value: bool) {
        if range.is_empty() {
            return;
        }
        let mut pieces: Vec<Range<u64>> = Vec::new();
        for run in self.0.drain(..) {
            pieces.extend([run.start..run.end.min(range.start), run.start.max(range.end)..run.end]);
        }
        if value {
            pieces.push(range);
        }
        pieces.retain(|piece| !piece.is_empty());
        pieces.sort_by_key(|piece| piece.start);
        pieces.into_iter().for_each(|piece| self.push(piece));
    }

    /// Adds a run behind all others.
    fn push(&mut self, run: Range<u64>) {
        match self.0.last_mut() {
            Some(last) if last.end == run.start => last.end = run.end,
            _ => self.0.push(run),
        }
    }

    fn get(&self, index: u64) -> bool {
        self.0.iter().any(|run| run.contains(&index))
    }

    fn check(&self, bitfield: &Bitfield, around: u64) {
        let all = 0..u64::MAX;
        assert!(bitfield.set_ranges(all.clone()).eq(self.0.iter().cloned()));
        let count = |runs: &[Range<u64>]| runs.iter().map(|run| run.end - run.start).sum::<u64>();
        assert_eq!(bitfield.count_set(all), count(&self.0));
        for index in [0, around.saturating_sub(1), around, around + 1, around + 40_000] {
            assert_eq!(bitfield.get(index), self.get(index));
            let free = self.0.iter().find(|run| run.contains(&index)).map_or(index, |run| run.end);
            assert_eq!(bitfield.contiguous_from(index), free);
            let next = self.0.iter().find(|run| run.end > index).map(|run| run.start.max(index));
            assert_eq!(bitfield.find_first(true, index..u64::MAX), next);
            let last = self.0.iter().rev().find(|run| run.start < index);
            let last = last.map(|run| run.end.min(index) - 1);
            assert_eq!(bitfield.find_last_set(index), last);
            let mut below = self.clone();
            below.set(index..u64::MAX, false);
            assert_eq!(bitfield.count_set(0..index), count(&below.0));
        }
    }
}
