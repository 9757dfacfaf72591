//! Frames of a file, one after the other, with bounded memory.
//!
//! Small frames are taken from a window over the file. A frame longer than the window is read twice:
//! once in pieces for its checksum, and only when that is right as a whole.

use random_access_storage::RandomAccess;
use zeroize::Zeroizing;

use crate::canary::{Bug, planted};
use crate::error::StorageError;
use crate::frame::{FRAME_HEADER_LEN, Flipped, Frame, FrameHead, flipped_frame, parse_frame};
use crate::stores::FileName;

/// Bytes read at a time.
pub(super) const WINDOW_LEN: usize = 64 * 1024;

/// Bytes that a medium has as a whole or not at all.
const SECTOR_LEN: u64 = 512;

/// What stands at an offset.
#[derive(Debug)]
pub(super) enum RawFrame<'a> {
    /// A frame whose checksum is right.
    Valid { bit: bool, partial: bool, content: &'a [u8], end: u64 },
    /// A frame whose checksum is right and whose content is longer than the caller takes.
    TooLong { bit: bool },
    /// No valid frame.
    Invalid,
    /// Nothing: the file ends at or before the offset.
    End,
}

/// Reads frames of an oplog. Its buffers are wiped: slots hold the secret key.
#[derive(Debug)]
pub(super) struct FrameReader<'a> {
    store: &'a dyn RandomAccess,
    len: u64,
    window: Zeroizing<Vec<u8>>,
    window_start: u64,
    /// Content of the last frame that is longer than the window.
    long: Zeroizing<Vec<u8>>,
}

impl<'a> FrameReader<'a> {
    /// A reader of the file as long as it is now.
    ///
    /// # Errors
    /// The store's.
    pub(super) fn new(store: &'a dyn RandomAccess) -> Result<Self, StorageError> {
        let len = store.len().map_err(StorageError::in_file(FileName::Oplog))?;
        Ok(Self {
            store,
            len,
            window: Zeroizing::new(Vec::new()),
            window_start: 0,
            long: Zeroizing::new(Vec::new()),
        })
    }

