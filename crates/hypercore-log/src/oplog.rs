//! The oplog file: two header slots, and the entries written since the newer header.
//!
//! Reading finds the live header and its entries and says what else stands there; writing is planned here
//! as bytes and positions. Nothing here decides when to write or sync, cuts the file, checks signatures,
//! or knows what an entry does. Memory is bounded by what the file holds, never by what a length
//! field in it says.

use compact_encoding::Encode as _;
use random_access_storage::RandomAccess;
use zeroize::Zeroizing;

use crate::canary::{Bug, planted};
use crate::entry::{Entry, EntryPiece};
use crate::error::{Corruption, LogError, OpenError};
use crate::frame::{FRAME_HEADER_LEN, write_frame};
use crate::header::{ExternalHeader, HEADER_LEN_MAX, Header, HeaderTooLarge};
use crate::seal::Seal;
use crate::stores::FileName;

mod entries;
mod reader;
mod slots;
#[cfg(test)]
mod tests;

use entries::{Entries, read_entries};
pub(crate) use entries::{LoadedEntry, Tail};
use reader::FrameReader;
pub(crate) use slots::SlotState;
use slots::{may_be_newer, read_slot};

/// Bytes of a header slot.
pub(crate) const SLOT_LEN: u64 = 4096;

/// Where the entries start.
pub(crate) const ENTRIES_START: u64 = 8192;

/// Bytes the content of one entry may have: 128 MiB.
///
/// An entry of as many nodes as an array can hold has at most 51 MiB; only user data of another program
/// makes one larger. A damaged or hostile length field can name more: such an entry ends the oplog, as an
/// invalid one.
pub(crate) const ENTRY_CONTENT_LEN_MAX: usize = 128 * 1024 * 1024;

/// The bits of a file without a header: the first goes to slot 0 with bit 0.
pub(crate) const FRESH_BITS: [bool; 2] = [true, false];

/// What stands in an oplog file.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one at a time, and soon taken apart")]
pub(crate) enum OplogState {
    /// No header, and too short for two slots: no core is stored here.
    Missing,
    /// A core.
    Present(Loaded),
}

/// The live header and its entries.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The live header.
    pub(crate) header: Header,
    /// What each slot holds.
    pub(crate) slots: [SlotState; 2],
    /// The slot, 0 or 1, that is damaged. The other one counts.
    pub(crate) damaged_slot: Option<u8>,
    /// The other slot is damaged or empty and held a newer header, or may have: there is no entry of the live one.
    pub(crate) newer_header_lost: bool,
    /// Whether anything of the live header stands where its entries start, also what does not count.
    pub(crate) has_entries: bool,
    /// The entries of the live header, whole batches only.
    pub(crate) entries: Vec<LoadedEntry>,
    /// Where writing goes on. The file must be cut at its `entries_end`, and the cut be durable, before
    /// anything is written: frames further on may become valid again behind a new entry or a new
    /// header.
    pub(crate) position: OplogPosition,
    /// Bytes of the file. May be below [`ENTRIES_START`].
    pub(crate) file_len: u64,
    /// What stands behind the last valid frame.
    pub(crate) tail: Tail,
    /// Of [`Tail::Flipped`], the entry put right and those behind it.
    pub(crate) flipped: Vec<Entry>,
}

/// Reads an oplog and the header file that it may point into.
///
/// # Errors
/// [`OpenError::Corrupt`] when the file is long enough for two slots and neither is valid;
/// [`OpenError::Unsupported`] when the live one is of a newer version;
/// [`OpenError::Storage`] when a store failed.
///
/// # Source
/// formats.md sections 8.4 and 8.5.
pub(crate) fn read(
    oplog: &dyn RandomAccess,
    header_file: &dyn RandomAccess,
) -> Result<OplogState, OpenError> {
    let mut reader = FrameReader::new(oplog)?;
    let file_len = reader.len();
    let slots = [read_slot(&mut reader, 0, header_file)?, read_slot(&mut reader, 1, header_file)?];
    let states = [slots[0].state, slots[1].state];
    // The bit of a slot that does not count is derived, so that the other slot is live.
    let bit = |slot: &slots::Slot| slot.bit.filter(|_| slot.state.counts());
    let bits = match [bit(&slots[0]), bit(&slots[1])] {
        [Some(first), Some(second)] => [first, second],
        [Some(first), None] => [first, first],
        [None, Some(second)] => [!second, second],
        [None, None] if file_len < ENTRIES_START => return Ok(OplogState::Missing),
        [None, None] => {
            let fault = slots.into_iter().find_map(|slot| slot.fault);
            let what = "neither header slot holds a header";
            return Err(fault.unwrap_or(Corruption::new(FileName::Oplog, 0, what)).into());
        }
    };
    let live = if live_bit(bits) { &slots[1] } else { &slots[0] };
    let Some((header, external)) = live.header.clone() else {
        // The live slot counts, so it can only be newer. Falling back to the older header, as JavaScript
        // does, would cut off what the newer program wrote.
        let what = "its header is of a newer version";
        let offset = if live_bit(bits) { SLOT_LEN } else { 0 };
        return Err(OpenError::Unsupported { file: FileName::Oplog, offset, what });
    };
    let Entries { entries, any, tail, flipped } = read_entries(&mut reader, live_bit(bits))?;
    let entries_end = entries.last().map_or(ENTRIES_START, |last| last.end);
    let damaged_slot = match states {
        [SlotState::Damaged, _] => Some(0),
        [_, SlotState::Damaged] => Some(1),
        _ => None,
    };
    Ok(OplogState::Present(Loaded {
        newer_header_lost: may_be_newer(&slots, bits, &header, any),
        header: *header,
        slots: states,
        damaged_slot,
        has_entries: any,
        entries,
        position: OplogPosition { bits, external, entries_end },
        file_len,
        tail,
        flipped,
    }))
}

