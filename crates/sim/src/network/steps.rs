//! What peers do to their logs, and what befalls them.

use std::time::Duration;

use hypercore_log::LogError;
use hypercore_replication::LogChange;

use super::node::Want;
use super::scenario::Step;
use super::world::{Event, World, tell};

/// After which time blocks become durable by themselves where a log does not wait for that.
const FLUSH_AFTER: Duration = Duration::from_secs(1);

impl World<'_> {
    /// Does a step. A peer without power does nothing.
    pub(super) fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Append { peer, lens } => self.append(*peer, lens),
            Step::Truncate { peer, keep, lens } => self.truncate(*peer, *keep, lens),
            Step::Clear { peer, part } => {
                let Some(range) = self.length_of(*peer).map(|length| part.of(length)) else {
                    return Ok(());
                };
                self.clear(*peer, range)
            }
            Step::WantBlocks { peer, part } => {
                if let Some(length) = self.length_of(0) {
                    self.nodes[*peer].want(Want::Blocks(part.of(length)));
                    self.due(*peer);
                }
                Ok(())
            }
            Step::WantSeek { peer, at } => {
                let history = &self.histories[0];
                let len = history.byte_offset(history.fork(), history.length()).unwrap_or(0);
                let byte = len * at / 1000;
                self.nodes[*peer].want(Want::Byte(byte));
                self.due(*peer);
                Ok(())
            }
            Step::Cancel { peer, which } => {
                let node = &mut self.nodes[*peer];
                if !node.wishes.is_empty() {
                    let at = (*which % node.wishes.len() as u64) as usize;
                    node.cancel(at);
                    self.due(*peer);
                }
                Ok(())
            }
            Step::Lose { link, away } => {
                self.lose(*link, *away);
                Ok(())
            }
            Step::Partition { side, away } => {
                for link in 0..self.links.len() {
                    let [from, to] = self.links[link].plan.ends;
                    if side.contains(&from) != side.contains(&to) {
                        self.lose(link, *away);
                    }
                }
                Ok(())
            }
            Step::Crash { peer, away } => {
                if self.nodes[*peer].running.is_some() {
                    self.power_off(*peer);
                    self.schedule.after(*away, Event::PowerOn(*peer));
                }
                Ok(())
            }
            Step::Flush { peer } => {
                self.nodes[*peer].flush()?;
                self.settle(*peer);
                self.due(*peer);
                Ok(())
            }
        }
    }

    fn lose(&mut self, link: usize, away: Duration) {
        self.disconnect(link);
        let until = self.schedule.now() + away;
        self.links[link].away_until = until;
        self.schedule.at(until, Event::Connect(link));
    }

    fn length_of(&self, peer: usize) -> Option<u64> {
        Some(self.nodes[peer].running.as_ref()?.log.length())
    }

    /// A writer appends blocks of these lengths.
    pub(super) fn append(&mut self, peer: usize, lens: &[usize]) -> Result<(), String> {
        let node = &mut self.nodes[peer];
        let (Some(running), Some(history)) = (&mut node.running, node.history) else {
            return Ok(());
        };
        if node.has_conflict || lens.is_empty() {
            return Ok(());
        }
        let blocks: Vec<Vec<u8>> = lens.iter().map(|len| self.random.bytes(*len)).collect();
        running.log.append(&blocks).map_err(|error| does_not("append", &error))?;
        running.replicator.log_changed(LogChange::Appended);
        self.histories[history].append(&blocks);
        if node.is_eventual() {
            self.schedule.after(FLUSH_AFTER, Event::Flush(peer));
        }
        self.settle(peer);
        self.due(peer);
        Ok(())
    }

    /// A writer cuts its log to so many thousandths, and appends.
    pub(super) fn truncate(
        &mut self,
        peer: usize,
        keep: u64,
        lens: &[usize],
    ) -> Result<(), String> {
        let node = &mut self.nodes[peer];
        let (Some(running), Some(history)) = (&mut node.running, node.history) else {
            return Ok(());
        };
        let length = running.log.length() * keep / 1000;
        running.log.truncate(length, None).map_err(|error| does_not("truncate", &error))?;
        running.replicator.log_changed(LogChange::Truncated { length });
        self.histories[history].truncate(length);
        tell!(self, "{peer} is cut to {length} blocks");
        self.totals.truncations += 1;
        self.settle(peer);
        self.due(peer);
        self.append(peer, lens)
    }

    /// A peer drops blocks. One that wants everything no longer does.
    fn clear(&mut self, peer: usize, range: std::ops::Range<u64>) -> Result<(), String> {
        let node = &mut self.nodes[peer];
        while let Some(at) = node.wishes.iter().position(|wish| !matches!(wish.want, Want::Byte(_)))
        {
            node.cancel(at);
        }
        let Some(running) = &mut node.running else { return Ok(()) };
        match running.log.clear(range.clone()) {
            Ok(_) => running.replicator.log_changed(LogChange::Cleared(range)),
            // A sparse log may not know where its blocks are.
            Err(LogError::NodeMissing { .. }) => {}
            Err(error) => return Err(does_not("clear", &error)),
        }
        self.due(peer);
        Ok(())
    }
}

fn does_not(what: &str, error: &LogError) -> String {
    format!("the log does not {what}: {error:?}")
}
