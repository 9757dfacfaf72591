//! One direction of a connection: bytes arrive in order, late, and in other pieces than they were sent in.
//!
//! Like TCP it takes only so much before the other side has read: what flies and what waits to be read is bounded by
//! the window.

use std::collections::VecDeque;
use std::time::Duration;

use crate::random::Random;

/// What a link is like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quality {
    /// From one end to the other.
    pub(super) latency: Duration,
    /// Bytes a second that it takes up.
    pub(super) bytes_per_second: u64,
    /// Bytes at most that were sent and not read.
    pub(super) window_len: usize,
    /// Bytes at most that arrive at once.
    pub(super) piece_len_max: usize,
}

/// One direction.
#[derive(Debug)]
pub(super) struct Wire {
    quality: Quality,
    /// When the last byte sent has been taken up.
    free_at: Duration,
    flying: VecDeque<(Duration, Vec<u8>)>,
    flying_len: usize,
    /// Arrived and not read.
    waiting: VecDeque<u8>,
}

impl Wire {
    pub(super) const fn new(quality: Quality) -> Self {
        Self {
            quality,
            free_at: Duration::ZERO,
            flying: VecDeque::new(),
            flying_len: 0,
            waiting: VecDeque::new(),
        }
    }

    /// Bytes that may be sent now.
    pub(super) fn room(&self) -> usize {
        self.quality.window_len.saturating_sub(self.flying_len + self.waiting.len())
    }

    /// Sends `bytes`, and gives the times at which pieces of them arrive.
    pub(super) fn send(
        &mut self,
        bytes: &[u8],
        now: Duration,
        random: &mut Random,
    ) -> Vec<Duration> {
        let mut times = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let len = 1 + random.place(self.quality.piece_len_max);
            let (piece, after) = rest.split_at(len.min(rest.len()));
            rest = after;
            let micros = piece.len() as u64 * 1_000_000 / self.quality.bytes_per_second;
            self.free_at = self.free_at.max(now) + Duration::from_micros(micros);
            let arrives = self.free_at + self.quality.latency;
            self.flying.push_back((arrives, piece.to_vec()));
            times.push(arrives);
        }
        self.flying_len += bytes.len();
        times
    }

    /// Takes what has arrived by now out of the air; whether that is anything.
    pub(super) fn arrive(&mut self, now: Duration) -> bool {
        let before = self.waiting.len();
        while self.flying.front().is_some_and(|(at, _)| *at <= now) {
            let Some((_, piece)) = self.flying.pop_front() else { break };
            self.flying_len -= piece.len();
            self.waiting.extend(piece);
        }
        self.waiting.len() > before
    }

    /// Bytes that wait to be read.
    pub(super) fn waiting_len(&self) -> usize {
        self.waiting.len()
    }

    /// Reads at most `len` bytes.
    pub(super) fn read(&mut self, len: usize) -> Vec<u8> {
        let len = len.min(self.waiting.len());
        self.waiting.drain(..len).collect()
    }
}
