//! Contents that are staged or accepted and not written yet, by page or by id.
//!
//! Some buffers are kept for the next contents: memory that goes back to the system and comes again costs
//! more than all that is done with it here. Knows nothing of what the numbers mean.

use std::collections::HashMap;

/// Bytes of buffers that are kept.
const KEPT_LEN_MAX: usize = 512 * 1024;

/// The content of a page.
pub(crate) type Content = Box<[u8]>;

/// New contents, in two layers.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    staged: HashMap<u64, Content>,
    accepted: HashMap<u64, Content>,
    /// Staged ones of which no older one is accepted.
    new: usize,
    /// Buffers for contents to come.
    kept: Vec<Content>,
}

impl Contents {
    pub(crate) fn is_empty(&self) -> bool {
        self.staged.is_empty() && self.accepted.is_empty()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.accepted.len().saturating_add(self.new)
    }

    /// The newest content.
    pub(crate) fn get(&self, key: u64) -> Option<&[u8]> {
        let newest = self.staged.get(&key).or_else(|| self.accepted.get(&key));
        newest.map(|content| &**content)
    }

    /// The content that is staged.
    pub(crate) fn staged_mut(&mut self, key: u64) -> Option<&mut [u8]> {
        self.staged.get_mut(&key).map(|content| &mut **content)
    }

    /// An empty buffer, if possible one that needs no new memory.
    pub(crate) fn buffer(&mut self) -> Vec<u8> {
        let mut buffer = self.kept.pop().map(Vec::from).unwrap_or_default();
        buffer.clear();
        buffer
    }

    /// Keeps the buffers of contents that are not needed any more, or some of them.
    pub(crate) fn keep_buffers(&mut self, contents: Vec<(u64, Content)>) {
        for (_, content) in contents {
            let kept_len = self.kept.len().saturating_add(1).saturating_mul(content.len());
            if kept_len > KEPT_LEN_MAX {
                break;
            }
            self.kept.push(content);
        }
    }

    /// Stages a content.
    pub(crate) fn stage(&mut self, key: u64, content: Content) -> &mut [u8] {
        if !self.accepted.contains_key(&key) && !self.staged.contains_key(&key) {
            self.new = self.new.saturating_add(1);
        }
        self.staged.entry(key).insert_entry(content).into_mut()
    }

    pub(crate) fn rollback(&mut self) {
        self.staged = HashMap::new();
        self.new = 0;
    }

    /// False: nothing was staged.
    pub(crate) fn accept(&mut self) -> bool {
        // Not drained: an empty map that had been large costs each later call, and keeps its memory.
        let staged = std::mem::take(&mut self.staged);
        let is_changed = !staged.is_empty();
        if self.accepted.is_empty() {
            self.accepted = staged;
        } else {
            self.accepted.extend(staged);
        }
        self.new = 0;
        is_changed
    }

    /// Takes what is accepted, in order.
    pub(crate) fn take_accepted(&mut self) -> Vec<(u64, Content)> {
        let mut contents: Vec<_> = std::mem::take(&mut self.accepted).into_iter().collect();
        contents.sort_unstable_by_key(|&(key, _)| key);
        contents
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_of_a_large_commit() {
        let mut contents = Contents::default();
        let capacity =
            |contents: &Contents| contents.staged.capacity() + contents.accepted.capacity();
        for accepts in [false, true] {
            for key in 0..1000 {
                contents.stage(key, Box::default());
            }
            assert!(capacity(&contents) >= 1000);
            if accepts {
                assert!(contents.accept());
                assert_eq!(contents.take_accepted().len(), 1000);
            } else {
                contents.rollback();
            }
            assert_eq!(capacity(&contents), 0);
            assert!(!contents.accept());
        }
    }
}