/// The number of the live slot, which is also the bit of its entries.
const fn live_bit(bits: [bool; 2]) -> bool {
    bits[0] ^ bits[1]
}

/// Why entries have no bytes. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EncodeError {
    /// The content of an entry would be longer than [`ENTRY_CONTENT_LEN_MAX`].
    #[error("an entry of {len} bytes is too long")]
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// A number is 2^53 or more.
    #[error(transparent)]
    Number(#[from] crate::entry::NumberTooLarge),
}

/// The frames of one atomic batch: after a crash all of `entries` are there, or none.
///
/// An entry with too many nodes for one is written as several.
///
/// # Errors
/// [`EncodeError`].
///
/// # Source
/// formats.md section 8.4.
pub(crate) fn encode_entries(entries: &[Entry], bit: bool) -> Result<Vec<u8>, EncodeError> {
    let mut pieces = Vec::with_capacity(entries.len());
    for entry in entries {
        pieces.extend(entry.pieces()?);
    }
    let mut out = Vec::new();
    let mut rest = pieces.into_iter().peekable();
    while let Some(piece) = rest.next() {
        write_piece(&mut out, &piece, bit, rest.peek().is_some())?;
    }
    Ok(out)
}

fn write_piece(
    out: &mut Vec<u8>,
    piece: &EntryPiece<'_>,
    bit: bool,
    partial: bool,
) -> Result<(), EncodeError> {
    let len = piece.encoded_len();
    if len > ENTRY_CONTENT_LEN_MAX {
        return Err(EncodeError::TooLong { len });
    }
    write_frame(out, &piece.to_vec(), bit, partial).map_err(|_| EncodeError::TooLong { len })
}

/// The slot that the next header goes to, and its bit.
///
/// # Source
/// formats.md section 8.4.
pub(crate) const fn next_slot(bits: [bool; 2]) -> (usize, bool) {
    if bits[0] == bits[1] { (1, !bits[1]) } else { (0, !bits[0]) }
}

/// The slot of the live header, and its bit: where a header must not go.
const fn live_slot(bits: [bool; 2]) -> (usize, bool) {
    if live_bit(bits) { (1, bits[1]) } else { (0, bits[0]) }
}

/// The bytes of a header write. Wiped when dropped: they hold the secret key.
#[derive(Clone)]
pub(crate) struct HeaderBytes {
    /// What the slot gets: a frame of at most [`SLOT_LEN`] bytes.
    pub(crate) slot: Zeroizing<Vec<u8>>,
    /// What the header file gets, and where. To be durable before the slot is written.
    pub(crate) external: Option<(ExternalHeader, Zeroizing<Vec<u8>>)>,
}

