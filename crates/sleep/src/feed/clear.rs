//! Giving up blocks: their nodes stay, so they can be told to be the right ones when they come back.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::feed::Feed;
use crate::files::FileName;

impl Feed {
    /// Forgets the blocks of a range and gives their bytes back to the medium. Those that are not
    /// stored are passed over.
    ///
    /// # Durability
    /// As [`Durability`](crate::Durability) says. A crash may leave some of the blocks, each of them
    /// whole.
    ///
    /// # Errors
    /// [`Error::OutOfBounds`] when the range ends past the feed; [`Error::ReadOnly`], or that the feed
    /// needs repair: then nothing was written. [`Error::Storage`], after which the feed is poisoned;
    /// [`Error::Poisoned`].
    pub fn clear(&mut self, range: Range<u64>) -> Result<()> {
        self.check_changeable()?;
        if range.end > self.length {
            return Err(Error::OutOfBounds { block: range.end, length: self.length });
        }
        let runs: Vec<Range<u64>> = self.bitfield.blocks(range.clone()).collect();
        if runs.is_empty() {
            return Ok(());
        }
        let mut bytes = Vec::new();
        for run in runs {
            bytes.extend(self.bytes_of(&run)?);
        }
        self.change(|feed| {
            feed.bitfield.set_blocks(range, false)?;
            feed.write_bits()?;
            feed.sync_unless_lazy(&[FileName::Bitfield])?;
            if let Some(data) = feed.files.get(FileName::Data) {
                for bytes in bytes {
                    let len = bytes.end.saturating_sub(bytes.start);
                    data.discard(bytes.start, len).map_err(Error::in_file(FileName::Data))?;
                }
            }
            Ok(())
        })
    }

    /// Where the bytes of consecutive blocks lie; `None` when their nodes do not tell for sure, and the
    /// bytes had better stay.
    fn bytes_of(&self, blocks: &Range<u64>) -> Result<Option<Range<u64>>> {
        let leaf = |block| match self.prove_leaf(block) {
            Ok(leaf) => Ok(Some(leaf)),
            Err(Error::NodeMissing { .. } | Error::TreeDamaged { .. }) => Ok(None),
            Err(error) => Err(error),
        };
        let (first, last) = (leaf(blocks.start)?, leaf(blocks.end.saturating_sub(1))?);
        Ok(first.zip(last).map(|(first, last)| first.offset..last.end()))
    }
}