    /// Bytes of the file.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The frame at `offset`; content of more than `content_len_max` bytes is checked but not kept.
    ///
    /// # Errors
    /// The store's.
    pub(super) fn frame_at(
        &mut self,
        offset: u64,
        content_len_max: usize,
    ) -> Result<RawFrame<'_>, StorageError> {
        if offset >= self.len {
            return Ok(RawFrame::End);
        }
        let Some(head) = self.bytes_at(offset, FRAME_HEADER_LEN)?.and_then(<[u8]>::first_chunk)
        else {
            return Ok(RawFrame::Invalid);
        };
        let head = FrameHead::from_bytes(head);
        let frame_len = (FRAME_HEADER_LEN as u64).saturating_add(u64::from(head.content_len()));
        let Some(end) = offset.checked_add(frame_len).filter(|end| *end <= self.len) else {
            return Ok(RawFrame::Invalid);
        };
        let Ok(frame_len) = usize::try_from(frame_len) else { return Ok(RawFrame::Invalid) };
        if frame_len > WINDOW_LEN {
            return self.long_frame(offset, head, end, content_len_max);
        }
        let Some(bytes) = self.bytes_at(offset, frame_len)? else { return Ok(RawFrame::Invalid) };
        Ok(match parse_frame(bytes, 0) {
            Some(Frame { bit, content, .. }) if content.len() > content_len_max => {
                RawFrame::TooLong { bit }
            }
            Some(Frame { bit, partial, content }) => {
                let content = bytes.get(content).unwrap_or_default();
                RawFrame::Valid { bit, partial, content, end }
            }
            None => RawFrame::Invalid,
        })
    }

    /// Where the frame at `offset` says that it ends, whether it is valid or not; `None` past the file.
    ///
    /// # Errors
    /// The store's.
    pub(super) fn claimed_end(&mut self, offset: u64) -> Result<Option<u64>, StorageError> {
        let head = self.bytes_at(offset, FRAME_HEADER_LEN)?.and_then(<[u8]>::first_chunk);
        let end = head.map(FrameHead::from_bytes).and_then(|head| {
            let len = (FRAME_HEADER_LEN as u64).saturating_add(u64::from(head.content_len()));
            offset.checked_add(len)
        });
        Ok(end.filter(|end| *end <= self.len))
    }

    /// The frame at `offset` that would be valid if one of its bits were another.
    ///
    /// Not where all that the frame has in the sector of that bit is zeros: that is how a sector looks which a power cut
    /// lost, and the last byte of an entry often has one bit only.
    ///
    /// # Errors
    /// The store's.
    pub(super) fn flipped(&mut self, offset: u64) -> Result<Option<Flipped>, StorageError> {
        let len = self.len.saturating_sub(offset).min(WINDOW_LEN as u64);
        let bytes = self.bytes_at(offset, usize::try_from(len).unwrap_or_default())?;
        let Some((bytes, flipped)) = bytes.and_then(|bytes| Some((bytes, flipped_frame(bytes)?)))
        else {
            return Ok(None);
        };
        let frame_len = FRAME_HEADER_LEN.saturating_add(flipped.content.len());
        let in_sector = offset.saturating_add(flipped.at as u64) % SECTOR_LEN;
        let before = usize::try_from(in_sector).unwrap_or_default();
        let after = usize::try_from(SECTOR_LEN.saturating_sub(in_sector)).unwrap_or_default();
        let part =
            flipped.at.saturating_sub(before)..flipped.at.saturating_add(after).min(frame_len);
        let lost = bytes.get(part).is_some_and(|part| part.iter().all(|byte| *byte == 0));
        Ok((!lost).then_some(flipped))
    }

    /// The `len` bytes at `offset`, which must be inside the file.
    ///
    /// # Errors
    /// The store's.
    pub(super) fn read_vec(
        &self,
        offset: u64,
        len: u64,
    ) -> Result<Zeroizing<Vec<u8>>, StorageError> {
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let bytes = self.store.read_vec_at(offset, len);
        Ok(Zeroizing::new(bytes.map_err(StorageError::in_file(FileName::Oplog))?))
    }

    fn long_frame(
        &mut self,
        offset: u64,
        head: FrameHead,
        end: u64,
        content_len_max: usize,
    ) -> Result<RawFrame<'_>, StorageError> {
        let start = offset.saturating_add(FRAME_HEADER_LEN as u64);
        let mut hasher = head.hasher();
        let mut position = start;
        while position < end {
            let piece = end.saturating_sub(position).min(WINDOW_LEN as u64);
            let len = usize::try_from(piece).unwrap_or(WINDOW_LEN);
            let Some(bytes) = self.bytes_at(position, len)? else { return Ok(RawFrame::Invalid) };
            hasher.update(bytes);
            position = position.saturating_add(piece);
        }
        if hasher.finalize() != head.crc {
            return Ok(RawFrame::Invalid);
        }
        let len = usize::try_from(head.content_len()).ok().filter(|len| *len <= content_len_max);
        let Some(len) = len else { return Ok(RawFrame::TooLong { bit: head.bit() }) };
        self.long = self.read_vec(start, len as u64)?;
        Ok(RawFrame::Valid { bit: head.bit(), partial: head.partial(), content: &self.long, end })
    }

    /// Whether the `len` bytes at `offset`, as far as the file has them, are all zero.
    ///
    /// # Errors
    /// The store's.
    pub(super) fn is_zero(&mut self, offset: u64, len: u64) -> Result<bool, StorageError> {
        let len = self.len.saturating_sub(offset).min(len).min(WINDOW_LEN as u64);
        let bytes = self.bytes_at(offset, usize::try_from(len).unwrap_or_default())?;
        Ok(bytes.unwrap_or_default().iter().all(|byte| *byte == 0))
    }

    /// `len` bytes at `offset`, at most [`WINDOW_LEN`]; `None` past the end of the file.
    fn bytes_at(&mut self, offset: u64, len: usize) -> Result<Option<&[u8]>, StorageError> {
        let end = offset.saturating_add(len as u64);
        if end > self.len || len > WINDOW_LEN {
            return Ok(None);
        }
        let window_end = self.window_start.saturating_add(self.window.len() as u64);
        if offset < self.window_start || end > window_end {
            let want = self.len.saturating_sub(offset).min(WINDOW_LEN as u64);
            // A window that could not be filled must not be taken for one that was.
            self.window_start = offset;
            self.window.clear();
            let mut window = Zeroizing::new(vec![0; usize::try_from(want).unwrap_or(WINDOW_LEN)]);
            let read = self.store.read_at(offset, &mut window);
            if !planted(Bug::UncheckedShortRead) {
                read.map_err(StorageError::in_file(FileName::Oplog))?;
            }
            self.window = window;
        }
        let from = usize::try_from(offset.saturating_sub(self.window_start)).unwrap_or_default();
        Ok(self.window.get(from..from.saturating_add(len)))
    }
}
