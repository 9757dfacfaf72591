//! What runs came to, in numbers.

use std::fmt;

/// Sums over runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Runs in which everybody got what they wanted.
    pub converged: u64,
    /// Runs in which two histories were proven.
    pub proven_forks: u64,
    /// Steps of virtual time.
    pub events: u64,
    /// Messages that were received.
    pub messages: u64,
    /// Bytes that were sent.
    pub bytes: u64,
    /// Blocks that were downloaded.
    pub blocks: u64,
    /// Wishes that came true, those for everything not counted.
    pub wishes: u64,
    /// Connections that were made.
    pub connections: u64,
    /// Power cuts.
    pub crashes: u64,
    /// Truncations.
    pub truncations: u64,
}

impl Totals {
    /// Adds those of another run.
    pub const fn add(&mut self, other: &Self) {
        self.converged += other.converged;
        self.proven_forks += other.proven_forks;
        self.events += other.events;
        self.messages += other.messages;
        self.bytes += other.bytes;
        self.blocks += other.blocks;
        self.wishes += other.wishes;
        self.connections += other.connections;
        self.crashes += other.crashes;
        self.truncations += other.truncations;
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} messages, {} blocks, {} connections, {} power cuts, {} truncations",
            self.messages, self.blocks, self.connections, self.crashes, self.truncations
        )
    }
}
