//! Frames: the checksummed envelope around header slots and oplog entries.
//!
//! Pure bytes in, bytes out. A frame that does not fit into the bytes given, or
//! whose checksum differs, does not exist; nothing here knows what the content
//! means, nor where the frame stands in a file.

use std::ops::Range;

use zeroize::Zeroizing;

use crate::canary::{Bug, planted};

/// Bytes in front of a frame's content: checksum and info.
pub(crate) const FRAME_HEADER_LEN: usize = 8;

/// Longest content a frame can name: 30 bits of its info field.
pub(crate) const FRAME_CONTENT_LEN_MAX: usize = 0x3fff_ffff;

const BIT: u32 = 1;
const PARTIAL: u32 = 2;

/// The eight bytes in front of a frame's content, taken apart.
///
/// # Source
/// formats.md section 8.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHead {
    /// CRC-32 of the info field and the content.
    pub(crate) crc: u32,
    /// `content_len << 2 | partial << 1 | bit`.
    info: u32,
}

impl FrameHead {
    /// Takes the first eight bytes apart; what they say is not checked.
    pub(crate) fn from_bytes(bytes: &[u8; FRAME_HEADER_LEN]) -> Self {
        let [a, b, c, d, e, f, g, h] = *bytes;
        Self { crc: u32::from_le_bytes([a, b, c, d]), info: u32::from_le_bytes([e, f, g, h]) }
    }

    /// Bytes of content that follow, at most [`FRAME_CONTENT_LEN_MAX`].
    pub(crate) fn content_len(self) -> u32 {
        self.info >> 2
    }

    /// The bit that ties an entry to a header.
    pub(crate) fn bit(self) -> bool {
        self.info & BIT != 0
    }

    /// Whether the next frame belongs to the same atomic batch.
    pub(crate) fn partial(self) -> bool {
        self.info & PARTIAL != 0
    }

    /// A checksum that has seen the info field; feed it the content and compare with `crc`.
    pub(crate) fn hasher(self) -> crc32fast::Hasher {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.info.to_le_bytes());
        hasher
    }
}

/// A frame whose checksum is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The bit that ties an entry to a header.
    pub(crate) bit: bool,
    /// Whether the next frame belongs to the same atomic batch.
    pub(crate) partial: bool,
    /// Where the content stands in the bytes parsed.
    pub(crate) content: Range<usize>,
}

/// Parses the frame that starts at `offset` of `bytes`.
///
/// `None`: there is no valid frame (fewer than eight bytes, content past the
/// end, or another checksum).
///
/// # Source
/// formats.md section 8.4.
pub(crate) fn parse_frame(bytes: &[u8], offset: usize) -> Option<Frame> {
    let head = FrameHead::from_bytes(bytes.get(offset..)?.first_chunk()?);
    let start = offset.checked_add(FRAME_HEADER_LEN)?;
    let end = start.checked_add(usize::try_from(head.content_len()).ok()?)?;
    let mut hasher = head.hasher();
    hasher.update(bytes.get(start..end)?);
    (hasher.finalize() == head.crc || planted(Bug::ChecksumNotChecked)).then(|| Frame {
        bit: head.bit(),
        partial: head.partial(),
        content: start..end,
    })
}

/// Where a frame's length and flags are, behind its checksum.
const INFO_START: usize = 4;

/// The polynomial of CRC-32, lowest term first: what flipping the last bit does to a checksum.
const POLYNOMIAL: u32 = 0xedb8_8320;

/// A frame in which one bit is wrong, put right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flipped {
    /// The bit that ties an entry to a header.
    pub(crate) bit: bool,
    pub(crate) content: Zeroizing<Vec<u8>>,
    /// The byte of the frame that the wrong bit is in.
    pub(crate) at: usize,
}

/// The frame that starts `bytes`, if flipping one bit makes it valid.
///
/// Sectors that a power cut lost hardly ever look like that: of a frame of n bytes that is torn in any other way, 8 n in
/// 2^32 are taken for such a one.
pub(crate) fn flipped_frame(bytes: &[u8]) -> Option<Flipped> {
    let (head, rest) = bytes.split_first_chunk::<FRAME_HEADER_LEN>()?;
    let head = FrameHead::from_bytes(head);
    let content = |head: FrameHead| rest.get(..usize::try_from(head.content_len()).ok()?);
    let checksum = |head: FrameHead, content: &[u8]| {
        let mut hasher = head.hasher();
        hasher.update(content);
        hasher.finalize()
    };
    let found = |bit: bool, content: &[u8], at: usize| {
        Some(Flipped { bit, content: Zeroizing::new(content.to_vec()), at })
    };
    if let Some(content) = content(head) {
        let syndrome = checksum(head, content) ^ head.crc;
        if syndrome.is_power_of_two() {
            return found(head.bit(), content, syndrome.trailing_zeros() as usize / 8);
        }
        let bits = (content.len() as u64).saturating_mul(8).saturating_add(32);
        let mut effect = POLYNOMIAL;
        for from_end in 1..=bits {
            if effect == syndrome {
                // The info field comes first; its first two bits are flags, the others the length, see below.
                return match bits.saturating_sub(from_end) {
                    0 => found(!head.bit(), content, INFO_START),
                    1 => found(head.bit(), content, INFO_START),
                    2..32 => None,
                    bit => {
                        let bit = bit.saturating_sub(32);
                        let index = usize::try_from(bit / 8).ok()?;
                        let at = FRAME_HEADER_LEN.saturating_add(index);
                        let mut flipped = found(head.bit(), content, at)?;
                        let byte = flipped.content.get_mut(index)?;
                        *byte ^= 1 << (bit % 8);
                        Some(flipped)
                    }
                };
            }
            effect = (effect >> 1) ^ if effect & 1 == 1 { POLYNOMIAL } else { 0 };
        }
    }
    (2_usize..32).find_map(|bit| {
        let other = FrameHead { info: head.info ^ (1 << bit), ..head };
        let content = content(other).filter(|content| checksum(other, content) == head.crc)?;
        found(head.bit(), content, INFO_START.saturating_add(bit / 8))
    })
}

