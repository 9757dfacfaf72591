//! Reading: what is stored here, and what has to be waited for.

use std::ops::Range;

use bytes::Bytes;
use flat_tree::Index;
use hypercore_crypto::Hash;
use hypercore_log::Get;
use hypercore_replication::Outcome;

use super::Hypercore;
use crate::encryption::{Cipher, Unsealed};
use crate::error::{Error, Result};
use crate::options::{GetOptions, SeekOptions};
use crate::replication::wish::Wish;
use crate::view::Viewed;

/// The largest block in bytes that is read inline; hashing it takes some tens of microseconds.
const INLINE_READ_LEN_MAX: u64 = 64 * 1024;

/// Reading.
impl Hypercore {
    /// Reads a block, waiting until it is here: until a peer brings it, or it is appended.
    ///
    /// A block that is stored here is read at once, as with [`get_local`](Self::get_local). Whether and
    /// how long others are waited for is a setting of the [session](Self::session). Dropping the future
    /// stops asking for the block.
    ///
    /// # Errors
    /// `Caller` when it is not stored here and never will be, as the handle is open for reading, or the
    /// session does not wait ([`Error::is_not_stored`]); `TimedOut`; `Corrupt` when what is stored is
    /// not what was signed; `Io` when the disk failed; `Closed` when the session is closed meanwhile.
    pub async fn get(&self, index: u64) -> Result<Bytes> {
        match self.get_local(index).await {
            Ok(Some(block)) => return Ok(block),
            Err(error) if !error.is_out_of_bounds() => return Err(error),
            Ok(None) | Err(_) => {}
        }
        let block = self.get_absent(index, &GetOptions::new()).await?;
        block.ok_or_else(Error::not_stored)
    }

    /// Reads a block as [`get`](Self::get) does, with options. `None` when it is not stored here and was
    /// not waited for.
    ///
    /// # Errors
    /// Those of [`get`](Self::get); without waiting, those of [`get_local`](Self::get_local).
    pub async fn get_with(&self, index: u64, options: GetOptions) -> Result<Option<Bytes>> {
        let waits = options.waits(&self.session.settings().waiting);
        match self.read_local(index, options.raw).await {
            Err(error) if waits && error.is_out_of_bounds() => {}
            Ok(None) if waits => {}
            found => return found,
        }
        self.get_absent(index, &options).await
    }

    /// Waits for a block that is not here.
    async fn get_absent(&self, index: u64, options: &GetOptions) -> Result<Option<Bytes>> {
        let waiting = &self.session.settings().waiting;
        if !options.waits(waiting) {
            return Ok(None);
        }
        for hook in [&options.on_wait, &waiting.on_wait].into_iter().flatten() {
            hook.call(index);
        }
        let block = self.session.until_end_or(options.timeout_in(waiting), async {
            loop {
                self.block_may_come(index).await?;
                match self.read_local(index, options.raw).await {
                    Ok(Some(block)) => return Ok(block),
                    Err(error) if !error.is_out_of_bounds() => return Err(error),
                    Ok(None) | Err(_) => {}
                }
            }
        });
        block.await.map(Some)
    }

    /// Returns when a block may have come.
    async fn block_may_come(&self, index: u64) -> Result<()> {
        let exchange = self.shared().exchange();
        // Peers hear of what is appended here once it is durable; whoever waits here need not wait for that. What is no
        // longer to come to a snapshot or a batch is known by any change of the log.
        let is_live = self.session.view().is_live();
        let mut changes = if is_live { exchange.writes() } else { exchange.changes() };
        let mut wish = None;
        loop {
            changes.mark_unchanged();
            self.session.inline(|view, _| view.awaits(index))?;
            if self.session.inline(|view, _| Ok(view.has(index)))? {
                return Ok(());
            }
            let wish = match &mut wish {
                Some(wish) => wish,
                none => none.insert(self.wish(Wish::Block(index))?),
            };
            // The log keeps the sender alive.
            if wish.outcome_or(changes.changed()).await? {
                return Ok(());
            }
        }
    }

    /// Reads a block that is stored here; `None` when it is not (never downloaded, or cleared). Never
    /// waits for anybody.
    ///
    /// # Errors
    /// `Caller` when the log has no such block ([`Error::is_out_of_bounds`]); `Corrupt` when what is
    /// stored is not what was signed; `Io` when the disk failed.
    pub async fn get_local(&self, index: u64) -> Result<Option<Bytes>> {
        self.read_local(index, false).await
    }

    /// Reads a block that is stored here, `raw` as it is stored.
    async fn read_local(&self, index: u64, raw: bool) -> Result<Option<Bytes>> {
        Self::take_turn().await;
        let inline = self.session.inline(|log, cipher| {
            Ok(match log.get_up_to(index, INLINE_READ_LEN_MAX)? {
                Get::Block(stored) => Some(Some(unseal(log, cipher, index, stored, raw)?)),
                Get::Absent => Some(None),
                Get::Longer => None,
            })
        })?;
        let found = match inline {
            Some(found) => found,
            None => self.session.blocking(move |log, cipher| get(log, cipher, index, raw)).await?,
        };
        match found {
            None => Ok(None),
            Some(unsealed) => self.session.content(index, unsealed).await.map(Some),
        }
    }

    /// Whether a block is stored here. A block past the end is not.
    ///
    /// # Errors
    /// `Closed`, and `Io` when the disk failed.
    pub async fn has(&self, index: u64) -> Result<bool> {
        Self::take_turn().await;
        self.session.inline(|log, _| Ok(log.has(index)))
    }

