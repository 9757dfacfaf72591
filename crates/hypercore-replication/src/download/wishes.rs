//! What was wished for and is not there yet.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

use flat_tree::Index;
use hypercore_log::{Log, LogError};
use hypercore_merkle::{Seek, SeekRequest};

use super::requests::{Name, Serial};
use crate::event::Outcome;
use crate::options::WishId;
use crate::view::View;
use crate::wish::{Blocks, RangeWish, UpgradeWish};

/// The order in which single blocks are asked for: by priority, then as they were wished for.
pub(crate) type Turn = (Reverse<u64>, u64);

/// Wishes for one block.
#[derive(Debug)]
struct Block {
    turn: Turn,
    wishes: Vec<WishId>,
}

/// A wish for many blocks.
#[derive(Debug)]
pub(crate) struct Many {
    pub(crate) wish: WishId,
    pub(crate) blocks: Blocks,
    pub(crate) linear: bool,
    /// Blocks a log must have to hold all of them.
    reach: u64,
    /// Where in a list the first block is that is not stored.
    listed: usize,
}

/// A wish for a longer log.
#[derive(Debug)]
struct Longer {
    wish: WishId,
    kind: UpgradeWish,
    /// The fork and length of the log when it was first looked at.
    from: Option<(u64, u64)>,
}

/// A wish for the place of a byte.
#[derive(Debug)]
pub(crate) struct Byte {
    pub(crate) wish: WishId,
    pub(crate) bytes: u64,
    pub(crate) padding: u64,
    /// The blocks that may hold the byte, as far as is known; `None` when the tree is too short.
    pub(crate) within: Option<Range<u64>>,
    /// Whether to ask for a block, since the last request for the byte had no answer: a size that an earlier peer
    /// claimed can have led to the wrong blocks, and a block puts it right.
    pub(crate) asks_block: bool,
    pub(crate) asked: Option<Name>,
}

/// A wish for a node of the tree.
#[derive(Debug)]
pub(crate) struct Hash {
    pub(crate) wish: WishId,
    pub(crate) index: Index,
    pub(crate) asked: Option<Name>,
}

/// What a wish is kept as.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Block(u64),
    Other,
}

/// All wishes.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    made: u64,
    kinds: BTreeMap<WishId, Kind>,
    blocks: BTreeMap<u64, Block>,
    /// Single blocks that are not asked for.
    queue: BTreeMap<Turn, u64>,
    /// How often one was put into the queue.
    queued_ever: u64,
    /// Blocks that were wished for since the last look.
    fresh: BTreeSet<u64>,
    pub(crate) many: Vec<Many>,
    longer: Vec<Longer>,
    pub(crate) bytes: Vec<Byte>,
    pub(crate) hashes: Vec<Hash>,
    done: VecDeque<(WishId, Outcome)>,
    /// Whether wishes other than for single blocks may be done.
    pub(crate) is_stale: bool,
}

impl Wishes {
    fn add(&mut self, kind: Kind) -> WishId {
        self.made = self.made.saturating_add(1);
        let wish = WishId(self.made);
        self.kinds.insert(wish, kind);
        self.is_stale = true;
        wish
    }

    pub(crate) fn add_block(&mut self, index: u64, priority: u64) -> WishId {
        let wish = self.add(Kind::Block(index));
        let turn = (Reverse(priority), wish.0);
        let block = self.blocks.entry(index).or_insert_with(|| {
            self.queue.insert(turn, index);
            Block { turn, wishes: Vec::new() }
        });
        block.wishes.push(wish);
        if turn.0 < block.turn.0 {
            if self.queue.remove(&block.turn).is_some() {
                self.queue.insert(turn, index);
            }
            block.turn = turn;
        }
        self.queued_ever = self.queued_ever.saturating_add(1);
        self.fresh.insert(index);
        wish
    }

    pub(crate) fn add_range(&mut self, range: RangeWish) -> WishId {
        let wish = self.add(Kind::Other);
        let RangeWish { blocks, linear } = range;
        let reach = match &blocks {
            Blocks::Span(range) => range.end,
            Blocks::From(_) => u64::MAX,
            Blocks::List(list) => list.iter().max().map_or(0, |last| last.saturating_add(1)),
        };
        self.many.push(Many { wish, blocks, linear, reach, listed: 0 });
        wish
    }

    pub(crate) fn add_upgrade(&mut self, kind: UpgradeWish) -> WishId {
        let wish = self.add(Kind::Other);
        self.longer.push(Longer { wish, kind, from: None });
        wish
    }