/// A frame's content would not fit into the 30 bits of its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("content of {len} bytes is too long for one oplog frame")]
pub(crate) struct FrameTooLong {
    /// The length refused.
    pub(crate) len: usize,
}

/// Appends the frame around `content` to `out`.
///
/// # Errors
/// [`FrameTooLong`] for content above [`FRAME_CONTENT_LEN_MAX`] bytes; `out` is unchanged then.
///
/// # Source
/// formats.md section 8.4.
pub(crate) fn write_frame(
    out: &mut Vec<u8>,
    content: &[u8],
    bit: bool,
    partial: bool,
) -> Result<(), FrameTooLong> {
    let too_long = FrameTooLong { len: content.len() };
    if content.len() > FRAME_CONTENT_LEN_MAX {
        return Err(too_long);
    }
    let len = u32::try_from(content.len()).map_err(|_| too_long)?;
    let head = FrameHead { crc: 0, info: (len << 2) | (u32::from(partial) << 1) | u32::from(bit) };
    let mut hasher = head.hasher();
    hasher.update(content);
    out.reserve(content.len().saturating_add(FRAME_HEADER_LEN));
    out.extend_from_slice(&hasher.finalize().to_le_bytes());
    out.extend_from_slice(&head.info.to_le_bytes());
    out.extend_from_slice(content);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_checksum_is_crc_32_of_zlib() {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(b"123456789");
        assert_eq!(hasher.finalize(), 0xcbf4_3926);
    }

    #[test]
    fn info_holds_the_length_shifted_by_two() {
        let mut out = Vec::new();
        write_frame(&mut out, b"abc", true, true).unwrap();
        assert_eq!(out[4..8], [0b1111, 0, 0, 0]);
        write_frame(&mut out, b"", false, false).unwrap();
        assert_eq!(out[15..19], [0, 0, 0, 0]);
    }

    #[test]
    fn zeros_are_no_frame() {
        assert_eq!(parse_frame(&[0; 4096], 0), None);
    }

    #[test]
    fn offsets_past_the_end_are_no_frame() {
        assert_eq!(parse_frame(&[0; 16], 16), None);
        assert_eq!(parse_frame(&[0; 16], 9), None);
        assert_eq!(parse_frame(&[0; 16], usize::MAX), None);
    }

    #[test]
    fn content_too_long_is_refused() {
        // Never touched, so the kernel gives no memory for it.
        let content = vec![0; FRAME_CONTENT_LEN_MAX + 1];
        let mut out = Vec::new();
        let len = content.len();
        assert_eq!(write_frame(&mut out, &content, false, false), Err(FrameTooLong { len }));
        assert!(out.is_empty());
    }

    proptest! {
        #[test]
        fn what_is_written_is_parsed(
            before in proptest::collection::vec(any::<u8>(), 0..40),
            content in proptest::collection::vec(any::<u8>(), 0..300),
            after in proptest::collection::vec(any::<u8>(), 0..40),
            bit: bool,
            partial: bool,
        ) {
            let mut bytes = before.clone();
            write_frame(&mut bytes, &content, bit, partial).unwrap();
            let end = bytes.len();
            bytes.extend_from_slice(&after);
            let frame = parse_frame(&bytes, before.len()).unwrap();
            prop_assert_eq!(frame.content.end, end);
            prop_assert_eq!(&bytes[frame.content.clone()], &content[..]);
            prop_assert_eq!((frame.bit, frame.partial), (bit, partial));
        }

        #[test]
        fn one_flipped_bit_is_found(
            content in proptest::collection::vec(any::<u8>(), 0..100),
            after in proptest::collection::vec(any::<u8>(), 0..40),
            at: proptest::sample::Index,
            bit: bool,
            partial: bool,
        ) {
            let mut bytes = Vec::new();
            write_frame(&mut bytes, &content, bit, partial).unwrap();
            let flipped = at.index(bytes.len() * 8);
            bytes.extend_from_slice(&after);
            bytes[flipped / 8] ^= 1 << (flipped % 8);
            let right = Flipped { bit, content: Zeroizing::new(content.clone()), at: flipped / 8 };
            prop_assert_eq!(flipped_frame(&bytes), Some(right));
            bytes[flipped / 8] ^= 1 << (flipped % 8);
            bytes[0] ^= 3;
            prop_assert_eq!(flipped_frame(&bytes), None);
        }

        #[test]
        fn one_flipped_bit_or_a_cut_is_noticed(
            content in proptest::collection::vec(any::<u8>(), 0..100),
            at: proptest::sample::Index,
            cut: proptest::sample::Index,
        ) {
            let mut bytes = Vec::new();
            write_frame(&mut bytes, &content, true, false).unwrap();
            prop_assert_eq!(parse_frame(&bytes[..cut.index(bytes.len())], 0), None);
            let bit = at.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(parse_frame(&bytes, 0), None);
        }
    }
}
