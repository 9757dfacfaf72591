//! Frames on their way in, taken apart one item at a time.
//!
//! Invariant: nothing is decoded before it is asked for, so a frame of a million items costs no
//! more than the frame. What is handed out are slices of it.

use std::collections::VecDeque;

use bytes::Bytes;
use compact_encoding::{DecodeError, Decoder};

use crate::error::MuxError;

/// A control message that is a batch.
const BATCH: u64 = 0;

/// One message, or one control message.
#[derive(Debug)]
pub(crate) struct Item {
    /// The remote's number of the channel, 0 for a control message.
    pub(crate) channel: u64,
    pub(crate) kind: u64,
    pub(crate) payload: Bytes,
    /// Whether the frame has an item before this one.
    pub(crate) is_first: bool,
    /// Whether the frame has something behind this item.
    pub(crate) is_followed: bool,
}

/// The frame that is being read.
#[derive(Debug)]
struct Reading {
    frame: Bytes,
    position: usize,
    /// Within a batch: the channel of its next item.
    batch_channel: Option<u64>,
    is_first: bool,
}

#[derive(Debug)]
pub(crate) struct Incoming {
    reading: Reading,
    waiting: VecDeque<Bytes>,
}

impl Incoming {
    pub(crate) const fn new() -> Self {
        Self { reading: Reading::new(Bytes::new()), waiting: VecDeque::new() }
    }

    /// The bytes of the frame that is being read.
    pub(crate) const fn frame_len(&self) -> usize {
        self.reading.frame.len()
    }

    pub(crate) fn push(&mut self, frame: Bytes) {
        self.waiting.push_back(frame);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.reading.is_at_end()
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::new();
    }

    /// The next item of the frames, in order.
    pub(crate) fn next(&mut self) -> Result<Option<Item>, MuxError> {
        loop {
            if self.reading.is_at_end() {
                let Some(frame) = self.waiting.pop_front() else {
                    // The last frame must not live on because nothing follows it.
                    self.reading = Reading::new(Bytes::new());
                    return Ok(None);
                };
                self.reading = Reading::new(frame);
            } else if let Some(item) = self.reading.next()? {
                return Ok(Some(item));
            }
        }
    }
}

impl Reading {
    const fn new(frame: Bytes) -> Self {
        Self { frame, position: 0, batch_channel: None, is_first: true }
    }

    fn is_at_end(&self) -> bool {
        self.position >= self.frame.len()
    }

    /// Reads an item, or a stretch of the frame that has none.
    fn next(&mut self) -> Result<Option<Item>, MuxError> {
        let Some(channel) = self.batch_channel else {
            let channel = self.uint()?;
            let item = self.item(channel, u64::MAX)?;
            if (item.channel, item.kind) != (0, BATCH) {
                return Ok(Some(item));
            }
            self.position = self.frame.len().saturating_sub(item.payload.len());
            self.batch_channel = Some(self.uint()?);
            self.is_first = true;
            return Ok(None);
        };
        let len = self.uint()?;
        if len == 0 {
            self.batch_channel = Some(self.uint()?);
            return Ok(None);
        }
        let item = self.item(channel, len)?;
        if (item.channel, item.kind) == (0, BATCH) {
            return Err(MuxError::NestedBatch);
        }
        Ok(Some(item))
    }

    fn uint(&mut self) -> Result<u64, DecodeError> {
        let mut input = Decoder::new(self.frame.get(self.position..).unwrap_or_default());
        let value = input.uint()?;
        self.position = self.position.saturating_add(input.position());
        Ok(value)
    }

    /// Takes an item of `len` bytes, or of what is left of the frame if that is less.
    fn item(&mut self, channel: u64, len: u64) -> Result<Item, DecodeError> {
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let end = self.position.saturating_add(len).min(self.frame.len());
        let mut inside = Decoder::new(self.frame.get(self.position..end).unwrap_or_default());
        let kind = inside.uint()?;
        let payload = self.frame.slice_ref(inside.rest());
        self.position = end;
        let is_first = std::mem::replace(&mut self.is_first, false);
        Ok(Item { channel, kind, payload, is_first, is_followed: end < self.frame.len() })
    }
}