    pub(crate) fn add_seek(&mut self, bytes: u64, padding: u64) -> WishId {
        let wish = self.add(Kind::Other);
        self.bytes.push(Byte {
            wish,
            bytes,
            padding,
            within: None,
            asks_block: false,
            asked: None,
        });
        wish
    }

    pub(crate) fn add_hash(&mut self, index: Index) -> WishId {
        let wish = self.add(Kind::Other);
        self.hashes.push(Hash { wish, index, asked: None });
        wish
    }

    /// Takes a wish back. Gives the block that nobody waits for any more, and the request that was made for it.
    pub(crate) fn cancel(&mut self, wish: WishId) -> (Option<u64>, Option<Name>) {
        let mut asked = None;
        match self.kinds.remove(&wish) {
            Some(Kind::Block(index)) => {
                let Some(block) = self.blocks.get_mut(&index) else { return (None, None) };
                block.wishes.retain(|other| *other != wish);
                if block.wishes.is_empty() {
                    self.queue.remove(&block.turn);
                    self.blocks.remove(&index);
                    return (Some(index), None);
                }
            }
            Some(Kind::Other) => {
                self.many.retain(|many| many.wish != wish);
                self.longer.retain(|longer| longer.wish != wish);
                self.bytes.retain(|byte| {
                    if byte.wish == wish {
                        asked = byte.asked;
                    }
                    byte.wish != wish
                });
                self.hashes.retain(|hash| {
                    if hash.wish == wish {
                        asked = hash.asked;
                    }
                    hash.wish != wish
                });
            }
            None => {}
        }
        (None, asked)
    }

    /// Whether there is any wish.
    pub(crate) fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// Whether a longer log is wished for, or a block past the end of it, or whatever comes.
    pub(crate) fn want_longer(&self, view: &View) -> bool {
        !self.longer.is_empty()
            || self.blocks.range(view.length..).next().is_some()
            || self.bytes.iter().any(|byte| byte.within.is_none())
            || self.hashes.iter().any(|hash| hash.index.end_block() > view.length)
            || self.many.iter().any(|many| many.reach > view.length)
    }

