//! What is on the medium, and what is only on its way there.
//!
//! Invariant: the durable image changes only in a sync that succeeds.

use std::sync::Arc;

use super::image::{Image, SECTOR_LEN};

/// A change of a file that reaches the medium whole or not at all.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// The name of a new file.
    Create,
    /// A length that is larger than before.
    Grow(u64),
    /// A length that is smaller than before.
    Cut(u64),
    /// Bytes in one sector.
    Write { offset: u64, bytes: Arc<[u8]> },
}

/// A change and its file.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) file: usize,
    pub(crate) change: Change,
}

impl Item {
    /// The sector that is written, if one is.
    pub(crate) const fn sector(&self) -> Option<(usize, usize)> {
        match &self.change {
            Change::Write { offset, .. } => Some((self.file, *offset as usize / SECTOR_LEN)),
            _ => None,
        }
    }
}

/// What was done to a disk.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// Changes of one file.
    Change(Vec<Item>),
    /// Everything done to a file before is durable.
    Sync(usize),
    /// A sync that failed.
    FailedSync(usize, SyncFault),
}

/// What a failed sync leaves. Either way the bytes that were not durable before it never will be, unless they
/// are written again, and later syncs succeed. Names and lengths are metadata, which the journal still has:
/// they stay on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SyncFault {
    /// Reads show what the medium has: the bytes of before.
    Reverts,
    /// Reads go on showing the new bytes, which are in the cache and nowhere else.
    Lingers,
}

/// The durable image, and the items that a crash may keep or lose.
#[derive(Clone, Debug, Default)]
pub(crate) struct Medium {
    pub(crate) durable: Image,
    pub(crate) pending: Vec<Item>,
}

impl Medium {
    pub(crate) fn apply(&mut self, op: &Op) {
        match op {
            Op::Change(items) => self.pending.extend(items.iter().cloned()),
            Op::Sync(file) => {
                let synced = self.pending.extract_if(.., |item| item.file == *file);
                let synced: Vec<Item> = synced.collect();
                apply_all(&mut self.durable, &synced, |_| true);
            }
            Op::FailedSync(file, _) => {
                let lost = |item: &Item| item.file == *file && item.sector().is_some();
                self.pending.retain(|item| !lost(item));
            }
        }
    }

    /// What there is once everything has reached the medium.
    pub(crate) fn settled(&self) -> Image {
        let mut image = self.durable.clone();
        apply_all(&mut image, &self.pending, |_| true);
        image
    }
}

/// Applies those of `items` that are `kept`, by their place, in order.
///
/// Bytes written past the length that is kept are not there; where a longer length is kept and the bytes
/// are not, there are zeros. Of a file whose name is not kept nothing is there.
pub(crate) fn apply_all(image: &mut Image, items: &[Item], kept: impl Fn(usize) -> bool) {
    // Only a few files are ever touched, and mostly the same one.
    let mut touched: [bool; 64] = [false; 64];
    for (place, item) in items.iter().enumerate() {
        if !kept(place) {
            continue;
        }
        touched[item.file] = true;
        let file = image.file_mut(item.file);
        match &item.change {
            Change::Create => file.exists = true,
            Change::Grow(len) => file.len = file.len.max(*len),
            Change::Cut(len) => {
                file.len = file.len.min(*len);
                file.cut(*len);
            }
            Change::Write { offset, bytes } => file.put(*offset, bytes),
        }
    }
    for (at, file) in image.files.iter_mut().enumerate() {
        if touched[at] {
            if !file.exists {
                file.len = 0;
            }
            file.cut(file.len);
        }
    }
}
