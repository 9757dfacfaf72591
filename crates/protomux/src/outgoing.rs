//! Frames on their way out, and the batch that is being filled.
//!
//! Invariants: a message is encoded once, into the frame it travels in. A batch is empty or begins
//! with its head. Nothing here knows what a channel is; control messages are messages of channel 0.

use std::collections::VecDeque;

use compact_encoding::{Encode, Encoder, buffer_len, uint_len};

use crate::options::{FRAME_LEN_MAX, Options};

/// Bytes that are a payload as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Raw<T>(pub T);

impl<T: AsRef<[u8]>> Encode for Raw<T> {
    fn encoded_len(&self) -> usize {
        self.0.as_ref().len()
    }

    fn encode(&self, out: &mut Encoder) {
        out.raw(self.0.as_ref());
    }
}

/// The payload does not fit into a frame.
#[derive(Debug)]
pub(crate) struct TooLarge;

#[derive(Debug)]
pub(crate) struct Outgoing {
    head_len: usize,
    tail_len: usize,
    batch_len_max: usize,
    /// Corks of the owner.
    corks: usize,
    /// Whether a received batch is being read.
    answering: bool,
    /// Nothing at all, or a frame that can take more items.
    batch: Encoder,
    /// The channel that the next item of the batch belongs to.
    batch_channel: u64,
    frames: VecDeque<Vec<u8>>,
    /// Bytes of `frames`.
    frames_len: usize,
    /// How long the last batch became: the next one probably does too.
    last_batch_len: usize,
}

impl Outgoing {
    pub(crate) const fn new(options: &Options) -> Self {
        Self {
            head_len: options.head_len,
            tail_len: options.tail_len,
            batch_len_max: options.batch_len_max,
            corks: 0,
            answering: false,
            batch: Encoder::new(),
            batch_channel: 0,
            frames: VecDeque::new(),
            frames_len: 0,
            last_batch_len: 0,
        }
    }

    pub(crate) const fn cork(&mut self) {
        self.corks = self.corks.saturating_add(1);
    }

    pub(crate) fn uncork(&mut self) {
        self.corks = self.corks.saturating_sub(1);
        self.flush_if_uncorked();
    }

    /// Corks on behalf of a received batch, or takes that cork away.
    pub(crate) fn set_answering(&mut self, answering: bool) {
        self.answering = answering;
        self.flush_if_uncorked();
    }

    const fn is_corked(&self) -> bool {
        self.corks > 0 || self.answering
    }

    fn flush_if_uncorked(&mut self) {
        if !self.is_corked() {
            self.flush();
        }
    }

    /// Makes the batch a frame, if there is one.
    pub(crate) fn flush(&mut self) {
        if !self.batch.is_empty() {
            let batch = std::mem::take(&mut self.batch);
            self.last_batch_len = batch.len();
            self.finish(batch);
        }
    }

    /// Writes a message of `channel`.
    pub(crate) fn write(
        &mut self,
        channel: u64,
        kind: u64,
        payload: &impl Encode,
    ) -> Result<(), TooLarge> {
        let item_len = uint_len(kind).saturating_add(payload.encoded_len());
        let item_frame_len = buffer_len(item_len);
        // A batch of one, which is the longer of its forms.
        let alone_len = item_frame_len.saturating_add(uint_len(channel)).saturating_add(2);
        if alone_len > FRAME_LEN_MAX {
            return Err(TooLarge);
        }
        if !self.is_corked() {
            let mut frame = self.start(alone_len);
            frame.uint(channel);
            write_item(&mut frame, kind, payload, item_len);
            self.finish(frame);
            return Ok(());
        }
        let switch_len =
            if channel == self.batch_channel { 0 } else { uint_len(channel).saturating_add(1) };
        let batch_len = self.batch.len().saturating_sub(self.head_len);
        let batch_len_then = batch_len.saturating_add(switch_len).saturating_add(item_frame_len);
        if batch_len > 0 && batch_len_then > self.batch_len_max {
            self.flush();
        }
        if self.batch.is_empty() {
            let expected_len = self.last_batch_len.min(self.batch_len_max);
            self.batch = self.start(alone_len.max(expected_len));
            self.batch.fixed(&[0, 0]);
            self.batch.uint(channel);
        } else if channel != self.batch_channel {
            self.batch.uint(0);
            self.batch.uint(channel);
        }
        self.batch_channel = channel;
        self.batch.uint(item_len as u64);
        write_item(&mut self.batch, kind, payload, item_len);
        Ok(())
    }

    /// A frame with its head free and room for `len` bytes.
    fn start(&self, len: usize) -> Encoder {
        let room = self.head_len.saturating_add(len).saturating_add(self.tail_len);
        let mut bytes = Vec::with_capacity(room);
        bytes.resize(self.head_len, 0);
        Encoder::from_vec(bytes)
    }

    fn finish(&mut self, frame: Encoder) {
        let mut frame = frame.into_vec();
        frame.reserve_exact(self.tail_len);
        self.frames_len = self.frames_len.saturating_add(frame.len());
        self.frames.push_back(frame);
    }

    pub(crate) fn next_frame(&mut self) -> Option<Vec<u8>> {
        let frame = self.frames.pop_front()?;
        self.frames_len = self.frames_len.saturating_sub(frame.len());
        Some(frame)
    }

    /// Bytes of the frames and of the batch.
    pub(crate) const fn queued_len(&self) -> usize {
        self.frames_len.saturating_add(self.batch.len())
    }
}

/// Writes type and payload, which must have `item_len` bytes: a length before them said so.
fn write_item(out: &mut Encoder, kind: u64, payload: &impl Encode, item_len: usize) {
    let start = out.len();
    out.uint(kind);
    payload.encode(out);
    let written = out.len().saturating_sub(start);
    assert!(written == item_len, "encoded_len said {item_len} bytes, {written} were encoded");
}