    /// The single blocks that are not asked for, from a turn on.
    pub(crate) fn queued(&self, after: Option<Turn>) -> impl Iterator<Item = (Turn, u64)> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        self.queue.range((from, Unbounded)).map(|(turn, index)| (*turn, *index))
    }

    /// How often a single block was put into the queue.
    pub(crate) const fn queued_ever(&self) -> u64 {
        self.queued_ever
    }

    /// Single blocks that are not asked for.
    pub(crate) fn queue_len(&self) -> usize {
        self.queue.len()
    }

    /// A single block is asked for.
    pub(crate) fn asked(&mut self, index: u64) -> u64 {
        let Some(block) = self.blocks.get(&index) else { return 0 };
        self.queue.remove(&block.turn);
        block.turn.0.0
    }

    /// A block was asked for in vain. False when it is not wished for as a single one.
    pub(crate) fn ask_again(&mut self, index: u64) -> bool {
        let Some(block) = self.blocks.get(&index) else { return false };
        self.queue.insert(block.turn, index);
        self.queued_ever = self.queued_ever.saturating_add(1);
        true
    }

    /// A request for a byte had no answer.
    pub(crate) fn seek_refused(&mut self, wish: WishId) {
        if let Some(byte) = self.bytes.iter_mut().find(|byte| byte.wish == wish) {
            byte.asks_block = !byte.asks_block;
        }
    }

    /// A request came to nothing, or was answered: whoever made it may ask again.
    pub(crate) fn not_asked(&mut self, serial: Serial) {
        let asked = self.bytes.iter_mut().map(|byte| &mut byte.asked);
        for asked in asked.chain(self.hashes.iter_mut().map(|hash| &mut hash.asked)) {
            asked.take_if(|name| name.serial == serial);
        }
    }

    /// Whether a block is in a range that is wished for.
    pub(crate) fn is_in_range(&self, index: u64) -> bool {
        self.many.iter().any(|many| many.contains(index))
    }

    /// A block is stored.
    pub(crate) fn stored(&mut self, index: u64) {
        let Some(block) = self.blocks.remove(&index) else { return };
        self.queue.remove(&block.turn);
        for wish in block.wishes {
            self.kinds.remove(&wish);
            self.done.push_back((wish, Outcome::Stored));
        }
    }

    /// Blocks were appended: those that were wished for and are here.
    pub(crate) fn appended(&mut self, blocks: Range<u64>) {
        self.is_stale = true;
        self.fresh.extend(self.blocks.range(blocks).map(|(index, _)| *index));
    }

    /// Looks which wishes are done. `is_asked` says whether all peers were asked for a longer log.
    ///
    /// # Errors
    /// The own log can not be read.
    pub(crate) fn look(
        &mut self,
        log: &Log,
        view: &View,
        is_asked: impl FnOnce() -> bool,
    ) -> Result<(), LogError> {
        while let Some(index) = self.fresh.pop_first() {
            if log.has(index) {
                self.stored(index);
            }
        }
        if !self.longer.is_empty() {
            self.look_for_length(view, is_asked());
        }
        if !self.is_stale {
            return Ok(());
        }
        self.is_stale = false;
        let (kinds, done) = (&mut self.kinds, &mut self.done);
        let mut end = |wish, outcome| {
            kinds.remove(&wish);
            done.push_back((wish, outcome));
        };
        self.many.retain_mut(|many| {
            let is_done = many.is_done(log);
            if is_done {
                end(many.wish, Outcome::Stored);
            }
            !is_done
        });
        let mut failure = None;
        self.bytes.retain_mut(|byte| match byte.look(log) {
            Ok(None) => true,
            Ok(Some(outcome)) => {
                end(byte.wish, outcome);
                false
            }
            Err(error) => {
                failure = Some(error);
                true
            }
        });
        self.hashes.retain(|hash| match is_stored(log, hash.index) {
            Ok(true) => {
                end(hash.wish, Outcome::Stored);
                false
            }
            Ok(false) => true,
            Err(error) => {
                failure = Some(error);
                true
            }
        });
        failure.map_or(Ok(()), Err)
    }

    fn look_for_length(&mut self, view: &View, is_asked: bool) {
        let (kinds, done) = (&mut self.kinds, &mut self.done);
        self.longer.retain_mut(|longer| {
            let from = *longer.from.get_or_insert((view.fork, view.length));
            let outcome = match longer.kind {
                UpgradeWish::Length(length) if view.length >= length => Outcome::Stored,
                UpgradeWish::Latest if (view.fork, view.length) > from => Outcome::Grown,
                UpgradeWish::Latest if is_asked => Outcome::Current,
                _ => return true,
            };
            kinds.remove(&longer.wish);
            done.push_back((longer.wish, outcome));
            false
        });
    }

    /// The next wish that is done.
    pub(crate) fn next_done(&mut self) -> Option<(WishId, Outcome)> {
        self.done.pop_front()
    }
}

impl Many {
    fn contains(&self, index: u64) -> bool {
        match &self.blocks {
            Blocks::Span(range) => range.contains(&index),
            Blocks::From(start) => index >= *start,
            Blocks::List(list) => list.contains(&index),
        }
    }

    /// The blocks of a log of that length that it covers; of a list, the places in it.
    pub(crate) fn span(&self, length: u64) -> Range<u64> {
        match &self.blocks {
            Blocks::Span(range) => range.start.min(length)..range.end.min(length),
            Blocks::From(start) => (*start).min(length)..length,
            Blocks::List(list) => 0..list.len() as u64,
        }
    }

    fn is_done(&mut self, log: &Log) -> bool {
        match &self.blocks {
            Blocks::Span(range) => log.has_range(range.clone()),
            Blocks::From(_) => false,
            Blocks::List(list) => {
                while list.get(self.listed).is_some_and(|index| log.has(*index)) {
                    self.listed = self.listed.saturating_add(1);
                }
                self.listed >= list.len()
            }
        }
    }
}

impl Byte {
    /// The part of a request that asks for it.
    pub(crate) const fn request(&self) -> SeekRequest {
        SeekRequest { bytes: self.bytes, padding: self.padding }
    }

    /// Where the byte is, or where to ask next.
    fn look(&mut self, log: &Log) -> Result<Option<Outcome>, LogError> {
        match log.seek_within(self.bytes, self.padding)? {
            Seek::Found { block, offset } => Ok(Some(Outcome::Found { block, offset })),
            Seek::Narrowed { blocks } => {
                self.within = Some(blocks);
                Ok(None)
            }
            _ => {
                self.within = None;
                Ok(None)
            }
        }
    }
}

/// Whether a node is stored.
fn is_stored(log: &Log, index: Index) -> Result<bool, LogError> {
    if index.end_block() > log.length() {
        return Ok(false);
    }
    Ok(log.missing_nodes_of(index)? == 0)
}
