//! Entries: those of the live header, and what stands where they end.

use compact_encoding::{Decode as _, Decoder};

use super::reader::{FrameReader, RawFrame};
use super::{ENTRIES_START, ENTRY_CONTENT_LEN_MAX};
use crate::canary::{Bug, planted};
use crate::entry::Entry;
use crate::error::StorageError;
use crate::frame::{FRAME_HEADER_LEN, FrameHead, parse_frame};

/// Bytes behind an invalid entry that are searched for a valid one.
pub(super) const SEARCHED_LEN_MAX: u64 = 4 * 1024 * 1024;

/// How often each of them is hashed at most: bytes made to look like frames must not make the search slow.
const SEARCH_EFFORT: usize = 16;

/// Bits of an entry's flags that mean something.
const KNOWN_FLAGS: u8 = 0x0f;

/// One entry and where it stands.
#[derive(Debug)]
pub(crate) struct LoadedEntry {
    /// The change.
    pub(crate) entry: Entry,
    /// Where its frame starts in the file.
    pub(crate) start: u64,
    /// Where its frame ends.
    pub(crate) end: u64,
    /// Whether the next entry belongs to the same atomic batch.
    pub(crate) partial: bool,
}

/// What stands where reading the entries stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing: the file ends there.
    End,
    /// No valid frame: a torn write, or damage.
    Invalid,
    /// An entry of the live header in which one bit is wrong: damage, which a power cut looks like by chance only.
    Flipped,
    /// No valid frame, and behind it an entry of the live header: damage, or a power cut that kept the later of
    /// two entries and not the earlier.
    Damaged,
    /// A valid frame with the other bit: of an older header, whose entries were not cut off, or of a newer
    /// one whose slot is damaged.
    OtherHeader,
    /// A valid frame with the right bit whose content is no entry, or a longer one than
    /// [`ENTRY_CONTENT_LEN_MAX`].
    Undecodable,
}

/// What was read behind the slots.
pub(super) struct Entries {
    /// Those that count: of whole batches.
    pub(super) entries: Vec<LoadedEntry>,
    /// Whether anything of the live header stands there, also what does not count.
    pub(super) any: bool,
    pub(super) tail: Tail,
    /// The entry in which one bit is wrong, put right, and those behind it.
    pub(super) flipped: Vec<Entry>,
}

/// Reads the entries that carry the bit `live`, and says what stands behind them.
pub(super) fn read_entries(
    reader: &mut FrameReader<'_>,
    live: bool,
) -> Result<Entries, StorageError> {
    let mut entries: Vec<LoadedEntry> = Vec::new();
    let mut start = ENTRIES_START;
    let mut flipped = Vec::new();
    let tail = loop {
        match reader.frame_at(start, ENTRY_CONTENT_LEN_MAX)? {
            RawFrame::End => break Tail::End,
            RawFrame::Invalid => {
                flipped = entries_from_flipped(reader, start, live)?;
                break if flipped.is_empty() {
                    invalid_tail(reader, start, live)?
                } else {
                    Tail::Flipped
                };
            }
            RawFrame::TooLong { bit } | RawFrame::Valid { bit, .. }
                if bit != live && !planted(Bug::EntryBitNotChecked) =>
            {
                break Tail::OtherHeader;
            }
            RawFrame::TooLong { .. } => break Tail::Undecodable,
            RawFrame::Valid { partial, content, end, .. } => {
                let Ok(entry) = Entry::decode(&mut Decoder::new(content)) else {
                    break Tail::Undecodable;
                };
                entries.push(LoadedEntry { entry, start, end, partial });
                start = end;
            }
        }
    };
    let any = !entries.is_empty() || matches!(tail, Tail::Flipped | Tail::Undecodable);
    // A batch whose last entry is missing never happened.
    while entries.pop_if(|entry| entry.partial).is_some() {}
    Ok(Entries { entries, any, tail, flipped })
}

/// The entry at `start` with the one bit of it put right that is wrong, and the valid ones behind it; none if that is not it.
fn entries_from_flipped(
    reader: &mut FrameReader<'_>,
    start: u64,
    live: bool,
) -> Result<Vec<Entry>, StorageError> {
    let Some(flipped) = reader.flipped(start)?.filter(|flipped| flipped.bit == live) else {
        return Ok(Vec::new());
    };
    let Ok(entry) = Entry::from_slice(&flipped.content) else { return Ok(Vec::new()) };
    let len = FRAME_HEADER_LEN.saturating_add(flipped.content.len()) as u64;
    let mut entries = vec![entry];
    let mut next = start.saturating_add(len);
    while let RawFrame::Valid { bit, content, end, .. } =
        reader.frame_at(next, ENTRY_CONTENT_LEN_MAX)?
    {
        let Ok(entry) = Entry::decode(&mut Decoder::new(content)) else { break };
        if bit != live {
            break;
        }
        entries.push(entry);
        next = end;
    }
    Ok(entries)
}

/// Tells what is behind the last valid frame, which ends at `start`.
fn invalid_tail(
    reader: &mut FrameReader<'_>,
    start: u64,
    live: bool,
) -> Result<Tail, StorageError> {
    if let Some(next) = reader.claimed_end(start)?
        && let RawFrame::Valid { bit, .. } = reader.frame_at(next, ENTRY_CONTENT_LEN_MAX)?
        && bit == live
    {
        return Ok(Tail::Damaged);
    }
    let len = reader.len().saturating_sub(start).min(SEARCHED_LEN_MAX);
    let bytes = reader.read_vec(start, len)?;
    Ok(if holds_entry(bytes.get(1..).unwrap_or_default(), live) {
        Tail::Damaged
    } else {
        Tail::Invalid
    })
}

/// Whether an entry with the bit `live` starts somewhere in `bytes`, and ends there too.
fn holds_entry(bytes: &[u8], live: bool) -> bool {
    let mut effort = bytes.len().saturating_mul(SEARCH_EFFORT);
    for (offset, window) in bytes.windows(FRAME_HEADER_LEN.saturating_add(1)).enumerate() {
        let Some((head, [flags, ..])) = window.split_first_chunk() else { continue };
        let head = FrameHead::from_bytes(head);
        let len = usize::try_from(head.content_len()).unwrap_or(usize::MAX);
        let rest = bytes.len().saturating_sub(offset).saturating_sub(FRAME_HEADER_LEN);
        if head.bit() != live || len == 0 || len > rest || flags & !KNOWN_FLAGS != 0 {
            continue;
        }
        let Some(left) = effort.checked_sub(len) else { return false };
        effort = left;
        if let Some(frame) = parse_frame(bytes, offset)
            && let Some(content) = bytes.get(frame.content)
            && Entry::decode(&mut Decoder::new(content)).is_ok()
        {
            return true;
        }
    }
    false
}
