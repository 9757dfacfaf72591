//! Header slots: what each of the two holds, and whether a newer header than the live one was lost.

use compact_encoding::{DecodeError, DecodeErrorKind};
use random_access_storage::RandomAccess;
use zeroize::Zeroizing;

use super::reader::{FrameReader, RawFrame};
use super::{SLOT_LEN, live_bit};
use crate::error::{Corruption, StorageError};
use crate::frame::FRAME_HEADER_LEN;
use crate::header::{ExternalHeader, HEADER_LEN_MAX, Header, HeaderError, SlotContent};
use crate::seal::Seal;
use crate::stores::FileName;

/// What a header slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SlotState {
    /// A header.
    Valid,
    /// Zeros, or the file ends before it.
    Empty,
    /// No valid frame, or one whose content is no header of this slot.
    Damaged,
    /// A valid frame whose content is of a newer version.
    Newer,
}

impl SlotState {
    /// Whether the slot counts when the live one is chosen.
    pub(super) const fn counts(self) -> bool {
        matches!(self, Self::Valid | Self::Newer)
    }
}

/// A slot while the live one is being chosen.
pub(super) struct Slot {
    pub(super) state: SlotState,
    /// Its bit, as far as it is known: a damaged slot can still show it.
    pub(super) bit: Option<bool>,
    pub(super) header: Option<(Box<Header>, Option<ExternalHeader>)>,
    /// What is wrong in a frame that is valid.
    pub(super) fault: Option<Corruption>,
}

impl Slot {
    const fn without_header(state: SlotState, bit: Option<bool>) -> Self {
        Self { state, bit, header: None, fault: None }
    }

    const fn valid(bit: bool, header: Box<Header>, external: Option<ExternalHeader>) -> Self {
        let header = Some((header, external));
        Self { state: SlotState::Valid, bit: Some(bit), header, fault: None }
    }

    /// A valid frame whose content is damaged; `start` is where the bytes that do not decode start.
    fn damaged(bit: bool, file: FileName, start: u64, error: &DecodeError) -> Self {
        let what = match error.kind {
            DecodeErrorKind::Invalid(what) => what,
            _ => "the header does not decode",
        };
        let offset = start.saturating_add(error.offset as u64);
        let fault = Some(Corruption::new(file, offset, what));
        Self { fault, ..Self::without_header(SlotState::Damaged, Some(bit)) }
    }
}

/// Reads slot 0 or 1.
pub(super) fn read_slot(
    reader: &mut FrameReader<'_>,
    slot: u8,
    header_file: &dyn RandomAccess,
) -> Result<Slot, StorageError> {
    let offset = u64::from(slot).saturating_mul(SLOT_LEN);
    let (bit, content, seal) = match reader.frame_at(offset, HEADER_LEN_MAX)? {
        RawFrame::Valid { bit, content, .. } => {
            let (header, seal) = Seal::split(content);
            match SlotContent::from_bytes(header) {
                // Bytes that only look like a seal belong to the header.
                Ok(SlotContent::Inline(_)) if seal.is_some_and(|seal| !seal.fits(header)) => {
                    (bit, SlotContent::from_bytes(content), None)
                }
                header => (bit, header, seal),
            }
        }
        RawFrame::TooLong { bit } => {
            return Ok(Slot::without_header(SlotState::Damaged, Some(bit)));
        }
        RawFrame::Invalid | RawFrame::End => {
            if reader.is_zero(offset, SLOT_LEN)? {
                return Ok(Slot::without_header(SlotState::Empty, None));
            }
            let bit = reader.flipped(offset)?.map(|flipped| flipped.bit);
            return Ok(Slot::without_header(SlotState::Damaged, bit));
        }
    };
    let start = offset.saturating_add(FRAME_HEADER_LEN as u64);
    if seal.is_some_and(|seal| seal.slot != slot) {
        let what = "the header was written for the other slot";
        let fault = Some(Corruption::new(FileName::Oplog, offset, what));
        return Ok(Slot { fault, ..Slot::without_header(SlotState::Damaged, None) });
    }
    let counts = seal.map(|seal| seal.counts);
    Ok(match content {
        Ok(SlotContent::Inline(mut header)) => {
            header.counts = counts;
            Slot::valid(bit, header, None)
        }
        Ok(SlotContent::External(place)) => match read_external(place, seal, header_file)? {
            Ok(mut header) => {
                header.counts = counts;
                Slot::valid(bit, header, Some(place))
            }
            Err(error) => Slot::damaged(bit, FileName::Header, place.start, &error),
        },
        Err(HeaderError::Version) => Slot::without_header(SlotState::Newer, Some(bit)),
        Err(HeaderError::Invalid(error)) => Slot::damaged(bit, FileName::Oplog, start, &error),
    })
}

/// Reads a header from the header file.
///
/// Only the seal covers it, if there is one. So everything that is not a header of the version that its slot has, also a
/// place outside the file, is damage and nothing else.
fn read_external(
    place: ExternalHeader,
    seal: Option<Seal>,
    header_file: &dyn RandomAccess,
) -> Result<Result<Box<Header>, DecodeError>, StorageError> {
    let damaged = |what| Ok(Err(DecodeError::new(0, DecodeErrorKind::Invalid(what))));
    let in_header = StorageError::in_file(FileName::Header);
    let file_len = header_file.len().map_err(&in_header)?;
    let end = place.start.checked_add(place.len);
    if end.is_none_or(|end| end > file_len) {
        return damaged("the header file ends before the header");
    }
    let len = usize::try_from(place.len).ok().filter(|len| *len <= HEADER_LEN_MAX);
    let Some(len) = len else { return damaged("the header is above 64 MiB") };
    let bytes = Zeroizing::new(header_file.read_vec_at(place.start, len).map_err(&in_header)?);
    if seal.is_some_and(|seal| !seal.fits(&bytes)) {
        return damaged("the header is not the one that its slot was written for");
    }
    match SlotContent::from_bytes(&bytes) {
        Ok(SlotContent::Inline(header)) => Ok(Ok(header)),
        Ok(SlotContent::External(_)) => damaged("the header points to another header"),
        Err(HeaderError::Version) => damaged("the header has a newer version than its slot"),
        Err(HeaderError::Invalid(error)) => Ok(Err(error)),
    }
}

/// Whether the slot that does not count held a newer header than the live one, or may have.
///
/// A header is written behind durable entries of the one before. So a slot that a power cut tore has entries of the
/// live header beside it, from which nothing is missing; where there are none, it was damaged later. Its bit, where
/// it shows, tells whether it was the newer one.
pub(super) fn may_be_newer(
    slots: &[Slot; 2],
    bits: [bool; 2],
    live: &Header,
    live_entries: bool,
) -> bool {
    let [first, second] = slots;
    let [first_bit, second_bit] = bits;
    let (other, other_is_second) = if live_bit(bits) { (first, false) } else { (second, true) };
    if live_entries {
        return false;
    }
    match other.state {
        SlotState::Valid | SlotState::Newer => false,
        SlotState::Damaged => other.bit.is_none_or(|bit| {
            let bits = if other_is_second { [first_bit, bit] } else { [bit, second_bit] };
            live_bit(bits) == other_is_second
        }),
        // The first header of all, with bit 0, stands beside a slot that was never written.
        SlotState::Empty => !(other_is_second && !first_bit && live.may_be_first()),
    }
}