    /// Whether all blocks of a range are stored here. An empty range is.
    ///
    /// # Errors
    /// `Closed`, and `Io` when the disk failed.
    pub async fn has_range(&self, blocks: Range<u64>) -> Result<bool> {
        Self::take_turn().await;
        self.session.inline(|log, _| Ok(log.has_range(blocks)))
    }

    /// The parts of a range that are stored here, in order, at most `limit` of them.
    ///
    /// # Errors
    /// `Closed`, and `Io` when the disk failed.
    pub async fn stored_ranges(&self, blocks: Range<u64>, limit: usize) -> Result<Vec<Range<u64>>> {
        self.session.blocking(move |log, _| Ok(log.stored_ranges(blocks, limit))).await
    }

    /// The block that holds content byte `byte` of the log, and the byte's offset in that block; asks
    /// peers for what is not known here, and waits until the log is long enough. The end of the log is
    /// `(length, 0)`.
    ///
    /// # Errors
    /// As for [`get`](Self::get).
    pub async fn seek(&self, byte: u64) -> Result<(u64, u64)> {
        let place = self.seek_with(byte, SeekOptions::new()).await?;
        place.ok_or_else(Error::not_stored)
    }

    /// Seeks as [`seek`](Self::seek) does, with options. `None` when what is stored here does not tell
    /// and others were not waited for.
    ///
    /// # Errors
    /// As for [`get`](Self::get).
    pub async fn seek_with(&self, byte: u64, options: SeekOptions) -> Result<Option<(u64, u64)>> {
        let waiting = &self.session.settings().waiting;
        if !options.waits(waiting) {
            return match self.seek_local(byte).await {
                Err(error) if error.missing_node().is_some() => Ok(None),
                place => place,
            };
        }
        self.session
            .until_end_or(options.timeout_in(waiting), self.seek_waiting(byte))
            .await
            .map(Some)
    }

    async fn seek_waiting(&self, byte: u64) -> Result<(u64, u64)> {
        let mut changes = self.shared().exchange().changes();
        loop {
            changes.mark_unchanged();
            match self.seek_local(byte).await {
                Ok(Some(place)) => return Ok(place),
                // Only the log itself may become long enough.
                Ok(None) => self.session.inline(|view, _| view.awaits(view.head().length))?,
                Err(error) => {
                    let Some(index) = error.missing_node() else { return Err(error) };
                    if !self.session.view().is_live() {
                        self.node_may_come(index).await?;
                        continue;
                    }
                    let padding = self.session.cipher().padding();
                    let outcome = self.wish(Wish::Seek { byte, padding })?.outcome().await?;
                    if let Outcome::Found { block, offset } = outcome {
                        return Ok((block, offset));
                    }
                }
            }
            // Past the end, as far as is known. The log keeps the sender alive.
            let _ = changes.changed().await;
        }
    }

    /// The block that holds content byte `byte` of the log, and the byte's offset in that block, by
    /// what is stored here. The end of the log is `(length, 0)`; `None` past it. As in JavaScript, an
    /// empty block right before the byte may be named in the place of the one that holds it, with
    /// offset 0.
    ///
    /// # Errors
    /// `Caller` when the tree nodes that tell are not stored here; `Corrupt`, `Io`, `Closed`.
    pub async fn seek_local(&self, byte: u64) -> Result<Option<(u64, u64)>> {
        Self::take_turn().await;
        self.session.inline(|log, cipher| log.seek(byte, cipher.padding()))
    }

    /// The hash that the log had when it was `length` blocks long (in the present fork); asks peers for
    /// the tree nodes that are not stored here.
    ///
    /// # Errors
    /// `Caller` when the log is shorter, and as for [`get`](Self::get).
    pub async fn tree_hash(&self, length: u64) -> Result<Hash> {
        let waiting = &self.session.settings().waiting;
        if !waiting.wait {
            return self.tree_hash_local(length).await;
        }
        let hash = self.session.until_end_or(waiting.timeout, async {
            loop {
                let result = self.tree_hash_local(length).await;
                let Some(index) = result.as_ref().err().and_then(Error::missing_node) else {
                    return result;
                };
                self.node_may_come(index).await?;
            }
        });
        hash.await
    }

    /// Returns when a tree node may have come.
    async fn node_may_come(&self, index: u64) -> Result<()> {
        let mut changes = self.shared().exchange().changes();
        let node = Index::new(index);
        self.session.inline(|view, _| view.awaits_up_to(node.end_block()))?;
        let mut wish = self.wish(Wish::Node(node))?;
        if self.session.view().is_live() {
            return wish.outcome().await.map(drop);
        }
        wish.outcome_or(changes.changed()).await.map(drop)
    }

    /// The hash that the log had when it was `length` blocks long (in the present fork), by what is
    /// stored here.
    ///
    /// # Errors
    /// `Caller` when the log is shorter, or the tree nodes that tell are not stored here; `Corrupt`,
    /// `Io`, `Closed`.
    pub async fn tree_hash_local(&self, length: u64) -> Result<Hash> {
        Self::take_turn().await;
        self.session.inline(|log, _| log.tree_hash_at(length))
    }
}

fn get(log: Viewed<'_>, cipher: &Cipher, index: u64, raw: bool) -> Result<Option<Unsealed>> {
    log.get(index)?.map(|stored| unseal(log, cipher, index, stored, raw)).transpose()
}

fn unseal(
    view: Viewed<'_>,
    cipher: &Cipher,
    index: u64,
    stored: Vec<u8>,
    raw: bool,
) -> Result<Unsealed> {
    if raw {
        Ok(Unsealed::Content(stored.into()))
    } else {
        cipher.unseal(view.log(), index, stored)
    }
}