/// The bytes that write `header` to a slot with a bit, when the live header is at `previous`.
///
/// Once a header is in the header file the next ones are too, in turns with the place before, so that the
/// live one is never overwritten. It is sealed when it tells what it counts on.
///
/// # Errors
/// [`HeaderTooLarge`].
///
/// # Source
/// formats.md section 8.5.
pub(crate) fn encode_header_slot(
    header: &Header,
    (slot, bit): (usize, bool),
    previous: Option<ExternalHeader>,
) -> Result<HeaderBytes, HeaderTooLarge> {
    header.check_len()?;
    let mut content = header.to_secret_vec();
    let len = content.len();
    let seal = header.counts.map(|counts| Seal::new(slot, counts, &content).to_bytes());
    let seal = seal.as_ref().map_or(&[][..], |seal| seal);
    let slot_len = len.saturating_add(seal.len()).saturating_add(FRAME_HEADER_LEN);
    let fits = slot_len as u64 <= SLOT_LEN;
    let mut bytes = Zeroizing::new(Vec::with_capacity(slot_len.min(HEADER_LEN_MAX)));
    let too_large = |_| HeaderTooLarge { len };
    if fits && previous.is_none() {
        content.extend_from_slice(seal);
        write_frame(&mut bytes, &content, bit, false).map_err(too_large)?;
        return Ok(HeaderBytes { slot: bytes, external: None });
    }
    let len = len as u64;
    let old = previous.unwrap_or(ExternalHeader { start: 0, len: 0 });
    let behind = old.start.saturating_add(old.len).div_ceil(SLOT_LEN).saturating_mul(SLOT_LEN);
    let start = if len > old.start { behind } else { 0 };
    let place = ExternalHeader { start, len };
    let place_content = [&place.to_slot_content(), seal].concat();
    write_frame(&mut bytes, &place_content, bit, false).map_err(too_large)?;
    Ok(HeaderBytes { slot: bytes, external: Some((place, content)) })
}

/// Where writing goes on: the live bits, the place of an external header, the end of the entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OplogPosition {
    bits: [bool; 2],
    external: Option<ExternalHeader>,
    /// Where the next entry goes.
    pub(crate) entries_end: u64,
}

/// A header write: positions and bytes.
#[derive(Clone)]
pub(crate) struct SlotWrite {
    slot: usize,
    bit: bool,
    /// Where the slot starts in the oplog.
    pub(crate) offset: u64,
    /// What is written there; at most [`SLOT_LEN`] bytes.
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    /// What goes to the header file first, and where. To be durable before the slot is written.
    pub(crate) external: Option<(u64, Zeroizing<Vec<u8>>)>,
    place: Option<ExternalHeader>,
}

impl std::fmt::Debug for SlotWrite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SlotWrite")
            .field("slot", &self.slot)
            .field("bit", &self.bit)
            .field("len", &self.bytes.len())
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for HeaderBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HeaderBytes").field("len", &self.slot.len()).finish_non_exhaustive()
    }
}

impl OplogPosition {
    /// Of a file without a header.
    pub(crate) const fn fresh() -> Self {
        Self { bits: FRESH_BITS, external: None, entries_end: ENTRIES_START }
    }

    /// The bit that entries of the live header carry.
    pub(crate) const fn bit(&self) -> bool {
        live_bit(self.bits)
    }

    /// Where in the header file the live header is, unless it is in its slot.
    pub(crate) const fn external(&self) -> Option<ExternalHeader> {
        self.external
    }

    /// Where the slot of the live header starts in the file.
    pub(crate) const fn slot_offset(&self) -> u64 {
        if live_bit(self.bits) { SLOT_LEN } else { 0 }
    }

    /// The bytes of the next header. Changes nothing: see [`header_written`](Self::header_written).
    ///
    /// # Errors
    /// [`HeaderTooLarge`].
    pub(crate) fn prepare_header(&self, header: &Header) -> Result<SlotWrite, HeaderTooLarge> {
        let wrong = planted(Bug::WrongHeaderSlot);
        let (slot, bit) = if wrong { live_slot(self.bits) } else { next_slot(self.bits) };
        let bytes = encode_header_slot(header, (slot, bit), self.external)?;
        let place = bytes.external.as_ref().map(|(place, _)| *place);
        Ok(SlotWrite {
            slot,
            bit,
            offset: if slot == 0 { 0 } else { SLOT_LEN },
            bytes: bytes.slot,
            external: bytes.external.map(|(place, content)| (place.start, content)),
            place,
        })
    }

    /// Has the next header go to its slot, which it must fit.
    pub(crate) const fn leave_header_file(&mut self) {
        self.external = None;
    }

    /// Notes that the header was written: it is the live one, and has no entries.
    pub(crate) const fn header_written(&mut self, write: &SlotWrite) {
        let [first, second] = self.bits;
        self.bits = if write.slot == 0 { [write.bit, second] } else { [first, write.bit] };
        self.external = write.place;
        self.entries_end = ENTRIES_START;
    }
}

impl From<HeaderTooLarge> for LogError {
    fn from(error: HeaderTooLarge) -> Self {
        Self::UserDataTooLarge { len: error.len as u64 }
    }
}

impl From<HeaderTooLarge> for OpenError {
    fn from(_: HeaderTooLarge) -> Self {
        Self::Unsupported { file: FileName::Header, offset: 0, what: "a header above 64 MiB" }
    }
}
